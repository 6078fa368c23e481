//! Speakers' records, written as speakers write them, become conditions and Events, and keep addresses from the pools.

use crate::harness::{CONFIG, Cluster, SOON, announced};
use anyhow::{Context, Result, ensure};
use ipnet::Ipv4Net;
use k8s_openapi::jiff::Timestamp;
use landfall::cluster::record::{Cause, Interface, LONGEST, Move, Part, Reason, Record, Unanswered, split};
use landfall_sandbox::wait_for;
use serde_json::{Value, json};
use std::net::{IpAddr, Ipv4Addr};

const VIP: &str = "198.51.100.100";

fn ip(last: u8) -> IpAddr {
    [198, 51, 100, last].into()
}

/// The record of a node on the LAN that hears `peer` and answers for `vips`, which came from `from`, if anybody had them.
fn record(peer: &str, vips: &[IpAddr], from: Option<&str>) -> Record {
    let vips = || vips.iter().copied().collect();
    let why = if from.is_some() { Cause::Dead } else { Cause::New };
    let came = Move { at: Timestamp::UNIX_EPOCH, why, from: from.map(Into::into), unheard: None, vips: vips() };
    let eth0 = Interface {
        mac: "02:00:00:00:00:01".into(),
        addresses: vec![Ipv4Net::new_assert(Ipv4Addr::new(198, 51, 100, 11), 24).into()],
        owned: vips(),
        moves: vec![came],
        peers: vec![peer.into()],
        ..Interface::default()
    };
    Record { interfaces: [("eth0".into(), eth0)].into(), ..Record::default() }
}

impl Cluster {
    /// One more node, on which nothing runs.
    fn add_node(&self, name: &str) -> Result<()> {
        let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}});
        self.sandbox.apply(&node.to_string()).map(drop)
    }

    pub fn write(&self, parts: &[Part]) -> Result<()> {
        let map = |part: &Part| {
            json!({
                "apiVersion": "v1", "kind": "ConfigMap",
                "metadata": {"name": part.name(), "namespace": "landfall-speakers"}, "data": part.data()
            })
        };
        let maps: Vec<Value> = parts.iter().map(map).collect();
        self.sandbox.apply(&json!({"apiVersion": "v1", "kind": "List", "items": maps}).to_string()).map(drop)
    }

    fn write_record(&self, node: &str, record: &Record) -> Result<()> {
        self.write(&split(node, &record.encode(), LONGEST))
    }

    /// Waits until the Service says so of its addresses, and gives it.
    pub fn expect_announced(&self, name: &str, status: &str, reason: &str) -> Result<Value> {
        wait_for(&format!("{name} to say {status}, {reason}"), SOON, || {
            let service = self.get(name)?;
            let condition = announced(&service).with_context(|| format!("no condition: {service:#}"))?;
            ensure!(condition["status"] == status && condition["reason"] == reason, "{condition:#}");
            Ok(service)
        })
    }
}

#[test]
fn what_the_records_say_becomes_a_condition_and_events_and_a_move_no_write() -> Result<()> {
    let cluster = Cluster::up()?;
    cluster.configure(CONFIG)?;
    cluster.add_node("n2")?;
    cluster.controller("controller")?;
    cluster.service("web", json!({}), json!({}))?;
    cluster.expect("web", &[VIP])?;

    // Nobody answers, and each says why.
    let mut unable = record("n2", &[], None);
    unable.unable = vec![Reason { reason: "ExcludedByLabel".into(), message: "the node is labelled".into() }];
    let mut local = record("n1", &[], None);
    let why = Reason { reason: "NoLocalEndpoint".into(), message: "no usable endpoint".into() };
    local.unanswered = vec![Unanswered { why, vips: [ip(100)].into_iter().collect() }];
    let both = [("n1", unable), ("n2", local)].map(|(node, record)| split(node, &record.encode(), LONGEST));
    cluster.write(&both.concat())?;
    let service = cluster.expect_announced("web", "False", "NotAnnounced")?;
    let message = announced(&service).and_then(|said| said["message"].as_str()).unwrap_or_default();
    ensure!(message.contains("n1: the node is labelled") && message.contains("n2: no usable endpoint"), "{message}");
    assert_eq!(cluster.expect_event("default", "web", "NotAnnounced")?, message);

    cluster.write_record("n1", &record("n2", &[ip(100)], None))?;
    let service = cluster.expect_announced("web", "True", "Announced")?;
    assert_eq!(service["metadata"]["annotations"]["landfall.dev/allocated-from"], "default");
    let told = cluster.expect_event("default", "web", "Announced")?;
    ensure!(told.contains(VIP) && told.contains("n1"), "{told}");

    // It moves: the old owner is dead, and its record says what it always said.
    cluster.write_record("n2", &record("n3", &[ip(100)], Some("n1")))?;
    let told = cluster.expect_event("default", "web", "OwnerChanged")?;
    ensure!(told.contains("from n1 to n2") && told.contains("not heard any more"), "{told}");
    // Served after that was heard of.
    cluster.service("next", json!({}), json!({}))?;
    cluster.expect("next", &["198.51.100.101"])?;
    assert_eq!(cluster.get("web")?, service, "a move writes no Service");

    // A Service that is none any more says nothing of it.
    cluster.service("web", json!({}), json!({"type": "ClusterIP"}))?;
    wait_for("the condition to go", SOON, || {
        let service = cluster.get("web")?;
        ensure!(announced(&service).is_none(), "{service:#}");
        Ok(())
    })
}

