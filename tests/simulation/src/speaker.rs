//! One speaker of the simulation: the machine under trial, its clocks, and what the plan has made of it.

use crate::{plan::Seat, world::Way};
use landfall_core::elect::{Election, Now, Preferences, Tier, Wish};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::IpAddr,
    rc::Rc,
    time::Duration,
};

/// 2026-01-01, the wall clocks' start.
const EPOCH: Duration = Duration::from_secs(1_767_225_600);

/// A speaker's machine, as it is on one LAN.
pub struct Speaker {
    /// Where it is.
    pub seat: Seat,
    /// Its node's process runs.
    pub(crate) runs: bool,
    /// Its cable is out.
    pub(crate) unplugged: bool,
    /// It has handed everything over.
    pub(crate) drained: bool,
    pub(crate) election: Option<Election>,
    pub(crate) boot: u64,
    /// What its node can answer for, whether or not the speaker runs.
    pub eligible: BTreeSet<IpAddr>,
    /// What it should answer for: not what was released meanwhile, of which it may not have heard.
    pub due: BTreeSet<IpAddr>,
    /// Of which releases this run has been told, and when.
    pub told: BTreeMap<IpAddr, Duration>,
    /// For what of it it is of the second tier.
    pub second: BTreeSet<IpAddr>,
    /// How much it is preferred.
    pub weight: u16,
    /// It is deaf or mute: clients that are not on its own machine cannot use it.
    pub useless: bool,
    /// When it started.
    pub started: Duration,
    /// Until when it stands still.
    pub(crate) paused: Option<Duration>,
    pub(crate) keeps_backlog: bool,
    pub(crate) backlog: VecDeque<(Way, Rc<[u8]>)>,
    /// It has been told to leave.
    pub draining: bool,
    pub(crate) comes_back: Option<Duration>,
    pub(crate) wall: i64,
    /// Parts per million that its clocks are fast.
    pub(crate) drift: i64,
    pub(crate) wake: Option<Duration>,
    /// When it was last paused, cut off, started or told something.
    pub disturbed: Duration,
}

impl Speaker {
    /// One that is yet to start, with clocks that are off by a little.
    pub(crate) fn new(seat: Seat, eligible: BTreeSet<IpAddr>, weight: u16, rng: &mut ChaCha8Rng) -> Self {
        Self {
            seat,
            runs: false,
            unplugged: false,
            drained: false,
            election: None,
            boot: rng.random_range(1..1 << 40),
            due: eligible.clone(),
            eligible,
            told: BTreeMap::new(),
            second: BTreeSet::new(),
            weight,
            useless: false,
            started: Duration::ZERO,
            paused: None,
            keeps_backlog: false,
            backlog: VecDeque::new(),
            draining: false,
            comes_back: None,
            wall: rng.random_range(-30..30),
            drift: rng.random_range(-50..50),
            wake: None,
            disturbed: Duration::ZERO,
        }
    }

    /// Whether it runs and does not stand still.
    pub fn awake(&self) -> bool {
        self.election.is_some() && self.paused.is_none()
    }

    /// Whether it answers for the VIP.
    pub fn answers(&self, vip: IpAddr) -> bool {
        self.paused.is_none() && self.election.as_ref().is_some_and(|election| election.owns(vip))
    }

    /// How well it can answer for the VIP, where it should.
    pub fn tier(&self, vip: IpAddr) -> Tier {
        if self.second.contains(&vip) { Tier::Second } else { Tier::First }
    }

    /// What it wants of the VIP, where it can answer for it.
    pub(crate) fn wish(&self, vip: IpAddr) -> Wish {
        Wish { tier: self.tier(vip), preferences: Preferences::new([0]) }
    }

    /// How many VIPs it owns.
    pub fn owned(&self) -> usize {
        self.election.as_ref().map_or(0, |election| election.owned().count())
    }

    /// What its clocks show.
    pub(crate) fn now(&self, at: Duration) -> Now {
        let at = at.as_micros() as i64;
        let mono = at + at * self.drift / 1_000_000;
        let wall = EPOCH.as_micros() as i64 + mono + self.wall * 1_000;
        Now { mono: Duration::from_micros(mono as u64), wall: Duration::from_micros(wall.max(0) as u64) }
    }

    /// When, in the world's time, its monotonic clock shows `mono`.
    pub(crate) fn when(&self, mono: Duration) -> Duration {
        let mono = mono.as_micros() as i64;
        Duration::from_micros((mono - mono * self.drift / (1_000_000 + self.drift)) as u64 + 1)
    }
}
