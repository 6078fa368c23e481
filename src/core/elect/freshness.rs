//! Whether this speaker's watches have fallen behind those of the others. A watch can be stuck without an error: on a connection that
//! is dead and not yet known to be, or at an API server that is behind itself. An owner that does not hear that its endpoints are gone
//! would go on answering, and a live owner leaves by its own word alone: so each frame tells how much its sender has seen, and who has
//! seen less asks the API server anew.

use super::Timing;
use std::time::Duration;

/// Versions, as Kubernetes counts them.
#[derive(Debug, Default)]
pub(super) struct Freshness {
    /// The newest that this speaker has seen, or has asked for.
    seen: u64,
    /// A newer one that another has seen, and when it is to be asked for.
    ahead: Option<(u64, Duration)>,
    /// Not before this is asked again.
    rests: Duration,
}

impl Freshness {
    pub fn seen(&self) -> u64 {
        self.seen
    }

    /// This speaker has seen this version.
    pub fn see(&mut self, version: u64) {
        self.seen = self.seen.max(version);
        self.ahead = self.ahead.filter(|(ahead, _)| *ahead > self.seen);
    }

    /// Another has. It takes a moment until all have.
    pub fn hear(&mut self, version: u64, timing: &Timing, now: Duration) {
        if version > self.seen && self.ahead.is_none() {
            self.ahead = Some((version, (now + timing.behind).max(self.rests)));
        }
    }

    pub fn deadline(&self) -> Option<Duration> {
        self.ahead.map(|(_, at)| at)
    }

    /// The version that the API server is to be asked for now. What it says then is no older.
    pub fn run(&mut self, timing: &Timing, now: Duration) -> Option<u64> {
        let (version, _) = self.ahead.filter(|(_, at)| *at <= now)?;
        self.see(version);
        self.rests = now + timing.behind_again;
        Some(version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn who_catches_up_in_time_asks_for_nothing() {
        let (timing, mut freshness) = (Timing::default(), Freshness::default());
        freshness.see(10);
        freshness.hear(10, &timing, ms(0));
        freshness.hear(9, &timing, ms(0));
        assert_eq!(freshness.deadline(), None);
        freshness.hear(12, &timing, ms(100));
        freshness.see(11);
        assert_eq!(freshness.deadline(), Some(ms(1_100)));
        freshness.see(12);
        assert_eq!((freshness.deadline(), freshness.run(&timing, ms(2_000))), (None, None));
    }

    #[test]
    fn who_stays_behind_asks_once_and_seldom() {
        let (timing, mut freshness) = (Timing::default(), Freshness::default());
        freshness.hear(12, &timing, ms(100));
        freshness.hear(13, &timing, ms(900));
        assert_eq!(freshness.run(&timing, ms(1_099)), None);
        assert_eq!(freshness.run(&timing, ms(1_100)), Some(12));
        freshness.hear(12, &timing, ms(1_200));
        assert_eq!(freshness.deadline(), None, "what was asked for is no news");
        freshness.hear(13, &timing, ms(1_200));
        assert_eq!(freshness.deadline(), Some(ms(31_100)));
        assert_eq!((freshness.run(&timing, ms(31_100)), freshness.seen()), (Some(13), 13));
    }
}
