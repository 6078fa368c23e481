//! Ethernet II: which MAC a frame is for, who sent it, and what it holds.
//!
//! [`Header`] is what the other formats of [`wire`](crate::wire) are carried in; [`Frame`] is the small buffer that they
//! are written to, so that an answer costs no allocation.

pub use pnet_base::MacAddr;
use pnet_packet::ethernet::EthernetPacket;
use std::{fmt, ops::Deref};

/// Ethertype of ARP.
pub const ARP: u16 = 0x0806;
/// Ethertype of IPv4.
pub const IPV4: u16 = 0x0800;
/// Ethertype of IPv6.
pub const IPV6: u16 = 0x86dd;
/// Everyone on the segment.
pub const BROADCAST: MacAddr = MacAddr(0xff, 0xff, 0xff, 0xff, 0xff, 0xff);

/// Why a frame was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
pub enum Refused {
    /// It ends before its header does.
    #[error("the frame is shorter than an Ethernet header")]
    Truncated,
    /// Its source is a group address or zero: nobody can be answered there.
    #[error("the frame's source is no station's address")]
    Source,
}

/// An Ethernet II header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Whom the frame is for.
    pub destination: MacAddr,
    /// Who sent it.
    pub source: MacAddr,
    /// What it holds.
    pub ethertype: u16,
}

impl Header {
    /// Octets of a header.
    pub const LEN: usize = 14;

    /// Reads the header; the rest of the frame comes beside it.
    pub fn parse(frame: &[u8]) -> Result<(Self, &[u8]), Refused> {
        let packet = EthernetPacket::new(frame).ok_or(Refused::Truncated)?;
        let header = Self {
            destination: packet.get_destination(),
            source: packet.get_source(),
            ethertype: packet.get_ethertype().0,
        };
        if !is_station(header.source) {
            return Err(Refused::Source);
        }
        Ok((header, &frame[Self::LEN..]))
    }

    /// A frame that holds nothing but this header yet.
    pub fn emit(&self) -> Frame {
        let mut frame = Frame::default();
        frame.push(&self.destination.octets());
        frame.push(&self.source.octets());
        frame.push(&self.ethertype.to_be_bytes());
        frame
    }
}

/// Whether `mac` can be one station's address: no group, not zero.
pub fn is_station(mac: MacAddr) -> bool {
    mac.is_unicast() && !mac.is_zero()
}

/// A short frame, kept inline.
#[derive(Clone, Copy)]
pub struct Frame {
    octets: [u8; Self::CAPACITY],
    len: usize,
}

impl Frame {
    /// Room for the longest frame that is written here: a neighbour solicitation with two options (94 octets).
    pub const CAPACITY: usize = 96;

    /// Appends `octets`. The formats' layouts are fixed and fit; what did not fit would be cut off.
    pub(super) fn push(&mut self, octets: &[u8]) {
        let room = &mut self.octets[self.len..];
        let len = octets.len().min(room.len());
        debug_assert_eq!(len, octets.len(), "a frame outgrew its buffer");
        room[..len].copy_from_slice(&octets[..len]);
        self.len += len;
    }

    /// Overwrites the octets at `offset`, which were written before.
    pub(super) fn patch(&mut self, offset: usize, octets: &[u8]) {
        self.octets[offset..offset + octets.len()].copy_from_slice(octets);
    }
}

impl Default for Frame {
    fn default() -> Self {
        Self { octets: [0; Self::CAPACITY], len: 0 }
    }
}

impl Deref for Frame {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.octets[..self.len]
    }
}

impl PartialEq for Frame {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Frame {}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Frame(")?;
        self.iter().try_for_each(|octet| write!(f, "{octet:02x}"))?;
        f.write_str(")")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_reads_and_writes_the_same() {
        let header = Header { destination: BROADCAST, source: MacAddr(2, 0, 0, 0, 0, 1), ethertype: ARP };
        let frame = header.emit();
        assert_eq!(frame[..], [255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0, 1, 8, 6]);
        assert_eq!(Header::parse(&frame), Ok((header, &[][..])));
    }

    #[test]
    fn only_a_station_sends() {
        for source in [BROADCAST, MacAddr(1, 0, 0x5e, 0, 0, 1), MacAddr::zero()] {
            let frame = Header { destination: BROADCAST, source, ethertype: ARP }.emit();
            assert_eq!(Header::parse(&frame), Err(Refused::Source), "{source}");
        }
        assert_eq!(Header::parse(&[0; 13]), Err(Refused::Truncated));
    }
}
