//! What reaches a packet socket, and what does not.

use crate::{
    capture::until,
    lan::{LONG, Lan},
};
use landfall::net::{Interest, PacketSocket, Received, Traffic, is_link_down};
use landfall_core::wire::{
    arp,
    ethernet::{BROADCAST, Header, MacAddr},
    heartbeat, ndp,
};
use std::net::{Ipv4Addr, Ipv6Addr};
use tokio::time::timeout;

const CLIENT: MacAddr = MacAddr(2, 0, 0, 0, 0, 0x0b);
const NODE: MacAddr = MacAddr(2, 0, 0, 0, 0, 0x0a);
const IP: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 2);
const VIP: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 100);
const OTHER: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 77);
const V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 2);
const VIP6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x100);

fn beat(source: MacAddr, payload: &[u8]) -> Vec<u8> {
    let destination = MacAddr::from(heartbeat::DESTINATION);
    [&Header { destination, source, ethertype: heartbeat::ETHERTYPE }.emit()[..], payload].concat()
}

async fn next(socket: &PacketSocket) -> (Traffic, Vec<u8>) {
    let mut buffer = [0; 2048];
    let received = timeout(LONG, socket.recv(&mut buffer)).await.expect("a frame in time").expect("a link that is up");
    (received.traffic, buffer[..received.len].to_vec())
}

/// Sends from the client.
fn send(lan: &Lan, frames: &[&[u8]]) {
    let index = lan.client.index("eth0");
    lan.client.block_on(async || {
        let socket = PacketSocket::open(index).unwrap();
        frames.iter().for_each(|frame| socket.send(frame).unwrap());
    });
}

#[test]
fn heartbeats_arrive_whole_and_before_questions_that_came_first() {
    let lan = Lan::new();
    let index = lan.node.index("eth0");
    let question = arp::request(CLIENT, IP, IP);
    let (short, long) = (beat(CLIENT, b"one"), beat(CLIENT, &[7; 1500]));
    lan.node.block_on(async || {
        // The kernel hands a frame to the newest socket first: what this one has seen has reached the other.
        let witness = PacketSocket::open(index).unwrap();
        let socket = PacketSocket::open(index).unwrap();
        send(&lan, &[&question, &short, &long]);
        for _ in 0..3 {
            next(&witness).await;
        }
        assert_eq!(next(&socket).await, (Traffic::Heartbeat, short));
        let mut buffer = [0; 2048];
        let received = Some(Received { len: 1514, traffic: Traffic::Heartbeat });
        assert_eq!(socket.try_recv(&mut buffer).unwrap(), received);
        assert_eq!(buffer[..1514], long[..]);
        assert_eq!(next(&socket).await, (Traffic::Arp, question.to_vec()));
        assert_eq!(socket.try_recv(&mut buffer).unwrap(), None);
    });
}

#[test]
fn own_frames_other_stations_frames_and_other_kinds_stay_out() {
    let lan = Lan::new();
    let index = lan.node.index("eth0");
    lan.node.ip("link set eth0 promisc on");
    let question = arp::request(CLIENT, IP, IP);
    let foreign = arp::Repr::parse(&question[Header::LEN..]).unwrap().emit(MacAddr(2, 0, 0, 0, 0, 0xff));
    let last = beat(CLIENT, b"last");
    lan.node.block_on(async || {
        let socket = PacketSocket::open(index).unwrap();
        socket.send(&arp::request(NODE, IP, Ipv4Addr::new(198, 51, 100, 77))).unwrap();
        socket.send(&beat(NODE, b"from the node itself")).unwrap();
        // IPv6 to everyone, but not neighbour discovery.
        lan.client.exec("bash -c echo>/dev/udp/ff02::1%eth0/9").unwrap();
        send(&lan, &[&foreign, &question, &last]);
        assert_eq!(next(&socket).await, (Traffic::Heartbeat, last));
        let (traffic, frame) = next(&socket).await;
        assert_eq!((traffic, &frame[..]), (Traffic::Arp, &question[..]));
        assert_eq!(frame[..6], BROADCAST.octets());
        assert_eq!(socket.try_recv(&mut [0; 2048]).unwrap(), None);
        assert!(socket.send(&[0; 60]).is_err(), "a frame of an ethertype that is not ours");
        assert!(socket.send(&[0; 13]).is_err(), "less than a header");
    });
}

