//! Who waits for what: so that a release costs those who could use it, and nobody else.

use super::ServiceKey;
use crate::addr::Family;
use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    ops::Bound,
};

/// When a Service's turn comes: those that hold nothing before the others, the older first.
pub(super) type Turn = (bool, i64, ServiceKey);

/// What a Service waits for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Want {
    /// This address.
    Address(IpAddr),
    /// Any address of a family in the pool at this position. A new configuration has other positions: then everybody is
    /// looked at anew.
    Any(usize, Family),
    /// Another neighbour at an address of this sharing key, or one that has changed.
    Key(String),
    /// That this namespace may have one address more of the pool at this position.
    Room(usize, String),
    /// That it has no more than it may: then one can be exchanged for another.
    Limit(usize, String),
}

/// The queues.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    queues: BTreeMap<Want, BTreeSet<Turn>>,
}

impl Waiting {
    pub fn join(&mut self, ticket: &Ticket) {
        for want in &ticket.wants {
            self.queues.entry(want.clone()).or_default().insert(ticket.turn.clone());
        }
    }

    pub fn leave(&mut self, ticket: &Ticket) {
        for want in &ticket.wants {
            if let Some(queue) = self.queues.get_mut(want) {
                queue.remove(&ticket.turn);
                if queue.is_empty() {
                    self.queues.remove(want);
                }
            }
        }
    }

    pub fn is_empty(&self) -> bool {
        self.queues.is_empty()
    }

    /// Those of `wants` that somebody has.
    pub fn queued(&self, wants: BTreeSet<Want>) -> Vec<Want> {
        wants.into_iter().filter(|want| self.queues.contains_key(want)).collect()
    }

    /// The first one after `last` that waits for one of `wants`.
    pub fn next<'a>(&self, wants: impl Iterator<Item = &'a Want>, last: Option<&Turn>) -> Option<Turn> {
        let after = last.map_or(Bound::Unbounded, Bound::Excluded);
        let queues = wants.filter_map(|want| self.queues.get(want));
        queues.filter_map(|queue| queue.range((after, Bound::Unbounded)).next()).min().cloned()
    }
}

/// A Service's places in the queues.
#[derive(Debug)]
pub(super) struct Ticket {
    pub turn: Turn,
    pub wants: Vec<Want>,
}
