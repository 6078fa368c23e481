//! Landfall as a user installs it, in real pods on a real kind cluster, asked by a host beside it.
//!
//! It wants a cluster that Landfall's image is loaded into:
//! ```text
//! tests/kind/lab up && tests/kind/lab load IMAGE.tar
//! cargo --config "target.'cfg(all())'.runner=['tests/kind/lab', 'run']" test --package landfall-kind --test e2e
//! ```
//! The steps run in this order on one cluster, each a rule that is kept; what one leaves the next one finds.
//! What was measured is printed at the end.

mod examples;
mod figures;
mod installation;
mod rollout;
mod run;

use anyhow::{Context, Result};
use run::Run;
use std::{process::ExitCode, time::Instant};

type Step = fn(&mut Run) -> Result<()>;

const STEPS: [(&str, Step); 9] = [
    ("the manifests install both components as they are", installation::installs),
    ("the controller is nobody and has no capability", installation::controller_is_restricted),
    ("the speaker has NET_RAW and nothing else", installation::speaker_is_restricted),
    ("nothing listens on any port", installation::nothing_listens),
    ("every example does what it says", examples::all),
    ("memory at rest is told", figures::memory),
    ("nothing is lost while nothing happens", rollout::nothing),
    ("a rolling update of the speakers loses no datagram", rollout::speakers),
    ("a rolling update of the controllers loses no datagram", rollout::controllers),
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
    let mut run = Run::open().context("there is no kind cluster within reach: start one by `tests/kind/lab up`")?;
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
