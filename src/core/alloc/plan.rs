//! What one Service should hold: its request, its families and what it has, set against what is free.

use super::{FamilyPolicy, Refusal, Service, held::Held, ledger::Ledger, waiting::Want};
use crate::{
    addr::Family,
    config::{Labels, Pool},
};
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

/// Why a request cannot be fulfilled now, and what would have to become free for another try.
struct Denial {
    refusal: Refusal,
    wants: Vec<Want>,
}

impl From<Refusal> for Denial {
    /// No release will help.
    fn from(refusal: Refusal) -> Self {
        Self { refusal, wants: Vec::new() }
    }
}

/// A Service, and all that is to be known to plan for it.
pub(super) struct Planner<'a> {
    pub service: &'a Service,
    /// The labels of its namespace, if that is known.
    pub namespace: Option<&'a Labels>,
    /// What it holds.
    pub held: &'a [Held],
    pub ledger: &'a Ledger,
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

impl<'a> Planner<'a> {
    /// Plans. Whatever cannot be had, the Service keeps what it has.
    pub fn plan(&self) -> Plan {
        let families = families(self.service);
        match self.fulfil(&families) {
            Ok(mut hold) => {
                hold.sort_by_key(Held::family);
                let mut shortfall = None;
                for held in &mut hold {
                    shortfall = shortfall.or(self.review(held));
                }
                Plan { shortfall, wants: self.second_family(&hold, &families), hold }
            }
            Err(Denial { refusal, wants }) => Plan { hold: self.held.to_vec(), shortfall: Some(refusal), wants },
        }
    }

    /// What the configuration has against an address that is held all the same. Unless its own pool is asked for, it is
    /// from now on counted as from the pool that lists it.
    fn review(&self, held: &mut Held) -> Option<Refusal> {
        let address = held.address;
        if let Some(pool) = self.ledger.config().pool_of(address) {
            match self.service.request.pool.as_deref() {
                Some(asked) if asked != pool.name => {
                    let (pool, found) = (asked.to_owned(), pool.name.clone());
                    return Some(Refusal::WrongPool { address, pool, found });
                }
                _ => held.pool.clone_from(&pool.name),
            }
        }
        misfit(address, self.ledger).and_then(|pool| self.admit(self.pool(pool))).err()
    }

