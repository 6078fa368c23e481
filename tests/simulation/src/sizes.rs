//! Segments of every size: how long nobody and how long two answered, where the judge would take longer than the run.
//!
//! A [`Meter`] follows what was done about each VIP afterwards; it knows the few faults of these runs and no others.

use crate::{
    plan::{self, Action, Plan, Who, ms},
    world::{Deed, World},
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    time::Duration,
};

/// When something happens: all have what they will have.
const SETTLED: Duration = ms(4_000);
/// How long what happens has to be over.
const AFTERWARDS: Duration = ms(3_000);
/// How long the halves do not hear each other.
const APART: Duration = ms(2_000);

/// How many speakers, and how many VIPs.
pub type Size = (usize, usize);

/// The table's sizes.
pub const SIZES: [Size; 5] = [(10, 1_000), (50, 1_000), (50, 10_000), (200, 1_000), (200, 10_000)];

/// What happens to the segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Event {
    Calm,
    Crash,
    Restart,
    Halves,
}

const EVENTS: [Event; 4] = [Event::Calm, Event::Crash, Event::Restart, Event::Halves];

/// Who answers for a VIP, and what is measured of that.
#[derive(Debug, Default)]
struct Answers {
    owners: BTreeSet<usize>,
    /// Since when nobody, and since when two answer, in the whole segment or in either half of it.
    silent: [Option<Duration>; 2],
    double: [Option<Duration>; 2],
}

/// How long nobody and two answered at worst, and how often one took over.
#[derive(Debug, Default)]
struct Meter {
    vips: BTreeMap<IpAddr, Answers>,
    /// The first speaker of the second half, while there are halves.
    split: Option<usize>,
    filled: Duration,
    silence: Duration,
    double: Duration,
    moves: usize,
}

impl Meter {
    /// Looks at what one VIP's owners are from `now` on.
    fn measure(&mut self, vip: IpAddr, now: Duration) {
        let Some(answers) = self.vips.get_mut(&vip) else { return };
        for side in 0..2 {
            let split = self.split.unwrap_or(usize::MAX);
            let is_there = side == 0 || self.split.is_some();
            let there = answers.owners.iter().filter(|owner| (**owner >= split) == (side == 1)).count();
            for (since, is_so, longest) in [
                (&mut answers.silent[side], is_there && there == 0, &mut self.silence),
                (&mut answers.double[side], is_there && there > 1, &mut self.double),
            ] {
                match (*since, is_so) {
                    (None, true) => *since = Some(now),
                    (Some(began), false) => {
                        *longest = (*longest).max(now - began);
                        *since = None;
                    }
                    _ => {}
                }
            }
        }
    }

    fn measure_all(&mut self, now: Duration) {
        let vips: Vec<IpAddr> = self.vips.keys().copied().collect();
        vips.into_iter().for_each(|vip| self.measure(vip, now));
    }

    /// What happened in a run; silences and double answers count from `SETTLED` on.
    fn of(world: &World, vips: usize, apart: Option<(usize, Duration)>) -> Self {
        let vips = (0..vips).map(|number| (plan::vip(number), Answers::default())).collect();
        let mut meter = Self { vips, ..Self::default() };
        let mut turns: Vec<(Duration, Option<usize>)> = vec![(SETTLED, None)];
        turns.extend(apart.iter().flat_map(|(split, at)| [(*at, Some(*split)), (*at + APART, None)]));
        let mut turns = turns.into_iter().peekable();
        for (at, number, vip, deed) in &world.deeds {
            while let Some((turn, split)) = turns.next_if(|(turn, _)| turn <= at) {
                meter.turn(turn, split);
            }
            let answers = meter.vips.entry(*vip).or_default();
            match deed {
                Deed::Acquire(..) => answers.owners.insert(*number),
                Deed::Release(_) | Deed::OwnerCrashed => answers.owners.remove(number),
            };
            if *at < SETTLED {
                meter.filled = *at;
            } else {
                meter.moves += usize::from(matches!(deed, Deed::Acquire(..)));
                meter.measure(*vip, *at);
            }
        }
        turns.for_each(|(turn, split)| meter.turn(turn, split));
        // What lasts to the end is measured to there.
        for answers in meter.vips.values() {
            let lasted = |since: &Option<Duration>| since.map_or(Duration::ZERO, |since| world.now - since);
            meter.silence = answers.silent.iter().map(lasted).fold(meter.silence, Duration::max);
            meter.double = answers.double.iter().map(lasted).fold(meter.double, Duration::max);
        }
        meter
    }

    fn turn(&mut self, now: Duration, split: Option<usize>) {
        self.split = split;
        self.measure_all(now);
    }
}

/// One run.
fn run((speakers, vips): Size, event: Event, seed: u64) -> Meter {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut actions: Vec<(Duration, Action)> =
        (0..speakers).map(|number| (ms(rng.random_range(0..500)), Action::Start(number))).collect();
    let at = SETTLED + Duration::from_micros(rng.random_range(0..1_000_000));
    let who = Who::OwnerOf(rng.random_range(0..vips));
    let split = rng.random_range(1..speakers);
    match event {
        Event::Calm => {}
        Event::Crash => actions.push((at, Action::Crash(who))),
        Event::Restart => actions.push((at, Action::Restart(who, ms(rng.random_range(0..1_000))))),
        Event::Halves => {
            for (a, b) in (0..split).flat_map(|a| (split..speakers).map(move |b| (a, b))) {
                actions.extend([(at, Action::Cut(a, b)), (at, Action::Cut(b, a))]);
            }
            actions.push((at + APART, Action::Heal));
        }
    }
    let length = at + if event == Event::Halves { APART } else { Duration::ZERO } + AFTERWARDS;
    let plan = Plan { actions, ..Plan::new(speakers, vips, length) };
    let mut world = World::unjudged(plan, seed);
    let _ = world.run();
    Meter::of(&world, vips, (event == Event::Halves).then_some((split, at)))
}

/// The table's lines, in Markdown, over these seeds: of all sizes or of one. The larger ones take minutes.
pub fn table(size: Option<Size>, seeds: &[u64]) -> impl Iterator<Item = String> {
    let head = [
        "| speakers | VIPs | | all answered for after | longest silence | longest double answer | most take-overs |",
        "|---|---|---|---|---|---|---|",
    ];
    let sizes = SIZES.into_iter().filter(move |one| size.is_none_or(|size| size == *one));
    let rows = sizes.flat_map(|size| EVENTS.map(|event| (size, event)));
    head.into_iter().map(String::from).chain(rows.map(|(size, event)| row(size, event, seeds)))
}

fn row(size: Size, event: Event, seeds: &[u64]) -> String {
    let runs: Vec<Meter> = seeds.iter().map(|seed| run(size, event, *seed)).collect();
    let longest = |what: fn(&Meter) -> Duration| runs.iter().map(what).max().unwrap_or_default().as_millis();
    format!(
        "| {} | {} | {} | {} ms | {} ms | {} ms | {} |",
        size.0,
        size.1,
        format!("{event:?}").to_lowercase(),
        longest(|meter| meter.filled),
        longest(|meter| meter.silence),
        longest(|meter| meter.double),
        runs.iter().map(|meter| meter.moves).max().unwrap_or(0),
    )
}
