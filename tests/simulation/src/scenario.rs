//! The scenarios: from a seed to a plan.

use crate::{
    lan::Quality,
    plan::{Action, Bounds, Plan, Who, ms},
};
use rand::{Rng, SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;
use std::time::Duration;

/// A scenario: its name, what it is, and how a seed becomes a plan.
pub struct Scenario {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it tries.
    pub tries: &'static str,
    make: fn(&mut Draft),
}

impl Scenario {
    /// The plan for a seed.
    pub fn plan(&self, seed: u64) -> Plan {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let speakers = *[2, 3, 3, 5, 10].choose(&mut rng).unwrap_or(&3);
        let vips = *[1, 4, 12].choose(&mut rng).unwrap_or(&4);
        let mut draft = Draft {
            rng,
            plan: Plan {
                speakers,
                vips,
                lan: Quality::default(),
                actions: Vec::new(),
                length: ms(12_000),
                bounds: Bounds { silence: ms(500), double: ms(60), needless_moves: false },
            },
        };
        (self.make)(&mut draft);
        draft.plan
    }
}

/// Which seeds each scenario is run with.
#[derive(Debug)]
pub struct Seeds(Vec<(String, std::ops::Range<u64>)>);

impl Seeds {
    /// Reads lines of a scenario's name, its first seed, and how many; `#` begins a comment.
    pub fn parse(text: &str) -> Option<Self> {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let line = |line: &str| {
            let mut words = line.split_whitespace();
            let name = words.next()?.to_owned();
            let first: u64 = words.next()?.parse().ok()?;
            let count: u64 = words.next()?.parse().ok()?;
            Some((name, first..first + count))
        };
        lines.map(line).collect::<Option<Vec<_>>>().map(Self)
    }

    /// The seeds of one scenario.
    pub fn of<'a>(&'a self, name: &'a str) -> impl Iterator<Item = u64> + 'a {
        self.0.iter().filter(move |(of, _)| of == name).flat_map(|(_, seeds)| seeds.clone())
    }
}

/// The scenario of that name.
pub fn named(name: &str) -> Option<&'static Scenario> {
    ALL.iter().find(|scenario| scenario.name == name)
}

/// All of them.
pub const ALL: &[Scenario] = &[
    Scenario { name: "crash", tries: "an owner is gone at any moment; another follows", make: crash },
    Scenario {
        name: "crash-lossy",
        tries: "the same where up to 5 % of frames are lost, doubled, overtaken",
        make: crash_lossy,
    },
    Scenario {
        name: "restart",
        tries: "an owner is killed and starts again within 0 to 1 s, with an empty memory",
        make: restart,
    },
    Scenario { name: "restart-twice", tries: "the same while its successor is paused or dies", make: restart_twice },
    Scenario { name: "pause", tries: "an owner stands still for 0.3 to 6 s; its frames wait or are lost", make: pause },
    Scenario { name: "pause-crash", tries: "one stands still, and another crashes meanwhile", make: pause_crash },
    Scenario { name: "calm-lossy", tries: "nothing happens for a minute, at 5 % loss", make: calm_lossy },
    Scenario { name: "very-lossy", tries: "a crash at 20 % loss", make: very_lossy },
    Scenario { name: "starved", tries: "everything is late by up to 200 ms for half a minute", make: starved },
    Scenario { name: "halves", tries: "the segment is cut in two and healed", make: halves },
    Scenario { name: "pair", tries: "two do not hear each other, others hear both", make: pair },
    Scenario { name: "one-way", tries: "one does not hear another, which hears it", make: one_way },
    Scenario { name: "deaf", tries: "an owner hears nobody but is heard", make: deaf },
    Scenario { name: "mute", tries: "an owner hears everybody but is not heard", make: mute },
    Scenario { name: "boot", tries: "speakers start one after another, up to 10 s apart", make: boot },
    Scenario { name: "drain", tries: "an owner leaves in good order: no silence at all", make: drain },
    Scenario { name: "rolling", tries: "all leave and come back, one after another", make: rolling },
    Scenario { name: "drain-crash", tries: "the successor dies while the owner leaves", make: drain_crash },
    Scenario { name: "endpoints", tries: "speakers can and cannot answer, in quick succession", make: endpoints },
    Scenario { name: "release", tries: "a VIP is released and allocated again; some hear of it late", make: release },
    Scenario { name: "clocks", tries: "wall clocks jump by up to an hour, and owners crash and restart", make: clocks },
    Scenario { name: "many", tries: "50 speakers and 300 VIPs; an owner crashes, another leaves", make: many },
    Scenario { name: "mixed", tries: "all of it, at random", make: mixed },
];

