//! Neighbour solicitations and advertisements (RFC 4861, sections 4.3 and 4.4), with duplicate address detection
//! (RFC 4862), its nonce (RFC 7527) and the advertisement to routers (RFC 9131).
//!
//! The payload of a frame with ethertype [`IPV6`](super::ethernet::IPV6) becomes a [`Repr`] when it passes every check
//! of RFC 4861, sections 7.1.1 and 7.1.2; a `Repr` becomes a frame, checksum included. A packet with extension headers is
//! refused, and so a fragmented one, as RFC 6980 asks.

use super::ethernet::{self, Frame, Header, MacAddr};
use pnet_packet::{
    Packet,
    icmpv6::{
        self, Icmpv6Packet,
        ndp::{NeighborAdvertFlags as Flags, NeighborAdvertPacket},
    },
    ipv6::Ipv6Packet,
};
use std::net::Ipv6Addr;

const ICMPV6: u8 = 58;
const SOLICITATION: u8 = 135;
const ADVERTISEMENT: u8 = 136;
const HOP_LIMIT: u8 = 255;
const IPV6_LEN: usize = 40;
/// Octets of either message before its options.
const MESSAGE_LEN: usize = 24;
const SOURCE_LINK_LAYER: u8 = 1;
const TARGET_LINK_LAYER: u8 = 2;
const NONCE: u8 = 14;

/// All nodes of the link.
pub const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
/// All routers of the link.
pub const ALL_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2);

/// Why an IPv6 packet was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
pub enum Refused {
    /// It ends before its last field does.
    #[error("the packet is shorter than it says or must be")]
    Truncated,
    /// It is no IPv6 packet with ICMPv6 right behind its header.
    #[error("the packet is not ICMPv6")]
    NotIcmpv6,
    /// It is neither a neighbour solicitation nor an advertisement.
    #[error("the message is no neighbour solicitation or advertisement")]
    Type,
    /// Its hop limit is not 255: a router forwarded it, so it comes from elsewhere.
    #[error("the hop limit is not 255")]
    HopLimit,
    /// Its code is not 0.
    #[error("the code is not 0")]
    Code,
    /// Its checksum is wrong.
    #[error("the checksum is wrong")]
    Checksum,
    /// Its source is a group, or the loopback address, which is on no wire (RFC 4291, section 2.5.3).
    #[error("the source is a multicast or loopback address")]
    Source,
    /// Its target is no host's address on a wire.
    #[error("the target is a multicast, loopback or unspecified address")]
    Target,
    /// An option has length 0 or runs over the end, or the one with the sender's Ethernet address holds no station's.
    #[error("an option is malformed")]
    Option,
    /// A solicitation from `::` came to something else than the solicited-node group.
    #[error("a solicitation for duplicate address detection came to the wrong destination")]
    ProbeDestination,
    /// A solicitation from `::` carries a source link-layer address.
    #[error("a solicitation for duplicate address detection carries a link-layer address")]
    ProbeLinkLayer,
    /// An advertisement from `::`: nobody can advertise without an address.
    #[error("an advertisement comes from the unspecified address")]
    AdvertisementSource,
    /// An advertisement to a group says that it was solicited.
    #[error("an advertisement to a group claims to be solicited")]
    SolicitedGroup,
}

/// A checked neighbour solicitation or advertisement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Repr {
    /// The packet's source; unspecified in a solicitation for duplicate address detection.
    pub source: Ipv6Addr,
    /// The packet's destination.
    pub destination: Ipv6Addr,
    /// The address that is asked for or advertised.
    pub target: Ipv6Addr,
    /// What is said about the target.
    pub message: Message,
}

/// The two messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message {
    /// Who has the target?
    Solicitation {
        /// The asker's MAC; may be missing in a solicitation to one host.
        link_layer: Option<MacAddr>,
        /// What tells an own solicitation that came back from another's (RFC 7527).
        nonce: Option<[u8; 6]>,
    },
    /// The target is here.
    Advertisement {
        /// The sender is a router.
        router: bool,
        /// It answers a solicitation, and so confirms that the target can be reached.
        solicited: bool,
        /// It replaces what the receiver has cached.
        overriding: bool,
        /// The target's MAC; may be missing in an answer to a solicitation to one host.
        link_layer: Option<MacAddr>,
    },
}

