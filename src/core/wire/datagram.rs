//! The way round for heartbeats: some access points and virtual switches drop ethertypes that they do not know, and none drops
//! IPv4. So the same sealed bytes go as a datagram to a group that never leaves the LAN and that every switch floods.
//!
//! The frame is written and read here, header by header, so that it goes through the packet socket like all others: no port is
//! open, no firewall asked, and no address needed.

use super::ethernet::{self, Header, MacAddr};
use pnet_packet::{
    ip::IpNextHeaderProtocols,
    ipv4::{self, Ipv4Flags, Ipv4Packet, MutableIpv4Packet},
    udp::{self, MutableUdpPacket, UdpPacket},
};
use std::net::Ipv4Addr;

/// Where it goes: for experiments (RFC 4727, section 2.4.2), in the block that routers do not forward and that switches do not
/// prune (RFC 4541, section 2.1.2).
pub const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 254);
/// The same as an Ethernet address (RFC 1112, section 6.4).
pub const DESTINATION: [u8; 6] = [0x01, 0x00, 0x5e, 0x00, 0x00, 0xfe];
/// The port where nothing else is said: for experiments (RFC 4727, section 6).
pub const PORT: u16 = 1021;
/// Octets before what is carried: Ethernet's, IPv4's and UDP's headers.
pub const HEADERS: usize = Header::LEN + IPV4 + UDP;

const IPV4: usize = 20;
const UDP: usize = 8;

/// The whole Ethernet frame around `sealed`, which is at most [`seal::LONGEST`](super::seal::LONGEST) octets, from an interface
/// with these addresses. Where it has no IPv4 address, that is 0.0.0.0.
pub fn emit(sealed: &[u8], source: MacAddr, address: Ipv4Addr, port: u16) -> Vec<u8> {
    let header = Header { destination: DESTINATION.into(), source, ethertype: ethernet::IPV4 };
    let mut frame = vec![0; HEADERS + sealed.len()];
    frame[..Header::LEN].copy_from_slice(&header.emit());
    frame[HEADERS..].copy_from_slice(sealed);
    if let Some(mut packet) = MutableUdpPacket::new(&mut frame[Header::LEN + IPV4..]) {
        packet.set_source(port);
        packet.set_destination(port);
        packet.set_length((UDP + sealed.len()) as u16);
        packet.set_checksum(udp::ipv4_checksum(&packet.to_immutable(), &address, &GROUP));
    }
    if let Some(mut packet) = MutableIpv4Packet::new(&mut frame[Header::LEN..]) {
        packet.set_version(4);
        packet.set_header_length(5);
        packet.set_total_length((IPV4 + UDP + sealed.len()) as u16);
        packet.set_flags(Ipv4Flags::DontFragment);
        packet.set_ttl(1);
        packet.set_next_level_protocol(IpNextHeaderProtocols::Udp);
        packet.set_source(address);
        packet.set_destination(GROUP);
        packet.set_checksum(ipv4::checksum(&packet.to_immutable()));
    }
    frame
}

/// What such a frame carries. None: it is another one. Checksums are not looked at: the seal is the better one.
pub fn parse(frame: &[u8], port: u16) -> Option<&[u8]> {
    let packet = Ipv4Packet::new(frame.get(Header::LEN..)?)?;
    let is_ours = packet.get_version() == 4
        && packet.get_header_length() == 5
        && packet.get_next_level_protocol() == IpNextHeaderProtocols::Udp
        && packet.get_destination() == GROUP
        && packet.get_fragment_offset() == 0
        && packet.get_flags() & Ipv4Flags::MoreFragments == 0;
    let start = Header::LEN + IPV4;
    let datagram = UdpPacket::new(frame.get(start..).filter(|_| is_ours)?)?;
    let length = usize::from(datagram.get_length());
    if datagram.get_destination() != port || length < UDP {
        return None;
    }
    frame.get(HEADERS..start + length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::{collection::vec, prelude::*};

    const SOURCE: MacAddr = MacAddr(2, 0, 0, 0, 0, 1);
    const ADDRESS: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 11);

    #[test]
    fn a_datagram_both_ways() {
        let frame = emit(b"sealed", SOURCE, ADDRESS, 1021);
        let expected = [
            &[0x01, 0x00, 0x5e, 0x00, 0x00, 0xfe, 2, 0, 0, 0, 0, 1, 0x08, 0x00][..],
            &[0x45, 0, 0, 34, 0, 0, 0x40, 0, 1, 17, 0x6e, 0x8e, 198, 51, 100, 11, 224, 0, 0, 254],
            &[0x03, 0xfd, 0x03, 0xfd, 0, 14, 0xb2, 0x64],
            b"sealed",
        ]
        .concat();
        assert_eq!(frame, expected);
        assert_eq!(parse(&frame, 1021), Some(&b"sealed"[..]));
        let padded = [&frame[..], &[0; 12]].concat();
        assert_eq!(parse(&padded, 1021), Some(&b"sealed"[..]), "Ethernet's padding");
    }

    #[test]
    fn others_are_told_apart() {
        let frame = emit(b"sealed", SOURCE, ADDRESS, 1021);
        assert_eq!(parse(&frame, 1022), None, "another port");
        for (at, octet, what) in [
            (14, 0x46, "options"),
            (14, 0x65, "IPv6"),
            (23, 6, "TCP"),
            (33, 253, "another group"),
            (20, 0x20, "a fragment, not the last"),
            (21, 1, "a fragment, not the first"),
            (39, 7, "a length below the header's"),
            (39, 200, "a length beyond the frame's end"),
        ] {
            let mut other = frame.clone();
            other[at] = octet;
            assert_eq!(parse(&other, 1021), None, "{what}");
        }
    }

    proptest! {
        #[test]
        fn no_octets_make_it_panic(octets in vec(any::<u8>(), 0..80)) {
            let _ = parse(&octets, 1021);
        }

        #[test]
        fn no_damage_makes_it_panic(at in 0..48usize, octet: u8, cut in 0..49usize) {
            let mut frame = emit(b"sealed", SOURCE, ADDRESS, 1021);
            frame[at] = octet;
            frame.truncate(cut);
            let _ = parse(&frame, 1021);
        }
    }
}