/// A plan in the making.
struct Draft {
    rng: ChaCha8Rng,
    plan: Plan,
}

impl Draft {
    fn at(&mut self, when: Duration, action: Action) {
        self.plan.actions.push((when, action));
    }

    fn between(&mut self, low: u64, high: u64) -> Duration {
        Duration::from_micros(self.rng.random_range(low * 1_000..=high * 1_000))
    }

    fn speaker(&mut self) -> usize {
        self.rng.random_range(0..self.plan.speakers)
    }

    fn vip(&mut self) -> usize {
        self.rng.random_range(0..self.plan.vips)
    }

    fn owner(&mut self) -> Who {
        Who::OwnerOf(self.vip())
    }

    /// All start within half a second.
    fn start(&mut self) {
        self.start_within(500);
    }

    fn start_within(&mut self, most: u64) {
        for number in 0..self.plan.speakers {
            let at = self.between(0, most);
            self.at(at, Action::Start(number));
        }
    }

    fn at_least(&mut self, speakers: usize) {
        self.plan.speakers = self.plan.speakers.max(speakers);
    }

    fn lossy(&mut self, most: u32) {
        let lost = self.rng.random_range(0..=most);
        self.plan.lan =
            Quality { lost, doubled: self.rng.random_range(0..20), overtaken: self.rng.random_range(0..50) };
        self.plan.bounds.silence = ms(1_000);
        self.plan.bounds.double = ms(300);
    }
}

fn crash(draft: &mut Draft) {
    draft.start();
    let (at, who) = (draft.between(4_000, 5_500), draft.owner());
    draft.at(at, Action::Crash(who));
}

fn crash_lossy(draft: &mut Draft) {
    crash(draft);
    draft.lossy(50);
}

fn restart(draft: &mut Draft) {
    draft.start();
    let (at, who, back) = (draft.between(4_000, 5_500), draft.owner(), draft.between(0, 1_000));
    draft.at(at, Action::Restart(who, back));
}

fn restart_twice(draft: &mut Draft) {
    draft.start();
    let which = draft.vip();
    let (at, back) = (draft.between(4_000, 5_500), draft.between(0, 1_000));
    draft.at(at, Action::Restart(Who::OwnerOf(which), back));
    let (later, back, length) = (at + draft.between(1, 800), draft.between(0, 1_000), draft.between(300, 2_000));
    let backlog = draft.rng.random();
    let second = if draft.rng.random() {
        Action::Restart(Who::OwnerOf(which), back)
    } else {
        Action::Pause { who: Who::OwnerOf(which), length, backlog }
    };
    draft.at(later, second);
    draft.plan.bounds.silence = ms(800);
}

fn pause(draft: &mut Draft) {
    draft.start();
    let (at, who, length) = (draft.between(4_000, 5_500), draft.owner(), draft.between(300, 6_000));
    let backlog = draft.rng.random();
    draft.at(at, Action::Pause { who, length, backlog });
    draft.plan.length = ms(16_000);
}

fn pause_crash(draft: &mut Draft) {
    pause(draft);
    let (at, who) = (draft.between(4_000, 9_000), draft.owner());
    draft.at(at, Action::Crash(who));
    draft.plan.bounds.silence = ms(1_000);
}

