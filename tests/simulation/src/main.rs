//! Runs scenarios by seed: one again with its trace, a range of seeds, or the table of take-over times.

use clap::Parser;
use landfall_simulation::{
    report,
    scenario::{self, Seeds},
    sizes,
    world::World,
};
use std::{process::ExitCode, time::Duration};

/// Tries Landfall's election on a simulated LAN.
#[derive(Parser)]
struct Arguments {
    /// The scenario; all of them when absent.
    #[arg(long)]
    scenario: Option<String>,
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many seeds.
    #[arg(long, default_value_t = 1)]
    count: u64,
    /// Takes the seeds from this file, such as `tests/simulation/seeds/tuning.txt`, in place of `seed` and `count`.
    #[arg(long)]
    seeds: Option<std::path::PathBuf>,
    /// Prints the trace of runs that succeed, too.
    #[arg(long)]
    trace: bool,
    /// Prints the table of take-over times over `count` seeds, and runs nothing else.
    #[arg(long)]
    table: bool,
    /// Prints the table of what other times would make of it, over `count` seeds, and runs nothing else.
    #[arg(long)]
    compare: bool,
    /// Prints the table of what is sent, and runs nothing else.
    #[arg(long)]
    traffic: bool,
    /// Prints the table of segments of several sizes, over `count` seeds, and runs nothing else.
    #[arg(long)]
    sizes: bool,
    /// Of these speakers and VIPs only, such as `200x1000`.
    #[arg(long, requires = "sizes", value_parser = size)]
    size: Option<sizes::Size>,
    /// Lists the scenarios.
    #[arg(long)]
    list: bool,
}

/// One of the sizes, as in `200x1000`.
fn size(text: &str) -> Result<sizes::Size, String> {
    let known = sizes::SIZES.iter().find(|(speakers, vips)| format!("{speakers}x{vips}") == text);
    known.copied().ok_or_else(|| format!("the sizes, as in 200x1000, are {:?}", sizes::SIZES))
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let counted: Vec<u64> = (arguments.seed..arguments.seed + arguments.count).collect();
    let file = match arguments.seeds.as_deref().map(|path| (path, std::fs::read_to_string(path))) {
        None => None,
        Some((path, text)) => match text.ok().as_deref().and_then(Seeds::parse) {
            Some(seeds) => Some(seeds),
            None => {
                eprintln!("{} is no file of lines of scenario, first seed and count", path.display());
                return ExitCode::FAILURE;
            }
        },
    };
    if arguments.list {
        scenario::ALL.iter().for_each(|scenario| println!("{:14} {}", scenario.name, scenario.tries));
        return ExitCode::SUCCESS;
    }
    if arguments.table {
        print!("{}", report::table(&counted));
        return ExitCode::SUCCESS;
    }
    if arguments.compare {
        print!("{}", report::compare(&counted));
        return ExitCode::SUCCESS;
    }
    if arguments.traffic {
        print!("{}", report::traffic());
        return ExitCode::SUCCESS;
    }
    if arguments.sizes {
        sizes::table(arguments.size, &counted).for_each(|line| println!("{line}"));
        return ExitCode::SUCCESS;
    }
    let chosen: Vec<&scenario::Scenario> = match &arguments.scenario {
        None => scenario::ALL.iter().collect(),
        Some(name) => match scenario::named(name) {
            Some(scenario) => vec![scenario],
            None => {
                eprintln!("there is no scenario {name:?}: --list names them");
                return ExitCode::FAILURE;
            }
        },
    };
    let (mut failed, mut acts) = (0, 0);
    for scenario in chosen {
        let seeds = file.as_ref().map_or_else(|| counted.clone(), |file| file.of(scenario.name).collect());
        let mut bad = Vec::new();
        let mut worst = (Duration::ZERO, Duration::ZERO);
        for seed in &seeds {
            let mut world = World::new(scenario.plan(*seed), *seed);
            match world.run() {
                Ok(()) if arguments.trace => world.trace().for_each(|line| println!("{line}")),
                Ok(()) => {}
                Err(failure) => {
                    if bad.is_empty() {
                        println!("{} seed {seed}: {}", scenario.name, failure.violation);
                        failure.trace.iter().for_each(|line| println!("{line}"));
                    }
                    bad.push(*seed);
                }
            }
            acts += world.acts;
            let (silence, double) = world.worst();
            worst = (worst.0.max(silence), worst.1.max(double));
        }
        println!(
            "{:14} {} of {} seeds failed {bad:?}; longest silence {:?}, double answer {:?}",
            scenario.name,
            bad.len(),
            seeds.len(),
            worst.0,
            worst.1
        );
        failed += bad.len();
    }
    println!("{acts} steps, {failed} runs failed");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
