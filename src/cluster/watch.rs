//! A list and its watch, as changes of small projections.
//!
//! `kube::runtime::watcher` lists, watches, and lists again when the server forgot where we were; what was deleted in
//! between it does not tell. This keeps the names that it has shown, and nothing else, and so can.

use super::{Lenient, streamed::Lists};
use arcstr::ArcStr;
use backon::ExponentialBuilder;
use futures::{Stream, StreamExt, stream};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{
    Api, Resource,
    runtime::{
        WatchStreamExt,
        utils::Backoff,
        watcher::{self, Event, ExponentialBackoff, InitialListStrategy, ListSemantic, watcher},
    },
};
use landfall_core::alloc::ServiceKey;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{collections::BTreeSet, fmt::Debug, time::Duration};
use tracing::{info, warn};

/// Seconds until a quiet watch is begun anew; a silently dead one is noticed 5 s later.
const WATCH_SECONDS: u32 = 60;

/// Between two attempts where all fail: this at first,
const RETRY: Duration = Duration::from_millis(800);
/// and twice as long each time up to this, where a watch cannot be resumed; each longer by chance by up to as much again. Each list
/// begins at the first pause again. kube's own 30 s would leave Services without an address for a minute after the API server is
/// back: the last pause of its absence, and another one since it has forgotten where we were.
const RETRY_AT_MOST: Duration = Duration::from_secs(3);

fn backoff() -> impl Backoff {
    let growing = ExponentialBuilder::new().with_min_delay(RETRY).with_max_delay(RETRY_AT_MOST).with_jitter();
    ExponentialBackoff::from(growing.without_max_times())
}

/// Namespace and name of an object; the namespace of a cluster-wide one is empty.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ObjectName {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl ObjectName {
    /// The name in `meta`.
    pub fn of(meta: &ObjectMeta) -> Self {
        Self { namespace: meta.namespace.clone().unwrap_or_default(), name: meta.name.clone().unwrap_or_default() }
    }
}

impl From<ObjectName> for ServiceKey {
    fn from(ObjectName { namespace, name }: ObjectName) -> Self {
        Self::new(&namespace, &name)
    }
}

/// What a watch tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change<P> {
    /// An object is new, changed, or was listed again.
    Applied(P),
    /// An object is gone, or was found missing when it was listed again.
    Deleted(ObjectName),
    /// A list is complete: all that exists has been applied, all that does not has been deleted.
    Synced,
}

/// Selects the one object called `name`: a right on that name alone suffices for the watch.
pub fn only(name: &str) -> watcher::Config {
    watcher::Config::default().fields(&format!("metadata.name={name}"))
}

/// Lists and watches `api` for ever, and projects every object, as [`watch_named`] does.
pub fn watch<K, P>(
    api: Api<Lenient<K>>,
    config: watcher::Config,
    project: impl Fn(K) -> P + Send + 'static,
) -> impl Stream<Item = Change<P>> + Send
where
    K: Resource<DynamicType = ()> + DeserializeOwned + Clone + Debug + Send + Sync + 'static,
    P: Send + 'static,
{
    watch_named(api, config, move |_, object| project(object))
}

/// Lists and watches `api` for ever, and projects every object with its name: `namespace/name`. A projection that keeps the name
/// shares the text that is kept here.
///
/// Errors are logged and retried after a pause that grows to some seconds. An object that cannot be decoded is logged and skipped:
/// the others go on. `config` selects (fields, labels) and says whether a list may come from the server's cache.
pub fn watch_named<K, P>(
    api: Api<Lenient<K>>,
    config: watcher::Config,
    project: impl Fn(&ArcStr, K) -> P + Send + 'static,
) -> impl Stream<Item = Change<P>> + Send
where
    K: Resource<DynamicType = ()> + DeserializeOwned + Clone + Debug + Send + Sync + 'static,
    P: Send + 'static,
{
    let (_, never) = tokio::sync::watch::channel(0);
    let same = api.clone();
    watch_again(api, config, (never, move || same.clone()), project).map(|(_, change)| change)
}