#[test]
fn nobody_is_woken_by_what_is_said_about_other_addresses() {
    let lan = Lan::new();
    let index = lan.node.index("eth0");
    // The least room for filters; kernels that have one limit for all namespaces have this one by default.
    lan.node.sysctl_if_any(&[("core/optmem_max", "20480")]).unwrap();
    let (question, last) = (arp::request(CLIENT, IP, OTHER), beat(CLIENT, b"last"));
    let ours = arp::request(CLIENT, IP, VIP);
    let (question6, ours6) = (ndp::solicitation(CLIENT, V6, V6), ndp::solicitation(CLIENT, V6, VIP6));
    lan.node.block_on(async || {
        let socket = PacketSocket::open(index).unwrap();
        // Scattered, so that the filters are as large as they get; and twice, since one is there when the next comes.
        let vips = |first: u32| {
            let many = (0..1000).map(move |n| first + 131 * n);
            let both = many.flat_map(|n| [Ipv4Addr::from_bits(n).into(), Ipv6Addr::from_bits(n.into()).into()]);
            both.chain([VIP.into(), VIP6.into()])
        };
        for first in [0xc612_0000, 0xc612_0001] {
            socket.listen_for(&Interest::new(vips(first), vips(first))).unwrap();
        }
        send(&lan, &[&question, &question6, &ours, &ours6, &last]);
        assert_eq!(next(&socket).await, (Traffic::Heartbeat, last));
        assert_eq!(next(&socket).await, (Traffic::Arp, ours.to_vec()));
        assert_eq!(next(&socket).await, (Traffic::Ndp, ours6.to_vec()));
        assert_eq!(socket.try_recv(&mut [0; 2048]).unwrap(), None);
    });
}

#[test]
fn every_group_is_heard_where_that_is_asked_for_and_as_long_as_the_socket_lives() {
    let lan = Lan::new();
    let index = lan.node.index("eth0");
    let hears_all = || lan.node.ip("-d link show eth0").contains("allmulti 1");
    lan.node.block_on(async || {
        let socket = PacketSocket::open(index).unwrap();
        assert!(!hears_all());
        socket.hear_all_groups(index).unwrap();
        assert!(hears_all());
        drop(socket);
        until("the interface to hear its own groups alone", || !hears_all());
    });
}

#[test]
fn a_storm_of_arp_is_counted_and_leaves_heartbeats_alone() {
    let lan = Lan::new();
    let index = lan.node.index("eth0");
    let question = arp::request(CLIENT, IP, IP);
    let last = beat(CLIENT, b"last");
    lan.node.block_on(async || {
        let socket = PacketSocket::open(index).unwrap();
        let mut frames = vec![&question[..]; 2000];
        frames.push(&last);
        send(&lan, &frames);
        assert_eq!(next(&socket).await, (Traffic::Heartbeat, last));
        let mut read = 0;
        while socket.try_recv(&mut [0; 2048]).unwrap().is_some() {
            read += 1;
        }
        let drops = socket.take_drops().unwrap();
        let expected =
            [(Traffic::Heartbeat, 0), (Traffic::Datagram, 0), (Traffic::Arp, 2000 - read), (Traffic::Ndp, 0)];
        assert_eq!(drops, expected);
        assert!((1..2000).contains(&read), "{read} of 2000 fit into the queue");
        assert_eq!(socket.take_drops().unwrap(), drops.map(|(traffic, _)| (traffic, 0)), "counted once");
    });
}

#[test]
fn a_link_that_goes_down_or_away_is_told() {
    let lan = Lan::new();
    let index = lan.node.index("eth0");
    lan.node.block_on(async || {
        let socket = PacketSocket::open(index).unwrap();
        lan.node.ip("link set eth0 down");
        assert!(is_link_down(&socket.try_recv(&mut [0; 2048]).unwrap_err()));
        assert!(is_link_down(&socket.send(&beat(NODE, b"")).unwrap_err()));
        lan.node.ip("link set eth0 up");
        until("heartbeats to pass again", || {
            send(&lan, &[&beat(CLIENT, b"up again")]);
            socket.try_recv(&mut [0; 2048]).unwrap_or(None).is_some()
        });
        lan.node.ip("link del eth0");
        assert!(is_link_down(&PacketSocket::open(index).err().expect("no such interface")));
    });
}
