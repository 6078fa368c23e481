//! Frames of Linux 6.18 and of arping 20221126, captured between a (02:..:0a, 198.51.100.1) and b (02:..:0b, 198.51.100.2).

use super::*;
use crate::wire::testing::octets;
use proptest::prelude::*;

const A: MacAddr = MacAddr(2, 0, 0, 0, 0, 0x0a);
const B: MacAddr = MacAddr(2, 0, 0, 0, 0, 0x0b);
const IP_A: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);
const IP_B: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 2);

const KERNEL_REQUEST: &str =
    "ffffffffffff 02000000000a 0806 0001 0800 06 04 0001 02000000000a c6336401 000000000000 c6336402";
const KERNEL_REPLY: &str =
    "02000000000a 02000000000b 0806 0001 0800 06 04 0002 02000000000b c6336402 02000000000a c6336401";
const KERNEL_NUD: &str =
    "02000000000a 02000000000b 0806 0001 0800 06 04 0001 02000000000b c6336402 000000000000 c6336401";
const ARPING_PROBE: &str =
    "ffffffffffff 02000000000a 0806 0001 0800 06 04 0001 02000000000a 00000000 ffffffffffff c6336402";
const KERNEL_REPLY_TO_PROBE: &str =
    "02000000000a 02000000000b 0806 0001 0800 06 04 0002 02000000000b c6336402 02000000000a 00000000";
const ARPING_ANNOUNCEMENT: &str =
    "ffffffffffff 02000000000a 0806 0001 0800 06 04 0001 02000000000a c6336401 ffffffffffff c6336401";
const ARPING_GRATUITOUS_REPLY: &str =
    "ffffffffffff 02000000000a 0806 0001 0800 06 04 0002 02000000000a c6336401 02000000000a c6336401";

fn parse(frame: &[u8]) -> Result<Repr, Refused> {
    Repr::parse(&frame[Header::LEN..])
}

#[test]
fn captured_frames_read_and_write_the_same() {
    use Operation::{Reply, Request};
    let cases = [
        (KERNEL_REQUEST, BROADCAST, Request, (A, IP_A), (ZERO, IP_B)),
        (KERNEL_REPLY, A, Reply, (B, IP_B), (A, IP_A)),
        (KERNEL_NUD, A, Request, (B, IP_B), (ZERO, IP_A)),
        (ARPING_PROBE, BROADCAST, Request, (A, Ipv4Addr::UNSPECIFIED), (BROADCAST, IP_B)),
        (KERNEL_REPLY_TO_PROBE, A, Reply, (B, IP_B), (A, Ipv4Addr::UNSPECIFIED)),
        (ARPING_ANNOUNCEMENT, BROADCAST, Request, (A, IP_A), (BROADCAST, IP_A)),
        (ARPING_GRATUITOUS_REPLY, BROADCAST, Reply, (A, IP_A), (A, IP_A)),
    ];
    for (hex, destination, operation, (sender_mac, sender_ip), (target_mac, target_ip)) in cases {
        let repr = Repr { operation, sender_mac, sender_ip, target_mac, target_ip };
        assert_eq!(parse(&octets(hex)), Ok(repr), "{hex}");
        assert_eq!(repr.emit(destination)[..], octets(hex), "{hex}");
    }
}

#[test]
fn a_reply_is_the_kernels() {
    for (question, answer) in [(KERNEL_REQUEST, KERNEL_REPLY), (ARPING_PROBE, KERNEL_REPLY_TO_PROBE)] {
        let request = parse(&octets(question)).unwrap();
        assert_eq!(request.reply(B).emit(request.sender_mac)[..], octets(answer));
    }
}

#[test]
fn what_announces_has_the_form_of_rfc_5227() {
    assert_eq!(gratuitous_reply(A, IP_A)[..], octets(ARPING_GRATUITOUS_REPLY));
    // arping fills the target's MAC, which section 2.1.1 asks to be zero in a probe, and which nobody reads.
    let zeroed = |hex: &str| {
        let mut frame = octets(hex);
        frame[32..38].fill(0);
        frame
    };
    assert_eq!(probe(A, IP_B)[..], zeroed(ARPING_PROBE));
    assert_eq!(announcement(A, IP_A)[..], zeroed(ARPING_ANNOUNCEMENT));
    assert_eq!(request(A, IP_A, IP_B)[..], octets(KERNEL_REQUEST));
}

#[test]
fn each_check_refuses() {
    let cases: [(usize, &[u8], Refused); 12] = [
        (14, &[0, 6], Refused::AddressSpace),
        (16, &[0x86, 0xdd], Refused::AddressSpace),
        (18, &[8], Refused::AddressSpace),
        (19, &[16], Refused::AddressSpace),
        (20, &[0, 0], Refused::Operation),
        (20, &[0, 3], Refused::Operation),
        (22, &[0, 0, 0, 0, 0, 0], Refused::SenderMac),
        (22, &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff], Refused::SenderMac),
        (22, &[1], Refused::SenderMac),
        (28, &[224, 0, 0, 1], Refused::SenderIp),
        (28, &[255, 255, 255, 255], Refused::SenderIp),
        (28, &[127], Refused::SenderIp),
    ];
    for (offset, octet, refused) in cases {
        let mut frame = octets(KERNEL_REQUEST);
        frame[offset..offset + octet.len()].copy_from_slice(octet);
        assert_eq!(parse(&frame), Err(refused), "{octet:x?} at {offset}");
    }
    let frame = octets(KERNEL_REQUEST);
    for len in Header::LEN..frame.len() {
        assert_eq!(parse(&frame[..len]), Err(Refused::Truncated), "{len} octets");
    }
    assert!(parse(&[&frame[..], &[0; 18]].concat()).is_ok(), "Ethernet's padding");
}

proptest! {
    #[test]
    fn nothing_panics(payload in proptest::collection::vec(any::<u8>(), 0..64)) {
        _ = Repr::parse(&payload);
    }

    #[test]
    fn what_is_written_is_read(
        reply in any::<bool>(), mac in any::<[u8; 6]>(), sender in any::<[u8; 4]>(),
        target_mac in any::<[u8; 6]>(), target in any::<[u8; 4]>(),
    ) {
        let repr = Repr {
            operation: if reply { Operation::Reply } else { Operation::Request },
            sender_mac: MacAddr::from(mac),
            sender_ip: sender.into(),
            target_mac: MacAddr::from(target_mac),
            target_ip: target.into(),
        };
        match parse(&repr.emit(BROADCAST)) {
            Ok(read) => prop_assert_eq!(read, repr),
            Err(Refused::SenderMac) => prop_assert!(mac[0] & 1 == 1 || mac == [0; 6]),
            Err(Refused::SenderIp) => prop_assert!(sender[0] == 127 || sender[0] >= 224),
            Err(other) => prop_assert!(false, "{}", other),
        }
    }
}
