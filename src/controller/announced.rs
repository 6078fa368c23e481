//! What the speakers' records say of the Services' addresses: the condition `landfall.dev/Announced`, and Events.
//!
//! Pure: records, nodes, Services' addresses and `now` go in; which Services want another look, what their condition is to say,
//! and what is to be told come out.
//!
//! ```text
//!            answered for ┌───────────┐ nobody answers
//!            ┌───────────►│ Announced │◄────────────┐
//!            │            └─────┬─────┘             │ for a while
//!        ┌───┴──┐               │             ┌─────▼────┐
//!        │ Not  │◄──────────────┼─────────────┤ Settling │
//!        └──────┘               └────────────►└──────────┘
//! ```
//! The condition says whether, never who: a move writes no Service. An address that nobody answers for is given a while, so
//! that neither a start nor a take-over makes the condition flap, and its reasons are said anew once a minute at most.

mod moves;
mod speakers;
#[cfg(test)]
mod tests;
mod words;

use crate::cluster::{
    events::Telling,
    record::{Addresses, Phase, Record},
};
use landfall_core::{
    addr::Range,
    alloc::{Reserve, Reserved, ServiceKey},
};
use moves::{Moves, On};
use speakers::{Foreign, Shift, Speakers, Standing};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    time::Duration,
};
pub use words::Words;

/// How long nobody may answer for an address before that is said. A record is written a second after the one before.
const SETTLE: Duration = Duration::from_secs(3);
/// How long while a speaker may not have heard of it yet: of thousands at once, or on a busy node.
const PATIENCE: Duration = Duration::from_secs(10);
/// The least time until the reasons are said anew, when they change.
const REFRESH: Duration = Duration::from_secs(60);
/// More addresses that move at once are one Event, on their new node.
const MANY: usize = 20;

/// Of whom something is to be told.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// A Service.
    Service(ServiceKey),
    /// A node.
    Node(String),
    /// The installation.
    Configuration,
}

/// How it stands with an address.
#[derive(Debug)]
enum Stage {
    /// It is answered for. `quiet`: so many were at once that the node has the Event.
    Announced { quiet: bool },
    /// Nobody answers for it, since then.
    Settling { since: Duration },
    /// That has been said. In a box: few are, and there are thousands of stages.
    Not(Box<Silence>),
}

/// Nobody answers.
#[derive(Debug)]
struct Silence {
    /// Why.
    words: Words,
    /// When that was said.
    said: Duration,
}

/// The addresses of all Services, and who answers for them.
#[derive(Debug, Default)]
pub struct Announced {
    speakers: Speakers,
    /// What foreign hosts use.
    foreign: BTreeMap<IpAddr, Foreign>,
    /// Each address with each Service that has it.
    tenants: BTreeSet<(IpAddr, ServiceKey)>,
    /// Of all these addresses, once the records are listed.
    stages: BTreeMap<IpAddr, Stage>,
    /// Those of them that are [`Stage::Not`].
    failing: BTreeSet<IpAddr>,
    /// When to look at an address again.
    agenda: BTreeSet<(Duration, IpAddr)>,
    is_listed: bool,
    told_none: bool,
    /// What has moved and is not told yet.
    moves: Moves,
    /// The Services that want another look.
    news: BTreeSet<ServiceKey>,
    tellings: Vec<(Subject, Telling)>,
}

impl Announced {
    /// A Service has these addresses from us, and had those.
    pub fn see_service(&mut self, key: &ServiceKey, before: &[IpAddr], after: &[IpAddr], now: Duration) {
        for vip in before.iter().filter(|vip| !after.contains(vip)) {
            self.tenants.remove(&(*vip, key.clone()));
            if self.tenants_of(*vip).next().is_none() {
                self.set(*vip, None);
            }
        }
        for vip in after.iter().filter(|vip| !before.contains(vip)) {
            self.tenants.insert((*vip, key.clone()));
            self.look(*vip, now);
        }
    }

    /// So many addresses nobody answers for, and that has been said.
    pub fn unanswered(&self) -> usize {
        self.failing.len()
    }

