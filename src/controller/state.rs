//! What the leader knows: Services as they stand, and which of them want a write. What was decided for each the allocator
//! knows, but for releases that are not yet carried out.
//!
//! Whether the addresses are answered for is found out beside it (`announced`), from the speakers' records.
//!
//! No effects: changes and `now` go in, planned writes come out, and how each ended goes in again. A plan is made from the newest
//! object at the moment it is taken, so nothing stale is ever queued.

use super::{
    announced::Announced,
    hosts::Hosts,
    memory::Schedule,
    plan::{Plan, loss, plan},
};
use crate::cluster::{
    Change, ObjectName,
    events::{Severity, Telling},
    namespace::Namespace,
    node::Host,
    queue::{Flight, Outcome, Queue},
    record::Assembly,
    service::Service,
};
use arcstr::ArcStr;
use k8s_openapi::jiff::Timestamp;
use landfall_core::{
    alloc::{Allocator, Decision, Event, Reserved, Rest, ServiceKey},
    config::{Config, Present},
};
use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
    time::Duration,
};

mod figures;
mod records;

/// So many writes are in flight at once. The more there are, the more of them etcd commits together: 128 are served a twentieth
/// faster than 64. No more than that, since API Priority and Fairness gives all ServiceAccounts of a cluster 245 seats together by
/// default (KEP-1040: 100 of 245 shares of 600).
pub const IN_FLIGHT: usize = 128;

/// The leader's state; a new leader begins with an empty one.
pub struct State {
    allocator: Allocator,
    /// In boxes: a map's nodes are half empty where keys come in order, as they do in a list.
    services: BTreeMap<ServiceKey, Box<Service>>,
    queue: Queue<ServiceKey>,
    /// Whether the first list of each is complete.
    listed: Listed,
    schedule: Schedule,
    hosts: Hosts,
    /// The nodes have changed since [`State::changed_nodes`].
    nodes_are_news: bool,
    /// Records of which not all parts have come.
    records: Assembly,
    announced: Announced,
    /// What foreign hosts use, as the allocator knows it.
    in_use: Reserved,
    config: Option<Arc<Config>>,
    /// What is to be told without a write.
    to_tell: Vec<(About, Telling)>,
    /// What of the configuration was told to be odd.
    oddities: BTreeSet<String>,
    /// What was decided and is not yet written.
    releases: BTreeMap<ServiceKey, Release>,
}

/// Released once is released: what another implementation gives the Service afterwards is not ours to take.
struct Release {
    decision: Decision,
    /// Whether the flight of its Service carries it out.
    is_flying: bool,
}

#[derive(Debug, Default)]
struct Listed {
    services: bool,
    namespaces: bool,
    nodes: bool,
    records: bool,
}

impl Listed {
    fn is_complete(&self) -> bool {
        matches!(self, Self { services: true, namespaces: true, nodes: true, records: true })
    }
}

/// Whom something is told of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    /// A Service and its UID.
    Service(ServiceKey, ArcStr),
    /// The configuration.
    Configuration,
    /// A node.
    Node(String),
}

/// A write to send.
#[derive(Debug)]
pub struct Write {
    /// Of which Service.
    pub flight: Flight<ServiceKey>,
    /// Its UID.
    pub uid: ArcStr,
    /// The write.
    pub plan: Plan,
}

impl State {
    /// Nothing known; at most `in_flight` writes at once.
    pub fn new(in_flight: usize) -> Self {
        Self {
            allocator: Allocator::new(),
            services: BTreeMap::new(),
            queue: Queue::new(in_flight),
            listed: Listed::default(),
            schedule: Schedule::default(),
            hosts: Hosts::default(),
            nodes_are_news: false,
            records: Assembly::default(),
            announced: Announced::default(),
            in_use: Reserved::default(),
            config: None,
            to_tell: Vec::new(),
            oddities: BTreeSet::new(),
            releases: BTreeMap::new(),
        }
    }

    /// A configuration was accepted.
    pub fn configure(&mut self, config: Arc<Config>, wall: Timestamp) {
        self.config = Some(config.clone());
        self.look_for_oddities();
        self.decide(Event::Configured(config), wall);
    }

    /// What was remembered of released addresses is read.
    pub fn remember(&mut self, rests: Vec<Rest>, wall: Timestamp) {
        self.decide(Event::Remembered(rests), wall);
    }

    /// What is to be remembered of released addresses, if that is to be written now. The end of the write is to be told to
    /// [`State::memory_written`].
    pub fn memory_to_write(&mut self, now: Duration) -> Option<Vec<Rest>> {
        let changes = self.allocator.memory_changes();
        self.schedule.due(changes).filter(|due| *due <= now)?;
        self.schedule.begin(changes, now);
        Some(self.allocator.memory()?.collect())
    }

