//! Who gets which address.
//!
//! [`Event`]s (a Service seen, a Service gone, a configuration accepted, the first list complete) go in;
//! [`Decision`]s come out, for the controller to write. One task owns the allocator.
//!
//! What a Service holds is read once from its own status (`adopt`) and then remembered here (`ledger`), so that neither
//! a wiped status nor a late event moves an address. What it should hold is a pure function of its request, of what it
//! holds and of what is free (`plan`). What it gives up stays reserved until its object shows that: writes overtake each
//! other, and two Services must never show one address. Services that lack something wait, and are looked at again when an
//! address is free or the configuration changes.

mod adopt;
mod entry;
mod held;
mod ledger;
#[cfg(test)]
mod model;
mod plan;
mod refusal;
#[cfg(test)]
mod tests;
mod types;
mod waiting;
#[cfg(test)]
mod world;

pub use refusal::{Refusal, Usage};
pub use types::{Decision, Event, FamilyPolicy, Request, Service, ServiceKey};

use crate::config::{Config, Labels};
use adopt::Claim;
use entry::Entry;
use ledger::Ledger;
use plan::{Plan, Planner};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use waiting::{Ticket, Turn, Waiting, Want};

/// Decides which Service gets which address.
#[derive(Debug, Default)]
pub struct Allocator {
    /// Until the first configuration there is none, and nothing is given.
    ledger: Option<Ledger>,
    /// Whether the first list of Services is complete.
    synced: bool,
    services: BTreeMap<ServiceKey, Entry>,
    /// The labels of each namespace.
    namespaces: BTreeMap<String, Labels>,
    /// Who could be better off with an address that another one releases.
    waiting: Waiting,
}

impl Allocator {
    /// An allocator that knows nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether it knows all that it decides by: a configuration, and every Service. Before that it decides nothing.
    pub fn is_ready(&self) -> bool {
        self.synced && self.ledger.is_some()
    }

    /// Takes in what happened and says what is to be written.
    pub fn apply(&mut self, event: Event) -> Vec<Decision> {
        let mut decisions = Vec::new();
        match event {
            Event::Configured(config) => {
                self.configure(config);
                self.decide_all(&mut decisions);
            }
            Event::Synced if !self.synced => {
                self.synced = true;
                self.decide_all(&mut decisions);
            }
            Event::Synced => {}
            Event::Applied(service) => self.see(service, &mut decisions),
            Event::Deleted(key) => {
                self.forget(&key);
                self.serve_waiting(&mut decisions);
            }
            Event::Namespace { name, labels } => self.see_namespace(name, labels, &mut decisions),
        }
        decisions
    }

    /// A new ledger with what is held already.
    fn configure(&mut self, config: Arc<Config>) {
        let mut ledger = Ledger::new(config);
        for (key, entry) in &self.services {
            entry.held.iter().chain(&entry.leaving).for_each(|held| ledger.take(held.address, key));
        }
        self.ledger = Some(ledger);
    }

    fn decide_all(&mut self, decisions: &mut Vec<Decision>) {
        if !self.synced {
            return;
        }
        // First what Services have, then what they want.
        self.adopt_all();
        let turns = self.services.values().map(Entry::turn).collect();
        self.decide_each(turns, decisions);
    }

    /// In their turn, then those who wait for what was released on the way.
    fn decide_each(&mut self, turns: BTreeSet<Turn>, decisions: &mut Vec<Decision>) {
        for (_, _, key) in turns {
            decisions.extend(self.decide(&key));
            self.settle(&key);
        }
        self.serve_waiting(decisions);
    }

    /// A namespace's labels are news to its Services alone, and only where a pool asks for them.
    fn see_namespace(&mut self, name: String, labels: Option<Labels>, decisions: &mut Vec<Decision>) {
        let before = match labels.clone() {
            Some(labels) => self.namespaces.insert(name.clone(), labels),
            None => self.namespaces.remove(&name),
        };
        if before == labels || !self.synced {
            return;
        }
        let first = ServiceKey { namespace: name.clone(), name: String::new() };
        let own = self.services.range(first..).take_while(|(key, _)| key.namespace == name);
        let turns = own.map(|(_, entry)| entry.turn()).collect();
        self.decide_each(turns, decisions);
    }

    fn adopt_all(&mut self) {
        let claims = |entry: &&Entry| entry.service.managed || entry.is_recorded();
        let mut claimants: Vec<&Service> = self.services.values().filter(claims).map(|entry| &entry.service).collect();
        claimants.sort_by_cached_key(|service| adopt::precedence(service));
        let keys: Vec<ServiceKey> = claimants.into_iter().map(|service| service.key.clone()).collect();
        for key in keys {
            self.adopt(&key);
        }
    }

