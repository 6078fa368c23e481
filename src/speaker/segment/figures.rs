//! What can be counted of a segment: what its parts count themselves, and the little that nobody else does.

use super::{Losses, Segment};
use crate::{cluster::record::Cause, ops::metrics::Histogram};
use landfall_core::{
    conflict::Phase,
    elect::{self, Life},
    responder::Counters,
};
use std::collections::BTreeMap;

/// What happened on an interface since it was opened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Heartbeats that could be read.
    pub heartbeats: u64,
    /// How often answering for a VIP began, by why.
    pub acquired: BTreeMap<Cause, u64>,
    /// How often a foreign host was found to use a VIP, by when.
    pub found: BTreeMap<Phase, u64>,
    /// Announcements, of two frames each.
    pub announcements: u64,
    /// For each VIP taken over from a dead owner: from its last sign of life until it was thought dead,
    pub found_dead: Histogram,
    /// and until the VIP was claimed here.
    pub taken_over: Histogram,
}

/// An interface as it is, and what happened on it since it was opened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Figures {
    /// VIPs that are answered for.
    pub answered_for: u64,
    /// VIPs that are claimed and not answered for.
    pub silent: u64,
    /// Living speakers on its LAN.
    pub peers: u64,
    /// VIPs that foreign hosts have, by when that was found.
    pub foreign: BTreeMap<Phase, u64>,
    /// Questions and other frames about addresses.
    pub frames: Counters,
    /// Frames that were lost.
    pub losses: Losses,
    /// Heartbeats that were not listened to, or claims in them, by why.
    pub ignored: BTreeMap<elect::Ignored, u64>,
    /// The rest.
    pub tally: Tally,
}

impl Segment {
    /// As it is now.
    pub fn figures(&self) -> Figures {
        let mut foreign = BTreeMap::new();
        self.foreign().for_each(|(_, found)| *foreign.entry(found.phase).or_default() += 1);
        Figures {
            answered_for: self.owned.len() as u64,
            silent: self.silent.len() as u64,
            peers: self.election.peers().filter(|peer| peer.life == Life::Alive).count() as u64,
            foreign,
            frames: self.counters.clone(),
            losses: self.losses.clone(),
            ignored: self.election.ignored().clone(),
            tally: self.tally.clone(),
        }
    }

    /// A VIP is announced.
    pub fn count_announcement(&mut self) {
        self.tally.announcements += 1;
    }
}
