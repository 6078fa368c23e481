//! Objects of a list or a watch of which one that cannot be decoded does not take the others with it.
//!
//! kube's `DeserializeGuard` is for the same, and reads each object into a tree that it copies before it decodes it; most of such a
//! tree is `managedFields`, which nobody reads. This decodes the text itself.

use super::object::lean_metadata;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error},
};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// An object, or why it cannot be decoded.
#[derive(Debug, Clone)]
pub struct Lenient<K>(pub Result<K, Undecoded>);

/// An object that cannot be decoded.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{error}")]
pub struct Undecoded {
    /// What is wrong with it.
    pub error: String,
    /// What of its metadata is read of any object.
    metadata: ObjectMeta,
}

/// From JSON alone.
impl<'de, K: DeserializeOwned> Deserialize<'de> for Lenient<K> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Named {
            #[serde(default, deserialize_with = "lean_metadata")]
            metadata: ObjectMeta,
        }
        let text = Box::<RawValue>::deserialize(from)?;
        let object = serde_json::from_str(text.get()).map(Ok).or_else(|error| {
            let Named { metadata } = serde_json::from_str(text.get())?;
            Ok::<_, serde_json::Error>(Err(Undecoded { error: error.to_string(), metadata }))
        });
        object.map(Self).map_err(D::Error::custom)
    }
}

impl<K: Resource> Resource for Lenient<K> {
    type DynamicType = K::DynamicType;
    type Scope = K::Scope;

    fn kind(dynamic: &Self::DynamicType) -> Cow<'_, str> {
        K::kind(dynamic)
    }

    fn group(dynamic: &Self::DynamicType) -> Cow<'_, str> {
        K::group(dynamic)
    }

    fn version(dynamic: &Self::DynamicType) -> Cow<'_, str> {
        K::version(dynamic)
    }

    fn plural(dynamic: &Self::DynamicType) -> Cow<'_, str> {
        K::plural(dynamic)
    }

    fn meta(&self) -> &ObjectMeta {
        self.0.as_ref().map_or_else(|undecoded| &undecoded.metadata, K::meta)
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        self.0.as_mut().map_or_else(|undecoded| &mut undecoded.metadata, K::meta_mut)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::core::{ObjectList, WatchEvent};
    use serde_json::json;

    const GOOD: &str = r#"{"metadata": {"namespace": "a", "name": "one", "resourceVersion": "7"}, "data": {"x": "y"}}"#;
    const BAD: &str = r#"{"metadata": {"namespace": "a", "name": "two", "resourceVersion": "8"}, "data": "no map"}"#;

    fn told(object: &Lenient<ConfigMap>) -> (Option<&str>, Option<&str>, bool) {
        let meta = object.meta();
        (meta.name.as_deref(), meta.resource_version.as_deref(), object.0.is_ok())
    }

    #[test]
    fn one_that_cannot_be_decoded_has_its_name_and_leaves_the_others() {
        let list = format!(r#"{{"kind": "List", "apiVersion": "v1", "metadata": {{}}, "items": [{GOOD}, {BAD}]}}"#);
        let list: ObjectList<Lenient<ConfigMap>> = serde_json::from_str(&list).unwrap();
        let all: Vec<_> = list.items.iter().map(told).collect();
        assert_eq!(all, [(Some("one"), Some("7"), true), (Some("two"), Some("8"), false)]);
    }

    #[test]
    fn a_watch_tells_of_both() {
        for (object, is_good) in [(GOOD, true), (BAD, false)] {
            let event = format!(r#"{{"type": "MODIFIED", "object": {object}}}"#);
            let event: WatchEvent<Lenient<ConfigMap>> = serde_json::from_str(&event).unwrap();
            let WatchEvent::Modified(object) = event else { panic!("{event:?}") };
            assert_eq!(object.0.is_ok(), is_good);
        }
    }

    #[test]
    fn what_is_no_object_is_an_error() {
        assert!(serde_json::from_value::<Lenient<ConfigMap>>(json!("text")).is_err());
        assert!(serde_json::from_value::<Lenient<ConfigMap>>(json!({"metadata": 7})).is_err());
    }
}
