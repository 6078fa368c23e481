//! What a frame says about an address: that its sender has it, or would like to.

use super::{Heard, Word};
use crate::wire::{
    arp,
    ethernet::{self, Header},
    ndp,
};

/// Reads a frame; none where it says nothing of the kind, or is malformed. A question from an address says that its sender has
/// that one.
pub fn heard(frame: &[u8]) -> Option<Heard> {
    let (header, payload) = Header::parse(frame).ok()?;
    match header.ethertype {
        ethernet::ARP => {
            let packet = arp::Repr::parse(payload).ok()?;
            let by = packet.sender_mac;
            match packet.operation {
                _ if !packet.sender_ip.is_unspecified() => {
                    Some(Heard { vip: packet.sender_ip.into(), by, what: Word::Has })
                }
                arp::Operation::Request => Some(Heard { vip: packet.target_ip.into(), by, what: Word::Wants(None) }),
                arp::Operation::Reply => None,
            }
        }
        ethernet::IPV6 => {
            let packet = ndp::Repr::parse(payload).ok()?;
            let vip = packet.target.into();
            match packet.message {
                ndp::Message::Advertisement { link_layer, .. } => {
                    Some(Heard { vip, by: link_layer.unwrap_or(header.source), what: Word::Has })
                }
                ndp::Message::Solicitation { nonce, .. } if packet.source.is_unspecified() => {
                    Some(Heard { vip, by: header.source, what: Word::Wants(nonce) })
                }
                ndp::Message::Solicitation { link_layer, .. } => {
                    let by = link_layer.unwrap_or(header.source);
                    Some(Heard { vip: packet.source.into(), by, what: Word::Has })
                }
            }
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::ethernet::MacAddr;
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    const V4: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 100);
    const ASKED4: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);
    const V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
    const BY: MacAddr = MacAddr(2, 0, 0, 0, 0, 0x66);

    #[test]
    fn each_form_of_a_claim_is_one_and_a_probe_is_a_wish() {
        let has = |vip: IpAddr| Some(Heard { vip, by: BY, what: Word::Has });
        let wants = |vip: IpAddr, nonce| Some(Heard { vip, by: BY, what: Word::Wants(nonce) });
        assert_eq!(heard(&arp::announcement(BY, V4)), has(V4.into()));
        assert_eq!(heard(&arp::gratuitous_reply(BY, V4)), has(V4.into()));
        assert_eq!(heard(&arp::request(BY, V4, ASKED4)), has(V4.into()));
        assert_eq!(heard(&arp::probe(BY, V4)), wants(V4.into(), None));
        assert_eq!(heard(&ndp::unsolicited(BY, V6, ndp::ALL_NODES)), has(V6.into()));
        assert_eq!(heard(&ndp::probe(BY, V6, [7; 6])), wants(V6.into(), Some([7; 6])));
        let asker = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 2);
        assert_eq!(heard(&ndp::solicitation(BY, asker, V6)), has(asker.into()));
        assert_eq!(heard(&[0; 60]), None);
    }
}
