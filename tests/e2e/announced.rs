//! What the speakers do, and do not do, is to be seen on the Services.

use serde_json::{Value, json};

use crate::{lab::Lab, objects::service};

const EXCLUDE: &str = "node.kubernetes.io/exclude-from-external-load-balancers";

/// Waits until the Service says so of its addresses, and gives the words.
pub fn wait_announced(lab: &Lab, name: &str, status: &str, reason: &str) -> String {
    let condition = |service: &Value| {
        let conditions = service["status"]["conditions"].as_array()?;
        conditions.iter().find(|condition| condition["type"] == "landfall.dev/Announced").cloned()
    };
    let said = |service: &Value| {
        condition(service).is_some_and(|condition| condition["status"] == status && condition["reason"] == reason)
    };
    let service = lab.wait_service(name, &format!("to say {status}, {reason}"), said);
    condition(&service).and_then(|condition| condition["message"].as_str().map(str::to_owned)).unwrap_or_default()
}

#[test]
fn a_service_says_whether_it_is_announced_why_not_and_where_it_moves() {
    let lab = Lab::configured(
        "pools: [{name: default, addresses: [198.51.100.100-198.51.100.150]}, \
         {name: outside, addresses: [203.0.113.7], autoAssign: false}]",
    );
    lab.apply_example("2-loadbalancer.yaml");
    let vip = lab.address("web");
    wait_announced(&lab, "web", "True", "Announced");
    let owner = lab.owner(vip);
    lab.wait_event("Service", "default", "web", &[&vip.to_string(), "answered for by", &owner]);
    let record = lab.sandbox.record(&owner).unwrap();
    let owned = record["interfaces"]["eth0"]["owned"].to_string();
    assert!(owned.contains(&vip.to_string()), "{record:#}");

    lab.speaker(&owner).kill();
    let next = lab.wait_owner(vip, |node| *node != owner);
    lab.wait_event("Service", "default", "web", &[&format!("moved from {owner} to {next}"), "not heard any more"]);
    lab.speaker(&owner).start().unwrap();
    lab.wait_heard(&owner, &next);

    // An address that no node's subnet has.
    let mut outside = service("outside");
    outside["metadata"]["annotations"] = json!({"landfall.dev/pool": "outside"});
    lab.apply(&[outside]);
    lab.address("outside");
    let why = wait_announced(&lab, "outside", "False", "OutsideSubnets");
    assert!(why.contains("198.51.100.0/24") && why.contains("interfaces:"), "{why}");

    // No node may announce.
    for node in lab.sandbox.nodes() {
        lab.sandbox.kubectl(&["label", "node", node.name(), &format!("{EXCLUDE}=true")]).unwrap();
    }
    let why = wait_announced(&lab, "web", "False", "AllNodesExcluded");
    assert!(why.contains("ignoreExcludeLabel"), "{why}");
    lab.wait_event("Service", "default", "web", &["no node answers for", EXCLUDE]);
    for node in lab.sandbox.nodes() {
        lab.sandbox.kubectl(&["label", "node", node.name(), &format!("{EXCLUDE}-")]).unwrap();
    }
    wait_announced(&lab, "web", "True", "Announced");
}
