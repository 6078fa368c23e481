//! Which frames of a run have come: the newest, and which of those just before it are missing still (a sliding window as in
//! RFC 4303 section 3.4.3, and of time as well).
//!
//! A LAN may let one frame overtake another. What the one that comes late claims is still news. What comes much later was kept
//! back by somebody.

use std::{collections::VecDeque, time::Duration};

/// How many frames before the newest one may still come,
const MISSING: u64 = 64;
/// and for how long after a newer one has.
const LATE: Duration = Duration::from_millis(500);

/// Where a frame stands among those that have come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// After all of them.
    Newest,
    /// A newer one came a moment ago,
    Overtaken {
        /// the first at this time.
        since: Duration,
    },
    /// The newest itself, once more.
    Again,
    /// It came before, or should have long ago.
    Old,
}

/// The frames of one run that have come.
#[derive(Debug)]
pub(super) struct Window {
    newest: u64,
    /// Those before it that have not, with when that was seen: both ascend.
    missing: VecDeque<(u64, Duration)>,
}

impl Window {
    /// The first frame that counted was this one: any before it may be somebody's recording.
    pub fn new(first: u64) -> Self {
        Self { newest: first, missing: VecDeque::new() }
    }

    pub fn place(&self, counter: u64, now: Duration) -> Place {
        if counter >= self.newest {
            return if counter > self.newest { Place::Newest } else { Place::Again };
        }
        let missing = self.missing.binary_search_by_key(&counter, |(missing, _)| *missing).map(|at| self.missing[at].1);
        missing.ok().filter(|since| now <= *since + LATE).map_or(Place::Old, |since| Place::Overtaken { since })
    }

    /// That frame has come.
    pub fn note(&mut self, counter: u64, now: Duration) {
        if counter > self.newest {
            let first = (self.newest + 1).max(counter.saturating_sub(MISSING));
            self.missing.extend((first..counter).map(|missing| (missing, now)));
            self.newest = counter;
        }
        let newest = self.newest;
        self.missing
            .retain(|(missing, seen)| *missing != counter && newest - missing <= MISSING && now <= *seen + LATE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn a_frame_counts_once_also_when_it_was_overtaken() {
        let mut window = Window::new(100);
        for (at, counter, place) in [
            (0, 99, Place::Old), // before the first
            (0, 100, Place::Again),
            (1, 103, Place::Newest),
            (2, 102, Place::Overtaken { since: ms(1) }),
            (2, 102, Place::Old),
            (501, 101, Place::Overtaken { since: ms(1) }),
            (600, 106, Place::Newest),
            (900, 108, Place::Newest),
            (1_101, 104, Place::Old), // too late
            (1_101, 107, Place::Overtaken { since: ms(900) }),
            (1_200, 200, Place::Newest),
            (1_201, 135, Place::Old), // too far back
            (1_201, 136, Place::Overtaken { since: ms(1_200) }),
            (1_202, u64::MAX, Place::Newest),
            (1_203, 0, Place::Old),
        ] {
            assert_eq!(window.place(counter, ms(at)), place, "{counter} at {at} ms");
            window.note(counter, ms(at));
        }
    }

    proptest! {
        /// Beside the plain reading: every frame with when it came.
        #[test]
        fn no_frame_counts_twice_nor_late_nor_before_the_first(
            first in 0u64..50,
            frames in prop::collection::vec((0u64..100, 0u64..300), 0..200),
        ) {
            let (mut window, mut came, mut now) = (Window::new(first), BTreeMap::from([(first, ms(0))]), ms(0));
            for (counter, pause) in frames {
                now += ms(pause);
                // A frame is missing since the first newer one.
                let newer = came.range(counter + 1..).map(|(_, at)| *at).min();
                let is_late = newer.is_some_and(|at| now > at + LATE);
                let newest = came.last_key_value().map_or(first, |(newest, _)| *newest);
                let is_far_back = counter + MISSING < newest;
                let expected = !came.contains_key(&counter) && counter > first && !is_late && !is_far_back;
                let place = window.place(counter, now);
                prop_assert_eq!(matches!(place, Place::Newest | Place::Overtaken { .. }), expected, "{} in {:?}", counter, came);
                if expected {
                    window.note(counter, now);
                    came.insert(counter, now);
                }
            }
        }
    }
}
