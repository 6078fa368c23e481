//! What must not be: silence while somebody could answer, two answers, needless moves, epochs that go back.

use crate::{
    plan::Bounds,
    world::{Deed, World},
};
use landfall_core::elect::{Released, Tier};
use std::{collections::BTreeMap, fmt, net::IpAddr, time::Duration};

/// An overlap this short is contention at work, not a move.
const CONTENTION: Duration = Duration::from_millis(250);

/// So long after the first one's start speakers find each other, and share VIPs that nobody ever had with those that still
/// listen: these silences and double answers are allowed.
const SETTLED: Duration = Duration::from_millis(3_000);
const BOOT: (Duration, Duration) = (Duration::from_millis(1_000), Duration::from_millis(100));

/// A speaker that has just started only listens this long.
const LISTENING: Duration = Duration::from_millis(500);

/// Within this, speakers that know of a release have told those that do not.
const TOLD: Duration = Duration::from_millis(400);

/// What was seen that must not be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Violation {
    /// Nobody answered for the VIP, or nobody as well placed, in a part of the segment where `could` could have.
    Silence {
        /// The VIP.
        vip: IpAddr,
        /// Who could have.
        could: usize,
        /// How long.
        lasted: Duration,
    },
    /// Two answered that hear each other.
    Double {
        /// The VIP.
        vip: IpAddr,
        /// Which two.
        who: (usize, usize),
        /// How long.
        lasted: Duration,
    },
    /// A speaker that has not heard of a release went on although others had.
    Stale {
        /// The VIP.
        vip: IpAddr,
        /// Who.
        who: usize,
    },
    /// One claimed the VIP before another that is preferred, and that nothing ailed.
    PassedOver {
        /// The VIP.
        vip: IpAddr,
        /// Who claimed it.
        who: usize,
        /// Who should have.
        preferred: usize,
    },
    /// In the end somebody else answers for the VIP than before one was isolated.
    NotRestored {
        /// The VIP.
        vip: IpAddr,
        /// Who answered.
        owner: usize,
    },
    /// A run of a speaker claimed a VIP with a lesser epoch than before.
    EpochBack {
        /// The VIP.
        vip: IpAddr,
        /// Who.
        who: usize,
    },
    /// In the end, when all was calm, a speaker did not know all that the others claim.
    Behind {
        /// Who.
        who: usize,
    },
    /// A VIP moved on a LAN on which nothing happened.
    Crossed {
        /// The VIP.
        vip: IpAddr,
        /// Who took it, or lost it.
        who: usize,
    },
    /// A VIP left an owner that nothing ailed, and that nothing in the plan asked to let go of it.
    NeedlessMove {
        /// The VIP.
        vip: IpAddr,
        /// Its owner.
        owner: usize,
        /// What the owner says.
        why: Released,
    },
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Silence { vip, could, lasted } => {
                write!(
                    f,
                    "nobody answered for {vip} for {lasted:?}, or only the second tier, although {could} could have"
                )
            }
            Self::Double { vip, who: (a, b), lasted } => {
                write!(f, "{a} and {b} both answered for {vip} for {lasted:?}")
            }
            Self::Stale { vip, who } => write!(f, "{who} still answers for {vip}, which others know to be released"),
            Self::PassedOver { vip, who, preferred } => {
                write!(f, "{who} claimed {vip} before {preferred}, which is preferred")
            }
            Self::NotRestored { vip, owner } => write!(f, "{owner} answered for {vip}, and does not have it again"),
            Self::EpochBack { vip, who } => write!(f, "{who} claimed {vip} with a lesser epoch than before"),
            Self::Behind { who } => write!(f, "{who} does not know all claims although all is calm"),
            Self::Crossed { vip, who } => write!(f, "{vip} came to or left {who}, on whose LAN nothing happened"),
            Self::NeedlessMove { vip, owner, why } => {
                write!(f, "{vip} left {owner} ({why:?}), which nothing ailed and nothing in the plan asked for")
            }
        }
    }
}

/// Remembers since when what may last only so long has been.
#[derive(Debug, Default)]
pub struct Judge {
    bounds: Option<Bounds>,
    vips: Vec<IpAddr>,
    silent: BTreeMap<(IpAddr, usize), Duration>,
    double: BTreeMap<(IpAddr, usize, usize), Duration>,
    acquired: BTreeMap<(IpAddr, usize), Duration>,
    /// The epoch with which a run, by its start, claimed last.
    epochs: BTreeMap<(IpAddr, usize, Duration), u64>,
    /// From when on all bounds hold.
    settled: Option<Duration>,
    /// The longest silence and the longest double answer since all have settled.
    pub worst: (Duration, Duration),
}

impl Judge {
    /// A judge who allows this.
    pub fn new(bounds: Bounds, vips: Vec<IpAddr>) -> Self {
        Self { bounds: Some(bounds), vips, ..Self::default() }
    }

