//! Wireshark's dissectors as readers who know nothing of ours: every kind of frame that Landfall sends, by what they make of it.

use crate::lan::run;
use landfall_core::{
    announcer,
    responder::{self, Answer},
    wire::{
        arp,
        ethernet::{Header, MacAddr},
        heartbeat::{self, Kind, SpeakerId, SpeakerName},
        ndp,
        seal::Keys,
    },
};
use std::{
    collections::BTreeMap,
    io::Write,
    net::{Ipv4Addr, Ipv6Addr},
    process::Command,
    time::Duration,
};

const NODE: MacAddr = MacAddr(2, 0, 0, 0, 0, 0x0a);
const CLIENT: MacAddr = MacAddr(2, 0, 0, 0, 0, 0x0b);
const VIP4: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 100);
const CLIENT4: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 2);
const VIP6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x100);
const CLIENT6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 2);

/// What is asked of tshark. `_ws.expert` is there when it finds anything odd.
const FIELDS: [&str; 32] = [
    "_ws.expert",
    "_ws.malformed",
    "frame.len",
    "frame.protocols",
    "eth.dst",
    "eth.src",
    "eth.type",
    "arp.opcode",
    "arp.src.hw_mac",
    "arp.src.proto_ipv4",
    "arp.dst.hw_mac",
    "arp.dst.proto_ipv4",
    "arp.isprobe",
    "arp.isannouncement",
    "arp.isgratuitous",
    "ipv6.src",
    "ipv6.dst",
    "ipv6.hlim",
    "ipv6.flow",
    "icmpv6.type",
    "icmpv6.code",
    "icmpv6.checksum.status",
    "icmpv6.nd.ns.target_address",
    "icmpv6.nd.na.target_address",
    "icmpv6.nd.na.flag.r",
    "icmpv6.nd.na.flag.s",
    "icmpv6.nd.na.flag.o",
    "icmpv6.opt.type",
    "icmpv6.opt.length",
    "icmpv6.opt.linkaddr",
    "icmpv6.opt.nonce",
    "data.len",
];

/// The fields that tshark finds in each frame.
fn read(frames: &[Vec<u8>]) -> Vec<BTreeMap<&'static str, String>> {
    let mut file = tempfile::Builder::new().suffix(".pcap").tempfile().unwrap();
    file.write_all(&pcap(frames)).unwrap();
    let mut command = Command::new("tshark");
    command.args(["-n", "-T", "fields", "-E", "separator=|", "-r"]).arg(file.path());
    FIELDS.iter().for_each(|field| _ = command.args(["-e", field]));
    let text = run(&mut command).unwrap();
    let frame = |line: &str| {
        // From 4.2 on Wireshark spells truth out.
        let values = line.split('|').map(|value| value.replace("True", "1").replace("False", "0"));
        FIELDS.into_iter().zip(values).filter(|(_, value)| !value.is_empty()).collect()
    };
    text.lines().filter(|line| line.contains('|')).map(frame).collect()
}

/// A capture file: its header, then each frame behind its own, all in this machine's byte order.
fn pcap(frames: &[Vec<u8>]) -> Vec<u8> {
    let words = |words: &[u32]| words.iter().flat_map(|word| word.to_ne_bytes()).collect::<Vec<_>>();
    // Version 2.4, written as two half words; up to 65,535 octets of a frame; Ethernet.
    let mut file = words(&[0xa1b2_c3d4]);
    file.extend([2u16, 4].iter().flat_map(|half| half.to_ne_bytes()));
    file.extend(words(&[0, 0, 65_535, 1]));
    for (second, frame) in (1..).zip(frames) {
        file.extend(words(&[second, 0, frame.len() as u32, frame.len() as u32]));
        file.extend(frame);
    }
    file
}

/// What is the same in all frames of one kind, and what is not.
fn fields<'a>(parts: &[&[(&'a str, &str)]]) -> BTreeMap<&'a str, String> {
    parts.concat().into_iter().map(|(field, value)| (field, value.to_owned())).collect()
}

fn reply_to(question: &[u8]) -> Vec<u8> {
    match responder::answer(question, NODE, |address| address == VIP4 || address == VIP6) {
        Ok(Answer::Reply(reply)) => reply.to_vec(),
        other => panic!("{other:?}"),
    }
}

const ARP: [(&str, &str); 4] = [
    ("frame.len", "42"),
    ("frame.protocols", "eth:ethertype:arp"),
    ("eth.type", "0x0806"),
    ("arp.src.hw_mac", "02:00:00:00:00:0a"),
];

#[test]
fn wireshark_reads_our_arp() {
    let [announcement, reply] = announcer::frames(VIP4.into(), NODE).map(|frame| frame.to_vec());
    let frames = [
        reply_to(&arp::request(CLIENT, CLIENT4, VIP4)),
        reply_to(&arp::probe(CLIENT, VIP4)),
        announcement,
        reply,
        arp::probe(NODE, VIP4).to_vec(),
        arp::request(NODE, Ipv4Addr::new(198, 51, 100, 1), VIP4).to_vec(),
    ];
    let from = |sender| [("eth.src", "02:00:00:00:00:0a"), ("arp.src.proto_ipv4", sender)];
    let to_client = |ip| {
        [
            ("arp.opcode", "2"),
            ("eth.dst", "02:00:00:00:00:0b"),
            ("arp.dst.hw_mac", "02:00:00:00:00:0b"),
            ("arp.dst.proto_ipv4", ip),
        ]
    };
    let about_vip = [("eth.dst", "ff:ff:ff:ff:ff:ff"), ("arp.dst.proto_ipv4", "198.51.100.100")];
    let question = [("arp.opcode", "1"), ("arp.dst.hw_mac", "00:00:00:00:00:00")];
    let own = from("198.51.100.100");
    let gratuitous = ("arp.isgratuitous", "1");
    let expected = [
        fields(&[&ARP, &own, &to_client("198.51.100.2")]),
        fields(&[&ARP, &own, &to_client("0.0.0.0")]),
        fields(&[&ARP, &own, &about_vip, &question, &[gratuitous, ("arp.isannouncement", "1")]]),
        fields(&[&ARP, &own, &about_vip, &[("arp.opcode", "2"), ("arp.dst.hw_mac", "02:00:00:00:00:0a"), gratuitous]]),
        fields(&[&ARP, &from("0.0.0.0"), &about_vip, &question, &[("arp.isprobe", "1")]]),
        fields(&[&ARP, &from("198.51.100.1"), &about_vip, &question]),
    ];
    assert_eq!(read(&frames), expected);
}

