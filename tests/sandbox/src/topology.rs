//! The sandbox's network: which namespaces there are, how they are wired, and every address in it.
//!
//! ```text
//!   lan: a bridge, 198.51.100.1 (the "router": it answers ARP and forwards nothing)
//!    ├── cp      198.51.100.2     2001:db8::2     etcd, API server, controller manager
//!    ├── n1..nN  198.51.100.1i    2001:db8::1i    kube-proxy, cni0 10.244.i.1/24 fd00:10:244:i::1/64, pods behind it
//!    └── client  198.51.100.200   2001:db8::200   a host on the LAN
//! ```
//! Addresses are the same in every sandbox: sandboxes cannot see each other. The machine's own namespace takes no part.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::netns::{self, Netns};

/// Services' cluster addresses.
pub(crate) const SERVICE_RANGES: &str = "10.96.0.0/16,fd00:10:96::/112";
/// All nodes' pod addresses.
pub(crate) const POD_RANGES: &str = "10.244.0.0/16,fd00:10:244::/48";
/// The API server, as seen from everywhere in the sandbox.
pub(crate) const API_SERVER: &str = "https://198.51.100.2:6443";
/// More nodes than this would run into the addresses that examples use for Services.
pub const MAX_NODES: u8 = 80;

/// One member of the LAN.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// `cp`, `n1`, `n2`, ..., or `client`; also its port's name on the LAN's bridge.
    pub name: String,
    /// Its IPv4 address on the LAN.
    pub ipv4: Ipv4Addr,
    /// Its IPv6 address on the LAN.
    pub ipv6: Ipv6Addr,
}

impl Member {
    // The last part reads the same in both families: 198.51.100.11 and 2001:db8::11.
    fn new(name: impl Into<String>, last: u8) -> Member {
        let hex = u16::from(last / 100) << 8 | u16::from(last / 10 % 10) << 4 | u16::from(last % 10);
        Member {
            name: name.into(),
            ipv4: Ipv4Addr::new(198, 51, 100, last),
            ipv6: Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, hex),
        }
    }
}

/// The name of node `i`, from 1.
pub(crate) fn node_name(i: u8) -> String {
    format!("n{i}")
}

/// Node `i`, from 1.
pub(crate) fn node(i: u8) -> Member {
    Member::new(node_name(i), 10 + i)
}

pub(crate) fn control_plane() -> Member {
    Member::new("cp", 2)
}

pub(crate) fn client() -> Member {
    Member::new("client", 200)
}

/// All members of a LAN with so many nodes.
pub(crate) fn members(nodes: u8) -> Vec<Member> {
    let mut members = vec![control_plane(), client()];
    members.extend((1..=nodes).map(node));
    members
}

/// The pod address with number `k` (from 2) on node `i`, in both families.
pub(crate) fn pod_addresses(i: u8, k: u8) -> [IpAddr; 2] {
    let v6 = Ipv6Addr::new(0xfd00, 0x10, 0x244, i.into(), 0, 0, 0, k.into());
    [Ipv4Addr::new(10, 244, i, k).into(), v6.into()]
}

