//! Which addresses rest after their release, and whose they were: a client may still have them in a table, and a Service that
//! is made again wants its own back.

use super::ServiceKey;
use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    time::Duration,
};

/// Of more those are forgotten that have rested, the oldest first.
pub const MOST: usize = 10_000;

/// An address that was released.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rest {
    /// The address.
    pub address: IpAddr,
    /// Whose it was.
    pub key: ServiceKey,
    /// Since when it is free, from 1970.
    pub since: Duration,
}

/// All that is remembered.
#[derive(Debug, Default)]
pub(super) struct Memory {
    rests: BTreeMap<IpAddr, (ServiceKey, Duration)>,
    by_age: BTreeSet<(Duration, IpAddr)>,
    /// The released addresses of each Service.
    by_key: BTreeMap<ServiceKey, BTreeSet<IpAddr>>,
    changes: u64,
}

impl Memory {
    /// Puts an address to rest.
    pub fn put(&mut self, Rest { address, key, since }: Rest) {
        self.remove(address);
        self.by_age.insert((since, address));
        self.by_key.entry(key.clone()).or_default().insert(address);
        self.rests.insert(address, (key, since));
        self.changes += 1;
    }

    /// Forgets an address: somebody has it, or nobody will ask again.
    pub fn remove(&mut self, address: IpAddr) {
        let Some((key, since)) = self.rests.remove(&address) else { return };
        self.by_age.remove(&(since, address));
        if let Some(own) = self.by_key.get_mut(&key) {
            own.remove(&address);
            if own.is_empty() {
                self.by_key.remove(&key);
            }
        }
        self.changes += 1;
    }

    /// Whose `address` was, and since when it rests.
    pub fn get(&self, address: IpAddr) -> Option<(&ServiceKey, Duration)> {
        self.rests.get(&address).map(|(key, since)| (key, *since))
    }

    /// What `key` had, the latest first.
    pub fn of(&self, key: &ServiceKey) -> Vec<IpAddr> {
        let mut own: Vec<IpAddr> = self.by_key.get(key).into_iter().flatten().copied().collect();
        own.sort_by_key(|address| std::cmp::Reverse(self.rests[address].1));
        own
    }

    /// The one that has rested longest.
    pub fn oldest(&self) -> Option<(Duration, IpAddr)> {
        self.by_age.first().copied()
    }

    /// Whether more are remembered than should be.
    pub fn is_over_full(&self) -> bool {
        self.rests.len() > MOST
    }

    /// All, the latest first.
    pub fn iter(&self) -> impl Iterator<Item = Rest> {
        let rest = |(since, address): &(Duration, IpAddr)| {
            let key = self.rests[address].0.clone();
            Rest { address: *address, key, since: *since }
        };
        self.by_age.iter().rev().map(rest)
    }

    /// Grows with every change.
    pub fn changes(&self) -> u64 {
        self.changes
    }
}

impl FromIterator<Rest> for Memory {
    fn from_iter<I: IntoIterator<Item = Rest>>(rests: I) -> Self {
        let mut memory = Self::default();
        for rest in rests {
            memory.put(rest);
        }
        // What was read is no change.
        memory.changes = 0;
        memory
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::addr::Family;

    fn rest(number: u32, since: u64) -> Rest {
        let key = ServiceKey::new("test", &format!("s{}", number % 7));
        Rest { address: Family::V4.address(number.into()), key, since: Duration::from_secs(since) }
    }

    #[test]
    fn of_what_is_forgotten_nothing_stays() {
        let mut memory: Memory = (0..100).map(|number| rest(number, number.into())).collect();
        (0..99).for_each(|number| memory.remove(Family::V4.address(number)));
        assert_eq!(memory.oldest(), Some((Duration::from_secs(99), Family::V4.address(99))));
        let keys: usize = memory.by_key.values().map(BTreeSet::len).sum();
        assert_eq!((memory.rests.len(), memory.by_age.len(), keys, memory.by_key.len()), (1, 1, 1, 1));
    }

    #[test]
    fn a_service_is_remembered_by_what_it_had_last() {
        let mut memory: Memory = [rest(1, 10), rest(8, 30), rest(15, 20)].into_iter().collect();
        let key = rest(1, 0).key;
        let addresses = |numbers: &[u32]| numbers.iter().map(|n| Family::V4.address((*n).into())).collect::<Vec<_>>();
        assert_eq!(memory.of(&key), addresses(&[8, 15, 1]));
        memory.remove(Family::V4.address(8));
        memory.put(rest(1, 40));
        assert_eq!(memory.of(&key), addresses(&[1, 15]));
        let all: Vec<u64> = memory.iter().map(|rest| rest.since.as_secs()).collect();
        assert_eq!(all, [40, 20]);
    }
}
