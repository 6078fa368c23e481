//! How many Services have what they ask for, how many do not and why, and how full the pools are: for whoever counts.

use super::{Allocator, Usage, ledger::Ledger};
use crate::addr::Family;
use std::collections::BTreeMap;

/// The Services that were decided about, by what was decided.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Census {
    /// They have what they ask for.
    pub allocated: u64,
    /// They keep what no longer fits, by the reason why it does not.
    pub kept: BTreeMap<&'static str, u64>,
    /// They have nothing, by the reason.
    pub refused: BTreeMap<&'static str, u64>,
}

impl Allocator {
    /// Counts the Services. Looks at each one.
    pub fn census(&self) -> Census {
        let mut census = Census::default();
        for verdict in self.services.values().filter_map(|entry| entry.verdict()) {
            let count = match verdict {
                Ok(None) => &mut census.allocated,
                Ok(Some(misfit)) => census.kept.entry(misfit.reason()).or_default(),
                Err(refusal) => census.refused.entry(refusal.reason()).or_default(),
            };
            *count += 1;
        }
        census
    }

    /// How full each pool is, for each family that it has addresses of; nothing before all that decides is known, since every pool
    /// would seem to be empty.
    pub fn usage(&self) -> impl Iterator<Item = Usage> {
        let of = |ledger: &Ledger, pool| [Family::V4, Family::V6].map(|family| ledger.usage(pool, family));
        let pools = |ledger: &Ledger| 0..ledger.config().pools.len();
        let ledger = self.ledger.as_ref().filter(|_| self.synced);
        let all = ledger.into_iter().flat_map(move |ledger| pools(ledger).flat_map(move |pool| of(ledger, pool)));
        all.filter(|usage| usage.total > 0)
    }
}
