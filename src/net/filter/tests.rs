//! The programs, run by the few rules of classic BPF that they use, and judged by the frames that our own code makes.

use super::*;
use landfall_core::wire::{arp, ethernet::MacAddr, ndp};
use proptest::{collection::btree_set, prelude::*};
use std::net::{Ipv4Addr, Ipv6Addr};

const STATION: MacAddr = MacAddr(2, 0, 0, 0, 0, 1);

/// What the kernel does with a frame of this type (0: for this station).
fn lets_through(program: &[Operation], frame: &[u8], packet_type: u32) -> bool {
    let (mut at, mut accumulator) = (0, 0);
    loop {
        let Operation(code, jump_true, jump_false, value) = program[at];
        at += 1;
        let jump = |condition: bool| usize::from(if condition { jump_true } else { jump_false });
        match code {
            LOAD_BYTE if value == PACKET_TYPE => accumulator = packet_type,
            LOAD_BYTE => match frame.get(value as usize) {
                Some(octet) => accumulator = u32::from(*octet),
                None => return false,
            },
            LOAD_WORD => match frame.get(value as usize..value as usize + 4) {
                Some(octets) => accumulator = u32::from_be_bytes(octets.try_into().unwrap()),
                None => return false,
            },
            JUMP => at += value as usize,
            EQUAL => at += jump(accumulator == value),
            GREATER => at += jump(accumulator > value),
            AT_LEAST => at += jump(accumulator >= value),
            RETURN => return value != NOTHING,
            other => panic!("operation {other:#x}"),
        }
    }
}

fn hears_arp(interest: &Interest, frame: &[u8]) -> bool {
    lets_through(&interest.arp(), frame, 0)
}

fn hears_ndp(interest: &Interest, frame: &[u8]) -> bool {
    lets_through(&interest.ndp(), frame, 0)
}

fn interest<'a>(said: impl IntoIterator<Item = &'a str>, asked: impl IntoIterator<Item = &'a str>) -> Interest {
    let parse = |texts: Vec<&str>| texts.into_iter().map(|text| text.parse().unwrap()).collect::<Vec<IpAddr>>();
    Interest::new(parse(said.into_iter().collect()).into_iter(), parse(asked.into_iter().collect()).into_iter())
}

fn v4(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(198, 51, 100, last)
}

fn v6(last: u16) -> Ipv6Addr {
    Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last)
}

#[test]
fn arp_is_heard_that_asks_for_what_is_answered_for_or_comes_from_what_is_ours() {
    let interest = interest(["198.51.100.100", "198.51.100.101"], ["198.51.100.100"]);
    assert!(hears_arp(&interest, &arp::request(STATION, v4(9), v4(100))));
    assert!(hears_arp(&interest, &arp::probe(STATION, v4(100))));
    assert!(hears_arp(&interest, &arp::announcement(STATION, v4(101))));
    assert!(hears_arp(&interest, &arp::gratuitous_reply(STATION, v4(101))));
    assert!(hears_arp(&interest, &arp::request(STATION, v4(101), v4(9))));
    // Another speaker answers for it.
    assert!(!hears_arp(&interest, &arp::request(STATION, v4(9), v4(101))));
    assert!(!hears_arp(&interest, &arp::request(STATION, v4(9), v4(8))));
    assert!(!hears_arp(&interest, &arp::announcement(STATION, v4(102))));
}

#[test]
fn neighbours_are_heard_that_solicit_what_is_answered_for_or_advertise_what_is_ours() {
    let interest = interest(["2001:db8::100", "2001:db8::101"], ["2001:db8::100"]);
    assert!(hears_ndp(&interest, &ndp::solicitation(STATION, v6(9), v6(0x100))));
    assert!(hears_ndp(&interest, &ndp::probe(STATION, v6(0x100), [7; 6])));
    assert!(hears_ndp(&interest, &ndp::unsolicited(STATION, v6(0x101), ndp::ALL_NODES)));
    assert!(hears_ndp(&interest, &ndp::solicitation(STATION, v6(0x101), v6(9))));
    assert!(!hears_ndp(&interest, &ndp::solicitation(STATION, v6(9), v6(0x101))));
    assert!(!hears_ndp(&interest, &ndp::solicitation(STATION, v6(9), v6(8))));
    assert!(!hears_ndp(&interest, &ndp::unsolicited(STATION, v6(0x102), ndp::ALL_NODES)));
}

