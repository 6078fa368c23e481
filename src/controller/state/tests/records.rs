//! What the speakers' records make of Services.

use super::*;
use crate::cluster::record::{Addresses, Conflict, Interface, Part, Phase, Record};

/// The record of the node n1 with this interface, in this version.
fn told(eth0: Interface, version: u32) -> Change<Option<Part>> {
    let record = Record { interfaces: [("eth0".into(), eth0)].into(), ..Record::default() };
    let metadata = json!({"name": "n1", "resourceVersion": version.to_string()});
    let object = json!({"metadata": metadata, "data": {names::RECORD_KEY: record.encode()}});
    Change::Applied(Part::new(serde_json::from_value(object).unwrap()))
}

fn owned(vips: &[&str]) -> Addresses {
    vips.iter().map(|vip| vip.parse::<IpAddr>().unwrap()).collect()
}

/// That it answers for these.
fn answering(vips: &[&str]) -> Change<Option<Part>> {
    let addresses = vec!["198.51.100.101/25".parse().unwrap()];
    told(Interface { owned: owned(vips), addresses, ..Interface::default() }, 7)
}

#[test]
fn a_service_says_in_a_write_of_its_own_that_it_is_announced_and_a_release_takes_that_away() {
    let mut bench = Bench::new();
    bench.restart(POOL);
    bench.state.observe_node(Change::Applied(host("192.0.2.1")), wall());
    bench.put("a", |_| ());
    assert_eq!(bench.settle(), ["a: IPAllocated"]);
    bench.state.observe_record(answering(&["198.51.100.100"]), wall());
    bench.state.pass(wall());
    assert_eq!(bench.settle(), ["a: Announced"]);
    let kinds = |bench: &Bench| {
        let conditions = bench.objects["a"]["status"]["conditions"].as_array().cloned().unwrap_or_default();
        conditions.iter().map(|condition| format!("{} {}", condition["type"], condition["status"])).collect::<Vec<_>>()
    };
    assert_eq!(kinds(&bench), [r#""landfall.dev/Allocated" "True""#, r#""landfall.dev/Announced" "True""#]);
    // A new leader finds all as it should be.
    bench.restart(POOL);
    bench.state.observe_node(Change::Applied(host("192.0.2.1")), wall());
    bench.state.observe_record(answering(&["198.51.100.100"]), wall());
    bench.state.pass(wall());
    assert_eq!(bench.settle(), [""; 0]);
    bench.put("a", |object| object["spec"]["type"] = json!("ClusterIP"));
    assert_eq!(bench.settle(), ["a: IPReleased"]);
    assert_eq!(kinds(&bench), [""; 0]);
}

#[test]
fn the_edges_of_the_speakers_subnets_are_never_handed_out() {
    let mut bench = Bench::new();
    bench.state.observe_node(Change::Applied(host("192.0.2.1")), wall());
    bench.state.observe_record(answering(&[]), wall());
    bench.configure("pools: [{name: default, addresses: [198.51.100.126-198.51.100.129]}]");
    bench.state.observe(Change::Synced, wall());
    ["a", "b", "c"].iter().for_each(|name| bench.put(name, |_| ()));
    bench.settle();
    let given: Vec<_> = ["a", "b", "c"].iter().map(|name| bench.address(name).unwrap()).collect();
    assert_eq!(given, ["198.51.100.126", "198.51.100.128", "198.51.100.129"], ".127 is a broadcast address");
}

#[test]
fn a_service_leaves_an_address_that_a_probe_finds_in_use_and_keeps_one_that_was_announced() {
    let found = |vips: &[&str], in_use: &str, phase: Phase| {
        let conflicts = vec![Conflict { vip: in_use.parse().unwrap(), mac: "02:00:00:00:00:66".into(), phase }];
        told(Interface { owned: owned(vips), conflicts, ..Interface::default() }, 8)
    };
    let mut bench = Bench::new();
    bench.restart(POOL);
    bench.state.observe_node(Change::Applied(host("192.0.2.1")), wall());
    bench.put("a", |_| ());
    bench.settle();
    bench.state.observe_record(found(&[], "198.51.100.100", Phase::Probe), wall());
    let tellings = bench.state.tellings();
    assert!(
        tellings.iter().any(|(_, telling)| telling.reason == "AddressConflict" && telling.note.contains(":66")),
        "{tellings:?}"
    );
    assert_eq!(bench.settle(), ["a: IPAllocated"]);
    assert_eq!(bench.address("a"), Some("198.51.100.101"));
    // Announced, it is known, and stays.
    bench.state.observe_record(found(&["198.51.100.101"], "198.51.100.100", Phase::Probe), wall());
    bench.state.pass(wall());
    assert_eq!(bench.settle(), ["a: Announced"]);
    assert_eq!(bench.objects["a"]["metadata"]["annotations"][names::ANNOUNCED_ADDRESSES], "198.51.100.101");
    bench.state.observe_record(found(&[], "198.51.100.101", Phase::Probe), wall());
    bench.state.pass(wall());
    bench.settle();
    // It has been written often, and rests.
    bench.settle_at(now() + Duration::from_secs(1));
    assert_eq!(bench.address("a"), Some("198.51.100.101"));
    let conditions = bench.objects["a"]["status"]["conditions"].as_array().unwrap();
    let said: Vec<_> = conditions.iter().map(|it| format!("{} {}", it["status"], it["reason"])).collect();
    assert_eq!(said, [r#""True" "AddressConflict""#, r#""False" "AddressConflict""#]);
}
