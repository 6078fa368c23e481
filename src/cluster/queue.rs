//! In which order, how many at once, and how soon again objects are written.
//!
//! Pure: keys and `now` go in, the next key comes out. A key stands for "this object wants another look": what is written is
//! planned from the newest state at the moment of sending, so a key waits at most once, and the queue is as long as there are
//! objects. A conflict waits for the newer object and otherwise a little, a failure longer each time, and an object that
//! somebody else keeps changing back is written ever more rarely instead of being fought over.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// There was nothing to write.
    Unneeded,
    /// It was written.
    Written,
    /// The object had changed meanwhile: plan again from the newest.
    Conflict,
    /// The server is busy: nothing is to be sent for so long.
    Busy(Duration),
    /// It failed otherwise.
    Failed,
}

/// After a conflict: how long to wait for the newer object.
const CONFLICT: Duration = Duration::from_millis(200);
/// After the first failure; each further one doubles it, up to the second.
const FAILURE: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(10)];
/// A write that comes sooner than this after the object could be written again belongs to the same streak.
const STREAK: Duration = Duration::from_secs(10);
/// So many writes in one streak are nobody's fight.
const FREE: u32 = 4;
/// No rest is longer.
const LONGEST: Duration = Duration::from_secs(60);

/// Keys that want to be written.
#[derive(Debug)]
pub struct Queue<K> {
    entries: BTreeMap<K, Entry>,
    /// Wanted and not flying: when it may go, then first come, first served.
    ready: BTreeSet<(Duration, u64, K)>,
    arrivals: u64,
    flying: usize,
    limit: usize,
    paused: Duration,
}

#[derive(Debug, Default)]
struct Entry {
    /// Its place in `ready`.
    place: Option<(Duration, u64)>,
    flying: bool,
    /// It was wanted again while it flew.
    again: bool,
    not_before: Duration,
    /// `not_before` is only for want of a newer object.
    soft: bool,
    failures: u32,
    streak: u32,
    written: Duration,
}

impl<K: Ord + Clone> Queue<K> {
    /// A queue that lets `limit` keys fly at once.
    pub fn new(limit: usize) -> Self {
        let (entries, ready) = (BTreeMap::new(), BTreeSet::new());
        Self { entries, ready, arrivals: 0, flying: 0, limit, paused: Duration::ZERO }
    }

    /// `key` wants another look; `newer`: because its object changed.
    pub fn push(&mut self, key: &K, newer: bool) {
        let entry = self.entries.entry(key.clone()).or_default();
        if newer && entry.soft {
            (entry.not_before, entry.soft) = (Duration::ZERO, false);
            if let Some((at, order)) = entry.place.take() {
                self.ready.remove(&(at, order, key.clone()));
            }
        }
        if entry.flying {
            entry.again = true;
        } else if entry.place.is_none() {
            self.arrivals += 1;
            let place = (entry.not_before, self.arrivals);
            entry.place = Some(place);
            self.ready.insert((place.0, place.1, key.clone()));
        }
    }

    /// The object of `key` is gone.
    pub fn forget(&mut self, key: &K) {
        if let Some(entry) = self.entries.remove(key) {
            self.flying -= usize::from(entry.flying);
            if let Some((at, order)) = entry.place {
                self.ready.remove(&(at, order, key.clone()));
            }
        }
    }

    /// The next key to look at now; it flies until [`Queue::done`].
    pub fn next(&mut self, now: Duration) -> Option<K> {
        if self.flying >= self.limit || now < self.paused || self.ready.first()?.0 > now {
            return None;
        }
        let (.., key) = self.ready.pop_first()?;
        if let Some(entry) = self.entries.get_mut(&key) {
            (entry.place, entry.flying, entry.again) = (None, true, false);
            self.flying += 1;
        }
        Some(key)
    }

    /// When [`Queue::next`] has something without a further event; `None`: only after one.
    pub fn deadline(&self) -> Option<Duration> {
        let (at, ..) = self.ready.first().filter(|_| self.flying < self.limit)?;
        Some((*at).max(self.paused))
    }

    /// The flight of `key` ended.
    pub fn done(&mut self, key: &K, outcome: Outcome, now: Duration) {
        let Some(entry) = self.entries.get_mut(key).filter(|entry| entry.flying) else { return };
        entry.flying = false;
        self.flying -= 1;
        let mut again = entry.again;
        (entry.not_before, entry.soft) = (Duration::ZERO, false);
        if !matches!(outcome, Outcome::Failed) {
            entry.failures = 0;
        }
        match outcome {
            Outcome::Unneeded => {}
            Outcome::Written => {
                let near = entry.streak > 0 && now.saturating_sub(entry.written) < STREAK + entry.rest();
                entry.streak = if near { entry.streak.saturating_add(1) } else { 1 };
                entry.written = now;
                entry.not_before = now + entry.rest();
            }
            Outcome::Conflict => {
                // A newer object that came during the flight is what the conflict was about.
                if !again {
                    (entry.not_before, entry.soft) = (now + CONFLICT, true);
                }
                again = true;
            }
            Outcome::Busy(pause) => {
                self.paused = self.paused.max(now + pause.min(LONGEST));
                again = true;
            }
            Outcome::Failed => {
                entry.not_before = now + doubled(FAILURE[0], entry.failures).min(FAILURE[1]);
                entry.failures = entry.failures.saturating_add(1);
                again = true;
            }
        }
        if again {
            self.push(key, false);
        }
    }
}

