use super::*;
use arp::Operation::{Reply, Request};
use proptest::prelude::*;
use std::net::Ipv4Addr;

const US: MacAddr = MacAddr(2, 0, 0, 0, 0, 1);
const ASKER: MacAddr = MacAddr(2, 0, 0, 0, 0, 9);
const OTHER: MacAddr = MacAddr(2, 0, 0, 0, 0, 8);
const ZERO: MacAddr = MacAddr(0, 0, 0, 0, 0, 0);
const VIP4: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 100);
const ASKER4: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 200);
const NONE4: Ipv4Addr = Ipv4Addr::UNSPECIFIED;
const VIP6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x100);
const ASKER6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x200);

fn ask(frame: &[u8]) -> Result<Answer, Ignored> {
    answer(frame, US, |address| address == VIP4 || address == VIP6)
}

fn arp(operation: arp::Operation, from: (MacAddr, Ipv4Addr), target: Ipv4Addr, to: MacAddr) -> Frame {
    let (sender_mac, sender_ip) = from;
    arp::Repr { operation, sender_mac, sender_ip, target_mac: ZERO, target_ip: target }.emit(to)
}

fn solicit(link_layer: Option<MacAddr>) -> ndp::Message {
    ndp::Message::Solicitation { link_layer, nonce: None }
}

fn advertise(link_layer: Option<MacAddr>) -> ndp::Message {
    ndp::Message::Advertisement { router: false, solicited: false, overriding: true, link_layer }
}

fn ndp(message: ndp::Message, source: Ipv6Addr, destination: Ipv6Addr, target: Ipv6Addr) -> ndp::Repr {
    ndp::Repr { source, destination, target, message }
}

#[test]
fn arp_is_answered_to_the_asker() {
    let reply = |target_ip| {
        arp::Repr { operation: Reply, sender_mac: US, sender_ip: VIP4, target_mac: ASKER, target_ip }.emit(ASKER)
    };
    for (why, question, asker) in [
        ("broadcast", arp(Request, (ASKER, ASKER4), VIP4, BROADCAST), ASKER4),
        (
            "to us alone: the neighbour checks whether we are still there",
            arp(Request, (ASKER, ASKER4), VIP4, US),
            ASKER4,
        ),
        ("a probe, which defends the VIP", arp(Request, (ASKER, NONE4), VIP4, BROADCAST), NONE4),
    ] {
        assert_eq!(ask(&question), Ok(Answer::Reply(reply(asker))), "{why}");
    }
}

#[test]
fn arp_that_is_not_answered_has_a_reason() {
    for (question, reason) in [
        (arp(Request, (ASKER, ASKER4), ASKER4, BROADCAST), Ignored::NotOwned),
        (arp(Request, (ASKER, ASKER4), VIP4, OTHER), Ignored::Destination),
        (arp(Request, (ASKER, ASKER4), VIP4, MacAddr(1, 0, 0x5e, 0, 0, 1)), Ignored::Destination),
        (arp(Reply, (ASKER, ASKER4), VIP4, US), Ignored::NoQuestion),
        (arp(Request, (US, VIP4), VIP4, BROADCAST), Ignored::Own),
        (arp(Request, (BROADCAST, ASKER4), VIP4, BROADCAST), Ignored::Ethernet(ethernet::Refused::Source)),
    ] {
        assert_eq!(ask(&question), Err(reason));
    }
    let mut ipv4 = arp(Request, (ASKER, ASKER4), VIP4, US).to_vec();
    ipv4[12..14].copy_from_slice(&[8, 0]);
    assert_eq!(ask(&ipv4), Err(Ignored::Ethertype));
    let short = &arp(Request, (ASKER, ASKER4), VIP4, BROADCAST)[..40];
    assert_eq!(ask(short), Err(Ignored::Arp(arp::Refused::Truncated)));
    let mut looped = arp(Request, (US, ASKER4), VIP4, BROADCAST).to_vec();
    looped[6..12].copy_from_slice(&ASKER.octets());
    assert_eq!(ask(&looped), Err(Ignored::Own), "a bridge that rewrites Ethernet sources brought it back");
}

#[test]
fn a_foreign_claim_to_our_address_is_told_and_not_answered() {
    let by = OTHER;
    let claims4 = [
        arp(Request, (by, VIP4), VIP4, BROADCAST),
        arp(Reply, (by, VIP4), VIP4, BROADCAST),
        arp(Request, (by, VIP4), ASKER4, BROADCAST),
    ];
    for claim in claims4 {
        assert_eq!(ask(&claim), Ok(Answer::Claimed { address: VIP4.into(), by }));
    }
    let group = ndp::solicited_node(ASKER6);
    let question = ndp(solicit(Some(by)), VIP6, group, ASKER6).emit(by, ndp::multicast_mac(group));
    assert_eq!(ask(&question), Ok(Answer::Claimed { address: VIP6.into(), by }), "it asks from our address");
    let claim = ndp(advertise(Some(by)), VIP6, ndp::ALL_NODES, VIP6);
    for (claim, station) in [(claim, ASKER), (ndp(advertise(None), VIP6, ndp::ALL_NODES, VIP6), by)] {
        let frame = claim.emit(station, ndp::multicast_mac(ndp::ALL_NODES));
        assert_eq!(ask(&frame), Ok(Answer::Claimed { address: VIP6.into(), by }));
    }
}

