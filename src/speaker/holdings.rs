//! What one interface answers for, and how the latest of it came: in the form that the record has it.
//!
//! Pure. Each address is in one move at most, its latest; only so many moves are remembered, so that a node where something
//! moves all the time has a record no longer than its addresses need.

use crate::cluster::record::{Addresses, Cause, Move, Unheard};
use k8s_openapi::jiff::Timestamp;
use landfall_core::elect::{self, Acquired};
use std::{collections::VecDeque, net::IpAddr, time::Duration};

/// So many moves are remembered.
const MOVES: usize = 32;

/// How an address came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Why.
    pub why: Cause,
    /// The node that answered before.
    pub from: Option<String>,
    /// Where that one is dead: for how long it had not been heard.
    pub unheard: Option<elect::Unheard>,
}

impl Origin {
    /// From nobody.
    pub const NEW: Self = Self { why: Cause::New, from: None, unheard: None };
}

fn in_ms(unheard: elect::Unheard) -> Unheard {
    let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    Unheard { found_dead_ms: ms(unheard.found_dead), claimed_ms: ms(unheard.claimed) }
}

/// What an interface answers for.
#[derive(Debug, Clone, Default)]
pub struct Holdings {
    owned: Addresses,
    /// The latest last.
    moves: VecDeque<Move>,
}

impl Holdings {
    /// The addresses.
    pub fn owned(&self) -> &Addresses {
        &self.owned
    }

    /// How the latest of them came, the latest last.
    pub fn moves(&self) -> impl Iterator<Item = &Move> {
        self.moves.iter()
    }

    /// `vip` is answered for from now on. Those that come within one second in one way are one move.
    pub fn acquire(&mut self, vip: IpAddr, origin: Origin, wall: Duration) {
        let Origin { why, from, unheard } = origin;
        self.release(vip);
        self.owned.insert(vip);
        let seconds = i64::try_from(wall.as_secs()).unwrap_or(i64::MAX);
        let at = Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX);
        let same = |last: &&mut Move| last.at == at && last.why == why && last.from == from;
        match self.moves.iter_mut().rev().find(same) {
            Some(last) => _ = last.vips.insert(vip),
            None => {
                self.moves.push_back(Move {
                    at,
                    why,
                    from,
                    unheard: unheard.map(in_ms),
                    vips: [vip].into_iter().collect(),
                });
                if self.moves.len() > MOVES {
                    self.moves.pop_front();
                }
            }
        }
    }

    /// `vip` is not answered for any more.
    pub fn release(&mut self, vip: IpAddr) {
        if self.owned.remove(vip) {
            self.moves.retain_mut(|last| !last.vips.remove(vip) || !last.vips.is_empty());
        }
    }
}

/// The record's word for it.
pub fn cause(why: Acquired) -> Cause {
    match why {
        Acquired::New => Cause::New,
        Acquired::HandedOver => Cause::HandedOver,
        Acquired::Dead => Cause::Dead,
        Acquired::Restarted => Cause::Restarted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(last: u8) -> IpAddr {
        [198, 51, 100, last].into()
    }

    /// The moves, as `second why from: addresses`.
    fn moves(holdings: &Holdings) -> Vec<String> {
        let ranges = |vips: &Addresses| vips.ranges().map(|range| range.to_string()).collect::<Vec<_>>().join(" ");
        let from = |came: &Move| came.from.clone().unwrap_or_default();
        let line =
            |came: &Move| format!("{} {:?} {}: {}", came.at.as_second(), came.why, from(came), ranges(&came.vips));
        holdings.moves().map(line).collect()
    }

    #[test]
    fn what_comes_within_a_second_in_one_way_is_one_move() {
        let mut holdings = Holdings::default();
        let mut come = |last, why, from: Option<&str>, millis| {
            let origin = Origin { why, from: from.map(Into::into), unheard: None };
            holdings.acquire(ip(last), origin, Duration::from_millis(millis));
        };
        come(1, Cause::Dead, Some("n2"), 5_000);
        come(7, Cause::Dead, Some("n3"), 5_100);
        come(2, Cause::Dead, Some("n2"), 5_900);
        come(3, Cause::New, None, 5_950);
        come(4, Cause::Dead, Some("n2"), 6_000);
        assert_eq!(
            moves(&holdings),
            [
                "5 Dead n2: 198.51.100.1-198.51.100.2",
                "5 Dead n3: 198.51.100.7",
                "5 New : 198.51.100.3",
                "6 Dead n2: 198.51.100.4"
            ]
        );
        assert!([1, 2, 3, 4, 7].into_iter().all(|last| holdings.owned().contains(ip(last))));
    }

    #[test]
    fn only_an_addresses_latest_move_is_kept_and_none_of_a_released_one() {
        let mut holdings = Holdings::default();
        let second = Duration::from_secs;
        holdings.acquire(ip(1), Origin::NEW, second(5));
        holdings.acquire(ip(2), Origin::NEW, second(5));
        holdings.release(ip(2));
        assert_eq!(moves(&holdings), ["5 New : 198.51.100.1"]);
        let origin = Origin { why: Cause::HandedOver, from: Some("n2".into()), unheard: None };
        holdings.acquire(ip(1), origin, second(6));
        assert_eq!(moves(&holdings), ["6 HandedOver n2: 198.51.100.1"]);
        holdings.release(ip(1));
        assert!(holdings.owned().is_empty() && moves(&holdings).is_empty());
    }

    #[test]
    fn the_oldest_moves_are_forgotten_and_their_addresses_are_not() {
        let mut holdings = Holdings::default();
        (0..200).for_each(|last| holdings.acquire(ip(last), Origin::NEW, Duration::from_secs(last.into())));
        assert_eq!(holdings.moves().count(), MOVES);
        assert_eq!(moves(&holdings).last().map(String::as_str), Some("199 New : 198.51.100.199"));
        assert!((0..200).all(|last| holdings.owned().contains(ip(last))));
    }
}
