//! Classic BPF programs: the kernel drops what nobody here would read, before it wakes anyone.
//!
//! On a busy LAN nearly all ARP and neighbour discovery is about other people's addresses. So the filters know ours ([`Interest`]),
//! as ranges of their last 32 bits: a program's size is limited, and what is let through by mistake is looked at again anyway.
//!
//! The ethertype is not looked at: the socket is bound to it. Offsets count from the Ethernet header. A frame that is too short
//! for what is read from it is dropped.

use landfall_core::wire::datagram;
use socket2::SockFilter;
use std::{cmp::Reverse, net::IpAddr};

const LOAD_BYTE: u16 = 0x30;
const LOAD_WORD: u16 = 0x20;
const JUMP: u16 = 0x05;
const EQUAL: u16 = 0x15;
const GREATER: u16 = 0x25;
const AT_LEAST: u16 = 0x35;
const RETURN: u16 = 0x06;

/// What the kernel knows beside the octets starts here; the packet's type is at 4.
const PACKET_TYPE: u32 = 0xffff_f004;
const OTHER_HOST: u32 = 3;

const ARP_SENDER: u32 = 28;
const ARP_TARGET: u32 = 38;

const IPV4_PROTOCOL: u32 = 23;
const IPV4_DESTINATION: u32 = 30;
const UDP: u32 = 17;

const IPV6_NEXT_HEADER: u32 = 20;
const IPV6_SOURCE_END: u32 = 34;
const ICMPV6: u32 = 58;
const ICMPV6_TYPE: u32 = 54;
const SOLICITATION: u32 = 135;
const ADVERTISEMENT: u32 = 136;
const NDP_TARGET_END: u32 = 74;

const WHOLE: u32 = u32::MAX;
const NOTHING: u32 = 0;

/// Ranges in one set. A filter of this size fits twice into the 20 KiB that a socket may have in older kernels
/// (`net.core.optmem_max`): the new one is there before the old one goes.
const RANGES: usize = 40;

/// One operation: what it does, how many to skip where its condition holds and where it does not, and its operand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operation(u16, u8, u8, u32);

/// For the kernel.
pub fn program(operations: &[Operation]) -> Vec<SockFilter> {
    operations.iter().map(|Operation(code, yes, no, operand)| SockFilter::new(*code, *yes, *no, *operand)).collect()
}

/// Frames for this station or a group. What is for another station comes from a promiscuous interface, or bears the tag of
/// a VLAN that this interface is not on.
pub const FOR_US: [Operation; 4] = [
    Operation(LOAD_BYTE, 0, 0, PACKET_TYPE),
    Operation(EQUAL, 1, 0, OTHER_HOST),
    Operation(RETURN, 0, 0, WHOLE),
    Operation(RETURN, 0, 0, NOTHING),
];

/// Of these, neighbour solicitations and advertisements.
pub const NEIGHBOURS_FOR_US: [Operation; 9] = [
    Operation(LOAD_BYTE, 0, 0, PACKET_TYPE),
    Operation(EQUAL, 6, 0, OTHER_HOST),
    Operation(LOAD_BYTE, 0, 0, IPV6_NEXT_HEADER),
    Operation(EQUAL, 0, 4, ICMPV6),
    Operation(LOAD_BYTE, 0, 0, ICMPV6_TYPE),
    Operation(EQUAL, 1, 0, SOLICITATION),
    Operation(EQUAL, 0, 1, ADVERTISEMENT),
    Operation(RETURN, 0, 0, WHOLE),
    Operation(RETURN, 0, 0, NOTHING),
];

/// Datagrams for the heartbeats' group.
pub const DATAGRAMS: [Operation; 8] = [
    Operation(LOAD_BYTE, 0, 0, PACKET_TYPE),
    Operation(EQUAL, 5, 0, OTHER_HOST),
    Operation(LOAD_BYTE, 0, 0, IPV4_PROTOCOL),
    Operation(EQUAL, 0, 3, UDP),
    Operation(LOAD_WORD, 0, 0, IPV4_DESTINATION),
    Operation(EQUAL, 0, 1, datagram::GROUP.to_bits()),
    Operation(RETURN, 0, 0, WHOLE),
    Operation(RETURN, 0, 0, NOTHING),
];

/// The addresses of which an interface has to hear.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Interest {
    arp: Sets,
    ndp: Sets,
}

/// Both sets of one family.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Sets {
    /// Who says that it has one of these is heard.
    said: Ranges,
    /// Who asks for one of these is heard.
    asked: Ranges,
}

