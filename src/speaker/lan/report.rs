//! What is so, for the speaker's record.

use super::Lan;
use crate::{cluster::record::Interface, speaker::segment::Segment};
use landfall_core::elect::Life;
use std::{collections::BTreeMap, net::IpAddr};

impl Lan {
    /// Tells the record, where it differs from what it was told last.
    pub fn report(&self) {
        let open = self.segments.values().map(|segment| (segment.link().name.clone(), interface(segment)));
        let interfaces: BTreeMap<String, Interface> = open.collect();
        let excluded = self.desired.as_ref().and_then(|desired| desired.off()).map(|why| why.to_string());
        self.record.send_if_modified(|record| {
            let changed = record.interfaces != interfaces || record.excluded != excluded;
            if changed {
                record.interfaces = interfaces;
                record.excluded = excluded;
            }
            changed
        });
    }
}

fn interface(segment: &Segment) -> Interface {
    let mut owned: Vec<IpAddr> = segment.owned().iter().copied().collect();
    owned.sort();
    let living = segment.election().peers().filter(|peer| peer.life == Life::Alive);
    let mut peers: Vec<String> = living.filter_map(|peer| Some(peer.name?.to_string())).collect();
    peers.sort();
    let addresses = segment.link().addresses.iter().map(|address| address.addr()).collect();
    Interface { mac: segment.mac().to_string(), addresses, owned, peers }
}
