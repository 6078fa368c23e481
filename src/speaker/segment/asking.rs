//! What a segment asks and hears otherwise than by heartbeats: the gateway, and silent speakers as any client would ask them.

use super::{Change, Segment};
use ipnet::IpNet;
use landfall_core::{
    conflict::{Heard, Word},
    elect::{Input, Now},
    wire::{arp, ethernet::MacAddr, heartbeat::SpeakerId, ndp},
};
use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr},
};

/// The most speakers whose hardware addresses are remembered.
const MOST_STATIONS: usize = 1024;

/// The LAN's gateway, and this node's own address beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gateway {
    /// The gateway's address.
    pub address: Ipv4Addr,
    /// The interface's own, from which it is asked.
    pub own: Ipv4Addr,
}

/// The hardware address of each speaker, as the last sealed frame says that was no old one.
#[derive(Debug, Default)]
pub struct Stations(HashMap<SpeakerId, MacAddr>);

impl Stations {
    /// A frame of `speaker` came from the interface with address `mac`.
    pub fn learn(&mut self, speaker: SpeakerId, mac: MacAddr) {
        // The election forgets speakers; these few bytes are not worth following it.
        if self.0.len() >= MOST_STATIONS && !self.0.contains_key(&speaker) {
            self.0.clear();
        }
        self.0.insert(speaker, mac);
    }

    fn speaker(&self, mac: MacAddr) -> Option<SpeakerId> {
        self.0.iter().find(|(_, known)| **known == mac).map(|(speaker, _)| *speaker)
    }

    fn mac(&self, speaker: SpeakerId) -> Option<MacAddr> {
        self.0.get(&speaker).copied()
    }
}

impl Segment {
    /// The gateway behind this interface, where there is one.
    pub fn set_gateway(&mut self, gateway: Option<Gateway>, now: Now) {
        if self.gateway != gateway {
            self.gateway = gateway;
            self.is_interest_stale = true;
            // It says nothing but what it will hear.
            _ = self.elect(Input::NoGateway, now);
        }
    }

    /// Asks the gateway.
    pub(super) fn seek(&mut self) {
        if let Some(Gateway { address, own }) = self.gateway {
            self.outbox.push(arp::request(self.mac, own, address).to_vec());
        }
    }

    /// Asks a speaker for a VIP, at its own hardware address: the LAN hears nothing of it.
    pub(super) fn question(&mut self, suspect: SpeakerId, vip: IpAddr) {
        let Some(mac) = self.stations.mac(suspect) else { return };
        let mut question = match vip {
            IpAddr::V4(vip) => arp::probe(self.mac, vip).to_vec(),
            IpAddr::V6(vip) => {
                // From an own address, so that the answer comes here alone.
                let own = self.link.addresses.iter().find_map(|own| match own {
                    IpNet::V6(own) => Some(own.addr()),
                    IpNet::V4(_) => None,
                });
                let Some(own) = own else { return };
                ndp::solicitation(self.mac, own, vip).to_vec()
            }
        };
        question[..6].copy_from_slice(&mac.octets());
        self.outbox.push(question);
    }

    /// What a word about an address says to the election, be it about a VIP or not.
    pub(super) fn attend(&mut self, heard: Heard, now: Now) -> Vec<Change> {
        if heard.what != Word::Has {
            return Vec::new();
        }
        if self.gateway.is_some_and(|gateway| IpAddr::V4(gateway.address) == heard.vip) {
            return self.elect(Input::Reached, now);
        }
        let is_vip = self.desired.vips.contains_key(&heard.vip);
        match self.stations.speaker(heard.by).filter(|_| is_vip && self.election.is_asking()) {
            Some(speaker) => self.elect(Input::Vouched(speaker), now),
            None => Vec::new(),
        }
    }
}
