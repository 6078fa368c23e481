//! What one Service should hold: its request, its families and what it has, set against what is free.

use super::{FamilyPolicy, Refusal, Service, held::Held, ledger::Ledger, waiting::Want};
use crate::{addr::Family, config::Pool};
use std::net::IpAddr;

/// What a Service should hold from now on.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// IPv4 first. Empty: it gets nothing, and `shortfall` says why.
    pub hold: Vec<Held>,
    /// Why this is not what it asks for, or no longer what the configuration has.
    pub shortfall: Option<Refusal>,
    /// What another Service could release to better it.
    pub wants: Vec<Want>,
}

/// Plans for a Service that holds `held`. Whatever cannot be had, it keeps that.
pub(super) fn plan(service: &Service, held: &[Held], ledger: &Ledger) -> Plan {
    let families = families(service);
    match fulfil(service, &families, held, ledger) {
        Ok(mut hold) => {
            hold.sort_by_key(Held::family);
            let mut shortfall = None;
            for held in &mut hold {
                shortfall = shortfall.or(review(held, service.request.pool.as_deref(), ledger));
            }
            Plan { shortfall, wants: second_family(&hold, &families, ledger), hold }
        }
        Err(refusal) => {
            let wants = Want::after(&refusal);
            Plan { hold: held.to_vec(), shortfall: Some(refusal), wants }
        }
    }
}

/// What the configuration has against an address that is held all the same. Unless its own pool is asked for, it is
/// from now on counted as from the pool that lists it.
fn review(held: &mut Held, asked: Option<&str>, ledger: &Ledger) -> Option<Refusal> {
    let address = held.address;
    if let Some(pool) = ledger.config().pool_of(address) {
        match asked {
            Some(asked) if asked != pool.name => {
                let (pool, found) = (asked.to_owned(), pool.name.clone());
                return Some(Refusal::WrongPool { address, pool, found });
            }
            _ => held.pool.clone_from(&pool.name),
        }
    }
    misfit(address, ledger).err()
}

/// The families that the Service can use, in its order.
pub(super) fn families(service: &Service) -> Vec<Family> {
    let first = service.families.first().copied().unwrap_or(Family::V4);
    match service.policy {
        FamilyPolicy::SingleStack => vec![first],
        // In a cluster of one family the Service has only that: it has no cluster address for the other.
        FamilyPolicy::PreferDualStack if service.families.len() < 2 => vec![first],
        _ => vec![first, first.other()],
    }
}

fn fulfil(service: &Service, families: &[Family], held: &[Held], ledger: &Ledger) -> Result<Vec<Held>, Refusal> {
    if let Some(what) = &service.request.malformed {
        return Err(Refusal::Malformed(what.clone()));
    }
    let pool = service.request.pool.as_deref().map(|name| named(name, ledger)).transpose()?;
    let mut hold = requested(service, families, pool, held, ledger)?;
    for mine in held {
        let is_wanted = families.contains(&mine.family()) && pool.is_none_or(|pool| mine.is_of(pool));
        if is_wanted && hold.iter().all(|other| other.family() != mine.family()) {
            hold.push(mine.clone());
        }
    }
    complete(&mut hold, service.policy, families, pool, ledger)?;
    Ok(hold)
}

fn named<'a>(name: &str, ledger: &'a Ledger) -> Result<&'a Pool, Refusal> {
    ledger.config().pool(name).ok_or_else(|| match &ledger.config().pools[..] {
        [] => Refusal::NoPools,
        pools => Refusal::UnknownPool { pool: name.to_owned(), known: names(pools) },
    })
}

fn names<'a>(pools: impl IntoIterator<Item = &'a Pool>) -> Vec<String> {
    pools.into_iter().map(|pool| pool.name.clone()).collect()
}

/// The addresses that the Service asks for by number, if it can have them all.
fn requested(
    service: &Service,
    families: &[Family],
    pool: Option<&Pool>,
    held: &[Held],
    ledger: &Ledger,
) -> Result<Vec<Held>, Refusal> {
    let mut hold: Vec<Held> = Vec::new();
    for &address in &service.request.addresses {
        let family = Family::of(address);
        match hold.iter().find(|other| other.family() == family) {
            Some(other) if other.address == address => continue,
            Some(other) => return Err(Refusal::TwoOfOneFamily { first: other.address, second: address }),
            None if !families.contains(&family) => {
                return Err(Refusal::WrongFamily { address, families: families.to_vec() });
            }
            None => {}
        }
        let mine = match held.iter().find(|mine| mine.address == address) {
            Some(mine) => mine.clone(),
            None => Held { address, pool: misfit(address, ledger)?.name.clone() },
        };
        if let Some(pool) = pool.filter(|pool| !mine.is_of(pool)) {
            return Err(Refusal::WrongPool { address, pool: pool.name.clone(), found: mine.pool });
        }
        hold.push(mine);
    }
    // Last, so that what only the user can mend is named first.
    for Held { address, .. } in &hold {
        if let Some(by) = ledger.holder(*address).filter(|by| **by != service.key) {
            return Err(Refusal::Taken { address: *address, by: by.clone() });
        }
    }
    Ok(hold)
}

