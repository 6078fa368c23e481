//! Who holds which address, what is free in each pool, and what of that is news to those who wait.

use super::{
    Reserve, Reserved, Rest, ServiceKey, Usage,
    held::Held,
    memory::Memory,
    sharing::{Clash, Share},
    stock::Stock,
    tally::Tally,
    tenants::Tenants,
    waiting::Want,
};
use crate::{
    addr::{AddressSet, Family},
    config::{Config, Sharing},
};
use std::{collections::BTreeSet, net::IpAddr, sync::Arc, time::Duration};

/// The addresses of a configuration's pools and who holds them. An address outside of all pools can be held, too: a
/// Service keeps what an edit has taken out of its pool.
#[derive(Debug)]
pub(super) struct Ledger {
    config: Arc<Config>,
    reserved: Arc<Reserved>,
    /// By a pool's position: what it may hand out and nobody holds.
    stocks: Vec<Stock>,
    tenants: Tenants,
    memory: Memory,
    /// Those of the memory that still rest.
    resting: BTreeSet<(Duration, IpAddr)>,
    now: Duration,
    /// How many addresses of a pool a namespace has, where the pool limits that.
    tally: Tally,
    /// What has changed for those who wait.
    news: BTreeSet<Want>,
}

impl Ledger {
    /// Nobody holds anything yet.
    pub fn new(config: Arc<Config>, reserved: Arc<Reserved>, memory: Memory, now: Duration) -> Self {
        let mut fresh: Vec<AddressSet> = config.pools.iter().map(|pool| pool.addresses.clone()).collect();
        for address in reserved.keys() {
            if let Some(pool) = config.position_of(*address) {
                fresh[pool].take(*address);
            }
        }
        let mut ledger = Self {
            stocks: fresh.into_iter().map(Stock::new).collect(),
            config,
            reserved,
            tenants: Tenants::default(),
            memory: Memory::default(),
            resting: BTreeSet::new(),
            now,
            tally: Tally::default(),
            news: BTreeSet::new(),
        };
        for rest in memory.iter() {
            ledger.place(rest.address, rest.since);
        }
        ledger.memory = memory;
        ledger.pass(now);
        ledger
    }

    pub fn config(&self) -> &Config {
        &self.config
    }

    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    pub fn into_memory(self) -> Memory {
        self.memory
    }

    /// Time has passed: what has rested is to be had, and what has been remembered long enough is forgotten.
    pub fn pass(&mut self, now: Duration) {
        self.now = now;
        while let Some(&(since, address)) = self.resting.first()
            && since + self.config.quarantine <= now
        {
            self.resting.pop_first();
            self.tell_free(address);
        }
        self.tidy();
    }

    /// Forgets what has been remembered long enough.
    fn tidy(&mut self) {
        while let Some((since, address)) = self.memory.oldest()
            && since + self.keep_at_most() <= self.now
        {
            self.memory.remove(address);
            self.forget(address, since);
        }
    }

    /// When the next address has rested.
    pub fn next_rested(&self) -> Option<Duration> {
        self.resting.first().map(|(since, _)| *since + self.config.quarantine)
    }

    /// How long a released address is remembered.
    fn keep(&self) -> Duration {
        self.config.quarantine.max(self.config.reuse)
    }

    /// The same, or, where that is too much, for no longer than it rests. How much rests at once the writes limit that it takes to
    /// release it.
    fn keep_at_most(&self) -> Duration {
        if self.memory.is_over_full() { self.config.quarantine } else { self.keep() }
    }

    /// `address` rests since then.
    fn rest(&mut self, address: IpAddr, key: &ServiceKey, since: Duration) {
        self.place(address, since);
        self.memory.put(Rest { address, key: key.clone(), since });
        self.tidy();
    }

    /// `key` had it, and nobody saw that end: it rests from now on, unless somebody has it by now, or it rests already.
    pub fn lapse(&mut self, address: IpAddr, key: &ServiceKey) {
        let is_known = self.tenants.of(address).next().is_some() || self.memory.get(address).is_some();
        if !is_known && !self.keep().is_zero() && self.config.position_of(address).is_some() {
            self.rest(address, key, self.now);
        }
    }