    /// A node is there.
    pub fn see_node(&mut self, node: &str, now: Duration) {
        if let Some(shift) = self.speakers.see_node(node) {
            self.apply(node, &shift, now);
        }
    }

    /// A node is gone.
    pub fn forget_node(&mut self, node: &str, now: Duration) {
        let shift = self.speakers.forget_node(node);
        self.apply(node, &shift, now);
    }

    /// A record was read; `version` is the order of its writing.
    pub fn see_record(&mut self, node: &str, record: Record, version: u64, now: Duration) {
        let had = self.speakers.record(node).map(|before| before.warnings.clone()).unwrap_or_default();
        for why in record.warnings.iter().filter(|why| !had.contains(why)) {
            self.tellings.push((Subject::Node(node.to_owned()), words::warning(why)));
        }
        let shift = self.speakers.put(node, record, version);
        self.apply(node, &shift, now);
    }

    /// A record is gone.
    pub fn forget_record(&mut self, node: &str, now: Duration) {
        let shift = self.speakers.remove(node);
        self.apply(node, &shift, now);
    }

    /// All records have been read: what they say counts from now on.
    pub fn listed(&mut self, now: Duration) {
        if !std::mem::replace(&mut self.is_listed, true) {
            let vips: BTreeSet<IpAddr> = self.tenants.iter().map(|(vip, _)| *vip).collect();
            vips.into_iter().for_each(|vip| self.look(vip, now));
            self.look_at_foreign(now);
        }
    }

    /// Time has passed.
    pub fn pass(&mut self, now: Duration) {
        let silenced = self.speakers.judge(now);
        self.look_at_all(&silenced, now);
        if !silenced.is_empty() {
            self.look_at_foreign(now);
        }
        while let Some((at, vip)) = self.agenda.first().copied().filter(|(at, _)| *at <= now) {
            self.agenda.remove(&(at, vip));
            self.is_due(vip, now);
        }
        self.tell_moves(now);
    }

    /// When [`Announced::pass`] has something to do.
    pub fn deadline(&self) -> Option<Duration> {
        let agenda = self.agenda.first().map(|(at, _)| *at);
        agenda.into_iter().chain(self.speakers.deadline()).chain(self.moves.deadline()).min()
    }

    /// The Services whose condition may have to change, once.
    pub fn news(&mut self) -> BTreeSet<ServiceKey> {
        std::mem::take(&mut self.news)
    }

    /// What is to be told, once.
    pub fn tellings(&mut self) -> Vec<(Subject, Telling)> {
        std::mem::take(&mut self.tellings)
    }

    /// What the condition of a Service with these addresses is to say; none: as it does, since that is not clear yet.
    pub fn words(&self, vips: &[IpAddr]) -> Option<Words> {
        let stages: Vec<&Stage> = vips.iter().map(|vip| self.stages.get(vip)).collect::<Option<_>>()?;
        let failing = |stage: &&Stage| if let Stage::Not(silence) = stage { Some(silence.words.clone()) } else { None };
        let failing: Vec<Words> = stages.iter().filter_map(failing).collect();
        let is_answered = |stage: &Stage| matches!(stage, Stage::Announced { .. });
        let answered = vips.iter().zip(&stages).filter(|(_, stage)| is_answered(stage));
        let claimed: Vec<_> = answered.filter_map(|(vip, _)| Some((*vip, self.foreign.get(vip)?))).collect();
        let contested = (!claimed.is_empty()).then(|| words::contested(&claimed));
        if let Some(first) = failing.first() {
            let said: Vec<&str> = failing.iter().chain(&contested).map(|words| words.message.as_str()).collect();
            return Some(Words { message: said.join("; "), ..first.clone() });
        }
        let all = !stages.is_empty() && stages.into_iter().all(is_answered);
        all.then(|| contested.unwrap_or_else(Words::announced))
    }

    /// The Event for a Service whose condition came to say so.
    pub fn telling(&self, vips: &[IpAddr], words: &Words) -> Option<Telling> {
        let is_quiet = |vip| matches!(self.stages.get(vip), Some(Stage::Announced { quiet: true }));
        match words.holds {
            true if words.reason == words::CONFLICT => Some(words.warning()),
            true if vips.iter().any(is_quiet) => None,
            true => words::announced(vips, &self.speakers),
            false => Some(words.warning()),
        }
    }

