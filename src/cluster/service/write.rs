//! Sends a write of a Service's status, and wants to know no more than whether it succeeded.

use super::ServiceObject;
use crate::cluster::names;
use kube::{
    Api, Client,
    api::{Patch, PatchParams},
    core::Request,
};
use landfall_core::alloc::ServiceKey;
use serde_json::Value;

/// The answer is the metadata alone. What the object looks like now the watch tells; to write all of it once more, thousands of
/// times, costs the API server a good part of what it has to do for a patch.
const LEAN: &str = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";

/// Applies a strategic merge patch to `/status` of a Service.
///
/// # Errors
/// What the API server answers, or that it does not.
pub async fn patch_status(client: &Client, key: &ServiceKey, patch: &Value) -> kube::Result<()> {
    let api: Api<ServiceObject> = Api::namespaced(client.clone(), key.namespace());
    let params = PatchParams { field_manager: Some(names::CONTROLLER.into()), ..PatchParams::default() };
    let request = Request::new(api.resource_url());
    let mut request = request
        .patch_subresource("status", key.name(), &params, &Patch::Strategic(patch))
        .map_err(kube::Error::BuildRequest)?;
    if let Ok(lean) = LEAN.parse() {
        request.headers_mut().insert("accept", lean);
    }
    client.request_text(request).await.map(drop)
}
