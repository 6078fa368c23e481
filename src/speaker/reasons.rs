//! Why this node does not answer, in the record's words: for the whole node, for an interface, and for each address that no
//! interface can answer for.
//!
//! Pure. Of several interfaces' reasons the one that came nearest to an answer is told, since it is the one to mend.

use super::{
    desired::{Desired, NotHere, Reaches, Vip},
    eligibility::{self, Ineligible, Unfit},
};
use crate::{
    cluster::{
        node::Exclusion,
        record::{Addresses, Reason, Unanswered},
    },
    net::{Link, Links},
};
use landfall_core::{
    health::Broken,
    wire::{datagram, heartbeat},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Display,
    net::IpAddr,
};

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

/// The keys of the heartbeats are missing, or the new ones are not as they must be.
pub fn no_keys(fault: impl ToString) -> Reason {
    reason("HeartbeatKeys", fault)
}

/// Something on the LAN drops heartbeats between this node and those.
pub fn heartbeats_blocked(interface: &str, nodes: &BTreeSet<String>, port: u16) -> Reason {
    let nodes = nodes.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    let message = format!(
        "{interface}: the network drops Landfall's heartbeats (ethertype {:#06x}) from {nodes}, so they go to {} by UDP port {port} as \
         well: have switches and access points let that ethertype through",
        heartbeat::ETHERTYPE,
        datagram::GROUP
    );
    reason("HeartbeatsBlocked", message)
}

/// kube-proxy has stopped.
pub fn stale() -> Reason {
    let message = "kube-proxy on the node is not healthy any more: its rules deliver as it left them, and addresses stay here only \
                   until a node that is better placed can take them: look at kube-proxy, or restart the speaker where it was removed";
    reason("DataPathStale", message)
}

/// Nothing arrives on the interface.
pub fn isolated(interface: &str) -> Reason {
    let message = format!(
        "{interface}: nothing is heard any more, neither another speaker nor the gateway, so announcements are not repeated there: look at its \
         cable, its switch and its VLAN"
    );
    reason("Isolated", message)
}

/// Why an interface is left to another one of the node's.
pub fn sibling(other: &str) -> Reason {
    let message = format!(
        "the interface is on the same LAN as {other}, which alone takes part there: for addresses outside the subnets of {other} name \
         {other} in an announcement's interfaces, or put the two on different LANs"
    );
    reason("Sibling", message)
}

/// Why the system does not let an interface be opened.
pub fn unopened(error: impl Display) -> Reason {
    reason("CannotOpen", format!("the interface cannot be opened: {error}"))
}

/// Why the node answers for an address, or for any, on no interface.
pub fn not_here(why: NotHere) -> Reason {
    match why {
        NotHere::NotAnnounced => reason("NotAnnounced", why),
        NotHere::NodeNotSelected => reason("NodeNotSelected", why),
        NotHere::Excluded(why) => exclusion(why),
        NotHere::DataPath(Broken::NotYet) => reason("DataPathNotYet", why),
        NotHere::DataPath(Broken::Unhealthy) => reason("DataPathBroken", why),
        NotHere::NoLocalEndpoint => reason("NoLocalEndpoint", why),
        NotHere::NodeAddress => reason("NodeAddress", why),
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

/// An interface that matters.
pub struct Candidate<'a> {
    /// As it is.
    pub link: &'a Link,
    /// As it would be if it was fit.
    fitted: Link,
    reaches: Reaches,
    /// Why it takes no part although it is fit.
    pub closed: Option<Reason>,
}

impl Candidate<'_> {
    fn can_answer(&self, vip: IpAddr, wanted: &Vip) -> Result<(), Ineligible> {
        eligibility::eligible(&self.fitted, vip, wanted, &self.reaches)?;
        eligibility::fit(self.link)?;
        Ok(())
    }
}