#[test]
fn wireshark_reads_our_neighbour_discovery() {
    let [to_nodes, to_routers] = announcer::frames(VIP6.into(), NODE).map(|frame| frame.to_vec());
    let frames = [
        reply_to(&ndp::solicitation(CLIENT, CLIENT6, VIP6)),
        reply_to(&ndp::probe(CLIENT, VIP6, [1; 6])),
        to_nodes,
        to_routers,
        ndp::probe(NODE, VIP6, [1, 2, 3, 4, 5, 6]).to_vec(),
        ndp::solicitation(NODE, "2001:db8::1".parse().unwrap(), VIP6).to_vec(),
    ];
    let common = [
        ("frame.len", "86"),
        ("frame.protocols", "eth:ethertype:ipv6:icmpv6"),
        ("eth.type", "0x86dd"),
        ("eth.src", "02:00:00:00:00:0a"),
        ("ipv6.hlim", "255"),
        ("ipv6.flow", "0x000000"),
        ("icmpv6.code", "0"),
        // 1: good.
        ("icmpv6.checksum.status", "1"),
        ("icmpv6.opt.length", "1"),
    ];
    let advertisement = [
        ("icmpv6.type", "136"),
        ("ipv6.src", "2001:db8::100"),
        ("icmpv6.nd.na.target_address", "2001:db8::100"),
        ("icmpv6.nd.na.flag.r", "0"),
        ("icmpv6.nd.na.flag.o", "1"),
        ("icmpv6.opt.type", "2"),
        ("icmpv6.opt.linkaddr", "02:00:00:00:00:0a"),
    ];
    let solicitation = [("icmpv6.type", "135"), ("icmpv6.nd.ns.target_address", "2001:db8::100")];
    let (solicited, unsolicited) = (("icmpv6.nd.na.flag.s", "1"), ("icmpv6.nd.na.flag.s", "0"));
    let to = |mac, ip| [("eth.dst", mac), ("ipv6.dst", ip)];
    let nodes = to("33:33:00:00:00:01", "ff02::1");
    let group = to("33:33:ff:00:01:00", "ff02::1:ff00:100");
    let nonce = [("ipv6.src", "::"), ("icmpv6.opt.type", "14"), ("icmpv6.opt.nonce", "010203040506")];
    let asker = [("ipv6.src", "2001:db8::1"), ("icmpv6.opt.type", "1"), ("icmpv6.opt.linkaddr", "02:00:00:00:00:0a")];
    let expected = [
        fields(&[&common, &advertisement, &to("02:00:00:00:00:0b", "2001:db8::2"), &[solicited]]),
        fields(&[&common, &advertisement, &nodes, &[unsolicited]]),
        fields(&[&common, &advertisement, &nodes, &[unsolicited]]),
        fields(&[&common, &advertisement, &to("33:33:00:00:00:02", "ff02::2"), &[unsolicited]]),
        fields(&[&common, &solicitation, &group, &nonce]),
        fields(&[&common, &solicitation, &group, &asker]),
    ];
    assert_eq!(read(&frames), expected);
}

/// Nobody else knows the format: it must be Ethernet, of an ethertype that Wireshark leaves to others.
#[test]
fn wireshark_sees_a_heartbeat_as_ethernet_with_data() {
    let beat = heartbeat::Frame {
        cluster: 1,
        boot: 2,
        counter: 3,
        digest: 4,
        challenge: 5,
        interval: Duration::from_millis(100),
        ..heartbeat::Frame::new(SpeakerName::new("n").unwrap())
    };
    let ask = heartbeat::Frame { kind: Kind::Ask { suspect: SpeakerId(5) }, ..beat.clone() };
    let common = [
        ("frame.protocols", "eth:ethertype:data"),
        ("eth.type", "0x88b5"),
        ("eth.src", "02:00:00:00:00:0a"),
        ("eth.dst", "03:4c:46:00:00:01"),
    ];
    let keys = Keys::new(&[7; 32], &[]);
    let header = Header { destination: heartbeat::DESTINATION.into(), source: NODE, ethertype: heartbeat::ETHERTYPE };
    let frames = [beat, ask].map(|frame| [&header.emit()[..], &keys.seal(&frame, NODE, [1; 24])].concat());
    let length = |frame, data| fields(&[&common, &[("frame.len", frame), ("data.len", data)]]);
    assert_eq!(read(&frames), [length("128", "114"), length("136", "122")]);
}

/// The judge itself: it does say so when a frame is wrong.
#[test]
fn wireshark_objects_to_a_wrong_frame() {
    let mut wrong = ndp::solicitation(CLIENT, CLIENT6, VIP6).to_vec();
    wrong[56] ^= 1;
    let cut = ndp::solicitation(CLIENT, CLIENT6, VIP6)[..70].to_vec();
    for found in read(&[wrong, cut]) {
        assert!(found.contains_key("_ws.expert") || found.contains_key("_ws.malformed"), "{found:?}");
    }
}
