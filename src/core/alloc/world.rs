//! A cluster as small as can be: Services as a user edits them, and a controller that writes what is decided.

use super::*;
use crate::{addr::Family, config};
use std::net::IpAddr;

pub(super) fn configuration(text: &str) -> Arc<Config> {
    Arc::new(config::parse(text).unwrap_or_else(|errors| panic!("{text}\n{errors}")).config)
}

pub(super) fn key(name: &str) -> ServiceKey {
    ServiceKey { namespace: "test".into(), name: name.into() }
}

pub(super) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// A Service of one family, IPv4, that nobody has served yet. Its age is its name: a is older than b.
pub(super) fn service(name: &str) -> Service {
    Service {
        key: key(name),
        uid: format!("uid-{name}"),
        created: name.bytes().fold(0, |sum, byte| sum * 256 + i64::from(byte)),
        managed: true,
        families: vec![Family::V4],
        policy: FamilyPolicy::SingleStack,
        ports: [(Protocol::Tcp, 80)].into(),
        request: Request::default(),
        record: None,
        status: Vec::new(),
        foreign_status: false,
        finalizer: false,
    }
}

/// What tables say about a Service, in few words.
impl Service {
    pub(super) fn families(mut self, policy: FamilyPolicy, families: &[Family]) -> Self {
        (self.policy, self.families) = (policy, families.to_vec());
        self
    }

    pub(super) fn asks(mut self, pool: Option<&str>, addresses: &[&str]) -> Self {
        let addresses = addresses.iter().map(|address| ip(address)).collect();
        self.request = Request { pool: pool.map(str::to_owned), addresses, malformed: None };
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
        (self.record, self.finalizer) = (Some(record.to_owned()), true);
        self.shows(addresses)
    }

    /// What the API server has after a decision is written.
    pub(super) fn write(&mut self, decision: &Decision) {
        match decision {
            Decision::Assign { addresses, record, .. } => {
                (self.status, self.record) = (addresses.clone(), Some(record.clone()));
                (self.finalizer, self.foreign_status) = (true, false);
            }
            Decision::Release { .. } => {
                (self.status, self.record) = (Vec::new(), None);
                (self.finalizer, self.foreign_status) = (false, false);
            }
            Decision::Refuse { .. } => {}
        }
    }
}

/// A decision in a line: `a: 198.51.100.1 of pool`, `a: 198.51.100.1 of pool, kept: Reason`, `a: refused: Reason`,
/// `a: released 198.51.100.1`.
pub(super) fn show(decision: &Decision) -> String {
    let list = |addresses: &[IpAddr]| addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    match decision {
        Decision::Assign { key, addresses, record, kept: None, .. } => {
            format!("{}: {} of {record}", key.name, list(addresses))
        }
        Decision::Assign { key, addresses, record, kept: Some(kept), .. } => {
            format!("{}: {} of {record}, kept: {}", key.name, list(addresses), kept.reason())
        }
        Decision::Refuse { key, refusal, .. } => format!("{}: refused: {}", key.name, refusal.reason()),
        Decision::Release { key, addresses, .. } => format!("{}: released {}", key.name, list(addresses)).trim().into(),
    }
}

/// The objects of the API server, and an allocator that sees each change of them.
#[derive(Default)]
pub(super) struct World {
    pub objects: BTreeMap<ServiceKey, Service>,
    pub allocator: Allocator,
    config: Option<Arc<Config>>,
}

impl World {
    /// A running allocator with this configuration.
    pub fn new(text: &str) -> Self {
        let mut world = Self::default();
        assert_eq!(world.apply(Event::Synced), [""; 0]);
        assert_eq!(world.configure(text), [""; 0]);
        world
    }

    pub fn configure(&mut self, text: &str) -> Vec<String> {
        let config = configuration(text);
        self.config = Some(config.clone());
        self.apply(Event::Configured(config))
    }

    /// A user's or stranger's change of one object.
    pub fn put(&mut self, service: Service) -> Vec<String> {
        self.objects.insert(service.key.clone(), service.clone());
        self.apply(Event::Applied(service))
    }

    /// A change of what is there.
    pub fn edit(&mut self, name: &str, change: impl FnOnce(Service) -> Service) -> Vec<String> {
        let service = change(self.objects[&key(name)].clone());
        self.put(service)
    }

    pub fn delete(&mut self, name: &str) -> Vec<String> {
        self.objects.remove(&key(name));
        self.apply(Event::Deleted(key(name)))
    }

    /// A new process with the same objects and configuration.
    pub fn restart(&mut self) -> Vec<String> {
        self.allocator = Allocator::new();
        for object in self.objects.values().cloned().collect::<Vec<_>>() {
            assert_eq!(self.apply(Event::Applied(object)), [""; 0]);
        }
        let config = self.config.clone().expect("a world with a configuration");
        assert_eq!(self.apply(Event::Configured(config)), [""; 0]);
        self.apply(Event::Synced)
    }

    /// Applies an event, writes what is decided, and shows the allocator what it has written, until all is quiet.
    pub fn apply(&mut self, event: Event) -> Vec<String> {
        let mut shown = Vec::new();
        let mut events = std::collections::VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            for decision in self.allocator.apply(event, Duration::ZERO) {
                shown.push(show(&decision));
                assert!(shown.len() < 1000, "no end: {shown:?}");
                let (Decision::Assign { key, uid, .. }
                | Decision::Refuse { key, uid, .. }
                | Decision::Release { key, uid, .. }) = &decision;
                let object = self.objects.get_mut(key).expect("a decision about an object that is there");
                assert_eq!(object.uid, *uid);
                object.write(&decision);
                events.push_back(Event::Applied(object.clone()));
            }
        }
        shown
    }
}
