//! In which order, how many at once, and how soon again objects are written.
//!
//! Pure: keys and `now` go in, the next key comes out. A key stands for "this object wants another look": what is written is
//! planned from the newest state at the moment of sending, so a key waits at most once, and the queue is as long as there are
//! objects that were looked at lately: the others are forgotten. A conflict waits for the newer object and otherwise a little, a
//! failure longer each time, and an object that somebody else keeps changing back is written ever more rarely instead of being
//! fought over. What is urgent goes first.

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

/// A key that was let go; its end is to be told to [`Queue::done`]. An object that is made anew under the name of one that
/// is gone has flights of its own.
#[derive(Debug, PartialEq, Eq)]
pub struct Flight<K> {
    /// Whose.
    pub key: K,
    /// How often it has failed before, one time after the other.
    pub failures: u32,
    number: u64,
}

type Waiting<K> = BTreeSet<(Duration, u64, K)>;

/// Keys that want to be written.
#[derive(Debug)]
pub struct Queue<K> {
    entries: BTreeMap<K, Entry>,
    /// Wanted and not flying: when it may go, then first come, first served.
    ready: Waiting<K>,
    /// The same of what is urgent: once it may go, it goes before all that is ready.
    urgent: Waiting<K>,
    arrivals: u64,
    departures: u64,
    flying: usize,
    limit: usize,
    paused: Duration,
    /// When entries are looked at again for what can be forgotten.
    sweep: Duration,
}

#[derive(Debug, Default)]
struct Entry {
    /// Its place in `ready`, or in `urgent`.
    place: Option<(Duration, u64)>,
    /// The number of its flight.
    flying: Option<u64>,
    /// It was wanted again while it flew.
    again: bool,
    /// It goes before those that arrived earlier, until a write that began later has succeeded.
    urgent: bool,
    /// It was urgent already when it was let go.
    flies_urgent: bool,
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
        let (entries, ready, urgent) = (BTreeMap::new(), BTreeSet::new(), BTreeSet::new());
        let (paused, sweep) = (Duration::ZERO, Duration::ZERO);
        Self { entries, ready, urgent, arrivals: 0, departures: 0, flying: 0, limit, paused, sweep }
    }

    /// `key` wants another look; `newer`: because its object changed.
    pub fn push(&mut self, key: &K, newer: bool) {
        let entry = self.entries.entry(key.clone()).or_default();
        if newer && entry.soft {
            (entry.not_before, entry.soft) = (Duration::ZERO, false);
            self.displace(key);
        }
        self.place(key);
    }

    /// `key` goes before all that are not urgent, as soon as it may; it has been pushed.
    pub fn hurry(&mut self, key: &K) {
        let waits = self.displace(key);
        if let Some(entry) = self.entries.get_mut(key) {
            entry.urgent = true;
        }
        if waits {
            self.place(key);
        }
    }

    /// Has `key` wait, or fly again once its flight has ended.
    fn place(&mut self, key: &K) {
        let Some(entry) = self.entries.get_mut(key) else { return };
        if entry.flying.is_some() {
            entry.again = true;
        } else if entry.place.is_none() {
            self.arrivals += 1;
            entry.place = Some((entry.not_before, self.arrivals));
            let waiting = if entry.urgent { &mut self.urgent } else { &mut self.ready };
            waiting.insert((entry.not_before, self.arrivals, key.clone()));
        }
    }

    /// Has `key` wait no more. Whether it did.
    fn displace(&mut self, key: &K) -> bool {
        let Some((at, order)) = self.entries.get_mut(key).and_then(|entry| entry.place.take()) else { return false };
        let place = (at, order, key.clone());
        self.ready.remove(&place) || self.urgent.remove(&place)
    }

    /// How many keys wait, those that rest among them.
    pub fn waiting(&self) -> usize {
        self.ready.len() + self.urgent.len()
    }

    /// Whether `key` waits, flies, or was written lately.
    pub fn knows(&self, key: &K) -> bool {
        self.entries.contains_key(key)
    }

    /// The object of `key` is gone.
    pub fn forget(&mut self, key: &K) {
        self.displace(key);
        if let Some(entry) = self.entries.remove(key) {
            self.flying -= usize::from(entry.flying.is_some());
        }
    }

    /// The next key to look at now; it flies until [`Queue::done`].
    pub fn next(&mut self, now: Duration) -> Option<Flight<K>> {
        if now >= self.sweep {
            self.entries.retain(|_, entry| entry.matters(now));
            self.sweep = now + STREAK;
        }
        if self.flying >= self.limit || now < self.paused {
            return None;
        }
        let is_due = |waiting: &Waiting<K>| waiting.first().is_some_and(|(at, ..)| *at <= now);
        let (.., key) = [&mut self.urgent, &mut self.ready].into_iter().find(|it| is_due(it))?.pop_first()?;
        self.departures += 1;
        let (number, mut failures) = (self.departures, 0);
        if let Some(entry) = self.entries.get_mut(&key) {
            failures = entry.failures;
            (entry.place, entry.flying, entry.again) = (None, Some(number), false);
            entry.flies_urgent = std::mem::take(&mut entry.urgent);
            self.flying += 1;
        }
        Some(Flight { key, failures, number })
    }

    /// When [`Queue::next`] has something without a further event; `None`: only after one.
    pub fn deadline(&self) -> Option<Duration> {
        let firsts = [self.urgent.first(), self.ready.first()];
        let (at, ..) = firsts.into_iter().flatten().min().filter(|_| self.flying < self.limit)?;
        Some((*at).max(self.paused))
    }

    /// A flight ended. Says whether it still mattered: not, when its object had gone before.
    pub fn done(&mut self, flight: &Flight<K>, outcome: Outcome, now: Duration) -> bool {
        let Flight { key, number, .. } = flight;
        let Some(entry) = self.entries.get_mut(key).filter(|entry| entry.flying == Some(*number)) else { return false };
        entry.flying = None;
        self.flying -= 1;
        let mut again = entry.again;
        (entry.not_before, entry.soft) = (Duration::ZERO, false);
        if !matches!(outcome, Outcome::Failed) {
            entry.failures = 0;
        }
        entry.urgent |= entry.flies_urgent && !matches!(outcome, Outcome::Unneeded | Outcome::Written);
        match outcome {
            Outcome::Unneeded => {}
            Outcome::Written => {
                entry.streak = if entry.is_in_streak(now) { entry.streak.saturating_add(1) } else { 1 };
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
        } else if !entry.matters(now) {
            self.entries.remove(key);
        }
        true
    }
}

