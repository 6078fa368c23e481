//! What in a status, which we did not write, is not ours to take over: the words for the user.

use super::{Reserve, ledger::Ledger};
use std::{fmt, net::IpAddr};

/// What a status shows that no Service gets from us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stranger {
    /// A hostname.
    Name,
    /// An address that is in no pool.
    Unlisted(IpAddr),
    /// An address that a pool lists and never hands out.
    Excluded {
        /// The address.
        address: IpAddr,
        /// The pool.
        pool: String,
    },
    /// A node's own address, or one of a pool that is somebody else's.
    Reserved {
        /// The address.
        address: IpAddr,
        /// Whose it is.
        by: Reserve,
    },
}

impl Stranger {
    /// What is wrong with an address, if anything is.
    pub(super) fn of(address: IpAddr, ledger: &Ledger) -> Option<Self> {
        let (pool, by) = (ledger.config().pool_of(address), ledger.reserve(address));
        // Of a node's own address a pool makes nothing else.
        if let Some(by) = by.filter(|by| pool.is_some() || matches!(by, Reserve::Node(_))) {
            return Some(Self::Reserved { address, by: by.clone() });
        }
        let Some(pool) = pool else { return Some(Self::Unlisted(address)) };
        let is_withheld = !pool.addresses.contains(address);
        is_withheld.then(|| Self::Excluded { address, pool: pool.name.to_string() })
    }

    /// What else than another status would let Landfall serve the Service.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Unlisted(_) => ", or add the address to a pool",
            Self::Excluded { .. } => ", or let the pool hand it out, where exclude or avoidEdgeAddresses keeps it back",
            Self::Reserved { by: Reserve::InUse(_), .. } => ", or take the address off that host",
            Self::Name | Self::Reserved { .. } => "",
        }
    }
}

impl fmt::Display for Stranger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name => f.write_str("Landfall gives addresses, no hostnames"),
            Self::Unlisted(address) => write!(f, "{address} is in no pool"),
            Self::Excluded { address, pool } => write!(
                f,
                "pool {pool:?} does not hand out {address} (it is excluded, a subnet's edge, or IPv6's anycast address)"
            ),
            Self::Reserved { address, by } => write!(f, "{address} is never handed out ({by})"),
        }
    }
}