#[test]
fn of_ipv4_the_heartbeats_group_is_heard() {
    let ours = datagram::emit(b"sealed", STATION, v4(11), datagram::PORT);
    assert!(lets_through(&DATAGRAMS, &ours, 0));
    assert!(!lets_through(&DATAGRAMS, &ours, OTHER_HOST), "another VLAN's");
    for (at, octet) in [(23, 6), (30, 225), (33, 1)] {
        let mut other = ours.clone();
        other[at] = octet;
        assert!(!lets_through(&DATAGRAMS, &other, 0), "octet {at}");
    }
    assert!(!lets_through(&DATAGRAMS, &ours[..33], 0));
}

#[test]
fn nothing_else_is_heard() {
    let all = interest(["0.0.0.0", "255.255.255.255", "::", "ffff:ffff::ffff:ffff"], ["0.0.0.0", "255.255.255.255"]);
    let (question, solicitation) =
        (arp::request(STATION, v4(9), v4(1)), ndp::solicitation(STATION, v6(9), Ipv6Addr::UNSPECIFIED));
    assert!(!lets_through(&all.arp(), &arp::probe(STATION, Ipv4Addr::UNSPECIFIED), OTHER_HOST));
    assert!(!lets_through(&all.ndp(), &solicitation, OTHER_HOST));
    for len in 0..NDP_TARGET_END as usize {
        assert!(!hears_ndp(&all, &solicitation[..len]), "{len}");
    }
    for len in 0..ARP_SENDER as usize {
        assert!(!hears_arp(&all, &question[..len]), "{len}");
    }
    let nothing = Interest::default();
    assert!(!hears_arp(&nothing, &question));
    assert!(!hears_ndp(&nothing, &solicitation));
}

proptest! {
    #[test]
    fn whatever_matters_is_heard_and_hardly_anything_else(
        said in btree_set(any::<u8>(), 0..9), asked in btree_set(any::<u8>(), 0..9), sender: u8, target: u8,
    ) {
        let both = |last: &u8| [v4(*last).into(), v6((*last).into()).into()];
        let interest = Interest::new(said.iter().flat_map(both), asked.iter().flat_map(both));
        let matters = said.contains(&sender) || asked.contains(&target);
        prop_assert_eq!(hears_arp(&interest, &arp::request(STATION, v4(sender), v4(target))), matters);
        let solicitation = ndp::solicitation(STATION, v6(sender.into()), v6(target.into()));
        prop_assert_eq!(hears_ndp(&interest, &solicitation), matters);
        let advertisement = ndp::unsolicited(STATION, v6(target.into()), ndp::ALL_NODES);
        prop_assert_eq!(hears_ndp(&interest, &advertisement), said.contains(&target));
    }

    #[test]
    fn a_thousand_scattered_addresses_are_heard_by_a_program_that_fits(numbers in btree_set(any::<u32>(), 1000), pick: usize) {
        let both = |bits: &u32| [Ipv4Addr::from(*bits).into(), Ipv6Addr::from(u128::from(*bits)).into()];
        let addresses = numbers.iter().flat_map(both);
        let interest = Interest::new(addresses.clone(), addresses);
        prop_assert!(interest.arp().len() < 500 && interest.ndp().len() < 500);
        let one = *numbers.iter().nth(pick % numbers.len()).unwrap();
        prop_assert!(hears_arp(&interest, &arp::request(STATION, v4(1), one.into())));
        prop_assert!(hears_ndp(&interest, &ndp::solicitation(STATION, v6(1), u128::from(one).into())));
    }
}
