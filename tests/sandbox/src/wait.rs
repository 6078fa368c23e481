//! Waiting for something to become true, with a deadline and a message that tells how far it got.

use std::{
    fmt, thread,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};

/// An error that ends a wait at once: what is waited for cannot happen any more.
#[derive(Debug)]
pub struct GiveUp(pub String);

impl fmt::Display for GiveUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for GiveUp {}

/// Tries `check` until it succeeds and returns what it returns. An error means "not yet", and tells the state that was seen;
/// a [`GiveUp`] means "never".
///
/// # Errors
/// At the end of `timeout`: what was waited for, and the last error.
pub fn wait_for<T>(what: &str, timeout: Duration, mut check: impl FnMut() -> Result<T>) -> Result<T> {
    let deadline = Instant::now() + timeout;
    loop {
        match check() {
            Ok(value) => return Ok(value),
            Err(error) if error.is::<GiveUp>() => return Err(error.context(format!("waiting for {what}"))),
            Err(error) if Instant::now() >= deadline => {
                bail!("waited {timeout:?} in vain for {what}; at last: {error:#}")
            }
            Err(_) => thread::sleep(Duration::from_millis(20)),
        }
    }
}
