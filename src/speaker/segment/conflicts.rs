//! What the watch for foreign hosts has a segment do: probe, answer, announce against one, fall silent.

use super::{Change, Origin, Segment};
use landfall_core::{
    config::Conflict,
    conflict::{Foreign, Output, Phase, heard},
    elect::Now,
    wire::{arp, ethernet::MacAddr, ndp},
};
use std::{collections::BTreeSet, net::IpAddr};
use tracing::{info, warn};

impl Segment {
    /// The VIPs that foreign hosts have, for the record.
    pub fn foreign(&self) -> impl Iterator<Item = (IpAddr, Foreign)> {
        self.watch.found()
    }

    /// The node's own hardware addresses: what they say is no conflict.
    pub fn set_ours(&mut self, ours: BTreeSet<MacAddr>) {
        self.watch.set_ours(ours);
    }

    /// How conflicts about `vip` are treated, and whether it is known to have been announced in the cluster.
    fn rule(&self, vip: IpAddr) -> (Conflict, bool) {
        let wanted = self.desired.vips.get(&vip);
        wanted.map_or_else(Default::default, |wanted| (wanted.conflict, wanted.announced))
    }

    /// The VIP is claimed here.
    pub(super) fn claim(&mut self, vip: IpAddr, origin: Origin, now: Now) -> Vec<Change> {
        self.silent.insert(vip, origin);
        self.is_interest_stale = true;
        let (rule, announced) = self.rule(vip);
        let outputs = self.watch.claim(vip, rule, announced, now.mono);
        let changes = self.obey(outputs, now);
        [Change::Claimed(vip)].into_iter().chain(changes).collect()
    }

    /// The table has changed: what it says about the VIPs that are claimed here, and which of those that rest still matter.
    pub(super) fn retell(&mut self, now: Now) -> Vec<Change> {
        let desired = self.desired.clone();
        self.watch.keep(|vip| desired.pools().iter().any(|pool| pool.lists(vip)));
        let claimed: Vec<IpAddr> = self.election.owned().collect();
        let told = claimed.into_iter().flat_map(|vip| {
            let (rule, announced) = self.rule(vip);
            self.watch.tell(vip, rule, announced)
        });
        let outputs = told.collect();
        self.obey(outputs, now)
    }

    /// Whether a frame that is no question for us says something about a VIP.
    pub(super) fn overhear(&mut self, frame: &[u8], now: Now) -> Vec<Change> {
        let matters = |vip: IpAddr| self.watch.knows(vip) || self.desired.vips.contains_key(&vip);
        let Some(heard) = heard(frame) else { return Vec::new() };
        let matters = matters(heard.vip);
        let mut changes = self.attend(heard, now);
        if matters {
            let outputs = self.watch.hear(heard, now.mono);
            changes.extend(self.obey(outputs, now));
        }
        changes
    }

    /// Carries out what the watch says.
    pub(super) fn obey(&mut self, outputs: Vec<Output>, now: Now) -> Vec<Change> {
        let mut changes = Vec::new();
        for output in outputs {
            match output {
                Output::Probe(vip, nonce) => self.outbox.push(match vip {
                    IpAddr::V4(vip) => arp::probe(self.mac, vip).to_vec(),
                    IpAddr::V6(vip) => ndp::probe(self.mac, vip, nonce).to_vec(),
                }),
                Output::Answer(vip) => {
                    let Some(origin) = self.silent.remove(&vip) else { continue };
                    let why = origin.why;
                    info!(interface = self.link.name, %vip, %why, from = origin.from, unheard = ?origin.unheard, "answering");
                    self.owned.insert(vip);
                    self.holdings.acquire(vip, origin, now.wall);
                    *self.tally.acquired.entry(why).or_default() += 1;
                    changes.push(Change::Acquired(vip));
                }
                Output::Defend(vip) => {
                    info!(interface = self.link.name, %vip, "announced against a foreign host");
                    changes.push(Change::Contested(vip));
                }
                Output::Silence(vip) => {
                    warn!(interface = self.link.name, %vip, "left to a foreign host");
                    self.owned.remove(&vip);
                    self.holdings.release(vip);
                    self.silent.insert(vip, Origin::NEW);
                    changes.push(Change::Silenced(vip));
                }
                Output::Found(vip, Foreign { mac, phase }) => {
                    *self.tally.found.entry(phase).or_default() += 1;
                    let when = match phase {
                        Phase::Probe => "before it was announced",
                        Phase::Watch => "while it is announced",
                    };
                    warn!(interface = self.link.name, %vip, %mac, when, "a foreign host uses the address");
                    changes.push(Change::Foreign);
                }
                Output::Over(vip) => {
                    info!(interface = self.link.name, %vip, "no foreign host uses the address any more");
                    changes.push(Change::Foreign);
                }
            }
        }
        changes
    }
}
