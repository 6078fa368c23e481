//! How late this speaker's timers are: on a node whose processors are all busy everything is late, and who is late himself must
//! not take others for dead. Each tells the others, who are patient with it.

use std::time::Duration;

/// The worst of late.
#[derive(Debug, Default)]
pub(super) struct Lateness {
    worst: Duration,
    until: Duration,
}

impl Lateness {
    /// A timer that was due at `due` ran at `now`. What was worse counts for as long as `keep`.
    pub fn note(&mut self, due: Duration, now: Duration, keep: Duration) {
        let late = now.saturating_sub(due);
        if late >= self.worst || self.until <= now {
            (self.worst, self.until) = (late, now + keep);
        }
    }

    /// The worst of late.
    pub fn get(&self) -> Duration {
        self.worst
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_of_late_counts() {
        let ms = Duration::from_millis;
        let mut lateness = Lateness::default();
        for (due, now, worst) in
            [(10, 15, 5), (100, 101, 5), (200, 230, 30), (1000, 1001, 30), (1200, 1202, 30), (1230, 1232, 2)]
        {
            lateness.note(ms(due), ms(now), ms(1000));
            assert_eq!(lateness.get(), ms(worst), "at {now}");
        }
    }
}
