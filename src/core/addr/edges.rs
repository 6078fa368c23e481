//! The addresses of a subnet that are no host's.

use ipnet::IpNet;
use std::net::IpAddr;

/// IPv4's network and broadcast address (RFC 3021 has none in a /31), IPv6's subnet-router anycast address (RFC 4291, section
/// 2.6.1; RFC 6164 has none in a /127).
pub fn edges(subnet: IpNet) -> impl Iterator<Item = IpAddr> {
    let (first, last): (Option<IpAddr>, Option<IpAddr>) = match subnet {
        IpNet::V4(net) if net.prefix_len() < 31 => (Some(net.network().into()), Some(net.broadcast().into())),
        IpNet::V6(net) if net.prefix_len() < 127 => (Some(net.network().into()), None),
        _ => (None, None),
    };
    first.into_iter().chain(last)
}
