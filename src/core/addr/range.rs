//! A range of addresses of one family, and the kinds of address that no Service can have.

use super::{Family, number};
use std::net::IpAddr;

/// Addresses of one family from `first` to `last`, both included; never empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Range {
    /// The family of all its addresses.
    pub family: Family,
    /// The lowest address, as a number.
    pub first: u128,
    /// The highest address, as a number; at least `first`.
    pub last: u128,
}

impl Range {
    /// The range of one address.
    pub fn single(address: IpAddr) -> Self {
        let number = number(address);
        Self { family: Family::of(address), first: number, last: number }
    }

    /// The addresses that share the first `length` bits with `address`; `length` is at most the family's bits.
    pub fn network(address: IpAddr, length: u8) -> Self {
        let family = Family::of(address);
        let host = match u32::from(family.bits() - length) {
            128 => u128::MAX,
            bits => (1 << bits) - 1,
        };
        let first = number(address) & !host;
        Self { family, first, last: first | host }
    }

    /// Whether `address` is one of them.
    pub fn contains(&self, address: IpAddr) -> bool {
        Family::of(address) == self.family && (self.first..=self.last).contains(&number(address))
    }

    /// Whether the two have an address in common.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.family == other.family && self.first <= other.last && other.first <= self.last
    }

    /// The kind of address in this range that no Service can have, if there is one.
    pub fn special(&self) -> Option<Special> {
        SPECIAL.iter().find(|(range, _)| range.overlaps(self)).map(|(_, special)| *special)
    }
}

impl std::fmt::Display for Range {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (first, last) = (self.family.address(self.first), self.family.address(self.last));
        if first == last { write!(f, "{first}") } else { write!(f, "{first}-{last}") }
    }
}

/// A kind of address that a LAN does not deliver to a Service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Special {
    /// 0.0.0.0/8 (RFC 1122 3.2.1.3) and `::`.
    Unspecified,
    /// 127.0.0.0/8 and `::1`.
    Loopback,
    /// 169.254.0.0/16 (RFC 3927) and fe80::/10 (RFC 4291 2.5.6).
    LinkLocal,
    /// 224.0.0.0/4 and ff00::/8.
    Multicast,
    /// 255.255.255.255.
    Broadcast,
    /// ::ffff:0:0/96 (RFC 4291 2.5.5.2).
    V4Mapped,
}

impl std::fmt::Display for Special {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Unspecified => "unspecified (0.0.0.0/8, ::)",
            Self::Loopback => "loopback (127.0.0.0/8, ::1)",
            Self::LinkLocal => "link-local (169.254.0.0/16, fe80::/10)",
            Self::Multicast => "multicast (224.0.0.0/4, ff00::/8)",
            Self::Broadcast => "broadcast (255.255.255.255)",
            Self::V4Mapped => "IPv4-mapped (::ffff:0:0/96)",
        })
    }
}

const fn v4(first: u128, last: u128) -> Range {
    Range { family: Family::V4, first, last }
}

const fn v6(first: u128, last: u128) -> Range {
    Range { family: Family::V6, first, last }
}

const SPECIAL: [(Range, Special); 10] = [
    (v4(0, 0x00ff_ffff), Special::Unspecified),
    (v4(0x7f00_0000, 0x7fff_ffff), Special::Loopback),
    (v4(0xa9fe_0000, 0xa9fe_ffff), Special::LinkLocal),
    (v4(0xe000_0000, 0xefff_ffff), Special::Multicast),
    (v4(0xffff_ffff, 0xffff_ffff), Special::Broadcast),
    (v6(0, 0), Special::Unspecified),
    (v6(1, 1), Special::Loopback),
    (v6(0xffff_0000_0000, 0xffff_ffff_ffff), Special::V4Mapped),
    (v6(0xfe80 << 112, (0xfec0 << 112) - 1), Special::LinkLocal),
    (v6(0xff00 << 112, u128::MAX), Special::Multicast),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn at(address: &str) -> Range {
        Range::single(address.parse().unwrap())
    }

    #[test]
    fn special_addresses_are_told_from_their_neighbours() {
        use Special::*;
        for (special, addresses) in [
            (Some(Unspecified), ["0.0.0.0", "0.255.255.255", "::"]),
            (Some(Loopback), ["127.0.0.1", "127.255.255.255", "::1"]),
            (Some(LinkLocal), ["169.254.0.1", "fe80::1", "febf:ffff::1"]),
            (Some(Multicast), ["224.0.0.0", "239.255.255.255", "ff02::1"]),
            (Some(V4Mapped), ["::ffff:198.51.100.1", "::ffff:0.0.0.0", "::ffff:255.255.255.255"]),
            (Some(Broadcast), ["255.255.255.255"; 3]),
            (None, ["1.0.0.0", "126.255.255.255", "128.0.0.0"]),
            (None, ["169.253.255.255", "169.255.0.0", "223.255.255.255"]),
            (None, ["240.0.0.0", "255.255.255.254", "::2"]),
            (None, ["::fffe:ffff:ffff", "::1:0:0:0", "fe7f:ffff::1"]),
            (None, ["fec0::", "feff::1", "2001:db8::1"]),
        ] {
            for address in addresses {
                assert_eq!(at(address).special(), special, "{address}");
            }
        }
    }

    #[test]
    fn a_range_is_special_when_any_address_in_it_is() {
        let across = Range { family: Family::V4, first: 0x7eff_ff00, last: 0x7f00_0000 };
        assert_eq!(across.special(), Some(Special::Loopback));
    }

    #[test]
    fn families_never_overlap() {
        assert!(!at("0.0.0.1").overlaps(&at("::1")));
        assert!(!at("::1").contains("0.0.0.1".parse().unwrap()));
    }
}
