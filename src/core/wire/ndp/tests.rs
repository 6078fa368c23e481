//! Frames that Linux and ndisc6 sent, between host a and host b; and each check with a frame that fails it.

use super::*;
use landfall_fixtures::frame;
use proptest::prelude::*;

const A: MacAddr = MacAddr(2, 0, 0, 0, 0, 0x0a);
const B: MacAddr = MacAddr(2, 0, 0, 0, 0, 0x0b);
const IP_A: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
const IP_B: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 2);
const LOCAL_A: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0xff, 0xfe00, 0x0a);
const LOCAL_B: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0xff, 0xfe00, 0x0b);
const NOBODY: Ipv6Addr = Ipv6Addr::UNSPECIFIED;
const GROUP_B: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00, 2);

fn parse(frame: &[u8]) -> Result<Repr, Refused> {
    Repr::parse(&frame[Header::LEN..])
}

fn ask(link_layer: Option<MacAddr>, nonce: Option<[u8; 6]>) -> Message {
    Message::Solicitation { link_layer, nonce }
}

fn say(solicited: bool, overriding: bool, link_layer: Option<MacAddr>) -> Message {
    Message::Advertisement { router: false, solicited, overriding, link_layer }
}

/// The captured frame with `octet` at `offset`, and the checksum that belongs to it.
fn altered(name: &str, offset: usize, octet: &[u8]) -> Vec<u8> {
    let mut frame = frame(name);
    frame[offset..offset + octet.len()].copy_from_slice(octet);
    sealed(frame)
}

fn sealed(mut frame: Vec<u8>) -> Vec<u8> {
    let sum = naive_checksum(&frame).to_be_bytes();
    frame[56..58].copy_from_slice(&sum);
    frame
}

