//! How many addresses of each pool a namespace has. Namespaces come and go for as long as a leader leads, so none is kept that has
//! nothing.

use std::collections::BTreeMap;

/// The counts, by a pool's position and a namespace.
#[derive(Debug, Default)]
pub(super) struct Tally {
    counts: BTreeMap<(usize, String), usize>,
}

impl Tally {
    /// How many it has.
    pub fn of(&self, pool: usize, namespace: &str) -> usize {
        self.counts.get(&(pool, namespace.to_owned())).copied().unwrap_or_default()
    }

    /// It has one more.
    pub fn add(&mut self, pool: usize, namespace: &str) {
        *self.counts.entry((pool, namespace.to_owned())).or_default() += 1;
    }

    /// It has one less.
    pub fn remove(&mut self, pool: usize, namespace: &str) {
        let place = (pool, namespace.to_owned());
        match self.counts.get_mut(&place) {
            Some(count) if *count > 1 => *count -= 1,
            _ => _ = self.counts.remove(&place),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_that_has_nothing_is_not_kept() {
        let mut tally = Tally::default();
        tally.add(0, "a");
        tally.add(0, "a");
        tally.add(1, "a");
        tally.remove(0, "a");
        assert_eq!((tally.of(0, "a"), tally.of(1, "a"), tally.of(0, "b")), (1, 1, 0));
        tally.remove(0, "a");
        tally.remove(1, "a");
        assert_eq!((tally.of(0, "a"), tally.counts.len()), (0, 0));
    }
}
