//! A cluster as small as can be: Services as a user edits them, and a controller that writes what is decided.

use super::*;
use crate::{
    addr::Family,
    config::{self, Labels, Pool},
};
use std::net::IpAddr;

/// Nothing rests after its release, unless the text says so.
pub(super) fn configuration(text: &str) -> Arc<Config> {
    let rest = if text.contains("quarantine") { "" } else { "\nquarantine: 0s\nreuse: 0s\n" };
    let text = &format!("{text}{rest}");
    Arc::new(config::parse(text).unwrap_or_else(|errors| panic!("{text}\n{errors}")).config)
}

pub(super) fn key(name: &str) -> ServiceKey {
    ServiceKey::new("test", name)
}

pub(super) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// It was seen like this.
pub(super) fn seen(service: Service) -> Event {
    Event::Applied(Arc::new(service))
}

/// A Service of one family, IPv4, that nobody has served yet. Its age is its name: a is older than b.
pub(super) fn service(name: &str) -> Service {
    Service {
        key: key(name),
        uid: format!("uid-{name}").into(),
        created: name.bytes().fold(0, |sum, byte| sum * 256 + i64::from(byte)),
        managed: true,
        elsewhere: false,
        labels: Labels::default(),
        families: Families { first: Family::V4, both: false },
        share: None,
        policy: FamilyPolicy::SingleStack,
        rare: None,
        record: None,
        status: Box::default(),
        announced: 0,
        foreign_status: false,
        finalizer: false,
    }
}

/// What tables say about a Service, in few words.
impl Service {
    pub(super) fn families(mut self, policy: FamilyPolicy, families: &[Family]) -> Self {
        (self.policy, self.families) = (policy, families.iter().copied().collect());
        self
    }

    pub(super) fn asks(mut self, pool: Option<&str>, addresses: &[&str]) -> Self {
        let addresses = addresses.iter().map(|address| ip(address)).collect();
        self.rare = Request { pool: pool.map(str::to_owned), addresses, ..Request::default() }.boxed();
        self
    }

    /// What no longer fits may move.
    pub(super) fn migrates(mut self) -> Self {
        self.rare = Request { migrate: true, ..self.request().clone() }.boxed();
        self
    }

    pub(super) fn labelled(mut self, key: &str, value: &str) -> Self {
        self.labels = Labels::from([(key, value)]);
        self
    }

    /// Of another namespace, which tables name by the Service's name alone.
    pub(super) fn of(mut self, namespace: &str) -> Self {
        self.uid = format!("uid-{namespace}-{}", self.key.name()).into();
        self.key = ServiceKey::new(namespace, self.key.name());
        self
    }

    pub(super) fn named(mut self, name: &str) -> Self {
        (self.key, self.uid) = (key(name), format!("uid-{name}").into());
        self
    }

    /// With a sharing key and TCP ports.
    pub(super) fn shares(mut self, key: &str, ports: &[u16]) -> Self {
        let port = |number: &u16| Port { protocol: Protocol::Tcp, number: *number };
        let local = self.share.as_ref().and_then(|share| share.local.clone());
        self.share = Some(Arc::new(Share { key: key.into(), ports: ports.iter().map(port).collect(), local }));
        self
    }

    /// One that shares, with externalTrafficPolicy Local and this selector.
    pub(super) fn local(mut self, app: &str) -> Self {
        let share = self.share.expect("a Service that shares");
        self.share = Some(Arc::new(Share { local: Some(Labels::from([("app", app)])), ..(*share).clone() }));
        self
    }

    pub(super) fn created(mut self, created: i64) -> Self {
        self.created = created;
        self
    }

    /// As somebody else has left it: addresses and nothing else.
    pub(super) fn shows(mut self, addresses: &[&str]) -> Self {
        self.status = addresses.iter().map(|address| ip(address)).collect();
        self
    }

    /// As we have left it.
    pub(super) fn holds(mut self, record: &str, addresses: &[&str]) -> Self {
        (self.record, self.finalizer) = (Some(record.into()), true);
        self.shows(addresses)
    }

    /// Its type changes, after these addresses were announced, or it is ours again.
    pub(super) fn wiped(mut self, announced: &[&str], managed: bool) -> Self {
        self.lapse(announced.iter().map(|address| ip(address)).collect());
        self.managed = managed;
        self.shows(&[])
    }

    /// These were announced before its status was wiped.
    pub(super) fn lapse(&mut self, lapsed: Box<[IpAddr]>) {
        self.rare = Rare { request: self.request().clone(), lapsed }.boxed();
    }

