//! The ConfigMap's text becomes a checked configuration, or a list of errors with their lines.
//!
//! The text is read into a tree of values with their places (`tree`), the tree's values become the types that they
//! should be (`fields`), and each part of the configuration checks its own (`pool`, `announcement`, `selector`). All
//! that is wrong is collected, so that a user mends a text once.

mod admission;
mod announcement;
mod conflict;
mod diagnostic;
mod duration;
mod fields;
mod idle;
mod labels;
mod manifest;
mod pool;
mod preference;
#[cfg(test)]
mod properties;
mod selector;
#[cfg(test)]
mod tests;
mod tree;

pub use admission::{Admission, Barrier};
pub use announcement::{Announcement, Reach};
pub use conflict::{Conflict, Policy, Probe};
pub use diagnostic::{Diagnostic, Errors, Fault, Position, slip_of};
pub use idle::Present;
pub use labels::Labels;
pub use manifest::{KEY, NAME, parse_file};
pub use pool::{Pool, Sharing};
pub use preference::Preference;
pub use selector::Selector;

use crate::addr::{Family, Range, number};
use fields::Findings;
use std::{cmp::Reverse, collections::BTreeMap, net::IpAddr, time::Duration};
use tree::Node;

/// A checked configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The pools in the order in which they are looked at: those that are for some Services only come first; then by
    /// priority, the higher first; then by name. No address is in two of them, and none is without addresses.
    pub pools: Vec<Pool>,
    /// The announcements, in the order of the text. Where there is none in it, the one that restricts nothing.
    pub announcements: Vec<Announcement>,
    /// How long a released address rests before another Service may have it.
    pub quarantine: Duration,
    /// How long a deleted Service's address is remembered for its name.
    pub reuse: Duration,
    /// How often an owner announces an address again; zero: not after the first announcements.
    pub repeat: Duration,
    index: Index,
}

/// What an empty text means.
impl Default for Config {
    fn default() -> Self {
        let (quarantine, reuse) = (Duration::from_secs(60), Duration::from_secs(24 * 3600));
        let announcements = vec![Announcement::default()];
        let repeat = Duration::from_secs(60);
        Self { pools: Vec::new(), announcements, quarantine, reuse, repeat, index: Index::default() }
    }
}

impl Config {
    /// The pool of this name.
    pub fn pool(&self, name: &str) -> Option<&Pool> {
        self.position(name).map(|position| &self.pools[position])
    }

    /// Where in `pools` the pool of this name is.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.index.by_name.get(name).copied()
    }

    /// What it comes to, for people: its pools.
    pub fn summary(&self) -> String {
        match &self.pools[..] {
            [] => "without pools".to_owned(),
            pools => format!("with the pools {}", pools.iter().map(|pool| &*pool.name).collect::<Vec<_>>().join(", ")),
        }
    }

    /// The pool that lists `address`, be it excluded from allocation or not: a Service keeps an address that an edit
    /// has excluded.
    pub fn pool_of(&self, address: IpAddr) -> Option<&Pool> {
        self.position_of(address).map(|position| &self.pools[position])
    }

    /// Where in `pools` the pool that lists `address` is.
    pub fn position_of(&self, address: IpAddr) -> Option<usize> {
        let place = (Family::of(address), number(address));
        let (&(family, _), &(last, position)) = self.index.by_range.range(..=place).next_back()?;
        (family == place.0 && place.1 <= last).then_some(position)
    }

    /// The announcements for the pool of this name. Several: the union of what they allow. The pool may be one that is no
    /// longer configured, but has addresses in use.
    pub fn announcements_for(&self, pool: &str) -> impl Iterator<Item = &Announcement> {
        self.announcements.iter().filter(move |announcement| announcement.is_for(pool))
    }

    /// The announcements that prefer some nodes, at most [`PREFERENCES`]. What a node weighs is told in this order.
    pub fn preferring(&self) -> impl Iterator<Item = &Announcement> {
        self.announcements.iter().filter(|announcement| !announcement.preferred_nodes.is_empty())
    }

    /// What is done about foreign hosts that use an address of the pool of this name: what the first of its announcements says
    /// that says anything about it. All speakers find the same, whichever announcement lets them announce.
    pub fn conflict(&self, pool: &str) -> Conflict {
        self.announcements_for(pool).find_map(|announcement| announcement.conflict).unwrap_or_default()
    }

    /// What of the pool of this name an interface of a node with these labels may announce for some Service.
    pub fn reach(&self, pool: &str, labels: &Labels, interface: &str) -> Reach {
        let selected = self.announcements_for(pool).filter(|announcement| announcement.selects_node(labels));
        selected.map(|announcement| announcement.allows_interface(interface)).max().unwrap_or(Reach::None)
    }
}

