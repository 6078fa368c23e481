//! What the API server says this node should announce: Services, EndpointSlices, the node itself, its data path and the
//! accepted configuration become one table.
//!
//! Pure: the watches feed [`Inputs`], and what [`Inputs::desired`] returns is handed to the LAN task whole. While the API
//! server is away the last table stays in force.

mod inputs;
mod recall;
mod scope;
#[cfg(test)]
pub(super) mod tests;
mod text;

pub use inputs::{Inputs, Seen};
pub use text::Unreadable;

use crate::cluster::node::Exclusion;
use landfall_core::{
    alloc::ServiceKey,
    config::{self, Announcement, Config, Conflict, Labels, Reach},
    elect::Wish,
    health::{Broken, Rules},
};
use scope::Scope;
use std::{collections::BTreeMap, net::IpAddr, sync::Arc, time::Duration};

/// Why this node answers for a VIP on no interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
pub enum NotHere {
    /// Nobody is to announce it.
    #[error("no announcement is for the address: see pools and serviceSelectors in the configuration's announcements")]
    NotAnnounced,
    /// Others are.
    #[error("no announcement for the address selects this node: see their nodeSelectors")]
    NodeNotSelected,
    /// The node keeps off load balancing.
    #[error(transparent)]
    Excluded(#[from] Exclusion),
    /// What would arrive would not be delivered.
    #[error(transparent)]
    DataPath(#[from] Broken),
    /// `externalTrafficPolicy: Local`, and no usable endpoint here.
    #[error("externalTrafficPolicy is Local and no usable endpoint of the address's family is on this node")]
    NoLocalEndpoint,
    /// No VIP, whatever the status says.
    #[error("the address is a node's own, and was never announced: whoever wrote it into the status is not Landfall")]
    NodeAddress,
}

/// What is wanted for one VIP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vip {
    /// The Services that have it: several where it is shared.
    pub services: Vec<ServiceKey>,
    /// How much this node wants to answer for it, or why it must not.
    pub here: Result<Wish, NotHere>,
    /// What is done about foreign hosts that use it.
    pub conflict: Conflict,
    /// It has been announced in the cluster before.
    pub announced: bool,
    /// Where in [`Desired::scopes`] its scope is.
    scope: usize,
}

impl Vip {
    /// Whether a Service has it that had it `before`, too: it was not released in between.
    pub fn stays(&self, before: &Self) -> bool {
        self.services.iter().any(|service| before.services.contains(service))
    }
}

/// What counts of the node.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Here {
    labels: Labels,
    excluded: Option<Exclusion>,
    data_path: Result<Rules, Broken>,
}

impl Here {
    /// Why the node does not announce by `announcement`, if it does not.
    fn judge(&self, announcement: &Announcement) -> Result<(), NotHere> {
        if !announcement.selects_node(&self.labels) {
            return Err(NotHere::NodeNotSelected);
        }
        match self.excluded {
            Some(Exclusion::Label) if announcement.ignore_exclude_label => {}
            Some(why) => return Err(why.into()),
            None => {}
        }
        self.data_path?;
        Ok(())
    }

    /// Whether kube-proxy on the node is not healthy any more.
    fn is_stale(&self) -> bool {
        self.data_path == Ok(Rules::Stale)
    }
}

/// The whole table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Desired {
    /// The cluster's id, for the frames on the LAN.
    pub cluster: String,
    /// Every VIP there is, for this node or not. One that is missing has been released.
    pub vips: BTreeMap<IpAddr, Vip>,
    /// Those of them that an edit has left without a pool.
    orphans: Vec<IpAddr>,
    scopes: Vec<Scope>,
    config: Arc<Config>,
    here: Here,
}

impl Desired {
    /// Why the node announces nothing at all, if that is for its own sake: an announcement may ignore that it is excluded.
    pub fn off(&self) -> Option<NotHere> {
        if self.config.announcements.iter().any(|announcement| self.here.judge(announcement).is_ok()) {
            return None;
        }
        let excluded = self.here.excluded.map(NotHere::from);
        excluded.or(self.here.data_path.err().map(NotHere::from))
    }

    /// Whether the node yields to those that are better placed, since kube-proxy on it is not healthy any more.
    pub fn is_stale(&self) -> bool {
        self.here.is_stale()
    }

    /// How far the announcements let an interface of this node announce.
    pub fn reaches(&self, interface: &str) -> Reaches {
        let pools = self.config.pools.iter();
        Reaches {
            pools: pools.map(|pool| self.config.reach(&pool.name, &self.here.labels, interface)).collect(),
            scopes: self.scopes.iter().map(|scope| scope.reach(&self.config, interface)).collect(),
        }
    }

    /// How much the node is preferred on an interface, by the configuration's preferences.
    pub fn weights(&self, interface: &str) -> Vec<u16> {
        let weight = |announcement: &Announcement| {
            // Who yields is not to be waited for.
            let counts = !self.is_stale()
                && self.here.judge(announcement).is_ok()
                && announcement.allows_interface(interface) > Reach::None;
            if counts { announcement.weight(&self.here.labels) } else { 0 }
        };
        self.config.preferring().map(weight).collect()
    }

    /// How often owners announce an address again; zero: not at all.
    pub fn repeat(&self) -> Duration {
        self.config.repeat
    }

    /// The pools, in the order of [`Reaches::pools`].
    pub fn pools(&self) -> &[config::Pool] {
        &self.config.pools
    }

    /// The VIPs that an edit has left without a pool.
    pub fn orphans(&self) -> impl Iterator<Item = (&IpAddr, &Vip)> {
        self.orphans.iter().filter_map(|vip| self.vips.get_key_value(vip))
    }
}

/// How far one interface may announce.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reaches {
    /// By pool, for some Service.
    pub pools: Vec<Reach>,
    scopes: Vec<Reach>,
}

impl Reaches {
    /// How far it may announce this VIP.
    pub fn of(&self, vip: &Vip) -> Reach {
        self.scopes.get(vip.scope).copied().unwrap_or(Reach::None)
    }
}