    /// Takes over what a Service's status claims, unless it holds something; what it has not let go it has back. Says whether
    /// what the object shows is ours.
    fn adopt(&mut self, key: &ServiceKey) -> bool {
        let (Some(ledger), Some(entry)) = (&mut self.ledger, self.services.get_mut(key)) else { return false };
        if !entry.held.is_empty() {
            return true;
        }
        match adopt::claim(&entry.service, ledger) {
            Claim::Foreign => false,
            Claim::Ours(_) if !entry.leaving.is_empty() => {
                entry.held = std::mem::take(&mut entry.leaving);
                true
            }
            Claim::Ours(held) => {
                held.iter().for_each(|held| ledger.take(held.address, key));
                entry.held = held;
                true
            }
        }
    }

    fn see(&mut self, service: Service, decisions: &mut Vec<Decision>) {
        let key = service.key.clone();
        match self.services.get_mut(&key) {
            Some(entry) if entry.service.uid == service.uid => entry.service = service,
            other => {
                // Another UID is another Service: the old one has been deleted unseen.
                if other.is_some() {
                    self.forget(&key);
                    self.serve_waiting(decisions);
                }
                self.services.insert(key.clone(), Entry::new(service));
            }
        }
        if self.synced {
            decisions.extend(self.decide(&key));
            self.settle(&key);
            self.serve_waiting(decisions);
        }
    }

    /// Frees what a Service has let go, once its object shows that, and forgets one that then has nothing of ours.
    fn settle(&mut self, key: &ServiceKey) {
        let Some(entry) = self.services.get_mut(key).filter(|entry| entry.has_let_go()) else { return };
        if let Some(ledger) = &mut self.ledger {
            entry.leaving.drain(..).for_each(|held| ledger.give(held.address));
        }
        if !entry.service.managed {
            self.services.remove(key);
        }
    }

    /// Drops a Service that is gone, and what it holds.
    fn forget(&mut self, key: &ServiceKey) {
        let Some(entry) = self.services.remove(key) else { return };
        entry.ticket.iter().for_each(|ticket| self.waiting.leave(ticket));
        if let Some(ledger) = &mut self.ledger {
            entry.held.iter().chain(&entry.leaving).for_each(|held| ledger.give(held.address));
        }
    }

    /// Looks at those who wait for what was released, in their order, as long as it is free.
    fn serve_waiting(&mut self, decisions: &mut Vec<Decision>) {
        let mut last: Option<Turn> = None;
        while let Some(ledger) = &self.ledger {
            let wants = ledger.released().flat_map(Want::met_by);
            let Some(turn) = self.waiting.next(wants, last.as_ref()) else { break };
            decisions.extend(self.decide(&turn.2));
            last = Some(turn);
        }
        if let Some(ledger) = &mut self.ledger {
            ledger.forget_released();
        }
    }

    /// Decides about one Service. Nothing, when the object says it already.
    fn decide(&mut self, key: &ServiceKey) -> Option<Decision> {
        let entry = self.services.get_mut(key)?;
        entry.ticket.take().iter().for_each(|ticket| self.waiting.leave(ticket));
        if !entry.service.managed {
            return self.release(key);
        }
        if !self.adopt(key) {
            return None;
        }
        let (ledger, entry) = (self.ledger.as_mut()?, self.services.get_mut(key)?);
        let namespace = self.namespaces.get(&key.namespace);
        let planner = Planner { service: &entry.service, namespace, held: &entry.held, ledger };
        let Plan { hold, shortfall, wants } = planner.plan();
        hold.iter().for_each(|held| ledger.take(held.address, key));
        entry.hold(hold);
        let ticket = entry.ticket.insert(Ticket { turn: entry.turn(), wants });
        self.waiting.join(ticket);
        entry.conclude(shortfall)
    }

    /// Lets a Service go that is no longer ours to serve.
    fn release(&mut self, key: &ServiceKey) -> Option<Decision> {
        let is_recorded = self.services.get(key)?.is_recorded();
        if is_recorded {
            self.adopt(key);
        }
        let entry = self.services.get_mut(key)?;
        let decision = (is_recorded || !entry.held.is_empty()).then(|| entry.release());
        entry.hold(Vec::new());
        entry.decided.clone_from(&decision);
        decision
    }
}
