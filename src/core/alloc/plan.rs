//! What one Service should hold: its request, its families and what it has, set against what is free.

use super::{
    Families, FamilyPolicy, Refusal, Service, ServiceKey,
    few::Few,
    held::Held,
    ledger::Ledger,
    sharing::{Clash, Share},
    waiting::Want,
};
use crate::{
    addr::Family,
    config::{Labels, Pool},
};
use std::{borrow::Cow, net::IpAddr, sync::Arc};

/// What a Service should hold from now on.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// IPv4 first. Empty: it gets nothing, and `shortfall` says why.
    pub hold: Vec<Held>,
    /// Why this is not what it asks for, or no longer what the configuration has.
    pub shortfall: Option<Refusal>,
    /// What another Service could release to better it.
    pub wants: Vec<Want>,
    /// Why it lost an address that it had.
    pub lost: Option<Refusal>,
}

/// Why a request cannot be fulfilled now, and what would have to become free for another try.
pub(super) struct Denial {
    pub refusal: Refusal,
    pub wants: Vec<Want>,
}

impl From<Refusal> for Denial {
    /// No release will help.
    fn from(refusal: Refusal) -> Self {
        Self { refusal, wants: Vec::new() }
    }
}

/// Plans for a Service that has `has`, of which it may keep `held`, in a namespace with these labels, if they are known. Whatever
/// cannot be had, it keeps what it may; unless it has changed so that it may no longer share that.
pub(super) fn plan(
    service: &Service,
    namespace: Option<&Labels>,
    (has, held): (&[Held], &[Held]),
    ledger: &Ledger,
) -> Plan {
    let brings = brings(service, held);
    let share = brings.as_deref();
    let lost = held.iter().find_map(|held| {
        let (by, clash) = ledger.tenants().clash(held.address, &service.key, share)?;
        Some(Refusal::Unshareable { address: held.address, by: by.clone(), clash })
    });
    let held = match lost {
        None => Cow::Borrowed(held),
        // Both are shared or neither.
        Some(_) => held
            .iter()
            .filter(|held| ledger.tenants().others(held.address, &service.key).next().is_none())
            .cloned()
            .collect(),
    };
    let mut plan = Planner { service, namespace, has, held: &held, ledger }.plan_or_migrate();
    plan.hold.iter_mut().for_each(|held| held.share.clone_from(&brings));
    Plan { lost, ..plan }
}

/// What a Service brings to its addresses. While its request cannot be understood, the sharing key is the one that it came with.
fn brings(service: &Service, held: &[Held]) -> Option<Arc<Share>> {
    let old = held.iter().find_map(|held| held.share.as_ref());
    match (service.request().malformed.is_some(), &service.share, old) {
        (true, Some(new), Some(old)) if new.key != old.key => {
            Some(Arc::new(Share { key: old.key.clone(), ..(**new).clone() }))
        }
        _ => service.share.clone(),
    }
}

/// Why an address is not to be had beside another Service.
pub(super) fn unshareable(address: IpAddr, (by, clash): (&ServiceKey, Clash)) -> Refusal {
    let by = by.clone();
    match clash {
        Clash::Keys => Refusal::Taken { address, by },
        clash => Refusal::Unshareable { address, by, clash },
    }
}

/// A Service, and all that is to be known to plan for it.
pub(super) struct Planner<'a> {
    pub service: &'a Service,
    pub namespace: Option<&'a Labels>,
    /// What the Service has,
    pub has: &'a [Held],
    /// and what of that it may keep.
    pub held: &'a [Held],
    pub ledger: &'a Ledger,
}

/// The families that the Service can use, in its order.
pub(super) fn families(service: &Service) -> Vec<Family> {
    let Families { first, both } = service.families;
    match service.policy {
        FamilyPolicy::SingleStack => vec![first],
        // In a cluster of one family the Service has only that: it has no cluster address for the other.
        FamilyPolicy::PreferDualStack if !both => vec![first],
        _ => vec![first, first.other()],
    }
}

impl<'a> Planner<'a> {
    /// Where the user lets it migrate, what no longer fits is exchanged, once all of it can be.
    fn plan_or_migrate(&self) -> Plan {
        let mut plan = self.plan();
        if !self.service.request().migrate || plan.shortfall.is_none() {
            return plan;
        }
        let fits = |held: &&Held| self.review(&mut (*held).clone()).is_none();
        let fitting: Vec<Held> = self.held.iter().filter(fits).cloned().collect();
        let moved = Planner { held: &fitting, ..*self }.plan();
        if moved.shortfall.is_none() && moved.hold.len() >= self.held.len() {
            return moved;
        }
        plan.wants.extend(moved.wants);
        plan
    }

    fn plan(&self) -> Plan {
        let families = families(self.service);
        match self.fulfil(&families) {
            Ok(mut hold) => {
                hold.sort_by_key(Held::family);
                let mut shortfall = None;
                for held in &mut hold {
                    shortfall = shortfall.or(self.review(held));
                }
                // Who may no longer share may be left alone.
                let is_shared = matches!(shortfall, Some(Refusal::Unshareable { .. }));
                let neighbours = self.neighbours().filter(|_| is_shared);
                let wants = self.second_family(&hold, &families).into_iter().chain(neighbours).collect();
                Plan { shortfall, wants, hold, lost: None }
            }
            Err(Denial { refusal, wants }) => {
                Plan { hold: self.held.to_vec(), shortfall: Some(refusal), wants, lost: None }
            }
        }
    }

