//! When which VIP is probed next: rounds of probes, all together kept to a pace.
//!
//! A round that has begun goes before one that has not, so that of thousands of VIPs some are through soon.

use super::timing::{BURST, PACE};
use crate::pace::Pace;
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    time::Duration,
};

/// How far a VIP's round has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Round {
    sent: u32,
    /// When the next probe is due, or the end.
    at: Duration,
}

/// The rounds under way.
#[derive(Debug)]
pub struct Probes {
    rounds: BTreeMap<IpAddr, Round>,
    /// Not due yet.
    waiting: BTreeSet<(Duration, IpAddr)>,
    /// Due, and held back by the pace alone.
    ready: BTreeSet<(Reverse<u32>, Duration, IpAddr)>,
    pace: Pace,
}

/// A step of a round that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// Whose.
    pub vip: IpAddr,
    /// How many probes were sent before.
    pub sent: u32,
}

impl Default for Probes {
    fn default() -> Self {
        let pace = Pace::new(PACE, BURST);
        Self { rounds: BTreeMap::new(), waiting: BTreeSet::new(), ready: BTreeSet::new(), pace }
    }
}

impl Probes {
    /// After `sent` probes the next step of `vip`'s round is due at `at`.
    pub fn plan(&mut self, vip: IpAddr, sent: u32, at: Duration) {
        self.stop(vip);
        self.rounds.insert(vip, Round { sent, at });
        self.waiting.insert((at, vip));
    }

    /// The round is over.
    pub fn stop(&mut self, vip: IpAddr) {
        if let Some(Round { sent, at }) = self.rounds.remove(&vip) {
            self.waiting.remove(&(at, vip));
            self.ready.remove(&(Reverse(sent), at, vip));
        }
    }

    /// The next step that is due and may be taken now. It is to be planned anew or stopped.
    pub fn next(&mut self, now: Duration) -> Option<Due> {
        while let Some((at, vip)) = self.waiting.first().copied().filter(|(at, _)| *at <= now) {
            self.waiting.pop_first();
            if let Some(round) = self.rounds.get(&vip) {
                self.ready.insert((Reverse(round.sent), at, vip));
            }
        }
        if self.pace.room_at() > now {
            return None;
        }
        let (Reverse(sent), _, vip) = self.ready.pop_first()?;
        self.rounds.remove(&vip);
        Some(Due { vip, sent })
    }

    /// A probe was sent.
    pub fn sent(&mut self, now: Duration) {
        self.pace.take(now);
    }

    /// When [`Probes::next`] has something.
    pub fn deadline(&self) -> Option<Duration> {
        let waiting = self.waiting.first().map(|(at, _)| (*at).max(self.pace.room_at()));
        let ready = self.ready.first().map(|_| self.pace.room_at());
        [waiting, ready].into_iter().flatten().min()
    }
}
