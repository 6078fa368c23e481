//! Of two controllers one leads; the other takes over when it is gone, and nothing moves.

use crate::harness::{CONFIG, Cluster, SOON};
use anyhow::{Context, Result, ensure};
use landfall_sandbox::wait_for;
use serde_json::json;
use std::time::Duration;

fn leader(cluster: &Cluster) -> Result<String> {
    let lease = cluster.sandbox.get(&["lease", "-n", "landfall-system", "landfall-controller"])?;
    let holder = lease["spec"]["holderIdentity"].as_str().filter(|holder| !holder.is_empty()).context("nobody")?;
    Ok(holder.split('_').next().unwrap_or_default().to_owned())
}

fn expect_leader(cluster: &Cluster, name: &str) -> Result<()> {
    wait_for(&format!("{name} to lead"), SOON, || {
        let leader = leader(cluster)?;
        ensure!(leader == name, "{leader} leads");
        Ok(())
    })
}

#[test]
fn the_other_takes_over() -> Result<()> {
    let cluster = Cluster::up()?;
    cluster.configure(CONFIG)?;
    let first = cluster.controller("first")?;
    expect_leader(&cluster, "first")?;
    let second = cluster.controller("second")?;
    cluster.service("one", json!({}), json!({}))?;
    cluster.expect("one", &["198.51.100.100"])?;

    // Killed: its Lease runs out.
    first.kill();
    cluster.service("two", json!({}), json!({}))?;
    cluster.expect("two", &["198.51.100.101"])?;
    assert_eq!(leader(&cluster)?, "second");

    // Ended in order: it gives the Lease back.
    first.start()?;
    second.terminate()?;
    ensure!(
        second.wait(Duration::from_secs(10))?.is_some_and(|status| status.success()),
        "it did not end: {}",
        second.log()
    );
    assert!(second.log().contains("gave the Lease back"), "{}", second.log());
    cluster.service("three", json!({}), json!({}))?;
    cluster.expect("three", &["198.51.100.102"])?;
    assert_eq!(leader(&cluster)?, "first");
    assert_eq!(cluster.addresses("one")?, ["198.51.100.100"]);
    assert_eq!(cluster.addresses("two")?, ["198.51.100.101"]);
    Ok(())
}

#[test]
fn one_that_was_paused_past_its_lease_writes_nothing_more() -> Result<()> {
    let cluster = Cluster::up()?;
    cluster.configure(CONFIG)?;
    let first = cluster.controller("first")?;
    expect_leader(&cluster, "first")?;
    let _second = cluster.controller("second")?;
    first.pause()?;
    expect_leader(&cluster, "second")?;
    cluster.service("one", json!({}), json!({}))?;
    cluster.expect("one", &["198.51.100.100"])?;
    first.resume()?;
    wait_for("the first to notice", SOON, || {
        ensure!(first.log().contains("no longer leading"), "{}", first.log());
        Ok(())
    })?;
    assert_eq!(leader(&cluster)?, "second");
    let service = cluster.expect("one", &["198.51.100.100"])?;
    cluster.service("two", json!({}), json!({}))?;
    cluster.expect("two", &["198.51.100.101"])?;
    assert_eq!(cluster.get("one")?["metadata"]["resourceVersion"], service["metadata"]["resourceVersion"]);
    Ok(())
}

#[test]
fn what_happened_meanwhile_is_caught_up_with() -> Result<()> {
    let cluster = Cluster::up()?;
    cluster.configure(CONFIG)?;
    let controller = cluster.controller("controller")?;
    for (name, address) in [("changed", "198.51.100.100"), ("deleted", "198.51.100.101"), ("same", "198.51.100.102")] {
        cluster.service(name, json!({}), json!({}))?;
        cluster.expect(name, &[address])?;
    }
    controller.kill();
    cluster.service("changed", json!({}), json!({"type": "ClusterIP"}))?;
    cluster.sandbox.kubectl(&["delete", "service", "deleted", "--wait=false"])?;
    let same = cluster.get("same")?;
    controller.start()?;
    cluster.sandbox.kubectl(&["wait", "service", "deleted", "--for=delete", "--timeout=20s"])?;
    wait_for("the change of type to be a release", SOON, || {
        let changed = cluster.get("changed")?;
        ensure!(changed["metadata"]["finalizers"].is_null(), "{changed:#}");
        Ok(())
    })?;
    for (name, address) in [("new", "198.51.100.100"), ("newer", "198.51.100.101")] {
        cluster.service(name, json!({}), json!({}))?;
        cluster.expect(name, &[address])?;
    }
    assert_eq!(cluster.get("same")?, same);
    Ok(())
}
