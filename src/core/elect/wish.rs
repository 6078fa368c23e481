//! How much a speaker wants a VIP: what orders those that could answer, and decides nothing about who may.

use crate::wire::heartbeat::{MOST_WEIGHTS, State};

/// How well a speaker is placed for a VIP. One of the second tier yields to any of the first, and to nobody else.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// Fully.
    #[default]
    First,
    /// For want of better: what serves there is about to end, or is not kept up to date.
    Second,
}

impl Tier {
    /// What an owner of this tier says.
    pub(super) fn state(self) -> State {
        match self {
            Self::First => State::Held,
            Self::Second => State::Yielding,
        }
    }
}

/// The preferences that hold for a VIP, of those for which each speaker tells its weight.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Preferences(u64);

impl Preferences {
    /// None: all speakers are alike.
    pub const NONE: Self = Self(0);

    /// Those with these numbers, each below [`MOST_WEIGHTS`]; others are left out.
    pub fn new(numbers: impl IntoIterator<Item = usize>) -> Self {
        Self(numbers.into_iter().filter(|number| *number < MOST_WEIGHTS).fold(0, |all, number| all | 1 << number))
    }

    /// How much a speaker that tells these weights is preferred for the VIP: its greatest weight that counts.
    pub fn weight(self, weights: &[u16]) -> u16 {
        let counts = |(number, _): &(usize, &u16)| *number < MOST_WEIGHTS && self.0 & 1 << number != 0;
        weights.iter().enumerate().filter(counts).map(|(_, weight)| *weight).max().unwrap_or(0)
    }
}

/// What a speaker that can answer for a VIP wants of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Wish {
    /// How well it is placed.
    pub tier: Tier,
    /// Which preferences hold for the VIP; the same for all speakers that have one configuration.
    pub preferences: Preferences,
}

/// Weights as frames tell them: without zeros at the end, and no more than there is room for.
pub(super) fn told(mut weights: Vec<u16>) -> Vec<u16> {
    weights.truncate(MOST_WEIGHTS);
    weights.truncate(weights.iter().rposition(|weight| *weight > 0).map_or(0, |last| last + 1));
    weights
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_greatest_weight_that_counts_is_the_speakers() {
        let weights = [5, 0, 9, 7];
        for (numbers, weight) in
            [(&[0][..], 5), (&[0, 1], 5), (&[0, 3], 7), (&[1], 0), (&[4, 63, 64, 900], 0), (&[], 0)]
        {
            assert_eq!(Preferences::new(numbers.iter().copied()).weight(&weights), weight, "{numbers:?}");
        }
    }

    #[test]
    fn what_says_nothing_is_not_told() {
        assert_eq!(told(vec![0, 3, 0, 0]), [0, 3]);
        assert_eq!(told(vec![0, 0]), []);
        assert_eq!(told(vec![1; 100]).len(), MOST_WEIGHTS);
    }
}
