//! Tells a segment at once that a VIP moved here: gratuitous ARP and unsolicited neighbour advertisements.
//!
//! A schedule, pure: VIPs acquired and released go in, with the time; out comes what is to be said now. A VIP is announced
//! when it is acquired and 40, 600 and 1,300 ms later (a neighbour may have ignored the first because it had updated its
//! entry less than a second ago, and a lost one costs a client more than the take-over took), then every minute or so, as
//! configured, for switches that have forgotten the station. All together keep to a pace, first announcements before repeated
//! ones.

use crate::{
    pace::Pace,
    random::random,
    wire::{
        arp,
        ethernet::{Frame, MacAddr},
        ndp,
    },
};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    time::Duration,
};

/// From each of the first announcements of a VIP to its next.
const GAPS: [Duration; 3] = [Duration::from_millis(40), Duration::from_millis(560), Duration::from_millis(700)];
/// From then on, unless the configuration says otherwise.
const INTERVAL: Duration = Duration::from_secs(60);
/// How much sooner or later than that a repetition may be, in percent: what moved at one time shall not be repeated at one time.
const JITTER: u32 = 10;
/// One announcement is two frames: 500 frames/s.
const PACE: Duration = Duration::from_millis(4);
/// Announcements that may go out at once after a quiet time.
const BURST: u32 = 25;

/// The frames that announce `vip` as the station `mac`: for IPv4 both forms of gratuitous ARP, for IPv6 an
/// advertisement to all nodes and one to all routers.
pub fn frames(vip: IpAddr, mac: MacAddr) -> [Frame; 2] {
    match vip {
        IpAddr::V4(ip) => [arp::announcement(mac, ip), arp::gratuitous_reply(mac, ip)],
        IpAddr::V6(ip) => [ndp::unsolicited(mac, ip, ndp::ALL_NODES), ndp::unsolicited(mac, ip, ndp::ALL_ROUTERS)],
    }
}

/// A VIP on one of the node's interfaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The interface's index.
    pub interface: u32,
    /// The VIP.
    pub vip: IpAddr,
}

/// The schedule of one node.
#[derive(Debug)]
pub struct Announcer {
    places: BTreeMap<Place, Next>,
    /// By time: not due yet.
    waiting: BTreeSet<(Duration, Place)>,
    /// By round, then time: due, and held back by the pace alone.
    ready: BTreeSet<(usize, Duration, Place)>,
    pace: Pace,
    /// Between two of the later announcements of a VIP; zero: there are none.
    interval: Duration,
}

/// A place's next announcement.
#[derive(Debug, Clone, Copy)]
struct Next {
    /// How many came before it, up to all of the first.
    round: usize,
    /// None: never again.
    at: Option<Duration>,
}

impl Default for Announcer {
    fn default() -> Self {
        let pace = Pace::new(PACE, BURST);
        Self { places: BTreeMap::new(), waiting: BTreeSet::new(), ready: BTreeSet::new(), pace, interval: INTERVAL }
    }
}

impl Announcer {
    /// `place` was acquired: it is announced at once, whatever was planned for it.
    pub fn acquire(&mut self, place: Place, now: Duration) {
        self.release(place);
        self.plan(place, 0, Some(now));
    }

    /// `place` is announced once more, and then as seldom as before. Where its first announcements are not over it is soon
    /// announced anyway.
    pub fn repeat(&mut self, place: Place, now: Duration) {
        if self.places.get(&place).is_some_and(|next| next.round < GAPS.len()) {
            return;
        }
        self.release(place);
        self.plan(place, GAPS.len(), Some(now));
    }

    /// From now on what has been announced often enough at first is announced again in this interval, more or less; zero: not
    /// at all.
    pub fn set_interval(&mut self, interval: Duration, now: Duration) {
        if std::mem::replace(&mut self.interval, interval) == interval {
            return;
        }
        let is_due = |next: &Next| next.at.is_some_and(|at| at <= now);
        let later = self.places.iter().filter(|(_, next)| next.round == GAPS.len() && !is_due(next));
        let later: Vec<Place> = later.map(|(place, _)| *place).collect();
        for place in later {
            self.release(place);
            self.plan(place, GAPS.len(), self.after(GAPS.len(), place, now));
        }
    }

    /// `place` is not ours any more.
    pub fn release(&mut self, place: Place) {
        if let Some(Next { round, at: Some(at) }) = self.places.remove(&place) {
            self.waiting.remove(&(at, place));
            self.ready.remove(&(round, at, place));
        }
    }

    /// What is to be announced now, later announcements not on interfaces that are to keep `quiet`. Times are a clock's that only
    /// moves forward.
    pub fn due(&mut self, now: Duration, quiet: impl Fn(u32) -> bool) -> Vec<Place> {
        while let Some((at, place)) = self.waiting.first().copied().filter(|(at, _)| *at <= now) {
            self.waiting.pop_first();
            if let Some(next) = self.places.get(&place) {
                self.ready.insert((next.round, at, place));
            }
        }
        let mut due = Vec::new();
        while self.pace.room_at() <= now {
            let Some((round, _, place)) = self.ready.pop_first() else { break };
            self.plan(place, (round + 1).min(GAPS.len()), self.after(round, place, now));
            if round < GAPS.len() || !quiet(place.interface) {
                self.pace.take(now);
                due.push(place);
            }
        }
        due
    }

    /// When [`due`](Self::due) has something to say next.
    pub fn deadline(&self) -> Option<Duration> {
        let waiting = self.waiting.first().map(|(at, _)| (*at).max(self.pace.room_at()));
        let ready = self.ready.first().map(|_| self.pace.room_at());
        [waiting, ready].into_iter().flatten().min()
    }

    /// When what is announced now, in this round, is announced next.
    fn after(&self, round: usize, place: Place, now: Duration) -> Option<Duration> {
        let later = || {
            let percent = 100 - JITTER + (random((place, now)) % u64::from(2 * JITTER + 1)) as u32;
            Some(self.interval * percent / 100).filter(|interval| !interval.is_zero())
        };
        GAPS.get(round).copied().or_else(later).map(|gap| now + gap)
    }

    fn plan(&mut self, place: Place, round: usize, at: Option<Duration>) {
        self.places.insert(place, Next { round, at });
        self.waiting.extend(at.map(|at| (at, place)));
    }
}

#[cfg(test)]
mod tests;