    /// Whether what was to be remembered is written.
    pub fn memory_written(&mut self, is_written: bool) {
        self.schedule.end(is_written);
    }

    /// What is to be remembered and was not written yet.
    pub fn unwritten_memory(&self) -> Option<Vec<Rest>> {
        let is_behind = self.schedule.is_behind(self.allocator.memory_changes());
        Some(self.allocator.memory().filter(|_| is_behind)?.collect())
    }

    /// Time has passed.
    pub fn pass(&mut self, wall: Timestamp) {
        self.decide(Event::Passed, wall);
        self.pass_announced(wall);
    }

    /// The watch of namespaces told a change.
    pub fn observe_namespace(&mut self, change: Change<Namespace>, wall: Timestamp) {
        match change {
            Change::Applied(Namespace { name, labels }) => {
                self.decide(Event::Namespace { name, labels: Some(labels) }, wall);
            }
            Change::Deleted(ObjectName { name, .. }) => self.decide(Event::Namespace { name, labels: None }, wall),
            Change::Synced => {
                self.listed.namespaces = true;
                self.begin(wall);
            }
        }
    }

    /// The watch of nodes told a change.
    pub fn observe_node(&mut self, change: Change<Host>, wall: Timestamp) {
        let is_news = match change {
            Change::Applied(host) => {
                self.announced.see_node(&host.name, since_1970(wall));
                self.hosts.put(host)
            }
            Change::Deleted(ObjectName { name, .. }) => {
                self.announced.forget_node(&name, since_1970(wall));
                self.hosts.remove(&name)
            }
            Change::Synced => !std::mem::replace(&mut self.listed.nodes, true),
        };
        if is_news {
            self.nodes_are_news = self.listed.nodes;
            self.look_for_oddities();
            self.reserve(wall);
        }
    }

    /// The nodes' own addresses, where the nodes have changed since this was asked last; none before all are listed.
    pub fn changed_nodes(&mut self) -> Option<BTreeSet<IpAddr>> {
        std::mem::take(&mut self.nodes_are_news).then(|| self.hosts.addresses())
    }

    /// Tells the allocator what is never handed out, once all that says so is listed.
    fn reserve(&mut self, wall: Timestamp) {
        if self.listed.nodes && self.listed.records {
            let mut reserved = self.in_use.clone();
            reserved.extend(self.hosts.reserved());
            self.decide(Event::Reserved(Arc::new(reserved)), wall);
            self.begin(wall);
        }
    }

    /// Decisions begin once all have been listed.
    fn begin(&mut self, wall: Timestamp) {
        if self.listed.is_complete() {
            self.look_for_oddities();
            self.decide(Event::Synced, wall);
        }
    }

    /// Tells once what was accepted and is probably not meant so: pools among the cluster's own addresses, and, once all is
    /// listed, what selects nothing.
    fn look_for_oddities(&mut self) {
        let Some(config) = &self.config else { return };
        let mut oddities: BTreeSet<String> = self.hosts.overlaps(config).into_iter().collect();
        if self.listed.is_complete() {
            let services = self.services.values().map(|service| &service.alloc).filter(|service| service.managed);
            oddities.extend(config.idle(&Present {
                namespaces: self.allocator.namespaces(),
                services: services.map(|service| &service.labels).collect(),
                nodes: self.hosts.labels().collect(),
            }));
        }
        let telling = |note: &String| {
            let (severity, reason) = (Severity::Warning, "ConfigurationWarning");
            (About::Configuration, Telling { severity, reason, note: note.clone() })
        };
        self.to_tell.extend(oddities.difference(&self.oddities).map(telling));
        self.oddities = oddities;
    }

    /// The watch of Services told a change.
    pub fn observe(&mut self, change: Change<Service>, wall: Timestamp) {
        match change {
            Change::Applied(mut service) => {
                if self.hosts.see_cluster_ips(&std::mem::take(&mut service.cluster_ips)) {
                    self.look_for_oddities();
                }
                self.share_record(&mut service);
                let key = service.alloc.key.clone();
                let event = Event::Applied(service.alloc.clone());
                let before = self.services.get(&key).map_or(&[][..], |service| service.vips());
                self.announced.see_service(&key, before, service.vips(), since_1970(wall));
                self.services.insert(key.clone(), Box::new(service));
                self.decide(event, wall);
                self.look(&key, true, wall);
                // Another Service may have the address: the mend does not wait behind thousands of others.
                if self.allocator.is_astray(&key) {
                    self.queue.hurry(&key);
                }
            }
            Change::Deleted(name) => {
                let key = ServiceKey::from(name);
                if let Some(service) = self.services.remove(&key) {
                    self.announced.see_service(&key, service.vips(), &[], since_1970(wall));
                }
                self.queue.forget(&key);
                self.releases.remove(&key);
                // What is decided now about others who waited is kept; about this one there is nothing left to write.
                self.decide(Event::Deleted(key), wall);
            }
            Change::Synced => {
                self.listed.services = true;
                self.begin(wall);
            }
        }
    }

