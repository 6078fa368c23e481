//! The LAN task itself on real interfaces, without an API server: what it wants is handed to it.

use crate::{
    lan::{Host, LONG, Lan, NODE_MAC},
    speaking::{VIP, desired, keys, owns, speaking},
};
use landfall::{
    net::{PacketSocket, links},
    speaker::segment::{LONGEST, Membership, Segment},
};
use landfall_core::{
    elect::{Election, Identity, Input, Now, Output, Timing, Wish},
    wire::{
        arp, datagram,
        ethernet::{Header, MacAddr},
        heartbeat::{self, SpeakerName},
    },
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

const SECOND_MAC: &str = "02:00:00:00:00:0c";

#[test]
fn two_interfaces_of_a_node_on_one_lan_answer_with_one_mac() {
    let lan = Lan::new();
    lan.plug(&lan.node, "eth1", "second", SECOND_MAC, "3");
    speaking(&[("n1", &lan.node)], |speakers| {
        speakers[0].report_until("only eth0 takes part, and answers", |record| {
            let why = record.interfaces.get("eth1").and_then(|eth1| eth1.unfit.as_ref());
            owns(record, "eth0") && why.is_some_and(|why| why.reason == "Sibling" && why.message.contains("eth0"))
        });
        let said = lan.client.exec(&format!("arping -b -c 3 -w 10 -I eth0 {VIP}")).unwrap().to_lowercase();
        assert!(said.contains(NODE_MAC) && !said.contains(SECOND_MAC), "{said}");
    });
}

/// Frames of a speaker `n2` that owns the VIP, as its election says them once it has heard `n1`.
fn claims_of_another(n1: &Identity, start: Now) -> Vec<Vec<u8>> {
    let identity = Identity { speaker: SpeakerName::new("n2").unwrap(), boot: 2, cluster: 1 };
    let mut election = Election::new(identity, Timing::default(), start);
    for output in Election::new(n1.clone(), Timing::default(), start).handle(Input::Timer, start) {
        if let Output::Send(frame) = output {
            election.handle(Input::Frame(frame), start);
        }
    }
    let mut outputs = election.handle(Input::Want { vip: VIP.parse().unwrap(), wish: Wish::default() }, start);
    for _ in 0..100 {
        let due = election.deadline().unwrap();
        outputs.extend(election.handle(Input::Timer, Now { mono: due, wall: start.wall + (due - start.mono) }));
        if election.owns(VIP.parse().unwrap()) {
            break;
        }
    }
    let header = Header {
        destination: heartbeat::DESTINATION.into(),
        source: MacAddr::new(2, 0, 0, 0, 0, 0x0b),
        ethertype: heartbeat::ETHERTYPE,
    };
    outputs
        .into_iter()
        .filter_map(|output| match output {
            Output::Send(frame) => Some([&header.emit()[..], &keys().seal(&frame, header.source, [1; 24])].concat()),
            _ => None,
        })
        .collect()
}

#[test]
fn one_step_hears_the_claims_that_wait_behind_a_flood_of_questions() {
    let lan = Lan::new();
    let index = lan.client.index("eth0");
    // Every frame is counted, so the client's kernel says nothing of its own.
    lan.client.sysctl(&[("ipv6/conf/eth0/disable_ipv6", "1")]).unwrap();
    let start = Now { mono: Duration::from_secs(1000), wall: Duration::from_secs(1_700_000_000) };
    lan.node.block_on(async || {
        let table = links().await.unwrap().changed().await.unwrap();
        let link = table.values().find(|link| link.name == "eth0").unwrap().clone();
        let identity = Identity { speaker: SpeakerName::new("n1").unwrap(), boot: 1, cluster: 1 };
        let mac = link.mac.unwrap();
        let before = received(&lan.node);
        let claims = claims_of_another(&identity, start);
        let membership = Membership { identity, keys: Arc::new(keys()), port: datagram::PORT };
        let mut segment = Segment::open(link, mac, membership, Arc::new(desired("n1")), start).unwrap();
        let sent = lan.client.block_on(async || {
            let socket = PacketSocket::open(index).unwrap();
            let question =
                arp::request(MacAddr::new(2, 0, 0, 0, 0, 0x0b), [198, 51, 100, 2].into(), [198, 51, 100, 77].into());
            (0..200).for_each(|_| socket.send(&question).unwrap());
            claims.iter().for_each(|claim| socket.send(claim).unwrap());
            200 + claims.len() as u64
        });
        let deadline = Instant::now() + LONG;
        while received(&lan.node) < before + sent {
            assert!(Instant::now() < deadline, "the frames do not arrive");
            tokio::task::yield_now().await;
        }
        segment.read(None, &mut [0; LONGEST], start).unwrap();
        let claimed: Vec<usize> = segment.election().peers().map(|peer| peer.claims).collect();
        assert_eq!(claimed, [1]);
    });
}

/// Frames that the host's eth0 has received so far.
fn received(host: &Host) -> u64 {
    let table = host.enter(|| std::fs::read_to_string("/proc/thread-self/net/dev")).unwrap().unwrap();
    let line = table.lines().find_map(|line| line.trim().strip_prefix("eth0:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