    /// Looks at the world after a step that did the deeds from `before` on.
    pub fn look(&mut self, world: &World, before: usize) -> Result<(), Violation> {
        let Some(bounds) = self.bounds else { return Ok(()) };
        self.moves(world, before, bounds)?;
        let awake: Vec<usize> = (0..world.speakers.len()).filter(|number| world.speakers[*number].awake()).collect();
        if self.settled.is_none() && !awake.is_empty() {
            self.settled = Some(world.now + SETTLED);
        }
        let settled = self.settled.unwrap_or(Duration::MAX);
        let mut groups = Vec::new();
        for (number, lan) in world.lans.iter().enumerate() {
            let there = awake.iter().copied().filter(|speaker| world.speakers[*speaker].seat.lan == number);
            groups.extend(lan.groups(&there.collect::<Vec<_>>()));
        }
        let mut silent = BTreeMap::new();
        let mut double = BTreeMap::new();
        for vip in &self.vips {
            for group in &groups {
                let answer: Vec<usize> =
                    group.iter().copied().filter(|number| world.speakers[*number].answers(*vip)).collect();
                if let [a, b, ..] = answer[..] {
                    double.insert((*vip, a, b), world.now);
                }
                // The first tier takes over from the second.
                let best = answer.iter().map(|number| world.speakers[*number].tier(*vip)).min();
                if best != Some(Tier::First) {
                    for number in group {
                        let speaker = &world.speakers[*number];
                        let better = best.is_none_or(|best| speaker.tier(*vip) < best);
                        if better && !speaker.draining && !speaker.useless && speaker.due.contains(vip) {
                            silent.insert((*vip, *number), world.now.max(speaker.started + LISTENING));
                        }
                    }
                }
            }
        }
        // What was already so before goes on; what has just ended is measured to now.
        for ((vip, number), since) in &self.silent {
            let lasted = world.now.saturating_sub(*since);
            let settled = *since >= settled;
            if settled {
                self.worst.0 = self.worst.0.max(lasted);
            }
            if lasted > if settled { bounds.silence } else { bounds.silence.max(BOOT.0) } {
                return Err(Violation::Silence { vip: *vip, could: *number, lasted });
            }
            silent.entry((*vip, *number)).and_modify(|new| *new = *since);
        }
        for ((vip, a, b), since) in &self.double {
            let lasted = world.now - *since;
            let settled = *since >= settled;
            if settled {
                self.worst.1 = self.worst.1.max(lasted);
            }
            if lasted > if settled { bounds.double } else { bounds.double.max(BOOT.1) } {
                return Err(Violation::Double { vip: *vip, who: (*a, *b), lasted });
            }
            double.entry((*vip, *a, *b)).and_modify(|new| *new = *since);
        }
        for (vip, since) in &world.released {
            // One that comes back or claims only later is told from then on, by those that know and that it hears.
            let told = |group: &[usize], number: usize| {
                let acquired = self.acquired.get(&(*vip, number)).copied().unwrap_or_default();
                let begins = acquired.max(*since).max(world.speakers[number].disturbed);
                let first = group.iter().filter_map(|other| world.speakers[*other].told.get(vip)).min();
                first.is_some_and(|first| begins.max(*first) + TOLD < world.now)
            };
            for group in &groups {
                let stale = |number: &usize| world.speakers[*number].answers(*vip) && told(group, *number);
                if let Some(who) = group.iter().copied().find(stale) {
                    return Err(Violation::Stale { vip: *vip, who });
                }
            }
        }
        self.silent = silent;
        self.double = double;
        Ok(())
    }

    fn moves(&mut self, world: &World, before: usize, bounds: Bounds) -> Result<(), Violation> {
        for (at, number, vip, deed) in &world.deeds[before..] {
            let lan = world.speakers[*number].seat.lan;
            if bounds.untouched == Some(lan) && self.settled.is_some_and(|settled| settled <= *at) {
                return Err(Violation::Crossed { vip: *vip, who: *number });
            }
            match deed {
                Deed::Acquire(_, epoch) => {
                    self.acquired.insert((*vip, *number), *at);
                    let before = self.epochs.insert((*vip, *number, world.speakers[*number].started), *epoch);
                    if before.is_some_and(|before| *epoch < before) {
                        return Err(Violation::EpochBack { vip: *vip, who: *number });
                    }
                    let own = world.speakers[*number].weight;
                    let preferred = |other: &usize| {
                        let speaker = &world.speakers[*other];
                        speaker.seat.lan == lan
                            && speaker.weight > own
                            && speaker.due.contains(vip)
                            && world.undisturbed(*other)
                    };
                    if let Some(preferred) = (0..world.speakers.len()).find(preferred) {
                        return Err(Violation::PassedOver { vip: *vip, who: *number, preferred });
                    }
                }
                Deed::Release(why) => {
                    let speaker = &world.speakers[*number];
                    let caused = match why {
                        Released::Outbid => {
                            let held = self.acquired.get(&(*vip, *number)).map_or(Duration::ZERO, |since| *at - *since);
                            bounds.needless_moves || held <= CONTENTION || !world.undisturbed(*number)
                        }
                        // What it wants is what is due: no release that it has not heard of explains this.
                        Released::Withdrawn => !speaker.due.contains(vip),
                        Released::HandedOver | Released::NoSuccessor => {
                            speaker.draining || !speaker.eligible.contains(vip) || speaker.second.contains(vip)
                        }
                    };
                    if !caused {
                        return Err(Violation::NeedlessMove { vip: *vip, owner: *number, why: *why });
                    }
                }
                Deed::OwnerCrashed => {}
            }
        }
        Ok(())
    }
}
