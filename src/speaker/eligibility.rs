//! Whether an interface of this node can answer for a VIP now, and if not, why.
//!
//! Pure: an interface as netlink describes it, and what the API server wants of the VIP.

use super::desired::{Desired, NotHere, Reaches, Vip};
use crate::net::Link;
use landfall_core::{addr, config::Reach, elect::Wish, wire::ethernet::MacAddr};
use std::net::IpAddr;

/// Why an interface does not answer for a VIP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Ineligible {
    /// It can carry no answer at all.
    #[error(transparent)]
    Link(#[from] Unfit),
    /// This node must not answer.
    #[error(transparent)]
    NotHere(#[from] NotHere),
    /// No announcement for the VIP allows it.
    #[error("no announcement for the address allows this interface: see their interfaces")]
    NotAllowed,
    /// The VIP is in none of its subnets, and no announcement names it.
    #[error("the address is in none of the interface's subnets")]
    OutsideSubnets,
    /// The VIP is the network's own or its broadcast address.
    #[error("the address is the network or broadcast address of the interface's subnet")]
    SubnetEdge,
    /// The kernel already answers for it.
    #[error("the address is the interface's own")]
    OwnAddress,
}

/// Why an interface carries no frames of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// Loopback.
    #[error("the interface is loopback")]
    Loopback,
    /// No Ethernet.
    #[error("the interface has no Ethernet address")]
    NotEthernet,
    /// Configured down.
    #[error("the interface is down")]
    Down,
    /// The cable is out.
    #[error("the interface has no carrier")]
    NoCarrier,
    /// Its bridge or bond answers in its place.
    #[error("the interface belongs to a bridge or bond")]
    Member,
}

/// The Ethernet address of an interface that can carry frames of ours.
pub fn fit(link: &Link) -> Result<MacAddr, Unfit> {
    match link.mac {
        _ if link.loopback => Err(Unfit::Loopback),
        _ if link.member => Err(Unfit::Member),
        _ if !link.up => Err(Unfit::Down),
        _ if !link.carrier => Err(Unfit::NoCarrier),
        Some(mac) => Ok(mac),
        None => Err(Unfit::NotEthernet),
    }
}

/// Whether speakers should hear each other on this interface: a pool of ours may be announced there, or an address that an edit
/// has left without a pool.
pub fn is_segment(link: &Link, desired: &Desired, reaches: &Reaches) -> bool {
    let mut pools = desired.pools().iter().zip(&reaches.pools);
    fit(link).is_ok()
        && (pools.any(|(pool, reach)| match reach {
            Reach::None => false,
            Reach::Subnets => link.addresses.iter().any(|subnet| pool.lists_in(*subnet)),
            Reach::Any => true,
        }) || desired.orphans().any(|(vip, wanted)| eligible(link, *vip, wanted, reaches).is_ok()))
}

/// Whether `link`, which may announce as far as `reaches`, can answer for `vip`, and how much it wants to.
///
/// # Errors
/// Why it cannot.
pub fn eligible(link: &Link, vip: IpAddr, wanted: &Vip, reaches: &Reaches) -> Result<Wish, Ineligible> {
    fit(link)?;
    let wish = wanted.here?;
    match reaches.of(wanted) {
        Reach::None => return Err(Ineligible::NotAllowed),
        Reach::Subnets if !link.addresses.iter().any(|subnet| subnet.contains(&vip)) => {
            return Err(Ineligible::OutsideSubnets);
        }
        Reach::Subnets | Reach::Any => {}
    }
    if link.addresses.iter().any(|own| own.addr() == vip) {
        return Err(Ineligible::OwnAddress);
    }
    if link.addresses.iter().any(|subnet| addr::edges(*subnet).any(|edge| edge == vip)) {
        Err(Ineligible::SubnetEdge)
    } else {
        Ok(wish)
    }
}

#[cfg(test)]
mod tests {
    use super::super::desired::tests::{desired, desired_with};
    use super::*;

    fn link(addresses: &[&str]) -> Link {
        Link::fit(2, "eth0", addresses)
    }

