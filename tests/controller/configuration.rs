//! A bad edit changes nothing that works, says what is wrong and where, and a restart beside it goes on as before.

use crate::harness::{CONFIG, Cluster, SOON};
use anyhow::{Result, ensure};
use landfall_sandbox::wait_for;
use serde_json::{Value, json};

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
    let accepted = accepted(&cluster)?;
    assert_eq!(accepted["config.yaml"], CONFIG);
    let system = cluster.sandbox.get(&["namespace", "kube-system"])?;
    assert_eq!(accepted["cluster"], system["metadata"]["uid"]);

    controller.restart(SOON)?;
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

fn accepted(cluster: &Cluster) -> Result<Value> {
    Ok(cluster.sandbox.get(&["configmap", "-n", "landfall-system", "landfall-accepted"])?["data"].take())
}

#[test]
fn the_accepted_configuration_comes_back_when_somebody_takes_or_changes_it() -> Result<()> {
    let cluster = Cluster::up()?;
    cluster.configure(CONFIG)?;
    cluster.controller("controller")?;
    cluster.expect_event("landfall-system", "landfall", "ConfigurationAccepted")?;
    let before = accepted(&cluster)?;
    assert_eq!(before["config.yaml"], CONFIG);
    let object = ["configmap", "-n", "landfall-system", "landfall-accepted"];
    for (verb, rest) in [("delete", &[][..]), ("patch", &["-p", r#"{"data": {"config.yaml": "pools: []"}}"#])] {
        cluster.sandbox.kubectl(&[&[verb], &object[..], rest].concat())?;
        wait_for(&format!("the accepted configuration to come back after a {verb}"), SOON, || {
            let now = accepted(&cluster)?;
            ensure!(now == before, "{now:#}");
            Ok(())
        })?;
    }
    // Edits are accepted as before.
    let edited = CONFIG.replace("103", "104");
    cluster.configure(&edited)?;
    wait_for("the edit to be accepted", SOON, || {
        let now = accepted(&cluster)?;
        ensure!(now["config.yaml"] == edited.as_str(), "{now:#}");
        Ok(())
    })
}

#[test]
fn the_way_back_from_a_bad_edit_is_told() -> Result<()> {
    let cluster = Cluster::up()?;
    cluster.configure(CONFIG)?;
    cluster.controller("controller")?;
    for (text, word) in [
        (CONFIG, "ConfigurationAccepted"),
        ("pools: [{name: default}]", "ConfigurationRefused"),
        (CONFIG, "ConfigurationAccepted"),
    ] {
        cluster.configure(text)?;
        wait_for(&format!("the last word to be {word}"), SOON, || {
            let events = cluster.sandbox.get(&["events.events.k8s.io", "-n", "landfall-system"])?;
            let events = events["items"].as_array().into_iter().flatten();
            let about = events.filter(|event| event["regarding"]["name"] == "landfall");
            let last = about.max_by_key(|event| event["eventTime"].as_str()).map(|event| &event["reason"]);
            ensure!(last.is_some_and(|last| last == word), "it is {last:?}");
            Ok(())
        })?;
    }
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
    controller.restart(SOON)?;
    cluster.service("next", json!({}), json!({}))?;
    cluster.expect("next", &["198.51.100.120"])?;
    assert_eq!(cluster.addresses("web")?, ["198.51.100.100"]);
    Ok(())
}
