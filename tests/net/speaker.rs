//! The LAN task itself on real interfaces, without an API server: what it wants is handed to it.

use crate::lan::{Host, LONG, Lan, NODE_MAC};
use landfall::{
    cluster::{Change, accepted::Accepted, node::Node, record::Record, service::Announced},
    net::{PacketSocket, links},
    speaker::{
        desired::{Desired, Inputs, Seen},
        lan::{Setup, run},
        segment::{LONGEST, Segment},
    },
};
use landfall_core::{
    alloc::ServiceKey,
    config::Labels,
    elect::{Election, Identity, Input, Now, Output, Timing},
    wire::{arp, ethernet::MacAddr, heartbeat::SpeakerName},
};
use std::{
    sync::Arc,
    thread::ScopedJoinHandle,
    time::{Duration, Instant},
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

const VIP: &str = "198.51.100.100";
const SECOND_MAC: &str = "02:00:00:00:00:0c";

/// One Service with the VIP, every interface allowed.
fn desired() -> Desired {
    let mut inputs = Inputs::default();
    let key = ServiceKey::new("default", "web");
    let vips = vec![VIP.parse().unwrap()];
    let config = format!("pools: [{{name: a, addresses: [{VIP}]}}]");
    for seen in [
        Seen::Service(Change::Applied(Announced { key, uid: "1".into(), vips, recorded: true, local: false })),
        Seen::Node(Change::Applied(Node { name: "n1".into(), labels: Labels::default(), excluded: None })),
        Seen::Accepted(Change::Applied(Accepted { config: Some(config), cluster: Some("c".into()) })),
        Seen::Service(Change::Synced),
        Seen::Slice(Change::Synced),
        Seen::Node(Change::Synced),
        Seen::Accepted(Change::Synced),
    ] {
        inputs.apply(seen);
    }
    inputs.desired().unwrap()
}

/// A speaker's LAN task on `host`, and what it reports. It ends with `leave`.
fn speak<'scope>(
    scope: &'scope std::thread::Scope<'scope, '_>,
    host: &'scope Host,
    leave: &CancellationToken,
) -> (watch::Receiver<Record>, ScopedJoinHandle<'scope, ()>) {
    let (record, reported) = watch::channel(Record::default());
    let leave = leave.clone();
    let task = scope.spawn(move || {
        host.block_on(async move || {
            let (_keep, wanted) = watch::channel(Some(Arc::new(desired())));
            let mut wanted = wanted;
            wanted.mark_changed();
            let setup = Setup { speaker: SpeakerName::new("n1").unwrap(), desired: wanted, record, leave };
            run(setup).await.unwrap();
        });
    });
    (reported, task)
}

#[test]
fn two_interfaces_of_a_node_on_one_lan_answer_with_one_mac() {
    let lan = Lan::new();
    lan.plug(&lan.node, "eth1", "second", SECOND_MAC, "3");
    let leave = CancellationToken::new();
    std::thread::scope(|scope| {
        // A judge that panics ends the speaker too.
        let _end = leave.clone().drop_guard();
        let (mut reported, task) = speak(scope, &lan.node, &leave);
        let alone = |record: &Record| {
            let eth0 = record.interfaces.get("eth0");
            record.interfaces.len() == 1
                && eth0.is_some_and(|eth0| eth0.owned == [VIP.parse::<std::net::IpAddr>().unwrap()])
        };
        lan.client.block_on(async || {
            let settled = tokio::time::timeout(LONG, reported.wait_for(alone)).await;
            settled.expect("only eth0 takes part, and answers").unwrap();
        });
        let said = lan.client.exec(&format!("arping -b -c 3 -w 3 -I eth0 {VIP}")).unwrap().to_lowercase();
        assert!(said.contains(NODE_MAC) && !said.contains(SECOND_MAC), "{said}");
        leave.cancel();
        task.join().unwrap();
    });
}

/// Frames of a speaker `n2` that owns the VIP, as its election says them.
fn claims_of_another(start: Now) -> Vec<Vec<u8>> {
    let identity = Identity { speaker: SpeakerName::new("n2").unwrap(), boot: 2, cluster: 1 };
    let mut election = Election::new(identity, Timing::default(), start);
    let mut outputs = election.handle(Input::Want { vip: VIP.parse().unwrap(), tier: 0 }, start);
    for _ in 0..100 {
        let due = election.deadline().unwrap();
        outputs.extend(election.handle(Input::Timer, Now { mono: due, wall: start.wall + (due - start.mono) }));
        if election.owns(VIP.parse().unwrap()) {
            break;
        }
    }
    outputs
        .into_iter()
        .filter_map(|output| match output {
            Output::Send(frame) => Some(frame.emit_ethernet([2, 0, 0, 0, 0, 0x0b])),
            _ => None,
        })
        .collect()
}

#[test]
fn one_step_hears_the_claims_that_wait_behind_a_flood_of_questions() {
    let lan = Lan::new();
    let index = lan.client.index("eth0");
    let start = Now { mono: Duration::from_secs(1000), wall: Duration::from_secs(1_700_000_000) };
    lan.node.block_on(async || {
        let table = links().await.unwrap().changed().await.unwrap();
        let link = table.values().find(|link| link.name == "eth0").unwrap().clone();
        let identity = Identity { speaker: SpeakerName::new("n1").unwrap(), boot: 1, cluster: 1 };
        let mac = link.mac.unwrap();
        let before = received(&lan.node);
        let mut segment = Segment::open(link, mac, identity, start).unwrap();
        let sent = lan.client.block_on(async || {
            let socket = PacketSocket::open(index).unwrap();
            let question =
                arp::request(MacAddr::new(2, 0, 0, 0, 0, 0x0b), [198, 51, 100, 2].into(), [198, 51, 100, 77].into());
            let claims = claims_of_another(start);
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