    const OWN: [&str; 2] = ["198.51.100.11/24", "2001:db8::11/64"];

    fn judge(link: &Link, vip: &str, config: &str) -> Result<(), Ineligible> {
        let desired = desired(config, vip);
        let vip = vip.parse().unwrap();
        eligible(link, vip, &desired.vips[&vip], &desired.reaches(&link.name)).map(drop)
    }

    fn listens(link: &Link, desired: &Desired) -> bool {
        is_segment(link, desired, &desired.reaches(&link.name))
    }

    const POOL: &str = "pools: [{name: a, addresses: [198.51.100.0/24, 203.0.113.0/24, '2001:db8::/64']}]\n";

    #[test]
    fn an_interface_answers_for_the_addresses_of_its_subnets() {
        for (vip, expected) in [
            ("198.51.100.100", Ok(())),
            ("2001:db8::100", Ok(())),
            ("203.0.113.7", Err(Ineligible::OutsideSubnets)),
            ("198.51.100.11", Err(Ineligible::OwnAddress)),
            ("2001:db8::11", Err(Ineligible::OwnAddress)),
            ("198.51.100.0", Err(Ineligible::SubnetEdge)),
            ("198.51.100.255", Err(Ineligible::SubnetEdge)),
            ("2001:db8::", Err(Ineligible::SubnetEdge)),
        ] {
            assert_eq!(judge(&link(&OWN), vip, POOL), expected, "{vip}");
        }
        assert_eq!(judge(&link(&["198.51.100.0/31"]), "198.51.100.1", POOL), Ok(()), "a /31 has no edges");
    }

    #[test]
    fn an_announcement_that_names_the_interface_allows_addresses_outside_its_subnets() {
        let on = |interfaces: &str| format!("{POOL}announcements: [{{interfaces: [{interfaces}]}}]");
        assert_eq!(judge(&link(&OWN), "203.0.113.7", &on("eth0")), Ok(()));
        assert_eq!(judge(&link(&OWN), "203.0.113.7", &on("'eth*'")), Err(Ineligible::OutsideSubnets));
        assert_eq!(judge(&link(&OWN), "198.51.100.7", &on("'eth*'")), Ok(()));
        assert_eq!(judge(&link(&OWN), "198.51.100.7", &on("eth1")), Err(Ineligible::NotAllowed));
    }

    #[test]
    fn an_interface_that_carries_no_frames_is_unfit_and_says_why() {
        let unfit = |change: fn(&mut Link)| {
            let mut link = link(&OWN);
            change(&mut link);
            assert!(!listens(&link, &desired(POOL, "198.51.100.100")));
            judge(&link, "198.51.100.100", POOL)
        };
        assert_eq!(unfit(|link| link.up = false), Err(Unfit::Down.into()));
        assert_eq!(unfit(|link| link.carrier = false), Err(Unfit::NoCarrier.into()));
        assert_eq!(unfit(|link| link.member = true), Err(Unfit::Member.into()));
        assert_eq!(unfit(|link| link.loopback = true), Err(Unfit::Loopback.into()));
        assert_eq!(unfit(|link| link.mac = None), Err(Unfit::NotEthernet.into()));
    }

    #[test]
    fn speakers_hear_each_other_where_a_pool_may_be_announced_and_nowhere_else() {
        let nothing = |config: &str| desired_with(config, &[]);
        assert!(listens(&link(&OWN), &nothing(POOL)));
        assert!(!listens(&link(&["10.244.1.1/24"]), &nothing(POOL)));
        assert!(listens(&link(&[]), &nothing(&format!("{POOL}announcements: [{{interfaces: [eth0]}}]"))));
        assert!(!listens(&link(&OWN), &nothing(&format!("{POOL}announcements: [{{interfaces: [eth1]}}]"))));
        let elsewhere = "pools: [{name: b, addresses: [203.0.113.0/24]}]";
        assert!(!listens(&link(&OWN), &nothing(elsewhere)));
        assert!(listens(&link(&OWN), &desired(elsewhere, "198.51.100.100")), "an address kept without its pool");
    }
}
