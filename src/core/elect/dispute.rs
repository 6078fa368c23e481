//! Two claims for one VIP: the greater is repeated until the lower is gone.
//!
//! Its owner says it at once. A third speaker that hears both waits a little, then repeats it for the two that perhaps do
//! not hear each other. The pauses double, so a claimant that hears nobody is not shouted at for ever.

use super::{Duty, Election, Output, claims::Register, hash};
use crate::wire::heartbeat::{Holder, State};
use std::{net::IpAddr, time::Duration};

/// How often the greater claim has been repeated, and when it is again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Dispute {
    at: Duration,
    repeated: u32,
}

impl Election {
    /// Somebody claims less than what is known of the VIP.
    pub(super) fn dispute(&mut self, address: IpAddr) {
        let me = self.holder();
        let Some(vip) = self.vips.get_mut(&address) else { return };
        if vip.dispute.is_some() {
            return;
        }
        let mine = vip.mine.is_some() && vip.register.is_some_and(|register| register.holder == me);
        let wait = if mine {
            Duration::ZERO
        } else {
            self.timing.relay + self.timing.slot * (hash::rendezvous(address, self.id) % 4) as u32
        };
        let at = self.now.mono + wait;
        vip.dispute = Some(Dispute { at, repeated: 0 });
        self.agenda.insert((at, address, Duty::Dispute));
    }

    /// Disputes the VIP where a living peer is known to claim less.
    pub(super) fn dispute_if_claimed(&mut self, address: IpAddr) {
        if self.vips.get(&address).and_then(|vip| vip.register).is_some_and(|greatest| self.lower(address, &greatest)) {
            self.dispute(address);
        }
    }

    /// Repeats the greater claim where the lower one is still there.
    pub(super) fn run_dispute(&mut self, address: IpAddr, at: Duration) {
        let Some(vip) = self.vips.get(&address) else { return };
        let Some(dispute) = vip.dispute.filter(|dispute| dispute.at == at) else { return };
        let next = vip.register.filter(|greatest| self.lower(address, greatest)).map(|greatest| {
            self.repeat(address, greatest);
            let pause = self.timing.repeat * 2u32.saturating_pow(dispute.repeated.min(16));
            let at = self.now.mono + pause.min(self.timing.relay_at_most);
            self.agenda.insert((at, address, Duty::Dispute));
            Dispute { at, repeated: dispute.repeated + 1 }
        });
        let Some(vip) = self.vips.get_mut(&address) else { return };
        vip.dispute = next;
        // Whoever has given in may have announced the VIP meanwhile. Where this speaker has just begun to answer it announces anyway.
        let is_old = vip.changed + self.timing.affirm_at_most <= self.now.mono;
        if next.is_none() && dispute.repeated > 0 && vip.mine.is_some() && is_old {
            self.out.push(Output::Announce { vip: address });
        }
    }

    /// Says the word again; of a holder that does not live, only that its epoch is taken.
    fn repeat(&mut self, address: IpAddr, mut word: Register) {
        let me = self.holder();
        // Nobody's word would take the place of this speaker's own, which it leaves in a moment.
        if word.state == State::Released && self.owns(address) {
            return;
        }
        if word.holder != me && word.state.answers() && !self.peers.answers(word.holder) {
            word.state = State::Vacant;
        }
        self.speech.relay(word.claim(address, me));
    }

    /// Whether a living peer claims the VIP with less than `greatest`.
    fn lower(&self, address: IpAddr, greatest: &Register) -> bool {
        self.peers.living().any(|(id, peer)| {
            let holder = Holder { speaker: id, boot: peer.boot };
            holder != greatest.holder
                && peer.claims.get(address).is_some_and(|claim| Register::of(claim, holder) < *greatest)
        })
    }
}
