//! From the start of a speaker's process to its first answer, by one clock: the kernel's count since boot.

use crate::client::Host;
use anyhow::{Context, Result, anyhow};
use landfall_bench::lan::Asker;
use nix::time::{ClockId, clock_gettime};
use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

/// Between two questions; as exact as the first answer is known.
const QUESTION: Duration = Duration::from_millis(2);

/// Asks for one address all the time, and remembers when each answer came.
#[derive(Debug)]
pub struct Answers {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<Result<Vec<Duration>>>>,
}

impl Answers {
    /// Asks from now on.
    pub fn start(client: &Host, vip: IpAddr) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopping = stop.clone();
        let thread = client.spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(ask(vip, &stopping))
        });
        Self { stop, thread }
    }

    /// Stops, and tells how long after `moment` the first answer came.
    ///
    /// # Errors
    /// Where none came after it.
    pub fn first_after(self, moment: Duration) -> Result<Duration> {
        self.stop.store(true, Ordering::Relaxed);
        let answers = self.thread.join().map_err(|_| anyhow!("the asking thread panicked"))???;
        let first = answers.into_iter().find(|answer| *answer > moment).context("nobody has answered since")?;
        Ok(first - moment)
    }
}

async fn ask(vip: IpAddr, stop: &AtomicBool) -> Result<Vec<Duration>> {
    let mut asker = Asker::open().await?;
    let mut answers = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        if asker.ask(vip, QUESTION).await?.is_some() {
            answers.push(since_boot()?);
            tokio::time::sleep(QUESTION).await;
        }
    }
    Ok(answers)
}

/// Now, by the clock that `/proc/PID/stat` counts a process's start by.
///
/// # Errors
/// Where the kernel has no such clock.
pub fn since_boot() -> Result<Duration> {
    Ok(clock_gettime(ClockId::CLOCK_BOOTTIME)?.into())
}
