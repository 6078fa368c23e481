//! A foreign host has addresses of the pool: the LAN's client, which is no node.

use crate::{announced::wait_announced, lab::Lab, objects, sight::host};

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
