//! Addresses that no Service can have, whatever the pools say.

use std::{collections::BTreeMap, fmt, net::IpAddr};

/// The addresses that are somebody else's, and whose.
pub type Reserved = BTreeMap<IpAddr, Reserve>;

/// Why an address is never handed out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reserve {
    /// It is an address of this node.
    Node(String),
    /// It is the network, broadcast or anycast address of this subnet.
    Edge(String),
    /// It was found in use on the network, by this hardware address.
    InUse(String),
}

impl fmt::Display for Reserve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node(name) => write!(f, "it is an address of the node {name}"),
            Self::Edge(subnet) => write!(f, "it is the network, broadcast or anycast address of the subnet {subnet}"),
            Self::InUse(by) => write!(f, "a foreign host uses it on the network, {by}"),
        }
    }
}
