//! The cluster as a user has it: kubectl, with the kubeconfig that `tests/kind/lab run` names.

use crate::{command, node::Node};
use anyhow::{Context, Result, ensure};
use landfall_sandbox::{objects::addresses, wait_for};
use serde_json::Value;
use std::{
    net::IpAddr,
    path::{Path, PathBuf},
    time::Duration,
};

/// Longer than anything takes on a busy machine; a wait that reaches it has failed.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// A file of this repository.
pub fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

/// kubectl's output.
///
/// # Errors
/// In kubectl's words.
pub fn kubectl(arguments: &[&str]) -> Result<String> {
    command::run(&[&["kubectl"], arguments].concat())
}

/// `kubectl get ... -o json`.
///
/// # Errors
/// In kubectl's words.
pub fn get(arguments: &[&str]) -> Result<Value> {
    serde_json::from_str(&kubectl(&[&["get", "-o", "json"], arguments].concat())?).context("kubectl printed no JSON")
}

/// The objects of such a list.
///
/// # Errors
/// In kubectl's words.
pub fn list(arguments: &[&str]) -> Result<Vec<Value>> {
    let mut list = get(arguments)?;
    serde_json::from_value(list["items"].take()).context("kubectl printed no list")
}

/// `kubectl apply` of YAML or JSON.
///
/// # Errors
/// In kubectl's words.
pub fn apply(text: &str) -> Result<()> {
    command::run_with(&["kubectl", "apply", "-f", "-"], text).map(drop)
}

/// `kubectl apply -k`, and waits until both components are rolled out.
///
/// # Errors
/// In kubectl's words.
pub fn install(manifests: &Path) -> Result<()> {
    kubectl(&["apply", "-k", &manifests.display().to_string()])?;
    rolled_out()
}

/// Waits until both components run everywhere as their manifests say.
///
/// # Errors
/// In kubectl's words.
pub fn rolled_out() -> Result<()> {
    for what in ["deployment/landfall-controller", "daemonset/landfall-speaker"] {
        kubectl(&["-n", "landfall-system", "rollout", "status", "--timeout=180s", what])?;
    }
    Ok(())
}

/// Waits for all external addresses of a Service.
///
/// # Errors
/// What the Service says about itself.
pub fn vips(namespace: &str, name: &str, count: usize) -> Result<Vec<IpAddr>> {
    wait_for(&format!("{count} external addresses of Service {name}"), PATIENCE, || {
        let service = get(&["-n", namespace, "service", name])?;
        let found = addresses(&service);
        ensure!(found.len() == count, "it has {found:?} and says {}", service["status"]["conditions"]);
        Ok(found)
    })
}

/// Waits until every pod of a Deployment is ready.
///
/// # Errors
/// In kubectl's words.
pub fn available(namespace: &str, deployment: &str) -> Result<()> {
    let deployment = format!("deployment/{deployment}");
    kubectl(&["-n", namespace, "rollout", "status", "--timeout=120s", &deployment]).map(drop)
}

/// All nodes.
///
/// # Errors
/// In kubectl's or docker's words.
pub fn nodes() -> Result<Vec<Node>> {
    list(&["nodes"])?.iter().map(|node| Node::named(text(node, "/metadata/name")?)).collect()
}

/// Whether pods and Services of the cluster have addresses of both families.
///
/// # Errors
/// In kubectl's words.
pub fn is_dual_stack() -> Result<bool> {
    let nodes = list(&["nodes"])?;
    let pods =
        nodes.first().and_then(|node| node["spec"]["podCIDRs"].as_array()).context("a node without pod addresses")?;
    Ok(pods.len() == 2)
}

/// What the speaker on a node tells about itself.
///
/// # Errors
/// Where it has told nothing yet.
pub fn record(node: &str) -> Result<Value> {
    let map = get(&["-n", "landfall-speakers", "configmap", node])?;
    serde_json::from_str(text(&map, "/data/status")?).with_context(|| format!("{node}'s record is no JSON"))
}

/// A string in an object.
///
/// # Errors
/// Where there is none.
pub fn text<'a>(object: &'a Value, pointer: &str) -> Result<&'a str> {
    object.pointer(pointer).and_then(Value::as_str).with_context(|| format!("no {pointer} in {object}"))
}
