//! A fixed VIP, answered by the responder on a packet socket, as other hosts see it.

use crate::{
    capture::{Capture, until},
    lan::{CLIENT_MAC, LONG, Lan, NODE_MAC},
};
use landfall::net::{Groups, Interest, PacketSocket};
use landfall_core::{
    announcer,
    responder::{self, Answer, Counters},
    wire::ethernet::MacAddr,
};
use std::{
    net::{IpAddr, UdpSocket},
    sync::{
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    time::Duration,
};
use tokio::sync::oneshot;

const VIP4: &str = "198.51.100.100";
const VIP6: &str = "2001:db8::100";
const MAC: MacAddr = MacAddr(2, 0, 0, 0, 0, 0x0a);

/// Runs `judge` while the node answers for both VIPs; what the node counted.
fn while_answering(lan: &Lan, judge: impl FnOnce()) -> Counters {
    let index = lan.node.index("eth0");
    let (ready, started) = mpsc::channel();
    std::thread::scope(|scope| {
        // Dropped by a judge that panics, too.
        let (stop, mut stopped) = oneshot::channel::<()>();
        let speaker = scope.spawn(move || {
            lan.node.block_on(async move || {
                let socket = PacketSocket::open(index).unwrap();
                let vips = [VIP4, VIP6].map(|vip| vip.parse().unwrap());
                socket.listen_for(&Interest::new(vips.into_iter(), vips.into_iter())).unwrap();
                let mut groups = Groups::default();
                groups.join(index, VIP6.parse().unwrap()).unwrap();
                ready.send(()).unwrap();
                let mut counters = Counters::default();
                let mut buffer = [0; 2048];
                loop {
                    let received = tokio::select! {
                        received = socket.recv(&mut buffer) => received.unwrap(),
                        _ = &mut stopped => return counters,
                    };
                    let reaction = responder::answer(&buffer[..received.len], MAC, is_vip);
                    counters.count(&reaction);
                    if let Ok(Answer::Reply(frame)) = reaction {
                        socket.send(&frame).unwrap();
                    }
                }
            })
        });
        started.recv_timeout(Duration::from_secs(10)).expect("the node begins to answer within 10 s");
        judge();
        drop(stop);
        speaker.join().unwrap()
    })
}

fn is_vip(address: IpAddr) -> bool {
    [VIP4, VIP6].iter().any(|vip| vip.parse() == Ok(address))
}

#[test]
fn arping_is_answered() {
    let lan = Lan::new();
    let counters = while_answering(&lan, || {
        let text = lan.client.exec(&format!("arping -c 3 -w 10 -I eth0 {VIP4}")).unwrap();
        assert!(text.contains(&format!("Unicast reply from {VIP4} [{}]", NODE_MAC.to_uppercase())), "{text}");
        assert!(text.contains("Received 3 response(s)"), "{text}");
        let other = lan.client.exec("arping -c 1 -w 1 -I eth0 198.51.100.101");
        assert!(other.is_err(), "an address that is nobody's is not answered");
    });
    // One more where an answer took a second.
    assert!(counters.answered >= 3, "{counters:?}");
    // The kernel has kept the other question to itself.
    assert!(!counters.ignored.contains_key(&responder::Ignored::NotOwned), "{counters:?}");
}

#[test]
fn ndisc6_is_answered() {
    let lan = Lan::new();
    while_answering(&lan, || {
        let text = lan.client.exec(&format!("ndisc6 -1 -w 10000 {VIP6} eth0")).unwrap();
        assert!(text.contains(&format!("Target link-layer address: {}", NODE_MAC.to_uppercase())), "{text}");
    });
}

/// What a host does before it takes an address for itself.
#[test]
fn a_host_that_wants_our_address_learns_that_it_is_taken() {
    let lan = Lan::new();
    while_answering(&lan, || {
        let alone = lan.client.exec(&format!("arping -D -w 10 -I eth0 {VIP4}"));
        assert!(alone.is_err(), "arping -D fails when there is a duplicate");
        lan.client.sysctl(&[("ipv6/conf/eth0/accept_dad", "1")]).unwrap();
        // Without a nonce in its probe, and with one (RFC 7527).
        for nonce in ["0", "1"] {
            lan.client
                .sysctl(&[("ipv6/conf/all/enhanced_dad", nonce), ("ipv6/conf/eth0/enhanced_dad", nonce)])
                .unwrap();
            lan.client.ip(&format!("addr add {VIP6}/64 dev eth0"));
            until("the kernel to find the duplicate", || {
                let address = lan.client.ip(&format!("-6 addr show dev eth0 to {VIP6}"));
                // An answer that took longer than the second for which the kernel waits.
                if !address.contains("tentative") {
                    lan.client.ip(&format!("addr del {VIP6}/64 dev eth0"));
                    lan.client.ip(&format!("addr add {VIP6}/64 dev eth0"));
                }
                address.contains("dadfailed")
            });
            lan.client.ip(&format!("addr del {VIP6}/64 dev eth0"));
        }
    });
}

/// A host asks a neighbour that it knows whether it is still there, by a frame to its MAC alone. Without an answer it
/// drops the entry, and with it the traffic.
#[test]
fn the_unicast_check_of_a_neighbour_is_answered() {
    for (vip, family, filter, question) in
        [(VIP4, "ipv4", "arp", "Request who-has 198.51.100.100"), (VIP6, "ipv6", "icmp6", "neighbor solicitation")]
    {
        let lan = Lan::new();
        lan.client.sysctl(&[(&format!("{family}/neigh/eth0/delay_first_probe_time"), "1")]).unwrap();
        while_answering(&lan, || {
            let mut capture = Capture::start(&lan.client, filter);
            lan.client.ip(&format!("neigh replace {vip} lladdr {NODE_MAC} dev eth0 nud stale"));
            lan.client.exec(&format!("bash -c echo>/dev/udp/{vip}/9")).unwrap();
            let asked = capture.line(|line| line.contains(&format!("{CLIENT_MAC} > {NODE_MAC}")) && line.contains(vip));
            assert!(asked.contains(question), "{asked}");
            until("the neighbour to be confirmed", || {
                lan.client.ip(&format!("neigh show {vip} dev eth0")).contains("REACHABLE")
            });
        });
    }
}

/// Tells threads to end, also in a panic.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A client's kernel checks its neighbour about every half a minute for as long as it talks; here every other second.
#[test]
fn a_client_that_goes_on_talking_to_an_ipv6_vip_loses_nothing() {
    const CHECKS: usize = 5;
    let lan = Lan::new();
    let timing = [("ipv6/neigh/eth0/base_reachable_time_ms", "500"), ("ipv6/neigh/eth0/delay_first_probe_time", "1")];
    lan.client.sysctl(&timing).unwrap();
    // On lo it is the node's own, and the node's kernel answers no questions for it on the LAN.
    lan.node.ip(&format!("addr add {VIP6}/128 dev lo"));
    let vip: IpAddr = VIP6.parse().unwrap();
    let server = lan.node.enter(|| UdpSocket::bind((vip, 0)).unwrap()).unwrap();
    let client = lan.client.enter(|| UdpSocket::bind("[::]:0").unwrap()).unwrap();
    client.connect(server.local_addr().unwrap()).unwrap();
    server.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    // What is lost never comes.
    client.set_read_timeout(Some(LONG)).unwrap();
    let counters = while_answering(&lan, || {
        let mut checks = Capture::start(&lan.client, &format!("icmp6 and ip6[40] == 135 and dst host {VIP6}"));
        let (done, silent) = (AtomicBool::new(false), AtomicBool::new(false));
        std::thread::scope(|scope| {
            // Until the client says no more: what it asked last is to be answered, too.
            scope.spawn(|| {
                while !silent.load(Ordering::Relaxed) {
                    if let Ok((len, peer)) = server.recv_from(&mut [0; 8]) {
                        server.send_to(&[0; 8][..len], peer).unwrap();
                    }
                }
            });
            let talk = scope.spawn(|| {
                let _silent = Stop(&silent);
                let mut answered = 0;
                while !done.load(Ordering::Relaxed) {
                    client.send(b"?").unwrap();
                    client.recv(&mut [0; 8]).unwrap_or_else(|error| panic!("datagram {answered} was lost: {error}"));
                    answered += 1;
                }
            });
            let stop = Stop(&done);
            for _ in 0..CHECKS {
                if talk.is_finished() {
                    break;
                }
                checks.line(|line| line.contains("source link-address"));
            }
            drop(stop);
            talk.join().unwrap();
        });
    });
    assert!(counters.answered >= CHECKS as u64, "{counters:?}");
}

#[test]
fn gratuitous_frames_replace_a_neighbours_entry_and_have_their_form() {
    let lan = Lan::new();
    let index = lan.node.index("eth0");
    let mut capture =
        Capture::start(&lan.client, "ether src 02:00:00:00:00:0a and (arp or (icmp6 and ip6[40] == 136))");
    for vip in [VIP4, VIP6] {
        lan.client.ip(&format!("neigh replace {vip} lladdr 02:00:00:00:00:0c dev eth0 nud reachable"));
    }
    lan.node.block_on(async || {
        let socket = PacketSocket::open(index).unwrap();
        for vip in [VIP4, VIP6] {
            for frame in announcer::frames(vip.parse().unwrap(), MAC) {
                socket.send(&frame).unwrap();
            }
        }
    });
    for wanted in [
        &[NODE_MAC, "> ff:ff:ff:ff:ff:ff", "Request who-has 198.51.100.100 tell 198.51.100.100"][..],
        &[NODE_MAC, "> ff:ff:ff:ff:ff:ff", "Reply 198.51.100.100 is-at 02:00:00:00:00:0a"],
        &["> 33:33:00:00:00:01", "2001:db8::100 > ff02::1: ", "tgt is 2001:db8::100", "Flags [override]"],
        &["> 33:33:00:00:00:02", "2001:db8::100 > ff02::2: ", "tgt is 2001:db8::100", "Flags [override]"],
    ] {
        capture.line(|line| wanted.iter().all(|part| line.contains(part)));
    }
    for vip in [VIP4, VIP6] {
        until("the neighbour's entry to move", || {
            lan.client.ip(&format!("neigh show {vip} dev eth0")).contains(NODE_MAC)
        });
    }
}