    fn place(&mut self, address: IpAddr, since: Duration) {
        if let Some(pool) = self.pool_of(address) {
            self.stocks[pool].rest(address, since);
        }
        if !self.config.quarantine.is_zero() {
            self.resting.insert((since, address));
        }
    }

    /// Nobody will ask any more whose `address` was.
    fn forget(&mut self, address: IpAddr, since: Duration) {
        self.resting.remove(&(since, address));
        if let Some(pool) = self.pool_of(address) {
            self.stocks[pool].take(address, Some(since));
            self.stocks[pool].give(address);
        }
    }

    /// Those who wait may hope.
    fn tell_free(&mut self, address: IpAddr) {
        let any = self.pool_of(address).map(|pool| Want::Any(pool, Family::of(address)));
        self.news.extend(any.into_iter().chain([Want::Address(address)]));
    }

    /// Who had `address` last, as long as it rests: nobody else may have it.
    pub fn rests_for(&self, address: IpAddr) -> Option<&ServiceKey> {
        self.memory.get(address).filter(|(_, since)| self.resting.contains(&(*since, address))).map(|(key, _)| key)
    }

    /// Whose `address` is, if it is never handed out.
    pub fn reserve(&self, address: IpAddr) -> Option<&Reserve> {
        self.reserved.get(&address)
    }

    /// The addresses that foreign hosts use.
    pub fn in_use(&self) -> impl Iterator<Item = IpAddr> {
        self.reserved.iter().filter(|(_, by)| matches!(by, Reserve::InUse(_))).map(|(address, _)| *address)
    }

    /// Who is at which address.
    pub fn tenants(&self) -> &Tenants {
        &self.tenants
    }

