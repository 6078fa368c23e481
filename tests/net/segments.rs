//! Nodes on several LANs: each LAN has its own answerer, and what happens to one of them moves nothing on the other.

use crate::{
    lan::{LONG, Lan},
    speaking::{Speaking, VIP, owns, speaking},
};
use anyhow::ensure;
use landfall::cluster::record::Record;
use landfall_sandbox::wait_for;

const SECOND_MAC: &str = "02:00:00:00:00:0c";

/// Asks for the VIP on a LAN, and hears the same answerer three times.
fn assert_one_answers(lan: &Lan) {
    let said = lan.client.exec(&format!("arping -b -c 3 -w 5 -I eth0 {VIP}")).unwrap().to_lowercase();
    let macs: Vec<&str> = said.lines().filter_map(|line| line.split(['[', ']']).nth(1)).collect();
    assert!(macs.len() == 3 && macs.iter().all(|mac| *mac == macs[0]), "{said}");
}

/// Waits until exactly one of these answers on its interface, and says which.
fn the_owner(of: [(&Speaking, &str); 2]) -> usize {
    wait_for("one owner", LONG, || {
        let owners = of.map(|(speaker, interface)| owns(&speaker.record(), interface));
        ensure!(owners[0] != owners[1], "both or none");
        Ok(usize::from(owners[1]))
    })
    .unwrap()
}

fn peers(record: &Record, interface: &str) -> usize {
    record.interfaces.get(interface).map_or(0, |interface| interface.peers.len())
}

#[test]
fn nodes_on_different_lans_each_answer_on_their_own() {
    let (here, there) = (Lan::new(), Lan::new());
    speaking(&[("n1", &here.node), ("n2", &there.node)], |speakers| {
        for speaker in speakers {
            speaker.report_until("it answers on its LAN, where nobody else is", |record| {
                owns(record, "eth0") && peers(record, "eth0") == 0
            });
        }
        [&here, &there].into_iter().for_each(assert_one_answers);
    });
}

#[test]
fn a_node_on_two_lans_answers_on_one_and_shares_the_other() {
    let (own, shared) = (Lan::new(), Lan::new());
    shared.plug(&own.node, "eth1", "second", SECOND_MAC, "3");
    speaking(&[("n1", &own.node), ("n2", &shared.node)], |speakers| {
        let [both, one] = speakers else { panic!("two speakers") };
        both.report_until("it answers on its own LAN, and hears the other node on the shared one", |record| {
            owns(record, "eth0") && peers(record, "eth0") == 0 && peers(record, "eth1") == 1
        });
        let owner = the_owner([(&*both, "eth1"), (&*one, "eth0")]);
        [&own, &shared].into_iter().for_each(assert_one_answers);

        let before = both.record().interfaces["eth0"].clone();
        shared.switch.ip(&format!("link set {} down", ["second", "node"][owner]));
        let successor = match owner {
            0 => (one, "eth0"),
            _ => (&mut *both, "eth1"),
        };
        successor.0.report_until("the other one takes over", |record| owns(record, successor.1));
        assert_one_answers(&shared);
        assert_one_answers(&own);
        let after = both.record().interfaces["eth0"].clone();
        assert_eq!((after.owned, after.moves), (before.owned, before.moves), "nothing has moved on the other LAN");
    });
}