impl Entry {
    /// How long an object rests after a write of a streak.
    fn rest(&self) -> Duration {
        self.streak.checked_sub(FREE).map_or(Duration::ZERO, |over| doubled(Duration::from_secs(1), over))
    }
}

fn doubled(first: Duration, times: u32) -> Duration {
    first.saturating_mul(1 << times.min(16)).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn queue(limit: usize, keys: &[&'static str]) -> Queue<&'static str> {
        let mut queue = Queue::new(limit);
        keys.iter().for_each(|key| queue.push(key, true));
        queue
    }

    #[test]
    fn keys_go_in_order_of_arrival_once_each() {
        let mut queue = queue(9, &["b", "a", "b", "c"]);
        let order: Vec<_> = std::iter::from_fn(|| queue.next(ms(0))).collect();
        assert_eq!(order, ["b", "a", "c"]);
    }

    #[test]
    fn no_more_than_the_limit_fly() {
        let mut queue = queue(2, &["a", "b", "c"]);
        assert_eq!((queue.next(ms(0)), queue.next(ms(0)), queue.next(ms(0))), (Some("a"), Some("b"), None));
        assert_eq!(queue.deadline(), None);
        queue.done(&"b", Outcome::Written, ms(1));
        assert_eq!(queue.next(ms(1)), Some("c"));
    }

    #[test]
    fn a_key_that_is_wanted_in_flight_flies_again_afterwards() {
        let mut queue = queue(9, &["a"]);
        queue.next(ms(0));
        queue.push(&"a", true);
        assert_eq!(queue.next(ms(0)), None);
        queue.done(&"a", Outcome::Written, ms(1));
        assert_eq!(queue.next(ms(1)), Some("a"));
        queue.done(&"a", Outcome::Unneeded, ms(2));
        assert_eq!((queue.next(ms(2)), queue.deadline()), (None, None));
    }

    #[test]
    fn a_conflict_waits_for_the_newer_object_and_else_a_little() {
        let mut queue = queue(9, &["a"]);
        queue.next(ms(0));
        queue.done(&"a", Outcome::Conflict, ms(0));
        assert_eq!((queue.next(ms(0)), queue.deadline()), (None, Some(CONFLICT)));
        queue.push(&"a", true);
        assert_eq!(queue.next(ms(1)), Some("a"));
        queue.push(&"a", true);
        queue.done(&"a", Outcome::Conflict, ms(2));
        assert_eq!(queue.next(ms(2)), Some("a"));
        queue.done(&"a", Outcome::Conflict, ms(3));
        assert_eq!(queue.next(ms(3) + CONFLICT), Some("a"));
    }

    #[test]
    fn a_failure_waits_longer_each_time_whatever_happens_to_the_object() {
        let mut queue = queue(9, &["a"]);
        let mut now = ms(0);
        for wait in [500, 1000, 2000, 4000, 8000, 10_000, 10_000] {
            assert_eq!(queue.next(now), Some("a"));
            queue.done(&"a", Outcome::Failed, now);
            queue.push(&"a", true);
            assert_eq!(queue.deadline(), Some(now + ms(wait)));
            now += ms(wait);
        }
        assert_eq!(queue.next(now), Some("a"));
        queue.done(&"a", Outcome::Written, now);
        queue.push(&"a", true);
        assert_eq!(queue.next(now), Some("a"));
    }

    #[test]
    fn a_busy_server_is_left_alone() {
        let mut queue = queue(9, &["a", "b"]);
        queue.next(ms(0));
        queue.done(&"a", Outcome::Busy(ms(700)), ms(0));
        assert_eq!((queue.next(ms(699)), queue.deadline()), (None, Some(ms(700))));
        assert_eq!((queue.next(ms(700)), queue.next(ms(700))), (Some("b"), Some("a")));
    }

    #[test]
    fn an_object_that_is_always_changed_back_is_written_ever_more_rarely() {
        let mut queue = queue(9, &["a"]);
        let (mut now, mut writes) = (ms(0), 0);
        while now < Duration::from_secs(600) {
            while queue.next(now).is_some() {
                writes += 1;
                queue.done(&"a", Outcome::Written, now);
                queue.push(&"a", true);
            }
            now += ms(100);
        }
        assert!((10..25).contains(&writes), "{writes}");
        // Left alone for a while, it is written at once again.
        queue.forget(&"a");
        queue.push(&"a", true);
        assert_eq!(queue.next(now), Some("a"));
    }

    #[test]
    fn what_is_gone_neither_flies_nor_counts() {
        let mut queue = queue(1, &["a", "b"]);
        assert_eq!(queue.next(ms(0)), Some("a"));
        queue.forget(&"a");
        assert_eq!(queue.next(ms(0)), Some("b"));
        queue.done(&"a", Outcome::Failed, ms(0));
        queue.done(&"b", Outcome::Written, ms(0));
        assert_eq!((queue.next(ms(9999)), queue.deadline()), (None, None));
    }
}
