//! What the API server says this node should announce: Services, EndpointSlices, the node itself and the accepted
//! configuration become one table.
//!
//! Pure: the watches feed [`Inputs`], and what [`Inputs::desired`] returns is handed to the LAN task whole. While the API
//! server is away the last table stays in force.

use crate::cluster::{
    Change, ObjectName,
    accepted::Accepted,
    endpoints::{LocalEndpoints, Tier},
    node::{Exclusion, Node},
    service::Announced,
};
use landfall_core::{
    addr::Family,
    alloc::ServiceKey,
    config::{self, Config, Labels, Reach},
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
}

/// Why this node answers for a VIP on no interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum NotHere {
    /// The node keeps off load balancing altogether.
    #[error(transparent)]
    Excluded(#[from] Exclusion),
    /// `externalTrafficPolicy: Local`, and no usable endpoint here.
    #[error("externalTrafficPolicy is Local and no usable endpoint is on this node")]
    NoLocalEndpoint,
}

/// What is wanted for one VIP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vip {
    /// Its Service.
    pub service: ServiceKey,
    /// The pool that lists it, as an index into the configuration's; none: an edit has left it without one.
    pool: Option<usize>,
    /// Why this node must not answer for it, if it must not.
    pub here: Result<(), NotHere>,
}

/// The whole table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Desired {
    /// The cluster's id, for the frames on the LAN.
    pub cluster: String,
    /// Why the whole node announces nothing, if it does not.
    pub excluded: Option<Exclusion>,
    /// Every VIP there is, for this node or not. One that is missing has been released.
    pub vips: BTreeMap<IpAddr, Vip>,
    /// Those of them that an edit has left without a pool.
    orphans: Vec<IpAddr>,
    config: Arc<Config>,
    labels: Labels,
}

impl Desired {
    /// How far the announcements let an interface of this node announce each pool.
    pub fn reaches(&self, interface: &str) -> Reaches {
        let reach = |pool: &str| self.config.reach(pool, &self.labels, interface);
        let pools = self.config.pools.iter().map(|pool| reach(&pool.name)).collect();
        // An address that an edit has left without a pool stays announced.
        Reaches { pools, orphans: reach("").max(Reach::Subnets) }
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

/// How far one interface may announce each pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reaches {
    /// By pool.
    pub pools: Vec<Reach>,
    orphans: Reach,
}

impl Reaches {
    /// How far it may announce this VIP.
    pub fn of(&self, vip: &Vip) -> Reach {
        vip.pool.map_or(self.orphans, |pool| self.pools.get(pool).copied().unwrap_or(Reach::None))
    }
}

/// What is listed before there is a table.
const LISTS: [&str; 4] = [SERVICES, SLICES, NODE, CONFIGURATION];
const SERVICES: &str = "Services";
const SLICES: &str = "EndpointSlices";
const NODE: &str = "Node";
const CONFIGURATION: &str = "configuration";

/// The newest of everything that was seen.
#[derive(Debug, Default)]
pub struct Inputs {
    services: BTreeMap<ServiceKey, Announced>,
    slices: BTreeMap<ServiceKey, BTreeMap<ObjectName, LocalEndpoints>>,
    slice_owner: BTreeMap<ObjectName, ServiceKey>,
    node: Option<Node>,
    accepted: Option<(String, Arc<Config>)>,
    /// Those of [`LISTS`] that are complete.
    synced: BTreeSet<&'static str>,
}

impl Inputs {
    /// Takes in a change.
    pub fn apply(&mut self, seen: Seen) {
        match seen {
            Seen::Service(Change::Applied(service)) => self.see(service),
            Seen::Service(Change::Deleted(name)) => {
                self.services.remove(&ServiceKey::from(name));
            }
            Seen::Slice(Change::Applied(slice)) => {
                self.forget_slice(&slice.slice);
                self.slice_owner.insert(slice.slice.clone(), slice.service.clone());
                self.slices.entry(slice.service.clone()).or_default().insert(slice.slice.clone(), slice);
            }
            Seen::Slice(Change::Deleted(name)) => self.forget_slice(&name),
            Seen::Node(Change::Applied(node)) => self.node = Some(node),
            Seen::Node(Change::Deleted(_)) => {
                if let Some(node) = &mut self.node {
                    node.excluded = Some(Exclusion::Deleting);
                }
            }
            Seen::Accepted(Change::Applied(accepted)) => self.accept(accepted),
            // What was accepted stays until the leading controller has written it again.
            Seen::Accepted(Change::Deleted(_)) => {}
            Seen::Service(Change::Synced) => self.complete(SERVICES),
            Seen::Slice(Change::Synced) => self.complete(SLICES),
            Seen::Node(Change::Synced) => self.complete(NODE),
            Seen::Accepted(Change::Synced) => self.complete(CONFIGURATION),
        }
    }