/// As [`watch_named`], each change with the version of its object (0: it has none), and begun anew whenever `again` changes, by
/// what `anew` gives and with a list that is no older than that moment: what a watch that is stuck has missed is told then.
pub fn watch_again<K, P>(
    api: Api<Lenient<K>>,
    config: watcher::Config,
    (again, anew): (tokio::sync::watch::Receiver<u64>, impl Fn() -> Api<Lenient<K>> + Send + 'static),
    project: impl Fn(&ArcStr, K) -> P + Send + 'static,
) -> impl Stream<Item = (u64, Change<P>)> + Send
where
    K: Resource<DynamicType = ()> + DeserializeOwned + Clone + Debug + Send + Sync + 'static,
    P: Send + 'static,
{
    let config = config.timeout(WATCH_SECONDS);
    let lists = Lists::new(&config.initial_list_strategy);
    let paged = watcher::Config { initial_list_strategy: InitialListStrategy::ListWatch, ..config.clone() };
    let newest = watcher::Config { list_semantic: ListSemantic::MostRecent, ..paged.clone() };
    let first = watcher(api.clone(), config).backoff(backoff()).boxed();
    let paged = move || watcher(api.clone(), paged.clone()).backoff(backoff()).boxed();
    let anew = move || watcher(anew(), newest.clone()).backoff(backoff()).boxed();
    let begun = (first, lists, again, paged, anew);
    let events = stream::unfold(begun, async |(mut events, mut lists, mut again, paged, anew)| {
        let event = loop {
            tokio::select! {
                event = events.next() => {
                    let event = event?;
                    if !lists.fail(&event) {
                        break event;
                    }
                    let why = event.err().map_or_else(|| "it ended early".to_owned(), |error| error.to_string());
                    info!(kind = %K::kind(&()), why, "the API server streams no list to its end, asking for pages");
                    events = paged();
                }
                Ok(()) = again.changed() => (events, lists) = (anew(), Lists::Paged),
            }
        };
        Some((event, (events, lists, again, paged, anew)))
    });
    let mut names = Names::default();
    events.flat_map(move |event| {
        stream::iter(match event {
            Ok(event) => {
                let version = version(&event);
                names.changes(event, &project).into_iter().map(|change| (version, change)).collect()
            }
            Err(error) => {
                warn!(kind = %K::kind(&()), %error, "watch failed, will be retried");
                Vec::new()
            }
        })
    })
}

/// The version of the object that an event is about. They can be compared among the objects of a cluster (KEP-5504).
fn version<K: Resource<DynamicType = ()>>(event: &Event<Lenient<K>>) -> u64 {
    match event {
        Event::InitApply(object) | Event::Apply(object) | Event::Delete(object) => {
            object.meta().resource_version.as_deref().and_then(|version| version.parse().ok()).unwrap_or(0)
        }
        Event::Init | Event::InitDone => 0,
    }
}

/// The names that were shown, to find what is missing from a new list. Each as `namespace/name`: there are thousands.
#[derive(Default)]
pub struct Names {
    shown: BTreeSet<ArcStr>,
    listed: BTreeSet<ArcStr>,
}

/// A name as it is kept.
fn pack(ObjectName { namespace, name }: &ObjectName) -> ArcStr {
    arcstr::format!("{namespace}/{name}")
}

/// The other way. No namespace has a slash in it.
fn unpack(text: &str) -> ObjectName {
    let (namespace, name) = text.split_once('/').unwrap_or_default();
    ObjectName { namespace: namespace.to_owned(), name: name.to_owned() }
}

impl Names {
    /// What an event changes.
    pub fn changes<K: Resource<DynamicType = ()>, P>(
        &mut self,
        event: Event<Lenient<K>>,
        project: impl Fn(&ArcStr, K) -> P,
    ) -> Vec<Change<P>> {
        match event {
            Event::Init => {
                self.listed.clear();
                Vec::new()
            }
            Event::InitApply(object) => {
                let name = self.known(&object);
                self.listed.insert(name.clone());
                self.applied(name, object, project)
            }
            Event::InitDone => {
                let listed = std::mem::take(&mut self.listed);
                let shown = std::mem::replace(&mut self.shown, listed);
                let gone =
                    shown.iter().filter(|name| !self.shown.contains(*name)).map(|name| Change::Deleted(unpack(name)));
                gone.chain([Change::Synced]).collect()
            }
            Event::Apply(object) => self.applied(self.known(&object), object, project),
            Event::Delete(object) => {
                let name = ObjectName::of(object.meta());
                self.shown.remove(&pack(&name));
                vec![Change::Deleted(name)]
            }
        }
    }

    /// The object's name: the text that is kept, where it is.
    fn known<K: Resource<DynamicType = ()>>(&self, object: &Lenient<K>) -> ArcStr {
        let name = pack(&ObjectName::of(object.meta()));
        self.shown.get(&name).cloned().unwrap_or(name)
    }

    fn applied<K: Resource<DynamicType = ()>, P>(
        &mut self,
        name: ArcStr,
        object: Lenient<K>,
        project: impl Fn(&ArcStr, K) -> P,
    ) -> Vec<Change<P>> {
        match object.0 {
            Ok(object) => {
                let projection = project(&name, object);
                self.shown.insert(name);
                vec![Change::Applied(projection)]
            }
            Err(error) => {
                let ObjectName { namespace, name } = unpack(&name);
                warn!(kind = %K::kind(&()), namespace, name, %error, "object cannot be decoded, its last known state stays");
                Vec::new()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::Full;
    use hyper::{Request, Response, body::Bytes};
    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::{Client, client::Body};
    use serde_json::json;
    use std::{convert::Infallible, pin::pin};

    fn object(name: &str, data: serde_json::Value) -> Lenient<ConfigMap> {
        let object = json!({"metadata": {"namespace": "a", "name": name}, "data": data});
        serde_json::from_value(object).unwrap()
    }

    #[test]
    fn no_pause_is_longer_than_some_seconds_and_each_is_longer_than_the_first() {
        let pauses: Vec<Duration> = backoff().take(1_000).collect();
        assert!(pauses.len() == 1_000 && pauses.iter().all(|pause| *pause <= 2 * RETRY_AT_MOST), "{pauses:?}");
        assert!(pauses[0] >= RETRY && pauses[10..].iter().all(|pause| *pause >= RETRY_AT_MOST), "{pauses:?}");
    }

    fn run(events: impl IntoIterator<Item = Event<Lenient<ConfigMap>>>) -> Vec<Change<String>> {
        let mut names = Names::default();
        let project = |_: &ArcStr, map: ConfigMap| map.metadata.name.unwrap_or_default();
        events.into_iter().flat_map(|event| names.changes(event, project)).collect()
    }

    fn applied(name: &str) -> Change<String> {
        Change::Applied(name.to_string())
    }

    fn deleted(name: &str) -> Change<String> {
        Change::Deleted(ObjectName { namespace: "a".into(), name: name.into() })
    }

    #[test]
    fn what_a_new_list_lacks_is_deleted() {
        let good = || json!({});
        let told = run([
            Event::Init,
            Event::InitApply(object("one", good())),
            Event::InitApply(object("two", good())),
            Event::InitDone,
            Event::Apply(object("three", good())),
            Event::Delete(object("two", good())),
            Event::Init,
            Event::InitApply(object("three", good())),
            Event::InitDone,
        ]);
        assert_eq!(
            told,
            [
                applied("one"),
                applied("two"),
                Change::Synced,
                applied("three"),
                deleted("two"),
                applied("three"),
                deleted("one"),
                Change::Synced
            ]
        );
    }

    #[test]
    fn a_list_that_was_interrupted_deletes_nothing() {
        let told = run([
            Event::Init,
            Event::InitApply(object("one", json!({}))),
            Event::InitDone,
            Event::Init,
            Event::Init,
            Event::InitApply(object("one", json!({}))),
            Event::InitDone,
        ]);
        assert_eq!(told, [applied("one"), Change::Synced, applied("one"), Change::Synced]);
    }

    #[test]
    fn a_projection_shares_the_name_that_is_kept() {
        let mut names = Names::default();
        let mut told = Vec::new();
        for event in [
            Event::Init,
            Event::InitApply(object("one", json!({}))),
            Event::InitDone,
            Event::Apply(object("one", json!({}))),
            Event::Init,
            Event::InitApply(object("one", json!({}))),
        ] {
            told.extend(names.changes(event, |name: &ArcStr, _: ConfigMap| name.clone()));
        }
        let names: Vec<ArcStr> = told
            .into_iter()
            .filter_map(|change| if let Change::Applied(name) = change { Some(name) } else { None })
            .collect();
        assert_eq!(names, ["a/one", "a/one", "a/one"]);
        assert!(names.iter().all(|name| ArcStr::ptr_eq(name, &names[0])));
    }

    #[test]
    fn an_object_that_cannot_be_decoded_is_neither_applied_nor_deleted() {
        let bad = || json!("not a map");
        let told = run([
            Event::Init,
            Event::InitApply(object("one", json!({}))),
            Event::InitDone,
            Event::Apply(object("one", bad())),
            Event::Init,
            Event::InitApply(object("one", bad())),
            Event::InitDone,
        ]);
        assert_eq!(told, [applied("one"), Change::Synced, Change::Synced]);
    }

    /// An API server that answers a streamed list in this way, and has the ConfigMap `one`.
    fn server(status: u16, answer: String) -> Client {
        let list =
            json!({"metadata": {"resourceVersion": "2"}, "items": [{"metadata": {"namespace": "a", "name": "one"}}]});
        let answer = move |request: Request<Body>| {
            let asked = request.uri().query().unwrap_or_default().to_owned();
            let (answer, list) = (answer.clone(), list.to_string());
            async move {
                let (status, text) = match &asked {
                    asked if asked.contains("sendInitialEvents=true") => (status, answer),
                    asked if asked.contains("watch=true") => std::future::pending().await,
                    _ => (200, list),
                };
                let response = Response::builder().status(status).body(Full::new(Bytes::from(text)));
                Ok::<_, Infallible>(response.unwrap())
            }
        };
        Client::new(tower::service_fn(answer), "default")
    }

    /// What is told until a list is complete, by one that asks this server for a streamed one.
    async fn told(status: u16, answer: String) -> Vec<Change<String>> {
        let config = watcher::Config::default().streaming_lists();
        let changes =
            watch(Api::all(server(status, answer)), config, |map: ConfigMap| map.metadata.name.unwrap_or_default());
        let mut changes = pin!(changes);
        let mut told = Vec::new();
        while told.last() != Some(&Change::Synced) {
            told.push(changes.next().await.unwrap());
        }
        told
    }

    /// A line of a watch: its type comes first.
    fn line(kind: &str, object: serde_json::Value) -> String {
        format!("{{\"type\": \"{kind}\", \"object\": {object}}}\n")
    }

    #[tokio::test]
    async fn a_list_that_is_not_streamed_to_its_end_is_read_page_by_page() {
        let refusal =
            |code| json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "message": "no"});
        let two = json!({"metadata": {"namespace": "a", "name": "two", "resourceVersion": "1"}});
        let all = [applied("one"), Change::Synced];
        assert_eq!(told(422, refusal(422).to_string()).await, all);
        assert_eq!(told(200, line("ERROR", refusal(500))).await, all);
        assert_eq!(told(200, String::new()).await, all);
        // It is begun twice.
        let but_two = [applied("two"), applied("two"), applied("one"), deleted("two"), Change::Synced];
        assert_eq!(told(200, line("ADDED", two)).await, but_two);
    }

    #[tokio::test]
    async fn a_streamed_list_is_all_that_is_asked_for_where_it_is_complete() {
        let object = json!({"metadata": {"namespace": "a", "name": "streamed", "resourceVersion": "1"}});
        let end = json!({"resourceVersion": "1", "annotations": {"k8s.io/initial-events-end": "true"}});
        let end = json!({"kind": "ConfigMap", "apiVersion": "v1", "metadata": end});
        let list = line("ADDED", object) + &line("BOOKMARK", end);
        assert_eq!(told(200, list).await, [applied("streamed"), Change::Synced]);
    }
}
