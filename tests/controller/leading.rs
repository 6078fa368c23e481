//! Of two controllers one leads; the other takes over when it is gone, and nothing moves.

use crate::harness::{CONFIG, Cluster, SOON};
use anyhow::{Context, Result, ensure};
use landfall_sandbox::{Request, wait_for};
use serde_json::json;

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
    ensure!(second.wait(SOON)?.is_some_and(|status| status.success()), "it did not end: {}", second.log());
    // In time, if the API server answers within a fifth of the Lease.
    let tried =
        ["gave the Lease back", "could not give the Lease back in time"].iter().any(|it| second.log().contains(it));
    assert!(tried, "{}", second.log());
    cluster.service("three", json!({}), json!({}))?;
    cluster.expect("three", &["198.51.100.102"])?;
    assert_eq!(leader(&cluster)?, "first");
    assert_eq!(cluster.addresses("one")?, ["198.51.100.100"]);
    assert_eq!(cluster.addresses("two")?, ["198.51.100.101"]);
    Ok(())
}

/// Whether somebody has tried to write a Service.
fn is_write(request: &Request) -> bool {
    request.verb == "patch" && request.resource == "services/status"
}

#[test]
fn one_that_was_paused_past_its_lease_writes_nothing_more() -> Result<()> {
    let cluster = Cluster::up()?;
    cluster.configure(CONFIG)?;
    let first = cluster.controller("first")?;
    expect_leader(&cluster, "first")?;
    cluster.service("before", json!({}), json!({}))?;
    cluster.expect("before", &["198.51.100.100"])?;
    // Each has a token of its own, by which the API server tells them apart.
    let by_first = cluster.sandbox.audit()?.into_iter().filter(is_write).map(|write| write.credential).next();
    let by_first = by_first.context("the first has written nothing")?;
    let writes = || -> Result<(usize, usize)> {
        let all = cluster.sandbox.audit()?.into_iter().filter(is_write);
        let (own, others): (Vec<_>, Vec<_>) = all.partition(|write| write.credential == by_first);
        Ok((own.len(), others.len()))
    };
    let _second = cluster.controller("second")?;
    first.pause()?;
    expect_leader(&cluster, "second")?;
    // What it would do when it wakes up: the Services are news to it, and they wait.
    for name in ["one", "w1", "w2", "w3", "w4"] {
        cluster.service(name, json!({}), json!({}))?;
    }
    cluster.expect("one", &["198.51.100.101"])?;
    let (own, others) = writes()?;
    assert!(others > 0, "the second's writes are not told from the first's");
    first.resume()?;
    wait_for("the first to notice", SOON, || {
        ensure!(first.log().contains("no longer leading"), "{}", first.log());
        Ok(())
    })?;
    assert_eq!(leader(&cluster)?, "second");
    // By the time that another one is served, a write of the first's would have been counted.
    cluster.sandbox.kubectl(&["delete", "service", "w1", "--wait=false"])?;
    cluster.expect("w3", &["198.51.100.102"])?;
    assert_eq!(writes()?.0, own, "it has sent a write, whatever became of it");
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
