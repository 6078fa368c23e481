//! Whether a foreign host uses a VIP: asked before the VIP is announced for the first time, and watched for from then on.
//!
//! One [`Watch`] for each interface. The caller tells which VIPs it claims, and what is said about them on the network; out
//! comes whether to answer for them, what to send, and who is in the way.
//!
//! ```text
//!  claim ─► probing ──────► answering ◄──────┐
//!              │ in use         │ in use     │ a probe that nobody answers
//!              ▼                ▼            │
//!           silent         defend / ignore / yield ─► silent
//! ```
//! A VIP that is in use elsewhere is kept claimed and silent, so that one speaker of a segment looks after it and no other one
//! takes its turn with the same result. Once a minute the foreign host is asked whether it still has it. A VIP that is
//! released while it is in use rests here until nobody uses it any more, so that nobody else is given it.
//!
//! What another speaker says is no conflict: the election decides between speakers. Their stations are known by their
//! heartbeats, and an unknown one counts as foreign only after a while.

mod api;
mod heard;
mod probes;
mod stations;
mod timing;

pub use api::{Foreign, Heard, Output, Phase, Word};
pub use heard::heard;

use crate::{
    addr::Family,
    config::{Conflict, Policy, Probe},
    random::random,
    wire::ethernet::MacAddr,
};
use probes::{Due, Probes};
use stations::Stations;
use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    time::Duration,
};
use timing::{AGAIN, DEFEND, STAYS, Schedule, UNKNOWN};

/// More VIPs that others have announced are not remembered: these are probed first.
const MOST_ANNOUNCED: usize = 65_536;
/// More VIPs do not rest here: they are given out again, and then found in use again.
const MOST_RESTING: usize = 64;

/// What is known of a VIP.
#[derive(Debug)]
struct Vip {
    rule: Conflict,
    /// Whether this speaker claims it; else it rests here.
    claimed: bool,
    answers: bool,
    /// It has been announced in the cluster.
    announced: bool,
    foreign: Option<Foreign>,
    /// When that one was heard last.
    heard: Duration,
    /// A station that may be a speaker's.
    unknown: Option<Unknown>,
    /// A round is over, and waits for the judgement of that station.
    waits: bool,
    /// When to probe again.
    again: Option<Duration>,
    defended: Option<Duration>,
}

/// A station of which nobody knows yet whether it is a speaker's.
#[derive(Debug, Clone, Copy)]
struct Unknown {
    mac: MacAddr,
    since: Duration,
    /// It said that it has the VIP; else it asked who has.
    has: bool,
    /// Another station has spoken since, of which nothing is kept.
    beside: bool,
}

/// What a VIP is on the agenda for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Duty {
    /// Whether its unknown station is foreign.
    Judge,
    /// Whether its foreign host is still there.
    Again,
}

/// The VIPs of one interface.
#[derive(Debug)]
pub struct Watch {
    /// Tells this interface's random numbers from others'.
    seed: u64,
    stations: Stations,
    vips: BTreeMap<IpAddr, Vip>,
    /// VIPs that were heard announced by other speakers.
    announced: BTreeSet<IpAddr>,
    probes: Probes,
    agenda: BTreeSet<(Duration, IpAddr, Duty)>,
    /// VIPs in use that there was no room for.
    forgotten: u64,
    out: Vec<Output>,
}

