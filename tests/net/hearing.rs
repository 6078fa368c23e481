//! Speakers that do not hear each other's heartbeats: what others, and plain ARP, tell of them.

use crate::{
    lan::{Lan, run},
    speaking::{owner_of_two, speaking},
};
use landfall::cluster::record::Record;
use landfall_core::wire::datagram;
use std::time::{Duration, Instant};

const THIRD_MAC: &str = "02:00:00:00:00:0c";
/// Without another sign of life an owner is dead a quarter of a second after its last heartbeat.
const DEAD_OTHERWISE: Duration = Duration::from_secs(3);
/// Plain answers count for ten seconds.
const VOUCHED: Duration = Duration::from_secs(20);

/// The switch lets heartbeats of neither kind pass between node and client, and all else.
fn cut(lan: &Lan) {
    let between = |from: &str, to: &str| {
        let way = format!("iifname {from} oifname {to}");
        format!("{way} ether type 0x88b5 drop; {way} udp dport {} drop;", datagram::PORT)
    };
    let rules = between("node", "client") + &between("client", "node");
    let table = format!("table bridge t {{ chain c {{ type filter hook forward priority 0; {rules} }}; }}");
    run(lan.switch.command("nft").arg(table)).unwrap();
}

/// Who lives on the LAN, and whom of these only others hear, both by a record.
fn living<'a>(record: &'a Record, interface: &str) -> (&'a [String], &'a [String]) {
    record.interfaces.get(interface).map_or((&[], &[]), |it| (&it.peers, &it.unheard))
}

#[test]
fn who_is_heard_by_a_third_alone_lives_and_is_told_to_be_unheard() {
    let (lan, other) = (Lan::new(), Lan::new());
    lan.plug(&other.node, "eth1", "third", THIRD_MAC, "3");
    speaking(&[("n1", &lan.node), ("n2", &lan.client), ("n3", &other.node)], |speakers| {
        for (index, far) in [(0, "n2"), (1, "n1")] {
            speakers[index].report_until("it hears both", |record| living(record, "eth0").0 == [far, "n3"]);
        }
        cut(&lan);
        for (index, far) in [(0, "n2"), (1, "n1")] {
            speakers[index].report_until("only the third one hears the other", |record| {
                let (living, unheard) = living(record, "eth0");
                living == [far, "n3"] && unheard == [far]
            });
        }
        speakers[2].report_until("the third one hears both", |record| {
            let (living, unheard) = living(record, "eth1");
            living == ["n1", "n2"] && unheard.is_empty()
        });
    });
}

#[test]
fn an_owner_that_is_not_heard_keeps_its_address_for_as_long_as_plain_answers_vouch_for_it() {
    let lan = Lan::new();
    speaking(&[("n1", &lan.node), ("n2", &lan.client)], |speakers| {
        let owner = owner_of_two(speakers);
        let cut_at = Instant::now();
        cut(&lan);
        speakers[1 - owner].report_within(VOUCHED, "it takes over once nothing else vouches", |record| {
            !record.interfaces["eth0"].owned.is_empty()
        });
        let kept = cut_at.elapsed();
        assert!(kept > DEAD_OTHERWISE, "it took over after {kept:?}, as if it had not asked by ARP");
    });
}
