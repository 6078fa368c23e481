//! The ConfigMap `landfall-accepted`: the configuration in effect, and the cluster's id.
//!
//! The leading controller writes it, before a configuration takes effect; speakers read it and nothing else.

use super::names;
use k8s_openapi::api::core::v1::ConfigMap;
use std::collections::BTreeMap;

/// What the ConfigMap says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Accepted {
    /// The text of the last accepted configuration; none: nothing was accepted yet.
    pub config: Option<String>,
    /// The UID of the namespace `kube-system`, which tells clusters on one LAN apart.
    pub cluster: Option<String>,
}

impl Accepted {
    /// Projects the ConfigMap.
    pub fn new(map: ConfigMap) -> Self {
        let mut data = map.data.unwrap_or_default();
        Self { config: data.remove(names::CONFIG_KEY), cluster: data.remove(names::CLUSTER_KEY) }
    }

    /// The ConfigMap's data; as a merge patch it leaves alone what is not known.
    pub fn data(&self) -> BTreeMap<&'static str, &str> {
        let entries = [(names::CONFIG_KEY, &self.config), (names::CLUSTER_KEY, &self.cluster)];
        entries.into_iter().filter_map(|(key, value)| Some((key, value.as_deref()?))).collect()
    }
}
