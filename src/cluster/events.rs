//! Kubernetes Events: what happened, told on the object it happened to.
//!
//! They are a courtesy: the condition on the object is the state. So they wait in a bounded queue, in which namespaces take
//! turns; go at a limited rate, and more rarely still while there are writes that matter; are not repeated while an object's last
//! telling is fresh; and are dropped, counted and logged, when there are too many.

use super::fair::Fair;
use futures::{StreamExt, stream::FuturesUnordered};
use k8s_openapi::{
    api::{core::v1::ObjectReference, events::v1::Event},
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta},
    jiff::Timestamp,
};
use kube::{Api, Client, api::PostParams};
use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::mpsc,
    time::{Instant, MissedTickBehavior, interval, timeout},
};
use tracing::{debug, warn};

/// So many may wait.
const WAITING: usize = 1000;
/// One per so long: 20 a second.
const PACE: Duration = Duration::from_millis(50);
/// How often it is looked whether one may go.
const LOOK: Duration = Duration::from_millis(10);
/// One per so long while there are writes to send.
const BUSY_PACE: Duration = Duration::from_secs(1);
/// An object's last words are not said again within so long.
const FRESH: Duration = Duration::from_secs(600);
/// How long one call may take.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Lost Events are logged at most so often.
const LOSSES: Duration = Duration::from_secs(60);
/// Where the Events about objects without a namespace are: the API takes them nowhere else.
const CLUSTER_WIDE: &str = "default";
/// The API's limit for a note, in bytes.
const NOTE: usize = 1024;

/// How serious it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// As it should be.
    Normal,
    /// Something for the user to look at.
    Warning,
}

/// What is told.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Telling {
    /// How serious it is.
    pub severity: Severity,
    /// The word for programs, CamelCase.
    pub reason: &'static str,
    /// The words for people; cut to 1,024 bytes.
    pub note: String,
}

/// Takes Events; cheap to clone.
#[derive(Debug, Clone)]
pub struct Teller {
    queue: mpsc::Sender<(ObjectReference, Telling)>,
    counts: Arc<Counts>,
    busy: Arc<AtomicBool>,
}

impl Teller {
    /// Starts the task that sends Events in the name of `controller` on `instance`. It ends with the last clone.
    pub fn start(client: Client, controller: &'static str, instance: String) -> Self {
        let (queue, news) = mpsc::channel(WAITING);
        let (counts, busy) = (Arc::default(), Arc::default());
        let sender = Sender { client, controller, instance, busy: Arc::clone(&busy), counts: Arc::clone(&counts) };
        tokio::spawn(sender.run(news));
        Self { queue, counts, busy }
    }

    /// What became of all Events so far.
    pub fn counts(&self) -> Arc<Counts> {
        self.counts.clone()
    }

    /// Whether there are writes to send, to which Events yield.
    pub fn yield_to_writes(&self, busy: bool) {
        self.busy.store(busy, Ordering::Relaxed);
    }

    /// Tells `telling` on `about`, soon; never waits.
    pub fn tell(&self, about: ObjectReference, telling: Telling) {
        if self.queue.try_send((about, telling)).is_err() {
            one_more(&self.counts.dropped);
        }
    }
}

/// What became of Events.
#[derive(Debug, Default)]
pub struct Counts {
    sent: AtomicU64,
    failed: AtomicU64,
    repeated: AtomicU64,
    dropped: AtomicU64,
}

impl Counts {
    /// Each with its word: those that the API server took, or did not; those that would have said again what was said last; and
    /// those for which there was no room.
    pub fn all(&self) -> [(&'static str, &AtomicU64); 4] {
        [("sent", &self.sent), ("failed", &self.failed), ("repeated", &self.repeated), ("dropped", &self.dropped)]
    }
}

fn one_more(count: &AtomicU64) {
    count.fetch_add(1, Ordering::Relaxed);
}

/// How many of the Events that were dropped are logged.
#[derive(Default)]
struct Losses {
    told: u64,
}

impl Losses {
    fn log(&mut self, counts: &Counts) {
        let lost = self.news(counts);
        if lost > 0 {
            warn!(
                lost,
                "more happened than could be told: these Events are lost, the conditions on the objects say the same"
            );
        }
    }

