//! The tables in `docs/election.md`: how long a take-over takes, what other times would make of it, and what is sent.

use crate::{
    lan::Quality,
    plan::{Action, Plan, Who, ms},
    speaker::Speaker,
    world::{Deed, World},
};
use landfall_core::elect::{Released, Timing};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::{fmt::Write, time::Duration};

/// One line of the table.
pub struct Line {
    /// How many speakers.
    pub speakers: usize,
    /// How many of a thousand frames are lost.
    pub lost: u32,
}

/// The table's lines.
pub const LINES: [Line; 8] = [
    Line { speakers: 2, lost: 0 },
    Line { speakers: 2, lost: 50 },
    Line { speakers: 3, lost: 0 },
    Line { speakers: 3, lost: 50 },
    Line { speakers: 10, lost: 0 },
    Line { speakers: 10, lost: 50 },
    Line { speakers: 50, lost: 0 },
    Line { speakers: 50, lost: 50 },
];

/// From an owner's crash to its successor's claim, for every VIP that it owned.
fn take_overs(line: &Line, timing: &Timing, seed: u64) -> Vec<Duration> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let start = (0..line.speakers).map(|number| (ms(rng.random_range(0..500)), Action::Start(number)));
    let mut actions: Vec<(Duration, Action)> = start.collect();
    let crash = Duration::from_micros(rng.random_range(4_000_000..5_000_000));
    actions.push((crash, Action::Crash(Who::OwnerOf(rng.random_range(0..12)))));
    let plan = Plan {
        lan: Quality { lost: line.lost, doubled: 0, overtaken: 0 },
        timing: timing.clone(),
        actions,
        ..Plan::new(line.speakers, 12, crash + ms(8_000))
    };
    let mut world = World::new(plan, seed);
    // With such bounds nothing fails; a VIP without a successor shows as the longest time there is.
    let _ = world.run();
    let crashed = world.deeds.iter().filter(|(_, _, _, deed)| *deed == Deed::OwnerCrashed);
    crashed
        .map(|(at, _, vip, _)| {
            let next = world
                .deeds
                .iter()
                .find(|(then, _, next, deed)| then > at && next == vip && matches!(deed, Deed::Acquire(..)));
            next.map_or(ms(8_000), |(then, _, _, _)| *then - *at)
        })
        .collect()
}

/// The table, in Markdown, over these seeds.
pub fn table(seeds: &[u64]) -> String {
    let mut out = String::from("| speakers | loss | take-overs | p50 | p99 | longest |\n|---|---|---|---|---|---|\n");
    for line in &LINES {
        let mut times: Vec<Duration> =
            seeds.iter().flat_map(|seed| take_overs(line, &Timing::default(), *seed)).collect();
        times.sort_unstable();
        let at = |percent: usize| percentile(&times, percent);
        let _ = writeln!(
            out,
            "| {} | {} % | {} | {} | {} | {} |",
            line.speakers,
            line.lost / 10,
            times.len(),
            cell(at(50)),
            cell(at(99)),
            cell(times.last()),
        );
    }
    out
}

fn percentile(sorted: &[Duration], percent: usize) -> Option<&Duration> {
    sorted.get((sorted.len() * percent / 100).min(sorted.len().saturating_sub(1)))
}

fn cell(time: Option<&Duration>) -> String {
    time.map_or_else(|| "none".into(), |time| format!("{} ms", time.as_millis()))
}

/// Other times than the ones that are used.
fn variants() -> Vec<(&'static str, Timing)> {
    let timing = Timing::default;
    vec![
        ("as it is: beat 75 ms, 2.5 of them, three questions in 60 ms", timing()),
        ("beat 100 ms", Timing { beat: ms(100), ..timing() }),
        ("beat 50 ms", Timing { beat: ms(50), ..timing() }),
        ("beat 200 ms", Timing { beat: ms(200), ..timing() }),
        ("2 beats may be missing", Timing { silence_tenths: 20, ..timing() }),
        ("1.5 beats may be missing", Timing { silence_tenths: 15, ..timing() }),
        ("nobody is asked: dead after 3.1 beats", Timing { silence_tenths: 31, asks: 0, ..timing() }),
        ("one question, 20 ms", Timing { asks: 1, ..timing() }),
        ("lateness is not allowed for", Timing { late_at_most: Duration::ZERO, ..timing() }),
    ]
}