/// RFC 4443, section 2.3, word by word.
fn naive_checksum(frame: &[u8]) -> u16 {
    let mut words = [&frame[22..54], &[0, 0, 0, (frame.len() - 54) as u8, 0, 0, 0, 58], &frame[54..]].concat();
    words[42..44].fill(0);
    let mut sum: u32 = words.chunks(2).map(|w| u32::from(w[0]) << 8 | u32::from(*w.get(1).unwrap_or(&0))).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// The nonce in Linux's probe.
fn nonce() -> [u8; 6] {
    frame("ndp-probe")[80..].try_into().unwrap()
}

#[test]
fn captured_frames_read_and_write_the_same() {
    let group = (multicast_mac(GROUP_B), GROUP_B);
    let everyone = (multicast_mac(ALL_NODES), ALL_NODES);
    let cases = [
        ("ndp-solicitation", (A, IP_A), group, IP_B, ask(Some(A), None)),
        ("ndp-advertisement", (B, IP_B), (A, IP_A), IP_B, say(true, true, Some(B))),
        ("ndp-check", (B, LOCAL_B), (A, IP_A), IP_A, ask(Some(B), None)),
        ("ndp-answer-to-check", (A, IP_A), (B, LOCAL_B), IP_A, say(true, false, None)),
        ("ndp-probe", (B, NOBODY), group, IP_B, ask(None, Some(nonce()))),
        ("ndp-probe-without-nonce", (B, NOBODY), group, IP_B, ask(None, None)),
        ("ndp-answer-to-probe", (A, IP_A), everyone, IP_A, say(false, true, Some(A))),
        ("ndp-unsolicited", (B, IP_B), everyone, IP_B, say(false, true, Some(B))),
    ];
    for (name, (source_mac, source), (destination_mac, destination), target, message) in cases {
        let repr = Repr { source, destination, target, message };
        assert_eq!(parse(&frame(name)), Ok(repr), "{name}");
        assert_eq!(repr.emit(source_mac, destination_mac)[..], frame(name), "{name}");
    }
    let message = Message::Advertisement { router: true, solicited: true, overriding: true, link_layer: Some(B) };
    let repr = Repr { source: IP_B, destination: IP_A, target: IP_B, message };
    assert_eq!(parse(&frame("ndp-advertisement-of-a-router")), Ok(repr));
    assert_eq!(repr.emit(B, A)[..], frame("ndp-advertisement-of-a-router"));
    // With a flow label, which is not kept.
    let repr = Repr { source: LOCAL_A, destination: GROUP_B, target: IP_B, message: ask(Some(A), None) };
    assert_eq!(parse(&frame("ndisc6-solicitation")), Ok(repr));
}

#[test]
fn icmpv6_that_is_no_neighbour_discovery_is_refused_by_what_it_is() {
    for name in ["port-unreachable", "router-solicitation", "router-advertisement"] {
        assert_eq!(parse(&frame(name)), Err(Refused::Type), "{name}");
    }
    // Behind a hop-by-hop header.
    assert_eq!(parse(&frame("mld-report")), Err(Refused::NotIcmpv6));
}

#[test]
fn what_is_said_is_what_the_kernel_says() {
    let question = parse(&frame("ndp-solicitation")).unwrap();
    assert_eq!(question.advertisement(B).emit(B, A)[..], frame("ndp-advertisement"));
    assert_eq!(solicitation(A, IP_A, IP_B)[..], frame("ndp-solicitation"));
    assert_eq!(probe(B, IP_B, nonce())[..], frame("ndp-probe"));
    assert_eq!(unsolicited(B, IP_B, ALL_NODES)[..], frame("ndp-unsolicited"));
    let question = parse(&probe(B, IP_A, nonce())).unwrap();
    let answer = question.advertisement(A);
    assert_eq!(answer.emit(A, multicast_mac(answer.destination))[..], frame("ndp-answer-to-probe"), "to everyone");
}

#[test]
fn each_check_refuses() {
    let group: &[u8] = &ALL_NODES.octets();
    let loopback: &[u8] = &Ipv6Addr::LOCALHOST.octets();
    let cases: [(&str, usize, &[u8], Refused); 22] = [
        ("ndp-solicitation", 14, &[0x40], Refused::NotIcmpv6),
        ("ndp-solicitation", 20, &[17], Refused::NotIcmpv6),
        ("ndp-solicitation", 18, &[0, 33], Refused::Truncated),
        ("ndp-solicitation", 21, &[254], Refused::HopLimit),
        ("ndp-solicitation", 54, &[134], Refused::Type),
        ("ndp-solicitation", 55, &[1], Refused::Code),
        ("ndp-solicitation", 22, group, Refused::Source),
        ("ndp-solicitation", 22, loopback, Refused::Source),
        ("ndp-solicitation", 62, group, Refused::Target),
        ("ndp-solicitation", 62, loopback, Refused::Target),
        ("ndp-solicitation", 62, &[0; 16], Refused::Target),
        ("ndp-solicitation", 79, &[0], Refused::Option),
        ("ndp-solicitation", 79, &[2], Refused::Option),
        ("ndp-solicitation", 79, &[255], Refused::Option),
        ("ndp-solicitation", 80, &[0x33], Refused::Option),
        ("ndp-solicitation", 80, &[0; 6], Refused::Option),
        ("ndp-solicitation", 22, &[0; 16], Refused::ProbeLinkLayer),
        ("ndp-probe", 38, group, Refused::ProbeDestination),
        ("ndp-unsolicited", 22, &[0; 16], Refused::AdvertisementSource),
        ("ndp-unsolicited", 58, &[0x60], Refused::SolicitedGroup),
        ("ndp-unsolicited", 21, &[64], Refused::HopLimit),
        ("ndp-unsolicited", 80, &[0x33], Refused::Option),
    ];
    for (name, offset, octet, refused) in cases {
        assert_eq!(parse(&altered(name, offset, octet)), Err(refused), "{octet:x?} at {offset} of {name}");
    }
    let frame = frame("ndp-solicitation");
    for len in Header::LEN..frame.len() {
        assert_eq!(parse(&frame[..len]), Err(Refused::Truncated), "{len} octets");
    }
    for (offset, _) in frame.iter().enumerate().skip(54) {
        let mut frame = frame.clone();
        frame[offset] ^= 0x10;
        assert!(parse(&frame).is_err(), "a bit turned over at {offset}");
    }
}

#[test]
fn a_message_ends_where_the_header_says() {
    let padded = [frame("ndp-answer-to-check"), vec![0xff; 8]].concat();
    assert_eq!(parse(&padded), parse(&frame("ndp-answer-to-check")));
}

#[test]
fn an_option_that_means_nothing_in_a_message_is_skipped_whatever_it_holds() {
    for option in [[25, 1, 1, 2, 3, 4, 5, 6], [TARGET_LINK_LAYER, 1, 0, 0, 0, 0, 0, 0]] {
        assert_eq!(parse(&altered("ndp-probe", 78, &option)).unwrap().message, ask(None, None), "{option:x?}");
    }
    let option = [SOURCE_LINK_LAYER, 1, 0x33, 0, 0, 0, 0, 0];
    assert_eq!(parse(&altered("ndp-unsolicited", 78, &option)).unwrap().message, say(false, true, None));
}

#[test]
fn a_nonce_of_another_length_is_not_ours() {
    let mut frame = [frame("ndp-probe"), vec![0; 8]].concat();
    frame[19] += 8;
    frame[79] = 2;
    assert_eq!(parse(&sealed(frame)).unwrap().message, ask(None, None));
}

proptest! {
    #[test]
    fn nothing_panics(payload in proptest::collection::vec(any::<u8>(), 0..128)) {
        _ = Repr::parse(&payload);
    }

    /// Past the checks that random octets never pass.
    #[test]
    fn no_message_panics(kind in 135u8..=136, body in proptest::collection::vec(any::<u8>(), 0..64)) {
        let mut frame = frame("ndp-solicitation");
        frame.truncate(54);
        frame[19] = (4 + body.len()) as u8;
        frame.extend([kind, 0, 0, 0]);
        frame.extend(body);
        let sum = naive_checksum(&frame).to_be_bytes();
        frame[56..58].copy_from_slice(&sum);
        prop_assert_ne!(parse(&frame), Err(Refused::Checksum));
    }

    #[test]
    fn what_is_written_is_read(
        source in any::<u128>(), destination in any::<u128>(), target in any::<u128>(),
        kind in any::<bool>(), flags in any::<[bool; 3]>(), mac in any::<Option<[u8; 6]>>(), nonce in any::<Option<[u8; 6]>>(),
    ) {
        let link_layer = mac.map(|mut mac| { mac[0] &= 0xfe; mac[5] |= 1; MacAddr::from(mac) });
        let [router, solicited, overriding] = flags;
        let message = if kind {
            Message::Solicitation { link_layer, nonce }
        } else {
            Message::Advertisement { router, solicited, overriding, link_layer }
        };
        let repr = Repr { source: source.into(), destination: destination.into(), target: target.into(), message };
        let frame = repr.emit(A, B);
        prop_assert_eq!(naive_checksum(&frame).to_be_bytes(), [frame[56], frame[57]]);
        prop_assert_eq!(parse(&frame), repr.check());
    }
}
