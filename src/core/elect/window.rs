//! Which frames of a run have come: the newest, and which of those before it (the sliding window of RFC 4303 section 3.4.3).
//!
//! A LAN may let one frame overtake another. What the one that comes late claims is still news; whether its sender lives, and
//! whom it hears, the newer one has told already.

/// How many frames back one may come late: half a second of what a busy speaker sends.
const FRAMES: u64 = u64::BITS as u64;

/// Where a frame stands among those that have come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// After all of them.
    Newest,
    /// Before the newest, and not seen yet.
    Overtaken,
    /// The newest itself, once more.
    Again,
    /// Seen, or too far back to tell.
    Old,
}

/// The frames of one run that have come.
#[derive(Debug)]
pub(super) struct Window {
    newest: u64,
    /// Bit n: the frame n before the newest has come.
    seen: u64,
}

impl Window {
    /// The first frame that counted was this one: any before it may be somebody's recording.
    pub fn new(first: u64) -> Self {
        Self { newest: first, seen: u64::MAX }
    }

    pub fn place(&self, counter: u64) -> Place {
        match self.newest.checked_sub(counter) {
            None => Place::Newest,
            Some(0) => Place::Again,
            Some(back) if back < FRAMES && self.seen >> back & 1 == 0 => Place::Overtaken,
            Some(_) => Place::Old,
        }
    }

    /// That frame has come.
    pub fn note(&mut self, counter: u64) {
        match self.newest.checked_sub(counter) {
            Some(back) if back < FRAMES => self.seen |= 1 << back,
            Some(_) => {}
            None => {
                let ahead = counter - self.newest;
                self.seen = if ahead < FRAMES { self.seen << ahead } else { 0 } | 1;
                self.newest = counter;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_frame_counts_once_also_when_it_was_overtaken() {
        let mut window = Window::new(100);
        for (counter, place) in [
            (99, Place::Old), // before the first
            (100, Place::Again),
            (103, Place::Newest),
            (102, Place::Overtaken),
            (102, Place::Old),
            (101, Place::Overtaken),
            (165, Place::Newest),
            (103, Place::Old),
            (166, Place::Newest),
            (104, Place::Overtaken),
            (231, Place::Newest),
            (167, Place::Old), // too far back
            (168, Place::Overtaken),
            (u64::MAX, Place::Newest),
            (0, Place::Old),
        ] {
            assert_eq!(window.place(counter), place, "{counter}");
            window.note(counter);
        }
    }

    proptest! {
        #[test]
        fn no_frame_counts_twice_and_none_before_the_first(
            first in 0u64..200,
            counters in prop::collection::vec(0u64..400, 0..200),
        ) {
            let (mut window, mut seen) = (Window::new(first), BTreeSet::from([first]));
            for counter in counters {
                let newest = seen.last().copied().unwrap_or(first);
                let counts = matches!(window.place(counter), Place::Newest | Place::Overtaken);
                let expected = !seen.contains(&counter) && counter > first && counter + FRAMES > newest;
                prop_assert_eq!(counts, expected, "{} after {:?}", counter, seen);
                if counts {
                    window.note(counter);
                    seen.insert(counter);
                }
            }
        }
    }
}
