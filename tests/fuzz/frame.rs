//! Any frame that a station on the LAN may send: it is read as Ethernet, ARP and NDP, and put to the responder.

use landfall_core::{
    responder::{self, Answer, Ignored},
    wire::{
        arp,
        ethernet::{self, Header, MacAddr},
        ndp,
    },
};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The station that answers, and its addresses: host b of the captured frames.
const US: MacAddr = MacAddr(2, 0, 0, 0, 0, 0x0b);
const OURS: [IpAddr; 2] =
    [IpAddr::V4(Ipv4Addr::new(198, 51, 100, 2)), IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 2))];

/// The captured frames.
pub fn seeds() -> Vec<(String, Vec<u8>)> {
    landfall_fixtures::frames().map(|(name, frame)| (name.to_owned(), frame)).collect()
}

/// The rules, for the frame as it is and with the checksum that chance would not find.
pub fn check(frame: &[u8]) {
    read(frame);
    answer(frame);
    if let Some(sealed) = sealed(frame) {
        read(&sealed);
        answer(&sealed);
    }
}

/// What is read is written the same: ARP octet by octet, NDP in all that is kept of it.
fn read(frame: &[u8]) {
    let Ok((header, payload)) = Header::parse(frame) else { return };
    if let Ok(packet) = arp::Repr::parse(payload) {
        let written = packet.emit(header.destination);
        assert_eq!(written[Header::LEN..], payload[..arp::Repr::LEN]);
    }
    if let Ok(packet) = ndp::Repr::parse(payload) {
        let written = packet.emit(header.source, header.destination);
        assert_eq!(ndp::Repr::parse(&written[Header::LEN..]), Ok(packet));
    }
}

/// Nobody makes us talk about an address that is not ours, or to ourselves.
fn answer(frame: &[u8]) {
    let nothing = responder::answer(frame, US, |_| false);
    assert!(nothing.is_err(), "{nothing:?} where no address is ours");
    let reaction = responder::answer(frame, US, |address| OURS.contains(&address));
    if Header::parse(frame).is_ok_and(|(header, _)| header.source == US) {
        assert_eq!(reaction, Err(Ignored::Own));
    }
    match reaction {
        Ok(Answer::Reply(reply)) => is_an_answer(&reply),
        Ok(Answer::Claimed { address, by }) => assert!(OURS.contains(&address) && by != US && ethernet::is_station(by)),
        Err(reason) => assert!(!reason.to_string().is_empty()),
    }
}

fn is_an_answer(reply: &[u8]) {
    let (header, payload) = Header::parse(reply).expect("an answer has a header");
    assert_eq!(header.source, US);
    assert_ne!(header.destination, US);
    if header.ethertype == ethernet::ARP {
        let packet = arp::Repr::parse(payload).expect("an answer can be read");
        assert_eq!((packet.operation, packet.sender_mac), (arp::Operation::Reply, US));
        assert!(OURS.contains(&packet.sender_ip.into()));
        assert_eq!((header.destination, ethernet::is_station(header.destination)), (packet.target_mac, true));
    } else {
        let packet = ndp::Repr::parse(payload).expect("an answer can be read");
        let ndp::Message::Advertisement { router: false, solicited, overriding: true, link_layer: Some(US) } =
            packet.message
        else {
            panic!("{packet:?}")
        };
        assert!(OURS.contains(&packet.target.into()) && packet.source == packet.target);
        assert_eq!(solicited, ethernet::is_station(header.destination), "everyone hears what nobody asked for");
        assert!(solicited || packet.destination == ndp::ALL_NODES);
    }
}

/// The frame with the ICMPv6 checksum of RFC 4443, section 2.3, where it is long enough to have one.
fn sealed(frame: &[u8]) -> Option<Vec<u8>> {
    let length = u16::from_be_bytes(frame.get(18..20)?.try_into().ok()?);
    let end = 54 + usize::from(length);
    let mut words = [frame.get(22..54)?, &[0, 0], &length.to_be_bytes(), &[0, 0, 0, 58], frame.get(54..end)?].concat();
    words.get_mut(42..44)?.fill(0);
    let sum = words.chunks(2).map(|word| u32::from(word[0]) << 8 | u32::from(*word.get(1).unwrap_or(&0)));
    let sum = sum.fold(0, |sum, word| ((sum + word) & 0xffff) + ((sum + word) >> 16));
    let mut sealed = frame.to_vec();
    sealed[56..58].copy_from_slice(&(!(sum as u16)).to_be_bytes());
    Some(sealed)
}
