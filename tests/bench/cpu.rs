//! How much of a core a process takes.

use anyhow::{Context, Result};
use landfall_sandbox::Process;
use std::{
    fs,
    time::{Duration, Instant},
};

/// What /proc counts in: USER_HZ is 100 on every architecture that Kubernetes runs on.
const TICK: Duration = Duration::from_millis(10);

/// A process from some moment on.
#[derive(Debug)]
pub struct Cpu {
    pid: u32,
    start: Instant,
    ticks: u32,
}

impl Cpu {
    /// From now on.
    ///
    /// # Errors
    /// Where it does not run.
    pub fn of(process: &Process) -> Result<Self> {
        let pid = process.pid().with_context(|| format!("{} does not run", process.name()))?;
        Ok(Self { pid, start: Instant::now(), ticks: ticks(pid)? })
    }

    /// Since then, in percent of one core, in user mode and in the kernel.
    ///
    /// # Errors
    /// Where it runs no more.
    pub fn percent(&self) -> Result<f64> {
        let took = TICK * ticks(self.pid)?.saturating_sub(self.ticks);
        Ok(100.0 * took.as_secs_f64() / self.start.elapsed().as_secs_f64())
    }
}

/// utime and stime.
fn ticks(pid: u32) -> Result<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name may have spaces and parentheses; what follows it has none.
    let (_, rest) = stat.rsplit_once(')').context("no name in /proc/PID/stat")?;
    let mut times = rest.split_whitespace().skip(11).map(str::parse::<u32>);
    let mut next = || times.next().context("/proc/PID/stat is short")?.context("no number");
    Ok(next()? + next()?)
}
