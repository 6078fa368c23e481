//! What the projections share: metadata without the parts nobody reads, and kube's view of our own object types.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use landfall_core::addr::Family;
use serde::{Deserialize, Deserializer};
use std::{collections::BTreeMap, net::IpAddr};

/// Decodes metadata and leaves out `managedFields`, the larger half of most objects.
pub(super) fn lean_metadata<'de, D: Deserializer<'de>>(from: D) -> Result<ObjectMeta, D::Error> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Lean {
        namespace: Option<String>,
        name: Option<String>,
        uid: Option<String>,
        resource_version: Option<String>,
        creation_timestamp: Option<Time>,
        deletion_timestamp: Option<Time>,
        annotations: Option<BTreeMap<String, String>>,
        labels: Option<BTreeMap<String, String>>,
        finalizers: Option<Vec<String>>,
    }
    let lean = Lean::deserialize(from)?;
    Ok(ObjectMeta {
        namespace: lean.namespace,
        name: lean.name,
        uid: lean.uid,
        resource_version: lean.resource_version,
        creation_timestamp: lean.creation_timestamp,
        deletion_timestamp: lean.deletion_timestamp,
        annotations: lean.annotations,
        labels: lean.labels,
        finalizers: lean.finalizers,
        ..ObjectMeta::default()
    })
}

/// Our own word on addresses, as annotations and ConfigMaps have it. What cannot be read is left out.
pub(super) fn parse_addresses<T: FromIterator<IpAddr>>(text: &str) -> T {
    text.split(',').filter_map(|address| address.parse().ok()).collect()
}

/// The other way.
pub fn join_addresses<'a>(addresses: impl IntoIterator<Item = &'a IpAddr>) -> String {
    addresses.into_iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

/// What Kubernetes calls a family.
pub(super) fn parse_family(text: &str) -> Option<Family> {
    match text {
        "IPv4" => Some(Family::V4),
        "IPv6" => Some(Family::V6),
        _ => None,
    }
}

/// Lets kube list and watch `$own`, a struct with a field `metadata`, in place of k8s-openapi's `$full`.
macro_rules! stands_for {
    ($own:ty, $full:ty) => {
        impl k8s_openapi::Resource for $own {
            const API_VERSION: &'static str = <$full as k8s_openapi::Resource>::API_VERSION;
            const GROUP: &'static str = <$full as k8s_openapi::Resource>::GROUP;
            const KIND: &'static str = <$full as k8s_openapi::Resource>::KIND;
            const VERSION: &'static str = <$full as k8s_openapi::Resource>::VERSION;
            const URL_PATH_SEGMENT: &'static str = <$full as k8s_openapi::Resource>::URL_PATH_SEGMENT;
            type Scope = <$full as k8s_openapi::Resource>::Scope;
        }

        impl k8s_openapi::Metadata for $own {
            type Ty = k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

            fn metadata(&self) -> &Self::Ty {
                &self.metadata
            }

            fn metadata_mut(&mut self) -> &mut Self::Ty {
                &mut self.metadata
            }
        }
    };
}
pub(super) use stands_for;
