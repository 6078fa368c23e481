//! Who waits for what: so that a release costs those who could use it, and nobody else.

use super::{Refusal, ServiceKey, Usage, held::Held};
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
    /// Any address of a family in a pool, by its name.
    Any(String, Family),
}

impl Want {
    /// All that somebody may have waited for when this address is free.
    pub fn met_by(released: &Held) -> [Self; 2] {
        [Self::Address(released.address), Self::Any(released.pool.clone(), Family::of(released.address))]
    }

    /// What has to become free before a refused Service can have better luck. None: no release will help.
    pub fn after(refusal: &Refusal) -> Vec<Self> {
        let is_full = |usage: &&Usage| usage.used == usage.total && usage.total > 0;
        let any = |usage: &Usage| Self::Any(usage.pool.clone(), usage.family);
        match refusal {
            Refusal::Taken { address, .. } => vec![Self::Address(*address)],
            Refusal::Exhausted { usage } => usage.iter().filter(is_full).map(any).collect(),
            // As long as one family of a pool is full, the other one does not matter.
            Refusal::NotBothFamilies { usage } => {
                let is_hopeless = |pool: &str| usage.iter().any(|usage| usage.pool == pool && usage.total == 0);
                let mut full: Vec<&Usage> = usage.iter().filter(is_full).collect();
                full.dedup_by_key(|usage| &usage.pool);
                full.into_iter().filter(|usage| !is_hopeless(&usage.pool)).map(any).collect()
            }
            _ => Vec::new(),
        }
    }
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

    /// The first one after `last` that waits for one of `wants`.
    pub fn next(&self, wants: impl Iterator<Item = Want>, last: Option<&Turn>) -> Option<Turn> {
        let after = last.map_or(Bound::Unbounded, Bound::Excluded);
        let queues = wants.filter_map(|want| self.queues.get(&want));
        queues.filter_map(|queue| queue.range((after, Bound::Unbounded)).next()).min().cloned()
    }
}

/// A Service's places in the queues.
#[derive(Debug)]
pub(super) struct Ticket {
    pub turn: Turn,
    pub wants: Vec<Want>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use Family::{V4, V6};

    #[test]
    fn a_refused_service_waits_for_what_could_help_it_and_for_nothing_else() {
        let usage = |pool: &str, family, used, total| Usage { pool: pool.into(), family, used, total };
        let any = |pool: &str, family| Want::Any(pool.into(), family);
        let address = IpAddr::from([198, 51, 100, 1]);
        let by = ServiceKey { namespace: "test".into(), name: "a".into() };
        for (refusal, wants) in [
            (Refusal::Taken { address, by }, vec![Want::Address(address)]),
            (
                Refusal::Exhausted { usage: vec![usage("a", V4, 3, 3), usage("b", V4, 1, 1)] },
                vec![any("a", V4), any("b", V4)],
            ),
            // IPv4 is there in a; in b both are full, so one is enough to wait for; c has no IPv6 at all.
            (
                Refusal::NotBothFamilies {
                    usage: vec![
                        usage("a", V4, 1, 3),
                        usage("a", V6, 2, 2),
                        usage("b", V4, 1, 1),
                        usage("b", V6, 1, 1),
                        usage("c", V4, 1, 1),
                        usage("c", V6, 0, 0),
                    ],
                },
                vec![any("a", V6), any("b", V4)],
            ),
            (Refusal::OutsidePools { address }, vec![]),
            (Refusal::NoPools, vec![]),
        ] {
            assert_eq!(Want::after(&refusal), wants, "{refusal}");
        }
    }
}
