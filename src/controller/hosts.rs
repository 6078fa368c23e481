//! What the nodes keep from the pools: their own addresses and the edges of their subnets are never handed out, and a pool among
//! their pods or among the cluster's own addresses of Services is a mistake.

use crate::cluster::node::Host;
use ipnet::IpNet;
use landfall_core::{
    addr,
    alloc::{Reserve, Reserved},
    config::{Config, Labels, Pool},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

/// Kubernetes takes no larger range for Services (`--service-cluster-ip-range`): addresses that are farther apart are from two.
const WIDEST_V4: u8 = 12;
const WIDEST_V6: u8 = 64;
/// More ranges are not remembered.
const CLUSTER_RANGES: usize = 8;

/// The nodes, by name.
#[derive(Debug, Default)]
pub struct Hosts {
    nodes: BTreeMap<String, Host>,
    /// The addresses of their interfaces, with the subnets, as their speakers tell.
    interfaces: BTreeMap<String, Vec<IpNet>>,
    /// The smallest ranges that the cluster's own addresses of Services are in.
    cluster_ranges: Vec<IpNet>,
}

impl Hosts {
    /// A node was seen. Says whether that is news.
    pub fn put(&mut self, host: Host) -> bool {
        self.nodes.insert(host.name.clone(), host.clone()).is_none_or(|before| before != host)
    }

    /// A node is gone.
    pub fn remove(&mut self, name: &str) -> bool {
        self.nodes.remove(name).is_some()
    }

    /// The labels of each.
    pub fn labels(&self) -> impl Iterator<Item = &Labels> {
        self.nodes.values().map(|host| &host.labels)
    }

    /// The nodes' own addresses, as their objects say. What several have is none's own: with kube-proxy's mode ipvs every node has
    /// the Services' addresses, and some cloud providers list all that a machine has.
    pub fn addresses(&self) -> BTreeSet<IpAddr> {
        let mut nodes = BTreeMap::<IpAddr, usize>::new();
        for host in self.nodes.values() {
            let own: BTreeSet<IpAddr> = host.addresses.iter().copied().collect();
            own.into_iter().for_each(|address| *nodes.entry(address).or_default() += 1);
        }
        nodes.into_iter().filter(|(_, nodes)| *nodes == 1).map(|(address, _)| address).collect()
    }

    /// A node's speaker tells the addresses of its interfaces. Says whether that is news.
    pub fn put_interfaces(&mut self, node: &str, addresses: Vec<IpNet>) -> bool {
        self.interfaces.insert(node.to_owned(), addresses.clone()).is_none_or(|before| before != addresses)
    }

    /// A node's speaker tells nothing any more.
    pub fn remove_interfaces(&mut self, node: &str) -> bool {
        self.interfaces.remove(node).is_some()
    }

    /// A Service has these addresses inside the cluster. Says whether the ranges that they are from are larger than was known.
    pub fn see_cluster_ips(&mut self, ips: &[IpAddr]) -> bool {
        let mut is_news = false;
        for ip in ips {
            let is_one = |wider: &IpNet| wider.prefix_len() >= if ip.is_ipv4() { WIDEST_V4 } else { WIDEST_V6 };
            let near = self.cluster_ranges.iter_mut().filter(|range| range.addr().is_ipv4() == ip.is_ipv4());
            let mut near = near.map(|range| (widened(*range, *ip), range));
            if let Some((wider, range)) = near.find(|(wider, _)| is_one(wider)) {
                is_news |= std::mem::replace(range, wider) != wider;
            } else if self.cluster_ranges.len() < CLUSTER_RANGES {
                self.cluster_ranges.push(IpNet::from(*ip));
                is_news = true;
            }
        }
        is_news
    }

    /// What of all of them is never handed out. A node counts as such; what a speaker's record says counts while its node is
    /// there.
    pub fn reserved(&self) -> Reserved {
        let mut reserved = Reserved::new();
        let known = self.interfaces.iter().filter(|(node, _)| self.nodes.contains_key(*node));
        for (node, own) in known.flat_map(|(node, addresses)| addresses.iter().map(move |own| (node, own))) {
            reserved.extend(addr::edges(*own).map(|edge| (edge, Reserve::Edge(own.trunc().to_string()))));
            reserved.insert(own.addr(), Reserve::Node(node.clone()));
        }
        let own = |host: &Host| {
            let reserve = Reserve::Node(host.name.clone());
            host.addresses.iter().map(move |address| (*address, reserve.clone())).collect::<Vec<_>>()
        };
        reserved.extend(self.nodes.values().flat_map(own));
        reserved
    }

    /// What of the pools is also pods' or the cluster's own, in words for the user.
    pub fn overlaps(&self, config: &Config) -> Vec<String> {
        let mut overlaps = Vec::new();
        for pool in &config.pools {
            let pods = self.nodes.values().flat_map(|host| host.pods.iter().map(move |pods| (pods, &host.name)));
            for (pods, node) in pods.filter(|(pods, _)| pool.lists_in(**pods)) {
                let name = &pool.name;
                overlaps.push(format!(
                    "the pool {name:?} has addresses in {pods}, from which the pods of the node {node} get theirs: take \
                     them out of the pool, or nobody knows whom a packet is for"
                ));
            }
        }
        // Nothing tells the ranges themselves: what is known of them grows as Services come.
        let is_inside = |pool: &&Pool| self.cluster_ranges.iter().any(|range| pool.lists_in(*range));
        overlaps.extend(config.pools.iter().filter(is_inside).map(|pool| {
            format!(
                "the pool {:?} has addresses among those that Services get inside the cluster (clusterIP): take the cluster's own \
                 range out of the pool, or nobody knows whom a packet is for",
                pool.name
            )
        }));
        overlaps
    }
}

/// The smallest range with all of `range` and this address, which is of its family.
fn widened(range: IpNet, ip: IpAddr) -> IpNet {
    let mut wider = range;
    while !wider.contains(&ip) {
        let Some(supernet) = wider.supernet() else { break };
        wider = supernet;
    }
    wider
}

#[cfg(test)]
mod tests {
    use super::*;
    use landfall_core::config;

    #[test]
    fn a_pool_among_the_pods_is_told() {
        let mut hosts = Hosts::default();
        let pods = vec!["10.1.0.0/24".parse().unwrap(), "2001:db8:1::/64".parse().unwrap()];
        hosts.put(Host { name: "n1".into(), labels: Labels::default(), addresses: Vec::new(), pods });
        for (addresses, told) in [
            ("198.51.100.0/24", 0),
            ("10.1.0.0/16", 1),
            ("10.1.0.255", 1),
            ("10.1.1.0/24", 0),
            ("10.0.0.0-10.2.0.0, '2001:db8:1::7'", 2),
        ] {
            let config = config::parse(&format!("pools: [{{name: a, addresses: [{addresses}]}}]")).unwrap().config;
            let overlaps = hosts.overlaps(&config);
            assert_eq!(overlaps.len(), told, "{addresses}: {overlaps:?}");
            assert!(overlaps.iter().all(|words| words.contains("\"a\"") && words.contains("n1")), "{overlaps:?}");
        }
        hosts.remove("n1");
        let config = config::parse("pools: [{name: a, addresses: [10.1.0.0/16]}]").unwrap().config;
        assert_eq!(hosts.overlaps(&config), [""; 0]);
    }

    #[test]
    fn a_pool_among_the_clusters_own_addresses_is_told_once() {
        let config = "pools: [{name: a, addresses: [10.100.0.0/24]}, {name: b, addresses: [198.51.100.0/24]}]";
        let config = config::parse(config).unwrap().config;
        let mut hosts = Hosts::default();
        let ips = |texts: &[&str]| texts.iter().map(|text| text.parse::<IpAddr>().unwrap()).collect::<Vec<_>>();
        assert!(hosts.see_cluster_ips(&ips(&["172.20.0.1", "2001:db8::1", "10.96.0.1"])));
        assert_eq!(hosts.overlaps(&config), [""; 0]);
        // Nobody has an address of the pool yet: its range is in between.
        assert!(hosts.see_cluster_ips(&ips(&["10.107.3.9"])));
        assert!(!hosts.see_cluster_ips(&ips(&["10.99.0.1", "10.96.0.1"])), "they are no news");
        let overlaps = hosts.overlaps(&config);
        assert!(
            overlaps.len() == 1 && overlaps[0].contains("\"a\"") && overlaps[0].contains("clusterIP"),
            "{overlaps:?}"
        );
    }

    #[test]
    fn an_address_that_several_nodes_claim_is_none_of_theirs() {
        let mut hosts = Hosts::default();
        let own = |name: &str, addresses: &[&str]| Host {
            name: name.into(),
            labels: Labels::default(),
            addresses: addresses.iter().map(|address| address.parse().unwrap()).collect(),
            pods: Vec::new(),
        };
        // Internal and external address may be the same.
        hosts.put(own("n1", &["198.51.100.11", "2001:db8::11", "198.51.100.11", "198.51.100.100"]));
        hosts.put(own("n2", &["198.51.100.12", "198.51.100.100"]));
        let addresses: Vec<String> = hosts.addresses().iter().map(ToString::to_string).collect();
        assert_eq!(addresses, ["198.51.100.11", "198.51.100.12", "2001:db8::11"]);
    }

    /// What is kept from the pools, as `address: why`.
    fn kept(hosts: &Hosts) -> Vec<String> {
        let why = |reserve: Reserve| match reserve {
            Reserve::Node(node) => node,
            Reserve::Edge(subnet) => subnet,
            Reserve::InUse(by) => by,
        };
        hosts.reserved().into_iter().map(|(address, reserve)| format!("{address}: {}", why(reserve))).collect()
    }

    #[test]
    fn the_edges_of_subnets_and_interfaces_own_addresses_are_kept_from_the_pools() {
        let mut hosts = Hosts::default();
        let own = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<IpNet>>();
        let all = own(&["198.51.100.11/24", "2001:db8::11/64", "203.0.113.0/31", "192.0.2.7/32", "2001:db8:1::/127"]);
        assert!(hosts.put_interfaces("n1", all.clone()));
        assert!(!hosts.put_interfaces("n1", all), "it is no news");
        assert_eq!(kept(&hosts), [""; 0], "there is no such node");
        hosts.put(Host {
            name: "n1".into(),
            labels: Labels::default(),
            addresses: vec!["198.51.100.11".parse().unwrap()],
            pods: Vec::new(),
        });
        assert_eq!(
            kept(&hosts),
            [
                "192.0.2.7: n1",
                "198.51.100.0: 198.51.100.0/24",
                "198.51.100.11: n1",
                "198.51.100.255: 198.51.100.0/24",
                "203.0.113.0: n1",
                "2001:db8::: 2001:db8::/64",
                "2001:db8::11: n1",
                "2001:db8:1::: n1",
            ]
        );
        assert!(hosts.remove_interfaces("n1"));
        assert_eq!(kept(&hosts), ["198.51.100.11: n1"]);
    }
}
