//! Two speakers, the clock, and what is between them.

mod quiet;

use super::{
    forge::{self, Forger},
    judge::Speaker,
    step::{self, Jump, Sign, Step},
};
use landfall_core::{
    elect::{Input, Now, Output},
    wire::heartbeat::Frame,
};
use std::{collections::VecDeque, time::Duration};

const CLUSTER: u64 = 7;
/// The present, since 1970.
const TODAY: Duration = Duration::from_secs(1_700_000_000);
/// How long time may pass with timers in all, before the end.
const LONGEST: Duration = Duration::from_secs(30);
/// What waits for a speaker that stands still; more is lost.
const BACKLOG: usize = 64;
/// How many frames are remembered, to come again.
const REMEMBERED: usize = 32;

/// What one speaker's interface and machine are like.
struct Place {
    speaker: Speaker,
    direct: bool,
    around: bool,
    gateway: bool,
    /// Plain questions are answered.
    answers: bool,
    wall: Jump,
    is_frozen: bool,
    waiting: VecDeque<Input>,
}

pub struct Lan {
    now: Duration,
    passed: Duration,
    places: [Place; 2],
    forger: Forger,
    /// What was sent, the last of it.
    sent: VecDeque<Input>,
    /// How often a VIP was acquired or released.
    moves: usize,
}

impl Lan {
    pub fn new() -> Self {
        let now = Duration::from_secs(1);
        let place = |name| Place {
            speaker: Speaker::new(name, 1, CLUSTER, Now { mono: now, wall: TODAY }),
            direct: true,
            around: true,
            gateway: true,
            answers: false,
            wall: Jump::Right,
            is_frozen: false,
            waiting: VecDeque::new(),
        };
        let places = [place(forge::NAMES[0]), place(forge::NAMES[1])];
        let (forger, sent) = (Forger::default(), VecDeque::new());
        Self { now, passed: Duration::ZERO, places, forger, sent, moves: 0 }
    }

    /// What the clocks of one say.
    fn clocks(&self, who: usize) -> Now {
        let right = TODAY + self.now;
        let wall = match self.places[who].wall {
            Jump::Right => right,
            Jump::Ahead(by) => right + by,
            Jump::Behind(by) => right - by,
            Jump::Unset => Duration::ZERO,
        };
        Now { mono: self.now, wall }
    }

    pub fn step(&mut self, (who, step): (usize, Step)) {
        match step {
            Step::Pass(time) => {
                let time = time.min(LONGEST.saturating_sub(self.passed));
                self.passed += time;
                self.pass(time);
            }
            Step::Stall(time) => self.now += time,
            Step::Timer => self.tell(who, Input::Timer),
            Step::Want(vip, wish) => self.tell(who, Input::Want { vip, wish }),
            Step::WantMany => {
                for vip in step::many() {
                    self.tell(who, Input::Want { vip, wish: Default::default() });
                }
            }
            Step::Unwant(vip) => self.tell(who, Input::Unwant { vip }),
            Step::Withdraw(vip, is_known_to_both) => {
                self.tell(who, Input::Withdraw { vip });
                if is_known_to_both {
                    self.tell(1 - who, Input::Withdraw { vip });
                }
            }
            Step::Weigh(weights) => self.tell(who, Input::Weigh(weights.into())),
            Step::Drain => self.tell(who, Input::Drain),
            Step::Restart => self.restart(who),
            Step::Sign(Sign::Reached) => self.tell(who, Input::Reached),
            Step::Sign(Sign::NoGateway) => self.tell(who, Input::NoGateway),
            Step::Sign(Sign::Vouched(number)) => self.tell(who, Input::Vouched(forge::speaker(number))),
            Step::Sign(Sign::Seen(version)) => self.tell(who, Input::Seen(version)),
            Step::Sign(Sign::Overheard) => self.places[who].speaker.election.overhear(self.now),
            Step::Cables { direct, around, gateway, answers } => {
                let place = &mut self.places[who];
                (place.direct, place.around, place.gateway, place.answers) = (direct, around, gateway, answers);
            }
            Step::Wall(jump) => self.places[who].wall = jump,
            Step::Freeze(is_frozen) => self.places[who].is_frozen = is_frozen,
            Step::Claim(octets) => self.forger.claim(octets, TODAY + self.now),
            Step::Heard(octets) => self.forger.heard(octets),
            Step::Crowd(number) => self.forger.crowd(number),
            Step::Forge(octets) => {
                let speaker = &self.places[who].speaker;
                let frame = self.forger.frame(octets, CLUSTER, (speaker.id, speaker.challenge));
                let wrap = if octets[3] & 0x80 == 0 { Input::Frame } else { Input::Around };
                if let Some(frame) = frame {
                    self.tell(who, wrap(frame));
                }
            }
            Step::Replay(number) => {
                let recorded = self.sent.get(usize::from(number) % REMEMBERED).cloned();
                if let Some(input) = recorded {
                    self.tell(who, input);
                }
            }
        }
        self.deliver();
    }