    fn pool(&self, position: usize) -> &'a Pool {
        &self.ledger.config().pools[position]
    }

    /// Whether a pool is for this Service.
    fn admit(&self, pool: &Pool) -> Result<(), Refusal> {
        let judged = pool.admission.judge(&self.service.key.namespace, self.namespace, &self.service.labels);
        judged.map_err(|barrier| Refusal::NotAdmitted { pool: pool.name.clone(), barrier })
    }

    fn fulfil(&self, families: &[Family]) -> Result<Vec<Held>, Denial> {
        let request = &self.service.request;
        if let Some(what) = &request.malformed {
            return Err(Refusal::Malformed(what.clone()).into());
        }
        let asked = request.pool.as_deref().map(|name| named(name, self.ledger)).transpose()?;
        asked.map(|asked| self.admit(self.pool(asked))).transpose()?;
        let mut hold = self.requested(families, asked)?;
        for mine in self.held {
            let is_asked = asked.is_none_or(|asked| mine.is_of(self.pool(asked)));
            let is_missing = hold.iter().all(|other| other.family() != mine.family());
            if is_asked && is_missing && families.contains(&mine.family()) {
                hold.push(mine.clone());
            }
        }
        self.complete(&mut hold, families, asked)?;
        Ok(hold)
    }

    /// The addresses that the Service asks for by number, if it can have them all.
    fn requested(&self, families: &[Family], asked: Option<usize>) -> Result<Vec<Held>, Denial> {
        let mut hold: Vec<Held> = Vec::new();
        for &address in &self.service.request.addresses {
            let family = Family::of(address);
            match hold.iter().find(|other| other.family() == family) {
                Some(other) if other.address == address => continue,
                Some(other) => return Err(Refusal::TwoOfOneFamily { first: other.address, second: address }.into()),
                None if !families.contains(&family) => {
                    return Err(Refusal::WrongFamily { address, families: families.to_vec() }.into());
                }
                None => {}
            }
            hold.push(self.named_address(address, asked)?);
        }
        // Last, so that what only the user can mend is named first.
        for Held { address, .. } in &hold {
            if let Some(by) = self.ledger.holder(*address).filter(|by| **by != self.service.key) {
                let refusal = Refusal::Taken { address: *address, by: by.clone() };
                return Err(Denial { refusal, wants: vec![Want::Address(*address)] });
            }
        }
        Ok(hold)
    }

    /// An address that is asked for, and the pool that it would come from, or comes from.
    fn named_address(&self, address: IpAddr, asked: Option<usize>) -> Result<Held, Refusal> {
        let mine = self.held.iter().find(|mine| mine.address == address).cloned();
        let held = match mine.clone() {
            Some(mine) => mine,
            None => Held { address, pool: self.pool(misfit(address, self.ledger)?).name.clone() },
        };
        match asked.map(|asked| self.pool(asked)) {
            Some(asked) if !held.is_of(asked) => {
                Err(Refusal::WrongPool { address, pool: asked.name.clone(), found: held.pool })
            }
            // Nobody is admitted anew where he is not; what is live stays.
            None if mine.is_none() => {
                named(&held.pool, self.ledger).and_then(|pool| self.admit(self.pool(pool))).map(|()| held)
            }
            _ => Ok(held),
        }
    }

    /// Adds what is missing in `hold`. The families of one attempt come from one pool.
    fn complete(&self, hold: &mut Vec<Held>, families: &[Family], asked: Option<usize>) -> Result<(), Denial> {
        let missing = missing(hold, families);
        if missing.is_empty() {
            return Ok(());
        }
        let is_preferred = self.service.policy == FamilyPolicy::PreferDualStack;
        let pools = self.candidates(hold, asked);
        let singly = missing.iter().map(|family| vec![*family]).filter(|_| is_preferred && missing.len() > 1);
        for attempt in [missing.clone()].into_iter().chain(singly) {
            for &pool in pools.as_deref().unwrap_or_default() {
                if let Some(found) = self.choose(pool, &attempt) {
                    hold.extend(found);
                    return Ok(());
                }
            }
        }
        if is_preferred && !hold.is_empty() {
            return Ok(());
        }
        Err(self.shortage(&pools?, &missing))
    }

    /// One address of each of these families, from this pool.
    fn choose(&self, pool: usize, families: &[Family]) -> Option<Vec<Held>> {
        let held = |address| Held { address, pool: self.pool(pool).name.clone() };
        families.iter().map(|family| self.ledger.lowest(pool, *family).map(held)).collect()
    }

    /// The pools from which a Service with these addresses may get more, in their order. A second address comes from the pool
    /// of the first, or, where the user has chosen that one by number, from another.
    fn candidates(&self, hold: &[Held], asked: Option<usize>) -> Result<Vec<usize>, Refusal> {
        if let Some(asked) = asked {
            return Ok(vec![asked]);
        }
        let own = hold.first().map(|held| {
            let pool = named(&held.pool, self.ledger)?;
            self.admit(self.pool(pool)).map(|()| pool)
        });
        match own {
            Some(own) if self.service.request.addresses.is_empty() => own.map(|own| vec![own]),
            own => {
                let own = own.and_then(Result::ok);
                let others = self.open_pools();
                let others = others.map(|others| others.into_iter().filter(move |other| Some(*other) != own));
                match (own, others) {
                    (Some(own), others) => Ok([own].into_iter().chain(others.into_iter().flatten()).collect()),
                    (None, others) => others.map(Iterator::collect),
                }
            }
        }
    }

    /// The pools that are for this Service without its asking for them.
    fn open_pools(&self) -> Result<Vec<usize>, Refusal> {
        let all = &self.ledger.config().pools;
        let automatic = || all.iter().enumerate().filter(|(_, pool)| pool.auto_assign);
        let pools: Vec<usize> =
            automatic().filter(|(_, pool)| self.admit(pool).is_ok()).map(|(position, _)| position).collect();
        if !pools.is_empty() {
            return Ok(pools);
        }
        Err(match (all.is_empty(), automatic().next()) {
            (true, _) => Refusal::NoPools,
            (false, None) => Refusal::NoAutoAssign { pools: names(all) },
            (false, Some(_)) => Refusal::NoneAdmits { pools: names(automatic().map(|(_, pool)| pool)) },
        })
    }

    /// Why the missing families are not to be had in these pools, and what would help.
    fn shortage(&self, pools: &[usize], missing: &[Family]) -> Denial {
        let all_needed = self.service.policy == FamilyPolicy::RequireDualStack && missing.len() > 1;
        let has = |family: &Family| pools.iter().any(|pool| self.pool(*pool).size(*family) > 0);
        let hopeless = if all_needed { !missing.iter().all(has) } else { !missing.iter().any(has) };
        if let Some(family) = missing.iter().find(|family| hopeless && !has(family)) {
            return Refusal::NoFamily { family: *family, pools: names(pools.iter().map(|pool| self.pool(*pool))) }
                .into();
        }
        let usage = pools.iter().flat_map(|pool| missing.iter().map(|family| self.ledger.usage(*pool, *family)));
        let wants = pools.iter().flat_map(|pool| self.wants(*pool, missing, all_needed)).collect();
        let refusal = if all_needed {
            Refusal::NotBothFamilies { usage: usage.collect() }
        } else {
            Refusal::Exhausted { usage: usage.filter(|usage| usage.total > 0).collect() }
        };
        Denial { refusal, wants }
    }

    /// What would have to become free in a pool. As long as one family of it is full, the other one does not matter where both
    /// are needed.
    fn wants(&self, pool: usize, missing: &[Family], all_needed: bool) -> Vec<Want> {
        let has = |family: &Family| self.pool(pool).size(*family) > 0;
        if all_needed && !missing.iter().all(has) {
            return Vec::new();
        }
        let is_full = |family: &&Family| has(family) && self.ledger.lowest(pool, **family).is_none();
        let full = missing.iter().filter(is_full).map(|family| Want::Any(pool, *family));
        full.take(if all_needed { 1 } else { missing.len() }).collect()
    }

    /// The family that is missing beside the one that is there, where there are such addresses at all.
    fn second_family(&self, hold: &[Held], families: &[Family]) -> Vec<Want> {
        let missing = missing(hold, families);
        if hold.is_empty() || missing.is_empty() {
            return Vec::new();
        }
        let asked = self.service.request.pool.as_deref().and_then(|name| self.ledger.config().position(name));
        let pools = self.candidates(hold, asked).unwrap_or_default();
        pools.into_iter().flat_map(|pool| self.wants(pool, &missing, false)).collect()
    }
}

/// Those of `families` of which `hold` has no address.
fn missing(hold: &[Held], families: &[Family]) -> Vec<Family> {
    families.iter().copied().filter(|family| hold.iter().all(|held| held.family() != *family)).collect()
}

fn named(name: &str, ledger: &Ledger) -> Result<usize, Refusal> {
    ledger.config().position(name).ok_or_else(|| match &ledger.config().pools[..] {
        [] => Refusal::NoPools,
        pools => Refusal::UnknownPool { pool: name.to_owned(), known: names(pools) },
    })
}

fn names<'a>(pools: impl IntoIterator<Item = &'a Pool>) -> Vec<String> {
    pools.into_iter().map(|pool| pool.name.clone()).collect()
}

/// The pool that hands out `address`, or why none does.
fn misfit(address: IpAddr, ledger: &Ledger) -> Result<usize, Refusal> {
    let config = ledger.config();
    match config.position_of(address) {
        None => Err(Refusal::OutsidePools { address }),
        Some(pool) if config.pools[pool].addresses.contains(address) => Ok(pool),
        Some(pool) => Err(Refusal::Excluded { address, pool: config.pools[pool].name.clone() }),
    }
}