    /// Our word on whether it leaves its addresses to foreign hosts.
    pub(super) fn settle(&mut self, settled: bool) {
        self.announced = self.announced & !Self::SETTLED | if settled { Self::SETTLED } else { 0 };
    }

    /// What the API server has after a decision is written.
    pub(super) fn write(&mut self, decision: &Decision) {
        if let Decision::Assign { .. } | Decision::Release { .. } = decision {
            self.lapse(Box::default());
        }
        match decision {
            Decision::Assign { addresses, record, settled, .. } => {
                (self.status, self.record) = (addresses.clone().into(), Some(record.clone()));
                self.settle(*settled);
                (self.finalizer, self.foreign_status) = (true, false);
            }
            Decision::Release { leaves_status: true, .. } => (self.record, self.finalizer) = (None, false),
            Decision::Release { .. } => {
                (self.status, self.record) = (Box::default(), None);
                (self.finalizer, self.foreign_status) = (false, false);
                self.settle(false);
            }
            Decision::Refuse { .. } | Decision::Lost { .. } => {}
        }
    }
}

/// A decision in a line: `a: 198.51.100.1 of pool`, `a: 198.51.100.1 of pool, kept: Reason`, `a: refused: Reason`,
/// `a: released 198.51.100.1`.
pub(super) fn show(decision: &Decision) -> String {
    match decision {
        Decision::Assign { key, addresses, record, kept: None, .. } => {
            format!("{}: {} of {record}", key.name(), list(addresses))
        }
        Decision::Assign { key, addresses, record, kept: Some(kept), .. } => {
            format!("{}: {} of {record}, kept: {}", key.name(), list(addresses), kept.reason())
        }
        Decision::Refuse { key, refusal, .. } => format!("{}: refused: {}", key.name(), refusal.reason()),
        Decision::Lost { key, refusal, .. } => format!("{}: lost: {}", key.name(), refusal.reason()),
        Decision::Release { key, addresses, .. } => {
            format!("{}: released {}", key.name(), list(addresses)).trim().into()
        }
    }
}