/// Makes all namespaces and wires them. Loopback and every link are up, every address usable at once, when it returns.
pub(crate) fn build(prefix: &str, nodes: u8) -> Result<()> {
    let members = members(nodes);
    let at = |name: &str| Netns::named(format!("{prefix}{name}"));
    let lan = at("lan");
    let namespaces: Vec<Netns> = members.iter().map(|m| at(&m.name)).chain([lan.clone()]).collect();
    netns::create(&namespaces)?;
    for namespace in &namespaces {
        // Duplicate address detection would hold each address back for a second.
        namespace.sysctl(&[("ipv6/conf/default/accept_dad", "0"), ("ipv6/conf/all/accept_dad", "0")])?;
        // Bridges only switch here. Where br_netfilter is loaded it would run the node's rules on pods' frames before they
        // are routed, and a pod could not reach itself through a Service.
        namespace
            .sysctl_if_any(&[("bridge/bridge-nf-call-iptables", "0"), ("bridge/bridge-nf-call-ip6tables", "0")])?;
    }

    let mut bridge = "link set lo up\nlink add br0 type bridge\naddr add 198.51.100.1/24 dev br0\n\
                      addr add 2001:db8::1/64 dev br0 nodad\nlink set br0 up\n"
        .to_owned();
    for Member { name, .. } in &members {
        bridge +=
            &format!("link add {name} type veth peer name eth0 netns {prefix}{name}\nlink set {name} master br0 up\n");
    }
    lan.ip(&bridge)?;

    for member in &members {
        let Member { name, ipv4, ipv6 } = member;
        let mut lines = format!(
            "link set lo up\nlink set eth0 up\naddr add {ipv4}/24 dev eth0\naddr add {ipv6}/64 dev eth0 nodad\n\
             route add default via 198.51.100.1\nroute add default via 2001:db8::1\n"
        );
        let own = (1..=nodes).find(|i| node_name(*i) == *name);
        if let Some(i) = own {
            at(name).sysctl(&[
                ("ipv4/ip_forward", "1"),
                ("ipv6/conf/all/forwarding", "1"),
                ("ipv4/conf/all/send_redirects", "0"),
                ("ipv4/conf/default/send_redirects", "0"),
            ])?;
            lines += &format!(
                "link add cni0 type bridge\naddr add 10.244.{i}.1/24 dev cni0\n\
                 addr add fd00:10:244:{i:x}::1/64 dev cni0 nodad\nlink set cni0 up\n"
            );
        }
        // What a network plugin would install: the other nodes' pods, for nodes and for the API server.
        if *name != client().name {
            for i in (1..=nodes).filter(|i| Some(*i) != own) {
                let Member { ipv4, ipv6, .. } = node(i);
                lines +=
                    &format!("route add 10.244.{i}.0/24 via {ipv4}\nroute add fd00:10:244:{i:x}::/64 via {ipv6}\n");
            }
        }
        at(name).ip(&lines)?;
    }
    Ok(())
}

/// Makes a pod's namespace behind `node`'s cni0. The pod sends everything through the node, to its neighbours too, so that
/// the node's rules see all of it (a network plugin of the point-to-point kind).
pub(crate) fn add_pod(prefix: &str, node: u8, pod: &str, addresses: [IpAddr; 2]) -> Result<()> {
    let namespace = Netns::named(format!("{prefix}{pod}"));
    netns::create(std::slice::from_ref(&namespace))?;
    namespace.sysctl(&[
        ("ipv6/conf/default/accept_dad", "0"),
        ("ipv6/conf/all/accept_dad", "0"),
        ("ipv6/conf/default/accept_redirects", "0"),
        ("ipv4/conf/all/accept_redirects", "0"),
        ("ipv4/conf/default/accept_redirects", "0"),
        // As container runtimes have it: root in a pod needs no capability for port 80.
        ("ipv4/ip_unprivileged_port_start", "0"),
    ])?;
    let host = Netns::named(format!("{prefix}{}", node_name(node)));
    host.ip(&format!(
        "link add {pod} type veth peer name eth0 netns {}\nlink set {pod} master cni0 up\n",
        namespace.name()
    ))?;
    let [v4, v6] = addresses;
    let (gateway4, gateway6) = (format!("10.244.{node}.1"), format!("fd00:10:244:{node:x}::1"));
    namespace.ip(&format!(
        "link set lo up\nlink set eth0 up\naddr add {v4}/32 dev eth0\naddr add {v6}/128 dev eth0 nodad\n\
         route add {gateway4} dev eth0 scope link\nroute add default via {gateway4}\n\
         route add {gateway6} dev eth0\nroute add default via {gateway6}\n"
    ))
}
