//! One term of leading: one task owns the state, hears changes, and sends what is planned.

use super::{
    config, keys,
    memory::Keeper,
    metrics::{Published, Term, Writes},
    state::{About, IN_FLIGHT, State, Write},
};
use crate::cluster::{
    events::{Severity, Teller, Telling},
    lease::Tenure,
    names,
    namespace::Namespace,
    node::Host,
    queue::{Flight, Outcome},
    record::Part,
    service::{Service, ServiceObject, patch_status},
    watch, watch_named,
};
use crate::ops::clock::since_boot;
use arcstr::ArcStr;
use futures::{FutureExt, StreamExt, stream::FuturesUnordered};
use k8s_openapi::{api::core::v1::ObjectReference, jiff::Timestamp};
use kube::{Api, Client, Error, runtime::watcher};
use landfall_core::alloc::ServiceKey;
use std::{pin::pin, sync::Arc, time::Duration};
use tokio::{
    sync::watch::{Sender, channel},
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, trace, warn};

/// No write takes longer; a shorter Lease makes it shorter still.
const TIMEOUT: Duration = Duration::from_secs(5);
/// How long a server is left alone that is busy and does not say for how long, or is away.
const BUSY: Duration = Duration::from_secs(1);
/// How soon a Lease that is running out is looked at again.
const EXPIRING: Duration = Duration::from_millis(200);
/// How long to sleep with nothing due: any change wakes sooner.
const IDLE: Duration = Duration::from_secs(60);
/// So long what is to be told of the ConfigMap waits for it.
const LOOKED_FOR: Duration = Duration::from_secs(10);

/// What a term needs.
pub struct Leader<'a> {
    /// For everything but the Lease.
    pub client: Client,
    /// Where the configuration is.
    pub namespace: &'a str,
    /// `spec.loadBalancerClass` of the Services to serve; none: those without a class.
    pub class: Option<String>,
    /// Where Events go.
    pub teller: Teller,
    /// The user's ConfigMap, for the Events about it: `kubectl describe` finds them by its UID, once that is known.
    pub configuration: Sender<ObjectReference>,
    /// Where it says what can be counted.
    pub figures: Sender<Published>,
    /// How its writes end.
    pub writes: Arc<Writes>,
}

/// Lets Events go at their usual pace when it goes.
struct Calm<'a>(&'a Teller);

impl Drop for Calm<'_> {
    fn drop(&mut self) {
        self.0.yield_to_writes(false);
    }
}

