//! Arguments, logging, run.

use anyhow::Context;
use clap::{Parser, Subcommand};
use landfall::{
    controller::{self, ControllerArgs},
    ops::{logging, shutdown},
    speaker::{self, SpeakerArgs},
};
use std::{path::PathBuf, process::ExitCode};
use tokio_util::sync::CancellationToken;

/// External addresses for Services of type LoadBalancer, on clusters without a cloud.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    /// Log as JSON; RUST_LOG selects what is logged
    #[arg(long, global = true)]
    log_json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Gives Services their addresses
    Controller(ControllerArgs),
    /// Answers for them on this node's networks
    Speaker(SpeakerArgs),
    /// Checks a configuration and names every error with its line
    Check {
        /// The ConfigMap's manifest, or the text of its key config.yaml alone
        file: PathBuf,
    },
}

fn main() -> anyhow::Result<ExitCode> {
    let args = Args::parse();
    logging::start(args.log_json);
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        anyhow::bail!("a TLS provider is installed already");
    }
    match args.command {
        Command::Controller(args) => run(async |shutdown| controller::run(args, shutdown).await),
        Command::Speaker(args) => run(async |shutdown| speaker::run(args, shutdown).await),
        Command::Check { file } => check(&file),
    }
}

fn run(program: impl AsyncFnOnce(CancellationToken) -> anyhow::Result<()>) -> anyhow::Result<ExitCode> {
    // One thread: thousands of small calls cost less where no thread has to wake another. What must not wait is on the LAN's own.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.context("starting the runtime")?;
    runtime.block_on(async { program(shutdown::on_signal()?).await })?;
    Ok(ExitCode::SUCCESS)
}

fn check(file: &PathBuf) -> anyhow::Result<ExitCode> {
    let name = file.display();
    let text = std::fs::read_to_string(file).with_context(|| format!("reading {name}"))?;
    match landfall_core::config::parse_file(&text) {
        Ok(parsed) => {
            parsed.warnings.iter().for_each(|warning| println!("{name}: warning: {warning}"));
            println!("{name}: correct, {}", parsed.config.summary());
            Ok(ExitCode::SUCCESS)
        }
        Err(errors) => {
            errors.iter().for_each(|error| println!("{name}: error: {error}"));
            Ok(ExitCode::FAILURE)
        }
    }
}
