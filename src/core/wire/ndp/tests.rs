//! Frames of Linux 6.18 and of ndisc6 1.0.5, captured between a (02:..:0a, 2001:db8::1) and b (02:..:0b, 2001:db8::2).

use super::*;
use crate::wire::testing::octets;
use proptest::prelude::*;

const A: MacAddr = MacAddr(2, 0, 0, 0, 0, 0x0a);
const B: MacAddr = MacAddr(2, 0, 0, 0, 0, 0x0b);
const IP_A: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
const IP_B: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 2);
const LOCAL_A: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0xff, 0xfe00, 0x0a);
const LOCAL_B: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0xff, 0xfe00, 0x0b);
const GROUP_B: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00, 2);

const KERNEL_PROBE: &str = "3333ff000002 02000000000b 86dd 60000000 0020 3a ff
    00000000000000000000000000000000 ff0200000000000000000001ff000002
    8700 53c1 00000000 20010db8000000000000000000000002 0e01 70f45f5a1ad2";
const KERNEL_SOLICITATION: &str = "3333ff000002 02000000000a 86dd 60000000 0020 3a ff
    20010db8000000000000000000000001 ff0200000000000000000001ff000002
    8700 1c1e 00000000 20010db8000000000000000000000002 0101 02000000000a";
const KERNEL_ADVERTISEMENT: &str = "02000000000a 02000000000b 86dd 60000000 0020 3a ff
    20010db8000000000000000000000002 20010db8000000000000000000000001
    8800 8a68 60000000 20010db8000000000000000000000002 0201 02000000000b";
const KERNEL_UNSOLICITED: &str = "333300000001 02000000000b 86dd 60000000 0020 3a ff
    20010db8000000000000000000000002 ff020000000000000000000000000001
    8800 f91e 20000000 20010db8000000000000000000000002 0201 02000000000b";
const KERNEL_NUD: &str = "02000000000a 02000000000b 86dd 60000000 0020 3a ff
    fe80000000000000000000fffe00000b 20010db8000000000000000000000001
    8700 1c99 00000000 20010db8000000000000000000000001 0101 02000000000b";
const KERNEL_ANSWER_TO_NUD: &str = "02000000000b 02000000000a 86dd 60000000 0018 3a ff
    20010db8000000000000000000000001 fe80000000000000000000fffe00000b
    8800 deac 40000000 20010db8000000000000000000000001";
const NDISC6_SOLICITATION: &str = "3333ff000002 02000000000a 86dd 60058616 0020 3a ff
    fe80000000000000000000fffe00000a ff0200000000000000000001ff000002
    8700 4c4d 00000000 20010db8000000000000000000000002 0101 02000000000a";

fn parse(frame: &[u8]) -> Result<Repr, Refused> {
    Repr::parse(&frame[Header::LEN..])
}

fn ask(link_layer: Option<MacAddr>, nonce: Option<[u8; 6]>) -> Message {
    Message::Solicitation { link_layer, nonce }
}

fn say(solicited: bool, overriding: bool, link_layer: Option<MacAddr>) -> Message {
    Message::Advertisement { router: false, solicited, overriding, link_layer }
}

