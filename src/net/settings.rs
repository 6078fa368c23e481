//! The kernel's settings that decide about delivery, and where its default routes lead: of the calling thread's network
//! namespace, from /proc, which needs no right.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    net::Ipv4Addr,
};

/// An interface's settings, as the kernel applies them: the greater of its own and `all`'s.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Settings {
    /// For which questions the kernel answers ARP: 0 for every address of the node.
    pub arp_ignore: u8,
    /// Whether senders are checked: 1 strictly, by the interface that leads back to them.
    pub rp_filter: u8,
}

impl Settings {
    /// Reads them.
    pub fn of(interface: &str) -> Self {
        let read = |of: &str, name: &str| {
            let text = fs::read_to_string(format!("/proc/sys/net/ipv4/conf/{of}/{name}")).ok()?;
            text.trim().parse::<u8>().ok()
        };
        // What cannot be read is taken for harmless.
        let greater = |name: &str| read("all", name).max(read(interface, name));
        Self { arp_ignore: greater("arp_ignore").unwrap_or(1), rp_filter: greater("rp_filter").unwrap_or(0) }
    }
}

/// The interfaces that have a default route for IPv4.
pub fn default_routes() -> BTreeSet<String> {
    parse_routes(&routes()).map(|(interface, _)| interface).collect()
}

/// The gateways of the default routes for IPv4, by interface.
pub fn gateways() -> BTreeMap<String, Ipv4Addr> {
    parse_routes(&routes()).filter(|(_, gateway)| !gateway.is_unspecified()).collect()
}

fn routes() -> String {
    fs::read_to_string("/proc/thread-self/net/route").unwrap_or_default()
}

/// The default routes in `Iface Destination Gateway Flags RefCnt Use Metric Mask ...`. Addresses are in hexadecimal, as the
/// machine has them in its memory.
fn parse_routes(table: &str) -> impl Iterator<Item = (String, Ipv4Addr)> {
    table.lines().skip(1).filter_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let is_default = words.get(1) == Some(&"00000000") && words.get(7) == Some(&"00000000");
        let gateway = u32::from_str_radix(words.get(2)?, 16).ok()?;
        is_default.then(|| (words[0].to_owned(), gateway.to_ne_bytes().into()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn default_routes_are_told_from_others() {
        let table = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n\
                     eth0\t00000000\t016433C6\t0003\t0\t0\t0\t00000000\t0\t0\t0\n\
                     eth0\t006433C6\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n\
                     wg0\t00000000\t00000000\t0001\t0\t0\t0\t00000080\t0\t0\t0\n\n";
        let gateway = u32::from_str_radix("016433C6", 16).unwrap().to_ne_bytes().into();
        assert_eq!(parse_routes(table).collect::<Vec<_>>(), [("eth0".to_owned(), gateway)]);
        assert_eq!(parse_routes("").count(), 0);
    }
}
