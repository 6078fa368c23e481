//! What a configuration writes for addresses: a CIDR, a range, or one address.

use super::{Family, Range, number};
use std::{net::IpAddr, str::FromStr};

/// One entry of a pool's `addresses` or `exclude`: `198.51.100.0/24`, `198.51.100.10-198.51.100.20` (with or without
/// spaces around the hyphen) or `198.51.100.7`, and the same in IPv6.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    /// Its addresses; a CIDR's host bits are masked.
    pub range: Range,
    /// The prefix length, of a CIDR.
    pub prefix: Option<u8>,
    /// Whether a CIDR was written with host bits set, such as `198.51.100.7/24`.
    pub host_bits: bool,
}

/// Why a text is no [`Block`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BlockError {
    /// A part of it is no address.
    #[error("{0:?} is no IP address: write a CIDR, a range such as 198.51.100.10-198.51.100.20, or one address")]
    Address(String),
    /// What follows the slash is no prefix length of the family.
    #[error("{length:?} is no prefix length: {family} has 0 to {}", family.bits())]
    PrefixLength {
        /// The text after the slash.
        length: String,
        /// The family of the address before it.
        family: Family,
    },
    /// The two ends belong to different families.
    #[error("the range goes from {0} to {1}: both ends must be of the same family")]
    MixedFamilies(IpAddr, IpAddr),
    /// The first address is above the last.
    #[error("the range is reversed: {0} comes after {1}: write the lower address first")]
    Reversed(IpAddr, IpAddr),
}

impl FromStr for Block {
    type Err = BlockError;

    fn from_str(text: &str) -> Result<Self, BlockError> {
        if let Some((address, length)) = text.split_once('/') {
            let address = parse_address(address)?;
            let length = parse_length(length, Family::of(address))?;
            let range = Range::network(address, length);
            return Ok(Self { range, prefix: Some(length), host_bits: range.first != number(address) });
        }
        let range = match text.split_once('-') {
            Some((first, last)) => {
                let (first, last) = (parse_address(first)?, parse_address(last)?);
                let family = Family::of(first);
                if family != Family::of(last) {
                    return Err(BlockError::MixedFamilies(first, last));
                }
                if first > last {
                    return Err(BlockError::Reversed(first, last));
                }
                Range { family, first: number(first), last: number(last) }
            }
            None => Range::single(parse_address(text)?),
        };
        Ok(Self { range, prefix: None, host_bits: false })
    }
}

fn parse_address(text: &str) -> Result<IpAddr, BlockError> {
    text.trim().parse().map_err(|_| BlockError::Address(text.trim().to_owned()))
}

fn parse_length(text: &str, family: Family) -> Result<u8, BlockError> {
    let bad = || BlockError::PrefixLength { length: text.to_owned(), family };
    // u8's own parser takes "+24".
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(bad());
    }
    text.parse().ok().filter(|length| *length <= family.bits()).ok_or_else(bad)
}

impl Block {
    /// The addresses of this block that are never handed out.
    ///
    /// Always: the first address of an IPv6 CIDR shorter than /127, the subnet-router anycast address (RFC 4291 2.6.1,
    /// RFC 6164), for which every node with forwarding answers. With `avoid_edges` also a CIDR's first and last
    /// address, unless it is a point-to-point link or one host, and every IPv4 address that ends in .0 or .255.
    pub fn reserved(&self, avoid_edges: bool) -> Vec<Range> {
        let Range { family, first, last } = self.range;
        let single = |number| Range { family, first: number, last: number };
        let mut reserved = Vec::new();
        if self.prefix.is_some_and(|length| length < family.bits() - 1) {
            if family == Family::V6 || avoid_edges {
                reserved.push(single(first));
            }
            if avoid_edges {
                reserved.push(single(last));
            }
        }
        if avoid_edges && family == Family::V4 {
            let edges = (first >> 8..=last >> 8).flat_map(|net| [net << 8, net << 8 | 0xff]);
            reserved.extend(edges.filter(|edge| (first..=last).contains(edge)).map(single));
        }
        reserved
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(text: &str) -> Block {
        text.parse().unwrap()
    }

    #[test]
    fn what_a_configuration_writes_for_addresses() {
        for (text, range) in [
            ("198.51.100.7", "198.51.100.7"),
            ("198.51.100.0/30", "198.51.100.0-198.51.100.3"),
            ("198.51.100.2/30", "198.51.100.0-198.51.100.3"),
            ("198.51.100.7/32", "198.51.100.7"),
            ("198.51.100.10-198.51.100.20", "198.51.100.10-198.51.100.20"),
            ("198.51.100.10 - 198.51.100.20", "198.51.100.10-198.51.100.20"),
            (" 198.51.100.10- 198.51.100.10 ", "198.51.100.10"),
            ("0.0.0.0/0", "0.0.0.0-255.255.255.255"),
            ("2001:db8::/126", "2001:db8::-2001:db8::3"),
            ("2001:db8::1-2001:db8::ff", "2001:db8::1-2001:db8::ff"),
            ("::/0", "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ] {
            assert_eq!(block(text).range.to_string(), range, "{text}");
        }
        assert!(block("198.51.100.2/30").host_bits);
        assert!(!block("198.51.100.0/30").host_bits);
    }

    #[test]
    fn what_is_no_block_says_why() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let length = |length: &str, family| BlockError::PrefixLength { length: length.into(), family };
        for (text, error) in [
            ("", BlockError::Address("".into())),
            ("198.51.100", BlockError::Address("198.51.100".into())),
            ("198.51.100.007", BlockError::Address("198.51.100.007".into())),
            ("198.51.100.256", BlockError::Address("198.51.100.256".into())),
            ("198.51.100.10-20", BlockError::Address("20".into())),
            ("fe80::1%eth0", BlockError::Address("fe80::1%eth0".into())),
            ("198.51.100.0/33", length("33", Family::V4)),
            ("198.51.100.0/", length("", Family::V4)),
            ("198.51.100.0/+24", length("+24", Family::V4)),
            ("198.51.100.0/255.255.255.0", length("255.255.255.0", Family::V4)),
            ("2001:db8::/129", length("129", Family::V6)),
            ("2001:db8::/300", length("300", Family::V6)),
            ("198.51.100.1-2001:db8::1", BlockError::MixedFamilies(ip("198.51.100.1"), ip("2001:db8::1"))),
            ("198.51.100.9-198.51.100.1", BlockError::Reversed(ip("198.51.100.9"), ip("198.51.100.1"))),
        ] {
            assert_eq!(text.parse::<Block>(), Err(error), "{text}");
        }
    }

    #[test]
    fn the_anycast_address_is_reserved_always_and_edges_on_request() {
        for (text, always, avoiding) in [
            ("2001:db8::/64", "2001:db8::", "2001:db8:: 2001:db8::ffff:ffff:ffff:ffff"),
            ("2001:db8::/126", "2001:db8::", "2001:db8:: 2001:db8::3"),
            ("2001:db8::/127", "", ""),
            ("2001:db8::/128", "", ""),
            ("2001:db8::-2001:db8::f", "", ""),
            ("198.51.100.16/28", "", "198.51.100.16 198.51.100.31"),
            ("198.51.100.16/31", "", ""),
            ("198.51.100.250-198.51.101.3", "", "198.51.100.255 198.51.101.0"),
            ("198.51.100.0", "", "198.51.100.0"),
        ] {
            let reserved =
                |avoid| block(text).reserved(avoid).iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
            assert_eq!(reserved(false), always, "{text}");
            assert_eq!(reserved(true), avoiding, "{text}, avoiding edges");
        }
    }
}
