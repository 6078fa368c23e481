//! Answers ARP requests and neighbour solicitations for the VIPs that this speaker owns.
//!
//! A frame from the packet socket goes in; out comes the frame that answers it, word of another station that claims an
//! address of ours, or the reason why nothing is done. Pure: who owns what is asked from the caller, the socket is the
//! caller's too.

mod words;

use crate::wire::{
    arp,
    ethernet::{self, BROADCAST, Frame, Header, MacAddr},
    ndp,
};
use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv6Addr},
};

/// What a frame leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// To be sent on the interface that the frame came from.
    Reply(Frame),
    /// Another station says that an address of ours is its own: a peer that took over, or a conflict (RFC 5227, section
    /// 2.4). Nothing is sent.
    Claimed {
        /// Our address.
        address: IpAddr,
        /// The station that claims it.
        by: MacAddr,
    },
}

/// Why a frame is not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Ignored {
    /// Its Ethernet header is malformed.
    #[error(transparent)]
    Ethernet(#[from] ethernet::Refused),
    /// Its ARP packet is malformed.
    #[error(transparent)]
    Arp(#[from] arp::Refused),
    /// Its IPv6 packet is malformed.
    #[error(transparent)]
    Ndp(#[from] ndp::Refused),
    /// It is neither ARP nor IPv6.
    #[error("the frame is neither ARP nor IPv6")]
    Ethertype,
    /// We sent it, and a loop brought it back.
    #[error("the frame is our own")]
    Own,
    /// It is for another station, or for a group that does not fit its question.
    #[error("the frame is for somebody else")]
    Destination,
    /// It asks for an address that is not ours to answer for.
    #[error("the address asked for is not owned here")]
    NotOwned,
    /// It says something about an address that is not ours, or agrees with us.
    #[error("the frame asks nothing")]
    NoQuestion,
}

/// The reaction to `frame`, heard on an interface whose MAC is `mac`, of a speaker that answers for the addresses which
/// `owns` says are its own.
pub fn answer(frame: &[u8], mac: MacAddr, owns: impl Fn(IpAddr) -> bool) -> Result<Answer, Ignored> {
    let (header, payload) = Header::parse(frame)?;
    if header.source == mac {
        return Err(Ignored::Own);
    }
    match header.ethertype {
        ethernet::ARP => answer_arp(header, arp::Repr::parse(payload)?, mac, owns),
        ethernet::IPV6 => answer_ndp(header, ndp::Repr::parse(payload)?, mac, owns),
        _ => Err(Ignored::Ethertype),
    }
}

fn answer_arp(
    header: Header,
    packet: arp::Repr,
    mac: MacAddr,
    owns: impl Fn(IpAddr) -> bool,
) -> Result<Answer, Ignored> {
    if header.destination != mac && header.destination != BROADCAST {
        return Err(Ignored::Destination);
    }
    if packet.sender_mac == mac {
        return Err(Ignored::Own);
    }
    if owns(packet.sender_ip.into()) {
        return Ok(Answer::Claimed { address: packet.sender_ip.into(), by: packet.sender_mac });
    }
    match packet.operation {
        arp::Operation::Reply => Err(Ignored::NoQuestion),
        arp::Operation::Request if !owns(packet.target_ip.into()) => Err(Ignored::NotOwned),
        arp::Operation::Request => Ok(Answer::Reply(packet.reply(mac).emit(packet.sender_mac))),
    }
}

fn answer_ndp(
    header: Header,
    packet: ndp::Repr,
    mac: MacAddr,
    owns: impl Fn(IpAddr) -> bool,
) -> Result<Answer, Ignored> {
    if header.destination != mac && !header.destination.is_multicast() {
        return Err(Ignored::Destination);
    }
    match packet.message {
        ndp::Message::Solicitation { link_layer, .. } => {
            let asker = link_layer.unwrap_or(header.source);
            if asker == mac {
                return Err(Ignored::Own);
            }
            // Who asks from an address of ours has it for its own, as in ARP.
            if owns(packet.source.into()) {
                return Ok(Answer::Claimed { address: packet.source.into(), by: asker });
            }
            if !owns(packet.target.into()) {
                return Err(Ignored::NotOwned);
            }
            // A neighbour that checks whether we can still be reached asks the target itself (RFC 4861, section 7.3.3).
            if packet.destination != packet.target && packet.destination != ndp::solicited_node(packet.target) {
                return Err(Ignored::Destination);
            }
            let reply = packet.advertisement(mac);
            Ok(Answer::Reply(reply.emit(mac, station(reply.destination, asker))))
        }
        ndp::Message::Advertisement { link_layer, .. } => {
            if !owns(packet.target.into()) {
                return Err(Ignored::NoQuestion);
            }
            let by = link_layer.unwrap_or(header.source);
            if by == mac { Err(Ignored::Own) } else { Ok(Answer::Claimed { address: packet.target.into(), by }) }
        }
    }
}

fn station(destination: Ipv6Addr, asker: MacAddr) -> MacAddr {
    if destination.is_multicast() { ndp::multicast_mac(destination) } else { asker }
}

/// How often each thing happened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counters {
    /// Questions answered.
    pub answered: u64,
    /// Frames by which another station claimed an address of ours.
    pub claimed: u64,
    /// Frames not answered, by reason.
    pub ignored: BTreeMap<Ignored, u64>,
}

impl Counters {
    /// Counts one reaction.
    pub fn count(&mut self, reaction: &Result<Answer, Ignored>) {
        match reaction {
            Ok(Answer::Reply(_)) => self.answered += 1,
            Ok(Answer::Claimed { .. }) => self.claimed += 1,
            Err(reason) => *self.ignored.entry(*reason).or_default() += 1,
        }
    }
}

#[cfg(test)]
mod tests;
