//! The ConfigMap's text becomes a checked configuration, or a list of errors with their lines.
//!
//! The text is read into a tree of values with their places (`tree`), the tree's values become the types that they
//! should be (`fields`), and each part of the configuration checks its own (`pool`, `announcement`, `selector`). All
//! that is wrong is collected, so that a user mends a text once.

mod announcement;
mod diagnostic;
mod fields;
mod pool;
#[cfg(test)]
mod properties;
mod selector;
#[cfg(test)]
mod tests;
mod tree;

pub use announcement::{Announcement, Reach};
pub use diagnostic::{Diagnostic, Errors, Fault, Position};
pub use pool::Pool;
pub use selector::Selector;

use fields::{Findings, Schema};
use std::{cmp::Reverse, collections::BTreeMap, net::IpAddr};

/// A checked configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Config {
    /// The pools in the order in which they are looked at: by priority, the higher first, then by name. No address is
    /// in two of them, and none is without addresses.
    pub pools: Vec<Pool>,
    /// The announcements, in the order of the text.
    pub announcements: Vec<Announcement>,
}

impl Config {
    /// The pool of this name.
    pub fn pool(&self, name: &str) -> Option<&Pool> {
        self.pools.iter().find(|pool| pool.name == name)
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
        self.pools.iter().find(|pool| pool.lists(address))
    }

    /// The announcements for the pool of this name. Several: the union of what they allow. When none is configured at
    /// all: [`Announcement::EVERYWHERE`]. The pool may be one that is no longer configured, but has addresses in use.
    pub fn announcements_for(&self, pool: &str) -> Vec<&Announcement> {
        if self.announcements.is_empty() {
            return vec![Announcement::EVERYWHERE];
        }
        self.announcements.iter().filter(|announcement| announcement.is_for(pool)).collect()
    }

    /// What of the pool of this name an interface of a node with these labels may announce.
    pub fn reach(&self, pool: &str, labels: &BTreeMap<String, String>, interface: &str) -> Reach {
        let announcements = self.announcements_for(pool);
        let selected = announcements.iter().filter(|announcement| announcement.selects_node(labels));
        selected.map(|announcement| announcement.allows_interface(interface)).max().unwrap_or(Reach::None)
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

const CONFIG: Schema = Schema { known: &["pools", "announcements"], future: &["quarantine", "reuse"] };

/// Reads and checks a configuration.
///
/// # Errors
/// All that is wrong with it. Only what is no YAML at all has one error alone.
pub fn parse(text: &str) -> Result<Parsed, Errors> {
    let root = tree::read(text)?;
    let mut findings = Findings::default();
    let fields = findings.fields(&root, "", &CONFIG);

    let (mut pools, names) = pool::read_pools(&fields.list(&mut findings, "pools"), &mut findings);
    pools.sort_by(|a, b| (Reverse(a.priority), &a.name).cmp(&(Reverse(b.priority), &b.name)));

    let mut announcements = Vec::new();
    for (path, node) in fields.list(&mut findings, "announcements") {
        let read = Announcement::read(node, &path, &mut findings);
        for (name, (path, at)) in read.announcement.pools.iter().zip(read.pools) {
            if !names.contains_key(name.as_str()) {
                findings.error(at, &path, Fault::UnknownPool(name.clone()));
            }
        }
        announcements.push(read.announcement);
    }

    let config = Config { pools, announcements };
    if names.is_empty() {
        findings.warn(root.at, "", Fault::NoPools);
    }
    for (name, at) in names {
        if config.announcements_for(name).is_empty() {
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
