//! Who claims a VIP that nobody holds: whoever has waited its rank, unless another was quicker.
//!
//! The waiting needs no agreement on who else is eligible; where two claim at once the greater register wins.

use super::{Acquired, Duty, Election, Mine, Output, Register, hash};
use crate::wire::heartbeat::{SpeakerId, State};
use std::{net::IpAddr, time::Duration};

/// A VIP that nobody ever owned has no client yet, so speakers above their share let the others go first for longer.
const NEW_VIP_PATIENCE: u32 = 2;

/// How far the waiting has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Contention {
    at: Duration,
    step: Step,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// The speaker still listens.
    Listen,
    /// It lets those of a better rank go first.
    Rank,
    /// It has its share and lets those go first that have not.
    Share,
}

impl Election {
    /// Whether somebody alive holds the VIP and stays.
    pub(super) fn held(&self, register: &Register) -> bool {
        if register.state != State::Held {
            return false;
        }
        if register.holder == self.holder() {
            return true;
        }
        self.peers.answers(register.holder)
            && !self.peers.get(register.holder.speaker).is_some_and(|peer| peer.draining)
    }

    /// Begins to wait for a VIP that this speaker may claim, and stops where it may not.
    pub(super) fn consider(&mut self, address: IpAddr) {
        let Some(vip) = self.vips.get(&address) else { return };
        let open = !self.draining
            && vip.want.is_some()
            && vip.mine.is_none()
            && vip.silenced.is_none()
            && !vip.register.is_some_and(|register| self.held(&register));
        match (open, vip.contention) {
            (true, None) if self.listening() => self.wait(address, Step::Listen, self.rest()),
            (true, None) => self.wait(address, Step::Rank, self.rank_wait(address)),
            (false, Some(_)) => self.set_contention(address, None),
            _ => {}
        }
    }

    /// Considers all VIPs of a speaker that died, came back, started anew, or leaves.
    pub(super) fn consider_all_of(&mut self, speaker: SpeakerId) {
        let of: Vec<IpAddr> = self
            .vips
            .iter()
            .filter(|(_, vip)| vip.register.is_some_and(|register| register.holder.speaker == speaker))
            .map(|(address, _)| *address)
            .collect();
        for address in of {
            self.consider(address);
        }
    }

    /// A contention's step is over.
    pub(super) fn contend(&mut self, address: IpAddr, at: Duration, total: usize) {
        let Some(vip) = self.vips.get(&address) else { return };
        let Some(contention) = vip.contention.filter(|contention| contention.at == at) else { return };
        let new = vip.register.is_none();
        match contention.step {
            _ if self.listening() => self.wait(address, Step::Listen, self.rest()),
            Step::Listen => self.wait(address, Step::Rank, self.rank_wait(address)),
            Step::Rank if self.claims.len() >= self.share(total) => {
                let patience = if new { NEW_VIP_PATIENCE } else { 1 };
                self.wait(address, Step::Share, self.round() * patience);
            }
            Step::Rank | Step::Share => self.claim(address),
        }
    }

    /// Claims the VIP with an epoch above everything heard, and above a past that this speaker forgot.
    pub(super) fn claim(&mut self, address: IpAddr) {
        let me = self.holder();
        let wall = u64::try_from(self.now.wall.as_millis()).unwrap_or(u64::MAX);
        let Some(vip) = self.vips.get(&address) else { return };
        let before = vip.register;
        let owned = vip.mine.is_some();
        let epoch = before.map_or(wall, |register| wall.max(register.epoch.saturating_add(1)));
        let why = match before {
            None => Acquired::New,
            Some(register) => match register.state {
                State::Released => Acquired::New,
                State::Leaving | State::Vacant => Acquired::HandedOver,
                State::Held => match self.peers.get(register.holder.speaker) {
                    Some(peer) if peer.boot != register.holder.boot => Acquired::Restarted,
                    Some(peer) if peer.draining => Acquired::HandedOver,
                    _ if register.holder.speaker == me.speaker => Acquired::Restarted,
                    _ => Acquired::Dead,
                },
            },
        };
        let register = Register::held(address, before.map_or(0, |register| register.after), epoch, me);
        let Some(vip) = self.vips.get_mut(&address) else { return };
        vip.register = Some(register);
        vip.mine = Some(Mine::Owner);
        vip.contention = None;
        vip.changed = self.now.mono;
        self.say(address, register);
        if !owned {
            self.out.push(Output::Acquire { vip: address, epoch, why });
        }
        self.dispute_if_claimed(address);
    }

    /// How many VIPs there are to share: those held, and those that this speaker wants.
    pub(super) fn total(&self) -> usize {
        self.vips
            .values()
            .filter(|vip| vip.want.is_some() || vip.register.is_some_and(|register| self.held(&register)))
            .count()
    }

    /// This speaker's fair share of `total`, rounded up.
    fn share(&self, total: usize) -> usize {
        total.div_ceil(1 + self.peers.candidates().count())
    }

    /// How long until the contention is looked at again while the speaker listens.
    fn rest(&self) -> Duration {
        self.listen_until.saturating_sub(self.now.mono).max(self.timing.slot)
    }

    /// The wait for all of better tiers, and then for those of a better hash.
    fn rank_wait(&self, address: IpAddr) -> Duration {
        let tier = self.vips.get(&address).and_then(|vip| vip.want).unwrap_or(0);
        let mine = hash::rendezvous(address, self.id);
        let better = self.peers.candidates().filter(|peer| hash::rendezvous(address, *peer) > mine).count();
        self.round() * u32::from(tier) + self.timing.slot * self.slots(better)
    }

    /// How long it takes until everybody has had a turn.
    fn round(&self) -> Duration {
        self.timing.slot * self.slots(1 + self.peers.candidates().count())
    }

    fn slots(&self, rank: usize) -> u32 {
        u32::try_from(rank).unwrap_or(u32::MAX).min(self.timing.slots)
    }

    fn wait(&mut self, address: IpAddr, step: Step, wait: Duration) {
        let at = self.now.mono + wait;
        self.set_contention(address, Some(Contention { at, step }));
        self.agenda.insert((at, address, Duty::Contend));
    }

    fn set_contention(&mut self, address: IpAddr, contention: Option<Contention>) {
        if let Some(vip) = self.vips.get_mut(&address) {
            vip.contention = contention;
        }
    }
}
