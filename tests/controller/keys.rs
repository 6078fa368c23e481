//! The Secret of the heartbeats' keys: made once, never changed, made again as it was.

use crate::harness::{CONFIG, Cluster, SOON};
use anyhow::{Context, Result, ensure};
use landfall_sandbox::wait_for;
use serde_json::json;

const SECRET: [&str; 4] = ["-n", "landfall-system", "secret", "landfall-heartbeat-keys"];

/// The Secret's key `current`, as it is stored.
fn current(cluster: &Cluster) -> Result<String> {
    wait_for("the Secret", SOON, || {
        let secret = cluster.sandbox.get(&SECRET)?;
        secret["data"]["current"].as_str().map(str::to_owned).context("it has no key current")
    })
}

#[test]
fn the_key_is_made_once_and_again_as_it_was_where_somebody_deletes_it() -> Result<()> {
    let cluster = Cluster::up()?;
    let controller = cluster.controller("controller")?;
    let key = current(&cluster)?;
    // 32 bytes in base64.
    assert_eq!((key.len(), key.ends_with('=')), (44, true), "{key}");
    cluster.sandbox.kubectl(&["-n", "landfall-system", "delete", "secret", "landfall-heartbeat-keys"])?;
    assert_eq!(current(&cluster)?, key);
    controller.restart(SOON)?;
    // The next term has begun once something is decided.
    cluster.configure(CONFIG)?;
    cluster.service("web", json!({}), json!({}))?;
    cluster.expect("web", &["198.51.100.100"])?;
    assert_eq!(current(&cluster)?, key);
    Ok(())
}

#[test]
fn what_is_wrong_with_the_users_keys_is_told_and_left_alone() -> Result<()> {
    let cluster = Cluster::up()?;
    cluster.configure(CONFIG)?;
    let [flag, namespace, kind, name] = SECRET;
    // Before the controller knows of the ConfigMap that the Event is about.
    cluster.sandbox.kubectl(&["create", flag, namespace, kind, "generic", name, "--from-literal=current=short"])?;
    cluster.controller("controller")?;
    let note = cluster.expect_event("landfall-system", "landfall", "HeartbeatKeys")?;
    assert!(note.contains("its key current has 5 bytes and must have 32"), "{note}");
    ensure!(current(&cluster)? == "c2hvcnQ=", "it was changed");
    // And what a user's edit makes of it.
    cluster.sandbox.kubectl(&["patch", flag, namespace, kind, name, "-p", r#"{"data":{"current":"bG9uZ2Vy"}}"#])?;
    wait_for("the next Event", SOON, || {
        let events = cluster.sandbox.get(&["events.events.k8s.io", flag, namespace])?.to_string();
        ensure!(events.contains("its key current has 6 bytes and must have 32"), "{events}");
        Ok(())
    })?;
    Ok(())
}

#[test]
fn the_controllers_account_creates_no_other_secret() -> Result<()> {
    let cluster = Cluster::up()?;
    let config = cluster.sandbox.kubeconfig_for("landfall-system", "landfall-controller", None)?;
    let config = format!("--kubeconfig={}", config.display());
    let mut attempt = 0;
    // A policy takes a moment to be in force.
    wait_for("another name to be refused", SOON, || {
        attempt += 1;
        let name = format!("other-{attempt}");
        let refused =
            cluster.sandbox.kubectl(&[&config, "-n", "landfall-system", "create", "secret", "generic", &name]);
        let why = format!("{:#}", refused.err().context("it was accepted")?);
        ensure!(why.contains("landfall-heartbeat-keys, of type Opaque, and no other"), "{why}");
        Ok(())
    })?;
    let token = "--type=kubernetes.io/service-account-token";
    let keys = ["create", "secret", "generic", "landfall-heartbeat-keys", token];
    let refused = cluster.sandbox.kubectl(&[&[&*config, "-n", "landfall-system"], &keys[..]].concat());
    assert!(refused.is_err(), "a token of that name");
    Ok(())
}