/// Where in [`Config::pools`] a pool is: by its name, and by the beginning of each range that it lists, with the range's end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Index {
    by_name: BTreeMap<String, usize>,
    by_range: BTreeMap<(Family, u128), (u128, usize)>,
}

impl Index {
    fn new(pools: &[Pool]) -> Self {
        let by_name = pools.iter().enumerate().map(|(position, pool)| (pool.name.to_string(), position)).collect();
        let ranges = |(position, pool): (usize, &Pool)| {
            let range = move |range: &Range| ((range.family, range.first), (range.last, position));
            pool.listed.iter().map(range).collect::<Vec<_>>()
        };
        Self { by_name, by_range: pools.iter().enumerate().flat_map(ranges).collect() }
    }
}

/// A configuration that can be accepted, and what is odd about it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parsed {
    /// The configuration.
    pub config: Config,
    /// What is probably not meant, in the order of the text.
    pub warnings: Vec<Diagnostic>,
}

const CONFIG: &[&str] = &["pools", "announcements", "quarantine", "reuse", "repeat"];

/// More pools are refused: an allocation may have to look at each.
const POOLS: usize = 4096;

/// More announcements with `preferredNodes` are refused: speakers tell each other what they weigh for each.
pub const PREFERENCES: usize = 64;

/// Reads and checks a configuration.
///
/// # Errors
/// All that is wrong with it. Only what is no YAML at all has one error alone.
pub fn parse(text: &str) -> Result<Parsed, Errors> {
    check(&tree::read(text)?)
}

fn check(root: &Node) -> Result<Parsed, Errors> {
    let mut findings = Findings::default();
    let fields = findings.fields(root, "", CONFIG);

    let listed = fields.list(&mut findings, "pools");
    if let Some((path, node)) = listed.get(POOLS) {
        findings.error(node.at, path, Fault::TooManyPools(listed.len()));
    }
    let (mut pools, names) = pool::read_pools(&listed, &mut findings);
    pools.sort_by_cached_key(|pool| (pool.admission.is_open(), Reverse(pool.priority), pool.name.clone()));

    let mut announcements = Vec::new();
    let mut preferring = 0;
    for (path, node) in fields.list(&mut findings, "announcements") {
        let read = Announcement::read(node, &path, &mut findings);
        let prefers = !read.announcement.preferred_nodes.is_empty();
        preferring += usize::from(prefers);
        if prefers && preferring == PREFERENCES + 1 {
            findings.error(node.at, &path, Fault::TooManyPreferences);
        }
        for (name, (path, at)) in read.announcement.pools.iter().zip(read.pools) {
            if !names.contains_key(name.as_str()) {
                findings.error(at, &path, Fault::UnknownPool(name.clone()));
            }
        }
        announcements.push(read.announcement);
    }
    if announcements.is_empty() {
        announcements.push(Announcement::default());
    }

    let defaults = Config::default();
    let quarantine = fields.duration(&mut findings, "quarantine", defaults.quarantine);
    let reuse = fields.duration(&mut findings, "reuse", defaults.reuse);
    let repeat = fields.interval(&mut findings, "repeat", defaults.repeat);
    let index = Index::new(&pools);
    let config = Config { pools, announcements, quarantine, reuse, repeat, index };
    if names.is_empty() {
        findings.warn(root.at, "", Fault::NoPools);
    }
    for (name, at) in names {
        if config.announcements_for(name).next().is_none() {
            findings.warn(at, "announcements", Fault::NotAnnounced(name.to_owned()));
        }
    }
    let Findings { mut errors, mut warnings } = findings;
    if errors.is_empty() {
        warnings.sort_by_key(|warning| warning.at);
        Ok(Parsed { config, warnings })
    } else {
        errors.sort_by_key(|error| error.at);
        Err(Errors(errors))
    }
}
