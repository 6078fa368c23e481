//! How much of each kind of frame a step reads, and in which order.
//!
//! Anybody on the LAN can send any of them, and as fast as the wire carries them. So each kind has a share of its own: whoever
//! floods one makes the others wait for that share, and for no more.

use crate::net::Traffic;
use std::cmp::Reverse;

/// Questions of each kind that are answered before timers get their turn.
const QUESTIONS: usize = 64;
/// Heartbeats of each way that are heard before then: more than a segment carries in four seconds.
const HEARTBEATS: usize = 4096;

/// What a step may still read.
#[derive(Debug)]
pub struct Turn([(Traffic, usize); 4]);

impl Default for Turn {
    fn default() -> Self {
        Self(Traffic::ALL.map(|traffic| (traffic, if traffic.is_heartbeat() { HEARTBEATS } else { QUESTIONS })))
    }
}

impl Turn {
    /// Where to look for the next frame: for a heartbeat before each question, so that what others claimed during a pause is
    /// known before anything is answered, whenever that pause was; then for the kind of which less was read. Nowhere: the step
    /// has read enough.
    pub fn order(&self) -> impl Iterator<Item = Traffic> + use<> {
        let mut kinds = self.0;
        kinds.sort_by_key(|(traffic, left)| Reverse((traffic.is_heartbeat(), *left)));
        kinds.into_iter().filter(|(_, left)| *left > 0).map(|(traffic, _)| traffic)
    }

    /// A frame of this kind was read.
    pub fn count(&mut self, read: Traffic) {
        let of_its_kind = self.0.iter_mut().filter(|(traffic, _)| *traffic == read);
        of_its_kind.for_each(|(_, left)| *left = left.saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENDLESS: usize = usize::MAX;

    /// What a step reads of queues with so many frames, in the order of [`Traffic::ALL`]; each frame that is read is first told
    /// to `arrive` with the number of those before it.
    fn step(mut queues: [usize; 4], arrive: impl Fn(usize, &mut [usize; 4])) -> Vec<Traffic> {
        let (mut turn, mut read) = (Turn::default(), Vec::new());
        let at = |traffic| Traffic::ALL.iter().position(|one| *one == traffic).unwrap();
        while let Some(next) = turn.order().find(|traffic| queues[at(*traffic)] > 0) {
            queues[at(next)] -= 1;
            turn.count(next);
            arrive(read.len(), &mut queues);
            read.push(next);
        }
        read
    }

    fn count(read: &[Traffic]) -> [usize; 4] {
        Traffic::ALL.map(|traffic| read.iter().filter(|one| **one == traffic).count())
    }

    #[test]
    fn a_flood_of_one_kind_keeps_no_other_from_being_read() {
        let flooded = |kinds: [bool; 4]| count(&step(kinds.map(|is| if is { ENDLESS } else { 3 }), |_, _| ()));
        assert_eq!(flooded([true, false, false, false]), [HEARTBEATS, 3, 3, 3]);
        assert_eq!(flooded([false, true, false, false]), [3, HEARTBEATS, 3, 3]);
        assert_eq!(flooded([false, false, true, false]), [3, 3, QUESTIONS, 3]);
        assert_eq!(flooded([false, false, false, true]), [3, 3, 3, QUESTIONS]);
        assert_eq!(flooded([true; 4]), [HEARTBEATS, HEARTBEATS, QUESTIONS, QUESTIONS]);
    }

    #[test]
    fn the_kinds_of_questions_take_turns() {
        let read = step([0, 0, ENDLESS, ENDLESS], |_, _| ());
        assert_eq!(count(&read), [0, 0, QUESTIONS, QUESTIONS]);
        assert!(read.chunks(2).all(|pair| pair[0] != pair[1]), "{read:?}");
    }

    #[test]
    fn heartbeats_that_have_arrived_are_read_before_every_question() {
        let is_last = |traffic: &Traffic| !traffic.is_heartbeat();
        let read = step([200, 100, 10, 10], |_, _| ());
        assert!(read.is_sorted_by_key(is_last) && count(&read) == [200, 100, 10, 10], "{read:?}");
        // A pause amid the questions: more have queued up meanwhile.
        let read = step([0, 0, 10, 10], |before, queues| queues[0] += if before == 4 { 50 } else { 0 });
        assert_eq!(count(&read[..5]), [0, 0, 3, 2], "{read:?}");
        assert_eq!(count(&read[5..55]), [50, 0, 0, 0], "{read:?}");
    }
}