fn calm_lossy(draft: &mut Draft) {
    draft.start();
    draft.lossy(50);
    draft.plan.length = ms(60_000);
}

fn very_lossy(draft: &mut Draft) {
    crash(draft);
    draft.lossy(200);
    draft.plan.bounds = Bounds { silence: ms(1_500), double: ms(500), needless_moves: true };
}

fn starved(draft: &mut Draft) {
    draft.start();
    draft.at(ms(4_000), Action::Starve(ms(200)));
    draft.plan.length = ms(34_000);
    // Until frames tell how late their sender is, two speakers rarely take one another for dead.
    draft.plan.bounds = Bounds { silence: ms(1_000), double: ms(500), needless_moves: true };
}

fn halves(draft: &mut Draft) {
    draft.start();
    let (at, length) = (draft.between(4_000, 5_500), draft.between(100, 6_000));
    let split = draft.rng.random_range(1..draft.plan.speakers);
    for a in 0..split {
        for b in split..draft.plan.speakers {
            draft.at(at, Action::Cut(a, b));
            draft.at(at, Action::Cut(b, a));
        }
    }
    draft.at(at + length, Action::Heal);
    draft.plan.length = at + length + ms(6_000);
    draft.plan.bounds = Bounds { silence: ms(800), double: ms(200), ..draft.plan.bounds };
}

fn pair(draft: &mut Draft) {
    draft.at_least(3);
    draft.start();
    let (at, length) = (draft.between(4_000, 5_500), draft.between(1_000, 8_000));
    let (a, b) = (0, draft.rng.random_range(1..draft.plan.speakers));
    draft.at(at, Action::Cut(a, b));
    draft.at(at, Action::Cut(b, a));
    draft.at(at + length, Action::Heal);
    draft.plan.length = at + length + ms(6_000);
    draft.plan.bounds.silence = ms(0);
}

fn one_way(draft: &mut Draft) {
    draft.at_least(3);
    draft.start();
    let (at, length) = (draft.between(4_000, 5_500), draft.between(1_000, 8_000));
    let (a, b) = (0, draft.rng.random_range(1..draft.plan.speakers));
    draft.at(at, Action::Cut(a, b));
    draft.at(at + length, Action::Heal);
    draft.plan.length = at + length + ms(6_000);
    draft.plan.bounds.silence = ms(0);
}

fn deaf(draft: &mut Draft) {
    draft.at_least(3);
    draft.start();
    let (at, who, length) = (draft.between(4_000, 5_500), draft.owner(), draft.between(1_000, 8_000));
    draft.at(at, Action::Deafen(who));
    draft.at(at + length, Action::Heal);
    draft.plan.length = at + length + ms(6_000);
    draft.plan.bounds.double = ms(300);
    // Where the others own nothing they speak once a second, and it takes that much longer to tell who misses it.
    draft.plan.bounds.silence = ms(4_000);
}

fn mute(draft: &mut Draft) {
    draft.at_least(3);
    draft.start();
    let (at, who, length) = (draft.between(4_000, 5_500), draft.owner(), draft.between(1_000, 8_000));
    draft.at(at, Action::Mute(who));
    draft.at(at + length, Action::Heal);
    draft.plan.length = at + length + ms(6_000);
}

fn boot(draft: &mut Draft) {
    draft.start_within(10_000);
    draft.plan.length = ms(16_000);
}

fn drain(draft: &mut Draft) {
    draft.start();
    let (at, who) = (draft.between(4_000, 5_500), draft.owner());
    draft.at(at, Action::Drain(who, None));
    draft.plan.bounds = Bounds { silence: ms(0), double: ms(5), ..draft.plan.bounds };
}