/// The pool that hands out `address`, or why none does.
fn misfit(address: IpAddr, ledger: &Ledger) -> Result<&Pool, Refusal> {
    match ledger.config().pool_of(address) {
        None => Err(Refusal::OutsidePools { address }),
        Some(pool) if pool.addresses.contains(address) => Ok(pool),
        Some(pool) => Err(Refusal::Excluded { address, pool: pool.name.clone() }),
    }
}

/// Adds what is missing in `hold`. The families of one attempt come from one pool: a Service's addresses lie in two
/// pools only when it asks for two such addresses.
fn complete(
    hold: &mut Vec<Held>,
    policy: FamilyPolicy,
    families: &[Family],
    pool: Option<&Pool>,
    ledger: &Ledger,
) -> Result<(), Refusal> {
    let missing: Vec<Family> =
        families.iter().copied().filter(|family| hold.iter().all(|held| held.family() != *family)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let pools = candidates(hold, pool, ledger);
    let mut attempts = vec![missing.clone()];
    if policy == FamilyPolicy::PreferDualStack {
        if missing.len() > 1 {
            attempts.extend(missing.iter().map(|family| vec![*family]));
        } else if !hold.is_empty() {
            attempts.push(Vec::new());
        }
    }
    for attempt in &attempts {
        if attempt.is_empty() {
            return Ok(());
        }
        for pool in pools.as_deref().unwrap_or_default() {
            let found: Option<Vec<IpAddr>> = attempt.iter().map(|family| ledger.lowest(pool, *family)).collect();
            if let Some(found) = found {
                hold.extend(found.into_iter().map(|address| Held { address, pool: pool.name.clone() }));
                return Ok(());
            }
        }
    }
    Err(shortage(&pools?, &missing, policy, ledger))
}

/// The pools from which a Service with these addresses may get more, in their order.
fn candidates<'a>(hold: &[Held], pool: Option<&'a Pool>, ledger: &'a Ledger) -> Result<Vec<&'a Pool>, Refusal> {
    let all = &ledger.config().pools;
    if let Some(pool) = pool {
        return Ok(vec![pool]);
    }
    if let Some(held) = hold.first() {
        return named(&held.pool, ledger).map(|pool| vec![pool]);
    }
    let pools: Vec<&Pool> = all.iter().filter(|pool| pool.auto_assign).collect();
    match (pools.is_empty(), all.is_empty()) {
        (_, true) => Err(Refusal::NoPools),
        (true, false) => Err(Refusal::NoAutoAssign { pools: names(all) }),
        (false, false) => Ok(pools),
    }
}

/// Why the missing families are not to be had in these pools.
fn shortage(pools: &[&Pool], missing: &[Family], policy: FamilyPolicy, ledger: &Ledger) -> Refusal {
    let has = |family: &Family| pools.iter().any(|pool| pool.size(*family) > 0);
    let all_needed = policy == FamilyPolicy::RequireDualStack && missing.len() > 1;
    let hopeless = if all_needed { !missing.iter().all(has) } else { !missing.iter().any(has) };
    if let Some(family) = missing.iter().find(|family| hopeless && !has(family)) {
        return Refusal::NoFamily { family: *family, pools: names(pools.iter().copied()) };
    }
    let usage = pools.iter().flat_map(|pool| missing.iter().map(|family| ledger.usage(pool, *family)));
    if all_needed {
        Refusal::NotBothFamilies { usage: usage.collect() }
    } else {
        Refusal::Exhausted { usage: usage.filter(|usage| usage.total > 0).collect() }
    }
}

/// The family that is missing beside the one that is there, if its pool has such addresses at all.
fn second_family(hold: &[Held], families: &[Family], ledger: &Ledger) -> Vec<Want> {
    let [held] = hold else { return Vec::new() };
    let pool = ledger.config().pool(&held.pool);
    let missing = families.iter().filter(|family| **family != held.family());
    let is_possible = |family: &&Family| pool.is_some_and(|pool| pool.size(**family) > 0);
    missing.filter(is_possible).map(|family| Want::Any(held.pool.clone(), *family)).collect()
}