    /// Whether somebody answers for `vip`.
    pub fn is_announced(&self, vip: IpAddr) -> bool {
        matches!(self.stages.get(&vip), Some(Stage::Announced { .. }))
    }

    /// The addresses that foreign hosts have and nobody here answers for.
    pub fn in_use(&self) -> Reserved {
        let is_left = |(vip, foreign): &(&IpAddr, &Foreign)| {
            foreign.phase == Phase::Probe && self.speakers.owner(**vip).is_none()
        };
        let reserve = |(vip, foreign): (&IpAddr, &Foreign)| (*vip, Reserve::InUse(foreign.seen.clone()));
        self.foreign.iter().filter(is_left).map(reserve).collect()
    }

    fn tenants_of(&self, vip: IpAddr) -> impl Iterator<Item = &ServiceKey> {
        let first = (vip, ServiceKey::default());
        self.tenants.range(first..).take_while(move |(of, _)| *of == vip).map(|(_, key)| key)
    }

    /// The addresses of Services among these.
    fn known(&self, among: &Addresses) -> Vec<IpAddr> {
        let of = |range: Range| {
            let (first, last) = (range.family.address(range.first), range.family.address(range.last));
            self.stages.range(first..=last).map(|(vip, _)| *vip).collect::<Vec<_>>()
        };
        among.ranges().flat_map(of).collect()
    }

    fn apply(&mut self, node: &str, shift: &Shift, now: Duration) {
        if !self.is_listed {
            return;
        }
        let fresh = self.gather_moves(node, &shift.gained, now);
        self.look_at_all(&shift.changed, now);
        if fresh.len() > MANY {
            self.tellings.push((Subject::Node(node.to_owned()), words::announced_many(fresh.len(), node)));
            fresh.into_iter().for_each(|vip| self.set(vip, Some(Stage::Announced { quiet: true })));
        }
        let silenced = self.speakers.judge(now);
        self.look_at_all(&silenced, now);
        self.look_at_foreign(now);
        // Where nobody had spoken, the time begins now.
        if std::mem::take(&mut self.told_none) && self.speakers.is_any() {
            let waiting = self.stages.iter().filter(|(_, stage)| matches!(stage, Stage::Settling { .. }));
            let waiting: Vec<IpAddr> = waiting.map(|(vip, _)| *vip).collect();
            waiting.into_iter().for_each(|vip| self.settle(vip, now));
        }
        for vip in &self.failing {
            if let Some(Stage::Not(silence)) = self.stages.get(vip) {
                self.agenda.insert((now.max(silence.said + REFRESH), *vip));
            }
        }
    }

    /// Gathers who has taken over what. Gives what nobody answered for: there the Services' condition changes, and tells.
    fn gather_moves(&mut self, node: &str, gained: &Addresses, now: Duration) -> Vec<IpAddr> {
        let mut fresh = Vec::new();
        let Some(record) = self.speakers.record(node) else { return fresh };
        for vip in self.known(gained) {
            let stage = self.stages.get(&vip);
            let came = record.latest_move(vip).filter(|_| !matches!(stage, Some(Stage::Not(_))));
            match came.and_then(|came| Some((came.from.as_deref().filter(|from| *from != node)?, came))) {
                Some((from, came)) => self.moves.add(vip, from, node, came, now),
                None if matches!(stage, Some(Stage::Announced { .. })) => {}
                None => fresh.push(vip),
            }
        }
        fresh
    }

    /// Tells who has taken over what.
    fn tell_moves(&mut self, now: Duration) {
        for (on, telling) in self.moves.take(now) {
            let subjects: Vec<Subject> = match on {
                On::Services(vip) => self.tenants_of(vip).cloned().map(Subject::Service).collect(),
                On::Node(node) => vec![Subject::Node(node)],
            };
            self.tellings.extend(subjects.into_iter().map(|subject| (subject, telling.clone())));
        }
    }

    fn look_at_all(&mut self, changed: &Addresses, now: Duration) {
        self.known(changed).into_iter().for_each(|vip| self.look(vip, now));
    }