/// The interfaces that matter: those that are open, those on which speakers would hear each other if they were fit, and those
/// that have addresses among the pools'. Of hundreds of pods' interfaces none does. `closed` says why one takes no part that could.
pub fn candidates<'a>(
    links: &'a Links,
    desired: &Desired,
    is_open: impl Fn(u32) -> bool,
    closed: impl Fn(u32) -> Option<Reason>,
) -> Vec<Candidate<'a>> {
    let lists = |link: &Link| {
        let mut subnets = link.addresses.iter();
        subnets.any(|subnet| desired.pools().iter().any(|pool| pool.lists_in(*subnet)))
    };
    // kube-proxy and others put Services' addresses on dummies.
    let links =
        links.values().filter(|link| link.mac.is_some() && !link.loopback && link.kind.as_deref() != Some("dummy"));
    let candidate = |link: &'a Link| {
        let fitted = Link { up: true, carrier: true, member: false, ..link.clone() };
        let reaches = desired.reaches(&link.name);
        let matters = is_open(link.index) || lists(link) || eligibility::is_segment(&fitted, desired, &reaches);
        matters.then(|| Candidate { link, fitted, reaches, closed: closed(link.index) })
    };
    links.filter_map(candidate).collect()
}

/// The addresses that this node can answer for on none of the interfaces, by why; without those for which that is what is said
/// of the `whole` node.
pub fn unanswered(desired: &Desired, candidates: &[Candidate<'_>], whole: Option<&Reason>) -> Vec<Unanswered> {
    let mut groups: BTreeMap<Reason, Addresses> = BTreeMap::new();
    for (vip, wanted) in &desired.vips {
        if let Some(why) = why_not(*vip, wanted, candidates).filter(|why| Some(why) != whole) {
            groups.entry(why).or_default().insert(*vip);
        }
    }
    groups.into_iter().map(|(why, vips)| Unanswered { why, vips }).collect()
}

fn why_not(vip: IpAddr, wanted: &Vip, candidates: &[Candidate<'_>]) -> Option<Reason> {
    if let Err(why) = wanted.here {
        return Some(not_here(why));
    }
    let (mut whys, mut closed) = (Vec::new(), None);
    for candidate in candidates {
        match candidate.can_answer(vip, wanted) {
            Ok(()) => closed = Some((candidate.link, candidate.closed.as_ref()?)),
            Err(why) => whys.push((candidate.link, why)),
        }
    }
    // It could, if it only took part.
    if let Some((link, why)) = closed {
        return Some(reason(&why.reason, format!("{}: {}", link.name, why.message)));
    }
    Some(match whys.into_iter().max_by_key(|(_, why)| nearness(*why)) {
        Some((link, why @ Ineligible::OutsideSubnets)) => {
            let mut said = ineligible(link, why);
            let subnets = link.lan_addresses().filter(|own| own.addr().is_ipv4() == vip.is_ipv4());
            let subnets: Vec<String> = subnets.map(|own| own.trunc().to_string()).collect();
            if !subnets.is_empty() {
                said.message = format!("{} ({})", said.message, subnets.join(", "));
            }
            said
        }
        Some((link, why)) => ineligible(link, why),
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

    const POOL: &str = "pools: [{name: a, addresses: [198.51.100.0/24, 203.0.113.0/24]}]\n";

    fn links(all: impl IntoIterator<Item = Link>) -> Links {
        all.into_iter().map(|link| (link.index, link)).collect()
    }

    fn names(links: &Links, config: &str) -> Vec<String> {
        let desired = desired_with(config, &[]);
        candidates(links, &desired, |_| false, |_| None).iter().map(|candidate| candidate.link.name.clone()).collect()
    }

    /// What is said of each address, as `reason: addresses`.
    fn said(links: &Links, config: &str, vips: &[&str]) -> Vec<String> {
        said_where(links, |_| None, config, vips)
    }

    /// The same where some interfaces take no part.
    fn said_where(links: &Links, closed: fn(u32) -> Option<Reason>, config: &str, vips: &[&str]) -> Vec<String> {
        let desired = desired_with(config, vips);
        let groups = unanswered(&desired, &candidates(links, &desired, |_| false, closed), None);
        let ranges = |vips: &Addresses| vips.ranges().map(|range| range.to_string()).collect::<Vec<_>>().join(" ");
        groups.iter().map(|group| format!("{}: {}", group.why.reason, ranges(&group.vips))).collect()
    }

    #[test]
    fn of_all_interfaces_those_are_told_that_could_take_part_or_have_a_pools_addresses() {
        let mut down = Link::fit(3, "eth1", &["203.0.113.11/24"]);
        down.up = false;
        let mut ipvs = Link::fit(6, "kube-ipvs0", &["198.51.100.100/32"]);
        ipvs.kind = Some("dummy".into());
        let mut lo = Link::fit(1, "lo", &["198.51.100.9/32"]);
        lo.loopback = true;
        let all = links([
            lo,
            Link::fit(2, "eth0", &["198.51.100.11/24"]),
            down,
            Link::fit(4, "cni0", &["10.1.0.1/24"]),
            Link::fit(5, "veth1", &[]),
            ipvs,
        ]);
        assert_eq!(names(&all, POOL), ["eth0", "eth1"]);
        let named = format!("{POOL}announcements: [{{interfaces: [veth1]}}]");
        assert_eq!(names(&all, &named), ["eth0", "eth1", "veth1"]);
    }

    #[test]
    fn addresses_are_grouped_by_the_reason_that_came_nearest_to_an_answer() {
        let mut eth1 = Link::fit(3, "eth1", &["203.0.113.11/24"]);
        let eth0 = || Link::fit(2, "eth0", &["198.51.100.11/24"]);
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
    fn an_interface_that_takes_no_part_is_why_what_it_alone_could_answer_for_is_not_answered_for() {
        let all = links([Link::fit(2, "eth0", &["198.51.100.11/24"]), Link::fit(3, "eth1", &["203.0.113.11/24"])]);
        let vips = ["198.51.100.100", "203.0.113.7"];
        let left_to_eth0 = |index| (index == 3).then(|| sibling("eth0"));
        assert_eq!(said_where(&all, left_to_eth0, POOL, &vips), ["Sibling: 203.0.113.7"]);
        let not_permitted = |index| (index == 3).then(|| unopened("Operation not permitted"));
        assert_eq!(said_where(&all, not_permitted, POOL, &vips), ["CannotOpen: 203.0.113.7"]);
        // The one that takes part is named: it may answer for all.
        let named = format!("{POOL}announcements: [{{interfaces: [eth0]}}]");
        assert_eq!(said_where(&all, left_to_eth0, &named, &vips), [""; 0]);

        let desired = desired_with(POOL, &vips);
        let groups = unanswered(&desired, &candidates(&all, &desired, |_| false, left_to_eth0), None);
        let message = &groups[0].why.message;
        assert!(message.starts_with("eth1: ") && message.contains("name eth0 in an announcement"), "{message}");
    }

    #[test]
    fn every_reason_is_on_the_users_page() {
        let page = include_str!("../../docs/announcing.md");
        let nodes = [Exclusion::Label, Exclusion::Autoscaler, Exclusion::Deleting].map(exclusion);
        let interfaces = [Unfit::Loopback, Unfit::NotEthernet, Unfit::Down, Unfit::NoCarrier, Unfit::Member].map(unfit);
        let eth0 = Link::fit(2, "eth0", &[]);
        let addresses = [
            Ineligible::NotHere(NotHere::NoLocalEndpoint),
            Ineligible::NotHere(NotHere::NodeAddress),
            Ineligible::NotHere(NotHere::NotAnnounced),
            Ineligible::NotHere(NotHere::NodeNotSelected),
            Ineligible::NotHere(NotHere::DataPath(Broken::NotYet)),
            Ineligible::NotHere(NotHere::DataPath(Broken::Unhealthy)),
            Ineligible::NotAllowed,
            Ineligible::OutsideSubnets,
            Ineligible::SubnetEdge,
            Ineligible::OwnAddress,
        ];
        let addresses = addresses.map(|why| ineligible(&eth0, why));
        let others = [sibling("eth1"), unopened(""), stale()];
        for why in nodes.iter().chain(&interfaces).chain(&addresses).chain(&others) {
            assert!(page.contains(&format!("`{}`", why.reason)), "docs/announcing.md does not tell of {}", why.reason);
        }
    }

    #[test]
    fn an_address_outside_all_subnets_is_told_with_them() {
        let desired = desired_with(POOL, &["203.0.113.7"]);
        let eth0 = links([Link::fit(2, "eth0", &["198.51.100.11/24", "2001:db8::11/64"])]);
        let groups = unanswered(&desired, &candidates(&eth0, &desired, |_| false, |_| None), None);
        assert_eq!(groups[0].why.message, "eth0: the address is in none of the interface's subnets (198.51.100.0/24)");
    }
}
