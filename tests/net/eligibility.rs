//! An owner whose interface or node can no longer answer, and one that can again: each change arrives as an event.

use crate::{
    lan::{Host, LONG, Lan, NODE_MAC},
    speaking::{Speaking, VIP, configuration, hears_one, owner_of_two, owns, service, speaking},
};
use anyhow::{Result, ensure};
use landfall::{
    cluster::{
        Change, ObjectName,
        endpoints::{LocalEndpoints, Usable},
        node::{Exclusion, Node},
        record::Record,
    },
    speaker::desired::Seen,
};
use landfall_core::{
    addr::Family,
    alloc::ServiceKey,
    config::Labels,
    health::{Broken, Rules},
};
use landfall_sandbox::wait_for;
use std::net::UdpSocket;

/// What the LAN's client hears when it asks for the VIP.
fn answer(lan: &Lan) -> String {
    lan.client.exec(&format!("arping -b -f -w 5 -I eth0 {VIP}")).unwrap().to_lowercase()
}

fn takes_part(record: &Record, interface: &str) -> bool {
    record.interfaces.get(interface).is_some_and(|interface| interface.unfit.is_none())
}

/// Two speakers that hear each other: the owner comes first, then the other one, each with its host and its port on the switch.
fn owner_and_other(judge: impl FnOnce(&Lan, (&mut Speaking, &Host, &str), (&mut Speaking, &Host, &str))) {
    let lan = Lan::new();
    let hosts = [(&lan.node, "node"), (&lan.client, "client")];
    speaking(&[("n1", &lan.node), ("n2", &lan.client)], |speakers| {
        let owner = owner_of_two(speakers);
        let (mine, others) = (hosts[owner], hosts[1 - owner]);
        let [one, two] = speakers else { panic!("two speakers") };
        let (owner, other) = if owner == 0 { (one, two) } else { (two, one) };
        judge(&lan, (owner, mine.0, mine.1), (other, others.0, others.1));
    });
}

fn is_off(record: &Record) -> bool {
    !owns(record, "eth0")
}

#[test]
fn an_interface_without_carrier_or_down_is_left_and_taken_up_again_and_gets_nothing_back() {
    owner_and_other(|lan, (owner, host, port), (other, ..)| {
        lan.switch.ip(&format!("link set {port} down"));
        owner.report_until("no carrier", |record| !takes_part(record, "eth0"));
        other.report_until("the other has taken over", |record| owns(record, "eth0"));
        lan.switch.ip(&format!("link set {port} up"));
        owner.report_until("carrier", |record| takes_part(record, "eth0"));
        host.ip("link set eth0 down");
        owner.report_until("down", |record| !takes_part(record, "eth0"));
        host.ip("link set eth0 up");
        owner.report_until("they hear each other again", hears_one);
        assert!(other.is_owner() && !owner.is_owner());
    });
}

#[test]
fn an_owner_whose_subnet_goes_hands_over_and_takes_part_again_with_it() {
    owner_and_other(|_, (owner, host, _), (other, ..)| {
        let own = host.ip("-o -4 addr show dev eth0");
        let own = own.split_whitespace().nth(3).unwrap();
        host.ip(&format!("addr del {own} dev eth0"));
        other.report_until("the other has taken over", |record| owns(record, "eth0"));
        owner.report_until("of no use without an address in the pool", |record| !takes_part(record, "eth0"));
        host.ip(&format!("addr add {own} dev eth0"));
        owner.report_until("back", |record| takes_part(record, "eth0"));
        assert!(!owner.is_owner());
    });
}

#[test]
fn an_owner_whose_node_is_excluded_or_whose_data_path_breaks_hands_over() {
    let node = |excluded| Seen::Node(Change::Applied(Node { name: "n".into(), labels: Labels::default(), excluded }));
    let changes = [
        (node(Some(Exclusion::Label)), node(None)),
        (Seen::DataPath(Err(Broken::Unhealthy)), Seen::DataPath(Ok(Rules::Fresh))),
    ];
    owner_and_other(|_, (owner, ..), (other, ..)| {
        let (mut owner, mut other) = (owner, other);
        for (breaks, mends) in changes {
            owner.see([breaks]);
            other.report_until("the other has taken over", |record| owns(record, "eth0"));
            owner.report_until("it says why", |record| is_off(record) && !record.unable.is_empty());
            owner.see([mends]);
            owner.report_until("mended", |record| record.unable.is_empty());
            assert!(!owner.is_owner());
            (owner, other) = (other, owner);
        }
    });
}

#[test]
fn an_owner_whose_kube_proxy_has_stopped_answers_until_a_node_can_whose_kube_proxy_has_not() {
    let path = |rules| [Seen::DataPath(Ok(rules))];
    let is_stale = |record: &Record| record.warnings.iter().any(|why| why.reason == "DataPathStale");
    owner_and_other(|_, (owner, ..), (other, ..)| {
        other.see(path(Rules::Stale));
        other.report_until("it says so", is_stale);
        owner.see(path(Rules::Stale));
        owner.report_until("it says so", is_stale);
        assert!(owner.is_owner(), "nobody is better placed");
        other.see(path(Rules::Fresh));
        other.report_until("the better placed has taken over", |record| owns(record, "eth0") && !is_stale(record));
        owner.report_until("it has yielded", is_off);
        owner.see(path(Rules::Fresh));
        owner.report_until("mended", |record| !is_stale(record));
        assert!(!owner.is_owner());
    });
}