impl Leader<'_> {
    /// Leads until `shutdown`. State is rebuilt from a list that is newer than the start of the term.
    pub async fn lead(&self, tenure: Tenure, shutdown: &CancellationToken) {
        let (effect, mut configs) = channel(None);
        let (addresses, of_nodes) = channel(None);
        let told = config::Told { about: &self.configuration, teller: &self.teller };
        let follow = config::follow(self.client.clone(), self.namespace, tenure.clone(), told, of_nodes, effect);
        let mut follow = pin!(follow.fuse());
        let configured = configs.clone();
        // Its ConfigMap has been looked for by then, and the Event has its UID.
        let tell = async |telling| {
            let _ = timeout(LOOKED_FOR, configured.clone().wait_for(Option::is_some)).await;
            self.tell(About::Configuration, telling);
        };
        let mut keys = pin!(keys::keep(self.client.clone(), self.namespace, tenure.clone(), tell).fuse());
        let class = self.class.clone();
        let project = move |name: &ArcStr, object: ServiceObject| {
            Service::with_key(ServiceKey::of(name.clone()), object, class.as_deref())
        };
        // The default list semantic reads through to etcd: an older list could hand an address out twice.
        let mut services = pin!(watch_named(Api::all(self.client.clone()), watcher::Config::default(), project));
        let mut namespaces = pin!(watch(Api::all(self.client.clone()), watcher::Config::default(), Namespace::new));
        let mut nodes = pin!(watch(Api::all(self.client.clone()), watcher::Config::default(), Host::new));
        let records = Api::namespaced(self.client.clone(), names::SPEAKERS_NAMESPACE);
        let mut records = pin!(watch(records, watcher::Config::default(), Part::new));
        let keeper = Keeper::new(self.client.clone(), self.namespace, tenure.clone());
        let mut memory = pin!(keeper.read().fuse());
        // However the term ends: what is still to be told waits for no writes then.
        let _calm = Calm(&self.teller);
        let mut state = State::new(IN_FLIGHT);
        let mut term = Term::new(&self.figures);
        let mut flights = FuturesUnordered::new();
        let mut writing = FuturesUnordered::new();

        while !shutdown.is_cancelled() {
            let (now, wall) = (since_boot(), Timestamp::now());
            state.pass(wall);
            if let Some(nodes) = state.changed_nodes() {
                addresses.send_replace(Some(nodes));
            }
            if let Some(rests) = state.memory_to_write(now) {
                writing.push(keeper.write(rests));
            }
            // Who is not sure to lead any more knows nothing that is worth telling.
            if tenure.holds() {
                state.tellings().into_iter().for_each(|(about, telling)| self.tell(about, telling));
            }
            while tenure.holds()
                && let Some(write) = state.next(now, wall)
            {
                flights.push(self.send(write, &tenure));
            }
            self.teller.yield_to_writes(!flights.is_empty());
            let wake = match state.wait(now, wall) {
                Some(wait) if tenure.holds() => wait,
                Some(_) => EXPIRING,
                None => IDLE,
            };
            let wake = wake.min(term.publish(now, || state.figures()));
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = &mut follow => {}
                () = &mut keys => {}
                Ok(()) = configs.changed() => {
                    let config = configs.borrow_and_update().clone();
                    if let Some(config) = config {
                        state.configure(config, Timestamp::now());
                    }
                }
                rests = &mut memory => state.remember(rests, Timestamp::now()),
                Some(is_written) = writing.next() => state.memory_written(is_written),
                Some(change) = services.next() => state.observe(change, Timestamp::now()),
                Some(change) = nodes.next() => state.observe_node(change, Timestamp::now()),
                Some(change) = records.next() => state.observe_record(change, Timestamp::now()),
                Some(change) = namespaces.next() => state.observe_namespace(change, Timestamp::now()),
                Some((flight, outcome)) = flights.next() => {
                    self.writes.count(outcome);
                    state.done(&flight, outcome, since_boot());
                }
                () = sleep(wake) => {}
            }
        }
        // What has been sent is waited for, so that the Lease is given back only when nothing more can arrive.
        info!(writes = flights.len(), "finishing");
        self.teller.yield_to_writes(false);
        while let Some((_, outcome)) = flights.next().await {
            self.writes.count(outcome);
        }
        while writing.next().await.is_some() {}
        if let Some(rests) = state.unwritten_memory() {
            keeper.write(rests).await;
        }
    }

    fn tell(&self, about: About, telling: Telling) {
        let about = match about {
            About::Service(key, uid) => {
                info!(service = %key, "{}: {}", telling.reason, telling.note);
                reference(&key, &uid)
            }
            About::Configuration => {
                warn!("{}: {}", telling.reason, telling.note);
                self.configuration.borrow().clone()
            }
            About::Node(node) => {
                info!(node, "{}: {}", telling.reason, telling.note);
                // The kubelet's Events say the name for the UID, too: so `kubectl describe node` finds them.
                ObjectReference {
                    api_version: Some("v1".into()),
                    kind: Some("Node".into()),
                    name: Some(node.clone()),
                    uid: Some(node),
                    ..ObjectReference::default()
                }
            }
        };
        self.teller.tell(about, telling);
    }

    async fn send(&self, write: Write, tenure: &Tenure) -> (Flight<ServiceKey>, Outcome) {
        let Write { flight, uid, plan } = write;
        let key = &flight.key;
        trace!(service = %key, patch = %plan.patch, "writing");
        let call = tenure.guard(patch_status(&self.client, key, &plan.patch));
        let outcome = match timeout(tenure.margin().min(TIMEOUT), call).await {
            Ok(Some(Ok(_))) => {
                if let Some(telling) = plan.telling {
                    self.tell(About::Service(key.clone(), uid), telling);
                }
                Outcome::Written
            }
            Ok(Some(Err(error))) => {
                let outcome = outcome(key, &error);
                // Once, and not at once: what passes is no news.
                if outcome == Outcome::Failed
                    && flight.failures == 1
                    && let Error::Api(status) = &error
                {
                    self.tell(About::Service(key.clone(), uid), refusal(&status.message));
                }
                outcome
            }
            Ok(None) => {
                warn!(service = %key, "the lease ran out before a write was answered");
                Outcome::Failed
            }
            Err(_) => {
                warn!(service = %key, "the API server did not answer a write in time, will try again");
                Outcome::Failed
            }
        };
        (flight, outcome)
    }
}

/// What is told of a write that the API server goes on refusing, such as for a policy: the Service cannot say it itself.
fn refusal(why: &str) -> Telling {
    let note = format!(
        "the API server does not take what Landfall has to write into the Service's status: change the Service, or what refuses it: \
         {why}"
    );
    Telling { severity: Severity::Warning, reason: "WriteRefused", note }
}

fn outcome(key: &ServiceKey, error: &Error) -> Outcome {
    match error {
        Error::Api(status) if status.code == 409 => {
            debug!(service = %key, "the object had changed, planning again");
            Outcome::Conflict
        }
        // The watch will say the same.
        Error::Api(status) if status.code == 404 => Outcome::Unneeded,
        Error::Api(status) if status.code == 429 => {
            let seconds = status.details.as_ref().map_or(0, |details| details.retry_after_seconds);
            Outcome::Busy(BUSY.max(Duration::from_secs(seconds.into())))
        }
        Error::Api(status) if matches!(status.code, 503 | 504) => Outcome::Busy(BUSY),
        // No connection: nothing is wrong with this object.
        Error::Service(_) | Error::HyperError(_) => {
            warn!(service = %key, error = error as &dyn std::error::Error, "the API server cannot be reached, will try again");
            Outcome::Busy(BUSY)
        }
        error => {
            warn!(service = %key, %error, "a write failed, will try again");
            Outcome::Failed
        }
    }
}

fn reference(key: &ServiceKey, uid: &str) -> ObjectReference {
    ObjectReference {
        api_version: Some("v1".into()),
        kind: Some("Service".into()),
        namespace: Some(key.namespace().to_owned()),
        name: Some(key.name().to_owned()),
        uid: Some(uid.to_owned()),
        ..ObjectReference::default()
    }
}