#[test]
fn a_solicitation_is_answered() {
    let group = ndp::solicited_node(VIP6);
    let group_mac = ndp::multicast_mac(group);
    let all = ndp::multicast_mac(ndp::ALL_NODES);
    for (why, question, to, station) in [
        ("to the group", ndp(solicit(Some(ASKER)), ASKER6, group, VIP6), group_mac, ASKER),
        ("to us alone", ndp(solicit(Some(ASKER)), ASKER6, VIP6, VIP6), US, ASKER),
        ("to us alone, without an option", ndp(solicit(None), ASKER6, VIP6, VIP6), US, ASKER),
        ("by a station behind a proxy", ndp(solicit(Some(OTHER)), ASKER6, group, VIP6), group_mac, OTHER),
        ("by duplicate address detection", ndp(solicit(None), Ipv6Addr::UNSPECIFIED, group, VIP6), group_mac, all),
    ] {
        let reply = question.advertisement(US).emit(US, station);
        assert_eq!(ask(&question.emit(ASKER, to)), Ok(Answer::Reply(reply)), "{why}");
    }
}

#[test]
fn ndp_that_is_not_answered_has_a_reason() {
    let group = ndp::solicited_node(VIP6);
    let mac = ndp::multicast_mac(group);
    let question = ndp(solicit(Some(ASKER)), ASKER6, group, VIP6);
    for (frame, reason) in [
        (ndp(solicit(Some(ASKER)), ASKER6, group, ASKER6).emit(ASKER, mac), Ignored::NotOwned),
        (question.emit(ASKER, OTHER), Ignored::Destination),
        (ndp(solicit(Some(ASKER)), ASKER6, ndp::ALL_NODES, VIP6).emit(ASKER, mac), Ignored::Destination),
        (ndp(solicit(Some(US)), ASKER6, group, VIP6).emit(ASKER, mac), Ignored::Own),
        (question.emit(US, mac), Ignored::Own),
        (ndp(advertise(Some(US)), VIP6, ndp::ALL_NODES, VIP6).emit(ASKER, mac), Ignored::Own),
        (ndp(advertise(Some(ASKER)), ASKER6, ndp::ALL_NODES, ASKER6).emit(ASKER, mac), Ignored::NoQuestion),
    ] {
        assert_eq!(ask(&frame), Err(reason));
    }
    let forwarded = ndp(solicit(Some(ASKER)), ASKER6, group, VIP6).emit(ASKER, mac).to_vec();
    let forwarded = [&forwarded[..21], &[254], &forwarded[22..]].concat();
    assert_eq!(ask(&forwarded), Err(Ignored::Ndp(ndp::Refused::HopLimit)));
}

#[test]
fn every_reaction_is_counted() {
    let mut counters = Counters::default();
    counters.count(&ask(&arp(Request, (ASKER, ASKER4), VIP4, BROADCAST)));
    counters.count(&ask(&arp(Request, (OTHER, VIP4), VIP4, BROADCAST)));
    for _ in 0..2 {
        counters.count(&ask(&arp(Request, (ASKER, ASKER4), ASKER4, BROADCAST)));
    }
    let ignored = BTreeMap::from([(Ignored::NotOwned, 2)]);
    assert_eq!(counters, Counters { answered: 1, claimed: 1, ignored });
}

proptest! {
    #[test]
    fn nothing_panics(mut frame in proptest::collection::vec(any::<u8>(), 0..128), ethertype in 0usize..3) {
        if let Some(field) = frame.get_mut(12..14) {
            field.copy_from_slice(&[ethernet::ARP, ethernet::IPV6, 0][ethertype].to_be_bytes());
        }
        _ = answer(&frame, US, |_| true);
    }

    /// Nobody can make us talk about an address that is not ours.
    #[test]
    fn only_owned_addresses_are_answered(target in any::<[u8; 4]>(), asker in any::<[u8; 4]>()) {
        let question = arp(Request, (ASKER, asker.into()), target.into(), BROADCAST);
        if let Ok(Answer::Reply(reply)) = ask(&question) {
            prop_assert_eq!(&reply[28..32], &VIP4.octets()[..]);
        }
    }
}
