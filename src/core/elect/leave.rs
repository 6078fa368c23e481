//! What the speaker is told about itself: what it can answer for, what it no longer can, and that it is to leave.

use super::{Duty, Election, Mine, Output, Register, Released, Tier, Wish, wish};
use crate::wire::heartbeat::{Claim, State};
use std::{net::IpAddr, time::Duration};

impl Election {
    /// The speaker can answer for the VIP. One that it was about to leave, and nobody has claimed, it claims anew.
    pub(super) fn want(&mut self, address: IpAddr, wish: Wish) {
        let vip = self.vips.entry(address).or_default();
        let before = vip.want.replace(wish);
        match (vip.mine, wish.tier) {
            (Some(Mine::Leaving { .. }), _) if !self.draining => self.claim(address),
            (Some(Mine::Owner), tier) if before.is_some_and(|before| before.tier != tier) => match tier {
                // A word that takes another one back has to be greater.
                Tier::First => self.claim(address),
                Tier::Second => self.say_as(address, tier.state()),
            },
            _ => {}
        }
        self.consider(address);
    }

    /// How much the speaker is preferred: the others wait for it by this.
    pub(super) fn weigh(&mut self, weights: Vec<u16>) {
        let weights = wish::told(weights);
        if self.weights != weights {
            self.weights = weights;
            self.speech.hurry();
        }
    }

    /// The speaker cannot answer for the VIP any more.
    pub(super) fn unwant(&mut self, address: IpAddr) {
        let Some(vip) = self.vips.get_mut(&address) else { return };
        vip.want = None;
        vip.silenced = None;
        self.consider(address);
        self.hand_over(address);
    }

    /// The VIP is no Service's any more. Everybody that hears so from the API server comes to the same word by itself: the
    /// release of the claim that it knows, so a want that comes later is not silenced by another's word of this release.
    /// Whoever knew it from others already says nothing: the claims that came since are the next Service's. So does one
    /// that began to listen only after a release, the first time: it cannot know which release it is told of.
    pub(super) fn withdraw(&mut self, address: IpAddr) {
        let Some(vip) = self.vips.get_mut(&address) else { return };
        vip.want = None;
        vip.silenced = None;
        vip.changed = self.now.mono;
        vip.told_at = Some(self.now.mono);
        let mine = vip.mine.is_some();
        if let Some(register) = vip.register {
            let known = register.state == State::Released || register.after > vip.told && !mine;
            let release = if known { register.after } else { register.epoch.max(register.after).saturating_add(1) };
            vip.told = release;
            let released = Register::released(release);
            if !known {
                vip.register = Some(released);
            }
            if mine {
                self.stop(address, Released::Withdrawn);
                self.say(address, released);
            }
            if !known {
                self.dispute_if_claimed(address);
            }
        }
        self.consider(address);
    }

    /// The speaker leaves.
    pub(super) fn drain(&mut self) {
        if self.draining {
            return;
        }
        self.draining = true;
        self.speech.hurry();
        let waiting: Vec<IpAddr> = self.vips.keys().copied().collect();
        for address in waiting {
            self.consider(address);
            self.hand_over(address);
        }
    }

    /// Says that the speaker leaves the VIP and answers on until it hears a successor; at once where none can be.
    fn hand_over(&mut self, address: IpAddr) {
        let (until, latest) = (self.now.mono + self.timing.hand_over, self.now.mono + self.timing.hand_over_at_most);
        let alone = self.peers.candidates().next().is_none();
        let Some(vip) = self.vips.get_mut(&address).filter(|vip| vip.mine == Some(Mine::Owner)) else { return };
        if alone {
            self.give_up(address);
            return;
        }
        vip.mine = Some(Mine::Leaving { until, latest });
        self.agenda.insert((until, address, Duty::HandOver));
        self.say_as(address, State::Leaving);
    }

    /// Nobody has claimed the VIP in time. While others are being taken over, its turn may come: thousands take a while.
    pub(super) fn hand_over_ends(&mut self, address: IpAddr, at: Duration) {
        let Some(vip) = self.vips.get_mut(&address) else { return };
        let Some(Mine::Leaving { until, latest }) = vip.mine else { return };
        if until != at {
            return;
        }
        let later = self.handed_over.map(|last| (last + self.timing.hand_over).min(latest));
        match later.filter(|later| self.now.mono < *later) {
            None => self.give_up(address),
            Some(until) => {
                vip.mine = Some(Mine::Leaving { until, latest });
                self.agenda.insert((until, address, Duty::HandOver));
            }
        }
    }

    fn give_up(&mut self, address: IpAddr) {
        let me = self.holder();
        self.stop(address, Released::NoSuccessor);
        if let Some(register) = self.vips.get_mut(&address).and_then(|vip| vip.register.as_mut())
            && register.holder == me
        {
            register.state = State::Vacant;
        }
    }

    /// Stops answering, and says so to those that count this speaker's claims.
    pub(super) fn stop(&mut self, address: IpAddr, why: Released) {
        let Some(vip) = self.vips.get_mut(&address) else { return };
        vip.mine = None;
        vip.changed = self.now.mono;
        if let Some(claim) = self.claims.remove(address) {
            self.speech.claim(Claim { state: State::Vacant, ..claim });
        }
        self.out.push(Output::Release { vip: address, why });
    }

    /// A release that only others know of has outweighed the want for long enough.
    pub(super) fn unsilence(&mut self, address: IpAddr, at: Duration) {
        if let Some(vip) = self.vips.get_mut(&address).filter(|vip| vip.silenced == Some(at)) {
            vip.silenced = None;
            self.consider(address);
        }
    }

    /// Says a later word about a VIP that the speaker owns.
    fn say_as(&mut self, address: IpAddr, state: State) {
        if let Some(register) = self.vips.get_mut(&address).and_then(|vip| vip.register.as_mut()) {
            register.state = state;
            let register = *register;
            self.say(address, register);
        }
    }

    /// Says the speaker's own word about a VIP.
    pub(super) fn say(&mut self, address: IpAddr, register: Register) {
        let claim = register.claim(address, self.holder());
        self.claims.apply(claim);
        self.speech.claim(claim);
    }
}