    /// How many since this was asked last.
    fn news(&mut self, counts: &Counts) -> u64 {
        let dropped = counts.dropped.load(Ordering::Relaxed);
        dropped - std::mem::replace(&mut self.told, dropped)
    }
}

/// When the next Event may go.
#[derive(Debug, Default)]
struct Pace {
    sent: Option<Instant>,
}

impl Pace {
    /// Whether one may go now; then it does.
    fn take(&mut self, now: Instant, is_busy: bool) -> bool {
        let pause = if is_busy { BUSY_PACE } else { PACE };
        let is_due = self.sent.is_none_or(|sent| now.duration_since(sent) >= pause);
        if is_due {
            self.sent = Some(now);
        }
        is_due
    }
}

/// The task that sends.
struct Sender {
    client: Client,
    controller: &'static str,
    instance: String,
    busy: Arc<AtomicBool>,
    counts: Arc<Counts>,
}

impl Sender {
    async fn run(self, mut news: mpsc::Receiver<(ObjectReference, Telling)>) {
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut audit = interval(LOSSES);
        audit.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut fresh, mut waiting, mut losses) = (Fresh::default(), Fair::new(WAITING), Losses::default());
        let mut pace = Pace::default();
        let mut sending = FuturesUnordered::new();
        let mut open = true;
        while open || !waiting.is_empty() || !sending.is_empty() {
            tokio::select! {
                biased;
                _ = audit.tick() => losses.log(&self.counts),
                received = news.recv(), if open => match received {
                    Some((about, telling)) => {
                        let Telling { reason, note, .. } = &telling;
                        debug!(namespace = about.namespace, name = about.name, reason, note, "event");
                        let namespace = about.namespace.clone().unwrap_or_default();
                        if !fresh.is_new(&about, &telling, Instant::now()) {
                            one_more(&self.counts.repeated);
                        } else if let Some((lost, _)) = waiting.push(&namespace, (about, telling)) {
                            one_more(&self.counts.dropped);
                            fresh.forget(&lost);
                        }
                    }
                    None => open = false,
                },
                Some(()) = sending.next() => {}
                _ = look.tick(), if !waiting.is_empty() && sending.is_empty() => {
                    if pace.take(Instant::now(), self.busy.load(Ordering::Relaxed)) && let Some((about, telling)) = waiting.pop() {
                        sending.push(self.send(about, telling));
                    }
                }
            }
        }
    }

    async fn send(&self, about: ObjectReference, telling: Telling) {
        let event = event(about, telling, self.controller, &self.instance, Timestamp::now());
        let namespace = event.metadata.namespace.as_deref().unwrap_or_default();
        let api: Api<Event> = Api::namespaced(self.client.clone(), namespace);
        match timeout(TIMEOUT, api.create(&PostParams::default(), &event)).await {
            Ok(Ok(_)) => return one_more(&self.counts.sent),
            Ok(Err(error)) => warn!(namespace, reason = event.reason, %error, "an Event could not be sent"),
            Err(_) => warn!(namespace, reason = event.reason, "an Event could not be sent in time"),
        }
        one_more(&self.counts.failed);
    }
}

/// What was said last on each object, by UID, and when.
#[derive(Default)]
struct Fresh(BTreeMap<String, (Telling, Instant)>);

impl Fresh {
    fn is_new(&mut self, about: &ObjectReference, telling: &Telling, now: Instant) -> bool {
        if self.0.len() >= WAITING {
            self.0.retain(|_, (_, said)| now.duration_since(*said) < FRESH);
        }
        if self.0.len() >= WAITING {
            // More news than can be remembered: better twice than never.
            self.0.clear();
        }
        let last = self.0.entry(about.uid.clone().unwrap_or_default());
        if let Entry::Occupied(last) = &last {
            let (words, said) = last.get();
            if words == telling && now.duration_since(*said) < FRESH {
                return false;
            }
        }
        last.insert_entry((telling.clone(), now));
        true
    }

    /// What was said last about an object is lost, and may be said again.
    fn forget(&mut self, about: &ObjectReference) {
        self.0.remove(about.uid.as_deref().unwrap_or_default());
    }
}

