//! `make kind-e2e`: Landfall as a user installs it, in real pods on a real kind cluster, asked by a host beside it.
//!
//! The steps run in this order on one cluster, each a rule that is kept; what one leaves the next one finds.
//! `LANDFALL_RECORD=1` measures more often, and writes what was measured to `docs/benchmarks-kind.md`.

mod deletion;
mod examples;
mod figures;
mod installation;
mod nodes;
mod rollout;
mod run;
mod upgrade;

use anyhow::{Context, Result};
use run::Run;
use std::{process::ExitCode, time::Instant};

type Step = fn(&mut Run) -> Result<()>;

const STEPS: [(&str, Step); 17] = [
    ("the manifests install both components as they are", installation::installs),
    ("the controller is nobody and has no capability", installation::controller_is_restricted),
    ("the speaker has NET_RAW and nothing else", installation::speaker_is_restricted),
    ("nothing listens on any port", installation::nothing_listens),
    ("memory at rest is told, with no Service", figures::memory),
    ("every example does what it says", examples::all),
    ("memory at rest is told, with all Services of the examples", figures::memory),
    ("nothing is lost while nothing happens", rollout::nothing),
    ("a rolling update of the speakers loses no datagram", rollout::speakers),
    ("a rolling update of the controllers loses no datagram", rollout::controllers),
    ("an upgrade and its rollback keep addresses and lose no datagram", upgrade::there_and_back),
    ("a frozen owner is replaced, and does not come back", nodes::frozen),
    ("a stopped owner is replaced, and does not come back", nodes::stopped),
    ("a killed owner is replaced, and does not come back", nodes::killed),
    ("an owner is replaced while there is no API server", nodes::without_api_server),
    ("a speaker that starts answers soon", figures::start),
    ("everything of Landfall's can be deleted, in either order", deletion::both_orders),
];

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("kind-e2e: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let start = Instant::now();
    let mut run = Run::open().context("there is no kind cluster within reach: this runs by `make kind-e2e`")?;
    for (rule, step) in STEPS {
        println!("kind-e2e: {:>4.0} s  {rule}", start.elapsed().as_secs_f64());
        if let Err(error) = step(&mut run) {
            run.explain();
            return Err(error.context(format!("not kept: {rule}")));
        }
    }
    println!("kind-e2e: {:>4.0} s  done", start.elapsed().as_secs_f64());
    figures::tell(&run, start.elapsed())
}
