//! Why this node does not answer, in the record's words: for the whole node, for an interface, and for each address that no
//! interface can answer for.
//!
//! Pure. Of several interfaces' reasons the one that came nearest to an answer is told, since it is the one to mend.

use super::{
    desired::{Desired, NotHere, Reaches},
    eligibility::{self, Ineligible, Unfit},
};
use crate::{
    cluster::{
        node::Exclusion,
        record::{Addresses, Reason, Unanswered},
    },
    net::{Link, Links},
};
use landfall_core::health::Broken;
use std::{collections::BTreeMap, net::IpAddr};

fn reason(word: &str, message: impl ToString) -> Reason {
    Reason { reason: word.into(), message: message.to_string() }
}

fn exclusion(why: Exclusion) -> Reason {
    let word = match why {
        Exclusion::Label => "ExcludedByLabel",
        Exclusion::Autoscaler => "ExcludedByAutoscaler",
        Exclusion::Deleting => "NodeDeleting",
    };
    reason(word, why)
}

/// Why an interface carries no frames of ours.
pub fn unfit(why: Unfit) -> Reason {
    let word = match why {
        Unfit::Loopback => "Loopback",
        Unfit::NotEthernet => "NotEthernet",
        Unfit::Down => "Down",
        Unfit::NoCarrier => "NoCarrier",
        Unfit::Member => "Member",
    };
    reason(word, why)
}

/// Why an interface is left to another one of the node's.
pub fn sibling(other: &str) -> Reason {
    reason("Sibling", format!("the interface is on the same LAN as {other}, which takes part in its place"))
}

/// Why the node answers for an address, or for any, on no interface.
pub fn not_here(why: NotHere) -> Reason {
    match why {
        NotHere::NotAnnounced => reason("NotAnnounced", why),
        NotHere::NodeNotSelected => reason("NodeNotSelected", why),
        NotHere::Excluded(why) => exclusion(why),
        NotHere::DataPath(Broken::NotYet) => reason("DataPathNotYet", why),
        NotHere::DataPath(Broken::Failing) => reason("DataPathBroken", why),
        NotHere::NoLocalEndpoint => reason("NoLocalEndpoint", why),
    }
}

fn ineligible(link: &Link, why: Ineligible) -> Reason {
    let word = match why {
        Ineligible::NotHere(why) => return not_here(why),
        Ineligible::Link(why) => unfit(why).reason,
        Ineligible::NotAllowed => "NotAllowed".into(),
        Ineligible::OutsideSubnets => "OutsideSubnets".into(),
        Ineligible::SubnetEdge => "SubnetEdge".into(),
        Ineligible::OwnAddress => "OwnAddress".into(),
    };
    reason(&word, format!("{}: {why}", link.name))
}

/// How near it was to an answer.
fn nearness(why: Ineligible) -> u8 {
    match why {
        Ineligible::NotAllowed => 0,
        Ineligible::OutsideSubnets => 1,
        Ineligible::NotHere(_) => 2,
        Ineligible::SubnetEdge => 3,
        Ineligible::OwnAddress => 4,
        // Everything else fits.
        Ineligible::Link(_) => 5,
    }
}

/// The interfaces that matter, as they would be if they were fit: those that are open, those on which speakers would hear each
/// other, and those that have addresses among the pools'. Of hundreds of pods' interfaces none does.
pub fn relevant<'a>(
    links: &'a Links,
    desired: &Desired,
    is_open: impl Fn(u32) -> bool,
) -> Vec<(&'a Link, Link, Reaches)> {
    // kube-proxy and others put Services' addresses on dummies.
    let candidates =
        links.values().filter(|link| link.mac.is_some() && !link.loopback && link.kind.as_deref() != Some("dummy"));
    let fitted = candidates.map(|link| {
        let fitted = Link { up: true, carrier: true, member: false, ..link.clone() };
        (link, fitted, desired.reaches(&link.name))
    });
    let lists =
        |link: &Link| link.addresses.iter().any(|subnet| desired.pools().iter().any(|pool| pool.lists_in(*subnet)));
    fitted
        .filter(|(link, fitted, reaches)| {
            is_open(link.index) || lists(link) || eligibility::is_segment(fitted, desired, reaches)
        })
        .collect()
}

