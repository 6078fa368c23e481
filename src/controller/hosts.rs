//! What the nodes keep from the pools: their own addresses are never handed out, and a pool among their pods is a mistake.

use crate::cluster::node::Host;
use landfall_core::{
    alloc::{Reserve, Reserved},
    config::Config,
};
use std::collections::BTreeMap;

/// The nodes, by name.
#[derive(Debug, Default)]
pub struct Hosts(BTreeMap<String, Host>);

impl Hosts {
    /// A node was seen. Says whether that is news.
    pub fn put(&mut self, host: Host) -> bool {
        self.0.insert(host.name.clone(), host.clone()).is_none_or(|before| before != host)
    }

    /// A node is gone.
    pub fn remove(&mut self, name: &str) -> bool {
        self.0.remove(name).is_some()
    }

    /// The addresses of all of them.
    pub fn reserved(&self) -> Reserved {
        let of = |host: &Host| {
            let reserve = Reserve::Node(host.name.clone());
            host.addresses.iter().map(move |address| (*address, reserve.clone())).collect::<Vec<_>>()
        };
        self.0.values().flat_map(of).collect()
    }

    /// What of the pools is also pods', in words for the user.
    pub fn overlaps(&self, config: &Config) -> Vec<String> {
        let mut overlaps = Vec::new();
        for pool in &config.pools {
            let pods = self.0.values().flat_map(|host| host.pods.iter().map(move |pods| (pods, &host.name)));
            for (pods, node) in pods.filter(|(pods, _)| pool.lists_in(**pods)) {
                let name = &pool.name;
                overlaps.push(format!(
                    "the pool {name:?} has addresses in {pods}, from which the pods of the node {node} get theirs: take \
                     them out of the pool, or nobody knows whom a packet is for"
                ));
            }
        }
        overlaps
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use landfall_core::config;

    #[test]
    fn a_pool_among_the_pods_is_told() {
        let mut hosts = Hosts::default();
        let pods = vec!["10.1.0.0/24".parse().unwrap(), "2001:db8:1::/64".parse().unwrap()];
        hosts.put(Host { name: "n1".into(), addresses: Vec::new(), pods });
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
}
