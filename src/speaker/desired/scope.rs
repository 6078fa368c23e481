//! Which announcements are for a VIP: by its pool and its Services' labels. VIPs that have them in common share a scope.

use super::{Here, NotHere};
use landfall_core::{
    config::{Announcement, Config, Labels, Reach},
    elect::Preferences,
};
use std::collections::BTreeMap;

/// What VIPs of one pool have in common whose Services the same announcements are for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// The pool that lists them, as an index into the configuration's; none: an edit has left them without one.
    pool: Option<usize>,
    /// The announcements by which this node announces them, as indices into the configuration's, or why it does not.
    pub by: Result<Vec<usize>, NotHere>,
    /// The preferences that hold for them.
    pub preferences: Preferences,
}

impl Scope {
    fn new(pool: Option<usize>, announcements: &[usize], config: &Config, here: &Here) -> Self {
        let (mut by, mut refusal) = (Vec::new(), NotHere::NotAnnounced);
        for index in announcements {
            match config.announcements.get(*index).map(|announcement| here.judge(announcement)) {
                Some(Ok(())) => by.push(*index),
                // Of several reasons the one that is nearest to announcing.
                Some(Err(why)) => refusal = refusal.max(why),
                None => {}
            }
        }
        // An address that an edit has left without a pool stays announced, whatever the announcements are for.
        let refusal = match pool {
            Some(_) => Err(refusal),
            None => here.judge(&Announcement::default()),
        };
        let by = if by.is_empty() { refusal.map(|()| by) } else { Ok(by) };
        let preferring = config.announcements.iter().enumerate().filter(|(_, it)| !it.preferred_nodes.is_empty());
        let numbers = preferring.enumerate().filter(|(_, (index, _))| announcements.contains(index));
        Self { pool, by, preferences: Preferences::new(numbers.map(|(number, _)| number)) }
    }

    /// How far an interface of this node may announce them.
    pub fn reach(&self, config: &Config, interface: &str) -> Reach {
        let Ok(by) = &self.by else { return Reach::None };
        let announcements = by.iter().filter_map(|index| config.announcements.get(*index));
        let least = if self.pool.is_none() { Reach::Subnets } else { Reach::None };
        announcements.map(|announcement| announcement.allows_interface(interface)).fold(least, Reach::max)
    }
}

/// The scopes of a table in the making.
pub struct Scopes<'a> {
    config: &'a Config,
    here: &'a Here,
    known: BTreeMap<(Option<usize>, Vec<usize>), usize>,
    pub all: Vec<Scope>,
}

impl<'a> Scopes<'a> {
    pub fn new(config: &'a Config, here: &'a Here) -> Self {
        Self { config, here, known: BTreeMap::new(), all: Vec::new() }
    }

    /// The scope of a VIP in `pool` whose Services have these labels: where in `all` it is, and itself.
    pub fn of(&mut self, pool: Option<usize>, services: &[&Labels]) -> (usize, &Scope) {
        // One that is no longer configured has no name, so that only what is for all pools is for it.
        let name = pool.and_then(|pool| self.config.pools.get(pool)).map_or("", |pool| &pool.name);
        let is_for = |it: &Announcement| it.is_for(name) && services.iter().any(|labels| it.selects_service(labels));
        let announcements = self.config.announcements.iter().enumerate();
        let announcements: Vec<usize> = announcements.filter(|(_, it)| is_for(it)).map(|(index, _)| index).collect();
        let Self { config, here, known, all } = self;
        let index = *known.entry((pool, announcements)).or_insert_with_key(|(pool, announcements)| {
            all.push(Scope::new(*pool, announcements, config, here));
            all.len() - 1
        });
        (index, &self.all[index])
    }
}