impl Watch {
    /// Nothing known. `seed` differs from interface to interface.
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            stations: Stations::default(),
            vips: BTreeMap::new(),
            announced: BTreeSet::new(),
            probes: Probes::default(),
            agenda: BTreeSet::new(),
            forgotten: 0,
            out: Vec::new(),
        }
    }

    /// The node's own interfaces have these hardware addresses.
    pub fn set_ours(&mut self, ours: BTreeSet<MacAddr>) {
        self.stations.set_ours(ours);
    }

    /// A speaker's heartbeat came from `mac`.
    pub fn hear_speaker(&mut self, mac: MacAddr, now: Duration) {
        self.stations.hear(mac, now);
    }

    /// This speaker claims `vip`. `announced`: it is known to have been announced in the cluster.
    pub fn claim(&mut self, vip: IpAddr, rule: Conflict, announced: bool, now: Duration) -> Vec<Output> {
        let announced = announced || self.announced.contains(&vip);
        let known = self.vips.entry(vip).or_insert_with(|| Vip::new(rule));
        known.claimed = true;
        (known.rule, known.announced) = (rule, announced);
        let needs_probe = !announced && rule.probe != Probe::Off;
        if known.foreign.is_some() && needs_probe {
            // It rests here, and is asked for already.
        } else if needs_probe {
            self.begin(vip, now);
        } else {
            self.answer(vip);
        }
        self.done()
    }

    /// What the configuration and the cluster say about a claimed VIP now.
    pub fn tell(&mut self, vip: IpAddr, rule: Conflict, announced: bool) -> Vec<Output> {
        let Some(known) = self.vips.get_mut(&vip).filter(|known| known.claimed) else { return Vec::new() };
        let turned_off = rule.probe == Probe::Off && known.rule.probe != Probe::Off;
        let no_longer_yields = known.rule.policy == Policy::Yield && rule.policy != Policy::Yield && known.announced;
        known.rule = rule;
        known.announced |= announced;
        let is_announced = announced && known.foreign.is_none();
        if !known.answers && (turned_off || no_longer_yields || is_announced) {
            self.answer(vip);
        }
        self.done()
    }

    /// Another speaker claims `vip` now, or this one is not to answer for it any more.
    pub fn hand_over(&mut self, vip: IpAddr) {
        let Some(known) = self.vips.remove(&vip) else { return };
        self.probes.stop(vip);
        if let Some(unknown) = known.unknown {
            self.agenda.remove(&(unknown.since + UNKNOWN, vip, Duty::Judge));
        }
        if let Some(again) = known.again {
            self.agenda.remove(&(again, vip, Duty::Again));
        }
    }

    /// No Service has `vip` any more. Where a foreign host has it, it rests here.
    pub fn release(&mut self, vip: IpAddr) {
        self.announced.remove(&vip);
        let Some(known) = self.vips.get(&vip).filter(|known| known.claimed) else { return };
        let Some(foreign) = known.foreign else { return self.hand_over(vip) };
        if self.vips.values().filter(|known| !known.claimed).count() == MOST_RESTING {
            self.forgotten += 1;
            self.hand_over(vip);
        } else if let Some(known) = self.vips.get_mut(&vip) {
            (known.claimed, known.answers, known.announced) = (false, false, false);
            known.foreign = Some(Foreign { phase: Phase::Probe, ..foreign });
        }
    }

    /// Of the VIPs that rest here only these matter any longer.
    pub fn keep(&mut self, matters: impl Fn(IpAddr) -> bool) {
        let resting = self.vips.iter().filter(|(vip, known)| !known.claimed && !matters(**vip));
        let gone: Vec<IpAddr> = resting.map(|(vip, _)| *vip).collect();
        gone.into_iter().for_each(|vip| self.hand_over(vip));
    }

    /// A station says something about a VIP that is wanted or rests here.
    pub fn hear(&mut self, Heard { vip, by, what }: Heard, now: Duration) -> Vec<Output> {
        if self.stations.is_ours(by) {
        } else if self.stations.is_speaker(by, now) {
            if what == Word::Has {
                self.announced_by_another(vip);
            }
        } else if self.objects(vip, what) {
            self.suspect(vip, by, what == Word::Has, now);
        }
        self.done()
    }

    /// Does what is due.
    pub fn run(&mut self, now: Duration) -> Vec<Output> {
        while let Some((at, vip, duty)) = self.agenda.first().copied().filter(|(at, ..)| *at <= now) {
            self.agenda.remove(&(at, vip, duty));
            match duty {
                Duty::Judge => self.judge(vip, now),
                Duty::Again => {
                    if let Some(known) = self.vips.get_mut(&vip) {
                        known.again = None;
                    }
                    self.probes.plan(vip, 0, now);
                }
            }
        }
        while let Some(due) = self.probes.next(now) {
            self.probe(due, now);
        }
        self.done()
    }

    /// When [`Watch::run`] has something to do.
    pub fn deadline(&self) -> Option<Duration> {
        let agenda = self.agenda.first().map(|(at, ..)| *at);
        agenda.into_iter().chain(self.probes.deadline()).min()
    }

    /// The VIPs that foreign hosts have.
    pub fn found(&self) -> impl Iterator<Item = (IpAddr, Foreign)> {
        self.vips.iter().filter_map(|(vip, known)| Some((*vip, known.foreign?)))
    }

    /// The VIPs of which it has to hear: those that are claimed, and those that rest.
    pub fn known(&self) -> impl Iterator<Item = IpAddr> {
        self.vips.keys().copied()
    }

    /// How many VIPs that foreign hosts use were released and found no room to rest.
    pub fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// Whether anything about `vip` matters here, be it claimed or resting.
    pub fn knows(&self, vip: IpAddr) -> bool {
        self.vips.contains_key(&vip)
    }

    fn done(&mut self) -> Vec<Output> {
        std::mem::take(&mut self.out)
    }

    /// A round begins.
    fn begin(&mut self, vip: IpAddr, now: Duration) {
        let Some(known) = self.vips.get(&vip) else { return };
        let schedule = Schedule::of(known.rule.probe, Family::of(vip));
        self.probes.plan(vip, 0, now + schedule.pause(0, random((self.seed, vip, 0))));
    }

    fn probe(&mut self, Due { vip, sent }: Due, now: Duration) {
        let Some(known) = self.vips.get(&vip) else { return };
        let schedule = Schedule::of(known.rule.probe, Family::of(vip));
        if sent >= schedule.probes {
            return self.settle(vip);
        }
        self.out.push(Output::Probe(vip, self.nonce(vip)));
        self.probes.sent(now);
        let sent = sent + 1;
        self.probes.plan(vip, sent, now + schedule.pause(sent, random((self.seed, vip, sent))));
    }

    /// A round is over and nobody has objected, save perhaps one who is not known yet.
    fn settle(&mut self, vip: IpAddr) {
        let Some(known) = self.vips.get_mut(&vip) else { return };
        known.waits = known.unknown.is_some();
        if known.waits {
            return;
        }
        if known.foreign.take().is_some() {
            self.out.push(Output::Over(vip));
        }
        if known.claimed { self.answer(vip) } else { self.hand_over(vip) }
    }

    /// The VIP is answered for from now on.
    fn answer(&mut self, vip: IpAddr) {
        let Some(known) = self.vips.get_mut(&vip) else { return };
        if !std::mem::replace(&mut known.answers, true) {
            known.announced = true;
            self.out.push(Output::Answer(vip));
            if let Some(foreign) = &mut known.foreign {
                foreign.phase = Phase::Watch;
                self.out.push(Output::Found(vip, *foreign));
            } else {
                self.probes.stop(vip);
            }
        }
    }

    fn announced_by_another(&mut self, vip: IpAddr) {
        if self.announced.len() < MOST_ANNOUNCED {
            self.announced.insert(vip);
        }
        // Whoever takes over from a speaker does so at once.
        if self.vips.get(&vip).is_some_and(|known| known.claimed && known.foreign.is_none()) {
            self.answer(vip);
        }
    }

    /// Whether what a foreign station says about `vip` stands against us. Its probe does while we probe, too (RFC 5227,
    /// section 2.1.1); once we answer, it gets an answer. A probe of our own that came back does not (RFC 7527).
    fn objects(&self, vip: IpAddr, what: Word) -> bool {
        match what {
            Word::Has => true,
            Word::Wants(nonce) => {
                nonce != Some(self.nonce(vip)) && self.vips.get(&vip).is_some_and(|known| !known.answers)
            }
        }
    }

    fn suspect(&mut self, vip: IpAddr, by: MacAddr, has: bool, now: Duration) {
        let Some(known) = self.vips.get_mut(&vip) else { return };
        if known.foreign.is_some_and(|foreign| foreign.mac == by) {
            self.contest(vip, by, now);
        } else if let Some(unknown) = &mut known.unknown {
            unknown.has |= has && unknown.mac == by;
            unknown.beside |= unknown.mac != by;
        } else {
            known.unknown = Some(Unknown { mac: by, since: now, has, beside: false });
            self.agenda.insert((now + UNKNOWN, vip, Duty::Judge));
        }
    }

    /// A station has been unknown long enough.
    fn judge(&mut self, vip: IpAddr, now: Duration) {
        let Some(known) = self.vips.get_mut(&vip) else { return };
        let Some(Unknown { mac, has, beside, .. }) = known.unknown.take() else { return };
        if self.stations.is_speaker(mac, now) {
            // A speaker that only asked has not announced it.
            if has {
                self.announced_by_another(vip);
            }
        } else if !self.stations.is_ours(mac) {
            return self.contest(vip, mac, now);
        }
        match self.vips.get_mut(&vip) {
            Some(known) if known.waits && beside && !known.answers => {
                known.waits = false;
                self.begin(vip, now);
            }
            Some(known) if known.waits => self.settle(vip),
            _ => {}
        }
    }

    /// A foreign host has the VIP.
    fn contest(&mut self, vip: IpAddr, mac: MacAddr, now: Duration) {
        self.probes.stop(vip);
        let Some(known) = self.vips.get_mut(&vip) else { return };
        let phase = match known.foreign {
            Some(foreign) => foreign.phase,
            None if known.announced => Phase::Watch,
            None => Phase::Probe,
        };
        let other = known.foreign.filter(|foreign| foreign.mac != mac && now < known.heard + STAYS);
        let foreign = other.unwrap_or(Foreign { mac, phase });
        if foreign.mac == mac {
            known.heard = now;
        }
        known.waits = false;
        if known.foreign.replace(foreign) != Some(foreign) {
            self.out.push(Output::Found(vip, foreign));
        }
        if let Some(before) = known.again.replace(now + AGAIN) {
            self.agenda.remove(&(before, vip, Duty::Again));
        }
        self.agenda.insert((now + AGAIN, vip, Duty::Again));
        match known.rule.policy {
            _ if !known.answers => {}
            Policy::Ignore => {}
            Policy::Yield => {
                known.answers = false;
                self.out.push(Output::Silence(vip));
            }
            Policy::Defend => {
                if known.defended.is_none_or(|defended| defended + DEFEND <= now) {
                    known.defended = Some(now);
                    self.out.push(Output::Defend(vip));
                }
            }
        }
    }

    /// What tells our probes of `vip` from others'.
    fn nonce(&self, vip: IpAddr) -> [u8; 6] {
        let [a, b, c, d, e, f, ..] = random((self.seed, vip, u32::MAX)).to_be_bytes();
        [a, b, c, d, e, f]
    }
}

impl Vip {
    fn new(rule: Conflict) -> Self {
        Self {
            rule,
            claimed: false,
            answers: false,
            announced: false,
            foreign: None,
            heard: Duration::ZERO,
            unknown: None,
            waits: false,
            again: None,
            defended: None,
        }
    }
}

#[cfg(test)]
mod tests;
