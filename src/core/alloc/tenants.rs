//! Who is at which address: mostly one Service, or several with one sharing key.

use super::{
    ServiceKey,
    sharing::{Clash, Share},
};
use crate::addr::Family;
use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
};

/// A Service at an address, and what it brought there; none: it does not share.
pub(super) type Tenant<'a> = (&'a ServiceKey, Option<&'a Share>);

/// The tenants of all addresses.
#[derive(Debug, Default)]
pub(super) struct Tenants {
    /// What each brought. One map for all, since nearly every address has one tenant.
    shares: BTreeMap<(IpAddr, ServiceKey), Option<Arc<Share>>>,
    /// By sharing key: the addresses with a tenant that has it.
    groups: BTreeMap<String, BTreeSet<IpAddr>>,
}

impl Tenants {
    /// Those at `address`, by name.
    pub fn of(&self, address: IpAddr) -> impl Iterator<Item = Tenant<'_>> {
        let from = (address, ServiceKey::default());
        let own = self.shares.range(from..).take_while(move |((other, _), _)| *other == address);
        own.map(|((_, key), share)| (key, share.as_deref()))
    }

    /// Those at `address` but for `key`.
    pub fn others<'a>(&'a self, address: IpAddr, key: &'a ServiceKey) -> impl Iterator<Item = Tenant<'a>> {
        self.of(address).filter(move |(other, _)| *other != key)
    }

    /// What `key` brought to `address`, if it is there.
    pub fn get(&self, address: IpAddr, key: &ServiceKey) -> Option<&Option<Arc<Share>>> {
        self.shares.get(&(address, key.clone()))
    }

    /// Who keeps `key` with this share from `address`, and why.
    pub fn clash<'a>(
        &'a self,
        address: IpAddr,
        key: &'a ServiceKey,
        share: Option<&Share>,
    ) -> Option<(&'a ServiceKey, Clash)> {
        self.others(address, key).find_map(|other| Some((other.0, Share::clash((key, share), other)?)))
    }

    /// The addresses of a family where `share` would find Services of its key, ascending.
    pub fn group(&self, share: &Share, family: Family) -> impl Iterator<Item = IpAddr> {
        let all = self.groups.get(&share.key).into_iter().flatten();
        all.copied().filter(move |address| Family::of(*address) == family)
    }

    /// Lets `key` in, or changes what it brought.
    pub fn put(&mut self, address: IpAddr, key: &ServiceKey, share: Option<Arc<Share>>) {
        let before = self.shares.insert((address, key.clone()), share.clone()).flatten();
        if before != share {
            before.into_iter().chain(share).for_each(|share| self.regroup(address, &share));
        }
    }

    /// Lets `key` out. Says whether it was there.
    pub fn remove(&mut self, address: IpAddr, key: &ServiceKey) -> bool {
        let gone = self.shares.remove(&(address, key.clone()));
        gone.iter().flatten().for_each(|share| self.regroup(address, share));
        gone.is_some()
    }

    /// Whether `address` belongs to the group of this key.
    fn regroup(&mut self, address: IpAddr, share: &Share) {
        if self.of(address).any(|(_, other)| other.is_some_and(|other| other.key == share.key)) {
            self.groups.entry(share.key.clone()).or_default().insert(address);
        } else if let Some(group) = self.groups.get_mut(&share.key) {
            group.remove(&address);
            if group.is_empty() {
                self.groups.remove(&share.key);
            }
        }
    }
}