#[test]
fn many_that_move_at_once_are_one_event_on_the_node() -> Result<()> {
    let cluster = Cluster::up()?;
    cluster.configure("pools: [{name: default, addresses: [198.51.100.100-198.51.100.199]}]")?;
    cluster.add_node("n2")?;
    cluster.controller("controller")?;
    let names: Vec<String> = (100..125).map(|number| format!("web-{number}")).collect();
    for name in &names {
        cluster.service(name, json!({}), json!({}))?;
    }
    let vips: Vec<IpAddr> = (100..125).map(ip).collect();
    cluster.write_record("n1", &record("n2", &vips, None))?;
    let before: Vec<Value> =
        names.iter().map(|name| cluster.expect_announced(name, "True", "Announced")).collect::<Result<_>>()?;
    cluster.write_record("n2", &record("n1", &vips, Some("n1")))?;
    let told = cluster.expect_event("default", "n2", "OwnerChanged")?;
    ensure!(told.starts_with("25 addresses have moved from n1 to n2"), "{told}");
    cluster.service("next", json!({}), json!({}))?;
    cluster.expect("next", &["198.51.100.125"])?;
    let after: Vec<Value> = names.iter().map(|name| cluster.get(name)).collect::<Result<_>>()?;
    assert_eq!(after, before);
    Ok(())
}

#[test]
fn parts_of_a_record_are_read_in_whatever_order_they_come() -> Result<()> {
    let cluster = Cluster::up()?;
    cluster.configure(CONFIG)?;
    cluster.controller("controller")?;
    cluster.service("web", json!({}), json!({}))?;
    cluster.expect("web", &[VIP])?;
    let parts = split("n1", &record("n2", &[ip(100)], None).encode(), 100);
    ensure!(parts.len() > 2, "{parts:?}");
    let (first, others) = parts.split_at(2);
    for part in others.iter().chain(first) {
        let service = cluster.get("web")?;
        ensure!(announced(&service).is_none(), "before all of it is there: {service:#}");
        cluster.write(std::slice::from_ref(part))?;
    }
    cluster.expect_announced("web", "True", "Announced")?;
    Ok(())
}

#[test]
fn the_edges_of_a_speakers_subnets_are_never_handed_out() -> Result<()> {
    let cluster = Cluster::up()?;
    cluster.configure("pools: [{name: lan, addresses: [198.51.100.254/31, 198.51.101.1]}]")?;
    cluster.write_record("n1", &record("n2", &[], None))?;
    cluster.controller("controller")?;
    cluster.service("asks", json!({"landfall.dev/addresses": "198.51.100.255"}), json!({}))?;
    let said = cluster.expect_reason("asks", "AddressReserved")?;
    ensure!(said.contains("198.51.100.0/24"), "{said}");
    for (name, address) in [("one", "198.51.100.254"), ("two", "198.51.101.1")] {
        cluster.service(name, json!({}), json!({}))?;
        cluster.expect(name, &[address])?;
    }
    Ok(())
}
