//! What the leader knows: Services as they stand, what was decided for each, and which of them want a write.
//!
//! No effects: changes and `now` go in, planned writes come out, and how each ended goes in again. A plan is made from the newest
//! object at the moment it is taken, so nothing stale is ever queued.

use super::plan::{Plan, plan};
use crate::cluster::{
    Change, ObjectName,
    namespace::Namespace,
    queue::{Flight, Outcome, Queue},
    service::Service,
};
use k8s_openapi::jiff::Timestamp;
use landfall_core::{
    alloc::{Allocator, Decision, Event, ServiceKey},
    config::Config,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

/// The leader's state; a new leader begins with an empty one.
pub struct State {
    allocator: Allocator,
    services: BTreeMap<ServiceKey, Service>,
    decisions: BTreeMap<ServiceKey, Decision>,
    queue: Queue<ServiceKey>,
    /// Whether the first list of each is complete.
    listed: Listed,
    /// Whose flight carries out the release that is in `decisions`.
    releasing: BTreeSet<ServiceKey>,
}

#[derive(Debug, Default)]
struct Listed {
    services: bool,
    namespaces: bool,
}

/// A write to send.
#[derive(Debug)]
pub struct Write {
    /// Of which Service.
    pub flight: Flight<ServiceKey>,
    /// Its UID.
    pub uid: String,
    /// The write.
    pub plan: Plan,
}

impl State {
    /// Nothing known; at most `in_flight` writes at once.
    pub fn new(in_flight: usize) -> Self {
        Self {
            allocator: Allocator::new(),
            services: BTreeMap::new(),
            decisions: BTreeMap::new(),
            queue: Queue::new(in_flight),
            listed: Listed::default(),
            releasing: BTreeSet::new(),
        }
    }

    /// A configuration was accepted.
    pub fn configure(&mut self, config: Arc<Config>) {
        self.decide(Event::Configured(config));
    }

    /// The watch of namespaces told a change.
    pub fn observe_namespace(&mut self, change: Change<Namespace>) {
        match change {
            Change::Applied(Namespace { name, labels }) => self.decide(Event::Namespace { name, labels: Some(labels) }),
            Change::Deleted(ObjectName { name, .. }) => self.decide(Event::Namespace { name, labels: None }),
            Change::Synced => {
                self.listed.namespaces = true;
                self.begin();
            }
        }
    }

    /// Decisions begin once both have been listed.
    fn begin(&mut self) {
        if let Listed { services: true, namespaces: true } = self.listed {
            self.decide(Event::Synced);
        }
    }

    /// The watch of Services told a change.
    pub fn observe(&mut self, change: Change<Service>) {
        match change {
            Change::Applied(service) => {
                let key = service.alloc.key.clone();
                let event = Event::Applied(service.alloc.clone());
                self.services.insert(key.clone(), service);
                self.queue.push(&key, true);
                self.decide(event);
            }
            Change::Deleted(name) => {
                let key = ServiceKey::from(name);
                self.services.remove(&key);
                self.decisions.remove(&key);
                self.queue.forget(&key);
                self.releasing.remove(&key);
                // What is decided now about others who waited is kept; about this one there is nothing left to write.
                self.decide(Event::Deleted(key));
            }
            Change::Synced => {
                self.listed.services = true;
                self.begin();
            }
        }
    }

    fn decide(&mut self, event: Event) {
        for decision in self.allocator.apply(event) {
            let (Decision::Assign { key, .. } | Decision::Refuse { key, .. } | Decision::Release { key, .. }) =
                &decision;
            let key = key.clone();
            if self.services.contains_key(&key) {
                self.queue.push(&key, false);
                self.releasing.remove(&key);
                self.decisions.insert(key, decision);
            }
        }
    }

    /// The next write to send. Its end is to be told to [`State::done`]. Before all is known nothing is written.
    pub fn next(&mut self, now: Duration, wall: Timestamp) -> Option<Write> {
        if !self.allocator.is_ready() {
            return None;
        }
        while let Some(flight) = self.queue.next(now) {
            let key = &flight.key;
            if let Some(service) = self.services.get(key) {
                let decision = self.decisions.get(key).filter(|decision| uid(decision) == service.alloc.uid);
                let plan = plan(service, decision, wall);
                if let Some(Decision::Release { .. }) = decision {
                    self.releasing.insert(key.clone());
                }
                if let Some(plan) = plan {
                    return Some(Write { uid: service.alloc.uid.clone(), flight, plan });
                }
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
        // Released once is released: what another implementation gives the Service afterwards is not ours to take.
        if self.releasing.remove(&flight.key) && matches!(outcome, Outcome::Unneeded | Outcome::Written) {
            self.decisions.remove(&flight.key);
        }
    }

    /// When [`State::next`] may have something without a further change.
    pub fn deadline(&self) -> Option<Duration> {
        self.queue.deadline().filter(|_| self.allocator.is_ready())
    }
}

fn uid(decision: &Decision) -> &str {
    let (Decision::Assign { uid, .. } | Decision::Refuse { uid, .. } | Decision::Release { uid, .. }) = decision;
    uid
}

#[cfg(test)]
mod tests;
