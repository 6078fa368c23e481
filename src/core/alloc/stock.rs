//! What a pool can still give: what nobody has, and of that, what somebody had before.

use crate::addr::{AddressSet, Family};
use std::{collections::BTreeSet, net::IpAddr, time::Duration};

/// The addresses of one pool that nobody holds, and how many it has in all.
#[derive(Debug, Default)]
pub(super) struct Stock {
    /// Those that nobody remembers.
    fresh: AddressSet,
    /// Those that rest or have rested, by family: the longest first.
    used: [BTreeSet<(Duration, IpAddr)>; 2],
    /// By family: those that it hands out, held ones among them.
    total: [u128; 2],
}

impl Stock {
    /// Nobody holds any of these yet.
    pub fn new(fresh: AddressSet) -> Self {
        let total = [Family::V4, Family::V6].map(|family| fresh.len(family));
        Self { fresh, used: Default::default(), total }
    }

    /// Somebody holds `address` now, which rested since then, if it did.
    pub fn take(&mut self, address: IpAddr, rested: Option<Duration>) {
        self.fresh.take(address);
        if let Some(since) = rested {
            self.used_mut(address).remove(&(since, address));
        }
    }

    /// Nobody remembers `address` any more.
    pub fn give(&mut self, address: IpAddr) {
        self.fresh.give(address);
    }

    /// `address` rests since then.
    pub fn rest(&mut self, address: IpAddr, since: Duration) {
        self.fresh.take(address);
        self.used_mut(address).insert((since, address));
    }

    /// The lowest that nobody remembers, else the one that is remembered longest, if it rests since `ripe` or longer.
    pub fn next(&self, family: Family, ripe: Option<Duration>) -> Option<IpAddr> {
        let longest = || self.used(family).first().filter(|(since, _)| Some(*since) <= ripe);
        self.fresh.lowest(family).or_else(|| longest().map(|(_, address)| *address))
    }

    /// How many addresses it hands out, held ones among them.
    pub fn total(&self, family: Family) -> u128 {
        self.total[usize::from(family == Family::V6)]
    }

    /// How many addresses nobody remembers.
    pub fn fresh(&self, family: Family) -> u128 {
        self.fresh.len(family)
    }

    /// How many addresses rest or have rested.
    pub fn remembered(&self, family: Family) -> u128 {
        self.used(family).len() as u128
    }

    fn used(&self, family: Family) -> &BTreeSet<(Duration, IpAddr)> {
        &self.used[usize::from(family == Family::V6)]
    }

    fn used_mut(&mut self, address: IpAddr) -> &mut BTreeSet<(Duration, IpAddr)> {
        &mut self.used[usize::from(address.is_ipv6())]
    }
}
