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

/// A Service at an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tenant {
    pub key: ServiceKey,
    /// What it brought there; none: it does not share.
    pub share: Option<Arc<Share>>,
}

/// The tenants of all addresses.
#[derive(Debug, Default)]
pub(super) struct Tenants {
    by_address: BTreeMap<IpAddr, Vec<Tenant>>,
    /// By sharing key: the addresses with a tenant that has it.
    groups: BTreeMap<String, BTreeSet<IpAddr>>,
}

impl Tenants {
    /// Those at `address`.
    pub fn of(&self, address: IpAddr) -> &[Tenant] {
        self.by_address.get(&address).map_or(&[], Vec::as_slice)
    }

    /// Those at `address` but for `key`.
    pub fn others<'a>(&'a self, address: IpAddr, key: &'a ServiceKey) -> impl Iterator<Item = &'a Tenant> {
        self.of(address).iter().filter(move |tenant| tenant.key != *key)
    }

    /// Who keeps `key` with this share from `address`, and why.
    pub fn clash<'a>(
        &'a self,
        address: IpAddr,
        key: &'a ServiceKey,
        share: Option<&Share>,
    ) -> Option<(&'a ServiceKey, Clash)> {
        let clash = |other: &Tenant| Share::clash((key, share), (&other.key, other.share.as_deref()));
        self.others(address, key).find_map(|other| Some((&other.key, clash(other)?)))
    }

    /// The addresses of a family where `share` would find Services of its key, ascending.
    pub fn group(&self, share: &Share, family: Family) -> impl Iterator<Item = IpAddr> {
        let all = self.groups.get(&share.key).into_iter().flatten();
        all.copied().filter(move |address| Family::of(*address) == family)
    }

    /// Lets `tenant` in, or changes what it brought.
    pub fn put(&mut self, address: IpAddr, tenant: Tenant) {
        let tenants = self.by_address.entry(address).or_insert_with(|| Vec::with_capacity(1));
        let before = match tenants.iter_mut().find(|other| other.key == tenant.key) {
            Some(mine) => std::mem::replace(mine, tenant.clone()).share,
            None => {
                tenants.push(tenant.clone());
                None
            }
        };
        if before != tenant.share {
            before.iter().for_each(|share| self.regroup(address, share));
            tenant.share.iter().for_each(|share| self.regroup(address, share));
        }
    }

    /// Lets `key` out.
    pub fn remove(&mut self, address: IpAddr, key: &ServiceKey) -> Option<Tenant> {
        let tenants = self.by_address.get_mut(&address)?;
        let gone = tenants.remove(tenants.iter().position(|tenant| tenant.key == *key)?);
        if tenants.is_empty() {
            self.by_address.remove(&address);
        }
        gone.share.iter().for_each(|share| self.regroup(address, share));
        Some(gone)
    }

    /// Whether `address` belongs to the group of this key.
    fn regroup(&mut self, address: IpAddr, share: &Share) {
        let is_of = |tenant: &Tenant| tenant.share.as_ref().is_some_and(|other| other.key == share.key);
        if self.of(address).iter().any(is_of) {
            self.groups.entry(share.key.clone()).or_default().insert(address);
        } else if let Some(group) = self.groups.get_mut(&share.key) {
            group.remove(&address);
            if group.is_empty() {
                self.groups.remove(&share.key);
            }
        }
    }
}
