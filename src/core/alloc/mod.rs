//! Who gets which address.
//!
//! [`Event`]s (a Service seen, a Service gone, a configuration accepted, the first list complete) go in;
//! [`Decision`]s come out, for the controller to write. One task owns the allocator.
//!
//! What a Service holds is read once from its own status (`adopt`) and then kept here (`ledger`), so that neither a wiped
//! status nor a late event moves an address. What it should hold is a pure function of its request, of what it holds and of
//! what is free (`plan`, `supply`). An address that a foreign host has is left, where no client knows it yet (`contested`). Several may have one address (`sharing`, `tenants`). What a Service gives up stays its
//! own until its object shows that: writes overtake each other, and two Services must never show one address. Then it rests,
//! and is remembered for whose it was (`memory`). Services that lack something wait (`waiting`), and are looked at again when
//! what they wait for is there, or what decides about them changes.

mod adopt;
mod census;
mod contested;
mod entry;
mod few;
mod held;
mod key;
mod ledger;
mod memory;
#[cfg(test)]
mod model;
mod plan;
mod refusal;
mod reserved;
mod sharing;
mod stock;
mod stranger;
mod supply;
mod tally;
mod tenants;
#[cfg(test)]
mod tests;
mod types;
mod waiting;
#[cfg(test)]
mod world;

pub use census::Census;
pub use few::Few;
pub use key::ServiceKey;
pub use memory::{MOST, Rest};
pub use refusal::{Refusal, Usage};
pub use reserved::{Reserve, Reserved};
pub use sharing::{Clash, Port, Protocol, Share};
pub use stranger::Stranger;
pub use types::{Decision, Event, Families, FamilyPolicy, Rare, Request, Service};

use crate::config::{Config, Labels};
use entry::Entry;
use ledger::Ledger;
use memory::Memory;
use plan::Plan;
use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry as Place},
    net::IpAddr,
    sync::Arc,
    time::Duration,
};
use waiting::{Ticket, Turn, Waiting, Want};

/// Decides which Service gets which address.
#[derive(Debug, Default)]
pub struct Allocator {
    config: Option<Arc<Config>>,
    reserved: Arc<Reserved>,
    /// What Services have left to foreign hosts that still use it.
    left: BTreeSet<IpAddr>,
    /// What was remembered, until there is a ledger.
    memory: Option<Memory>,
    /// Until a configuration and the memory are known there is none, and nothing is given.
    ledger: Option<Ledger>,
    /// Whether the first list of Services is complete.
    synced: bool,
    /// In boxes: a map's nodes are half empty.
    services: BTreeMap<ServiceKey, Box<Entry>>,
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

    /// Whether it knows all that it decides by: a configuration, the memory, and every Service. Before that it decides nothing.
    pub fn is_ready(&self) -> bool {
        self.synced && self.ledger.is_some()
    }