    /// The table; none until every first list is complete and there are a node and an accepted configuration.
    pub fn desired(&self) -> Option<Desired> {
        let (node, (cluster, config)) = (self.node.as_ref()?, self.accepted.as_ref()?);
        if self.synced.len() < LISTS.len() {
            return None;
        }
        let vips = self.services.values().flat_map(|service| {
            service.vips.iter().map(|vip| {
                let here = match node.excluded {
                    Some(exclusion) => Err(exclusion.into()),
                    None if service.local && !self.is_usable(&service.key, Family::of(*vip)) => {
                        Err(NotHere::NoLocalEndpoint)
                    }
                    None => Ok(()),
                };
                let pool = config.position_of(*vip);
                (*vip, Vip { service: service.key.clone(), pool, here })
            })
        });
        let vips: BTreeMap<IpAddr, Vip> = vips.collect();
        let orphans = vips.iter().filter(|(_, vip)| vip.pool.is_none()).map(|(vip, _)| *vip).collect();
        Some(Desired {
            cluster: cluster.clone(),
            excluded: node.excluded,
            vips,
            orphans,
            config: config.clone(),
            labels: node.labels.clone(),
        })
    }

    /// What is still missing for a table, for the log.
    pub fn missing(&self) -> Vec<&'static str> {
        let mut missing: Vec<_> = LISTS.into_iter().filter(|list| !self.synced.contains(list)).collect();
        if self.synced.contains(CONFIGURATION) && self.accepted.is_none() {
            missing.push("an accepted configuration");
        }
        missing
    }