impl Entry {
    /// Whether a write at `now` belongs to the streak of the last one.
    fn is_in_streak(&self, now: Duration) -> bool {
        self.streak > 0 && now.saturating_sub(self.written) < STREAK + self.rest()
    }

    /// Whether a new entry would not do as well.
    fn matters(&self, now: Duration) -> bool {
        self.place.is_some() || self.flying.is_some() || self.is_in_streak(now)
    }

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

    /// The next flight, which has to be of `key`.
    fn fly(queue: &mut Queue<&'static str>, key: &'static str, now: Duration) -> Flight<&'static str> {
        let flight = queue.next(now).unwrap();
        assert_eq!(flight.key, key);
        flight
    }

    #[test]
    fn keys_go_in_order_of_arrival_once_each() {
        let mut queue = queue(9, &["b", "a", "b", "c"]);
        assert_eq!(queue.waiting(), 3);
        let order: Vec<_> = std::iter::from_fn(|| queue.next(ms(0))).map(|flight| flight.key).collect();
        assert_eq!((order, queue.waiting()), (vec!["b", "a", "c"], 0));
    }

    #[test]
    fn what_is_urgent_goes_first_even_after_a_conflict() {
        let mut queue = queue(9, &["a", "b", "c", "d"]);
        queue.hurry(&"c");
        let c = fly(&mut queue, "c", ms(0));
        queue.push(&"c", true);
        queue.hurry(&"c");
        queue.done(&c, Outcome::Conflict, ms(0));
        let c = fly(&mut queue, "c", ms(0));
        // Until it is written.
        queue.push(&"c", true);
        queue.done(&c, Outcome::Written, ms(0));
        let order: Vec<_> = std::iter::from_fn(|| queue.next(ms(0))).map(|flight| flight.key).collect();
        assert_eq!(order, ["a", "b", "d", "c"]);
    }

    #[test]
    fn what_is_urgent_goes_first_once_it_may_also_after_it_failed() {
        let mut queue = queue(1, &["a", "b", "c"]);
        queue.hurry(&"b");
        let b = fly(&mut queue, "b", ms(0));
        queue.done(&b, Outcome::Failed, ms(0));
        assert_eq!(queue.deadline(), Some(ms(0)), "the others may go meanwhile");
        let a = fly(&mut queue, "a", ms(0));
        queue.done(&a, Outcome::Written, ms(500));
        fly(&mut queue, "b", ms(500));
    }

    #[test]
    fn what_becomes_urgent_while_it_is_written_goes_first_afterwards() {
        let mut queue = queue(1, &["a", "b"]);
        let a = fly(&mut queue, "a", ms(0));
        queue.push(&"a", true);
        queue.hurry(&"a");
        queue.done(&a, Outcome::Written, ms(1));
        fly(&mut queue, "a", ms(1));
    }

    #[test]
    fn no_more_than_the_limit_fly() {
        let mut queue = queue(2, &["a", "b", "c"]);
        let _a = fly(&mut queue, "a", ms(0));
        let b = fly(&mut queue, "b", ms(0));
        assert_eq!((queue.next(ms(0)), queue.deadline()), (None, None));
        queue.done(&b, Outcome::Written, ms(1));
        fly(&mut queue, "c", ms(1));
    }

    #[test]
    fn a_key_that_is_wanted_in_flight_flies_again_afterwards() {
        let mut queue = queue(9, &["a"]);
        let first = fly(&mut queue, "a", ms(0));
        queue.push(&"a", true);
        assert_eq!(queue.next(ms(0)), None);
        queue.done(&first, Outcome::Written, ms(1));
        let second = fly(&mut queue, "a", ms(1));
        queue.done(&second, Outcome::Unneeded, ms(2));
        assert_eq!((queue.next(ms(2)), queue.deadline()), (None, None));
    }

    #[test]
    fn a_conflict_waits_for_the_newer_object_and_else_a_little() {
        let mut queue = queue(9, &["a"]);
        let flight = fly(&mut queue, "a", ms(0));
        queue.done(&flight, Outcome::Conflict, ms(0));
        assert_eq!((queue.next(ms(0)), queue.deadline()), (None, Some(CONFLICT)));
        queue.push(&"a", true);
        let flight = fly(&mut queue, "a", ms(1));
        queue.push(&"a", true);
        queue.done(&flight, Outcome::Conflict, ms(2));
        let flight = fly(&mut queue, "a", ms(2));
        queue.done(&flight, Outcome::Conflict, ms(3));
        fly(&mut queue, "a", ms(3) + CONFLICT);
    }

    #[test]
    fn a_failure_waits_longer_each_time_whatever_happens_to_the_object() {
        let mut queue = queue(9, &["a"]);
        let mut now = ms(0);
        for wait in [500, 1000, 2000, 4000, 8000, 10_000, 10_000] {
            let flight = fly(&mut queue, "a", now);
            queue.done(&flight, Outcome::Failed, now);
            queue.push(&"a", true);
            assert_eq!(queue.deadline(), Some(now + ms(wait)));
            now += ms(wait);
        }
        let flight = fly(&mut queue, "a", now);
        queue.done(&flight, Outcome::Written, now);
        queue.push(&"a", true);
        fly(&mut queue, "a", now);
    }

    #[test]
    fn a_busy_server_is_left_alone() {
        let mut queue = queue(9, &["a", "b"]);
        let flight = fly(&mut queue, "a", ms(0));
        queue.done(&flight, Outcome::Busy(ms(700)), ms(0));
        assert_eq!((queue.next(ms(699)), queue.deadline()), (None, Some(ms(700))));
        fly(&mut queue, "b", ms(700));
        fly(&mut queue, "a", ms(700));
    }

    #[test]
    fn an_object_that_is_always_changed_back_is_written_ever_more_rarely() {
        let mut queue = queue(9, &["a"]);
        let (mut now, mut writes) = (ms(0), 0);
        while now < Duration::from_secs(600) {
            while let Some(flight) = queue.next(now) {
                writes += 1;
                queue.done(&flight, Outcome::Written, now);
                queue.push(&"a", true);
            }
            now += ms(100);
        }
        assert!((10..25).contains(&writes), "{writes}");
        // Left alone for a while, it is written at once again.
        queue.forget(&"a");
        queue.push(&"a", true);
        fly(&mut queue, "a", now);
    }

    #[test]
    fn what_was_not_written_lately_is_forgotten() {
        let mut queue = queue(9, &["unneeded", "written", "failed", "waiting"]);
        for (key, outcome) in
            [("unneeded", Outcome::Unneeded), ("written", Outcome::Written), ("failed", Outcome::Failed)]
        {
            let flight = fly(&mut queue, key, ms(0));
            queue.done(&flight, outcome, ms(0));
        }
        let known = |queue: &Queue<&'static str>| queue.entries.keys().copied().collect::<Vec<_>>();
        assert_eq!(known(&queue), ["failed", "waiting", "written"]);
        let _waiting = fly(&mut queue, "waiting", STREAK - ms(1));
        let _failed = fly(&mut queue, "failed", STREAK - ms(1));
        assert_eq!((queue.next(STREAK - ms(1)), known(&queue).len()), (None, 3));
        assert_eq!((queue.next(3 * STREAK), known(&queue)), (None, vec!["failed", "waiting"]));
    }

    #[test]
    fn what_is_gone_neither_flies_nor_counts() {
        let mut queue = queue(1, &["a", "b"]);
        let a = fly(&mut queue, "a", ms(0));
        queue.forget(&"a");
        let b = fly(&mut queue, "b", ms(0));
        assert!(!queue.done(&a, Outcome::Failed, ms(0)));
        assert!(queue.done(&b, Outcome::Written, ms(0)));
        assert_eq!((queue.next(ms(9999)), queue.deadline()), (None, None));
    }

    #[test]
    fn the_end_of_an_old_flight_is_no_news_about_a_new_object_of_the_same_name() {
        let mut queue = queue(9, &["a"]);
        let old = fly(&mut queue, "a", ms(0));
        queue.forget(&"a");
        queue.push(&"a", true);
        let new = fly(&mut queue, "a", ms(0));
        assert!(!queue.done(&old, Outcome::Written, ms(1)));
        queue.push(&"a", true);
        assert_eq!(queue.next(ms(1)), None, "two of one key fly");
        assert!(queue.done(&new, Outcome::Failed, ms(1)));
        assert_eq!(queue.deadline(), Some(ms(1) + FAILURE[0]));
    }
}
