//! Makes the open interfaces, and what their elections are told to want, fit the interfaces that there are and the desired table.
//!
//! It may be called at any time: what fits already is left alone.

use super::{Lan, RETRY};
use crate::{
    net::{Link, gateways},
    speaker::{
        desired::{Desired, Reaches, Vip},
        eligibility,
        keys::Keyring,
        segment::{Gateway, Membership, Segment},
    },
};
use ipnet::IpNet;
use landfall_core::{
    elect::{Identity, Now, hash},
    wire::ethernet::MacAddr,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};
use tracing::{info, warn};

/// So many frames later one was not sent just now.
const FRESH: u64 = 8;

/// Another interface of this node on the same LAN, which takes part in the place of this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sibling {
    /// Its index.
    pub index: u32,
    /// Its segment's boot id: another one may be on another LAN.
    pub boot: u64,
}

/// The gateway that is reached through the interface, of those in the routing table.
pub fn gateway(link: &Link, gateways: &BTreeMap<String, Ipv4Addr>) -> Option<Gateway> {
    let address = *gateways.get(&link.name)?;
    let own = link.lan_addresses().find_map(|own| match own {
        IpNet::V4(own) if own.contains(&address) => Some(own.addr()),
        _ => None,
    })?;
    Some(Gateway { address, own })
}

impl Lan {
    /// The keys of the heartbeats changed, or what is wrong with them.
    pub fn change_keys(&mut self, keyring: Keyring, now: Now) {
        if let Some(keys) = &keyring.keys {
            self.segments.values_mut().for_each(|segment| segment.set_keys(keys.clone()));
        }
        self.keyring = keyring;
        self.reconcile(&BTreeSet::new(), now);
    }

    /// The desired table changed.
    pub fn want(&mut self, desired: Option<Arc<Desired>>, now: Now) {
        let before = std::mem::replace(&mut self.desired, desired.clone());
        let mut withdrawn = BTreeSet::new();
        if let (Some(before), Some(desired)) = (before, desired) {
            if before.cluster != desired.cluster {
                warn!("the cluster's id changed, all interfaces are opened anew");
                let open: Vec<u32> = self.segments.keys().copied().collect();
                open.into_iter().for_each(|index| self.close(index));
            }
            let stays = |vip: &IpAddr, old: &Vip| desired.vips.get(vip).is_some_and(|new| new.stays(old));
            withdrawn.extend(before.vips.iter().filter(|(vip, old)| !stays(vip, old)).map(|(vip, _)| *vip));
        }
        self.reconcile(&withdrawn, now);
    }

    /// Makes everything fit. `withdrawn` are the VIPs that no Service has any more, or another one.
    pub fn reconcile(&mut self, withdrawn: &BTreeSet<IpAddr>, now: Now) {
        let Some(desired) = self.desired.clone() else { return };
        self.retry = None;
        self.announcer.set_interval(desired.repeat(), now.mono);
        self.findings.is_stale = true;
        self.report_soon(now);
        let links = self.links.clone();
        let is_fit = |index: &u32| links.get(index).is_some_and(|link| eligibility::fit(link).is_ok());
        let unfit: Vec<u32> = self.segments.keys().copied().filter(|index| !is_fit(index)).collect();
        unfit.into_iter().for_each(|index| self.close(index));
        self.unopened.retain(|index, _| is_fit(index));
        self.siblings
            .retain(|_, sibling| self.segments.get(&sibling.index).is_some_and(|it| it.boot() == sibling.boot));

        for (index, link) in links.iter() {
            let Ok(mac) = eligibility::fit(link) else { continue };
            let reaches = desired.reaches(&link.name);
            let is_segment = eligibility::is_segment(link, &desired, &reaches);
            if !is_segment {
                self.unopened.remove(index);
            } else if !self.segments.contains_key(index) {
                self.open(link, mac, &desired, now);
            }
            self.tell_segment(link, mac, (&desired, &reaches), withdrawn, now);
            // Of no use any more, once nothing is answered for there.
            let is_idle = self.segments.get(index).is_some_and(|segment| segment.claimed().next().is_none());
            if !is_segment && is_idle && !self.leaving {
                self.close(*index);
            }
        }
        // What an interface lacked for its groups it may have now.
        if !self.unjoined.is_empty() {
            self.rejoin(now);
        }
    }

    fn open(&mut self, link: &Link, mac: MacAddr, desired: &Arc<Desired>, now: Now) {
        // Whoever leaves begins nothing new.
        if self.leaving || self.siblings.contains_key(&link.index) {
            return;
        }
        // Without keys the others cannot be heard, and all that is theirs would seem to be nobody's.
        let Some(keys) = self.keyring.keys.clone() else { return };
        let cluster = hash::cluster_id(&desired.cluster);
        let identity = Identity { speaker: self.speaker.clone(), boot: rand::random(), cluster };
        let membership = Membership { identity, keys, port: self.port };
        match Segment::open(link.clone(), mac, membership, desired.clone(), now) {
            Ok(mut segment) => {
                segment.set_gateway(gateway(link, &gateways()), now);
                info!(interface = link.name, %mac, "listening");
                self.unopened.remove(&link.index);
                self.segments.insert(link.index, segment);
            }
            Err(error) => {
                let why = error.to_string();
                // Said once: it is tried again and again, and the record says it all the time.
                if self.unopened.insert(link.index, why.clone()) != Some(why) {
                    warn!(interface = link.name, %error, "cannot open the interface, trying again");
                }
                self.retry = Some(now.mono + RETRY);
            }
        }
    }

    fn tell_segment(
        &mut self,
        link: &Link,
        mac: MacAddr,
        (desired, reaches): (&Arc<Desired>, &Reaches),
        withdrawn: &BTreeSet<IpAddr>,
        now: Now,
    ) {
        let Some(segment) = self.segments.get_mut(&link.index) else { return };
        segment.set_ours(self.links.values().filter_map(|link| link.mac).collect());
        let mut changes = segment.update(link.clone(), mac);
        changes.extend(segment.want(desired, reaches, withdrawn, now));
        self.carry_out(link.index, changes, now);
    }

    /// A frame with this speaker's name and the boot id `boot` was heard on `interface`. Where another of this node's interfaces
    /// sent it, both are on one LAN, and would answer with two MACs: the one with the lower index takes part.
    /// Only one that was sent just now counts: anybody can carry an old frame from one LAN to another.
    pub fn tell_apart(&mut self, interface: u32, boot: u64, counter: u64, now: Now) {
        let is_sender = |segment: &Segment| segment.boot() == boot && segment.election().said() < counter + FRESH;
        let sender = self.segments.iter().find(|(_, segment)| is_sender(segment)).map(|(index, _)| *index);
        let Some(sender) = sender.filter(|sender| *sender != interface) else { return };
        let (lower, higher) = (interface.min(sender), interface.max(sender));
        let name = |index| self.links.get(&index).map_or("?", |link| link.name.as_str());
        warn!(
            interface = name(higher),
            sibling = name(lower),
            "both are on one LAN: only the sibling takes part there"
        );
        let Some(boot) = self.segments.get(&lower).map(Segment::boot) else { return };
        self.siblings.insert(higher, Sibling { index: lower, boot });
        self.close(higher);
        self.findings.is_stale = true;
        self.report_soon(now);
    }
}