    /// Whether somebody answers for `vip` now.
    fn look(&mut self, vip: IpAddr, now: Duration) {
        if !self.is_listed {
            return;
        }
        match (self.speakers.owner(vip).is_some(), self.stages.get(&vip)) {
            (true, Some(Stage::Announced { .. })) | (false, Some(Stage::Settling { .. } | Stage::Not(_))) => {}
            (true, _) => {
                self.set(vip, Some(Stage::Announced { quiet: false }));
                self.tell_tenants(vip);
            }
            (false, _) => self.settle(vip, now),
        }
    }

    /// What foreign hosts use may have changed. That is said at once.
    fn look_at_foreign(&mut self, now: Duration) {
        let foreign = self.speakers.foreign();
        let before = std::mem::replace(&mut self.foreign, foreign);
        let mut changed: BTreeSet<IpAddr> = before.keys().chain(self.foreign.keys()).copied().collect();
        changed.retain(|vip| before.get(vip) != self.foreign.get(vip));
        for vip in changed {
            match self.stages.get(&vip) {
                Some(Stage::Announced { .. }) => self.tell_tenants(vip),
                Some(Stage::Not(_)) => self.fail(vip, now),
                Some(Stage::Settling { .. }) if self.foreign.contains_key(&vip) => self.fail(vip, now),
                _ => {}
            }
        }
    }

    fn settle(&mut self, vip: IpAddr, now: Duration) {
        self.set(vip, Some(Stage::Settling { since: now }));
        self.agenda.insert((now + SETTLE, vip));
    }

    /// The stage that `vip` is in from now on; none: no Service has it any more.
    fn set(&mut self, vip: IpAddr, stage: Option<Stage>) {
        if let Some(Stage::Not(_)) = stage {
            self.failing.insert(vip);
        } else {
            self.failing.remove(&vip);
        }
        let before = match stage {
            Some(stage) => self.stages.insert(vip, stage),
            None => self.stages.remove(&vip),
        };
        if let Some(Stage::Settling { since }) = before {
            [SETTLE, PATIENCE].iter().for_each(|time| _ = self.agenda.remove(&(since + *time, vip)));
        }
    }

    /// The time is over that `vip` was given.
    fn is_due(&mut self, vip: IpAddr, now: Duration) {
        match self.stages.get(&vip) {
            Some(Stage::Settling { since }) if *since + SETTLE <= now => {
                let at_last = *since + PATIENCE;
                if !self.speakers.is_any() {
                    self.tell_none();
                } else if now < at_last && !self.foreign.contains_key(&vip) && self.is_somebody_unaware(vip) {
                    self.agenda.insert((at_last, vip));
                } else {
                    self.fail(vip, now);
                }
            }
            Some(Stage::Not(silence)) if silence.said + REFRESH <= now && self.why_not(vip) != silence.words => {
                self.fail(vip, now);
            }
            _ => {}
        }
    }

    /// Whether a speaker has not said anything of `vip` yet.
    fn is_somebody_unaware(&self, vip: IpAddr) -> bool {
        self.speakers.standings(vip).any(|(_, standing)| standing == Standing::Unaware)
    }

    /// Without any speaker nothing is to be said on each of thousands of Services.
    fn tell_none(&mut self) {
        if !std::mem::replace(&mut self.told_none, true) {
            self.tellings.push((Subject::Configuration, words::no_speakers()));
        }
    }

    fn why_not(&self, vip: IpAddr) -> Words {
        let foreign = self.foreign.get(&vip).map(|foreign| words::in_use(vip, foreign));
        foreign.unwrap_or_else(|| words::why_not(vip, &self.speakers))
    }

    fn fail(&mut self, vip: IpAddr, now: Duration) {
        let silence = Silence { words: self.why_not(vip), said: now };
        self.set(vip, Some(Stage::Not(Box::new(silence))));
        self.tell_tenants(vip);
    }

    fn tell_tenants(&mut self, vip: IpAddr) {
        let tenants: Vec<ServiceKey> = self.tenants_of(vip).cloned().collect();
        self.news.extend(tenants);
    }
}
