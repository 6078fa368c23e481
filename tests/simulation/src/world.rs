//! The run: speakers, frames under way, and one event after another.

mod act;

use crate::{
    judge::{Judge, Violation},
    lan::Lan,
    plan::{Action, Plan, ms, vip},
    speaker::Speaker,
};
use landfall_core::{
    elect::{Acquired, Election, Input, Output, Released, hash::speaker_id},
    wire::{
        datagram,
        ethernet::Header,
        heartbeat::{self, Frame, SpeakerId, SpeakerName},
        seal,
    },
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::IpAddr,
    rc::Rc,
    time::Duration,
};

/// How many frames somebody records at most: the first ones, of runs that are over later.
const RECORDED: usize = 2_000;
/// How many lines of the trace are kept.
const TRACE: usize = 60;

enum Event {
    Arrive(usize, Way, Rc<[u8]>),
    Reached(usize),
    Vouched(usize, SpeakerId),
    Replay,
    Wake(usize),
    Resume(usize),
    Act(Action),
}

/// How a frame goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// With the heartbeats' ethertype.
    Direct,
    /// As a datagram.
    Around,
}

/// Something that a run did, for the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// A speaker began to answer, with a claim of this epoch.
    Acquire(Acquired, u64),
    /// A speaker stopped.
    Release(Released),
    /// Its owner crashed.
    OwnerCrashed,
}

/// A run under way.
pub struct World {
    /// The time.
    pub now: Duration,
    /// The speakers.
    pub speakers: Vec<Speaker>,
    /// The segments.
    pub lans: Vec<Lan>,
    /// Everything that was done about VIPs.
    pub deeds: Vec<(Duration, usize, IpAddr, Deed)>,
    /// VIPs that are no Service's, with when the first speaker heard so.
    pub released: BTreeMap<IpAddr, Duration>,
    /// How many frames were sent, and how many octets that was on the wire.
    pub frames: u64,
    /// See there.
    pub octets: u64,
    /// How many things happened that were planned.
    pub acts: u64,
    plan: Plan,
    queue: BTreeMap<(Duration, u64), Event>,
    order: u64,
    rng: ChaCha8Rng,
    starved: Duration,
    judge: Judge,
    trace: VecDeque<String>,
    /// What somebody has recorded, and whether he sends it again.
    recorded: Vec<(usize, Way, Rc<[u8]>)>,
    replays: bool,
    /// Who is isolated, and who had which VIP when it was.
    apart: Option<usize>,
    owners: BTreeMap<IpAddr, usize>,
}

/// Whom a speaker asks otherwise than by a frame.
enum Asked {
    Gateway,
    Speaker(SpeakerId, IpAddr),
}

/// The name of a node's speakers.
pub(crate) fn name(node: usize) -> SpeakerName {
    SpeakerName::new(format!("node-{node}")).expect("short enough")
}

/// Why a run failed, with what led to it.
#[derive(Debug)]
pub struct Failure {
    /// What must not be.
    pub violation: Violation,
    /// The last lines of the trace.
    pub trace: Vec<String>,
}

