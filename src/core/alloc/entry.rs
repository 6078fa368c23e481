//! What the allocator remembers of one Service, and which of its conclusions are news to the object.

use super::{
    Decision, Refusal, Service,
    held::Held,
    refusal::list,
    waiting::{Ticket, Turn},
};
use std::net::IpAddr;

/// A Service, what it holds, and what was decided last.
#[derive(Debug)]
pub(super) struct Entry {
    pub service: Service,
    pub held: Vec<Held>,
    /// What it no longer holds and its object, or a write on its way there, may still show: not yet anybody else's.
    pub leaving: Vec<Held>,
    pub decided: Option<Decision>,
    /// Why it lost an address, until its object shows that.
    lost: Option<Box<Loss>>,
    /// Its places in the queues, while something could better it.
    pub ticket: Option<Ticket>,
}

#[derive(Debug)]
struct Loss {
    why: Refusal,
    is_told: bool,
}

impl Entry {
    pub fn new(service: Service) -> Self {
        Self { service, held: Vec::new(), leaving: Vec::new(), decided: None, lost: None, ticket: None }
    }

    /// It has lost an address.
    pub fn lose(&mut self, why: Refusal) {
        if self.lost.as_ref().is_none_or(|lost| lost.why != why) {
            self.lost = Some(Box::new(Loss { why, is_told: false }));
        }
    }

    /// What is to be told of a loss; once.
    pub fn tell_loss(&mut self) -> Option<Decision> {
        let lost = self.lost.as_mut().filter(|lost| !lost.is_told)?;
        lost.is_told = true;
        let (key, uid) = (self.service.key.clone(), self.service.uid.clone());
        Some(Decision::Lost { key, uid, refusal: lost.why.clone() })
    }

    /// What its object no longer shows.
    pub fn let_go(&mut self) -> Vec<Held> {
        self.lost = None;
        std::mem::take(&mut self.leaving)
    }

    pub fn turn(&self) -> Turn {
        (!self.held.is_empty(), self.service.created, self.service.key.clone())
    }

    /// Whether the object says that we have written it. Only the record does: the finalizer's name is shared by all
    /// implementations (KEP-980).
    pub fn is_recorded(&self) -> bool {
        self.service.record.is_some()
    }

    /// Holds this from now on. What it held before is leaving.
    pub fn hold(&mut self, held: Vec<Held>) {
        self.leaving.append(&mut self.held);
        self.leaving.retain(|old| !held.iter().any(|new| new.address == old.address));
        self.held = held;
    }

    /// Whether its object shows what it holds and nothing that is leaving. No write of something else is on its way then,
    /// or it fails for its resourceVersion.
    pub fn has_let_go(&self) -> bool {
        let status = &self.service.status;
        match self.held.is_empty() {
            true if self.service.elsewhere => !self.is_recorded(),
            true => !self.is_recorded() && !self.leaving.iter().any(|old| status.contains(&old.address)),
            false => *status == self.addresses(),
        }
    }

    /// The decision that follows from what the Service holds now, if it is news to the object.
    pub fn conclude(&mut self, shortfall: Option<Refusal>) -> Option<Decision> {
        let (decision, is_shown) = match shortfall {
            // The object shows an address that is another's, or nobody's: that goes first.
            Some(_) if self.held.is_empty() && (self.is_recorded() || !self.service.status.is_empty()) => {
                (self.release(), false)
            }
            Some(refusal) if self.held.is_empty() => (self.refuse(refusal), self.decided.is_some()),
            kept => {
                let (record, addresses) = (self.record(), self.addresses());
                let Service { status, foreign_status, finalizer, .. } = &self.service;
                let is_shown = *finalizer
                    && !foreign_status
                    && *status == addresses
                    && self.service.record.as_ref() == Some(&record);
                let (key, uid) = (self.service.key.clone(), self.service.uid.clone());
                // What the object's condition says nobody here knows before it was decided once.
                (Decision::Assign { key, uid, addresses, record, kept }, is_shown && self.decided.is_some())
            }
        };
        let is_new = self.decided.as_ref().is_some_and(|decided| !is_like(decided, &decision));
        self.decided = Some(decision.clone());
        (is_new || !is_shown).then_some(decision)
    }

    /// The release of what it holds, else of what its object shows, unless that is somebody else's.
    pub fn release(&self) -> Decision {
        let addresses = match &self.service {
            _ if !self.held.is_empty() => self.addresses(),
            service if service.managed || self.is_recorded() => service.status.clone(),
            _ => Vec::new(),
        };
        let (key, uid) = (self.service.key.clone(), self.service.uid.clone());
        Decision::Release { key, uid, addresses, leaves_status: self.service.elsewhere }
    }

    /// Somebody else serves it: it is left as it is, and told so.
    pub fn conclude_foreign(&mut self) -> Option<Decision> {
        let status = &self.service.status;
        let shown = if status.is_empty() { "a hostname".to_owned() } else { list(status) };
        let decision = self.refuse(Refusal::Foreign { shown });
        let is_new = self.decided.as_ref() != Some(&decision);
        self.decided = Some(decision.clone());
        is_new.then_some(decision)
    }

    fn refuse(&self, refusal: Refusal) -> Decision {
        Decision::Refuse { key: self.service.key.clone(), uid: self.service.uid.clone(), refusal }
    }

    fn addresses(&self) -> Vec<IpAddr> {
        self.held.iter().map(|held| held.address).collect()
    }

    /// The record annotation: the pools of its addresses.
    fn record(&self) -> String {
        let mut pools: Vec<&str> = self.held.iter().map(|held| held.pool.as_str()).collect();
        pools.dedup();
        pools.join(",")
    }
}

/// Whether two decisions about one Service say the same to its user.
fn is_like(one: &Decision, other: &Decision) -> bool {
    match (one, other) {
        (Decision::Refuse { refusal: one, .. }, Decision::Refuse { refusal: other, .. }) => one.is_like(other),
        (
            Decision::Assign { addresses, record, kept: Some(kept), .. },
            Decision::Assign { addresses: others, record: other, kept: Some(because), .. },
        ) => addresses == others && record == other && kept.is_like(because),
        _ => one == other,
    }
}
