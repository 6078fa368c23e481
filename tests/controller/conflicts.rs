//! Foreign hosts in the speakers' records, written as speakers write them: a Service gets another address, three times at most,
//! and none where it asked for its own.

use crate::harness::{Cluster, announced};
use anyhow::{Result, ensure};
use landfall::cluster::record::{Conflict, Interface, LONGEST, Phase, Record, split};
use serde_json::json;
use std::net::IpAddr;

const MAC: &str = "02:00:00:00:00:66";

/// The record of a node that has found foreign hosts at these addresses, and answers for others.
fn record(owned: &[IpAddr], found: &[IpAddr]) -> Record {
    let conflict = |vip: &IpAddr| Conflict { vip: *vip, mac: MAC.into(), phase: Phase::Probe };
    let eth0 = Interface {
        mac: "02:00:00:00:00:01".into(),
        owned: owned.iter().copied().collect(),
        conflicts: found.iter().map(conflict).collect(),
        ..Interface::default()
    };
    Record { interfaces: [("eth0".into(), eth0)].into(), ..Record::default() }
}

fn ip(last: u8) -> IpAddr {
    [198, 51, 100, last].into()
}

impl Cluster {
    fn finds(&self, owned: &[IpAddr], found: &[IpAddr]) -> Result<()> {
        self.write(&split("n1", &record(owned, found).encode(), LONGEST))
    }
}

#[test]
fn an_address_in_use_is_left_three_times_and_then_kept_and_told() -> Result<()> {
    let cluster = Cluster::up()?;
    cluster.configure("pools: [{name: lan, addresses: [198.51.100.100-198.51.100.110]}]")?;
    cluster.controller("controller")?;
    cluster.service("web", json!({}), json!({}))?;
    cluster.expect("web", &["198.51.100.100"])?;
    let mut found = Vec::new();
    for next in 101..=103 {
        found.push(ip(next - 1));
        cluster.finds(&[], &found)?;
        cluster.expect("web", &[&ip(next).to_string()])?;
    }
    let told = cluster.expect_event("default", "web", "AddressConflict")?;
    ensure!(told.contains(MAC), "{told}");
    found.push(ip(103));
    cluster.finds(&[], &found)?;
    let said = cluster.expect_reason("web", "AddressConflict")?;
    ensure!(said.contains("198.51.100.103 is kept") && said.contains(MAC), "{said}");
    let service = cluster.expect_announced("web", "False", "AddressConflict")?;
    ensure!(service["status"]["loadBalancer"]["ingress"][0]["ip"] == "198.51.100.103", "{service:#}");

    // Nobody else is given one of them.
    cluster.service("next", json!({}), json!({}))?;
    cluster.expect("next", &["198.51.100.104"])?;
    // The host has gone, and the address is answered for.
    cluster.finds(&[ip(103)], &[])?;
    let service = cluster.expect_announced("web", "True", "Announced")?;
    let known = &service["metadata"]["annotations"]["landfall.dev/announced-addresses"];
    ensure!(known == "198.51.100.103", "{known}");
    cluster.expect_reason("web", "Allocated")?;
    Ok(())
}

#[test]
fn an_address_that_was_asked_for_or_announced_is_kept_and_the_conflict_told() -> Result<()> {
    let cluster = Cluster::up()?;
    cluster.configure("pools: [{name: lan, addresses: [198.51.100.100-198.51.100.110]}]")?;
    cluster.controller("controller")?;
    cluster.service("asks", json!({"landfall.dev/addresses": "198.51.100.105"}), json!({}))?;
    cluster.service("known", json!({}), json!({}))?;
    cluster.expect("asks", &["198.51.100.105"])?;
    cluster.expect("known", &["198.51.100.100"])?;
    cluster.finds(&[ip(100)], &[])?;
    cluster.expect_announced("known", "True", "Announced")?;
    cluster.finds(&[], &[ip(100), ip(105)])?;
    for (name, address) in [("asks", "198.51.100.105"), ("known", "198.51.100.100")] {
        let service = cluster.expect_announced(name, "False", "AddressConflict")?;
        let message = announced(&service).and_then(|said| said["message"].as_str()).unwrap_or_default();
        ensure!(message.contains(MAC) && message.contains(address), "{message}");
        cluster.expect(name, &[address])?;
    }
    Ok(())
}