#[test]
fn a_node_with_terminating_endpoints_answers_until_one_with_ready_ones_does() {
    let slice = |best| {
        let slice = ObjectName { namespace: "default".into(), name: "web-1".into() };
        let service = ServiceKey::new("default", "web");
        Seen::Slice(Change::Applied(LocalEndpoints { slice, service, family: Some(Family::V4), best }))
    };
    owner_and_other(|_, (owner, ..), (other, ..)| {
        other.see([service(true), slice(None)]);
        owner.see([service(true), slice(Some(Usable::Terminating))]);
        other.report_until("nothing that could answer", |record| {
            is_off(record) && record.unanswered.iter().any(|group| group.why.reason == "NoLocalEndpoint")
        });
        assert!(owner.is_owner(), "it answers while nobody is better placed");
        other.see([slice(Some(Usable::Ready))]);
        other.report_until("the better placed has taken over", |record| owns(record, "eth0"));
        owner.report_until("the second tier has yielded", is_off);
    });
}

#[test]
fn a_bridge_answers_in_the_place_of_its_member() {
    let lan = Lan::new();
    speaking(&[("n1", &lan.node)], |speakers| {
        speakers[0].report_until("eth0 answers", |record| owns(record, "eth0"));
        lan.node.ip("link add br7 address 02:00:00:00:00:07 type bridge");
        lan.node.ip("link set br7 up");
        lan.node.ip("link set eth0 master br7");
        speakers[0].report_until("a member takes no part", |record| !takes_part(record, "eth0"));
        lan.node.ip("addr del 198.51.100.1/24 dev eth0");
        lan.node.ip("addr add 198.51.100.1/24 dev br7");
        speakers[0].report_until("the bridge answers", |record| owns(record, "br7"));
        assert!(answer(&lan).contains("02:00:00:00:00:07"));
        lan.node.ip("link set eth0 nomaster");
        lan.node.ip("link del br7");
        lan.node.ip("addr add 198.51.100.1/24 dev eth0");
        speakers[0].report_until("eth0 answers again", |record| owns(record, "eth0") && !takes_part(record, "br7"));
        assert!(answer(&lan).contains(NODE_MAC));
    });
}

#[test]
fn a_changed_mac_is_told_to_those_that_knew_the_old_one() {
    let lan = Lan::new();
    let neighbour = |mac: &str| -> Result<()> {
        let table = lan.client.ip(&format!("neigh show {VIP}"));
        ensure!(table.contains(mac), "{table}");
        Ok(())
    };
    speaking(&[("n1", &lan.node)], |speakers| {
        speakers[0].report_until("eth0 answers", |record| owns(record, "eth0"));
        // Nobody takes the datagram; whoever sends one learns the MAC all the same.
        let send = || UdpSocket::bind("0.0.0.0:0")?.send_to(b"?", (VIP, 9));
        lan.client.enter(send).unwrap().unwrap();
        wait_for("the client to know the MAC", LONG, || neighbour(NODE_MAC)).unwrap();
        lan.node.ip("link set eth0 address 02:00:00:00:00:aa");
        wait_for("the client to be told the new MAC", LONG, || neighbour("02:00:00:00:00:aa")).unwrap();
        speakers[0].report_until("the record has it", |record| {
            record.interfaces.get("eth0").is_some_and(|eth0| eth0.mac == "02:00:00:00:00:aa")
        });
        assert!(answer(&lan).contains("02:00:00:00:00:aa"));
    });
}

#[test]
fn a_late_interface_takes_part_under_the_name_that_it_gets() {
    let lan = Lan::new();
    speaking(&[("n1", &lan.node)], |speakers| {
        speakers[0].report_until("eth0 answers", |record| owns(record, "eth0"));
        speakers[0].see([configuration("announcements: [{interfaces: [lan0]}]\n")]);
        speakers[0].report_until("there is no lan0", is_off);
        lan.plug(&lan.node, "late", "late", "02:00:00:00:00:0c", "3");
        let rename = |from: &str, to: &str| {
            lan.node.ip(&format!("link set {from} down"));
            lan.node.ip(&format!("link set {from} name {to}"));
            lan.node.ip(&format!("link set {to} up"));
        };
        rename("late", "lan0");
        speakers[0].report_until("lan0 answers", |record| owns(record, "lan0"));
        assert!(answer(&lan).contains("02:00:00:00:00:0c"));
        rename("lan0", "other");
        speakers[0].report_until("nothing has that name", |record| !owns(record, "lan0"));
        lan.node.ip("link del other");
        lan.plug(&lan.node, "lan0", "again", "02:00:00:00:00:0d", "4");
        speakers[0].report_until("another interface of that name", |record| owns(record, "lan0"));
        assert!(answer(&lan).contains("02:00:00:00:00:0d"));
    });
}
