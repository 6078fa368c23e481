//! How long a take-over takes: the table in `docs/election.md`.

use crate::{
    lan::Quality,
    plan::{Action, Bounds, Plan, Who, ms},
    world::{Deed, World},
};
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
fn take_overs(line: &Line, seed: u64) -> Vec<Duration> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let start = (0..line.speakers).map(|number| (ms(rng.random_range(0..500)), Action::Start(number)));
    let mut actions: Vec<(Duration, Action)> = start.collect();
    let crash = Duration::from_micros(rng.random_range(4_000_000..5_000_000));
    actions.push((crash, Action::Crash(Who::OwnerOf(rng.random_range(0..12)))));
    let plan = Plan {
        speakers: line.speakers,
        vips: 12,
        weights: Vec::new(),
        lan: Quality { lost: line.lost, doubled: 0, overtaken: 0 },
        actions,
        length: crash + ms(8_000),
        bounds: Bounds { silence: ms(8_000), double: ms(8_000), needless_moves: true },
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
                .find(|(then, _, next, deed)| then > at && next == vip && matches!(deed, Deed::Acquire(_)));
            next.map_or(ms(8_000), |(then, _, _, _)| *then - *at)
        })
        .collect()
}

/// The table, in Markdown, over these seeds.
pub fn table(seeds: &[u64]) -> String {
    let mut out = String::from("| speakers | loss | take-overs | p50 | p99 | longest |\n|---|---|---|---|---|---|\n");
    for line in &LINES {
        let mut times: Vec<Duration> = seeds.iter().flat_map(|seed| take_overs(line, *seed)).collect();
        times.sort_unstable();
        let at = |percent: usize| times.get((times.len() * percent / 100).min(times.len().saturating_sub(1)));
        let cell =
            |time: Option<&Duration>| time.map_or_else(|| "none".into(), |time| format!("{} ms", time.as_millis()));
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
