//! Addresses that others have: the pool's, which a foreign host has, the LAN's client; and the nodes' own.

use crate::{
    announced::wait_announced,
    lab::{Lab, PATIENCE},
    objects,
    sight::host,
};
use anyhow::{Context, ensure};
use landfall_sandbox::{Process, wait_for};
use serde_json::json;
use std::collections::BTreeSet;

#[test]
fn a_new_service_gets_other_addresses_than_a_foreign_host_has_and_a_later_claim_is_told() {
    let lab = Lab::up();
    let client = lab.sandbox.client();
    client.exec(&["ip", "addr", "add", "198.51.100.100/32", "dev", "eth0"]).unwrap();
    client.exec(&["ip", "addr", "add", "2001:db8::100/128", "dev", "eth0", "nodad"]).unwrap();
    lab.apply_example("4-dual-stack.yaml");
    let others = ["198.51.100.101", "2001:db8::101"].map(|address| address.parse().unwrap());
    lab.wait_service("dual-stack", "to have other addresses", |service| objects::addresses(service) == others);
    for left in ["198.51.100.100", "2001:db8::100"] {
        lab.wait_event("Service", "default", "dual-stack", &[left, "a foreign host uses it"]);
    }
    for vip in others {
        lab.wait_answer(&[], &format!("http://{}", host(vip)));
    }
    wait_announced(&lab, "dual-stack", "True", "Announced");

    client.exec(&["ip", "addr", "add", "198.51.100.101/32", "dev", "eth0"]).unwrap();
    client.exec(&["arping", "-U", "-c", "1", "-I", "eth0", "-s", "198.51.100.101", "198.51.100.101"]).unwrap();
    let said = wait_announced(&lab, "dual-stack", "True", "AddressConflict");
    assert!(said.contains("198.51.100.101"), "{said}");
    lab.wait_event("Service", "default", "dual-stack", &["198.51.100.101", "clients may reach that one"]);
}

/// As k3s' ServiceLB does, which knows nothing of our record on the Service.
#[test]
fn a_nodes_own_address_that_another_implementation_writes_over_ours_is_answered_by_that_node_alone() {
    let lab = Lab::up();
    lab.apply_example("2-loadbalancer.yaml");
    let vip = lab.address("web");
    lab.owner(vip);
    wait_for("the nodes' own addresses to be told", PATIENCE, || {
        let told = lab.accepted()["node-addresses"].as_str().map(str::to_owned).context("none yet")?;
        ensure!(lab.sandbox.nodes().iter().all(|node| told.contains(&node.ipv4().to_string())), "{told}");
        Ok(())
    })
    .unwrap();
    // They would write their own word again.
    lab.landfall.controllers().iter().for_each(Process::kill);
    let nodes = lab.sandbox.nodes();
    let theirs: Vec<_> = nodes.iter().map(|node| json!({"ip": node.ipv4()})).collect();
    let patch = json!({"status": {"loadBalancer": {"ingress": theirs}}}).to_string();
    lab.sandbox.kubectl(&["patch", "service", "web", "--subresource=status", "--type=merge", "-p", &patch]).unwrap();
    lab.wait_silence(vip);
    for node in &nodes {
        assert_eq!(lab.answerers(node.ipv4().into()), BTreeSet::from([node.name().to_owned()]));
    }

    lab.landfall.controllers()[0].start().unwrap();
    lab.wait_service("web", "to have its address again", |service| objects::addresses(service) == [vip]);
    lab.owner(vip);
}
