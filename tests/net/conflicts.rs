//! A foreign host that uses a VIP, before the first announcement and after it, in both families: the LAN's client is that host.

use crate::{
    capture::Capture,
    lan::{CLIENT_MAC, Host, Lan, NODE_MAC},
    speaking::{Speaking, VIP, owner_of_two, speaking, speaking_of},
};
use landfall::{
    cluster::{
        Change,
        accepted::Accepted,
        node::{Exclusion, Node},
        record::{Phase, Record},
        service::Announced,
    },
    net::PacketSocket,
    speaker::desired::Seen,
};
use landfall_core::{alloc::ServiceKey, announcer::frames, config::Labels, wire::ethernet::MacAddr};
use std::net::IpAddr;

const VIP6: &str = "2001:db8::100";
const BOTH: [&str; 2] = [VIP, VIP6];

/// The configuration with both families' VIPs, and what it says of conflicts.
fn conflict(says: &str) -> Seen {
    let config =
        format!("pools: [{{name: a, addresses: [{VIP}, '{VIP6}']}}]\nannouncements: [{{conflict: {{{says}}}}}]");
    Seen::Accepted(Change::Applied(Accepted { config: Some(config), cluster: Some("c".into()), ..Accepted::default() }))
}

/// A Service with this VIP alone, which was announced before or not.
fn service(vip: &str, was_announced: bool) -> Seen {
    let key = ServiceKey::new("default", "web");
    let vips: Vec<IpAddr> = vec![vip.parse().unwrap()];
    let announced = if was_announced { vips.clone() } else { Vec::new() };
    let (uid, labels) = ("2".into(), Labels::default());
    Seen::Service(Change::Applied(Announced { key, uid, labels, vips, announced, recorded: true, local: false }))
}

fn owns(record: &Record, vip: &str) -> bool {
    record.owned().contains(vip.parse().unwrap())
}

/// The station that uses the VIP by this record, and when it was found.
fn foreign(record: &Record, vip: &str) -> Option<(String, Phase)> {
    let vip: IpAddr = vip.parse().unwrap();
    let (_, found) = record.conflicts().find(|(_, found)| found.vip == vip)?;
    Some((found.mac.clone(), found.phase))
}

impl Speaking {
    fn finds(&mut self, vip: &str, phase: Phase) {
        let found = Some((CLIENT_MAC.to_owned(), phase));
        self.report_until("the foreign host is found", |record| foreign(record, vip) == found);
    }

    fn owns(&mut self, vip: &str) {
        self.report_until("it answers", |record| owns(record, vip));
    }
}

/// The client has the VIP.
fn add(lan: &Lan, vip: &str) {
    let how = if vip.contains(':') { "/128 dev eth0 nodad" } else { "/32 dev eth0" };
    lan.client.ip(&format!("addr add {vip}{how}"));
}

/// The client says that it has the VIP, which its kernel does not.
fn claim(lan: &Lan, vip: &str) {
    announce(&lan.client, vip, MacAddr::new(2, 0, 0, 0, 0, 0x0b));
}

/// A host announces an address.
fn announce(host: &Host, address: &str, mac: MacAddr) {
    let index = host.index("eth0");
    host.block_on(async || {
        let socket = PacketSocket::open(index).unwrap();
        frames(address.parse().unwrap(), mac).iter().for_each(|frame| socket.send(frame).unwrap());
    });
}

/// One speaker with this VIP.
fn one(lan: &Lan, vip: &str, was_announced: bool, says: &str, judge: impl FnOnce(&mut Speaking)) {
    speaking_of(&lan.node, vec![service(vip, was_announced), conflict(says)], judge);
}

/// Whether tcpdump's line is a frame's first about the VIP: options are on lines of their own.
fn is_about(line: &str, vip: &str) -> bool {
    line.contains(vip) && !line.contains("option")
}

/// Whether tcpdump's line is a question from no address.
fn is_probe(line: &str) -> bool {
    line.contains("Probe") || line.contains("tell 0.0.0.0") || line.contains(" :: > ")
}

/// What the client sees of the speaker's announcements of a VIP.
fn announcements(lan: &Lan, vip: &str) -> Capture {
    let what = if vip.contains(':') { "icmp6 and ip6[40] == 136" } else { "arp and arp[14:4] != 0" };
    Capture::start(&lan.client, &format!("ether src {NODE_MAC} and {what}"))
}

