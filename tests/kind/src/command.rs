//! Commands run to their end, with an error that says what was run and what it printed.

use anyhow::{Context, Result, bail};
use std::{
    io::Write,
    process::{Command, Stdio},
};

/// Runs a command and returns its standard output.
///
/// # Errors
/// Where it cannot be started or fails; the message has its standard error.
pub fn run(argv: &[&str]) -> Result<String> {
    run_with(argv, "")
}

/// The same, with text on its standard input.
///
/// # Errors
/// Where it cannot be started or fails; the message has its standard error.
pub fn run_with(argv: &[&str], input: &str) -> Result<String> {
    let what = argv.join(" ");
    let (program, arguments) = argv.split_first().context("an empty command")?;
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().with_context(|| format!("cannot start {what}"))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A command that ends without reading everything tells why by its status.
        let _ = stdin.write_all(input.as_bytes());
    }
    let output = child.wait_with_output()?;
    if !output.status.success() {
        bail!("{what}: {}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
