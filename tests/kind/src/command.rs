//! Commands by their words, run to their end.

use anyhow::{Context, Result};
use landfall_sandbox::command;
use std::process::Command;

/// Runs a command and returns its standard output.
///
/// # Errors
/// Where it cannot be started or fails; the message has its standard error.
pub fn run(argv: &[&str]) -> Result<String> {
    command::output(&mut of(argv)?)
}

/// The same, with text on its standard input.
///
/// # Errors
/// Where it cannot be started or fails; the message has its standard error.
pub fn run_with(argv: &[&str], input: &str) -> Result<String> {
    command::with_input(&mut of(argv)?, input)
}

fn of(argv: &[&str]) -> Result<Command> {
    let (program, arguments) = argv.split_first().context("an empty command")?;
    let mut command = Command::new(program);
    command.args(arguments);
    Ok(command)
}
