//! Who holds which address, and what is free in each pool.

use super::{ServiceKey, Usage};
use crate::{
    addr::{AddressSet, Family},
    config::Config,
};
use std::{collections::BTreeMap, net::IpAddr, sync::Arc};

/// The addresses of a configuration's pools and their holders. An address outside of all pools can be held, too: a
/// Service keeps what an edit has taken out of its pool.
#[derive(Debug)]
pub(super) struct Ledger {
    config: Arc<Config>,
    /// By a pool's position: what it may hand out and nobody holds.
    free: Vec<AddressSet>,
    holders: BTreeMap<IpAddr, ServiceKey>,
    /// What was given back and not taken again, with its pool: what the waiting may hope for.
    released: BTreeMap<IpAddr, usize>,
}

impl Ledger {
    pub fn new(config: Arc<Config>) -> Self {
        let free = config.pools.iter().map(|pool| pool.addresses.clone()).collect();
        Self { config, free, holders: BTreeMap::new(), released: BTreeMap::new() }
    }

    pub fn config(&self) -> &Config {
        &self.config
    }

    pub fn holder(&self, address: IpAddr) -> Option<&ServiceKey> {
        self.holders.get(&address)
    }

    /// The lowest free address of a family in the pool at this position.
    pub fn lowest(&self, pool: usize, family: Family) -> Option<IpAddr> {
        self.free[pool].lowest(family)
    }

    pub fn usage(&self, pool: usize, family: Family) -> Usage {
        let total = self.config.pools[pool].size(family);
        let used = total - self.free[pool].len(family);
        Usage { pool: self.config.pools[pool].name.clone(), family, used, total }
    }

    /// Makes `key` the holder of `address`, which nobody else holds.
    pub fn take(&mut self, address: IpAddr, key: &ServiceKey) {
        let before = self.holders.insert(address, key.clone());
        debug_assert!(before.as_ref().is_none_or(|before| before == key), "{address} has a holder: {before:?}");
        self.released.remove(&address);
        if let Some(pool) = self.pool_of(address) {
            self.free[pool].take(address);
        }
    }

    /// Nobody holds `address` any more.
    pub fn give(&mut self, address: IpAddr) {
        self.holders.remove(&address);
        if let Some(pool) = self.pool_of(address) {
            self.free[pool].give(address);
            self.released.insert(address, pool);
        }
    }

    /// What was given back since [`Ledger::forget_released`] and is still free.
    pub fn released(&self) -> impl Iterator<Item = (IpAddr, usize)> {
        self.released.iter().map(|(address, pool)| (*address, *pool))
    }

    pub fn forget_released(&mut self) {
        self.released.clear();
    }

    /// The pool that hands out `address`.
    fn pool_of(&self, address: IpAddr) -> Option<usize> {
        self.config.position_of(address).filter(|pool| self.config.pools[*pool].addresses.contains(address))
    }
}
