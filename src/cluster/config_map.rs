//! A ConfigMap of ours is patched, or made where it is missing.

use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, Error,
    api::{Patch, PatchParams, PostParams},
};
use serde_json::Value;

/// Merges `object`, which has this name in its metadata, into the ConfigMap; keys that it does not have stay. Where there is none
/// it is made.
///
/// # Errors
/// The API server's refusal, or that there was no answer.
pub async fn put(api: &Api<ConfigMap>, name: &str, object: Value, manager: &str) -> Result<ConfigMap, Error> {
    let manager = Some(manager.to_owned());
    let params = PatchParams { field_manager: manager.clone(), ..PatchParams::default() };
    match api.patch(name, &params, &Patch::Merge(&object)).await {
        Err(Error::Api(status)) if status.code == 404 => {
            let map = serde_json::from_value(object).map_err(Error::SerdeError)?;
            api.create(&PostParams { field_manager: manager, ..PostParams::default() }, &map).await
        }
        result => result,
    }
}
