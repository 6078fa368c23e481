//! Time that only goes forward, and goes on while the machine sleeps.

use nix::time::{ClockId, clock_gettime};
use std::time::Duration;

/// Time since the machine's boot, suspension included: a lease does not stop running out because its holder was asleep.
pub fn since_boot() -> Duration {
    // The clock is there on every Linux that runs; elsewhere the monotonic one stands in for it.
    #[cfg(target_os = "linux")]
    const CLOCK: ClockId = ClockId::CLOCK_BOOTTIME;
    #[cfg(not(target_os = "linux"))]
    const CLOCK: ClockId = ClockId::CLOCK_MONOTONIC;
    clock_gettime(CLOCK).map_or(Duration::ZERO, Duration::from)
}

#[cfg(test)]
mod tests {
    #[test]
    fn time_goes_forward() {
        let before = super::since_boot();
        assert!(before > std::time::Duration::ZERO && super::since_boot() >= before);
    }
}