/// The frame with `octet` at `offset`, and the checksum that belongs to it.
fn altered(hex: &str, offset: usize, octet: &[u8]) -> Vec<u8> {
    let mut frame = octets(hex);
    frame[offset..offset + octet.len()].copy_from_slice(octet);
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

#[test]
fn captured_frames_read_and_write_the_same() {
    let nonce = Some([0x70, 0xf4, 0x5f, 0x5a, 0x1a, 0xd2]);
    let cases = [
        (KERNEL_PROBE, (B, Ipv6Addr::UNSPECIFIED), (multicast_mac(GROUP_B), GROUP_B), IP_B, ask(None, nonce)),
        (KERNEL_SOLICITATION, (A, IP_A), (multicast_mac(GROUP_B), GROUP_B), IP_B, ask(Some(A), None)),
        (KERNEL_ADVERTISEMENT, (B, IP_B), (A, IP_A), IP_B, say(true, true, Some(B))),
        (KERNEL_UNSOLICITED, (B, IP_B), (multicast_mac(ALL_NODES), ALL_NODES), IP_B, say(false, true, Some(B))),
        (KERNEL_NUD, (B, LOCAL_B), (A, IP_A), IP_A, ask(Some(B), None)),
        (KERNEL_ANSWER_TO_NUD, (A, IP_A), (B, LOCAL_B), IP_A, say(true, false, None)),
    ];
    for (hex, (source_mac, source), (destination_mac, destination), target, message) in cases {
        let repr = Repr { source, destination, target, message };
        assert_eq!(parse(&octets(hex)), Ok(repr), "{hex}");
        assert_eq!(repr.emit(source_mac, destination_mac)[..], octets(hex), "{hex}");
    }
    // With a flow label, which is not kept.
    let repr = Repr { source: LOCAL_A, destination: GROUP_B, target: IP_B, message: ask(Some(A), None) };
    assert_eq!(parse(&octets(NDISC6_SOLICITATION)), Ok(repr));
}

#[test]
fn what_is_said_is_what_the_kernel_says() {
    let question = parse(&octets(KERNEL_SOLICITATION)).unwrap();
    assert_eq!(question.advertisement(B).emit(B, A)[..], octets(KERNEL_ADVERTISEMENT));
    assert_eq!(solicitation(A, IP_A, IP_B)[..], octets(KERNEL_SOLICITATION));
    assert_eq!(probe(B, IP_B, [0x70, 0xf4, 0x5f, 0x5a, 0x1a, 0xd2])[..], octets(KERNEL_PROBE));
    assert_eq!(unsolicited(B, IP_B, ALL_NODES)[..], octets(KERNEL_UNSOLICITED));
}

#[test]
fn duplicate_address_detection_is_answered_to_everyone() {
    let question = parse(&octets(KERNEL_PROBE)).unwrap();
    let answer = question.advertisement(A);
    assert_eq!(answer, Repr { source: IP_B, destination: ALL_NODES, target: IP_B, message: say(false, true, Some(A)) });
}

#[test]
fn each_check_refuses() {
    let group: &[u8] = &ALL_NODES.octets();
    let cases: [(&str, usize, &[u8], Refused); 19] = [
        (KERNEL_SOLICITATION, 14, &[0x40], Refused::NotIcmpv6),
        (KERNEL_SOLICITATION, 20, &[17], Refused::NotIcmpv6),
        (KERNEL_SOLICITATION, 18, &[0, 33], Refused::Truncated),
        (KERNEL_SOLICITATION, 21, &[254], Refused::HopLimit),
        (KERNEL_SOLICITATION, 54, &[134], Refused::Type),
        (KERNEL_SOLICITATION, 55, &[1], Refused::Code),
        (KERNEL_SOLICITATION, 22, group, Refused::Source),
        (KERNEL_SOLICITATION, 62, group, Refused::Target),
        (KERNEL_SOLICITATION, 62, &[0; 16], Refused::Target),
        (KERNEL_SOLICITATION, 79, &[0], Refused::Option),
        (KERNEL_SOLICITATION, 79, &[2], Refused::Option),
        (KERNEL_SOLICITATION, 79, &[255], Refused::Option),
        (KERNEL_SOLICITATION, 80, &[0x33], Refused::Option),
        (KERNEL_SOLICITATION, 80, &[0; 6], Refused::Option),
        (KERNEL_SOLICITATION, 22, &[0; 16], Refused::ProbeLinkLayer),
        (KERNEL_PROBE, 38, group, Refused::ProbeDestination),
        (KERNEL_UNSOLICITED, 22, &[0; 16], Refused::AdvertisementSource),
        (KERNEL_UNSOLICITED, 58, &[0x60], Refused::SolicitedGroup),
        (KERNEL_UNSOLICITED, 21, &[64], Refused::HopLimit),
    ];
    for (hex, offset, octet, refused) in cases {
        assert_eq!(parse(&altered(hex, offset, octet)), Err(refused), "{octet:x?} at {offset} of {hex}");
    }
    let frame = octets(KERNEL_SOLICITATION);
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
    let padded = [octets(KERNEL_ANSWER_TO_NUD), vec![0xff; 8]].concat();
    assert_eq!(parse(&padded), parse(&octets(KERNEL_ANSWER_TO_NUD)));
}

#[test]
fn an_unknown_option_is_skipped() {
    let frame = altered(KERNEL_PROBE, 78, &[25]);
    assert_eq!(parse(&frame).unwrap().message, ask(None, None));
}

proptest! {
    #[test]
    fn nothing_panics(payload in proptest::collection::vec(any::<u8>(), 0..128)) {
        _ = Repr::parse(&payload);
    }

    /// Past the checks that random octets never pass.
    #[test]
    fn no_message_panics(kind in 135u8..=136, body in proptest::collection::vec(any::<u8>(), 0..64)) {
        let mut frame = octets(KERNEL_SOLICITATION);
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
