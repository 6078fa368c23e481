//! Whose heartbeats count, and how they get through: keys, a switch that drops what it does not know.

use crate::{
    lan::{Lan, run},
    speaking::{keyring, keys, owner_of_two, owns, speaking, speaking_with},
};
use landfall::{cluster::record::Record, speaker::keys::Keyring};
use landfall_core::wire::seal::Keys;

fn peers(record: &Record) -> &[String] {
    record.interfaces.get("eth0").map_or(&[], |eth0| &eth0.peers)
}

/// Another cluster, or whoever forges: what such a host answers for is a foreign host's.
#[test]
fn speakers_with_other_keys_are_not_heard() {
    let lan = Lan::new();
    let hosts = [("n1", &lan.node, keyring(keys())), ("n2", &lan.client, keyring(Keys::new(&[8; 32], &[])))];
    speaking_with(&hosts, |speakers| {
        let is_settled = |record: &Record| {
            let eth0 = record.interfaces.get("eth0");
            owns(record, "eth0") || eth0.is_some_and(|eth0| !eth0.conflicts.is_empty())
        };
        for speaker in &mut *speakers {
            speaker.report_until("it answers, or a foreign host does", is_settled);
        }
        assert!(speakers.iter().all(|speaker| peers(&speaker.record()).is_empty()));
    });
}

#[test]
fn speakers_hear_each_other_while_keys_change() {
    let lan = Lan::new();
    let (old, new) = (keyring(Keys::new(&[7; 32], &[[8; 32]])), keyring(Keys::new(&[8; 32], &[[7; 32]])));
    speaking_with(&[("n1", &lan.node, old), ("n2", &lan.client, new)], |speakers| {
        speakers[0].report_until("n2 is heard", |record| peers(record) == ["n2"]);
        speakers[1].report_until("n1 is heard", |record| peers(record) == ["n1"]);
    });
}

#[test]
fn a_speaker_without_keys_answers_for_nothing_and_says_what_is_missing() {
    let lan = Lan::new();
    let without = Keyring { keys: None, fault: Some("the Secret is missing".into()) };
    speaking_with(&[("n1", &lan.node, without)], |speakers| {
        speakers[0].report_until("it says so", |record| {
            let said = record.unable.iter().any(|why| why.reason == "HeartbeatKeys" && why.message.contains("Secret"));
            said && !owns(record, "eth0")
        });
    });
}

#[test]
fn where_the_switch_drops_the_ethertype_one_answers_and_it_is_told() {
    let lan = Lan::new();
    let rule = "table bridge t { chain c { type filter hook forward priority 0; ether type 0x88b5 drop; }; }";
    run(lan.switch.command("nft").arg(rule)).unwrap();
    speaking(&[("n1", &lan.node), ("n2", &lan.client)], |speakers| {
        for index in [0, 1] {
            let other = ["n2", "n1"][index];
            speakers[index].report_until("it hears the other, and says how", |record| {
                let told = record.warnings.iter().find(|why| why.reason == "HeartbeatsBlocked");
                peers(record) == [other] && told.is_some_and(|why| why.message.contains(other))
            });
        }
        owner_of_two(speakers);
    });
}
