//! The ConfigMap `landfall-accepted`: the configuration in effect, the cluster's id, and the nodes' own addresses.
//!
//! The leading controller writes it, before a configuration takes effect; speakers read it and nothing else.

use super::{
    names,
    object::{join_addresses, parse_addresses},
};
use k8s_openapi::api::core::v1::ConfigMap;
use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

/// What the ConfigMap says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Accepted {
    /// The text of the last accepted configuration; none: nothing was accepted yet.
    pub config: Option<String>,
    /// The UID of the namespace `kube-system`, which tells clusters on one LAN apart.
    pub cluster: Option<String>,
    /// The nodes' own addresses, which are nobody's VIPs, whatever a status says: speakers see their own Node alone.
    pub nodes: Option<BTreeSet<IpAddr>>,
}

impl Accepted {
    /// Projects the ConfigMap.
    pub fn new(map: ConfigMap) -> Self {
        let mut data = map.data.unwrap_or_default();
        let nodes = data.remove(names::NODES_KEY);
        Self {
            config: data.remove(names::CONFIG_KEY),
            cluster: data.remove(names::CLUSTER_KEY),
            nodes: nodes.as_deref().map(parse_addresses),
        }
    }

    /// The ConfigMap's data; as a merge patch it leaves alone what is not known.
    pub fn data(&self) -> BTreeMap<&'static str, String> {
        let entries = [
            (names::CONFIG_KEY, self.config.clone()),
            (names::CLUSTER_KEY, self.cluster.clone()),
            (names::NODES_KEY, self.nodes.as_ref().map(join_addresses)),
        ];
        entries.into_iter().filter_map(|(key, value)| Some((key, value?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_what_is_read() {
        let known = Accepted {
            config: Some("pools: []\n".into()),
            cluster: Some("uid".into()),
            nodes: Some(["198.51.100.11".parse().unwrap(), "2001:db8::11".parse().unwrap()].into()),
        };
        for accepted in [Accepted::default(), Accepted { nodes: Some(BTreeSet::new()), ..known.clone() }, known] {
            let data = accepted.data().into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
            assert_eq!(Accepted::new(ConfigMap { data: Some(data), ..ConfigMap::default() }), accepted);
        }
    }
}