fn rolling(draft: &mut Draft) {
    draft.start();
    let mut at = ms(4_000);
    for number in 0..draft.plan.speakers {
        let back = draft.between(50, 2_000);
        draft.at(at, Action::Drain(Who::Speaker(number), Some(back)));
        at += back + draft.between(1_100, 3_000);
    }
    draft.plan.length = at + ms(4_000);
    draft.plan.bounds = Bounds { silence: ms(0), double: ms(5), ..draft.plan.bounds };
}

fn drain_crash(draft: &mut Draft) {
    draft.at_least(3);
    draft.start();
    let which = draft.vip();
    let at = draft.between(4_000, 5_500);
    draft.at(at, Action::Drain(Who::OwnerOf(which), None));
    let later = at + draft.between(0, 200);
    draft.at(later, Action::Crash(Who::OwnerOf(which)));
}

fn endpoints(draft: &mut Draft) {
    draft.start();
    let mut at = ms(4_000);
    while at < ms(10_000) {
        let (number, which) = (draft.speaker(), draft.vip());
        let action = if draft.rng.random() {
            Action::Want(number, which)
        } else if draft.rng.random() {
            Action::Unwant(Who::Speaker(number), which)
        } else {
            Action::Unwant(Who::OwnerOf(which), which)
        };
        draft.at(at, action);
        at += draft.between(0, 400);
    }
    draft.plan.bounds.double = ms(20);
}

fn release(draft: &mut Draft) {
    draft.start();
    let which = draft.vip();
    let released = draft.between(4_000, 5_500);
    let again = released + draft.between(0, 3_000);
    draft.at(released, Action::Release(which));
    for number in 0..draft.plan.speakers {
        let most = if draft.rng.random_range(0..4) == 0 { 2_000 } else { 100 };
        let late = draft.between(0, most);
        let late_again = late + draft.between(0, 100);
        draft.at(released + late, Action::Withdraw(number, which));
        draft.at((again + late_again).max(released + late + ms(1)), Action::Want(number, which));
    }
}

fn clocks(draft: &mut Draft) {
    draft.start();
    let mut at = ms(4_000);
    while at < ms(12_000) {
        let number = draft.speaker();
        let by = draft.rng.random_range(-3_600_000..3_600_000);
        draft.at(at, Action::Jump(number, by));
        let (who, back) = (draft.owner(), draft.between(0, 1_500));
        draft.at(at + ms(500), Action::Restart(who, back));
        at += draft.between(3_000, 4_000);
    }
    draft.plan.length = ms(18_000);
    draft.plan.bounds.silence = ms(800);
}

fn many(draft: &mut Draft) {
    draft.plan.speakers = 50;
    draft.plan.vips = 300;
    draft.start();
    let (at, who) = (draft.between(3_000, 3_500), draft.owner());
    draft.at(at, Action::Crash(who));
    let (at, who) = (draft.between(4_500, 5_000), draft.owner());
    draft.at(at, Action::Drain(who, None));
    draft.plan.length = ms(7_000);
}

fn mixed(draft: &mut Draft) {
    draft.start();
    let mut at = ms(4_000);
    while at < ms(24_000) {
        let (who, length, backlog) = (draft.owner(), draft.between(300, 3_000), draft.rng.random());
        let (number, which) = (draft.speaker(), draft.vip());
        let action = match draft.rng.random_range(0..8) {
            0 | 1 => Action::Restart(who, length),
            2 => Action::Pause { who, length, backlog },
            3 => Action::Drain(who, Some(length)),
            4 => Action::Unwant(who, which),
            5 => Action::Want(number, which),
            6 => Action::Jump(number, draft.rng.random_range(-10_000..10_000)),
            _ => Action::Deafen(who),
        };
        if matches!(action, Action::Deafen(_)) {
            draft.at(at + length, Action::Heal);
        }
        draft.at(at, action);
        at += draft.between(500, 4_000);
    }
    draft.lossy(30);
    draft.plan.length = ms(32_000);
    draft.plan.bounds = Bounds { silence: ms(4_000), double: ms(500), needless_moves: true };
}