/// What the variants make of crashes, of loss and of starvation, in Markdown, over these seeds.
pub fn compare(seeds: &[u64]) -> String {
    let mut out = String::from(
        "| times | crash p50 | p99 | longest | at 5 % loss p99 | moves in a minute at 5 % loss | at 20 % | starved, 200 ms |\n\
         |---|---|---|---|---|---|---|---|\n",
    );
    for (name, timing) in variants() {
        let sorted = |lost| {
            let line = Line { speakers: 3, lost };
            let mut times: Vec<Duration> = seeds.iter().flat_map(|seed| take_overs(&line, &timing, *seed)).collect();
            times.sort_unstable();
            times
        };
        let (calm, lossy) = (sorted(0), sorted(50));
        let moves = |lost, starved| seeds.iter().map(|seed| needless(&timing, lost, starved, *seed)).sum::<usize>();
        let per_run = |moves: usize| format!("{:.2}", moves as f64 / seeds.len() as f64);
        let _ = writeln!(
            out,
            "| {name} | {} | {} | {} | {} | {} | {} | {} |",
            cell(percentile(&calm, 50)),
            cell(percentile(&calm, 99)),
            cell(calm.last()),
            cell(percentile(&lossy, 99)),
            per_run(moves(50, Duration::ZERO)),
            per_run(moves(200, Duration::ZERO)),
            per_run(moves(0, ms(200))),
        );
    }
    out
}

/// A minute in which nothing happens to two speakers, of which no third hears both: how often a VIP moves all the same.
fn needless(timing: &Timing, lost: u32, starved: Duration, seed: u64) -> usize {
    let mut plan = calm(2, 12, ms(64_000));
    plan.timing = timing.clone();
    plan.lan.lost = lost;
    plan.actions.push((ms(4_000), Action::Starve(starved)));
    let mut world = World::new(plan, seed);
    let _ = world.run();
    let moved = |deed: &Deed| matches!(deed, Deed::Release(Released::Outbid | Released::HandedOver));
    world.deeds.iter().filter(|(at, _, _, deed)| *at > ms(4_000) && moved(deed)).count()
}

/// Speakers that start within half a second, and to whom nothing happens.
fn calm(speakers: usize, vips: usize, length: Duration) -> Plan {
    let starts = (0..speakers).map(|number| (ms(500 * number as u64 / speakers as u64), Action::Start(number)));
    Plan { actions: starts.collect(), ..Plan::new(speakers, vips, length) }
}

/// What is sent in a second where nothing happens, once all have started within half a second, in Markdown.
pub fn traffic() -> String {
    let mut out = String::from(
        "| speakers | VIPs | owners | most VIPs − fewest | frames/s on the segment | sent by each | octets/s on the segment |\n\
         |---|---|---|---|---|---|---|\n",
    );
    for (speakers, vips) in [(3, 30), (10, 100), (50, 500), (200, 20)] {
        // Whoever missed a frame at the start has the others' go both ways for a while.
        let (settled, length) = (ms(12_000), ms(15_000));
        let run = |length| {
            let mut world = World::new(calm(speakers, vips, length), 1);
            let _ = world.run();
            (world.frames, world.octets, world.speakers.iter().map(Speaker::owned).collect::<Vec<_>>())
        };
        let ((frames, octets, owned), (before, octets_before, _)) = (run(length), run(settled));
        let owners = owned.iter().filter(|owned| **owned > 0).count();
        let spread = owned.iter().max().zip(owned.iter().min()).map_or(0, |(most, least)| most - least);
        let seconds = (length - settled).as_secs_f64();
        let (frames, octets) = ((frames - before) as f64 / seconds, (octets - octets_before) as f64 / seconds);
        let each = frames / speakers as f64;
        let _ = writeln!(out, "| {speakers} | {vips} | {owners} | {spread} | {frames:.0} | {each:.1} | {octets:.0} |");
    }
    out
}