/// The addresses that this node can answer for on none of `interfaces`, by why. Where the whole node keeps off there is
/// nothing to tell of each.
pub fn unanswered(desired: &Desired, interfaces: &[(&Link, Link, Reaches)]) -> Vec<Unanswered> {
    let mut groups: BTreeMap<Reason, Addresses> = BTreeMap::new();
    if desired.off().is_some() {
        return Vec::new();
    }
    for vip in desired.vips.keys() {
        if let Err(why) = judge(desired, *vip, interfaces) {
            groups.entry(why).or_default().insert(*vip);
        }
    }
    groups.into_iter().map(|(why, vips)| Unanswered { why, vips }).collect()
}

fn judge(desired: &Desired, vip: IpAddr, interfaces: &[(&Link, Link, Reaches)]) -> Result<(), Reason> {
    let Some(wanted) = desired.vips.get(&vip) else { return Ok(()) };
    wanted.here.map_err(not_here).map(drop)?;
    let mut nearest: Option<(u8, &Link, Ineligible)> = None;
    for (link, fitted, reaches) in interfaces {
        let Err(why) = eligibility::eligible(fitted, vip, wanted, reaches)
            .and_then(|_| eligibility::fit(link).map(drop).map_err(Ineligible::from))
        else {
            return Ok(());
        };
        let near = nearness(why);
        if nearest.is_none_or(|(nearest, ..)| nearest < near) {
            nearest = Some((near, link, why));
        }
    }
    Err(match nearest {
        Some((_, link, why @ Ineligible::OutsideSubnets)) => {
            let subnets =
                link.addresses.iter().map(|own| own.trunc()).filter(|net| net.addr().is_ipv4() == vip.is_ipv4());
            let subnets: Vec<String> = subnets.map(|net| net.to_string()).collect();
            let mut said = ineligible(link, why);
            if !subnets.is_empty() {
                said.message = format!("{} ({})", said.message, subnets.join(", "));
            }
            said
        }
        Some((_, link, why)) => ineligible(link, why),
        None => reason(
            "OutsideSubnets",
            "no interface of the node has a subnet with the address, and no announcement names one",
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::super::desired::tests::desired_with;
    use super::*;
    use landfall_core::wire::ethernet::MacAddr;

    const POOL: &str = "pools: [{name: a, addresses: [198.51.100.0/24, 203.0.113.0/24]}]\n";

    fn link(index: u32, name: &str, addresses: &[&str]) -> Link {
        Link {
            index,
            name: name.into(),
            mac: Some(MacAddr::from([2, 0, 0, 0, 0, 1])),
            up: true,
            carrier: true,
            loopback: false,
            master: None,
            member: false,
            kind: None,
            addresses: addresses.iter().map(|address| address.parse().unwrap()).collect(),
        }
    }

    fn links(all: impl IntoIterator<Item = Link>) -> Links {
        all.into_iter().map(|link| (link.index, link)).collect()
    }

    fn names(links: &Links, config: &str) -> Vec<String> {
        let desired = desired_with(config, &[]);
        relevant(links, &desired, |_| false).iter().map(|(link, ..)| link.name.clone()).collect()
    }

    /// What is said of each address, as `reason: addresses`.
    fn said(links: &Links, config: &str, vips: &[&str]) -> Vec<String> {
        let desired = desired_with(config, vips);
        let groups = unanswered(&desired, &relevant(links, &desired, |_| false));
        let ranges = |vips: &Addresses| vips.ranges().map(|range| range.to_string()).collect::<Vec<_>>().join(" ");
        groups.iter().map(|group| format!("{}: {}", group.why.reason, ranges(&group.vips))).collect()
    }

    #[test]
    fn of_all_interfaces_those_are_told_that_could_take_part_or_have_a_pools_addresses() {
        let mut down = link(3, "eth1", &["203.0.113.11/24"]);
        down.up = false;
        let mut ipvs = link(6, "kube-ipvs0", &["198.51.100.100/32"]);
        ipvs.kind = Some("dummy".into());
        let mut lo = link(1, "lo", &["198.51.100.9/32"]);
        lo.loopback = true;
        let all = links([
            lo,
            link(2, "eth0", &["198.51.100.11/24"]),
            down,
            link(4, "cni0", &["10.1.0.1/24"]),
            link(5, "veth1", &[]),
            ipvs,
        ]);
        assert_eq!(names(&all, POOL), ["eth0", "eth1"]);
        let named = format!("{POOL}announcements: [{{interfaces: [veth1]}}]");
        assert_eq!(names(&all, &named), ["eth0", "eth1", "veth1"]);
    }

    #[test]
    fn addresses_are_grouped_by_the_reason_that_came_nearest_to_an_answer() {
        let mut eth1 = link(3, "eth1", &["203.0.113.11/24"]);
        let eth0 = || link(2, "eth0", &["198.51.100.11/24"]);
        let vips = ["198.51.100.100", "198.51.100.11", "198.51.100.255", "203.0.113.7", "203.0.113.8", "192.0.2.1"];
        let near = ["OutsideSubnets: 192.0.2.1", "OwnAddress: 198.51.100.11", "SubnetEdge: 198.51.100.255"];
        assert_eq!(said(&links([eth0(), eth1.clone()]), POOL, &vips), near);
        eth1.carrier = false;
        let no_carrier = [&["NoCarrier: 203.0.113.7-203.0.113.8"], &near[..]].concat();
        assert_eq!(said(&links([eth0(), eth1]), POOL, &vips), no_carrier);
        assert_eq!(said(&links([]), POOL, &["198.51.100.100"]), ["OutsideSubnets: 198.51.100.100"]);
        let other = format!("{POOL}announcements: [{{interfaces: [eth9]}}]");
        assert_eq!(said(&links([eth0()]), &other, &["198.51.100.100"]), ["NotAllowed: 198.51.100.100"]);
    }

    #[test]
    fn every_reason_is_on_the_users_page() {
        let page = include_str!("../../docs/announcing.md");
        let nodes = [Exclusion::Label, Exclusion::Autoscaler, Exclusion::Deleting].map(exclusion);
        let interfaces = [Unfit::Loopback, Unfit::NotEthernet, Unfit::Down, Unfit::NoCarrier, Unfit::Member].map(unfit);
        let eth0 = link(2, "eth0", &[]);
        let addresses = [
            Ineligible::NotHere(NotHere::NoLocalEndpoint),
            Ineligible::NotHere(NotHere::NotAnnounced),
            Ineligible::NotHere(NotHere::NodeNotSelected),
            Ineligible::NotHere(NotHere::DataPath(Broken::NotYet)),
            Ineligible::NotHere(NotHere::DataPath(Broken::Failing)),
            Ineligible::NotAllowed,
            Ineligible::OutsideSubnets,
            Ineligible::SubnetEdge,
            Ineligible::OwnAddress,
        ];
        let addresses = addresses.map(|why| ineligible(&eth0, why));
        for why in nodes.iter().chain(&interfaces).chain(&addresses).chain([&sibling("eth1")]) {
            assert!(page.contains(&format!("`{}`", why.reason)), "docs/announcing.md does not tell of {}", why.reason);
        }
    }

    #[test]
    fn an_address_outside_all_subnets_is_told_with_them() {
        let desired = desired_with(POOL, &["203.0.113.7"]);
        let eth0 = links([link(2, "eth0", &["198.51.100.11/24", "2001:db8::11/64"])]);
        let groups = unanswered(&desired, &relevant(&eth0, &desired, |_| false));
        assert_eq!(groups[0].why.message, "eth0: the address is in none of the interface's subnets (198.51.100.0/24)");
    }
}
