//! Whether this speaker can show that it is not the one who is cut off.
//!
//! A claim is *firm* where something else was heard of late: another speaker, or the gateway's answer. Without that it is
//! *provisional*: it keeps the epoch of the claim that it replaces, so that the one who was thought dead has its own again when
//! the network heals, and whoever took over with a firm claim meanwhile keeps that.

use super::{Acquired, Election, Mine, Output, Register};
use crate::wire::heartbeat::SpeakerId;
use std::{collections::BTreeSet, net::IpAddr, time::Duration};

/// What was heard besides speakers, and what depends on it.
#[derive(Debug, Default)]
pub(super) struct Evidence {
    /// When the gateway answered last.
    gateway: Option<Duration>,
    /// When it may be asked again.
    next: Duration,
    /// When it is asked without a cause, as long as no speaker is heard.
    alone: Duration,
    /// The VIPs that are claimed provisionally.
    provisional: BTreeSet<IpAddr>,
    /// When these are claimed firmly: others had time to say that they have them; and when at the latest.
    affirm: Option<(Duration, Duration)>,
    /// When another station than a speaker was heard last.
    overheard: Option<Duration>,
}

impl Evidence {
    /// Nothing was heard yet.
    pub fn new(now: Duration) -> Self {
        Self { next: now, alone: now, ..Self::default() }
    }

    /// `vip` is claimed, firmly or not.
    pub fn note(&mut self, vip: IpAddr, is_provisional: bool) {
        if is_provisional {
            self.provisional.insert(vip);
        } else {
            self.provisional.remove(&vip);
        }
    }
}

impl Election {
    /// Whether nothing has been heard since but what `except` says.
    fn is_shown(&self, since: Duration, except: Option<SpeakerId>) -> bool {
        let heard = |at: Option<Duration>| at.is_some_and(|at| at >= since);
        heard(self.evidence.gateway) || self.peers.iter().any(|(id, peer)| Some(id) != except && heard(peer.heard))
    }

    /// How far back what was heard counts, where nobody is suspected.
    fn lately(&self) -> Duration {
        self.now.mono.saturating_sub(self.timing.idle_beat * self.timing.silence_tenths / 10)
    }

    /// Whether a claim is firm that replaces `before`.
    pub(super) fn is_firm(&self, before: Option<&Register>, why: Acquired) -> bool {
        let dead = before.filter(|_| why == Acquired::Dead).map(|before| before.holder.speaker);
        let suspected = dead.and_then(|id| self.peers.get(id)?.suspected);
        self.is_shown(suspected.unwrap_or_else(|| self.lately()), dead)
    }

    /// Asks the gateway, unless that was done just now.
    pub(super) fn seek(&mut self) {
        if self.evidence.next <= self.now.mono {
            self.evidence.next = self.now.mono + self.timing.ask;
            self.out.push(Output::Seek);
        }
    }

    /// The gateway has answered.
    pub(super) fn reached(&mut self) {
        self.evidence.gateway = Some(self.now.mono);
        self.affirm_soon();
    }

    /// There is another gateway, or none.
    pub(super) fn forget_gateway(&mut self) {
        self.evidence.gateway = None;
    }

    /// Some station was heard: the cable is no dead one.
    pub fn overhear(&mut self, now: Duration) {
        self.evidence.overheard = Some(now);
    }

    /// Something was heard.
    pub(super) fn affirm_soon(&mut self) {
        if !self.evidence.provisional.is_empty() {
            let now = self.now.mono;
            self.evidence.affirm.get_or_insert((now + self.timing.affirm, now + self.timing.affirm_at_most));
        }
    }

    /// When something is to be done: without peers the gateway is all that tells whether the network is there.
    pub(super) fn evidence_due(&self) -> Option<Duration> {
        let alone = self.is_alone().then_some(self.evidence.alone);
        alone.into_iter().chain(self.evidence.affirm.map(|(at, _)| at)).min()
    }

    pub(super) fn run_evidence(&mut self) {
        let now = self.now.mono;
        let affirm = self.evidence.affirm.filter(|(at, _)| *at <= now);
        if let Some((_, latest)) =
            affirm.filter(|(_, latest)| now < *latest && (self.listening() || self.is_learning()))
        {
            self.evidence.affirm = Some((now + self.timing.slot, latest));
        } else if affirm.is_some() {
            self.evidence.affirm = None;
            for vip in std::mem::take(&mut self.evidence.provisional) {
                if self.vips.get(&vip).is_some_and(|it| it.mine == Some(Mine::Owner)) {
                    self.claim(vip);
                }
            }
        }
        let is_alone = self.is_alone();
        if is_alone && self.evidence.alone <= now {
            self.seek();
        }
        if !is_alone || self.evidence.alone <= now {
            self.evidence.alone = now + self.timing.idle_beat;
        }
    }

    /// Whether no other speaker lives.
    fn is_alone(&self) -> bool {
        self.peers.living().next().is_none()
    }

    /// Whether nothing is heard any more on this interface, neither speakers nor the gateway, which had been, nor anybody else.
    pub fn is_isolated(&self) -> bool {
        let lately = self.lately();
        let is_old = |at: Option<Duration>| at.is_none_or(|at| at < lately);
        self.is_alone() && self.evidence.gateway.is_some_and(|at| at < lately) && is_old(self.evidence.overheard)
    }
}