    /// Thousands of records say the same few pools' names: one text for all.
    fn share_record(&self, service: &mut Service) {
        if let (Some(config), Some(service)) = (&self.config, Arc::get_mut(&mut service.alloc))
            && let Some(record) = &mut service.record
            && let Some(at) = config.position(record)
        {
            *record = config.pools[at].name.clone();
        }
    }

    fn decide(&mut self, event: Event, wall: Timestamp) {
        for decision in self.allocator.apply(event, since_1970(wall)) {
            let key = decision.about().0.clone();
            if let Decision::Lost { uid, refusal, .. } = &decision {
                self.to_tell.push((About::Service(key, uid.clone()), loss(refusal)));
            } else if self.services.contains_key(&key) {
                if let Decision::Release { .. } = decision {
                    self.releases.insert(key.clone(), Release { decision, is_flying: false });
                } else {
                    self.releases.remove(&key);
                }
                self.look(&key, false, wall);
            }
        }
    }

    /// Something is new about a Service; `newer`: its object. With nothing to write it does not wait in the queue: that would be
    /// nearly all when a leader starts.
    fn look(&mut self, key: &ServiceKey, newer: bool, wall: Timestamp) {
        let is_under_way = self.queue.knows(key) || self.releases.contains_key(key);
        if is_under_way || self.plan(key, wall).is_some() {
            self.queue.push(key, newer);
        }
    }

    fn plan(&self, key: &ServiceKey, wall: Timestamp) -> Option<Plan> {
        let service = self.services.get(key)?;
        let release = self.releases.get(key).map(|release| &release.decision);
        let decision = match release.filter(|release| release.about().1 == service.alloc.uid.as_str()) {
            Some(release) => Some(Cow::Borrowed(release)),
            None => self.allocator.conclusion(key).map(Cow::Owned),
        };
        plan(service, decision.as_deref(), wall).or_else(|| self.plan_announced(service, decision.as_deref(), wall))
    }

    /// What is to be told, once.
    pub fn tellings(&mut self) -> Vec<(About, Telling)> {
        std::mem::take(&mut self.to_tell)
    }

    /// The next write to send. Its end is to be told to [`State::done`]. Before all is known nothing is written.
    pub fn next(&mut self, now: Duration, wall: Timestamp) -> Option<Write> {
        if !self.allocator.is_ready() {
            return None;
        }
        while let Some(flight) = self.queue.next(now) {
            let plan = self.plan(&flight.key, wall);
            if let Some(release) = self.releases.get_mut(&flight.key) {
                release.is_flying = true;
            }
            if let (Some(plan), Some(service)) = (plan, self.services.get(&flight.key)) {
                return Some(Write { uid: service.alloc.uid.clone(), flight, plan });
            }
            self.done(&flight, Outcome::Unneeded, now);
        }
        None
    }

    /// How a write ended.
    pub fn done(&mut self, flight: &Flight<ServiceKey>, outcome: Outcome, now: Duration) {
        if !self.queue.done(flight, outcome, now) {
            return;
        }
        let Some(release) = self.releases.get_mut(&flight.key) else { return };
        let is_its_flight = std::mem::take(&mut release.is_flying);
        if is_its_flight && matches!(outcome, Outcome::Unneeded | Outcome::Written) {
            self.releases.remove(&flight.key);
        }
    }

    /// For how long there is nothing to write and nobody to serve without a further change; none: for ever.
    pub fn wait(&self, now: Duration, wall: Timestamp) -> Option<Duration> {
        let memory = self.schedule.due(self.allocator.memory_changes());
        let write = self.queue.deadline().into_iter().chain(memory).min().map(|at| at.saturating_sub(now));
        let rested = self.allocator.deadline().into_iter().chain(self.announced.deadline()).min();
        let rested = rested.map(|at| at.saturating_sub(since_1970(wall)));
        write.into_iter().chain(rested).min().filter(|_| self.allocator.is_ready())
    }
}

fn since_1970(wall: Timestamp) -> Duration {
    wall.as_duration().unsigned_abs()
}

#[cfg(test)]
mod tests;
