//! Frames that Linux and arping sent, from host a to host b or back; and each check with a frame that fails it.

use super::*;
use landfall_fixtures::frame;
use proptest::prelude::*;

const A: MacAddr = MacAddr(2, 0, 0, 0, 0, 0x0a);
const B: MacAddr = MacAddr(2, 0, 0, 0, 0, 0x0b);
const IP_A: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);
const IP_B: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 2);
const NOBODY: Ipv4Addr = Ipv4Addr::UNSPECIFIED;

fn parse(frame: &[u8]) -> Result<Repr, Refused> {
    Repr::parse(&frame[Header::LEN..])
}

#[test]
fn captured_frames_read_and_write_the_same() {
    use Operation::{Reply, Request};
    let cases = [
        ("arp-request", BROADCAST, Request, (A, IP_A), (ZERO, IP_B)),
        ("arp-reply", A, Reply, (B, IP_B), (A, IP_A)),
        ("arp-check", A, Request, (B, IP_B), (ZERO, IP_A)),
        ("arp-reply-to-probe", A, Reply, (B, IP_B), (A, NOBODY)),
        ("arp-announcement", BROADCAST, Request, (A, IP_A), (ZERO, IP_A)),
        ("arping-request", BROADCAST, Request, (A, IP_A), (BROADCAST, IP_B)),
        ("arping-unicast", B, Request, (A, IP_A), (B, IP_B)),
        ("arping-probe", BROADCAST, Request, (A, NOBODY), (BROADCAST, IP_B)),
        ("arping-announcement", BROADCAST, Request, (A, IP_A), (BROADCAST, IP_A)),
        ("arping-gratuitous-reply", BROADCAST, Reply, (A, IP_A), (A, IP_A)),
    ];
    for (name, destination, operation, (sender_mac, sender_ip), (target_mac, target_ip)) in cases {
        let repr = Repr { operation, sender_mac, sender_ip, target_mac, target_ip };
        assert_eq!(parse(&frame(name)), Ok(repr), "{name}");
        assert_eq!(repr.emit(destination)[..], frame(name), "{name}");
    }
}

#[test]
fn a_reply_is_the_kernels() {
    for (question, answer) in [("arp-request", "arp-reply"), ("arping-probe", "arp-reply-to-probe")] {
        let request = parse(&frame(question)).unwrap();
        assert_eq!(request.reply(B).emit(request.sender_mac)[..], frame(answer));
    }
}

#[test]
fn what_is_asked_and_announced_is_what_the_kernel_and_arping_send() {
    assert_eq!(request(A, IP_A, IP_B)[..], frame("arp-request"));
    assert_eq!(announcement(A, IP_A)[..], frame("arp-announcement"));
    assert_eq!(gratuitous_reply(A, IP_A)[..], frame("arping-gratuitous-reply"));
    // arping fills the target's MAC, which RFC 5227, section 2.1.1, asks to be zero in a probe, and which nobody reads.
    let mut zeroed = frame("arping-probe");
    zeroed[32..38].fill(0);
    assert_eq!(probe(A, IP_B)[..], zeroed);
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
        let mut frame = frame("arp-request");
        frame[offset..offset + octet.len()].copy_from_slice(octet);
        assert_eq!(parse(&frame), Err(refused), "{octet:x?} at {offset}");
    }
    let reply = Repr { sender_ip: NOBODY, ..parse(&frame("arp-reply")).unwrap() };
    assert_eq!(parse(&reply.emit(A)), Err(Refused::SenderIp), "a reply from nobody");
    let frame = frame("arp-request");
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
            Err(Refused::SenderIp) => prop_assert!(sender[0] == 127 || sender[0] >= 224 || reply && sender == [0; 4]),
            Err(other) => prop_assert!(false, "{}", other),
        }
    }
}
