//! A Service whose address a foreign host has, and who may leave it for another one: the address was never announced, so no
//! client knows it.
//!
//! How often that happens is bounded, since anybody on the network can claim anything: beyond, the Service keeps its address
//! and waits for the foreign host to go.

use super::{
    Refusal, Reserve,
    entry::Entry,
    held::Held,
    ledger::Ledger,
    plan::{self, Plan},
};
use crate::config::Labels;
use std::{collections::BTreeSet, net::IpAddr};

/// No more addresses of a pool are left to foreign hosts.
const LEFT: usize = 10;

/// The plan for a Service, or another one that leaves an address to a foreign host and gives as many. `left` are the addresses
/// that were left before.
pub(super) fn leave(
    plan: Plan,
    entry: &mut Entry,
    namespace: Option<&Labels>,
    ledger: &Ledger,
    left: &mut BTreeSet<IpAddr>,
) -> Plan {
    let Some((address, by)) = contested(entry, ledger, left) else { return plan };
    let rest: Vec<Held> = entry.held().iter().filter(|held| held.address != address).cloned().collect();
    let other = plan::plan(&entry.service, namespace, (entry.held(), &rest), ledger);
    if other.hold.len() < plan.hold.len() {
        return plan;
    }
    entry.move_once();
    left.insert(address);
    Plan { lost: Some(Refusal::Reserved { address, by }), ..other }
}

/// The address that the Service may leave, and who has it.
fn contested(entry: &Entry, ledger: &Ledger, left: &BTreeSet<IpAddr>) -> Option<(IpAddr, Reserve)> {
    let service = &entry.service;
    let may_leave = |address: IpAddr| {
        !service.request().addresses.contains(&address)
            && !service.was_announced(address)
            && ledger.tenants().others(address, &service.key).next().is_none()
            && count_left(address, ledger, left) < LEFT
    };
    let held = entry.held().iter().filter(|_| !entry.is_settled());
    let in_use = held.filter_map(|held| Some((held.address, ledger.reserve(held.address)?)));
    in_use
        .filter(|(address, by)| matches!(by, Reserve::InUse(_)) && may_leave(*address))
        .map(|(address, by)| (address, by.clone()))
        .next()
}

/// How many addresses of the pool of `address` are in use by foreign hosts, and by nobody here.
fn count_left(address: IpAddr, ledger: &Ledger, left: &BTreeSet<IpAddr>) -> usize {
    let config = ledger.config();
    let pool = config.position_of(address);
    let is_left = |other: &IpAddr| left.contains(other) || ledger.tenants().of(*other).next().is_none();
    ledger.in_use().filter(|other| config.position_of(*other) == pool && is_left(other)).count()
}
