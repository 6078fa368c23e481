//! The ConfigMap `landfall-accepted`: the configuration in effect, and the cluster's id.
//!
//! The leading controller writes it, before a configuration takes effect; speakers read it and nothing else.

use super::names;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::runtime::watcher;

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
}

/// Selects the one object called `name`: a right on that name alone suffices for the watch.
pub fn only(name: &str) -> watcher::Config {
    watcher::Config::default().fields(&format!("metadata.name={name}"))
}
