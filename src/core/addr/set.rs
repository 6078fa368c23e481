//! Sets of addresses as disjoint ranges: what a pool holds, and what of it is free.

use super::{Family, Range, number};
use std::{collections::BTreeMap, net::IpAddr};

/// A set of numbers as disjoint, non-adjacent ranges. Each operation takes O(log n) in the number of ranges that it
/// leaves, however many numbers they hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RangeSet {
    /// First number of each range → its last.
    ranges: BTreeMap<u128, u128>,
    /// How many numbers there are (one less than the truth for the set of all).
    len: u128,
}

impl RangeSet {
    /// How many numbers it holds.
    pub fn len(&self) -> u128 {
        self.len
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// The lowest number.
    pub fn lowest(&self) -> Option<u128> {
        self.ranges.first_key_value().map(|(first, _)| *first)
    }

    /// Whether `number` is in it.
    pub fn contains(&self, number: u128) -> bool {
        self.ranges.range(..=number).next_back().is_some_and(|(_, last)| number <= *last)
    }

    /// The ranges, ascending.
    pub fn iter(&self) -> impl Iterator<Item = (u128, u128)> {
        self.ranges.iter().map(|(first, last)| (*first, *last))
    }

    /// Adds `first..=last`. Says whether that changed anything.
    pub fn insert(&mut self, first: u128, last: u128) -> bool {
        let (mut start, mut end) = (first, last);
        let before = self.len;
        // Whatever overlaps or touches is taken out and becomes part of the new range.
        while let Some((f, l)) = self.last_up_to(end.saturating_add(1)) {
            if l.saturating_add(1) < start {
                break;
            }
            self.cut(f, l);
            (start, end) = (start.min(f), end.max(l));
        }
        self.put(start, end);
        self.len != before
    }

    /// Takes `first..=last` out. Says whether that changed anything.
    pub fn remove(&mut self, first: u128, last: u128) -> bool {
        let before = self.len;
        while let Some((f, l)) = self.last_up_to(last) {
            if l < first {
                break;
            }
            self.cut(f, l);
            if last < l {
                self.put(last + 1, l);
            }
            if f < first {
                self.put(f, first - 1);
            }
        }
        self.len != before
    }

    fn last_up_to(&self, number: u128) -> Option<(u128, u128)> {
        self.ranges.range(..=number).next_back().map(|(first, last)| (*first, *last))
    }

    fn put(&mut self, first: u128, last: u128) {
        self.ranges.insert(first, last);
        self.len = self.len.saturating_add((last - first).saturating_add(1));
    }

    fn cut(&mut self, first: u128, last: u128) {
        self.ranges.remove(&first);
        self.len = self.len.saturating_sub((last - first).saturating_add(1));
    }
}

/// A set of addresses of both families.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AddressSet {
    v4: RangeSet,
    v6: RangeSet,
}

impl AddressSet {
    /// The addresses of one family, as numbers.
    pub fn family(&self, family: Family) -> &RangeSet {
        match family {
            Family::V4 => &self.v4,
            Family::V6 => &self.v6,
        }
    }

    fn family_mut(&mut self, family: Family) -> &mut RangeSet {
        match family {
            Family::V4 => &mut self.v4,
            Family::V6 => &mut self.v6,
        }
    }

    /// Whether it holds no address at all.
    pub fn is_empty(&self) -> bool {
        self.v4.is_empty() && self.v6.is_empty()
    }

    /// How many addresses of a family it holds.
    pub fn len(&self, family: Family) -> u128 {
        self.family(family).len()
    }

    /// Whether `address` is in it.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.family(Family::of(address)).contains(number(address))
    }

    /// The lowest address of a family.
    pub fn lowest(&self, family: Family) -> Option<IpAddr> {
        self.family(family).lowest().map(|number| family.address(number))
    }

    /// Adds a range.
    pub fn insert(&mut self, range: Range) {
        self.family_mut(range.family).insert(range.first, range.last);
    }

    /// Takes a range out.
    pub fn remove(&mut self, range: Range) {
        self.family_mut(range.family).remove(range.first, range.last);
    }

    /// Takes one address. Says whether it was there.
    pub fn take(&mut self, address: IpAddr) -> bool {
        let number = number(address);
        self.family_mut(Family::of(address)).remove(number, number)
    }

    /// Gives one address back. Says whether it was missing.
    pub fn give(&mut self, address: IpAddr) -> bool {
        let number = number(address);
        self.family_mut(Family::of(address)).insert(number, number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rangemap::RangeInclusiveSet;

    fn check(set: &RangeSet, oracle: &RangeInclusiveSet<u128>) {
        assert_eq!(set.iter().collect::<Vec<_>>(), oracle.iter().map(|r| (*r.start(), *r.end())).collect::<Vec<_>>());
        assert_eq!(set.lowest(), oracle.first().map(|r| *r.start()));
        assert_eq!(set.len(), oracle.iter().map(|r| r.end() - r.start() + 1).sum::<u128>());
        assert_eq!(set.is_empty(), oracle.is_empty());
    }

    /// Small numbers collide often; large ones reach the ends of IPv6.
    fn numbers() -> impl Strategy<Value = (u128, u128)> {
        let number = prop_oneof![0u128..40, 0u128..40, (u128::MAX - 40)..u128::MAX];
        (number.clone(), number).prop_map(|(a, b)| (a.min(b), a.max(b)))
    }

    proptest! {
        #[test]
        fn a_set_does_what_rangemap_does(steps in prop::collection::vec((any::<bool>(), numbers()), 1..60)) {
            let (mut set, mut oracle) = (RangeSet::default(), RangeInclusiveSet::new());
            for (insert, (first, last)) in steps {
                let before = oracle.clone();
                let changed = if insert {
                    oracle.insert(first..=last);
                    set.insert(first, last)
                } else {
                    oracle.remove(first..=last);
                    set.remove(first, last)
                };
                check(&set, &oracle);
                prop_assert_eq!(changed, before != oracle);
                for number in [first, last, first.saturating_sub(1), last.saturating_add(1)] {
                    prop_assert_eq!(set.contains(number), oracle.contains(&number));
                }
            }
        }
    }

    #[test]
    fn a_whole_subnet_gives_its_lowest_address_and_takes_it_back() {
        let mut free = AddressSet::default();
        free.insert("2001:db8::/64".parse::<super::super::Block>().unwrap().range);
        let whole = free.clone();
        let addresses: Vec<IpAddr> = (0..3)
            .map(|_| {
                let address = free.lowest(Family::V6).unwrap();
                assert!(free.take(address) && !free.take(address));
                address
            })
            .collect();
        assert_eq!(addresses, ["2001:db8::", "2001:db8::1", "2001:db8::2"].map(|a| a.parse::<IpAddr>().unwrap()));
        assert_eq!(free.len(Family::V6), (1 << 64) - 3);
        assert!(free.give(addresses[1]) && !free.give(addresses[1]));
        assert_eq!(free.lowest(Family::V6), Some(addresses[1]));
        assert!(free.give(addresses[0]) && free.give(addresses[2]));
        assert_eq!(free, whole);
        assert_eq!(free.lowest(Family::V4), None);
    }

    #[test]
    fn the_whole_of_ipv6_does_not_overflow() {
        let mut set = RangeSet::default();
        assert!(set.insert(0, u128::MAX));
        assert_eq!(set.len(), u128::MAX);
        assert!(set.contains(0) && set.contains(u128::MAX));
    }
}
