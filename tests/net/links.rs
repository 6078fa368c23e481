//! The link watch against a kernel whose interfaces change.

use crate::lan::{LONG, Lan};
use landfall::net::{Link, LinkWatch, Links, links};
use landfall_core::wire::ethernet::MacAddr;
use std::sync::Arc;
use tokio::time::timeout;

/// Reads tables until one is as `wanted`.
async fn until(watch: &mut LinkWatch, wanted: impl Fn(&Links) -> bool) -> Arc<Links> {
    let mut last = None;
    let search = async {
        loop {
            let table = watch.changed().await.expect("the watch lives on");
            if wanted(&table) {
                return table;
            }
            last = Some(table);
        }
    };
    match timeout(LONG, search).await {
        Ok(table) => table,
        Err(_) => panic!("no such table in time; the last one was {last:#?}"),
    }
}

fn eth0(links: &Links) -> &Link {
    links.values().find(|link| link.name == "eth0").expect("the node has an eth0")
}

#[test]
fn the_first_table_is_whole() {
    let lan = Lan::new();
    lan.node.block_on(async || {
        let table = links().await.unwrap().changed().await.unwrap();
        let link = eth0(&table);
        assert_eq!(link.mac, Some(MacAddr(2, 0, 0, 0, 0, 0x0a)));
        assert!(link.up && link.carrier && !link.loopback && link.master.is_none());
        assert_eq!(link.kind.as_deref(), Some("veth"));
        let addresses: Vec<_> = link.addresses.iter().map(ToString::to_string).collect();
        assert_eq!(addresses, ["198.51.100.1/24", "2001:db8::1/64", "fe80::ff:fe00:a/64"]);
        let loopback = table.values().find(|link| link.loopback).unwrap();
        assert_eq!((loopback.name.as_str(), loopback.mac), ("lo", None));
    });
}

#[test]
fn every_change_is_told() {
    let lan = Lan::new();
    lan.node.block_on(async || {
        let node = &lan.node;
        let mut watch = links().await.unwrap();
        until(&mut watch, |links| eth0(links).carrier).await;

        for address in ["198.51.100.50/25", "2001:db8:1::50/64"] {
            let has = |links: &Links| eth0(links).addresses.contains(&address.parse().unwrap());
            node.ip(&format!("addr add {address} dev eth0"));
            until(&mut watch, has).await;
            node.ip(&format!("addr del {address} dev eth0"));
            until(&mut watch, |links| !has(links)).await;
        }

        lan.switch.ip("link set node down");
        until(&mut watch, |links| eth0(links).up && !eth0(links).carrier).await;
        lan.switch.ip("link set node up");
        until(&mut watch, |links| eth0(links).carrier).await;
        node.ip("link set eth0 down");
        until(&mut watch, |links| !eth0(links).up).await;

        node.ip("link set eth0 address 02:00:00:00:00:aa");
        until(&mut watch, |links| eth0(links).mac == Some(MacAddr(2, 0, 0, 0, 0, 0xaa))).await;

        node.ip("link add br7 type bridge");
        node.ip("link set eth0 master br7");
        let table = until(&mut watch, |links| eth0(links).master.is_some()).await;
        let master = &table[&eth0(&table).master.unwrap()];
        assert_eq!((master.name.as_str(), master.kind.as_deref()), ("br7", Some("bridge")));
        assert!(eth0(&table).member && !master.member);
        // The kernel tells this as the deletion of a link, of family bridge: the link is still there.
        node.ip("link set eth0 nomaster");
        until(&mut watch, |links| eth0(links).master.is_none()).await;
        node.ip("link del br7");
        until(&mut watch, |links| links.len() == 2).await;
        node.ip("link del eth0");
        until(&mut watch, |links| links.len() == 1).await;
    });
}

/// More messages than the subscription's queue holds: the watch must notice the overrun and end with the truth.
#[test]
fn a_storm_ends_with_the_truth() {
    let lan = Lan::new();
    lan.node.block_on(async || {
        let mut watch = links().await.unwrap();
        watch.changed().await.unwrap();
        let batch: String = (0..4000).map(|n| format!("addr add 10.7.{}.{}/32 dev lo\n", n / 250, n % 250)).collect();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), batch).unwrap();
        // The runtime stands still meanwhile, and the queue runs over.
        lan.node.ip(&format!("-batch {}", file.path().display()));
        let own = |links: &Links| links.values().find(|link| link.loopback).map(|lo| lo.addresses.len());
        until(&mut watch, |links| own(links) == Some(4002)).await;
    });
}
