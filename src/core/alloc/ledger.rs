//! Who holds which address, and what is free in each pool.

use super::{ServiceKey, Usage, held::Held};
use crate::{
    addr::{AddressSet, Family},
    config::{Config, Pool},
};
use std::{collections::BTreeMap, net::IpAddr, sync::Arc};

/// The addresses of a configuration's pools and their holders. An address outside of all pools can be held, too: a
/// Service keeps what an edit has taken out of its pool.
#[derive(Debug)]
pub(super) struct Ledger {
    config: Arc<Config>,
    /// By a pool's name: what it may hand out and nobody holds.
    free: BTreeMap<String, AddressSet>,
    holders: BTreeMap<IpAddr, ServiceKey>,
    /// What was given back and not taken again, with its pool: what the waiting may hope for.
    released: BTreeMap<IpAddr, String>,
}

impl Ledger {
    pub fn new(config: Arc<Config>) -> Self {
        let free = config.pools.iter().map(|pool| (pool.name.clone(), pool.addresses.clone())).collect();
        Self { config, free, holders: BTreeMap::new(), released: BTreeMap::new() }
    }

    pub fn config(&self) -> &Config {
        &self.config
    }

    pub fn holder(&self, address: IpAddr) -> Option<&ServiceKey> {
        self.holders.get(&address)
    }

    /// The lowest free address of a family in a pool of this configuration.
    pub fn lowest(&self, pool: &Pool, family: Family) -> Option<IpAddr> {
        self.free.get(&pool.name)?.lowest(family)
    }

    pub fn usage(&self, pool: &Pool, family: Family) -> Usage {
        let total = pool.size(family);
        let free = self.free.get(&pool.name).map_or(0, |free| free.len(family));
        Usage { pool: pool.name.clone(), family, used: total - free, total }
    }

    /// Makes `key` the holder of `address`, which nobody else holds.
    pub fn take(&mut self, address: IpAddr, key: &ServiceKey) {
        let before = self.holders.insert(address, key.clone());
        debug_assert!(before.as_ref().is_none_or(|before| before == key), "{address} has a holder: {before:?}");
        self.released.remove(&address);
        if let Some((_, free)) = self.free_of(address) {
            free.take(address);
        }
    }

    /// Nobody holds `address` any more.
    pub fn give(&mut self, address: IpAddr) {
        self.holders.remove(&address);
        if let Some((pool, free)) = self.free_of(address) {
            free.give(address);
            self.released.insert(address, pool);
        }
    }

    /// What was given back since [`Ledger::forget_released`] and is still free.
    pub fn released(&self) -> impl Iterator<Item = Held> {
        self.released.iter().map(|(address, pool)| Held { address: *address, pool: pool.clone() })
    }

    pub fn forget_released(&mut self) {
        self.released.clear();
    }

    /// The pool that hands out `address`, and what is free in it.
    fn free_of(&mut self, address: IpAddr) -> Option<(String, &mut AddressSet)> {
        let pool = self.config.pools.iter().find(|pool| pool.addresses.contains(address))?;
        Some((pool.name.clone(), self.free.get_mut(&pool.name)?))
    }
}