fn list(addresses: &[IpAddr]) -> String {
    addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

/// The objects of the API server, and an allocator that sees each change of them.
#[derive(Default)]
pub(super) struct World {
    pub objects: BTreeMap<ServiceKey, Service>,
    pub allocator: Allocator,
    config: Option<Arc<Config>>,
    /// The labels of the one namespace.
    pub namespace: Labels,
    reserved: Arc<Reserved>,
    pub now: Duration,
    /// The conditions: what was said last on each object.
    said: BTreeMap<ServiceKey, String>,
    /// What was decided last of each.
    pub decided: BTreeMap<ServiceKey, Decision>,
}

impl World {
    /// A running allocator with this configuration.
    pub fn new(text: &str) -> Self {
        let mut world = Self { now: Duration::from_secs(1_000_000), ..Self::default() };
        assert_eq!(world.apply(Event::Remembered(Vec::new())), [""; 0]);
        assert_eq!(world.apply(Event::Namespace { name: "test".into(), labels: Some(Labels::default()) }), [""; 0]);
        assert_eq!(world.apply(Event::Synced), [""; 0]);
        assert_eq!(world.configure(text), [""; 0]);
        world
    }

    pub fn config(&self) -> &Config {
        self.config.as_ref().expect("a world with a configuration")
    }

    pub fn pools(&self) -> &[Pool] {
        &self.config().pools
    }

    pub fn configure(&mut self, text: &str) -> Vec<String> {
        let config = configuration(text);
        self.config = Some(config.clone());
        self.apply(Event::Configured(config))
    }

    /// These addresses are somebody else's.
    pub fn reserve(&mut self, reserved: Reserved) -> Vec<String> {
        self.reserved = Arc::new(reserved);
        self.apply(Event::Reserved(self.reserved.clone()))
    }

    /// Time passes.
    pub fn pass(&mut self, seconds: u64) -> Vec<String> {
        self.now += Duration::from_secs(seconds);
        self.apply(Event::Passed)
    }

    /// What is remembered of released addresses.
    pub fn memory(&self) -> Vec<Rest> {
        self.allocator.memory().map(Iterator::collect).unwrap_or_default()
    }

    /// The configuration changes and nobody leads.
    pub fn configure_unseen(&mut self, text: &str) {
        self.config = Some(configuration(text));
    }

    /// The namespace of all Services has this label now, and no other.
    pub fn label_namespace(&mut self, key: &str, value: &str) -> Vec<String> {
        self.namespace = Labels::from([(key, value)]);
        self.apply(Event::Namespace { name: "test".into(), labels: Some(self.namespace.clone()) })
    }

    /// A user's or stranger's change of one object.
    pub fn put(&mut self, service: Service) -> Vec<String> {
        let before = self.objects.insert(service.key.clone(), service.clone());
        if before.is_some_and(|before| before.uid != service.uid) {
            self.said.remove(&service.key);
            self.decided.remove(&service.key);
        }
        self.apply(seen(service))
    }

    /// A change of what is there.
    pub fn edit(&mut self, name: &str, change: impl FnOnce(Service) -> Service) -> Vec<String> {
        let service = change(self.objects[&key(name)].clone());
        self.put(service)
    }

    pub fn delete(&mut self, name: &str) -> Vec<String> {
        self.delete_key(key(name))
    }

    pub fn delete_key(&mut self, key: ServiceKey) -> Vec<String> {
        self.objects.remove(&key);
        self.said.remove(&key);
        self.decided.remove(&key);
        self.apply(Event::Deleted(key))
    }

    /// What a new process is told before all is listed, in some order.
    pub fn first_events(&self) -> Vec<Event> {
        let own = [
            Event::Remembered(self.memory()),
            Event::Reserved(self.reserved.clone()),
            Event::Namespace { name: "test".into(), labels: Some(self.namespace.clone()) },
            Event::Configured(self.config.clone().expect("a world with a configuration")),
        ];
        own.into_iter().chain(self.objects.values().cloned().map(seen)).collect()
    }

    /// A new process with the same objects and configuration. Gives what is news to the objects.
    pub fn restart(&mut self) -> Vec<String> {
        let events = self.first_events();
        self.allocator = Allocator::new();
        self.decided.clear();
        for event in events {
            assert_eq!(self.apply(event), [""; 0]);
        }
        self.apply_all(Event::Synced).into_iter().filter(|(_, is_news)| *is_news).map(|(line, _)| line).collect()
    }

    /// Applies an event, writes what is decided, and shows the allocator what it has written, until all is quiet.
    pub fn apply(&mut self, event: Event) -> Vec<String> {
        self.apply_all(event).into_iter().map(|(line, _)| line).collect()
    }

    /// What is decided, and whether an object did not say it already.
    fn apply_all(&mut self, event: Event) -> Vec<(String, bool)> {
        let mut shown = Vec::new();
        let mut events = std::collections::VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            let decided = self.allocator.apply(event, self.now);
            let first = shown.len();
            let others = decided.iter().filter(|decision| !matches!(decision, Decision::Lost { .. }));
            self.decided.extend(others.map(|decision| (decision.about().0.clone(), decision.clone())));
            // Writes overtake each other: the last that was decided arrives first.
            for decision in decided.iter().rev() {
                shown.insert(first, (show(decision), self.write(decision)));
                events.push_back(seen(self.objects[decision.about().0].clone()));
            }
            assert!(shown.len() < 1000, "no end: {shown:?}");
        }
        shown
    }

    /// Writes a decision. Says whether that changed the object or its condition.
    fn write(&mut self, decision: &Decision) -> bool {
        let (key, uid) = decision.about();
        match decision {
            Decision::Assign { addresses, .. } => {
                let object = &self.objects[key];
                let share = |service: &Service| (service.key.clone(), service.share.clone());
                let (own_key, own) = share(object);
                let others = self.objects.values().filter(|other| other.uid != *uid && other.record.is_some());
                let strangers = others.filter(|other| {
                    let (key, others) = share(other);
                    Share::clash((&own_key, own.as_deref()), (&key, others.as_deref())).is_some()
                });
                let new = |address: &IpAddr| addresses.contains(address) && !object.status.contains(address);
                let doubles = strangers.filter(|other| other.status.iter().any(new));
                assert_eq!(doubles.count(), 0, "others still show {addresses:?}");
            }
            // Told, and nothing written.
            Decision::Lost { .. } => return true,
            Decision::Refuse { .. } | Decision::Release { .. } => {}
        }
        let object = self.objects.get_mut(key).expect("a decision about an object that is there");
        assert_eq!(object.uid, *uid);
        let before = object.clone();
        object.write(decision);
        let (line, record) = (show(decision), before.record.as_deref().unwrap_or_default());
        let usual = || format!("{}: {} of {record}", key.name(), list(&before.status));
        let said = self.said.insert(key.clone(), line.clone()).unwrap_or_else(usual);
        *object != before || said != line
    }
}
