//! What the watches tell, taken in change by change, and the table that it makes.

use super::{Desired, Here, NotHere, Vip, recall::Recalled, scope::Scopes};
use crate::cluster::{
    Change, ObjectName,
    accepted::Accepted,
    endpoints::{LocalEndpoints, Usable},
    node::{Exclusion, Node},
    service::Announced,
};
use landfall_core::{
    addr::Family,
    alloc::ServiceKey,
    config::{self, Config, Conflict, Labels},
    elect::{Tier, Wish},
    health::{Broken, Rules},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
};

/// What the watches tell.
#[derive(Debug)]
pub enum Seen {
    /// Of a Service.
    Service(Change<Announced>),
    /// Of an EndpointSlice.
    Slice(Change<LocalEndpoints>),
    /// Of the speaker's own node.
    Node(Change<Node>),
    /// Of the accepted configuration.
    Accepted(Change<Accepted>),
    /// Of the node's own data path.
    DataPath(Result<Rules, Broken>),
}

/// What is listed before there is a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum List {
    Services,
    Slices,
    Node,
    Configuration,
}

impl List {
    const ALL: [Self; 4] = [Self::Services, Self::Slices, Self::Node, Self::Configuration];

    fn name(self) -> &'static str {
        match self {
            Self::Services => "Services",
            Self::Slices => "EndpointSlices",
            Self::Node => "Node",
            Self::Configuration => "configuration",
        }
    }
}

/// The configuration in effect.
#[derive(Debug)]
pub struct InForce {
    /// The cluster's id.
    pub cluster: String,
    /// As it was written.
    pub text: String,
    config: Arc<Config>,
}

impl InForce {
    /// # Errors
    /// What is wrong with `text`.
    pub fn new(cluster: String, text: String) -> Result<Self, String> {
        let config = Arc::new(config::parse(&text).map_err(|errors| errors.to_string())?.config);
        Ok(Self { cluster, text, config })
    }
}

/// The newest of everything that was seen.
#[derive(Debug, Default)]
pub struct Inputs {
    pub(super) services: BTreeMap<ServiceKey, Announced>,
    pub(super) slices: BTreeMap<ServiceKey, BTreeMap<ObjectName, LocalEndpoints>>,
    pub(super) slice_owner: BTreeMap<ObjectName, ServiceKey>,
    pub(super) node: Option<Node>,
    pub(super) accepted: Option<InForce>,
    /// The nodes' own addresses.
    pub(super) nodes: BTreeSet<IpAddr>,
    data_path: Option<Result<Rules, Broken>>,
    /// The lists that are complete.
    complete: BTreeSet<List>,
    pub(super) recalled: Recalled,
}

impl Inputs {
    /// Takes in a change.
    pub fn apply(&mut self, seen: Seen) {
        match seen {
            Seen::Service(Change::Applied(service)) => self.see(service),
            Seen::Service(Change::Deleted(name)) => {
                let key = ServiceKey::from(name);
                self.recalled.services.remove(&key);
                self.services.remove(&key);
            }
            Seen::Slice(Change::Applied(slice)) => {
                self.recalled.slices.remove(&slice.slice);
                self.see_slice(slice);
            }
            Seen::Slice(Change::Deleted(name)) => self.forget_slice(&name),
            Seen::Node(Change::Applied(node)) => {
                self.confirm_node();
                self.node = Some(node);
            }
            Seen::Node(Change::Deleted(_)) => {
                if let Some(node) = &mut self.node {
                    node.excluded = Some(Exclusion::Deleting);
                }
            }
            Seen::Accepted(Change::Applied(accepted)) => self.accept(accepted),
            // What was accepted stays until the leading controller has written it again.
            Seen::Accepted(Change::Deleted(_)) => {}
            Seen::DataPath(verdict) => self.data_path = Some(verdict),
            Seen::Service(Change::Synced) => self.complete(List::Services),
            Seen::Slice(Change::Synced) => self.complete(List::Slices),
            Seen::Node(Change::Synced) => self.complete(List::Node),
            Seen::Accepted(Change::Synced) => self.complete(List::Configuration),
        }
    }