    /// Who keeps `key` with this share from an address that it does not have yet, and why.
    pub fn bar<'a>(
        &'a self,
        address: IpAddr,
        key: &'a ServiceKey,
        share: Option<&Share>,
    ) -> Option<(&'a ServiceKey, Clash)> {
        let mut others = self.tenants.others(address, key).peekable();
        // Nearly always: the rest is not looked at.
        others.peek()?;
        let by = self.config.pool_of(address).map_or(Sharing::None, |pool| pool.sharing);
        let forbidden = || others.find_map(|(other, _)| Some((other, Share::forbidden(by, key, other)?)));
        self.tenants.clash(address, key, share).or_else(forbidden)
    }

    /// The addresses of a family where `share` would find Services of its key, ascending, each with the pool that hands it out.
    pub fn group(&self, share: &Share, family: Family) -> impl Iterator<Item = (IpAddr, usize)> {
        self.tenants.group(share, family).filter_map(|address| Some((address, self.pool_of(address)?)))
    }

    /// The address of a family that `key` gets from the pool at this position: its own, which it had before, else what anybody
    /// gets.
    pub fn next(&self, pool: usize, family: Family, key: &ServiceKey) -> Option<IpAddr> {
        let is_here = |address: &IpAddr| Family::of(*address) == family && self.pool_of(*address) == Some(pool);
        self.memory.of(key).into_iter().find(is_here).or_else(|| self.next_for_all(pool, family))
    }

    /// The address of a family that anybody gets from a pool: the lowest that nobody remembers, else the one that has been
    /// remembered longest.
    fn next_for_all(&self, pool: usize, family: Family) -> Option<IpAddr> {
        self.stocks[pool].next(family, self.now.checked_sub(self.config.quarantine))
    }

    pub fn usage(&self, pool: usize, family: Family) -> Usage {
        let stock = &self.stocks[pool];
        let total = stock.total(family);
        let used = total - stock.fresh(family) - stock.remembered(family);
        // Of those that are remembered none has rested long enough, or the next one would have.
        let is_resting = self.next_for_all(pool, family).is_none();
        let resting = if is_resting { stock.remembered(family) } else { 0 };
        Usage { pool: self.config.pools[pool].name.to_string(), family, used, resting, total }
    }

    /// How many addresses of a pool a namespace has; 0 where the pool does not limit that.
    pub fn count(&self, pool: usize, namespace: &str) -> usize {
        self.tally.of(pool, namespace)
    }

    fn limit(&self, pool: usize) -> usize {
        self.config.pools[pool].per_namespace as usize
    }

    /// Whether another Service of the same namespace is at `address`.
    pub fn has_neighbour(&self, address: IpAddr, key: &ServiceKey) -> bool {
        self.tenants.others(address, key).any(|(other, _)| other.namespace() == key.namespace())
    }

    /// `key` has this address, alone or with others whom it does not clash with.
    pub fn take(&mut self, Held { address, share, .. }: &Held, key: &ServiceKey) {
        let known = self.tenants.get(*address, key);
        if known == Some(share) {
            return;
        }
        let is_new = known.is_none();
        debug_assert_eq!(self.tenants.clash(*address, key, share.as_deref()), None, "{address} is not for {key}");
        if is_new {
            let rested = self.memory.get(*address).map(|(_, since)| since);
            if let Some(pool) = self.pool_of(*address) {
                self.stocks[pool].take(*address, rested);
            }
            if let Some(since) = rested {
                self.resting.remove(&(since, *address));
                self.memory.remove(*address);
            }
            if let Some(pool) = self.limits(*address, key) {
                self.tally.add(pool, key.namespace());
            }
        }
        if let Some(share) = share {
            self.news.extend([Want::Key(share.key.clone()), Want::Address(*address)]);
        }
        self.tenants.put(*address, key, share.clone());
    }

    /// `key` has it no more.
    pub fn give(&mut self, address: IpAddr, key: &ServiceKey) {
        if !self.tenants.remove(address, key) {
            return;
        }
        if let Some(pool) = self.limits(address, key) {
            self.tally.remove(pool, key.namespace());
            let namespace = || key.namespace().to_owned();
            self.news.extend([Want::Room(pool, namespace()), Want::Limit(pool, namespace())]);
        }
        if self.tenants.of(address).next().is_some() {
            let keys = self.tenants.of(address).filter_map(|(_, share)| Some(Want::Key(share?.key.clone())));
            self.news.extend(keys.chain([Want::Address(address)]));
            return;
        }
        if !self.keep().is_zero() {
            self.rest(address, key, self.now);
        } else if let Some(pool) = self.pool_of(address) {
            self.stocks[pool].give(address);
        }
        self.tell_free(address);
    }

    /// The pool that counts `address`, where it limits that and `key` alone of its namespace is there.
    fn limits(&self, address: IpAddr, key: &ServiceKey) -> Option<usize> {
        let pool = self.config.position_of(address).filter(|pool| self.limit(*pool) > 0)?;
        (!self.has_neighbour(address, key)).then_some(pool)
    }

    /// What has changed since this was asked last, for those who wait for it.
    pub fn take_news(&mut self) -> BTreeSet<Want> {
        std::mem::take(&mut self.news)
    }

    /// Whether there is still something to be had of what somebody waits for.
    pub fn stands(&self, want: &Want) -> bool {
        match want {
            Want::Address(address) => self.tenants.of(*address).all(|(_, share)| share.is_some()),
            Want::Any(pool, family) => self.next_for_all(*pool, *family).is_some(),
            Want::Room(pool, namespace) => self.count(*pool, namespace) < self.limit(*pool),
            Want::Limit(pool, namespace) => self.count(*pool, namespace) <= self.limit(*pool),
            Want::Key(_) => true,
        }
    }

    /// The pool that hands out `address`.
    fn pool_of(&self, address: IpAddr) -> Option<usize> {
        let hands_out = |pool: &usize| {
            self.config.pools[*pool].addresses.contains(address) && !self.reserved.contains_key(&address)
        };
        self.config.position_of(address).filter(hands_out)
    }
}
