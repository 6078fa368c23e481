//! A Node object becomes what a speaker keeps of its own, and what the controller keeps of all: the addresses that are taken.

use super::{
    names,
    object::{lean_metadata, stands_for},
};
use ipnet::IpNet;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use landfall_core::config::Labels;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// A Node as it is sent.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct NodeObject {
    #[serde(deserialize_with = "lean_metadata")]
    metadata: ObjectMeta,
    spec: Spec,
    status: Status,
}

stands_for!(NodeObject, k8s_openapi::api::core::v1::Node);

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Spec {
    taints: Option<Vec<Taint>>,
    #[serde(rename = "podCIDRs")]
    pod_cidrs: Vec<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Status {
    addresses: Vec<Address>,
}

/// An entry of `status.addresses`; some are names.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Address {
    address: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Taint {
    key: String,
}

/// Why no address may be announced from a node. Not being Ready alone is no reason, nor being cordoned (KEP-3458).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, thiserror::Error)]
pub enum Exclusion {
    /// It carries the label [`names::EXCLUDE_NODE`]; an announcement may ignore this, and nothing else.
    #[error("the node is labelled {}", names::EXCLUDE_NODE)]
    Label,
    /// The cluster autoscaler is about to delete it.
    #[error("the node is tainted {}", names::AUTOSCALER_TAINT)]
    Autoscaler,
    /// It is being deleted.
    #[error("the node is being deleted")]
    Deleting,
}

/// What a speaker keeps of its node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: Labels,
    /// Why it must not announce, if it must not.
    pub excluded: Option<Exclusion>,
}

impl Node {
    /// Projects `object`.
    pub fn new(object: NodeObject) -> Self {
        let NodeObject { metadata, spec, .. } = object;
        let labels: Labels = metadata.labels.into_iter().flatten().collect();
        // Presence excludes, and only a plain "false" includes again: older clusters knew presence alone.
        let labelled = labels.get(names::EXCLUDE_NODE).is_some_and(|value| !is_false(value));
        let excluded = if metadata.deletion_timestamp.is_some() {
            Some(Exclusion::Deleting)
        } else if spec.taints.iter().flatten().any(|taint| taint.key == names::AUTOSCALER_TAINT) {
            Some(Exclusion::Autoscaler)
        } else if labelled {
            Some(Exclusion::Label)
        } else {
            None
        };
        Self { name: metadata.name.unwrap_or_default(), labels, excluded }
    }
}

/// What the controller keeps of each node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: Labels,
    /// Its own addresses.
    pub addresses: Vec<IpAddr>,
    /// Where its pods' addresses come from.
    pub pods: Vec<IpNet>,
}

impl Host {
    /// Projects `object`.
    pub fn new(object: NodeObject) -> Self {
        let NodeObject { metadata, spec, status } = object;
        Self {
            name: metadata.name.unwrap_or_default(),
            labels: metadata.labels.into_iter().flatten().collect(),
            addresses: status.addresses.iter().filter_map(|entry| entry.address.parse().ok()).collect(),
            pods: spec.pod_cidrs.iter().filter_map(|cidr| cidr.parse().ok()).collect(),
        }
    }
}

/// What Go's `strconv.ParseBool`, by which Kubernetes reads the label, takes for false.
fn is_false(text: &str) -> bool {
    matches!(text, "0" | "f" | "F" | "false" | "False" | "FALSE")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn excluded(change: impl FnOnce(&mut Value)) -> Option<Exclusion> {
        let mut node = json!({"metadata": {"name": "n1", "labels": {}}, "spec": {}});
        change(&mut node);
        Node::new(serde_json::from_value(node).unwrap()).excluded
    }

    #[test]
    fn a_nodes_addresses_and_its_pods_ranges_are_projected() {
        let node = json!({
            "metadata": {"name": "n1", "labels": {"zone": "a"}},
            "spec": {"podCIDR": "10.1.0.0/24", "podCIDRs": ["10.1.0.0/24", "2001:db8:1::/64"]},
            "status": {"addresses": [{"type": "InternalIP", "address": "192.0.2.1"}, {"type": "Hostname", "address": "n1"},
                                     {"type": "ExternalIP", "address": "2001:db8::1"}]}
        });
        let host = Host::new(serde_json::from_value(node).unwrap());
        let expected = Host {
            name: "n1".into(),
            labels: [("zone", "a")].into(),
            addresses: ["192.0.2.1", "2001:db8::1"].map(|address| address.parse().unwrap()).into(),
            pods: ["10.1.0.0/24", "2001:db8:1::/64"].map(|range| range.parse().unwrap()).into(),
        };
        assert_eq!(host, expected);
    }

    #[test]
    fn a_node_is_excluded_by_label_taint_or_deletion() {
        let label =
            |value: &'static str| move |n: &mut Value| n["metadata"]["labels"][names::EXCLUDE_NODE] = json!(value);
        assert_eq!(excluded(|_| ()), None);
        for value in ["", "true", "yes", "nonsense"] {
            assert_eq!(excluded(label(value)), Some(Exclusion::Label), "{value:?}");
        }
        for value in ["false", "0", "F"] {
            assert_eq!(excluded(label(value)), None, "{value:?}");
        }
        let taint = |key: &'static str| {
            move |n: &mut Value| n["spec"]["taints"] = json!([{"key": key, "effect": "NoSchedule"}])
        };
        assert_eq!(excluded(taint(names::AUTOSCALER_TAINT)), Some(Exclusion::Autoscaler));
        assert_eq!(excluded(taint("node.kubernetes.io/not-ready")), None);
        let deleting = |n: &mut Value| n["metadata"]["deletionTimestamp"] = json!("2026-11-24T12:00:00Z");
        assert_eq!(excluded(deleting), Some(Exclusion::Deleting));
        let both = |n: &mut Value| {
            label("true")(n);
            taint(names::AUTOSCALER_TAINT)(n);
        };
        assert_eq!(excluded(both), Some(Exclusion::Autoscaler), "the one that no announcement ignores");
    }

    #[test]
    fn a_cordoned_node_is_not_excluded() {
        let cordoned = |n: &mut Value| {
            n["spec"] = json!({"unschedulable": true, "taints": [
                {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}
            ]});
        };
        assert_eq!(excluded(cordoned), None);
    }
}
