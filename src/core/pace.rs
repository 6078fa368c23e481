//! How fast something may go on: so many at once after a quiet time, then one in each interval.

use std::time::Duration;

/// A bucket that fills with time, and that each thing done takes one from.
#[derive(Debug, Clone)]
pub struct Pace {
    interval: Duration,
    burst: u32,
    /// When the bucket would be full again: each thing done moves it on by the interval.
    full: Duration,
}

impl Pace {
    /// `burst` things at once, and one every `interval`.
    pub const fn new(interval: Duration, burst: u32) -> Self {
        Self { interval, burst, full: Duration::ZERO }
    }

    /// From when on there is room for one more. Times are a clock's that only moves forward.
    pub fn room_at(&self) -> Duration {
        (self.full + self.interval).saturating_sub(self.interval * self.burst)
    }

    /// One is done.
    pub fn take(&mut self, now: Duration) {
        self.full = self.full.max(now) + self.interval;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_goes_at_once_and_then_one_in_each_interval() {
        let ms = Duration::from_millis;
        let mut pace = Pace::new(ms(4), 3);
        let mut now = ms(1_000);
        let mut times = Vec::new();
        for _ in 0..5 {
            now = now.max(pace.room_at());
            pace.take(now);
            times.push(now - ms(1_000));
        }
        assert_eq!(times, [ms(0), ms(0), ms(0), ms(4), ms(8)]);
    }
}
