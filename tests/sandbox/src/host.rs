//! The machines of the LAN as a test uses them: the client host, and the nodes with their cables.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    ops::Deref,
};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::{netns::Netns, topology::Member};

/// The host on the LAN that asks for addresses; derefs to its namespace (`exec`, `enter`, `command`).
#[derive(Clone, Debug)]
pub struct Client {
    netns: Netns,
    member: Member,
}

impl Client {
    /// A host in this namespace with these addresses.
    pub fn new(netns: Netns, member: Member) -> Client {
        Client { netns, member }
    }

    /// Its IPv4 address.
    pub fn ipv4(&self) -> Ipv4Addr {
        self.member.ipv4
    }

    /// Its IPv6 address.
    pub fn ipv6(&self) -> Ipv6Addr {
        self.member.ipv6
    }

    /// Fetches a URL, with a time limit of two seconds; fails on a status of 400 and more.
    ///
    /// # Errors
    /// In curl's words.
    pub fn curl(&self, url: &str) -> Result<String> {
        self.curl_with(&[], url)
    }

    /// The same with more of curl's options, such as `["-H", "Host: foo.bar.com"]`.
    ///
    /// # Errors
    /// In curl's words.
    pub fn curl_with(&self, options: &[&str], url: &str) -> Result<String> {
        let limits = ["curl", "-sS", "-g", "--fail", "--max-time", "2", "--noproxy", "*"];
        self.netns.exec(&[&limits, options, &[url]].concat())
    }

    /// The hardware address that its neighbour table has for `address`, if any.
    ///
    /// # Errors
    /// When iproute2 fails.
    pub fn neigh(&self, address: IpAddr) -> Result<Option<String>> {
        let table = self.netns.exec(&["ip", "-j", "neigh", "show", &address.to_string()])?;
        let table: Value = serde_json::from_str(&table)?;
        Ok(table[0]["lladdr"].as_str().map(str::to_owned))
    }

    /// Forgets all neighbours.
    ///
    /// # Errors
    /// When iproute2 fails.
    pub fn flush_neighbours(&self) -> Result<()> {
        self.netns.exec(&["ip", "neigh", "flush", "all"]).map(drop)
    }
}

impl Deref for Client {
    type Target = Netns;
    fn deref(&self) -> &Netns {
        &self.netns
    }
}

/// A node of the cluster; derefs to its namespace (`exec`, `enter`, `command`).
#[derive(Clone, Debug)]
pub struct Node {
    netns: Netns,
    lan: Netns,
    member: Member,
}

impl Node {
    pub(crate) fn new(netns: Netns, lan: Netns, member: Member) -> Node {
        Node { netns, lan, member }
    }

    /// Its name in the cluster.
    pub fn name(&self) -> &str {
        &self.member.name
    }

    /// Its IPv4 address on the LAN.
    pub fn ipv4(&self) -> Ipv4Addr {
        self.member.ipv4
    }

    /// Its IPv6 address on the LAN.
    pub fn ipv6(&self) -> Ipv6Addr {
        self.member.ipv6
    }

    /// The hardware address of its interface on the LAN, `eth0`.
    ///
    /// # Errors
    /// When iproute2 fails.
    pub fn mac(&self) -> Result<String> {
        let link: Value = serde_json::from_str(&self.netns.exec(&["ip", "-j", "link", "show", "eth0"])?)?;
        link[0]["address"].as_str().map(str::to_owned).context("eth0 has no hardware address")
    }

    /// Pulls its cable: the node loses carrier on eth0, and nothing arrives any more.
    ///
    /// # Errors
    /// When iproute2 fails.
    pub fn pull_cable(&self) -> Result<()> {
        self.lan.ip(&format!("link set {} down\n", self.member.name))
    }

    /// Plugs its cable in again.
    ///
    /// # Errors
    /// When iproute2 fails.
    pub fn plug_cable(&self) -> Result<()> {
        self.lan.ip(&format!("link set {} up\n", self.member.name))
    }
}

impl Deref for Node {
    type Target = Netns;
    fn deref(&self) -> &Netns {
        &self.netns
    }
}
