//! The verdict: every scenario over seeds that no change was tuned on.

use landfall_simulation::{
    scenario::{self, Seeds},
    world::World,
};

fn verdict() -> Seeds {
    Seeds::parse(include_str!("../seeds/verdict.txt")).expect("the file of seeds is well-formed")
}

fn holds(name: &str) {
    let scenario = scenario::named(name).unwrap_or_else(|| panic!("there is no scenario {name}"));
    for seed in verdict().of(name) {
        if let Err(failure) = World::new(scenario.plan(seed), seed).run() {
            panic!(
                "{}\n{}\nagain: cargo run -p landfall-simulation -- --scenario {name} --seed {seed}",
                failure.violation,
                failure.trace.join("\n")
            );
        }
    }
}

macro_rules! verdicts {
    ($($test:ident: $name:literal),* $(,)?) => {
        $(#[test]
        fn $test() {
            holds($name);
        })*

        #[test]
        fn no_scenario_is_left_out() {
            for scenario in scenario::ALL {
                assert!([$($name),*].contains(&scenario.name), "{} has no test here", scenario.name);
                assert!(verdict().of(scenario.name).next().is_some(), "{} has no seeds", scenario.name);
            }
        }
    };
}

verdicts! {
    crash: "crash",
    crash_lossy: "crash-lossy",
    restart: "restart",
    restart_twice: "restart-twice",
    pause: "pause",
    pause_crash: "pause-crash",
    calm_lossy: "calm-lossy",
    very_lossy: "very-lossy",
    starved: "starved",
    halves: "halves",
    pair: "pair",
    one_way: "one-way",
    deaf: "deaf",
    deaf_starved: "deaf-starved",
    mute: "mute",
    isolated: "isolated",
    no_gateway: "no-gateway",
    blocked: "blocked",
    replayed: "replayed",
    boot: "boot",
    drain: "drain",
    rolling: "rolling",
    drain_crash: "drain-crash",
    endpoints: "endpoints",
    tiers: "tiers",
    preferred: "preferred",
    release: "release",
    release_lossy: "release-lossy",
    release_missed: "release-missed",
    half_told: "half-told",
    clocks: "clocks",
    many: "many",
    two_lans: "two-lans",
    one_of_two_lans: "one-of-two-lans",
    mixed: "mixed",
}

#[test]
fn a_seed_replays_exactly() {
    let scenario = scenario::named("mixed").expect("it exists");
    let run = || {
        let mut world = World::new(scenario.plan(7), 7);
        let _ = world.run();
        (world.frames, world.deeds)
    };
    assert_eq!(run(), run());
}
