//! Rules that need more of the API server than the Service itself: namespaces, nodes, what is remembered, Events.

use crate::harness::{CONFIG, Cluster, SOON};
use anyhow::{Context, Result, ensure};
use landfall_sandbox::wait_for;
use serde_json::json;

#[test]
fn a_released_address_rests_and_is_remembered_over_a_restart() -> Result<()> {
    let cluster = Cluster::up()?;
    cluster.configure(&CONFIG.replace("quarantine: 0s\nreuse: 0s", "quarantine: 1h"))?;
    let controller = cluster.controller("controller")?;
    cluster.service("web", json!({}), json!({}))?;
    cluster.expect("web", &["198.51.100.100"])?;
    cluster.sandbox.kubectl(&["delete", "service", "web", "--timeout=20s"])?;
    wait_for("the address to be remembered", SOON, || {
        let memory = cluster.sandbox.get(&["configmap", "-n", "landfall-system", "landfall-memory"])?;
        let text = memory["data"]["released"].as_str().context("nothing")?;
        ensure!(text.starts_with("198.51.100.100 ") && text.ends_with(" default/web\n"), "{text}");
        Ok(())
    })?;
    controller.restart(SOON)?;
    cluster.service("asks", json!({"landfall.dev/addresses": "198.51.100.100"}), json!({}))?;
    cluster.expect_reason("asks", "AddressResting")?;
    cluster.service("next", json!({}), json!({}))?;
    cluster.expect("next", &["198.51.100.101"])?;
    cluster.service("web", json!({}), json!({}))?;
    cluster.expect("web", &["198.51.100.100"])?;
    Ok(())
}

#[test]
fn a_pool_follows_the_labels_of_namespaces_and_what_is_live_stays() -> Result<()> {
    let cluster = Cluster::up()?;
    let team = "pools: [{name: team, addresses: [198.51.100.100], namespaceSelectors: [{matchLabels: {team: web}}]}]";
    cluster.configure(team)?;
    cluster.controller("controller")?;
    cluster.service("web", json!({}), json!({}))?;
    cluster.expect_reason("web", "NoPoolAdmits")?;
    cluster.sandbox.kubectl(&["label", "namespace", "default", "team=web"])?;
    cluster.expect("web", &["198.51.100.100"])?;
    cluster.sandbox.kubectl(&["label", "namespace", "default", "team-"])?;
    cluster.expect_event("default", "web", "AddressKept")?;
    cluster.expect("web", &["198.51.100.100"])?;
    Ok(())
}

#[test]
fn who_changes_its_port_to_a_neighbours_is_told_and_served_anew() -> Result<()> {
    let cluster = Cluster::up()?;
    cluster.configure(CONFIG)?;
    cluster.controller("controller")?;
    let key = || json!({"landfall.dev/sharing-key": "k"});
    let port = |port: u16| json!({"ports": [{"name": "http", "port": port}]});
    cluster.service("web", key(), port(80))?;
    cluster.expect("web", &["198.51.100.100"])?;
    cluster.service("api", key(), port(443))?;
    cluster.expect("api", &["198.51.100.100"])?;
    let patch = json!([{"op": "replace", "path": "/spec/ports/0/port", "value": 80}]).to_string();
    cluster.sandbox.kubectl(&["patch", "service", "api", "--type=json", "-p", &patch])?;
    let told = cluster.expect_event("default", "api", "SharingLost")?;
    ensure!(told.contains("80/TCP") && told.contains("default/web"), "{told}");
    cluster.expect("api", &["198.51.100.101"])?;
    cluster.expect("web", &["198.51.100.100"])?;
    Ok(())
}

#[test]
fn a_nodes_own_address_is_refused() -> Result<()> {
    let cluster = Cluster::up()?;
    let node = cluster.sandbox.get(&["node", "n1"])?;
    let mut addresses = node["status"]["addresses"].as_array().into_iter().flatten();
    let ip = addresses.find_map(|entry| entry["address"].as_str().filter(|ip| ip.contains('.')));
    let ip = ip.context("the node has no IPv4 address")?;
    cluster.configure(&format!("pools: [{{name: lan, addresses: [{ip}, 203.0.113.1]}}]"))?;
    cluster.controller("controller")?;
    cluster.service("asks", json!({"landfall.dev/addresses": ip}), json!({}))?;
    let said = cluster.expect_reason("asks", "AddressReserved")?;
    ensure!(said.contains("n1"), "{said}");
    cluster.service("web", json!({}), json!({}))?;
    cluster.expect("web", &["203.0.113.1"])?;
    Ok(())
}

#[test]
fn a_foreign_status_is_left_alone_and_told() -> Result<()> {
    let cluster = Cluster::up()?;
    cluster.configure(CONFIG)?;
    cluster.service("web", json!({}), json!({}))?;
    let foreign = json!({"status": {"loadBalancer": {"ingress": [{"ip": "203.0.113.9"}]}}}).to_string();
    cluster.sandbox.kubectl(&["patch", "service", "web", "--subresource=status", "-p", &foreign])?;
    cluster.controller("controller")?;
    cluster.expect_event("default", "web", "ForeignStatus")?;
    let service = cluster.expect("web", &["203.0.113.9"])?;
    ensure!(service["metadata"]["finalizers"].is_null(), "{service:#}");
    // Cleared, it is ours to serve.
    let cleared = json!({"status": {"loadBalancer": {"ingress": null}}}).to_string();
    cluster.sandbox.kubectl(&["patch", "service", "web", "--subresource=status", "-p", &cleared])?;
    cluster.expect("web", &["198.51.100.100"])?;
    Ok(())
}
