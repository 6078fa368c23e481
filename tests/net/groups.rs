//! Solicited-node groups, as the kernel keeps them and a switch that listens to MLD learns them.

use crate::{
    capture::{Capture, until},
    lan::Lan,
};
use landfall::net::Groups;
use std::net::Ipv6Addr;

fn vip(n: u32) -> Ipv6Addr {
    let [_, a, b, c] = n.to_be_bytes();
    Ipv6Addr::from([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, a, b, c])
}

#[test]
fn the_switch_learns_of_a_vip_by_mld() {
    let lan = Lan::new();
    let index = lan.node.index("eth0");
    lan.node.block_on(async || {
        let mut groups = Groups::default();
        groups.join(index, vip(0x777)).unwrap();
        until("the switch to learn the group on the node's port", || {
            lan.switch.exec("bridge mdb show dev br0").unwrap().contains("port node grp ff02::1:ff00:777")
        });
    });
}

/// What routers and other switches go by.
#[test]
fn each_vip_is_reported_when_it_comes_and_when_it_goes() {
    let lan = Lan::new();
    let index = lan.node.index("eth0");
    // A version 2 report: ICMPv6 of type 143 behind a hop-by-hop header.
    let mut capture = Capture::on(&lan.switch, "node", "ip6[6] == 0 and ip6[40] == 58 and ip6[48] == 143");
    lan.node.block_on(async || {
        let mut groups = Groups::default();
        let vips = [(0x777, "ff02::1:ff00:777"), (0x778, "ff02::1:ff00:778"), (0x123456, "ff02::1:ff12:3456")];
        for (n, group) in vips {
            groups.join(index, vip(n)).unwrap();
            capture.line(|line| line.contains(&format!("gaddr {group} to_ex")));
        }
        for (n, group) in vips {
            groups.leave(index, vip(n)).unwrap();
            capture.line(|line| line.contains(&format!("gaddr {group} to_in")));
        }
    });
}

#[test]
fn vips_with_the_same_last_octets_share_a_group() {
    let lan = Lan::new();
    let index = lan.node.index("eth0");
    let member = || lan.node.ip("maddr show dev eth0").contains("ff02::1:ff00:777");
    lan.node.block_on(async || {
        let mut groups = Groups::default();
        let (one, other) = (vip(0x777), "2001:db8:1::777".parse().unwrap());
        groups.join(index, one).unwrap();
        groups.join(index, other).unwrap();
        groups.leave(index, one).unwrap();
        assert!(member());
        groups.leave(index, other).unwrap();
        assert!(!member());
        groups.leave(index, other).unwrap();
        groups.join(index, one).unwrap();
        assert!(member());
        drop(groups);
        // A child that another test is just starting may hold the socket for a moment.
        until("the membership to end with its socket", || !member());
    });
}

#[test]
fn there_is_room_for_thousands() {
    const MANY: u32 = 6000;
    let lan = Lan::new();
    let index = lan.node.index("eth0");
    let members = || lan.node.ip("-6 maddr show dev eth0").lines().filter(|line| line.contains("ff02::1:ff")).count();
    lan.node.block_on(async || {
        let before = members();
        let mut groups = Groups::default();
        (0..MANY).for_each(|n| groups.join(index, vip(0x100000 + n)).unwrap());
        assert_eq!(members(), before + MANY as usize);
        (0..MANY).for_each(|n| groups.leave(index, vip(0x100000 + n)).unwrap());
        assert_eq!(members(), before);
    });
}

#[test]
fn an_interface_that_is_gone_is_left_without_complaint() {
    let lan = Lan::new();
    let index = lan.node.index("eth0");
    lan.node.block_on(async || {
        let mut groups = Groups::default();
        groups.join(index, vip(1)).unwrap();
        lan.node.ip("link del eth0");
        groups.leave(index, vip(1)).unwrap();
        assert!(groups.join(index, vip(1)).is_err(), "and cannot be joined");
    });
}
