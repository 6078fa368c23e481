//! Who claims a VIP that nobody holds: whoever has waited its rank, unless another was quicker.
//!
//! The waiting needs no agreement on who else is eligible; where two claim at once the greater register wins.
//!
//! First wait those of the second tier, then those of a lower weight, then those of a lower hash. Each lets all before it have
//! both of their turns: by rank, and above their share.

use super::{Acquired, Duty, Election, Mine, Output, Register, Tier, Unheard, hash};
use crate::wire::heartbeat::{SpeakerId, SpeakerName, State};
use std::{cmp::Ordering, collections::BTreeSet, net::IpAddr, time::Duration};

/// For so many greater weights at most it is allowed that they learn later.
const MOST_LATER: u32 = 3;
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

/// The other speakers that may take a VIP over, counted by how they compare with this one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Rivals {
    /// Of greater weight,
    preferred: usize,
    /// and how many such weights there are.
    classes: u32,
    /// Of the same weight.
    equal: usize,
    /// Of the same weight and with a greater hash.
    before: usize,
}

impl Election {
    /// Whether somebody alive holds the VIP and stays, perhaps only for want of better.
    pub(super) fn held(&self, register: &Register) -> bool {
        if !matches!(register.state, State::Held | State::Yielding) {
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
        let taken = |tier: Tier| {
            let yields = |register: &Register| tier == Tier::First && register.state == State::Yielding;
            vip.register.is_some_and(|register| self.held(&register) && !yields(&register))
        };
        let open = !self.draining
            && vip.want.is_some_and(|wish| !taken(wish.tier))
            && vip.mine.is_none()
            && vip.silenced.is_none();
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
        match contention.step {
            _ if self.listening() => self.wait(address, Step::Listen, self.rest()),
            Step::Listen => self.wait(address, Step::Rank, self.rank_wait(address)),
            // Those that have just started get their share, too.
            Step::Share if self.is_new(address) && self.is_filling() => {
                self.wait(address, Step::Share, self.timing.slot);
            }
            Step::Share => self.claim(address),
            Step::Rank => {
                // A fair share is one among those that are preferred alike.
                let alike = 1 + self.rivals(address).equal;
                if self.claims.len() < total.div_ceil(alike) {
                    self.claim(address);
                } else {
                    self.wait(address, Step::Share, self.turns(alike) * self.patience(address));
                }
            }
        }
    }

    /// Claims the VIP with an epoch above everything heard, and above a past that this speaker forgot.
    pub(super) fn claim(&mut self, address: IpAddr) {
        let me = self.holder();
        let wall = u64::try_from(self.now.wall.as_millis()).unwrap_or(u64::MAX);
        let Some(vip) = self.vips.get(&address) else { return };
        let before = vip.register;
        let owned = vip.mine.is_some();
        let state = vip.want.unwrap_or_default().tier.state();
        let why = match before {
            None => Acquired::New,
            Some(register) => match register.state {
                State::Released => Acquired::New,
                State::Leaving | State::Vacant => Acquired::HandedOver,
                State::Yielding if self.held(&register) => Acquired::HandedOver,
                State::Held | State::Yielding => match self.peers.get(register.holder.speaker) {
                    Some(peer) if peer.boot != register.holder.boot => Acquired::Restarted,
                    Some(peer) if peer.draining => Acquired::HandedOver,
                    _ if register.holder.speaker == me.speaker => Acquired::Restarted,
                    _ => Acquired::Dead,
                },
            },
        };
        let from = before.filter(|_| why != Acquired::New).and_then(|register| self.name_of(register.holder.speaker));
        let after = before.map_or(0, |register| register.after);
        let firm = self.is_firm(before.as_ref(), why);
        let next = before.map_or(1, |register| register.epoch.saturating_add(1));
        let epoch = match before {
            _ if firm => wall.max(next),
            // The one who is thought dead has it again, should it come back; nor does one's own doubtful word grow.
            Some(before) if why == Acquired::Dead || before.holder == me && !before.firm => before.epoch,
            _ => next,
        };
        let register = Register::answered(address, after, epoch, firm, state, me);
        self.evidence.note(address, !firm);
        let Some(vip) = self.vips.get_mut(&address) else { return };
        vip.register = Some(register);
        vip.mine = Some(Mine::Owner);
        vip.contention = None;
        vip.changed = self.now.mono;
        self.say(address, register);
        if !owned {
            let unheard =
                before.filter(|_| why == Acquired::Dead).and_then(|before| self.unheard(before.holder.speaker));
            self.out.push(Output::Acquire { vip: address, epoch, why, from, unheard });
        }
        self.dispute_if_claimed(address);
    }

    fn unheard(&self, speaker: SpeakerId) -> Option<Unheard> {
        let (last, found) = self.peers.get(speaker)?.death()?;
        Some(Unheard { found_dead: found.saturating_sub(last), claimed: self.now.mono.saturating_sub(last) })
    }

    fn name_of(&self, speaker: SpeakerId) -> Option<SpeakerName> {
        if speaker == self.id { Some(self.identity.speaker.clone()) } else { self.peers.get(speaker)?.name.clone() }
    }

    /// How many VIPs there are to share: those held, and those that this speaker wants.
    pub(super) fn total(&self) -> usize {
        self.vips
            .values()
            .filter(|vip| vip.want.is_some() || vip.register.is_some_and(|register| self.held(&register)))
            .count()
    }

    /// How long until the contention is looked at again while the speaker listens.
    fn rest(&self) -> Duration {
        self.listen_until.saturating_sub(self.now.mono).max(self.timing.slot)
    }

    /// The wait for all that go first.
    fn rank_wait(&self, address: IpAddr) -> Duration {
        let rivals = self.rivals(address);
        let (first, ahead) = match self.vips.get(&address).and_then(|vip| vip.want).unwrap_or_default().tier {
            Tier::First => (Duration::ZERO, rivals.classes),
            Tier::Second => (self.turns(1 + self.peers.candidates().count()), 1 + rivals.classes),
        };
        // A death all find out together; a new run shows itself to each in an exchange of its own, to some later by this.
        let later = if self.is_restarted(address) { self.timing.repeat + self.timing.slot } else { Duration::ZERO };
        (first + self.turns(rivals.preferred)) * (1 + self.patience(address))
            + later * ahead.min(MOST_LATER)
            + self.turns(rivals.before)
    }

    /// Whether whoever is known to have held the VIP last has started anew since.
    fn is_restarted(&self, address: IpAddr) -> bool {
        let holder = self.vips.get(&address).and_then(|vip| vip.register).map(|register| register.holder);
        holder.is_some_and(|holder| self.peers.get(holder.speaker).is_some_and(|peer| peer.boot != holder.boot))
    }

    /// How those that may take the VIP over compare with this speaker. Who still listens claims nothing for so long that only a VIP
    /// without clients is left to it.
    fn rivals(&self, address: IpAddr) -> Rivals {
        let preferences = self.vips.get(&address).and_then(|vip| vip.want).unwrap_or_default().preferences;
        let (mine, hash) = (preferences.weight(&self.weights), hash::rendezvous(address, self.id));
        let (mut rivals, mut greater) = (Rivals::default(), BTreeSet::new());
        let is_new = self.is_new(address);
        for (id, peer) in self.peers.candidates().filter(|(_, peer)| is_new || !peer.listening) {
            let weight = preferences.weight(&peer.weights);
            match weight.cmp(&mine) {
                Ordering::Greater => {
                    rivals.preferred += 1;
                    rivals.classes += u32::from(greater.insert(weight));
                }
                Ordering::Equal => {
                    rivals.equal += 1;
                    rivals.before += usize::from(hash::rendezvous(address, id) > hash);
                }
                Ordering::Less => {}
            }
        }
        rivals
    }

    /// How many times as long as their rank speakers above their share let the others go first.
    fn patience(&self, address: IpAddr) -> u32 {
        if self.is_new(address) { NEW_VIP_PATIENCE } else { 1 }
    }

    /// Whether nobody is known to have held the VIP since its Service got it.
    fn is_new(&self, address: IpAddr) -> bool {
        self.vips.get(&address).is_none_or(|vip| vip.register.is_none())
    }

    /// Whether the segment has just come up: others still listen, and this speaker has not done so for long.
    fn is_filling(&self) -> bool {
        let latest = self.listen_until + self.timing.filling;
        self.now.mono < latest && (self.proofs.is_waiting() || self.peers.candidates().any(|(_, peer)| peer.listening))
    }

    /// How long it takes until so many have had a turn.
    fn turns(&self, speakers: usize) -> Duration {
        self.timing.slot * u32::try_from(speakers).unwrap_or(u32::MAX).min(self.timing.slots)
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
