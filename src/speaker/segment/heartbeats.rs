//! Heartbeats on their way: opened and handed to the election, sealed and sent by both ways.

use super::{Change, Segment};
use ipnet::IpNet;
use landfall_core::{
    elect::{Identity, Input, Now, hash},
    wire::{
        datagram,
        ethernet::Header,
        heartbeat::{self, Frame, Holder},
    },
};
use std::net::Ipv4Addr;

impl Segment {
    /// A heartbeat came, by the way that makes it this input.
    pub(super) fn hear_sealed(&mut self, sealed: &[u8], input: fn(Frame) -> Input, now: Now) -> Vec<Change> {
        match self.membership.keys.open(sealed) {
            Ok((mac, frame)) => {
                self.tally.heartbeats += 1;
                let (boot, counter) = (frame.boot, frame.counter);
                let namesake = self.is_namesake(&frame).then_some(Change::Namesake { boot, counter });
                let sender = Holder { speaker: hash::speaker_id(&frame.speaker), boot };
                // Also one that cannot show yet that it is new, and never will where it does not hear us: it is no foreign host.
                if frame.cluster == self.membership.identity.cluster {
                    self.watch.hear_speaker(mac, now.mono);
                }
                let changes = self.elect(input(frame), now);
                // Whom a plain question is sent to tells a new frame alone: anybody can send an old one again.
                if self.election.has_just_heard(sender) {
                    self.stations.learn(sender.speaker, mac);
                }
                changes.into_iter().chain(namesake).collect()
            }
            Err(why) => {
                *self.losses.unsealed.entry(why).or_default() += 1;
                Vec::new()
            }
        }
    }

    fn is_namesake(&self, frame: &Frame) -> bool {
        let Identity { speaker, boot, cluster } = &self.membership.identity;
        frame.cluster == *cluster && frame.speaker == *speaker && frame.boot != *boot
    }

    /// Sends a frame as Ethernet.
    pub(super) fn say(&mut self, frame: &Frame) {
        let header =
            Header { destination: heartbeat::DESTINATION.into(), source: self.mac, ethertype: heartbeat::ETHERTYPE };
        let sealed = self.seal(frame);
        self.outbox.push([&header.emit()[..], &sealed].concat());
    }

    /// Sends it as a datagram.
    pub(super) fn say_around(&mut self, frame: &Frame) {
        let sealed = self.seal(frame);
        let own = self.link.lan_addresses().find_map(|own| match own {
            IpNet::V4(own) => Some(own.addr()),
            IpNet::V6(_) => None,
        });
        let own = own.unwrap_or(Ipv4Addr::UNSPECIFIED);
        self.outbox.push(datagram::emit(&sealed, self.mac, own, self.membership.port));
    }

    fn seal(&self, frame: &Frame) -> Vec<u8> {
        self.membership.keys.seal(frame, self.mac, rand::random())
    }
}
