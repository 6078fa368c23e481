//! What the processes hold.

use anyhow::{Context, Result};
use landfall_sandbox::Process;
use std::fs;

/// Resident and proportional set size of a process, in KiB.
#[derive(Debug, Clone, Copy)]
pub struct Memory {
    /// Pages in memory.
    pub rss: u64,
    /// The same, with shared pages split among those that share them.
    pub pss: u64,
}

impl Memory {
    /// Of a process that runs.
    ///
    /// # Errors
    /// Where it does not.
    pub fn of(process: &Process) -> Result<Self> {
        let pid = process.pid().with_context(|| format!("{} does not run", process.name()))?;
        let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
        let kib = |name: &str| {
            let line = rollup.lines().find(|line| line.starts_with(name));
            let value = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
            value.with_context(|| format!("no {name} in smaps_rollup"))
        };
        Ok(Self { rss: kib("Rss:")?, pss: kib("Pss:")? })
    }
}
