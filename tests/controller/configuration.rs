//! A bad edit changes nothing that works, says what is wrong and where, and a restart beside it goes on as before.

use crate::harness::{CONFIG, Cluster};
use anyhow::Result;
use serde_json::json;
use std::time::Duration;

#[test]
fn a_bad_edit_changes_nothing() -> Result<()> {
    let cluster = Cluster::up()?;
    let controller = cluster.controller("controller")?;
    // Without a configuration a Service waits, and says for what.
    cluster.service("early", json!({}), json!({}))?;
    cluster.expect_reason("early", "NoPools")?;
    cluster.configure(CONFIG)?;
    cluster.expect("early", &["198.51.100.100"])?;
    cluster.expect_event("landfall-system", "landfall", "ConfigurationAccepted")?;

    cluster.configure(&CONFIG.replace("198.51.100.100-198.51.100.103", "198.51.100.103-198.51.100.100"))?;
    let note = cluster.expect_event("landfall-system", "landfall", "ConfigurationRefused")?;
    assert!(note.contains("line 3") && note.contains("pools[0].addresses[0]"), "{note}");
    cluster.service("web", json!({}), json!({}))?;
    cluster.expect("web", &["198.51.100.101"])?;
    let accepted = cluster.sandbox.get(&["configmap", "-n", "landfall-system", "landfall-accepted"])?;
    assert_eq!(accepted["data"]["config.yaml"], CONFIG);
    let system = cluster.sandbox.get(&["namespace", "kube-system"])?;
    assert_eq!(accepted["data"]["cluster"], system["metadata"]["uid"]);

    controller.restart(Duration::from_secs(5))?;
    cluster.service("later", json!({}), json!({}))?;
    cluster.expect("later", &["198.51.100.102"])?;
    assert_eq!(cluster.addresses("early")?, ["198.51.100.100"]);
    assert_eq!(cluster.addresses("web")?, ["198.51.100.101"]);

    // The user's ConfigMap is gone: what was accepted stays.
    cluster.sandbox.kubectl(&["delete", "configmap", "-n", "landfall-system", "landfall"])?;
    cluster.service("last", json!({}), json!({}))?;
    cluster.expect("last", &["198.51.100.103"])?;
    Ok(())
}

#[test]
fn an_address_that_an_edit_takes_from_its_pool_is_kept() -> Result<()> {
    let cluster = Cluster::up()?;
    cluster.configure(CONFIG)?;
    let controller = cluster.controller("controller")?;
    cluster.service("web", json!({}), json!({}))?;
    cluster.expect("web", &["198.51.100.100"])?;
    cluster.configure("pools:\n- name: other\n  addresses: [198.51.100.120]\n")?;
    cluster.expect_event("default", "web", "AddressKept")?;
    cluster.expect("web", &["198.51.100.100"])?;
    controller.restart(Duration::from_secs(5))?;
    cluster.service("next", json!({}), json!({}))?;
    cluster.expect("next", &["198.51.100.120"])?;
    assert_eq!(cluster.addresses("web")?, ["198.51.100.100"]);
    Ok(())
}
