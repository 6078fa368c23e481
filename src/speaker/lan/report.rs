//! What is so, for the speaker's record and for its metrics.
//!
//! What each interface answers for is kept as the record has it (`holdings`), so that a report costs little however often
//! something moves. Why other addresses are not answered for takes a look at all of them, and is found anew only when
//! something changed.

use super::{Lan, reconcile::gateway};
use crate::{
    cluster::record::{Conflict, Interface, Phase, Reason, Record, Unanswered},
    net::{Settings, default_routes, gateways},
    speaker::{
        diagnosis, eligibility,
        metrics::Figures,
        reasons::{self, Candidate},
        segment::Segment,
    },
};
use landfall_core::{
    conflict::{self, Foreign},
    elect::{Life, Now},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
    time::Duration,
};

/// Between two looks at the kernel's settings, of which nobody tells.
const SETTINGS: Duration = Duration::from_secs(10);

/// What was found out for the record.
#[derive(Debug, Default)]
pub struct Findings {
    /// Something changed since.
    pub is_stale: bool,
    /// The record was told once: until then it says what an earlier run said last.
    is_told: bool,
    /// When to look at the settings again.
    look: Duration,
    warnings: Vec<Reason>,
    unanswered: Vec<Unanswered>,
    /// The interfaces without what changes by itself.
    interfaces: BTreeMap<u32, (String, Interface)>,
}

impl Lan {
    /// Tells the record, where it differs from what it was told last.
    pub fn report(&mut self, now: Now) {
        if std::mem::take(&mut self.findings.is_stale) {
            self.look_at_interfaces();
            self.findings.look = now.mono;
        }
        if self.findings.look <= now.mono {
            self.findings.look = now.mono + SETTINGS;
            self.findings.warnings = self.warnings();
            let gateways = gateways();
            for segment in self.segments.values_mut() {
                let gateway = gateway(segment.link(), &gateways);
                segment.set_gateway(gateway, now);
            }
        }
        let new = Record {
            unable: self.unable().into_iter().collect(),
            warnings: self.findings.warnings.iter().cloned().chain(self.troubles()).collect(),
            interfaces: self.findings.interfaces.iter().map(|(index, fixed)| self.interface(*index, fixed)).collect(),
            unanswered: self.findings.unanswered.clone(),
            ..Record::default()
        };
        let is_first = self.desired.is_some() && !std::mem::replace(&mut self.findings.is_told, self.desired.is_some());
        self.record.send_if_modified(|record| {
            let changed = is_first || *record != new;
            *record = new;
            changed
        });
    }

    /// Publishes what can be counted, where anybody could read it.
    pub fn measure(&self) {
        if self.figures.is_closed() {
            return;
        }
        let named = |segment: &Segment| (segment.link().name.clone(), segment.figures());
        self.figures.send_replace(Arc::new(Figures {
            eligible: self.desired.as_ref().is_some_and(|desired| desired.off().is_none()),
            stale: self.desired.as_ref().is_some_and(|desired| desired.is_stale()),
            interfaces: self.segments.values().map(named).collect(),
        }));
    }

    /// Why the whole node announces nothing, if it does not.
    fn unable(&self) -> Option<Reason> {
        let without_keys = self.keyring.fault.as_ref().filter(|_| self.keyring.keys.is_none());
        without_keys.map(reasons::no_keys).or_else(|| self.desired.as_ref()?.off().map(reasons::not_here))
    }

    fn look_at_interfaces(&mut self) {
        let Some(desired) = &self.desired else { return };
        let is_open = |index| self.segments.contains_key(&index);
        let candidates = reasons::candidates(&self.links, desired, is_open, |index| self.why_closed(index));
        let mut interfaces = BTreeMap::new();
        for Candidate { link, closed, .. } in &candidates {
            let unfit = eligibility::fit(link).err().map(reasons::unfit);
            let interface = Interface {
                mac: link.mac.map(|mac| mac.to_string()).unwrap_or_default(),
                addresses: link.lan_addresses().collect(),
                unfit: unfit.or_else(|| closed.clone()),
                ..Interface::default()
            };
            interfaces.insert(link.index, (link.name.clone(), interface));
        }
        self.findings.unanswered = reasons::unanswered(desired, &candidates, self.unable().as_ref());
        self.findings.interfaces = interfaces;
    }

    /// Why an interface that could carry frames of ours takes no part.
    fn why_closed(&self, index: u32) -> Option<Reason> {
        let sibling = self.siblings.get(&index).and_then(|sibling| self.links.get(&sibling.index));
        let sibling = sibling.map(|other| reasons::sibling(&other.name));
        sibling.or_else(|| self.unopened.get(&index).map(reasons::unopened))
    }

    fn interface(&self, index: u32, (name, fixed): &(String, Interface)) -> (String, Interface) {
        let mut interface = fixed.clone();
        if let Some(segment) = self.segments.get(&index) {
            let living = segment.election().peers().filter(|peer| peer.life == Life::Alive);
            for (name, audible) in living.filter_map(|peer| Some((peer.name?.to_string(), peer.audible))) {
                interface.unheard.extend((!audible).then(|| name.clone()));
                interface.peers.push(name);
            }
            interface.peers.sort();
            interface.unheard.sort();
            interface.owned = segment.holdings().owned().clone();
            interface.moves = segment.holdings().moves().cloned().collect();
            interface.conflicts = segment.foreign().map(found).collect();
        }
        (name.clone(), interface)
    }

    /// What is wrong with the node's data path, and with the LANs themselves.
    fn troubles(&self) -> impl Iterator<Item = Reason> {
        let stale = self.desired.as_ref().is_some_and(|desired| desired.is_stale()).then(reasons::stale);
        stale.into_iter().chain(self.segments.values().flat_map(|segment| {
            let (interface, election) = (&segment.link().name, segment.election());
            let blocked = election.peers().filter(|peer| peer.blocked).filter_map(|peer| Some(peer.name?.to_string()));
            let blocked: BTreeSet<String> = blocked.collect();
            let blocked = (!blocked.is_empty()).then(|| reasons::heartbeats_blocked(interface, &blocked, self.port));
            blocked.into_iter().chain(election.is_isolated().then(|| reasons::isolated(interface)))
        }))
    }

    fn warnings(&self) -> Vec<Reason> {
        let Some(desired) = &self.desired else { return Vec::new() };
        let announcing: BTreeSet<&str> = self.segments.values().map(|segment| segment.link().name.as_str()).collect();
        let facts = diagnosis::Facts {
            announcing: announcing.into_iter().map(|name| (name, Settings::of(name))).collect(),
            links: self.links.values().collect(),
            default_routes: default_routes(),
        };
        let mut warnings = diagnosis::diagnose(&facts, |vip| desired.vips.contains_key(&vip));
        warnings.extend(self.keyring.fault.as_ref().map(reasons::no_keys));
        warnings
    }
}

fn found((vip, Foreign { mac, phase }): (IpAddr, Foreign)) -> Conflict {
    let phase = match phase {
        conflict::Phase::Probe => Phase::Probe,
        conflict::Phase::Watch => Phase::Watch,
    };
    Conflict { vip, mac: mac.to_string(), phase }
}