    /// What the configuration has against an address that is held all the same. Unless its own pool is asked for, it is
    /// from now on counted as from the pool that lists it.
    fn review(&self, held: &mut Held) -> Option<Refusal> {
        let address = held.address;
        if let Some(pool) = self.ledger.config().pool_of(address) {
            match self.service.request().pool.as_deref() {
                Some(asked) if asked != pool.name => {
                    let (pool, found) = (asked.to_owned(), pool.name.to_string());
                    return Some(Refusal::WrongPool { address, pool, found });
                }
                _ => held.pool = pool.name.clone(),
            }
        }
        let fits = misfit(address, self.ledger).and_then(|pool| self.admit(self.pool(pool)));
        let shared = || self.ledger.bar(address, &self.service.key, self.share()).map(|by| unshareable(address, by));
        fits.err().or_else(shared)
    }

    pub fn pool(&self, position: usize) -> &'a Pool {
        &self.ledger.config().pools[position]
    }

    /// Whether a pool is for this Service.
    pub fn admit(&self, pool: &Pool) -> Result<(), Refusal> {
        let judged = pool.admission.judge(self.service.key.namespace(), self.namespace, &self.service.labels);
        judged.map_err(|barrier| Refusal::NotAdmitted { pool: pool.name.to_string(), barrier })
    }

    fn fulfil(&self, families: &[Family]) -> Result<Vec<Held>, Denial> {
        let request = self.service.request();
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
        for &address in &self.service.request().addresses {
            let family = Family::of(address);
            match hold.iter().find(|other| other.family() == family) {
                Some(other) if other.address == address => continue,
                Some(other) => return Err(Refusal::TwoOfOneFamily { first: other.address, second: address }.into()),
                None if !families.contains(&family) => {
                    return Err(Refusal::WrongFamily { address, families: families.iter().copied().collect() }.into());
                }
                None => {}
            }
            hold.push(self.named_address(address, asked)?);
        }
        // Last, so that what only the user can mend is named first.
        for new in hold.iter().filter(|held| !self.holds(held.address)) {
            let address = new.address;
            let rests = self.ledger.rests_for(address).filter(|of| **of != self.service.key);
            let rests = rests.map(|of| Refusal::Resting { address, of: of.clone() });
            let barred = self.ledger.bar(address, &self.service.key, self.share()).map(|by| unshareable(address, by));
            if let Some(refusal) = barred.or(rests) {
                return Err(Denial { refusal, wants: vec![Want::Address(address)] });
            }
            if let Some(pool) = self.ledger.config().position_of(address)
                && !self.ledger.has_neighbour(address, &self.service.key)
                && self.room(pool, &hold).is_none()
            {
                // Who is left alone at an address may exchange it, too.
                let wants = [self.room_in(pool)].into_iter().chain(self.neighbours()).collect();
                return Err(Denial { refusal: self.over_limit(pool), wants });
            }
        }
        Ok(hold)
    }

    pub fn share(&self) -> Option<&'a Share> {
        self.service.share.as_deref()
    }

    fn holds(&self, address: IpAddr) -> bool {
        self.held.iter().any(|held| held.address == address)
    }

    /// An address that is asked for, and the pool that it would come from, or comes from.
    fn named_address(&self, address: IpAddr, asked: Option<usize>) -> Result<Held, Refusal> {
        let mine = self.held.iter().find(|mine| mine.address == address).cloned();
        let held = match mine.clone() {
            Some(mine) => mine,
            None => self.fresh(address, misfit(address, self.ledger)?),
        };
        match asked.map(|asked| self.pool(asked)) {
            Some(asked) if !held.is_of(asked) => {
                Err(Refusal::WrongPool { address, pool: asked.name.to_string(), found: held.pool.to_string() })
            }
            // Nobody is admitted anew where he is not; what is live stays.
            None if mine.is_none() => {
                named(&held.pool, self.ledger).and_then(|pool| self.admit(self.pool(pool))).map(|()| held)
            }
            _ => Ok(held),
        }
    }
}

pub(super) fn named(name: &str, ledger: &Ledger) -> Result<usize, Refusal> {
    ledger.config().position(name).ok_or_else(|| match &ledger.config().pools[..] {
        [] => Refusal::NoPools,
        pools => Refusal::UnknownPool { pool: name.to_owned(), known: names(pools) },
    })
}

pub(super) fn names<'a>(pools: impl IntoIterator<Item = &'a Pool>) -> Few<String> {
    pools.into_iter().map(|pool| pool.name.to_string()).collect()
}

/// The pool that hands out `address`, or why none does.
fn misfit(address: IpAddr, ledger: &Ledger) -> Result<usize, Refusal> {
    let config = ledger.config();
    match config.position_of(address) {
        None => Err(Refusal::OutsidePools { address }),
        Some(_) if let Some(by) = ledger.reserve(address) => Err(Refusal::Reserved { address, by: by.clone() }),
        Some(pool) if config.pools[pool].addresses.contains(address) => Ok(pool),
        Some(pool) => Err(Refusal::Excluded { address, pool: config.pools[pool].name.to_string() }),
    }
}
