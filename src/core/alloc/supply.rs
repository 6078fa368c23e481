//! Where the addresses that a Service lacks come from: the pools that are for it, in their order; what it may share with others;
//! and what stands in the way where there is nothing.

use super::{
    FamilyPolicy, Refusal,
    held::Held,
    plan::{Denial, Planner, named, names},
    waiting::Want,
};
use crate::{addr::Family, config::Pool};
use std::net::IpAddr;

impl Planner<'_> {
    /// Adds what is missing in `hold`. The families of one attempt come from one pool.
    pub fn complete(&self, hold: &mut Vec<Held>, families: &[Family], asked: Option<usize>) -> Result<(), Denial> {
        let missing = missing(hold, families);
        if missing.is_empty() {
            return Ok(());
        }
        let is_preferred = self.service.policy == FamilyPolicy::PreferDualStack;
        // What the Service asks for takes no family away that it has.
        let is_live = |family: &&Family| self.held.iter().any(|held| held.family() == **family);
        let live: Vec<Family> = missing.iter().filter(is_live).copied().collect();
        let pools = self.candidates(hold, asked);
        let shared = hold.iter().find(|held| self.is_shared(held)).map(|held| held.address);
        // Of two families both are shared or neither, unless the user has chosen one by number.
        let may_join = hold.is_empty() || shared.is_some();
        let may_take_new = shared.is_none() || !self.service.request().addresses.is_empty();
        let singly = missing.iter().map(|family| vec![*family]).filter(|_| is_preferred && missing.len() > 1);
        let keeps_live = |attempt: &Vec<Family>| live.iter().all(|family| attempt.contains(family));
        for attempt in [missing.clone()].into_iter().chain(singly).filter(keeps_live) {
            let pools = pools.as_deref().unwrap_or_default();
            let joined = may_join.then(|| self.join(pools, &attempt, hold)).flatten();
            let new = || pools.iter().filter(|_| may_take_new).find_map(|pool| self.choose(*pool, &attempt, hold));
            if let Some(found) = joined.or_else(new) {
                hold.extend(found);
                return Ok(());
            }
        }
        if is_preferred && live.is_empty() && !hold.is_empty() {
            return Ok(());
        }
        let needed = if is_preferred && !live.is_empty() { live } else { missing };
        match shared.filter(|_| !may_take_new) {
            Some(address) => {
                let wants = self.neighbours().into_iter().collect();
                Err(Denial { refusal: Refusal::Unpaired { address }, wants })
            }
            None => Err(self.shortage(&pools?, &needed, hold)),
        }
    }

    fn is_shared(&self, held: &Held) -> bool {
        self.ledger.tenants().others(held.address, &self.service.key).next().is_some()
    }

    fn next(&self, pool: usize, family: Family) -> Option<IpAddr> {
        self.ledger.next(pool, family, &self.service.key)
    }

    pub fn fresh(&self, address: IpAddr, pool: usize) -> Held {
        Held { address, pool: self.pool(pool).name.clone(), share: None }
    }

    /// One free address of each of these families, from this pool.
    fn choose(&self, pool: usize, families: &[Family], hold: &[Held]) -> Option<Vec<Held>> {
        self.room(pool, hold).filter(|room| *room >= families.len())?;
        families.iter().map(|family| Some(self.fresh(self.next(pool, *family)?, pool))).collect()
    }

    /// The lowest address of each of these families where Services with our sharing key are and leave us our ports; of two
    /// families both from one pool.
    fn join(&self, pools: &[usize], families: &[Family], hold: &[Held]) -> Option<Vec<Held>> {
        let (share, key) = (self.share()?, &self.service.key);
        let is_open = |(address, pool): &(IpAddr, usize)| {
            pools.contains(pool)
                && self.ledger.tenants().others(*address, key).next().is_some()
                && self.ledger.bar(*address, key, Some(share)).is_none()
        };
        let open = |family: Family| self.ledger.group(share, family).filter(is_open);
        let has_room = |all: &Vec<IpAddr>, pool: usize| {
            let new = all.iter().filter(|address| !self.ledger.has_neighbour(**address, key)).count();
            new == 0 || self.room(pool, hold).is_some_and(|room| room >= new)
        };
        let mut families = families.to_vec();
        families.sort();
        let (first, others) = families.split_first()?;
        let (addresses, pool) = open(*first).find_map(|(address, pool)| {
            let beside = |family: &Family| open(*family).find(|(_, other)| *other == pool).map(|(address, _)| address);
            let others = others.iter().map(beside).collect::<Option<Vec<_>>>()?;
            let all = [vec![address], others].concat();
            has_room(&all, pool).then_some((all, pool))
        })?;
        Some(addresses.into_iter().map(|address| self.fresh(address, pool)).collect())
    }

    /// How many more addresses of a pool the namespace may have beside these, for which this Service would leave what it has.
    /// None: they are too many already.
    pub fn room(&self, pool: usize, hold: &[Held]) -> Option<usize> {
        let limit = self.pool(pool).per_namespace as usize;
        if limit == 0 {
            return Some(usize::MAX);
        }
        let key = &self.service.key;
        let counts = |held: &&Held| {
            self.ledger.config().position_of(held.address) == Some(pool)
                && !self.ledger.has_neighbour(held.address, key)
        };
        let count = |all: &[Held]| all.iter().filter(counts).count();
        let used = self.ledger.count(pool, key.namespace()) + count(hold) - count(self.has);
        limit.checked_sub(used)
    }

    /// That the namespace may have more of a pool; who has an address there could exchange it.
    pub fn room_in(&self, pool: usize) -> Want {
        let is_here = |held: &Held| self.ledger.config().position_of(held.address) == Some(pool);
        let namespace = self.service.key.namespace().to_owned();
        if self.held.iter().any(is_here) { Want::Limit(pool, namespace) } else { Want::Room(pool, namespace) }
    }

    pub fn over_limit(&self, pool: usize) -> Refusal {
        let Pool { name, per_namespace, .. } = self.pool(pool);
        Refusal::NamespaceLimit {
            pool: name.to_string(),
            namespace: self.service.key.namespace().to_owned(),
            limit: *per_namespace,
        }
    }

    /// The pools from which a Service with these addresses may get more, in their order. A second address comes from the pool
    /// of the first, or, where the user has chosen that one by number, from another.
    fn candidates(&self, hold: &[Held], asked: Option<usize>) -> Result<Vec<usize>, Refusal> {
        if let Some(asked) = asked {
            return Ok(vec![asked]);
        }
        let own = hold.first().map(|held| {
            // An edit may have moved the address to another pool, or given its pool another name.
            let listed = self.ledger.config().position_of(held.address);
            let pool = listed.map_or_else(|| named(&held.pool, self.ledger), Ok)?;
            self.admit(self.pool(pool)).map(|()| pool)
        });
        match own {
            Some(own) if self.service.request().addresses.is_empty() => own.map(|own| vec![own]),
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
    fn shortage(&self, pools: &[usize], missing: &[Family], hold: &[Held]) -> Denial {
        let is_either_enough = self.service.policy == FamilyPolicy::PreferDualStack && self.held.is_empty();
        let all_needed = missing.len() > 1 && !is_either_enough;
        let has = |family: &Family| pools.iter().any(|pool| self.pool(*pool).size(*family) > 0);
        let hopeless = if all_needed { !missing.iter().all(has) } else { !missing.iter().any(has) };
        if let Some(family) = missing.iter().find(|family| hopeless && !has(family)) {
            return Refusal::NoFamily { family: *family, pools: names(pools.iter().map(|pool| self.pool(*pool))) }
                .into();
        }
        let usage = pools.iter().flat_map(|pool| missing.iter().map(|family| self.ledger.usage(*pool, *family)));
        let needed = if all_needed { missing.len() } else { 1 };
        let wants =
            pools.iter().flat_map(|pool| self.wants(*pool, missing, needed, hold)).chain(self.neighbours()).collect();
        let is_limited = |pool: &&usize| {
            missing.iter().filter(|family| self.pool(**pool).size(**family) > 0).count() >= needed
                && self.room(**pool, hold).is_none_or(|room| room < needed)
        };
        let refusal = if let Some(pool) = pools.iter().find(is_limited) {
            self.over_limit(*pool)
        } else if all_needed {
            Refusal::NotBothFamilies { usage: usage.collect() }
        } else {
            Refusal::Exhausted { usage: usage.filter(|usage| usage.total > 0).collect() }
        };
        Denial { refusal, wants }
    }

    /// What would have to become free in a pool, of which so many of the missing families are needed. As long as one is full,
    /// the other one does not matter where both are needed; and as long as the namespace has no room, neither does.
    fn wants(&self, pool: usize, missing: &[Family], needed: usize, hold: &[Held]) -> Vec<Want> {
        let has = |family: &&Family| self.pool(pool).size(**family) > 0;
        if missing.iter().filter(has).count() < needed {
            return Vec::new();
        }
        if self.room(pool, hold).is_none_or(|room| room < needed) {
            return vec![self.room_in(pool)];
        }
        let is_full = |family: &&Family| has(family) && self.next(pool, **family).is_none();
        let full = missing.iter().filter(is_full).map(|family| Want::Any(pool, *family));
        full.take(if needed > 1 { 1 } else { missing.len() }).collect()
    }

    /// A change at an address that it might share.
    pub fn neighbours(&self) -> Option<Want> {
        self.share().map(|share| Want::Key(share.key.clone()))
    }

    /// The family that is missing beside the one that is there, where there are such addresses at all.
    pub fn second_family(&self, hold: &[Held], families: &[Family]) -> Vec<Want> {
        let missing = missing(hold, families);
        if hold.is_empty() || missing.is_empty() {
            return Vec::new();
        }
        let asked = self.service.request().pool.as_deref().and_then(|name| self.ledger.config().position(name));
        let pools = self.candidates(hold, asked).unwrap_or_default();
        pools.into_iter().flat_map(|pool| self.wants(pool, &missing, 1, hold)).chain(self.neighbours()).collect()
    }
}

/// Those of `families` of which `hold` has no address.
fn missing(hold: &[Held], families: &[Family]) -> Vec<Family> {
    families.iter().copied().filter(|family| hold.iter().all(|held| held.family() != *family)).collect()
}
