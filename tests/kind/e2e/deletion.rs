//! Landfall is taken away again, as the README says: in the right order, and after it was done in the wrong one.

use crate::{examples, run::Run};
use anyhow::{Context, Result, ensure};
use landfall_kind::cluster::{PATIENCE, apply, get, install, kubectl, list, repository};
use landfall_sandbox::{objects::addresses, wait_for};
use serde_json::Value;
use std::fs;

const FINALIZER: &str = "service.kubernetes.io/load-balancer-cleanup";

pub fn both_orders(run: &mut Run) -> Result<()> {
    wrong_order()?;
    install(&repository("manifests"))?;
    apply(&examples::config()?)?;
    run.kept()?;
    right_order(run)
}

fn manifests() -> String {
    repository("manifests").display().to_string()
}

/// Landfall first: a Service deleted afterwards waits for it, until the README's one line lets it go.
fn wrong_order() -> Result<()> {
    let readme = fs::read_to_string(repository("README.md")).context("reading README.md")?;
    let line = format!("kubectl patch service NAME -p '{}'", release());
    ensure!(readme.contains(&line), "README.md does not tell this way: {line}");
    kubectl(&["delete", "-k", &manifests(), "--timeout=120s"])?;
    kubectl(&["delete", "service", "requested", "--wait=false"])?;
    let waiting =
        get(&["service", "requested"]).context("the Service is gone, though nobody took its finalizer away")?;
    ensure!(!waiting["metadata"]["deletionTimestamp"].is_null(), "the Service is not being deleted");
    kubectl(&["patch", "service", "requested", "-p", &release()])?;
    gone("requested")
}

/// The README's patch takes away this finalizer and no other.
fn release() -> String {
    format!(r#"{{"metadata":{{"$deleteFromPrimitiveList/finalizers":["{FINALIZER}"]}}}}"#)
}

fn gone(service: &str) -> Result<()> {
    wait_for(&format!("Service {service} to be gone"), PATIENCE, || {
        let left = kubectl(&["get", "service", service, "--ignore-not-found", "-o", "name"])?;
        ensure!(left.is_empty(), "it is there");
        Ok(())
    })
}

/// Services first; one that stays gives its address back when it is no LoadBalancer any more.
fn right_order(run: &Run) -> Result<()> {
    kubectl(&["patch", "service", "web", "-p", r#"{"spec":{"type":"ClusterIP"}}"#])?;
    for service in list(&["services", "-A"])?.iter().filter(|service| service["spec"]["type"] == "LoadBalancer") {
        let word = |key: &str| service["metadata"][key].as_str().unwrap_or_default();
        kubectl(&["delete", "service", "-n", word("namespace"), word("name"), "--timeout=60s"])?;
    }
    wait_for("Service web to give its address back", PATIENCE, || {
        let web = get(&["service", "web"])?;
        ensure!(!touched(&web), "it is {web:#}");
        Ok(())
    })?;
    kubectl(&["delete", "-k", &manifests(), "--timeout=120s"])?;
    nothing_left(run)
}

/// Whether anything of ours is on a Service.
fn touched(service: &Value) -> bool {
    let metadata = &service["metadata"];
    metadata["finalizers"].to_string().contains(FINALIZER)
        || !metadata["annotations"]["landfall.dev/allocated-from"].is_null()
        || service["status"].to_string().contains("landfall.dev")
        || !addresses(service).is_empty()
}

/// Nothing in the cluster bears Landfall's name or finalizer.
fn nothing_left(run: &Run) -> Result<()> {
    let kinds = "namespaces,clusterroles,clusterrolebindings,validatingadmissionpolicies,validatingadmissionpolicybindings,\
                 configmaps,leases,deployments,daemonsets,serviceaccounts,roles,rolebindings";
    let all = kubectl(&["get", kinds, "-A", "-o", "name"])?;
    // The cluster and so its nodes have the name, too: each has a Lease of the kubelet's.
    let is_node = |name: &str| run.nodes().iter().any(|node| name == format!("lease.coordination.k8s.io/{node}"));
    let ours: Vec<&str> = all.lines().filter(|name| name.contains("landfall") && !is_node(name)).collect();
    ensure!(ours.is_empty(), "these are left: {ours:?}");
    for service in list(&["services", "-A"])? {
        ensure!(!touched(&service), "something is left on {service:#}");
    }
    Ok(())
}
