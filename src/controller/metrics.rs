//! The controller's metrics: what the leader says of its term, and what this process has written and told in all of its terms.

use crate::{
    cluster::{events, queue::Outcome},
    ops::metrics::{Labels, Page},
};
use landfall_core::alloc::{Census, Usage};
use prometheus_client::{collector::Collector, encoding::DescriptorEncoder};
use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::sync::watch;

/// Between two looks at all Services.
const EVERY: Duration = Duration::from_secs(1);

/// What the leader says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Figures {
    /// Services by what was decided.
    pub services: Census,
    /// Pools, by family.
    pub pools: Vec<Usage>,
    /// Addresses that are not handed out because foreign hosts use them.
    pub in_use: u64,
    /// Addresses of Services that nobody answers for.
    pub unanswered: u64,
    /// Services that wait for a write.
    pub waiting: u64,
}

/// The last that it said; none: this replica does not lead.
pub type Published = Option<Arc<Figures>>;

/// A term, while it lasts: its figures go with it.
pub struct Term<'a> {
    figures: &'a watch::Sender<Published>,
    due: Duration,
}

impl<'a> Term<'a> {
    /// A term that says nothing yet.
    pub fn new(figures: &'a watch::Sender<Published>) -> Self {
        Self { figures, due: Duration::ZERO }
    }

    /// Publishes what `look` finds where that is due, and says for how long it is not due again; for ever where nobody could read
    /// it.
    pub fn publish(&mut self, now: Duration, look: impl FnOnce() -> Figures) -> Duration {
        if self.figures.is_closed() {
            return Duration::MAX;
        }
        if self.due <= now {
            self.due = now + EVERY;
            self.figures.send_replace(Some(Arc::new(look())));
        }
        self.due - now
    }
}

impl Drop for Term<'_> {
    fn drop(&mut self) {
        self.figures.send_replace(None);
    }
}

/// How the writes of Services ended.
#[derive(Debug, Default)]
pub struct Writes {
    gone: AtomicU64,
    written: AtomicU64,
    conflict: AtomicU64,
    busy: AtomicU64,
    failed: AtomicU64,
}

impl Writes {
    /// One more.
    pub fn count(&self, outcome: Outcome) {
        let count = match outcome {
            Outcome::Unneeded => &self.gone,
            Outcome::Written => &self.written,
            Outcome::Conflict => &self.conflict,
            Outcome::Busy(_) => &self.busy,
            Outcome::Failed => &self.failed,
        };
        count.fetch_add(1, Ordering::Relaxed);
    }

    fn counts(&self) -> [(&'static str, &AtomicU64); 5] {
        [
            ("written", &self.written),
            ("conflict", &self.conflict),
            ("busy", &self.busy),
            ("failed", &self.failed),
            ("gone", &self.gone),
        ]
    }
}

/// All that a scrape shows.
#[derive(Debug)]
pub struct Latest {
    /// Of the term, if this replica leads.
    pub figures: watch::Receiver<Published>,
    /// The writes.
    pub writes: Arc<Writes>,
    /// The Events.
    pub events: Arc<events::Counts>,
}

impl Collector for Latest {
    fn encode(&self, encoder: DescriptorEncoder) -> fmt::Result {
        let figures = self.figures.borrow().clone();
        let mut page = Page::from(encoder);
        let leads = u64::from(figures.is_some());
        page.gauge("landfall_controller_leader", "Whether this replica leads.", [([], leads)])?;
        figures.map_or(Ok(()), |figures| figures.write(&mut page))?;
        page.counter(
            "landfall_controller_writes",
            "Writes of Services, by how they ended.",
            by_outcome(&self.writes.counts()),
        )?;
        page.counter("landfall_controller_events", "Events, by what became of them.", by_outcome(&self.events.all()))
    }
}

fn by_outcome<'a>(counts: &'a [(&'static str, &AtomicU64)]) -> impl Iterator<Item = (Labels<'a, 1>, u64)> {
    counts.iter().map(|(word, count)| ([("outcome", *word)], count.load(Ordering::Relaxed)))
}

impl Figures {
    fn write(&self, page: &mut Page<'_>) -> fmt::Result {
        let Census { allocated, kept, refused } = &self.services;
        let said = |status, (reason, count): (&&'static str, &u64)| ([("status", status), ("reason", *reason)], *count);
        let all = [(&"Allocated", allocated)].into_iter().chain(kept);
        let all = all.map(|one| said("True", one)).chain(refused.iter().map(|one| said("False", one)));
        page.gauge(
            "landfall_controller_services",
            "Services, by status and reason of their condition landfall.dev/Allocated.",
            all,
        )?;
        page.gauge(
            "landfall_controller_pool_addresses",
            "Addresses that a pool hands out, used ones among them.",
            self.by_pool(|usage| usage.total),
        )?;
        page.gauge(
            "landfall_controller_pool_addresses_used",
            "Addresses of a pool that Services have.",
            self.by_pool(|usage| usage.used),
        )?;
        page.gauge(
            "landfall_controller_foreign_addresses",
            "Addresses that are not handed out because foreign hosts use them.",
            [([], self.in_use)],
        )?;
        page.gauge(
            "landfall_controller_unanswered_addresses",
            "Addresses of Services that no speaker answers for, by the condition landfall.dev/Announced.",
            [([], self.unanswered)],
        )?;
        page.gauge("landfall_controller_writes_waiting", "Services that wait for a write.", [([], self.waiting)])
    }

    /// One number of each pool. An IPv6 pool has more addresses than an integer of the format can tell.
    fn by_pool(&self, number: fn(&Usage) -> u128) -> impl Iterator<Item = (Labels<'_, 2>, f64)> {
        self.pools
            .iter()
            .map(move |usage| ([("pool", &*usage.pool), ("family", usage.family.name())], number(usage) as f64))
    }
}

#[cfg(test)]
mod tests;