    /// The table; none until every first list is complete or recalled, and there are a node, a word about its data path and an
    /// accepted configuration.
    pub fn desired(&self) -> Option<Desired> {
        let (node, InForce { cluster, config, .. }) = (self.node.as_ref()?, self.accepted.as_ref()?);
        let data_path = self.data_path?;
        if !self.is_told() && !self.recalled.is_in_force {
            return None;
        }
        let here = Here { labels: node.labels.clone(), excluded: node.excluded, data_path };
        let best = if here.is_stale() { Tier::Second } else { Tier::First };
        let mut services: BTreeMap<IpAddr, Vec<&Announced>> = BTreeMap::new();
        for service in self.services.values() {
            service.vips.iter().for_each(|vip| services.entry(*vip).or_default().push(service));
        }
        let conflicts: Vec<Conflict> = config.pools.iter().map(|pool| config.conflict(&pool.name)).collect();
        let orphan = config.conflict("");
        let mut scopes = Scopes::new(config, &here);
        let mut orphans = Vec::new();
        let vips = services.into_iter().map(|(address, services)| {
            let labels: Vec<&Labels> = services.iter().map(|service| &service.labels).collect();
            let pool = config.position_of(address);
            orphans.extend(pool.is_none().then_some(address));
            let (scope, it) = scopes.of(pool, &labels);
            let preferences = it.preferences;
            let announced = services.iter().any(|service| service.announced.contains(&address));
            // Another implementation may have written it over ours, as k3s' ServiceLB does.
            let is_nodes = self.nodes.contains(&address) && !announced;
            let allowed = match &it.by {
                _ if is_nodes => Err(NotHere::NodeAddress),
                by => by.as_ref().map(drop).map_err(|why| *why),
            };
            let here = allowed.and_then(|()| {
                let tiers = services.iter().filter_map(|service| self.tier(service, Family::of(address)));
                let tier = tiers.min().ok_or(NotHere::NoLocalEndpoint)?;
                Ok(Wish { tier: tier.max(best), preferences })
            });
            let conflict = pool.map_or(orphan, |pool| conflicts[pool]);
            let services = services.iter().map(|service| service.key.clone()).collect();
            (address, Vip { services, here, conflict, announced, scope })
        });
        let vips = vips.collect();
        let scopes = scopes.all;
        Some(Desired { cluster: cluster.clone(), vips, orphans, scopes, config: config.clone(), here })
    }

    /// What is still missing for a table, for the log.
    pub fn missing(&self) -> Vec<&'static str> {
        let mut missing: Vec<_> =
            List::ALL.into_iter().filter(|list| !self.is_complete(*list)).map(List::name).collect();
        if self.is_complete(List::Configuration) && self.accepted.is_none() {
            missing.push("an accepted configuration");
        }
        if self.data_path.is_none() {
            missing.push("a word about kube-proxy");
        }
        missing
    }

    /// Addresses are ours by the controller's record. Once they are, they stay announced for as long as the same Service shows
    /// them: whoever wipes annotations takes no address off the network.
    fn see(&mut self, mut service: Announced) {
        self.recalled.services.remove(&service.key);
        if !service.recorded {
            let before = self.services.get(&service.key).filter(|before| before.uid == service.uid);
            service.vips.retain(|vip| before.is_some_and(|before| before.vips.contains(vip)));
        }
        if service.vips.is_empty() {
            self.services.remove(&service.key);
        } else {
            self.services.insert(service.key.clone(), service);
        }
    }

    /// How well the node is placed for a Service's address of this family; none: not at all. With `externalTrafficPolicy: Local`
    /// kube-proxy delivers to the node's own endpoints alone, and where none of them is ready, to those that still serve while
    /// they terminate (KEP-1669).
    fn tier(&self, service: &Announced, family: Family) -> Option<Tier> {
        if !service.local {
            return Some(Tier::First);
        }
        let slices = self.slices.get(&service.key).into_iter().flat_map(BTreeMap::values);
        let best = slices.filter(|slice| slice.family == Some(family)).filter_map(|slice| slice.best).max()?;
        Some(match best {
            Usable::Ready => Tier::First,
            Usable::Terminating => Tier::Second,
        })
    }

    pub(super) fn see_slice(&mut self, slice: LocalEndpoints) {
        self.forget_slice(&slice.slice);
        self.slice_owner.insert(slice.slice.clone(), slice.service.clone());
        self.slices.entry(slice.service.clone()).or_default().insert(slice.slice.clone(), slice);
    }

    pub(super) fn forget_slice(&mut self, name: &ObjectName) {
        let Some(service) = self.slice_owner.remove(name) else { return };
        if let Some(slices) = self.slices.get_mut(&service) {
            slices.remove(name);
            if slices.is_empty() {
                self.slices.remove(&service);
            }
        }
    }

    fn accept(&mut self, accepted: Accepted) {
        if let Some(nodes) = accepted.nodes {
            self.nodes = nodes;
        }
        let (Some(text), Some(cluster)) = (accepted.config, accepted.cluster) else { return };
        if self.accepted.as_ref().is_some_and(|before| before.cluster == cluster && before.text == text) {
            return;
        }
        match InForce::new(cluster, text) {
            Ok(accepted) => self.accepted = Some(accepted),
            // A newer controller's: what this speaker understood last stays in force.
            Err(errors) => tracing::warn!(%errors, "the accepted configuration is not understood, the last one stays"),
        }
    }

    /// Whether the watches have told everything once.
    pub fn is_told(&self) -> bool {
        self.complete.len() == List::ALL.len()
    }

    pub(super) fn is_complete(&self, list: List) -> bool {
        self.complete.contains(&list)
    }

    fn complete(&mut self, list: List) {
        if self.complete.insert(list) {
            self.confirm(list);
        }
    }
}
