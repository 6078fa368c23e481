//! Addresses, ranges of them, and what is free in a range.
//!
//! A configuration's text becomes [`Block`]s (a CIDR, a range, one address), a block is a [`Range`] of one family,
//! and ranges add up to an [`AddressSet`]: what a pool holds, and what of it is free. Everything counts in `u128`,
//! so that an IPv6 /64 costs no more than ten IPv4 addresses.

mod block;
mod edges;
mod range;
mod set;

pub use block::{Block, BlockError};
pub use edges::edges;
pub use range::{Range, Special};
pub use set::{AddressSet, RangeSet};

use serde::{Deserialize, Serialize};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An address family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// Both, in the order in which a Service's status lists them.
    pub const BOTH: [Self; 2] = [Self::V4, Self::V6];

    /// The family that `address` belongs to.
    pub fn of(address: IpAddr) -> Self {
        if address.is_ipv4() { Self::V4 } else { Self::V6 }
    }

    /// The other one.
    pub fn other(self) -> Self {
        match self {
            Self::V4 => Self::V6,
            Self::V6 => Self::V4,
        }
    }

    /// The bits of an address: 32 or 128.
    pub fn bits(self) -> u8 {
        match self {
            Self::V4 => 32,
            Self::V6 => 128,
        }
    }

    /// As people write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        }
    }

    /// The address with this number. Of an IPv4 address only the low 32 bits count.
    pub fn address(self, number: u128) -> IpAddr {
        match self {
            Self::V4 => Ipv4Addr::from_bits(number as u32).into(),
            Self::V6 => Ipv6Addr::from_bits(number).into(),
        }
    }
}

impl std::fmt::Display for Family {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// The number of an address within its family.
pub fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => v4.to_bits().into(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}