#[test]
fn a_vip_that_a_host_has_is_not_announced_until_it_is_told_otherwise() {
    for vip in BOTH {
        let lan = Lan::new();
        add(&lan, vip);
        let mut capture = announcements(&lan, vip);
        one(&lan, vip, false, "probe: fast", |speaker| {
            speaker.finds(vip, Phase::Probe);
            assert!(!owns(&speaker.record(), vip));
            // What the node had announced before this comes before it.
            let marker = if vip == VIP { "198.51.100.222" } else { "2001:db8::222" };
            announce(&lan.node, marker, MacAddr::new(2, 0, 0, 0, 0, 0x0a));
            let first = capture.line(|line| is_about(line, vip) || is_about(line, marker));
            assert!(is_about(&first, marker), "it was announced: {first}");
            lan.client.ip(&format!("addr del {vip}{} dev eth0", if vip.contains(':') { "/128" } else { "/32" }));
            speaker.see([conflict("probe: off")]);
            speaker.owns(vip);
            capture.line(|line| is_about(line, vip));
        });
    }
}

#[test]
fn a_vip_that_nobody_has_is_probed_thrice_before_it_is_announced() {
    for vip in BOTH {
        let lan = Lan::new();
        let mut capture = Capture::start(&lan.client, &format!("ether src {NODE_MAC} and (arp or icmp6)"));
        one(&lan, vip, false, "probe: fast", |speaker| {
            speaker.owns(vip);
            let seen: Vec<String> = (0..4).map(|_| capture.line(|line| is_about(line, vip))).collect();
            assert_eq!(seen.iter().take_while(|line| is_probe(line)).count(), 3, "{seen:#?}");
        });
    }
}

#[test]
fn a_vip_that_was_announced_before_is_not_probed() {
    let lan = Lan::new();
    let mut capture = Capture::start(&lan.client, &format!("arp and ether src {NODE_MAC}"));
    one(&lan, VIP, true, "probe: rfc", |speaker| {
        speaker.owns(VIP);
        let first = capture.line(|line| is_about(line, VIP));
        assert!(!is_probe(&first), "{first}");
    });
}

#[test]
fn a_take_over_from_a_speaker_that_was_heard_announcing_is_not_probed() {
    let lan = Lan::new();
    speaking(&[("n1", &lan.node), ("n2", &lan.client)], |speakers| {
        speakers.iter_mut().for_each(|speaker| speaker.see([service(VIP, false), conflict("probe: fast")]));
        let owner = owner_of_two(speakers);
        let [one, two] = speakers else { panic!("two speakers") };
        let (owner, other, mac) = if owner == 0 { (one, two, CLIENT_MAC) } else { (two, one, NODE_MAC) };
        let mut capture = Capture::start(&lan.client, &format!("arp and ether src {mac}"));
        let (name, labels) = ("n".into(), Labels::default());
        owner.see([Seen::Node(Change::Applied(Node { name, labels, excluded: Some(Exclusion::Label) }))]);
        other.owns(VIP);
        let first = capture.line(|line| is_about(line, VIP));
        assert!(!is_probe(&first), "{first}");
    });
}

#[test]
fn a_host_that_claims_an_announced_vip_is_told_and_defended_against() {
    for vip in BOTH {
        let lan = Lan::new();
        let mut capture = announcements(&lan, vip);
        one(&lan, vip, true, "policy: defend", |speaker| {
            speaker.owns(vip);
            // Each of the first four announcements is two frames; the next would come after a minute.
            (0..8).for_each(|_| _ = capture.line(|line| is_about(line, vip)));
            claim(&lan, vip);
            speaker.finds(vip, Phase::Watch);
            capture.line(|line| is_about(line, vip));
            assert!(owns(&speaker.record(), vip));
        });
    }
}

#[test]
fn a_host_that_claims_an_announced_vip_has_it_where_that_is_the_policy() {
    for vip in BOTH {
        let lan = Lan::new();
        one(&lan, vip, true, "policy: yield", |speaker| {
            speaker.owns(vip);
            claim(&lan, vip);
            speaker.report_until("it is yielded", |record| foreign(record, vip).is_some() && !owns(record, vip));
            if vip == VIP {
                let silent = lan.client.exec(&format!("arping -b -c 2 -w 2 -I eth0 {vip}"));
                assert!(silent.is_err(), "{silent:?}");
            }
        });
    }
}

#[test]
fn a_host_that_claims_an_announced_vip_is_told_and_ignored_where_that_is_the_policy() {
    for vip in BOTH {
        let lan = Lan::new();
        one(&lan, vip, true, "policy: ignore", |speaker| {
            speaker.owns(vip);
            claim(&lan, vip);
            speaker.finds(vip, Phase::Watch);
            assert!(owns(&speaker.record(), vip));
            if vip == VIP {
                let said = lan.client.exec(&format!("arping -b -f -w 5 -I eth0 {vip}")).unwrap().to_lowercase();
                assert!(said.contains(NODE_MAC), "{said}");
            }
        });
    }
}
