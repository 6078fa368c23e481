//! Addresses that have moved, gathered for a moment before that is told: a node that leaves is followed by many, each of which
//! tells in its own record only what it has taken over itself.

use super::{MANY, words};
use crate::cluster::{
    events::Telling,
    record::{Cause, Move, Unheard},
};
use std::{collections::BTreeMap, net::IpAddr, time::Duration};

/// How long. A record is written a second after the one before.
pub const GATHER: Duration = Duration::from_secs(2);

/// Where it is to be told.
#[derive(Debug)]
pub enum On {
    /// On the Services with this address.
    Services(IpAddr),
    /// On this node.
    Node(String),
}

/// What addresses that have moved have in common.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Way {
    from: String,
    to: String,
    why: Cause,
}

/// What has moved lately.
#[derive(Debug, Default)]
pub struct Moves {
    gathered: BTreeMap<Way, Vec<(IpAddr, Option<Unheard>)>>,
    /// When that is told.
    due: Option<Duration>,
}

impl Moves {
    /// `vip` has moved.
    pub fn add(&mut self, vip: IpAddr, from: &str, to: &str, came: &Move, now: Duration) {
        self.due.get_or_insert(now + GATHER);
        let way = Way { from: from.to_owned(), to: to.to_owned(), why: came.why };
        self.gathered.entry(way).or_default().push((vip, came.unheard));
    }

    /// When [`Moves::take`] has something.
    pub fn deadline(&self) -> Option<Duration> {
        self.due
    }

    /// What is to be told by now: of each address on its Services, or where many have left one node, or come to one, at once on
    /// the nodes that they have come to.
    pub fn take(&mut self, now: Duration) -> Vec<(On, Telling)> {
        if self.due.is_none_or(|due| now < due) {
            return Vec::new();
        }
        self.due = None;
        let gathered = std::mem::take(&mut self.gathered);
        let (mut left, mut come) = (BTreeMap::new(), BTreeMap::new());
        for (Way { from, to, .. }, vips) in &gathered {
            *left.entry(from.clone()).or_insert(0) += vips.len();
            *come.entry(to.clone()).or_insert(0) += vips.len();
        }
        let mut told = Vec::new();
        for (Way { from, to, why }, vips) in gathered {
            if left[&from] > MANY || come[&to] > MANY {
                let unheard = vips.iter().filter_map(|(_, unheard)| *unheard).max_by_key(|unheard| unheard.claimed_ms);
                let telling = words::owner_changed_of_many(vips.len(), &from, &to, why, unheard);
                told.push((On::Node(to), telling));
            } else {
                let one = |(vip, unheard)| (On::Services(vip), words::owner_changed(vip, &from, &to, why, unheard));
                told.extend(vips.into_iter().map(one));
            }
        }
        told
    }
}
