//! Landfall's objects as the tests, the benchmarks and the demo write and read them.

use std::net::IpAddr;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::cluster::Cluster;

/// The ConfigMap `landfall` with this text.
pub fn config(text: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "landfall", "namespace": "landfall-system"},
        "data": {"config.yaml": text},
    })
}

/// A LoadBalancer Service that costs the cluster as little as can be: no pods, no node port.
pub fn lean_service(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
        "spec": {"type": "LoadBalancer", "allocateLoadBalancerNodePorts": false, "ports": [{"port": 80}]}
    })
}

/// The external addresses in a Service's or an Ingress's status.
pub fn addresses(object: &Value) -> Vec<IpAddr> {
    let ingress = object["status"]["loadBalancer"]["ingress"].as_array().into_iter().flatten();
    ingress.filter_map(|entry| entry["ip"].as_str()?.parse().ok()).collect()
}

impl Cluster {
    /// What the speaker on a node tells about itself.
    ///
    /// # Errors
    /// When it has told nothing yet.
    pub fn record(&self, node: &str) -> Result<Value> {
        let map = self.api().get(&format!("/api/v1/namespaces/landfall-speakers/configmaps/{node}"))?;
        let status = map["data"]["status"].as_str().with_context(|| format!("{node}'s record is empty"))?;
        serde_json::from_str(status).with_context(|| format!("{node}'s record is no JSON"))
    }
}
