//! What of a node's settings breaks the delivery of what it announces: told in the record, since nobody would look there.
//!
//! Pure: interfaces, kernel settings and routes go in, warnings come out.

use crate::{
    cluster::record::Reason,
    net::{Link, Settings},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

/// Where kube-proxy in mode ipvs puts every Service's address.
const IPVS: &str = "kube-ipvs0";

/// What is judged.
pub struct Facts<'a> {
    /// The interfaces on which addresses are answered for, with the kernel's settings for each.
    pub announcing: BTreeMap<&'a str, Settings>,
    /// All interfaces.
    pub links: Vec<&'a Link>,
    /// The interfaces that have a default route for IPv4.
    pub default_routes: BTreeSet<String>,
}

/// The warnings. `is_vip` says what addresses Services have.
pub fn diagnose(facts: &Facts<'_>, is_vip: impl Fn(IpAddr) -> bool) -> Vec<Reason> {
    let mut warnings = Vec::new();
    let mut warn = |reason: &str, message| warnings.push(Reason { reason: reason.into(), message });
    for (interface, settings) in &facts.announcing {
        // With arp_ignore 0 the kernel answers for every address that the node has, on whichever interface.
        let kernels = facts.links.iter().filter(|link| settings.arp_ignore == 0 && link.name != *interface);
        let kernels = kernels.filter_map(|link| {
            let own = link.addresses.iter().map(|own| own.addr());
            Some((&link.name, own.filter(|own| own.is_ipv4()).find(|own| is_vip(*own))?))
        });
        for (holder, vip) in kernels {
            if holder == IPVS {
                warn(
                    "StrictArpOff",
                    format!(
                        "kube-proxy runs in mode ipvs without strictARP, so the kernel of each node answers on {interface} for {vip} \
                     and all others: set ipvs.strictARP: true in kube-proxy's configuration"
                    ),
                );
            } else {
                warn(
                    "KernelAnswers",
                    format!(
                        "{holder} has the address {vip}, so the kernel answers for it on {interface}, be this node its owner or not: \
                     take it off {holder}, or set net.ipv4.conf.all.arp_ignore to 1"
                    ),
                );
            }
        }
        let elsewhere = !facts.default_routes.is_empty() && !facts.default_routes.contains(*interface);
        if settings.rp_filter == 1 && elsewhere {
            warn(
                "StrictReversePath",
                format!(
                    "rp_filter is strict on {interface} and the default route leads elsewhere, so what comes from beyond the LAN of \
                 {interface} is dropped: set net.ipv4.conf.{interface}.rp_filter to 2"
                ),
            );
        }
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(name: &str, address: &str) -> Link {
        Link { mac: None, ..Link::fit(2, name, &[address]) }
    }

    /// The warnings' words for programs, where `other` is there beside eth0 and the default routes are on `routes`.
    fn said(arp_ignore: u8, rp_filter: u8, other: &Link, routes: &[&str]) -> Vec<String> {
        let eth0 = link("eth0", "198.51.100.11/24");
        let facts = Facts {
            announcing: [("eth0", Settings { arp_ignore, rp_filter })].into(),
            links: vec![&eth0, other],
            default_routes: routes.iter().map(ToString::to_string).collect(),
        };
        let vips = ["198.51.100.100", "2001:db8::100"].map(|vip| vip.parse::<IpAddr>().unwrap());
        let page = include_str!("../../docs/announcing.md");
        let warnings = diagnose(&facts, |vip| vips.contains(&vip)).into_iter();
        warnings.inspect(|said| assert!(page.contains(&said.reason), "{said:?}")).map(|said| said.reason).collect()
    }

    #[test]
    fn ipvs_without_strict_arp_is_told() {
        let ipvs = |address| link("kube-ipvs0", address);
        for (arp_ignore, other, expected) in [
            (0, ipvs("198.51.100.100/32"), &["StrictArpOff"][..]),
            (1, ipvs("198.51.100.100/32"), &[]),
            // No Service's address that anybody asks for on the LAN.
            (0, ipvs("10.96.0.1/32"), &[]),
            // NDP answers for an interface's own addresses alone.
            (0, ipvs("2001:db8::100/128"), &[]),
            (0, link("lo", "198.51.100.100/32"), &["KernelAnswers"]),
            (2, link("lo", "198.51.100.100/32"), &[]),
        ] {
            assert_eq!(said(arp_ignore, 0, &other, &["eth0"]), expected, "arp_ignore {arp_ignore}, {other:?}");
        }
    }

    #[test]
    fn a_strict_reverse_path_hurts_where_the_default_route_leads_elsewhere() {
        for (rp_filter, routes, expected) in [
            (1, &["eth1"][..], &["StrictReversePath"][..]),
            (1, &["eth0"], &[]),
            (1, &["eth1", "eth0"], &[]),
            (1, &[], &[]),
            (0, &["eth1"], &[]),
            (2, &["eth1"], &[]),
        ] {
            assert_eq!(
                said(1, rp_filter, &link("eth1", "203.0.113.11/24"), routes),
                expected,
                "{rp_filter} {routes:?}"
            );
        }
    }
}