    fn restart(&mut self, who: usize) {
        let now = self.clocks(who);
        let place = &mut self.places[who];
        self.moves += place.speaker.answers.len();
        place.speaker = Speaker::new(forge::NAMES[who], place.speaker.holder().boot + 1, CLUSTER, now);
        place.waiting.clear();
    }

    fn tell(&mut self, who: usize, input: Input) {
        let waiting = &mut self.places[who].waiting;
        if !self.places[who].is_frozen || waiting.len() < BACKLOG {
            self.places[who].waiting.push_back(input);
        }
    }

    /// Everything that waits is handled, and what that sends: it comes to an end.
    fn deliver(&mut self) {
        let most = 300 + 10 * self.peers();
        for count in 0.. {
            let next = |who: &usize| !self.places[*who].is_frozen && !self.places[*who].waiting.is_empty();
            let Some(who) = [0, 1].into_iter().find(next) else { break };
            assert!(count < most, "they go on and on without time passing");
            if let Some(input) = self.places[who].waiting.pop_front() {
                self.handle(who, input);
            }
        }
    }

    fn handle(&mut self, who: usize, input: Input) {
        let now = self.clocks(who);
        for output in self.places[who].speaker.handle(input, now) {
            let place = &self.places[who];
            match output {
                Output::Send(frame) => self.send(who, place.direct, Input::Frame(as_read(&frame))),
                Output::Around(frame) => self.send(who, place.around, Input::Around(as_read(&frame))),
                Output::Seek if place.gateway => self.tell(who, Input::Reached),
                Output::Question { suspect, .. } if place.answers => self.tell(who, Input::Vouched(suspect)),
                Output::Acquire { .. } | Output::Release { .. } => self.moves += 1,
                _ => {}
            }
        }
    }

    fn send(&mut self, from: usize, arrives: bool, frame: Input) {
        if self.sent.len() == REMEMBERED {
            self.sent.pop_front();
        }
        self.sent.push_back(frame.clone());
        if arrives {
            self.tell(1 - from, frame);
        }
    }

    /// Time passes for those that do not stand still, from timer to timer.
    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        for timers in 0.. {
            self.deliver();
            let peers = self.peers();
            let most = 200 + (2 + peers as u128) * time.as_millis() / 20;
            assert!(timers < most, "{timers} timers in {time:?} with {peers} peers");
            let awake = [0, 1].into_iter().filter(|who| !self.places[*who].is_frozen);
            let next = awake.filter_map(|who| Some((self.places[who].speaker.election.deadline()?, who))).min();
            let Some((due, who)) = next.filter(|(due, _)| *due <= end) else { break };
            self.now = self.now.max(due);
            self.tell(who, Input::Timer);
        }
        self.now = end;
    }

    /// How many both know, and take others' word for.
    fn peers(&self) -> usize {
        self.speakers().map(|speaker| speaker.election.peers().count()).sum()
    }

    fn speakers(&self) -> impl Iterator<Item = &Speaker> {
        self.places.iter().map(|place| &place.speaker)
    }
}

/// A frame as it comes off the wire.
fn as_read(frame: &Frame) -> Frame {
    Frame::parse(&frame.emit()).expect("a peer can read it")
}