impl Interest {
    /// `said`: addresses that are not to be anybody else's; `asked`: those that are answered for.
    pub fn new(said: impl Iterator<Item = IpAddr> + Clone, asked: impl Iterator<Item = IpAddr> + Clone) -> Self {
        Self {
            arp: Sets {
                said: Ranges::cover(said.clone().filter_map(v4)),
                asked: Ranges::cover(asked.clone().filter_map(v4)),
            },
            ndp: Sets { said: Ranges::cover(said.filter_map(v6)), asked: Ranges::cover(asked.filter_map(v6)) },
        }
    }

    /// ARP for this station or a group whose sender's or target's address matters.
    pub fn arp(&self) -> Vec<Operation> {
        let asked = [vec![Operation(LOAD_WORD, 0, 0, ARP_TARGET)], self.arp.asked.accept()].concat();
        let said = [vec![Operation(LOAD_WORD, 0, 0, ARP_SENDER)], self.arp.said.accept()].concat();
        [
            vec![Operation(LOAD_BYTE, 0, 0, PACKET_TYPE), Operation(EQUAL, 0, 1, OTHER_HOST), DROP],
            asked,
            said,
            vec![DROP],
        ]
        .concat()
    }

    /// Neighbour solicitations for us or a group whose target or source matters, and advertisements whose target does.
    pub fn ndp(&self) -> Vec<Operation> {
        let target = vec![Operation(LOAD_WORD, 0, 0, NDP_TARGET_END)];
        // Over the advertisement's own look at its target.
        let source = vec![Operation(LOAD_WORD, 0, 0, IPV6_SOURCE_END), Operation(JUMP, 0, 0, target.len() as u32)];
        let solicitation = [target.clone(), self.ndp.asked.accept(), source].concat();
        let kind = vec![
            Operation(LOAD_BYTE, 0, 0, PACKET_TYPE),
            Operation(EQUAL, 5, 0, OTHER_HOST),
            Operation(LOAD_BYTE, 0, 0, IPV6_NEXT_HEADER),
            Operation(EQUAL, 0, 3, ICMPV6),
            Operation(LOAD_BYTE, 0, 0, ICMPV6_TYPE),
            Operation(EQUAL, 3, 0, SOLICITATION),
            Operation(EQUAL, 1, 0, ADVERTISEMENT),
            DROP,
            Operation(JUMP, 0, 0, solicitation.len() as u32),
        ];
        [kind, solicitation, target, self.ndp.said.accept(), vec![DROP]].concat()
    }
}

fn v4(address: IpAddr) -> Option<u32> {
    match address {
        IpAddr::V4(address) => Some(address.to_bits()),
        IpAddr::V6(_) => None,
    }
}

fn v6(address: IpAddr) -> Option<u32> {
    match address {
        IpAddr::V4(_) => None,
        IpAddr::V6(address) => Some(address.to_bits() as u32),
    }
}

const DROP: Operation = Operation(RETURN, 0, 0, NOTHING);

/// Numbers, as ascending ranges that do not touch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Ranges(Vec<(u32, u32)>);

impl Ranges {
    /// So few ranges that they fit, with all of these numbers: others lie in the smallest gaps between them.
    fn cover(numbers: impl Iterator<Item = u32>) -> Self {
        let mut numbers: Vec<u32> = numbers.collect();
        numbers.sort_unstable();
        let (Some(first), Some(last)) = (numbers.first(), numbers.last()) else { return Self::default() };
        let mut gaps: Vec<(u32, u32)> = numbers.windows(2).map(|pair| (pair[0], pair[1])).collect();
        gaps.retain(|(before, after)| after - before > 1);
        gaps.sort_by_key(|(before, after)| Reverse(after - before));
        gaps.truncate(RANGES - 1);
        gaps.sort();
        let starts = [*first].into_iter().chain(gaps.iter().map(|(_, after)| *after));
        let ends = gaps.iter().map(|(before, _)| *before).chain([*last]);
        Self(starts.zip(ends).collect())
    }

    /// Operations that accept the frame if the number that was loaded is one of these, and else go on behind themselves.
    fn accept(&self) -> Vec<Operation> {
        accept(&self.0)
    }
}

/// A binary search. Operations may jump by 255 on a condition, so that longer ways are unconditional jumps.
fn accept(ranges: &[(u32, u32)]) -> Vec<Operation> {
    match ranges {
        [] => Vec::new(),
        [(first, last)] => {
            vec![Operation(AT_LEAST, 0, 2, *first), Operation(GREATER, 1, 0, *last), Operation(RETURN, 0, 0, WHOLE)]
        }
        _ => {
            let (lower, upper) = ranges.split_at(ranges.len() / 2);
            let (middle, lower, upper) = (upper[0].0, accept(lower), accept(upper));
            let choice = vec![Operation(AT_LEAST, 0, 1, middle), Operation(JUMP, 0, 0, lower.len() as u32 + 1)];
            [choice, lower, vec![Operation(JUMP, 0, 0, upper.len() as u32)], upper].concat()
        }
    }
}

#[cfg(test)]
mod tests;