impl World {
    /// The world before its first event.
    pub fn new(plan: Plan, seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 0x5eed);
        let all: BTreeSet<IpAddr> = (0..plan.vips).map(vip).collect();
        let weight = |number: usize| plan.weights.get(number).copied().unwrap_or(0);
        let mut speakers: Vec<Speaker> = Vec::new();
        for number in 0..plan.speakers {
            let seat = plan.seat(number);
            let mut speaker = Speaker::new(seat, all.clone(), weight(number), &mut rng);
            if let Some(same) = speakers.iter().find(|other| other.seat.node == seat.node) {
                (speaker.wall, speaker.drift) = (same.wall, same.drift);
            }
            speakers.push(speaker);
        }
        let lans = 1 + speakers.iter().map(|speaker| speaker.seat.lan).max().unwrap_or(0);
        let mut world = Self {
            now: Duration::ZERO,
            speakers,
            lans: (0..lans).map(|_| Lan::new(plan.lan)).collect(),
            deeds: Vec::new(),
            released: BTreeMap::new(),
            frames: 0,
            octets: 0,
            acts: 0,
            queue: BTreeMap::new(),
            order: 0,
            rng,
            starved: Duration::ZERO,
            judge: Judge::new(plan.bounds, (0..plan.vips).map(vip).collect()),
            trace: VecDeque::new(),
            recorded: Vec::new(),
            replays: false,
            apart: None,
            owners: BTreeMap::new(),
            plan,
        };
        for (at, action) in world.plan.actions.clone() {
            world.put(at, Event::Act(action));
        }
        world
    }

    /// The same without a judge, for runs too large for one.
    pub fn unjudged(plan: Plan, seed: u64) -> Self {
        Self { judge: Judge::default(), ..Self::new(plan, seed) }
    }

    /// Runs to the end, or to the first thing that must not be.
    pub fn run(&mut self) -> Result<(), Box<Failure>> {
        while let Some(((at, _), event)) = self.queue.pop_first() {
            if at > self.plan.length {
                break;
            }
            self.now = at;
            let before = self.deeds.len();
            let acted = matches!(event, Event::Act(_) | Event::Resume(_));
            // What has lasted until now is judged before the plan changes what is due.
            if acted {
                self.look(before)?;
            }
            self.step(event);
            if acted || self.deeds.len() > before {
                self.look(before)?;
            }
        }
        self.now = self.plan.length;
        self.look(self.deeds.len())?;
        if self.plan.bounds.restored
            && let Some((vip, owner)) = self.owners.iter().find(|(vip, owner)| !self.speakers[**owner].answers(**vip))
        {
            return Err(self.failure(Violation::NotRestored { vip: *vip, owner: *owner }));
        }
        let is_behind = |number: &usize| {
            let election = self.speakers[*number].election.as_ref();
            self.undisturbed(*number) && election.is_some_and(|election| !election.knows_all())
        };
        match (0..self.speakers.len()).find(is_behind) {
            Some(who) => Err(self.failure(Violation::Behind { who })),
            None => Ok(()),
        }
    }

    fn failure(&self, violation: Violation) -> Box<Failure> {
        Box::new(Failure { violation, trace: self.trace.iter().cloned().collect() })
    }

    fn look(&mut self, before: usize) -> Result<(), Box<Failure>> {
        let mut judge = std::mem::take(&mut self.judge);
        let verdict = judge.look(self, before);
        self.judge = judge;
        verdict.map_err(|violation| self.failure(violation))
    }

    fn step(&mut self, event: Event) {
        match event {
            Event::Arrive(to, way, bytes) => {
                let speaker = &mut self.speakers[to];
                if speaker.paused.is_some() {
                    if speaker.keeps_backlog {
                        speaker.backlog.push_back((way, bytes));
                    }
                } else {
                    self.receive(to, way, &bytes);
                }
            }
            Event::Reached(number) if self.speakers[number].awake() => self.tell(number, Input::Reached),
            Event::Vouched(number, by) if self.speakers[number].awake() => self.tell(number, Input::Vouched(by)),
            Event::Reached(_) | Event::Vouched(..) => {}
            Event::Replay => self.replay(),
            Event::Wake(number) => {
                if self.speakers[number].wake == Some(self.now) && self.speakers[number].paused.is_none() {
                    self.speakers[number].wake = None;
                    self.tell(number, Input::Timer);
                }
            }
            Event::Resume(number) => {
                let speaker = &mut self.speakers[number];
                if speaker.paused.is_some_and(|until| until <= self.now) {
                    speaker.paused = None;
                    speaker.disturbed = self.now;
                    for (way, bytes) in std::mem::take(&mut speaker.backlog) {
                        self.receive(number, way, &bytes);
                    }
                    self.note(format!("{number} goes on"));
                    self.tell(number, Input::Timer);
                }
            }
            Event::Act(action) => self.act(action),
        }
    }

    fn receive(&mut self, to: usize, way: Way, bytes: &[u8]) {
        let frame = Frame::parse(bytes).expect("what a speaker sends is a frame");
        self.tell(
            to,
            match way {
                Way::Direct => Input::Frame(frame),
                Way::Around => Input::Around(frame),
            },
        );
    }

    /// Somebody who has recorded everything sends one frame again.
    fn replay(&mut self) {
        if !self.replays || self.recorded.is_empty() {
            return;
        }
        let (lan, way, bytes) = self.recorded[self.rng.random_range(0..self.recorded.len())].clone();
        for to in self.on(lan) {
            self.put(self.now + Duration::from_micros(100), Event::Arrive(to, way, bytes.clone()));
        }
        let pause = Duration::from_micros(self.rng.random_range(2_000..30_000));
        self.put(self.now + pause, Event::Replay);
    }

    /// What comes back to `number` when it asks the gateway, or a speaker for a VIP.
    fn ask(&mut self, number: usize, asked: Asked) {
        let delay = Duration::from_micros(self.rng.random_range(100..600)) + self.lateness();
        let at = self.now + delay;
        match asked {
            Asked::Gateway if self.plan.gateway && self.lan_of(number).has_gateway(number) => {
                self.put(at, Event::Reached(number));
            }
            Asked::Gateway => {}
            Asked::Speaker(suspect, vip) => {
                let lan = self.lan_of(number);
                let mut there = self.on(self.speakers[number].seat.lan);
                let other = there.find(|other| speaker_id(&name(self.speakers[*other].seat.node)) == suspect);
                let answers = |other: &usize| {
                    let heard = lan.reaches(number, *other) && lan.reaches(*other, number);
                    heard && self.speakers[*other].answers(vip)
                };
                if other.filter(answers).is_some() {
                    self.put(at, Event::Vouched(number, suspect));
                }
            }
        }
    }

    fn tell(&mut self, number: usize, input: Input) {
        let at = self.now;
        let speaker = &mut self.speakers[number];
        let clocks = speaker.now(at);
        let Some(election) = &mut speaker.election else { return };
        let outputs = election.handle(input, clocks);
        for output in outputs {
            match output {
                Output::Send(frame) => self.send(number, Way::Direct, &frame),
                Output::Around(frame) => self.send(number, Way::Around, &frame),
                Output::Announce { .. } | Output::Behind { .. } => {}
                Output::Seek => self.ask(number, Asked::Gateway),
                Output::Question { suspect, vip } => self.ask(number, Asked::Speaker(suspect, vip)),
                Output::Acquire { vip, epoch, why, .. } => {
                    self.note(format!("{number} acquires {vip} with {epoch}: {why:?}"));
                    self.deeds.push((at, number, vip, Deed::Acquire(why, epoch)));
                }
                Output::Release { vip, why } => {
                    self.note(format!("{number} releases {vip}: {why:?}"));
                    self.deeds.push((at, number, vip, Deed::Release(why)));
                }
                Output::Drained => self.speakers[number].drained = true,
            }
        }
        if self.speakers[number].drained {
            self.exit(number);
        }
        self.schedule(number);
    }

    /// A node's process exits once all its speakers have drained.
    fn exit(&mut self, number: usize) {
        let node = self.node_of(number);
        if node.iter().any(|number| self.speakers[*number].election.is_some() && !self.speakers[*number].drained) {
            return;
        }
        self.note(format!("{number} has drained and exits"));
        let mut comes_back = None;
        for number in node {
            let speaker = &mut self.speakers[number];
            (speaker.election, speaker.runs) = (None, false);
            comes_back = speaker.comes_back.take().or(comes_back);
        }
        if let Some(after) = comes_back {
            self.put(self.now + after, Event::Act(Action::Start(number)));
        }
    }

    /// The speakers on a LAN.
    fn on(&self, lan: usize) -> impl Iterator<Item = usize> + use<> {
        let there: Vec<usize> =
            (0..self.speakers.len()).filter(|number| self.speakers[*number].seat.lan == lan).collect();
        there.into_iter()
    }

    /// The LAN that the speaker is on.
    fn lan_of(&self, number: usize) -> &Lan {
        &self.lans[self.speakers[number].seat.lan]
    }

    /// The speakers of the same node, itself included.
    fn node_of(&self, number: usize) -> Vec<usize> {
        let node = self.speakers[number].seat.node;
        (0..self.speakers.len()).filter(|other| self.speakers[*other].seat.node == node).collect()
    }

    fn send(&mut self, from: usize, way: Way, frame: &Frame) {
        self.frames += 1;
        let bytes: Rc<[u8]> = frame.emit().into();
        let around = if way == Way::Direct { 0 } else { datagram::HEADERS - Header::LEN };
        self.octets += (Header::LEN + around + bytes.len() + seal::LONGEST - heartbeat::LONGEST) as u64;
        let lan = self.speakers[from].seat.lan;
        if self.recorded.len() < RECORDED {
            self.recorded.push((lan, way, bytes.clone()));
        }
        if self.lans[lan].blocked && way == Way::Direct {
            return;
        }
        assert!(bytes.len() <= landfall_core::wire::heartbeat::LONGEST);
        for to in self.on(lan).filter(|to| *to != from) {
            for after in self.lans[lan].deliveries(from, to, &mut self.rng) {
                let late = self.lateness();
                self.put(self.now + after + late, Event::Arrive(to, way, bytes.clone()));
            }
        }
    }

    /// Sets the speaker's timer; a real one is late by a little, a starved one by more.
    fn schedule(&mut self, number: usize) {
        let speaker = &self.speakers[number];
        let Some(deadline) = speaker.election.as_ref().and_then(Election::deadline) else { return };
        let deadline = speaker.when(deadline).max(self.now);
        if speaker.wake.is_some_and(|wake| wake >= self.now && wake <= deadline) {
            return;
        }
        let jitter = Duration::from_micros(self.rng.random_range(0..300));
        let at = deadline + jitter + self.lateness();
        self.speakers[number].wake = Some(at);
        self.put(at, Event::Wake(number));
    }

    fn lateness(&mut self) -> Duration {
        let most = self.starved.as_micros() as u64;
        if most == 0 { Duration::ZERO } else { Duration::from_micros(self.rng.random_range(0..most)) }
    }

    fn put(&mut self, at: Duration, event: Event) {
        self.order += 1;
        self.queue.insert((at, self.order), event);
    }

    fn note(&mut self, line: String) {
        if self.trace.len() == TRACE {
            self.trace.pop_front();
        }
        self.trace.push_back(format!("{:>10.3} ms  {line}", self.now.as_secs_f64() * 1e3));
    }

    /// The longest silence and the longest double answer since all have settled.
    pub fn worst(&self) -> (Duration, Duration) {
        self.judge.worst
    }

    /// The trace's last lines.
    pub fn trace(&self) -> impl Iterator<Item = &str> {
        self.trace.iter().map(String::as_str)
    }

    /// Whether nothing has ailed the speaker for so long that it should keep what it has.
    pub fn undisturbed(&self, number: usize) -> bool {
        let speaker = &self.speakers[number];
        speaker.awake() && !speaker.draining && self.now >= speaker.disturbed + ms(4_000)
    }
}
