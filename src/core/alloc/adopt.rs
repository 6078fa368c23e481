//! What a Service's own status says that it holds: the only memory that outlives a restart.

use super::{Refusal, Reserve, Service, Stranger, entry::Entry, held::Held, ledger::Ledger, plan};
use crate::addr::Family;
use std::net::IpAddr;

/// Takes over what a Service's status claims, unless it holds something; what it has not let go it has back. Gives what of it is
/// somebody else's, if it is not ours.
pub(super) fn adopt(entry: &mut Entry, ledger: &mut Ledger) -> Option<Stranger> {
    if !entry.held().is_empty() {
        return None;
    }
    match claim(&entry.service, ledger) {
        Claim::Foreign(stranger) => return Some(stranger),
        Claim::Ours(..) if entry.take_back() => {}
        Claim::Ours(held, lost) => {
            if (entry.service.record.is_none() || entry.service.is_settled()) && !held.is_empty() {
                entry.settle();
            }
            held.iter().for_each(|held| ledger.take(held, &entry.service.key));
            entry.adopt(held);
            lost.into_iter().for_each(|lost| entry.lose(lost));
        }
    }
    None
}

/// What a status means.
#[derive(Debug, PartialEq, Eq)]
enum Claim {
    /// These addresses are the Service's; none: it has yet to get some. And why others that it shows are not.
    Ours(Vec<Held>, Option<Refusal>),
    /// Somebody else serves it, by what it shows here: it is to be left alone.
    Foreign(Stranger),
}

/// Reads a status. With our record it is our word, whatever the pools have become since. Without it, it is taken over if
/// all of it lies in pools, and somebody else's if not. Of each family the first address counts, unless another Service
/// holds it and does not share it, or, without our record, the Service has no use for the family. No record makes a node's own
/// address ours, which is in no pool and was never announced: another implementation has written it over what we gave.
fn claim(service: &Service, ledger: &Ledger) -> Claim {
    if service.status.is_empty() && !service.foreign_status {
        return Claim::Ours(Vec::new(), None);
    }
    let config = ledger.config();
    let is_ours = service.record.is_some();
    // What is never handed out, such as a node's own address, is in no status for us.
    let name = service.foreign_status.then_some(Stranger::Name);
    let stranger = || name.or_else(|| service.status.iter().find_map(|address| Stranger::of(*address, ledger)));
    if !is_ours && let Some(stranger) = stranger() {
        return Claim::Foreign(stranger);
    }
    let mut addresses = service.status.to_vec();
    addresses.sort_by_key(|address| Family::of(*address));
    addresses.dedup_by_key(|address| Family::of(*address));
    let usable = plan::families(service);
    addresses.retain(|address| is_ours || usable.contains(&Family::of(*address)));
    let pools: Vec<&str> = service.record.as_deref().unwrap_or_default().split(',').collect();
    let is_nodes = |address: IpAddr| {
        let is_ours = config.pool_of(address).is_some() || service.was_announced(address);
        !is_ours && matches!(ledger.reserve(address), Some(Reserve::Node(_)))
    };
    let given = addresses.iter().enumerate().filter(|(_, address)| !is_nodes(**address));
    let held = given.map(|(index, address)| {
        let recorded = pools.get(index).or(pools.first()).filter(|pool| !pool.is_empty());
        let listed = || config.pool_of(*address).map(|pool| pool.name.clone()).unwrap_or_default();
        // Of a pool that is there the name is there, too.
        let name =
            |pool: &&str| config.position(pool).map_or_else(|| (*pool).into(), |at| config.pools[at].name.clone());
        Held { address: *address, pool: recorded.map_or_else(listed, name), share: service.share.clone() }
    });
    let (key, share) = (&service.key, service.share.as_deref());
    // What was given once does not depend on what the pool says of sharing today.
    let bar = |address| {
        let by = if is_ours { ledger.tenants().clash(address, key, share) } else { ledger.bar(address, key, share) };
        let rests = || ledger.rests_for(address).filter(|of| !is_ours && *of != key);
        let resting = || rests().map(|of| Refusal::Resting { address, of: of.clone() });
        by.map(|by| plan::unshareable(address, by)).or_else(resting)
    };
    let (mut own, mut lost) = (Vec::new(), None);
    for held in held {
        match bar(held.address) {
            None => own.push(held),
            why => lost = lost.or(why),
        }
    }
    Claim::Ours(own, lost)
}

/// The order in which statuses are believed when two claim one address: the smaller wins.
pub(super) fn precedence(service: &Service) -> impl Ord {
    (service.record.is_none(), service.created, service.uid.clone(), service.key.clone())
}
