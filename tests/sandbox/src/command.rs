//! Short commands: run to their end, with an error that says what was run and what it printed.

use std::{
    io::Write,
    process::{Command, Output, Stdio},
};

use anyhow::{Context, Result, bail};

/// Runs to the end and returns standard output.
///
/// # Errors
/// When it cannot be started or fails; the message has its standard error.
pub fn output(command: &mut Command) -> Result<String> {
    let what = describe(command);
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot start {what}"))?;
    finish(&what, output)
}

/// The same, with text on standard input.
///
/// # Errors
/// When it cannot be started or fails; the message has its standard error.
pub fn with_input(command: &mut Command, input: &str) -> Result<String> {
    let what = describe(command);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {what}"))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A command that ends without reading everything tells why by its status.
        let _ = stdin.write_all(input.as_bytes());
    }
    finish(&what, child.wait_with_output()?)
}

fn finish(what: &str, output: Output) -> Result<String> {
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{what}: {}: {}", output.status, said.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn describe(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
