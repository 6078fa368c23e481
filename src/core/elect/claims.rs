//! Claims, and the register that decides between them: `(after, epoch, firm, hash, state)`, the greatest wins.
//!
//! `after` is the last release that is known. It comes first: a claim made without knowing of a release never counts
//! against those that know, and whoever missed the word of a release learns of it from the claims of the next Service.

use super::hash;
use crate::wire::heartbeat::{Claim, Holder, SpeakerId, State};
use std::{collections::BTreeMap, net::IpAddr};

/// The greatest word known about a VIP. The fields' order is the order of what wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Register {
    pub after: u64,
    pub epoch: u64,
    pub firm: bool,
    hash: u64,
    pub state: State,
    pub holder: Holder,
}

/// A release is everybody's word: it has no holder, and outranks every claim of its epoch.
const NOBODY: Holder = Holder { speaker: SpeakerId(0), boot: 0 };

impl Register {
    /// The word that `claim` is when `sender` says it.
    pub fn of(claim: &Claim, sender: Holder) -> Self {
        let holder = claim.of.unwrap_or(sender);
        match claim.state {
            State::Released => Self::released(claim.epoch),
            state => Self {
                after: claim.after,
                epoch: claim.epoch,
                firm: claim.firm,
                hash: hash::rendezvous(claim.vip, holder.speaker),
                state,
                holder,
            },
        }
    }

    /// A claim of `holder`'s, who answers in this `state`, after the release with epoch `after`.
    pub fn answered(vip: IpAddr, after: u64, epoch: u64, firm: bool, state: State, holder: Holder) -> Self {
        let hash = hash::rendezvous(vip, holder.speaker);
        Self { after, epoch, firm, hash, state, holder }
    }

    /// A release.
    pub fn released(epoch: u64) -> Self {
        Self { after: epoch, epoch, firm: true, hash: u64::MAX, state: State::Released, holder: NOBODY }
    }

    /// The word as `sender` says or repeats it.
    pub fn claim(&self, vip: IpAddr, sender: Holder) -> Claim {
        let of = (self.holder != sender && self.state != State::Released).then_some(self.holder);
        let after = if self.state == State::Released { 0 } else { self.after };
        Claim { vip, epoch: self.epoch, after, firm: self.firm, state: self.state, of }
    }
}

/// All claims of one speaker, with their digest: kept alike by the speaker itself and by all that hear it.
#[derive(Debug, Default)]
pub(super) struct ClaimSet {
    claims: BTreeMap<IpAddr, Claim>,
    digest: u64,
}

impl ClaimSet {
    /// Takes the speaker's word about one VIP: it holds it or it does not.
    pub fn apply(&mut self, claim: Claim) {
        self.remove(claim.vip);
        if claim.state.answers() {
            self.digest ^= hash::digest(&claim);
            self.claims.insert(claim.vip, claim);
        }
    }

    /// Forgets a VIP; says what was claimed.
    pub fn remove(&mut self, vip: IpAddr) -> Option<Claim> {
        let claim = self.claims.remove(&vip)?;
        self.digest ^= hash::digest(&claim);
        Some(claim)
    }

    pub fn get(&self, vip: IpAddr) -> Option<&Claim> {
        self.claims.get(&vip)
    }

    pub fn digest(&self) -> u64 {
        self.digest
    }

    pub fn len(&self) -> usize {
        self.claims.len()
    }

    pub fn is_empty(&self) -> bool {
        self.claims.is_empty()
    }

    pub fn vips(&self) -> impl Iterator<Item = IpAddr> + '_ {
        self.claims.keys().copied()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Claim> {
        self.claims.values()
    }

    /// The VIPs from `first` to `last`.
    pub fn range(&self, first: IpAddr, last: IpAddr) -> impl Iterator<Item = IpAddr> + '_ {
        self.claims.range(first..=last).map(|(vip, _)| *vip)
    }
}
