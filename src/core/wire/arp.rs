//! ARP for IPv4 over Ethernet (RFC 826), with the probes and announcements of RFC 5227.
//!
//! The payload of a frame with ethertype [`ARP`](super::ethernet::ARP) becomes a [`Repr`]; a `Repr` becomes a frame.

use super::ethernet::{self, BROADCAST, Frame, Header, MacAddr};
use pnet_packet::arp::ArpPacket;
use std::net::Ipv4Addr;

const ETHERNET: u16 = 1;
const IPV4: u16 = 0x0800;
const ZERO: MacAddr = MacAddr(0, 0, 0, 0, 0, 0);

/// Why an ARP packet was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
pub enum Refused {
    /// It ends before its last field does.
    #[error("the packet is shorter than ARP for IPv4 over Ethernet")]
    Truncated,
    /// It is about another hardware or protocol than Ethernet and IPv4.
    #[error("the packet is not about IPv4 over Ethernet")]
    AddressSpace,
    /// It is neither a request nor a reply.
    #[error("the packet is neither a request nor a reply")]
    Operation,
    /// Its sender's MAC is a group address or zero: nobody can be answered there.
    #[error("the sender's hardware address is no station's")]
    SenderMac,
    /// Its sender's address is a multicast, broadcast or loopback address, or the unspecified one in a reply.
    #[error("the sender's address is no host's")]
    SenderIp,
}

/// What a packet asks or says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Who has the target address?
    Request,
    /// The sender has the sender address.
    Reply,
}

/// A checked ARP packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Repr {
    /// Request or reply.
    pub operation: Operation,
    /// The sender's MAC.
    pub sender_mac: MacAddr,
    /// The sender's address; unspecified in a probe.
    pub sender_ip: Ipv4Addr,
    /// The target's MAC; means nothing in a request.
    pub target_mac: MacAddr,
    /// The address that is asked for, or that the reply is for.
    pub target_ip: Ipv4Addr,
}

impl Repr {
    /// Octets of a packet.
    pub const LEN: usize = 28;

    /// Reads a frame's payload. What follows the packet is Ethernet's padding. The target is not checked: old stations announce
    /// themselves with all sorts of targets, and what they say about the sender counts all the same.
    pub fn parse(payload: &[u8]) -> Result<Self, Refused> {
        let packet = ArpPacket::new(payload).ok_or(Refused::Truncated)?;
        let space = (packet.get_hardware_type().0, packet.get_protocol_type().0);
        let sizes = (packet.get_hw_addr_len(), packet.get_proto_addr_len());
        if space != (ETHERNET, IPV4) || sizes != (6, 4) {
            return Err(Refused::AddressSpace);
        }
        let operation = match packet.get_operation().0 {
            1 => Operation::Request,
            2 => Operation::Reply,
            _ => return Err(Refused::Operation),
        };
        let repr = Self {
            operation,
            sender_mac: packet.get_sender_hw_addr(),
            sender_ip: packet.get_sender_proto_addr(),
            target_mac: packet.get_target_hw_addr(),
            target_ip: packet.get_target_proto_addr(),
        };
        if !ethernet::is_station(repr.sender_mac) {
            return Err(Refused::SenderMac);
        }
        let nobody = repr.sender_ip.is_unspecified() && operation == Operation::Reply;
        if nobody || repr.sender_ip.is_multicast() || repr.sender_ip.is_broadcast() || repr.sender_ip.is_loopback() {
            return Err(Refused::SenderIp);
        }
        Ok(repr)
    }

    /// The frame that carries this packet from its sender to `destination`.
    pub fn emit(&self, destination: MacAddr) -> Frame {
        let mut frame = Header { destination, source: self.sender_mac, ethertype: ethernet::ARP }.emit();
        frame.push(&ETHERNET.to_be_bytes());
        frame.push(&IPV4.to_be_bytes());
        frame.push(&[6, 4]);
        let operation: u16 = match self.operation {
            Operation::Request => 1,
            Operation::Reply => 2,
        };
        frame.push(&operation.to_be_bytes());
        frame.push(&self.sender_mac.octets());
        frame.push(&self.sender_ip.octets());
        frame.push(&self.target_mac.octets());
        frame.push(&self.target_ip.octets());
        frame
    }

    /// The reply to this request (RFC 826), from the station `mac` that has the address asked for.
    pub fn reply(&self, mac: MacAddr) -> Self {
        Self {
            operation: Operation::Reply,
            sender_mac: mac,
            sender_ip: self.target_ip,
            target_mac: self.sender_mac,
            target_ip: self.sender_ip,
        }
    }
}

/// The question who has `target`, from the station with `mac` and `ip`.
pub fn request(mac: MacAddr, ip: Ipv4Addr, target: Ipv4Addr) -> Frame {
    let operation = Operation::Request;
    Repr { operation, sender_mac: mac, sender_ip: ip, target_mac: ZERO, target_ip: target }.emit(BROADCAST)
}

/// An ARP Probe for `target` (RFC 5227, section 2.1.1): a question that leaves no trace in anybody's cache.
pub fn probe(mac: MacAddr, target: Ipv4Addr) -> Frame {
    request(mac, Ipv4Addr::UNSPECIFIED, target)
}

/// An ARP Announcement of `ip` (RFC 5227, section 2.3): a request whose sender and target are both `ip`.
pub fn announcement(mac: MacAddr, ip: Ipv4Addr) -> Frame {
    request(mac, ip, ip)
}

/// The announcement of `ip` as a reply, for hosts that heed only that form. Linux takes it for gratuitous only when the
/// target's MAC repeats the sender's.
pub fn gratuitous_reply(mac: MacAddr, ip: Ipv4Addr) -> Frame {
    let operation = Operation::Reply;
    Repr { operation, sender_mac: mac, sender_ip: ip, target_mac: mac, target_ip: ip }.emit(BROADCAST)
}

#[cfg(test)]
mod tests;