    /// Addresses are ours by the controller's record. Once they are, they stay announced for as long as the same Service shows
    /// them: whoever wipes annotations takes no address off the network.
    fn see(&mut self, mut service: Announced) {
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

    /// Whether the node has an endpoint that new connections may go to: a ready one, or, where no node has one, one that
    /// still serves while it terminates (KEP-1669).
    fn is_usable(&self, service: &ServiceKey, family: Family) -> bool {
        let slices = self.slices.get(service).into_iter().flat_map(BTreeMap::values);
        let slices: Vec<_> = slices.filter(|slice| slice.family == Some(family)).collect();
        let here = slices.iter().filter_map(|slice| slice.best).max();
        let anywhere = slices.iter().filter_map(|slice| slice.anywhere).max();
        here.is_some_and(|tier| tier == Tier::Ready || Some(tier) == anywhere)
    }

    fn forget_slice(&mut self, name: &ObjectName) {
        let Some(service) = self.slice_owner.remove(name) else { return };
        if let Some(slices) = self.slices.get_mut(&service) {
            slices.remove(name);
            if slices.is_empty() {
                self.slices.remove(&service);
            }
        }
    }

    fn accept(&mut self, accepted: Accepted) {
        let (Some(text), Some(cluster)) = (accepted.config, accepted.cluster) else { return };
        match config::parse(&text) {
            Ok(parsed) => self.accepted = Some((cluster, Arc::new(parsed.config))),
            // A newer controller's: what this speaker understood last stays in force.
            Err(errors) => tracing::warn!(%errors, "the accepted configuration is not understood, the last one stays"),
        }
    }

    fn complete(&mut self, list: &'static str) {
        self.synced.insert(list);
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A table of one VIP that this node may answer for.
    pub fn desired(config: &str, vip: &str) -> Desired {
        desired_with(config, &[vip])
    }

    /// A table of these VIPs, all of one Service.
    pub fn desired_with(config: &str, vips: &[&str]) -> Desired {
        inputs([node(None), accepted(config), service("web", vips, false)]).desired().unwrap()
    }

    fn key(name: &str) -> ServiceKey {
        ServiceKey::new("shop", name)
    }

    fn service(name: &str, vips: &[&str], local: bool) -> Seen {
        let vips = vips.iter().map(|vip| vip.parse().unwrap()).collect();
        Seen::Service(Change::Applied(Announced { key: key(name), uid: name.into(), vips, recorded: true, local }))
    }

    fn slice(name: &str, family: Family, best: Option<Tier>, anywhere: Option<Tier>) -> Seen {
        let slice = ObjectName { namespace: "shop".into(), name: name.into() };
        Seen::Slice(Change::Applied(LocalEndpoints {
            slice,
            service: key("web"),
            family: Some(family),
            best,
            anywhere,
        }))
    }

    fn node(excluded: Option<Exclusion>) -> Seen {
        let labels = Labels::from([("role", "edge")]);
        Seen::Node(Change::Applied(Node { name: "n1".into(), labels, excluded }))
    }

    fn accepted(config: &str) -> Seen {
        Seen::Accepted(Change::Applied(Accepted { config: Some(config.into()), cluster: Some("c".into()) }))
    }

    const POOL: &str = "pools: [{name: a, addresses: ['198.51.100.100-198.51.100.150', '2001:db8::/120']}]\n";

    fn inputs(seen: impl IntoIterator<Item = Seen>) -> Inputs {
        let mut inputs = Inputs::default();
        seen.into_iter().for_each(|seen| inputs.apply(seen));
        for synced in [
            Seen::Service(Change::Synced),
            Seen::Slice(Change::Synced),
            Seen::Node(Change::Synced),
            Seen::Accepted(Change::Synced),
        ] {
            inputs.apply(synced);
        }
        inputs
    }

    fn here(inputs: &Inputs, vip: &str) -> Option<Result<(), NotHere>> {
        inputs.desired().unwrap().vips.get(&vip.parse().unwrap()).map(|vip| vip.here)
    }

    #[test]
    fn there_is_no_table_before_everything_was_listed() {
        let mut inputs = Inputs::default();
        for seen in [node(None), accepted(POOL), service("web", &["198.51.100.100"], false)] {
            inputs.apply(seen);
            assert_eq!(inputs.desired(), None);
        }
        for synced in [Seen::Service(Change::Synced), Seen::Slice(Change::Synced), Seen::Node(Change::Synced)] {
            inputs.apply(synced);
        }
        assert_eq!(inputs.missing(), ["configuration"]);
        assert_eq!(inputs.desired(), None);
        inputs.apply(Seen::Accepted(Change::Synced));
        assert!(inputs.desired().is_some());
    }

    #[test]
    fn an_excluded_node_answers_for_nothing_and_a_released_address_is_gone() {
        let mut inputs = inputs([node(None), accepted(POOL), service("web", &["198.51.100.100"], false)]);
        assert_eq!(here(&inputs, "198.51.100.100"), Some(Ok(())));
        inputs.apply(node(Some(Exclusion::Label)));
        assert_eq!(here(&inputs, "198.51.100.100"), Some(Err(NotHere::Excluded(Exclusion::Label))));
        inputs.apply(node(None));
        inputs.apply(Seen::Node(Change::Deleted(ObjectName { namespace: String::new(), name: "n1".into() })));
        assert_eq!(here(&inputs, "198.51.100.100"), Some(Err(NotHere::Excluded(Exclusion::Deleting))));
        inputs.apply(service("web", &[], false));
        assert_eq!(here(&inputs, "198.51.100.100"), None);
    }

    #[test]
    fn local_traffic_needs_a_usable_endpoint_of_the_addresses_family_here() {
        use Tier::{Ready, Terminating};
        let none = Some(Err(NotHere::NoLocalEndpoint));
        let vips = ["198.51.100.100", "2001:db8::1"];
        for (best, anywhere, expected) in [
            (None, None, none),
            (None, Some(Ready), none),
            (Some(Ready), Some(Ready), Some(Ok(()))),
            (Some(Terminating), Some(Ready), none),
            (Some(Terminating), Some(Terminating), Some(Ok(()))),
        ] {
            let inputs = inputs([
                node(None),
                accepted(POOL),
                service("web", &vips, true),
                slice("web-4", Family::V4, best, anywhere),
            ]);
            assert_eq!(here(&inputs, vips[0]), expected, "{best:?} here, {anywhere:?} anywhere");
            assert_eq!(here(&inputs, vips[1]), none, "no IPv6 slice");
        }
    }

    #[test]
    fn an_address_without_a_pool_stays_announced_and_a_bad_configuration_changes_nothing() {
        let named = format!("{POOL}announcements: [{{pools: [a], interfaces: [eth9]}}]");
        let mut inputs = inputs([node(None), accepted(&named), service("web", &["198.51.100.100"], false)]);
        let reach = |inputs: &Inputs, interface| {
            let desired = inputs.desired().unwrap();
            desired.reaches(interface).of(&desired.vips[&"198.51.100.100".parse().unwrap()])
        };
        assert_eq!((reach(&inputs, "eth9"), reach(&inputs, "eth0")), (Reach::Any, Reach::None));
        inputs.apply(accepted("pools: nonsense"));
        assert_eq!(reach(&inputs, "eth9"), Reach::Any);
        inputs.apply(accepted("pools: [{name: b, addresses: [198.51.100.7]}]"));
        assert_eq!(reach(&inputs, "eth0"), Reach::Subnets);
        assert_eq!(inputs.desired().unwrap().orphans().count(), 1);
    }

    #[test]
    fn an_address_stays_announced_when_its_record_is_wiped_and_a_strangers_is_never_announced() {
        let unrecorded = |uid: &str, vips: &[&str]| {
            let vips = vips.iter().map(|vip| vip.parse().unwrap()).collect();
            let service = Announced { key: key("web"), uid: uid.into(), vips, recorded: false, local: false };
            Seen::Service(Change::Applied(service))
        };
        let (ours, other) = ("198.51.100.100", "198.51.100.101");
        let mut inputs = inputs([node(None), accepted(POOL), unrecorded("web", &[ours])]);
        assert_eq!(here(&inputs, ours), None, "never was ours");
        inputs.apply(service("web", &[ours], false));
        inputs.apply(unrecorded("web", &[ours, other]));
        assert_eq!((here(&inputs, ours), here(&inputs, other)), (Some(Ok(())), None));
        inputs.apply(unrecorded("another", &[ours]));
        assert_eq!(here(&inputs, ours), None, "another Service of the same name");
    }
}