fn event(about: ObjectReference, telling: Telling, controller: &str, instance: &str, now: Timestamp) -> Event {
    let name = about.name.as_deref().unwrap_or_default();
    let mut note = telling.note;
    if note.len() > NOTE {
        note.truncate(note.floor_char_boundary(NOTE - '…'.len_utf8()));
        note.push('…');
    }
    Event {
        metadata: ObjectMeta {
            // The API server's own clients name Events so: the object's name and a time nobody else has.
            name: Some(format!("{name}.{:x}", now.as_nanosecond())),
            namespace: Some(about.namespace.clone().unwrap_or_else(|| CLUSTER_WIDE.into())),
            ..ObjectMeta::default()
        },
        action: Some(telling.reason.to_owned()),
        event_time: Some(MicroTime(now)),
        note: Some(note),
        reason: Some(telling.reason.to_owned()),
        regarding: Some(about),
        reporting_controller: Some(controller.to_owned()),
        reporting_instance: Some(instance.to_owned()),
        type_: Some(format!("{:?}", telling.severity)),
        ..Event::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn about(uid: &str) -> ObjectReference {
        serde_json::from_value(json!({"kind": "Service", "namespace": "shop", "name": "web", "uid": uid})).unwrap()
    }

    fn telling(note: &str) -> Telling {
        Telling { severity: Severity::Warning, reason: "AllocationFailed", note: note.into() }
    }

    #[test]
    fn an_objects_last_words_are_not_repeated_while_fresh() {
        let (mut fresh, start) = (Fresh::default(), Instant::now());
        assert!(fresh.is_new(&about("1"), &telling("full"), start));
        assert!(!fresh.is_new(&about("1"), &telling("full"), start + FRESH / 2));
        assert!(fresh.is_new(&about("2"), &telling("full"), start));
        assert!(fresh.is_new(&about("1"), &telling("full"), start + FRESH));
        // There and back again: the last words are to be the ones that hold.
        assert!(fresh.is_new(&about("1"), &telling("taken"), start + FRESH));
        assert!(fresh.is_new(&about("1"), &telling("full"), start + FRESH));
    }

    #[test]
    fn memory_of_what_was_said_is_bounded() {
        let (mut fresh, start) = (Fresh::default(), Instant::now());
        for uid in 0..10 * WAITING {
            assert!(fresh.is_new(&about(&uid.to_string()), &telling("full"), start));
        }
        assert!(fresh.0.len() <= WAITING);
    }

    #[test]
    fn an_event_is_whole_and_its_note_fits() {
        let made = event(about("1"), telling("full"), "c", "i", Timestamp::UNIX_EPOCH);
        let expected = json!({
            "apiVersion": "events.k8s.io/v1", "kind": "Event",
            "metadata": {"name": "web.0", "namespace": "shop"},
            "action": "AllocationFailed", "reason": "AllocationFailed", "note": "full", "type": "Warning",
            "eventTime": "1970-01-01T00:00:00.000000Z",
            "regarding": {"kind": "Service", "namespace": "shop", "name": "web", "uid": "1"},
            "reportingController": "c", "reportingInstance": "i"
        });
        assert_eq!(serde_json::to_value(made).unwrap(), expected);
        let node = serde_json::from_value(json!({"kind": "Node", "name": "n1", "uid": "n1"})).unwrap();
        let namespace = event(node, telling("full"), "c", "i", Timestamp::UNIX_EPOCH).metadata.namespace;
        assert_eq!(namespace.as_deref(), Some("default"), "where the API takes Events about nodes");
        let long = event(about("1"), telling(&"ü".repeat(2000)), "c", "i", Timestamp::UNIX_EPOCH).note.unwrap();
        assert!(long.len() <= NOTE && long.ends_with('…'));
    }

    /// How many go out within ten seconds, when it is looked every millisecond.
    fn sent_in_ten_seconds(is_busy: bool) -> usize {
        let (mut pace, start) = (Pace::default(), Instant::now());
        (0..10_000).filter(|millis| pace.take(start + Duration::from_millis(*millis), is_busy)).count()
    }

    #[test]
    fn twenty_go_in_a_second_and_one_beside_writes() {
        assert_eq!([false, true].map(sent_in_ten_seconds), [200, 10]);
    }

    #[test]
    fn what_was_dropped_may_be_said_again() {
        let (mut fresh, start) = (Fresh::default(), Instant::now());
        assert!(fresh.is_new(&about("1"), &telling("full"), start));
        fresh.forget(&about("1"));
        assert!(fresh.is_new(&about("1"), &telling("full"), start));
    }

    #[tokio::test]
    async fn too_many_are_dropped_and_counted() {
        let (queue, _waiting) = mpsc::channel(2);
        let teller = Teller { queue, counts: Arc::default(), busy: Arc::default() };
        for _ in 0..5 {
            teller.tell(about("1"), telling("full"));
        }
        let mut losses = Losses::default();
        let mut news = || losses.news(&teller.counts);
        assert_eq!((news(), news()), (3, 0));
        teller.tell(about("1"), telling("full"));
        assert_eq!(news(), 1);
    }
}
