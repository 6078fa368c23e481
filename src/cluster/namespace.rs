//! A Namespace object becomes its name and its labels, by which pools select.

use super::object::{lean_metadata, stands_for};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use landfall_core::config::Labels;
use serde::Deserialize;

/// A Namespace as it is sent.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct NamespaceObject {
    #[serde(deserialize_with = "lean_metadata")]
    metadata: ObjectMeta,
}

stands_for!(NamespaceObject, k8s_openapi::api::core::v1::Namespace);

/// What the controller keeps of a Namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Namespace {
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: Labels,
}

impl Namespace {
    /// Projects `object`.
    pub fn new(object: NamespaceObject) -> Self {
        let ObjectMeta { name, labels, .. } = object.metadata;
        Self { name: name.unwrap_or_default(), labels: labels.into_iter().flatten().collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_namespace_is_its_name_and_its_labels() {
        let object = json!({"metadata": {"name": "shop", "labels": {"team": "web"}}, "spec": {}});
        let expected = Namespace { name: "shop".into(), labels: Labels::from([("team", "web")]) };
        assert_eq!(Namespace::new(serde_json::from_value(object).unwrap()), expected);
        let bare = json!({"metadata": {"name": "shop"}});
        assert_eq!(Namespace::new(serde_json::from_value(bare).unwrap()).labels, Labels::default());
    }
}
