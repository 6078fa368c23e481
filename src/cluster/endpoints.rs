//! An EndpointSlice becomes: which Service, and how usable its endpoints on our node are (KEP-1669).

use super::{
    ObjectName, names,
    object::{lean_metadata, stands_for},
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use landfall_core::alloc::ServiceKey;
use serde::Deserialize;

/// An EndpointSlice as it is sent.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct SliceObject {
    #[serde(deserialize_with = "lean_metadata")]
    metadata: ObjectMeta,
    endpoints: Option<Vec<Endpoint>>,
}

stands_for!(SliceObject, k8s_openapi::api::discovery::v1::EndpointSlice);

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Endpoint {
    node_name: Option<String>,
    conditions: Option<Conditions>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Conditions {
    ready: Option<bool>,
    serving: Option<bool>,
    terminating: Option<bool>,
}

/// How usable an endpoint is; a later one is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// Still serving while it terminates: used where nothing is ready.
    Terminating,
    /// Ready.
    Ready,
}

/// What one slice says about one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalEndpoints {
    /// The slice; a Service may have several.
    pub slice: ObjectName,
    /// The Service.
    pub service: ServiceKey,
    /// The best of its endpoints on the node; none: no usable one.
    pub best: Option<Tier>,
}

impl LocalEndpoints {
    /// Projects `object` for the node called `node`.
    pub fn new(object: SliceObject, node: &str) -> Self {
        let slice = ObjectName::of(&object.metadata);
        let service = object.metadata.labels.as_ref().and_then(|labels| labels.get(names::SLICE_SERVICE));
        let service = ServiceKey { namespace: slice.namespace.clone(), name: service.cloned().unwrap_or_default() };
        let here = object.endpoints.iter().flatten().filter(|endpoint| endpoint.node_name.as_deref() == Some(node));
        let best = here.filter_map(|endpoint| endpoint.conditions.clone().unwrap_or_default().tier()).max();
        Self { slice, service, best }
    }
}

impl Conditions {
    /// Absent means true for `ready`, the same as `ready` for `serving`, and false for `terminating`.
    fn tier(&self) -> Option<Tier> {
        let ready = self.ready.unwrap_or(true);
        let serving = self.serving.unwrap_or(ready);
        match (ready, serving, self.terminating.unwrap_or(false)) {
            (true, _, _) => Some(Tier::Ready),
            (false, true, true) => Some(Tier::Terminating),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn best(endpoints: Value) -> Option<Tier> {
        let slice = json!({
            "metadata": {"namespace": "shop", "name": "web-x1", "labels": {"kubernetes.io/service-name": "web"}},
            "addressType": "IPv4", "endpoints": endpoints
        });
        let local = LocalEndpoints::new(serde_json::from_value(slice).unwrap(), "n1");
        assert_eq!(local.slice, ObjectName { namespace: "shop".into(), name: "web-x1".into() });
        assert_eq!(local.service, ServiceKey { namespace: "shop".into(), name: "web".into() });
        local.best
    }

    #[test]
    fn the_best_endpoint_on_the_node_counts() {
        let on = |node: &str, conditions: Value| json!({"nodeName": node, "conditions": conditions});
        let ready = json!({"ready": true, "serving": true, "terminating": false});
        let leaving = json!({"ready": false, "serving": true, "terminating": true});
        let failing = json!({"ready": false, "serving": false, "terminating": false});
        for (endpoints, expected) in [
            (json!([on("n1", ready.clone())]), Some(Tier::Ready)),
            (json!([on("n2", ready.clone())]), None),
            (json!([on("n1", leaving.clone()), on("n1", ready.clone())]), Some(Tier::Ready)),
            (json!([on("n1", leaving), on("n2", ready)]), Some(Tier::Terminating)),
            (json!([on("n1", failing)]), None),
            (json!([on("n1", json!({}))]), Some(Tier::Ready)),
            (json!([{"nodeName": "n1"}]), Some(Tier::Ready)),
            (json!([{"conditions": {"ready": true}}]), None),
            (json!(null), None),
        ] {
            assert_eq!(best(endpoints.clone()), expected, "{endpoints}");
        }
    }
}
