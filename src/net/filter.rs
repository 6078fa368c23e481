//! Classic BPF programs: the kernel drops what nobody here would read, before it wakes anyone.
//!
//! The ethertype is not looked at: the socket is bound to it. Offsets count from the Ethernet header.

use socket2::SockFilter;

const LOAD_BYTE: u16 = 0x30;
const EQUAL: u16 = 0x15;
const RETURN: u16 = 0x06;
/// What the kernel knows beside the octets starts here; the packet's type is at 4.
const PACKET_TYPE: u32 = 0xffff_f004;
const OTHER_HOST: u32 = 3;

const IPV6_NEXT_HEADER: u32 = 20;
const ICMPV6: u32 = 58;
const ICMPV6_TYPE: u32 = 54;
const SOLICITATION: u32 = 135;
const ADVERTISEMENT: u32 = 136;

const WHOLE: u32 = u32::MAX;
const NOTHING: u32 = 0;

const fn op(code: u16, jump_true: u8, jump_false: u8, value: u32) -> SockFilter {
    SockFilter::new(code, jump_true, jump_false, value)
}

/// Frames for this station or a group. What is for another station comes from a promiscuous interface, or bears the tag of
/// a VLAN that this interface is not on.
pub const FOR_US: [SockFilter; 4] =
    [op(LOAD_BYTE, 0, 0, PACKET_TYPE), op(EQUAL, 1, 0, OTHER_HOST), op(RETURN, 0, 0, WHOLE), op(RETURN, 0, 0, NOTHING)];

/// Of these, neighbour solicitations and advertisements.
pub const NEIGHBOURS_FOR_US: [SockFilter; 9] = [
    op(LOAD_BYTE, 0, 0, PACKET_TYPE),
    op(EQUAL, 6, 0, OTHER_HOST),
    op(LOAD_BYTE, 0, 0, IPV6_NEXT_HEADER),
    op(EQUAL, 0, 4, ICMPV6),
    op(LOAD_BYTE, 0, 0, ICMPV6_TYPE),
    op(EQUAL, 1, 0, SOLICITATION),
    op(EQUAL, 0, 1, ADVERTISEMENT),
    op(RETURN, 0, 0, WHOLE),
    op(RETURN, 0, 0, NOTHING),
];
