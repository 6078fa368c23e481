//! What goes into a [`Watch`](super::Watch), and what comes out of it.

use crate::wire::ethernet::MacAddr;
use std::net::IpAddr;

/// What the network says about a VIP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heard {
    /// The VIP.
    pub vip: IpAddr,
    /// The station that says it.
    pub by: MacAddr,
    /// What.
    pub what: Word,
}

/// What a station says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// That it has the VIP.
    Has,
    /// That it would like to have it: it probes, too. IPv6's probes have a nonce.
    Wants(Option<[u8; 6]>),
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// Ask whether anybody has the VIP; for IPv6 with this nonce.
    Probe(IpAddr, [u8; 6]),
    /// Answer for it, and announce it.
    Answer(IpAddr),
    /// Announce it once, against the foreign host.
    Defend(IpAddr),
    /// Answer for it no longer; it stays claimed.
    Silence(IpAddr),
    /// A foreign host has it.
    Found(IpAddr, Foreign),
    /// None has it any more.
    Over(IpAddr),
}

/// A foreign host that uses a VIP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Foreign {
    /// Its station.
    pub mac: MacAddr,
    /// When it was found.
    pub phase: Phase,
}

/// When a foreign host was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Before the VIP was ever announced.
    Probe,
    /// Afterwards.
    Watch,
}