    /// Takes in what happened and says what is to be written. `now` counts from 1970.
    pub fn apply(&mut self, event: Event, now: Duration) -> Vec<Decision> {
        let mut decisions = Vec::new();
        if let Some(ledger) = &mut self.ledger {
            ledger.pass(now);
            self.serve_waiting(&mut decisions);
        }
        match event {
            Event::Configured(config) => {
                self.config = Some(config);
                self.rebuild(now, &mut decisions);
            }
            Event::Remembered(rests) => {
                // A clock that has been set back does not make an address rest for longer.
                let rests = rests.into_iter().map(|rest| Rest { since: rest.since.min(now), ..rest });
                self.memory = Some(rests.collect());
                self.rebuild(now, &mut decisions);
            }
            Event::Reserved(reserved) if reserved != self.reserved => {
                self.reserved = reserved;
                let is_in_use = |address: &IpAddr| matches!(self.reserved.get(address), Some(Reserve::InUse(_)));
                self.left.retain(is_in_use);
                self.rebuild(now, &mut decisions);
            }
            Event::Reserved(_) | Event::Passed => {}
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

    /// When [`Event::Passed`] could serve somebody who waits; none: not before something else happens.
    pub fn deadline(&self) -> Option<Duration> {
        self.ledger.as_ref()?.next_rested().filter(|_| !self.waiting.is_empty())
    }

    /// The labels of each namespace, as far as it was told.
    pub fn namespaces(&self) -> &BTreeMap<String, Labels> {
        &self.namespaces
    }

    /// What was decided of a Service last and still counts: what it has, or why it has nothing. A release is decided once, and
    /// is nobody's to ask for: what another implementation gives the Service afterwards is not ours to take.
    pub fn conclusion(&self, key: &ServiceKey) -> Option<Decision> {
        self.services.get(key)?.conclusion()
    }

    /// Whether a Service shows an address that is not its own, such as a former leader's late write has left.
    pub fn is_astray(&self, key: &ServiceKey) -> bool {
        self.services.get(key).is_some_and(|entry| entry.is_astray())
    }

    /// What is remembered of released addresses, the latest first; none: nothing is known yet.
    pub fn memory(&self) -> Option<impl Iterator<Item = Rest>> {
        self.ledger.as_ref().map(|ledger| ledger.memory().iter())
    }

    /// Grows with every change of the memory.
    pub fn memory_changes(&self) -> u64 {
        self.ledger.as_ref().map_or(0, |ledger| ledger.memory().changes())
    }

    /// A new ledger with what is held already, by which everybody is looked at anew.
    fn rebuild(&mut self, now: Duration, decisions: &mut Vec<Decision>) {
        if let Some(ledger) = self.ledger.take() {
            self.memory = Some(ledger.into_memory());
        }
        let Some(config) = self.config.clone() else { return };
        let Some(memory) = self.memory.take() else { return };
        let mut ledger = Ledger::new(config, self.reserved.clone(), memory, now);
        for (key, entry) in &self.services {
            entry.own().for_each(|held| ledger.take(held, key));
        }
        self.ledger = Some(ledger);
        self.decide_all(decisions);
    }

    fn decide_all(&mut self, decisions: &mut Vec<Decision>) {
        if !self.synced {
            return;
        }
        // First what Services have, then what they want.
        self.adopt_all();
        let turns = self.services.values().map(|entry| entry.turn()).collect();
        self.decide_each(turns, decisions);
    }

    /// In their turn, then those who wait for what was released on the way. All Services at a start: what is needed then comes and
    /// goes in large pieces, since small ones would stay with the process.
    fn decide_each(&mut self, mut turns: Vec<Turn>, decisions: &mut Vec<Decision>) {
        turns.sort_unstable();
        decisions.reserve(turns.len());
        for (_, _, key) in turns {
            self.decide(&key, decisions);
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
        let own = self.services.range(ServiceKey::new(&name, "")..).take_while(|(key, _)| key.namespace() == name);
        let turns = own.map(|(_, entry)| entry.turn()).collect();
        self.decide_each(turns, decisions);
    }

    fn adopt_all(&mut self) {
        let entries = self.services.values().filter(|entry| entry.service.managed || entry.is_recorded());
        let mut claimants: Vec<&Service> = entries.map(|entry| &*entry.service).collect();
        claimants.sort_by_cached_key(|service| adopt::precedence(service));
        let keys: Vec<ServiceKey> = claimants.into_iter().map(|service| service.key.clone()).collect();
        for key in keys {
            if let (Some(entry), Some(ledger)) = (self.services.get_mut(&key), &mut self.ledger) {
                adopt::adopt(entry, ledger);
            }
        }
        // What others have by now they keep.
        let Some(ledger) = &mut self.ledger else { return };
        for (key, entry) in self.services.iter().filter(|(_, entry)| entry.own().next().is_none()) {
            entry.service.lapsed().iter().for_each(|address| ledger.lapse(*address, key));
        }
    }

    fn see(&mut self, service: Arc<Service>, decisions: &mut Vec<Decision>) {
        let key = service.key.clone();
        let entry = match self.services.entry(key.clone()) {
            Place::Vacant(vacant) => vacant.insert(Box::new(Entry::new(service.clone()))),
            Place::Occupied(known) => known.into_mut(),
        };
        if entry.service.uid == service.uid {
            entry.service = service;
        } else {
            // Another UID is another Service: the old one has been deleted unseen.
            self.forget(&key);
            self.serve_waiting(decisions);
            self.services.insert(key.clone(), Box::new(Entry::new(service)));
        }
        if self.synced {
            self.decide(&key, decisions);
            self.serve_waiting(decisions);
        }
    }

    /// Drops a Service that is gone, and what it holds.
    fn forget(&mut self, key: &ServiceKey) {
        let Some(entry) = self.services.remove(key) else { return };
        entry.ticket.iter().for_each(|ticket| self.waiting.leave(ticket));
        if let Some(ledger) = &mut self.ledger {
            entry.own().for_each(|held| ledger.give(held.address, key));
        }
    }

    /// Looks at those who wait for what has changed, in their order, as long as there is something to be had.
    fn serve_waiting(&mut self, decisions: &mut Vec<Decision>) {
        while let Some(ledger) = &mut self.ledger {
            let hopes = self.waiting.queued(ledger.take_news());
            if hopes.is_empty() {
                break;
            }
            let mut last: Option<Turn> = None;
            while let Some(turn) = self.next_waiting(&hopes, last.as_ref()) {
                self.decide(&turn.2, decisions);
                last = Some(turn);
            }
        }
    }

    fn next_waiting(&self, hopes: &[Want], last: Option<&Turn>) -> Option<Turn> {
        let ledger = self.ledger.as_ref()?;
        self.waiting.next(hopes.iter().filter(|want| ledger.stands(want)), last)
    }

    /// Decides about one Service; nothing, when the object says it already. Frees what it has let go, once its object shows that,
    /// and forgets it if it then has nothing of ours.
    fn decide(&mut self, key: &ServiceKey, decisions: &mut Vec<Decision>) {
        let Some(entry) = self.services.get_mut(key) else { return };
        entry.ticket.take().iter().for_each(|ticket| self.waiting.leave(ticket));
        let decision = match &mut self.ledger {
            ledger if !entry.service.managed => release(entry, ledger.as_mut()),
            None => None,
            Some(ledger) => {
                if let Some(stranger) = adopt::adopt(entry, ledger) {
                    entry.conclude_foreign(stranger)
                } else {
                    let namespace = self.namespaces.get(key.namespace());
                    let plan = plan::plan(&entry.service, namespace, (entry.held(), entry.held()), ledger);
                    let Plan { hold, shortfall, wants, lost } =
                        contested::leave(plan, entry, namespace, ledger, &mut self.left);
                    hold.iter().for_each(|held| ledger.take(held, key));
                    let is_moved = entry.hold(hold);
                    lost.into_iter().for_each(|lost| entry.lose(lost));
                    if !wants.is_empty() {
                        let ticket = Ticket { turn: entry.turn(), wants };
                        self.waiting.join(entry.ticket.insert(Box::new(ticket)));
                    }
                    entry.conclude(shortfall, is_moved)
                }
            }
        };
        decisions.extend(entry.tell_loss());
        decisions.extend(decision);
        if entry.has_let_go() {
            if let Some(ledger) = &mut self.ledger {
                entry.let_go().iter().for_each(|held| ledger.give(held.address, key));
            }
            if !entry.service.managed {
                self.services.remove(key);
            }
        }
    }
}

/// Lets a Service go that is no longer ours to serve.
fn release(entry: &mut Entry, ledger: Option<&mut Ledger>) -> Option<Decision> {
    if let Some(ledger) = ledger.filter(|_| entry.is_recorded()) {
        adopt::adopt(entry, ledger);
    }
    if entry.is_recorded() || !entry.held().is_empty() {
        return Some(entry.release());
    }
    entry.leave_alone();
    None
}
