//! The kernel's settings that decide about delivery, and where its default routes lead: of the calling thread's network
//! namespace, from /proc, which needs no right.

use std::{collections::BTreeSet, fs};

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
    parse_routes(&fs::read_to_string("/proc/thread-self/net/route").unwrap_or_default())
}

/// `Iface Destination Gateway Flags RefCnt Use Metric Mask ...`, in hexadecimal.
fn parse_routes(table: &str) -> BTreeSet<String> {
    let route = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let is_default = words.get(1) == Some(&"00000000") && words.get(7) == Some(&"00000000");
        is_default.then(|| words[0].to_owned())
    };
    table.lines().skip(1).filter_map(route).collect()
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
        assert_eq!(parse_routes(table), BTreeSet::from(["eth0".to_owned()]));
        assert_eq!(parse_routes(""), BTreeSet::new());
    }
}
