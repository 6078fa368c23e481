//! The scenarios: from a seed to a plan.

mod changes;
mod faults;
mod lans;
mod seeds;
mod together;

pub use seeds::Seeds;

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
                bounds: Bounds {
                    silence: ms(500),
                    double: ms(60),
                    needless_moves: false,
                    restored: false,
                    untouched: None,
                },
                ..Plan::new(speakers, vips, ms(12_000))
            },
        };
        (self.make)(&mut draft);
        draft.plan
    }
}

/// The scenario of that name.
pub fn named(name: &str) -> Option<&'static Scenario> {
    ALL.iter().find(|scenario| scenario.name == name)
}

/// All of them.
pub const ALL: &[Scenario] = &[
    Scenario { name: "crash", tries: "an owner is gone at any moment; another follows", make: faults::crash },
    Scenario {
        name: "crash-lossy",
        tries: "the same where up to 5 % of frames are lost, doubled, overtaken",
        make: faults::crash_lossy,
    },
    Scenario {
        name: "restart",
        tries: "an owner is killed and starts again within 0 to 1 s, with an empty memory",
        make: faults::restart,
    },
    Scenario {
        name: "restart-twice",
        tries: "the same while its successor is paused or dies",
        make: faults::restart_twice,
    },
    Scenario {
        name: "pause",
        tries: "an owner stands still for 0.3 to 6 s; its frames wait or are lost",
        make: faults::pause,
    },
    Scenario {
        name: "pause-crash",
        tries: "one stands still, and another crashes meanwhile",
        make: faults::pause_crash,
    },
    Scenario { name: "calm-lossy", tries: "nothing happens for a minute, at 5 % loss", make: faults::calm_lossy },
    Scenario { name: "very-lossy", tries: "a crash at 20 % loss", make: faults::very_lossy },
    Scenario { name: "starved", tries: "everything is late by up to 200 ms for half a minute", make: faults::starved },
    Scenario { name: "halves", tries: "the segment is cut in two and healed", make: faults::halves },
    Scenario { name: "pair", tries: "two do not hear each other, others hear both", make: faults::pair },
    Scenario { name: "one-way", tries: "one does not hear another, which hears it", make: faults::one_way },
    Scenario { name: "deaf", tries: "an owner hears nobody but is heard", make: faults::deaf },
    Scenario {
        name: "deaf-starved",
        tries: "the same among 20 to 50 speakers, whose timers and frames are all up to 100 ms late",
        make: faults::deaf_starved,
    },
    Scenario { name: "mute", tries: "an owner hears everybody but is not heard", make: faults::mute },
    Scenario {
        name: "isolated",
        tries: "an owner hears nobody and is not heard, its cable in, and comes back: the others notice nothing of that",
        make: faults::isolated,
    },
    Scenario {
        name: "no-gateway",
        tries: "two speakers without a gateway are cut from each other and healed: all is as it was",
        make: faults::no_gateway,
    },
    Scenario {
        name: "blocked",
        tries: "the LAN drops the heartbeats' ethertype, from the start or later; an owner crashes",
        make: faults::blocked,
    },
    Scenario {
        name: "replayed",
        tries: "somebody sends recorded frames again while owners crash, restart and leave",
        make: faults::replayed,
    },
    Scenario { name: "boot", tries: "speakers start one after another, up to 10 s apart", make: changes::boot },
    Scenario { name: "drain", tries: "an owner leaves in good order: no silence at all", make: changes::drain },
    Scenario { name: "rolling", tries: "all leave and come back, one after another", make: changes::rolling },
    Scenario { name: "drain-crash", tries: "the successor dies while the owner leaves", make: changes::drain_crash },
    Scenario {
        name: "endpoints",
        tries: "speakers can and cannot answer, in quick succession",
        make: changes::endpoints,
    },
    Scenario {
        name: "tiers",
        tries: "speakers fall into the second tier and rise again, some leave or crash",
        make: changes::tiers,
    },
    Scenario {
        name: "preferred",
        tries: "owners crash or leave where some nodes are preferred",
        make: changes::preferred,
    },
    Scenario {
        name: "release",
        tries: "a VIP is released and allocated again; some hear of it late",
        make: changes::release,
    },
    Scenario {
        name: "release-lossy",
        tries: "the same where up to 10 % of frames are lost, doubled, overtaken",
        make: changes::release_lossy,
    },
    Scenario {
        name: "release-missed",
        tries: "the same, while one stands still, restarts or is cut off; it hears of it seconds later",
        make: changes::release_missed,
    },
    Scenario {
        name: "half-told",
        tries: "a VIP is released and given to another Service; some hear of it seconds later, and meanwhile an owner is gone",
        make: changes::half_told,
    },
    Scenario {
        name: "clocks",
        tries: "wall clocks jump by up to an hour, and owners crash and restart",
        make: together::clocks,
    },
    Scenario {
        name: "many",
        tries: "50 speakers and 300 VIPs; an owner crashes, another leaves",
        make: together::many,
    },
    Scenario {
        name: "two-lans",
        tries: "nodes on one or both of two LANs; one crashes, restarts, stands still or leaves on all that it is on",
        make: lans::process,
    },
    Scenario {
        name: "one-of-two-lans",
        tries: "the same nodes; one LAN is cut, or one cable of its: nothing moves on the other",
        make: lans::cable,
    },
    Scenario { name: "mixed", tries: "all of it, at random", make: together::mixed },
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