impl Repr {
    /// Reads a frame's payload.
    pub fn parse(payload: &[u8]) -> Result<Self, Refused> {
        let ip = Ipv6Packet::new(payload).ok_or(Refused::Truncated)?;
        if ip.get_version() != 6 || ip.get_next_header().0 != ICMPV6 {
            return Err(Refused::NotIcmpv6);
        }
        let end = IPV6_LEN + usize::from(ip.get_payload_length());
        let octets = payload.get(IPV6_LEN..end).ok_or(Refused::Truncated)?;
        let icmp = Icmpv6Packet::new(octets).ok_or(Refused::Truncated)?;
        let kind = icmp.get_icmpv6_type().0;
        if !matches!(kind, SOLICITATION | ADVERTISEMENT) {
            return Err(Refused::Type);
        }
        if ip.get_hop_limit() != HOP_LIMIT {
            return Err(Refused::HopLimit);
        }
        if icmp.get_icmpv6_code().0 != 0 {
            return Err(Refused::Code);
        }
        let (source, destination) = (ip.get_source(), ip.get_destination());
        if icmp.get_checksum() != icmpv6::checksum(&icmp, &source, &destination) {
            return Err(Refused::Checksum);
        }
        // Both messages have the target at the same place and options behind it.
        let packet = NeighborAdvertPacket::new(icmp.packet()).ok_or(Refused::Truncated)?;
        let options = octets.get(MESSAGE_LEN..).ok_or(Refused::Truncated)?;
        let flags = packet.get_flags();
        let message = if kind == SOLICITATION {
            let Options { link_layer, nonce } = Options::parse(options, SOURCE_LINK_LAYER)?;
            Message::Solicitation { link_layer, nonce }
        } else {
            Message::Advertisement {
                router: flags & Flags::Router != 0,
                solicited: flags & Flags::Solicited != 0,
                overriding: flags & Flags::Override != 0,
                link_layer: Options::parse(options, TARGET_LINK_LAYER)?.link_layer,
            }
        };
        Self { source, destination, target: packet.get_target_addr(), message }.check()
    }

    /// The rules about addresses, which hold for both directions.
    fn check(self) -> Result<Self, Refused> {
        if self.source.is_multicast() || self.source.is_loopback() {
            return Err(Refused::Source);
        }
        if self.target.is_multicast() || self.target.is_loopback() || self.target.is_unspecified() {
            return Err(Refused::Target);
        }
        match self.message {
            Message::Solicitation { link_layer, .. } if self.source.is_unspecified() => {
                if self.destination != solicited_node(self.target) {
                    return Err(Refused::ProbeDestination);
                }
                if link_layer.is_some() {
                    return Err(Refused::ProbeLinkLayer);
                }
            }
            Message::Solicitation { .. } => {}
            Message::Advertisement { solicited, .. } => {
                if self.source.is_unspecified() {
                    return Err(Refused::AdvertisementSource);
                }
                if solicited && self.destination.is_multicast() {
                    return Err(Refused::SolicitedGroup);
                }
            }
        }
        Ok(self)
    }

    /// The frame that carries this packet between two stations.
    pub fn emit(&self, source: MacAddr, destination: MacAddr) -> Frame {
        let mut icmp = Frame::default();
        match self.message {
            Message::Solicitation { link_layer, nonce } => {
                icmp.push(&[SOLICITATION, 0, 0, 0, 0, 0, 0, 0]);
                icmp.push(&self.target.octets());
                push_option(&mut icmp, SOURCE_LINK_LAYER, link_layer.map(|mac| mac.octets()));
                push_option(&mut icmp, NONCE, nonce);
            }
            Message::Advertisement { router, solicited, overriding, link_layer } => {
                let flag = |set, flag| if set { flag } else { 0 };
                let flags =
                    flag(router, Flags::Router) | flag(solicited, Flags::Solicited) | flag(overriding, Flags::Override);
                icmp.push(&[ADVERTISEMENT, 0, 0, 0, flags, 0, 0, 0]);
                icmp.push(&self.target.octets());
                push_option(&mut icmp, TARGET_LINK_LAYER, link_layer.map(|mac| mac.octets()));
            }
        }
        if let Some(packet) = Icmpv6Packet::new(&icmp.clone()) {
            icmp.patch(2, &icmpv6::checksum(&packet, &self.source, &self.destination).to_be_bytes());
        }
        let mut frame = Header { destination, source, ethertype: ethernet::IPV6 }.emit();
        frame.push(&[0x60, 0, 0, 0, 0, icmp.len() as u8, ICMPV6, HOP_LIMIT]);
        frame.push(&self.source.octets());
        frame.push(&self.destination.octets());
        frame.push(&icmp);
        frame
    }

