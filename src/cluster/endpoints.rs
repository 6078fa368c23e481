//! An EndpointSlice becomes: which Service, and how usable its endpoints on our node are (KEP-1669).

use super::{
    ObjectName, names,
    object::{lean_metadata, parse_family, stands_for},
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use landfall_core::{addr::Family, alloc::ServiceKey};
use serde::{Deserialize, Serialize};

/// An EndpointSlice as it is sent.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SliceObject {
    #[serde(deserialize_with = "lean_metadata")]
    metadata: ObjectMeta,
    address_type: String,
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

/// How an endpoint can be used; a later one is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Usable {
    /// Still serving while it terminates: used where nothing is ready.
    Terminating,
    /// Ready.
    Ready,
}

/// What one slice says about one node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalEndpoints {
    /// The slice; a Service may have several.
    pub slice: ObjectName,
    /// The Service.
    pub service: ServiceKey,
    /// Of which family its endpoints are; none: they are names.
    pub family: Option<Family>,
    /// The best of its endpoints on the node; none: no usable one.
    pub best: Option<Usable>,
}

impl LocalEndpoints {
    /// Projects `object` for the node called `node`.
    pub fn new(object: SliceObject, node: &str) -> Self {
        let slice = ObjectName::of(&object.metadata);
        let service = object.metadata.labels.as_ref().and_then(|labels| labels.get(names::SLICE_SERVICE));
        let service = ServiceKey::new(&slice.namespace, service.map_or("", String::as_str));
        let family = parse_family(&object.address_type);
        let mut local = Self { slice, service, family, best: None };
        for endpoint in object.endpoints.into_iter().flatten() {
            if endpoint.node_name.as_deref() == Some(node) {
                local.best = local.best.max(endpoint.conditions.unwrap_or_default().usable());
            }
        }
        local
    }
}

impl Conditions {
    /// Absent means true for `ready`, the same as `ready` for `serving`, and false for `terminating`.
    fn usable(&self) -> Option<Usable> {
        let ready = self.ready.unwrap_or(true);
        let serving = self.serving.unwrap_or(ready);
        match (ready, serving, self.terminating.unwrap_or(false)) {
            (true, _, _) => Some(Usable::Ready),
            (false, true, true) => Some(Usable::Terminating),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn best(endpoints: Value) -> Option<Usable> {
        let slice = json!({
            "metadata": {"namespace": "shop", "name": "web-x1", "labels": {"kubernetes.io/service-name": "web"}},
            "addressType": "IPv4", "endpoints": endpoints
        });
        let local = LocalEndpoints::new(serde_json::from_value(slice).unwrap(), "n1");
        assert_eq!(local.slice, ObjectName { namespace: "shop".into(), name: "web-x1".into() });
        assert_eq!(local.service, ServiceKey::new("shop", "web"));
        assert_eq!(local.family, Some(Family::V4));
        local.best
    }

    #[test]
    fn the_best_endpoint_on_the_node_counts() {
        let on = |node: &str, conditions: Value| json!({"nodeName": node, "conditions": conditions});
        let ready = json!({"ready": true, "serving": true, "terminating": false});
        let leaving = json!({"ready": false, "serving": true, "terminating": true});
        let failing = json!({"ready": false, "serving": false, "terminating": false});
        let (up, end) = (Some(Usable::Ready), Some(Usable::Terminating));
        for (endpoints, expected) in [
            (json!([on("n1", ready.clone())]), up),
            (json!([on("n2", ready.clone())]), None),
            (json!([on("n1", leaving.clone()), on("n1", ready.clone())]), up),
            (json!([on("n1", leaving), on("n2", ready)]), end),
            (json!([on("n1", failing)]), None),
            (json!([on("n1", json!({}))]), up),
            (json!([{"nodeName": "n1"}]), up),
            (json!([{"conditions": {"ready": true}}]), None),
            (json!(null), None),
        ] {
            assert_eq!(best(endpoints.clone()), expected, "{endpoints}");
        }
    }
}