    /// The answer to this solicitation from the station `mac` that has its target (RFC 4861, section 7.2.4). Duplicate
    /// address detection is answered to everyone, since the asker has no address yet.
    pub fn advertisement(&self, mac: MacAddr) -> Self {
        let probe = self.source.is_unspecified();
        Self {
            source: self.target,
            destination: if probe { ALL_NODES } else { self.source },
            target: self.target,
            message: Message::Advertisement {
                router: false,
                solicited: !probe,
                overriding: true,
                link_layer: Some(mac),
            },
        }
    }
}

/// The solicitation for duplicate address detection of `target` (RFC 4862, section 5.4.2), from the station `mac`.
pub fn probe(mac: MacAddr, target: Ipv6Addr, nonce: [u8; 6]) -> Frame {
    let destination = solicited_node(target);
    let message = Message::Solicitation { link_layer: None, nonce: Some(nonce) };
    Repr { source: Ipv6Addr::UNSPECIFIED, destination, target, message }.emit(mac, multicast_mac(destination))
}

/// The question who has `target`, from the station with `mac` and `ip`.
pub fn solicitation(mac: MacAddr, ip: Ipv6Addr, target: Ipv6Addr) -> Frame {
    let destination = solicited_node(target);
    let message = Message::Solicitation { link_layer: Some(mac), nonce: None };
    Repr { source: ip, destination, target, message }.emit(mac, multicast_mac(destination))
}

/// The unsolicited advertisement of `ip` (RFC 4861, section 7.2.6) to `group`: [`ALL_NODES`], and [`ALL_ROUTERS`], whose
/// members make a new entry from it (RFC 9131, section 6.1). That RFC wants no override flag, since it has new addresses in
/// mind; a VIP moves, and a router that missed the advertisement to all nodes must drop the former owner's MAC too.
pub fn unsolicited(mac: MacAddr, ip: Ipv6Addr, group: Ipv6Addr) -> Frame {
    let message = Message::Advertisement { router: false, solicited: false, overriding: true, link_layer: Some(mac) };
    Repr { source: ip, destination: group, target: ip, message }.emit(mac, multicast_mac(group))
}

/// The solicited-node group of `address` (RFC 4291, section 2.7.1).
pub fn solicited_node(address: Ipv6Addr) -> Ipv6Addr {
    let [.., a, b, c] = address.octets();
    Ipv6Addr::from([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, a, b, c])
}

/// The MAC that stands for an IPv6 group (RFC 2464, section 7).
pub fn multicast_mac(group: Ipv6Addr) -> MacAddr {
    let [.., a, b, c, d] = group.octets();
    MacAddr(0x33, 0x33, a, b, c, d)
}

/// The options that matter here; the first of each kind counts.
#[derive(Default)]
struct Options {
    link_layer: Option<MacAddr>,
    nonce: Option<[u8; 6]>,
}

impl Options {
    /// Walks the options: type, length in units of eight octets, value. `kind` is the link-layer address that belongs to the
    /// message. The other one is skipped like unknown options, whatever it holds (RFC 4861, sections 7.1.1 and 7.1.2), and
    /// so is a nonce of another length than ours.
    fn parse(mut rest: &[u8], kind: u8) -> Result<Self, Refused> {
        let mut options = Self::default();
        while let [found, units, ..] = *rest {
            let length = usize::from(units) * 8;
            let option = rest.get(2..length).ok_or(Refused::Option)?;
            match found {
                NONCE => options.nonce = options.nonce.or(option.try_into().ok()),
                _ if found == kind => _ = options.link_layer.get_or_insert(link_layer(option)?),
                _ => {}
            }
            rest = &rest[length..];
        }
        if rest.is_empty() { Ok(options) } else { Err(Refused::Option) }
    }
}

fn link_layer(option: &[u8]) -> Result<MacAddr, Refused> {
    let octets: [u8; 6] = option.try_into().map_err(|_| Refused::Option)?;
    Some(MacAddr::from(octets)).filter(|mac| ethernet::is_station(*mac)).ok_or(Refused::Option)
}

fn push_option(frame: &mut Frame, kind: u8, value: Option<[u8; 6]>) {
    if let Some(value) = value {
        frame.push(&[kind, 1]);
        frame.push(&value);
    }
}

#[cfg(test)]
mod tests;
