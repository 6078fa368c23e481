//! What a frame says: its sender lives, whom it hears, what it claims, and what it asks.

use super::{
    Duty, Election, Ignored, MOST_FOREIGN_CLAIMS, MOST_FOREIGN_VIPS, Mine, Register, Released, hash,
    peers::{News, Order, Peer, Way},
};
use crate::wire::heartbeat::{Claim, Frame, Holder, Kind, SpeakerId, State};
use std::{cmp::Ordering, collections::BTreeSet, net::IpAddr, time::Duration};

/// So many of those that hear a suspect say so; who they are differs from question to question.
const WITNESSES: usize = 5;

impl Election {
    pub(super) fn hear(&mut self, frame: Frame, way: Way) -> Result<(), Ignored> {
        if frame.cluster != self.identity.cluster {
            return Err(Ignored::OtherCluster);
        }
        let sender = Holder { speaker: hash::speaker_id(&frame.speaker), boot: frame.boot };
        if sender.speaker == self.id {
            return Err(if frame.boot == self.identity.boot { Ignored::Echo } else { Ignored::Namesake });
        }
        if let Order::Overtaken(since) = self.prove(sender, &frame, way)? {
            self.overtaken(sender, &frame, self.now.mono.saturating_sub(since));
            return Ok(());
        }
        let is_replaced = self.peers.get(sender.speaker).is_some_and(|peer| peer.boot != sender.boot);
        let before = self.leaves(sender.speaker);
        let news = self.peers.hear((sender.speaker, way), &frame, &self.timing, self.now.mono)?;
        self.came(sender, way);
        self.affirm_soon();
        self.freshness.hear(frame.seen, &self.timing, self.now.mono);
        match news {
            News::Known => {}
            News::New => {
                if is_replaced {
                    self.proofs.retire(self.now.mono + self.timing.retire);
                }
                self.consider_all_of(sender.speaker);
                self.speech.greet(self.now.mono + self.some_of(self.timing.slot, sender.boot));
            }
            News::Returned => self.welcome(sender.speaker),
        }
        if self.leaves(sender.speaker) != before {
            self.consider_all_of(sender.speaker);
        }
        self.witnessed(&frame, Duration::ZERO);
        for claim in &frame.claims {
            self.told(claim, sender);
        }
        if let Kind::Snapshot { first, last } = frame.kind {
            self.drop_unlisted(&frame, sender, first, last);
        }
        self.answer(&frame);
        self.compare_digest(sender.speaker, news);
        Ok(())
    }

    /// A newer frame of the sender's came before this one, `late` ago: that one told how its sender is. What only this one says
    /// counts: whom it hears, what it asks, and its claims, unless all that its sender claims by now is known without them, or
    /// that one itself is known to have said something greater.
    fn overtaken(&mut self, sender: Holder, frame: &Frame, late: Duration) {
        self.peers.note(sender.speaker, frame.counter, self.now.mono);
        self.witnessed(frame, late);
        let is_known = self.peers.get(sender.speaker).is_some_and(Peer::in_step);
        for claim in frame.claims.iter().filter(|claim| claim.of.is_some() || !is_known) {
            let word = Register::of(claim, sender);
            let known = self.vips.get(&claim.vip).and_then(|vip| vip.register);
            if known.is_none_or(|known| known <= word || known.holder != word.holder) {
                self.told(claim, sender);
            }
        }
        self.answer(frame);
        self.compare_digest(sender.speaker, News::Known);
    }

    /// Whom the sender of a frame hears, `late` longer ago than the frame says.
    fn witnessed(&mut self, frame: &Frame, late: Duration) {
        for heard in &frame.heard {
            if self.peers.witness(heard.speaker, heard.age + late, &self.timing, self.now.mono) {
                self.welcome(heard.speaker);
            }
        }
    }

    /// What the frame asks for.
    fn answer(&mut self, frame: &Frame) {
        match frame.kind {
            Kind::Beat | Kind::Snapshot { .. } => {}
            Kind::Ask { suspect } => self.asked(suspect, frame.counter),
            Kind::Fetch { peer } => self.fetched(peer),
        }
    }

    /// Refuses a frame that may be an old one, and says what would show that its sender is new. A speaker that asks for the same
    /// is answered.
    fn prove(&mut self, sender: Holder, frame: &Frame, way: Way) -> Result<Order, Ignored> {
        let now = self.now.mono;
        let order = self.peers.check(sender, frame.counter, way, now)?;
        let is_proven = self.peers.knows(sender, &self.timing, now) || self.proofs.proves(frame);
        if is_proven {
            self.proofs.accept(sender.speaker);
        }
        let is_asked = self.proofs.for_me(frame).is_some_and(|echo| echo.wanted);
        let is_welcome = is_proven || self.peers.has_room() || self.peers.get(sender.speaker).is_some();
        if is_welcome
            && (!is_proven || is_asked)
            && self.proofs.owe(sender.speaker, frame, !is_proven, &self.timing, now)
        {
            self.speech.reply(now + self.some_of(self.timing.slot, sender.boot), self.timing.repeat);
            if !is_proven {
                self.came(sender, way);
            }
        }
        if is_proven { Ok(order) } else { Err(Ignored::Unproven) }
    }

    /// A frame that nobody had heard yet came by the way round: whoever sent it does not hear us otherwise either, unless its
    /// direct copy was only overtaken.
    fn came(&mut self, sender: Holder, way: Way) {
        if way == Way::Around && !self.peers.is_direct(sender, &self.timing, self.now.mono) {
            self.speech.go_around(self.now.mono + self.timing.around);
        }
    }

    /// Whether what the peer holds is to be taken over although it lives.
    fn leaves(&self, id: SpeakerId) -> bool {
        self.peers.get(id).is_some_and(|peer| peer.draining || peer.deaf)
    }

    /// A peer thought dead is back: what it still claims and others have taken over is disputed, and what it holds stays.
    fn welcome(&mut self, id: SpeakerId) {
        let Some(peer) = self.peers.get(id) else { return };
        let holder = Holder { speaker: id, boot: peer.boot };
        let words: Vec<_> = peer.claims.iter().map(|claim| (claim.vip, Register::of(claim, holder))).collect();
        for (address, word) in words {
            self.offer(address, word);
        }
        self.consider_all_of(id);
    }

    /// One claim, the sender's own or one that it repeats.
    fn told(&mut self, claim: &Claim, sender: Holder) {
        match claim.of {
            None => {
                if !self.has_room(claim, sender.speaker) {
                    self.ignore(Ignored::TooManyVips);
                    return;
                }
                if let Some(peer) = self.peers.get_mut(sender.speaker) {
                    peer.claims.apply(*claim);
                }
            }
            Some(holder) if holder == self.holder() => return self.deny(claim),
            // A live owner leaves by its own word alone.
            Some(holder) if claim.state != State::Held && self.peers.answers(holder) => return,
            // Another run of this speaker is over, and a speaker is no peer of its own.
            Some(holder) if holder.speaker != self.id && matches!(claim.state, State::Held | State::Yielding) => {
                self.peers.meet(holder, &self.timing, self.now.mono);
            }
            Some(_) => {}
        }
        self.offer(claim.vip, Register::of(claim, sender));
    }

    /// Others say that this speaker holds a VIP. Where it does not, and has said nothing greater, it says so: else nobody would
    /// answer for as long as it lives.
    fn deny(&mut self, claim: &Claim) {
        let mut word = Register::of(claim, self.holder());
        word.state = State::Vacant;
        let is_news = self.vips.get(&claim.vip).and_then(|vip| vip.register).is_none_or(|register| register < word);
        if claim.state.answers() && !self.owns(claim.vip) && is_news {
            self.offer(claim.vip, word);
            self.say(claim.vip, word);
        }
    }

    /// Whether one more claim of that peer's can be remembered, or it needs no more room than before.
    fn has_room(&self, claim: &Claim, id: SpeakerId) -> bool {
        matches!(claim.state, State::Vacant | State::Released)
            || self.peers.get(id).is_some_and(|peer| peer.claims.get(claim.vip).is_some())
            || self.peers.iter().map(|(_, peer)| peer.claims.len()).sum::<usize>() < MOST_FOREIGN_CLAIMS
    }

    /// A word about a VIP: the greatest is kept.
    fn offer(&mut self, address: IpAddr, word: Register) {
        if !self.vips.contains_key(&address) && self.vips.len() >= MOST_FOREIGN_VIPS {
            self.ignore(Ignored::TooManyVips);
            return;
        }
        let now = self.now.mono;
        let claims_it = word.state.answers();
        let stands = claims_it && self.peers.answers(word.holder);
        let vip = self.vips.entry(address).or_default();
        match vip.register.map_or(Ordering::Greater, |register| word.cmp(&register)) {
            Ordering::Equal => return,
            Ordering::Less => {
                if claims_it {
                    self.dispute_if_claimed(address);
                }
                return;
            }
            Ordering::Greater => {}
        }
        let yielded = vip.register.is_some_and(|register| register.state == State::Yielding);
        vip.register = Some(word);
        vip.changed = now;
        let released = word.state == State::Released;
        // Told of a release itself a moment ago: this is the same one, which its sender reckoned from another claim.
        let same = released && vip.told_at.is_some_and(|at| now < at + self.timing.silenced);
        if same {
            vip.told = word.after;
        } else if released && vip.want.is_some() {
            let until = now + self.timing.silenced;
            vip.silenced = Some(until);
            self.agenda.insert((until, address, Duty::Unsilence));
        }
        match vip.mine {
            Some(_) if released && !same => self.stop(address, Released::Withdrawn),
            Some(Mine::Owner) if stands && yielded => self.stop(address, Released::HandedOver),
            Some(Mine::Owner) if stands => self.stop(address, Released::Outbid),
            Some(Mine::Leaving { .. }) if stands => {
                self.handed_over = Some(now);
                self.stop(address, Released::HandedOver);
            }
            // Nobody alive stands behind the greater word: this speaker goes on, above it.
            Some(Mine::Owner) => self.claim(address),
            Some(Mine::Leaving { .. }) | None => {}
        }
        self.dispute_if_claimed(address);
        self.consider(address);
    }

    /// All that the sender has in a range was in the frame: what else it was thought to hold there is vacant.
    fn drop_unlisted(&mut self, frame: &Frame, sender: Holder, first: IpAddr, last: IpAddr) {
        let listed: BTreeSet<IpAddr> = frame.claims.iter().map(|claim| claim.vip).collect();
        let Some(peer) = self.peers.get_mut(sender.speaker) else { return };
        let gone: Vec<IpAddr> = peer.claims.range(first, last).filter(|vip| !listed.contains(vip)).collect();
        for address in gone {
            peer.claims.remove(address);
        }
        let vacant: Vec<IpAddr> = self
            .vips
            .range(first..=last)
            .filter(|(address, _)| !listed.contains(address))
            .filter(|(_, vip)| vip.register.is_some_and(|register| register.holder == sender))
            .map(|(address, _)| *address)
            .collect();
        self.vacate(vacant);
    }

    /// Nobody holds these any more.
    fn vacate(&mut self, addresses: Vec<IpAddr>) {
        for address in addresses {
            if let Some(register) = self.vips.get_mut(&address).and_then(|vip| vip.register.as_mut()) {
                register.state = State::Vacant;
            }
            self.consider(address);
        }
    }

    /// What others said long ago that a speaker holds, and it does not say itself, although all its claims are known: nobody
    /// holds it.
    pub(super) fn drop_unclaimed(&mut self) {
        let now = self.now.mono;
        let heard: BTreeSet<SpeakerId> = self.peers.heard(&self.timing, now).map(|(id, _)| id).collect();
        let known = |id| self.peers.get(id).filter(|peer| heard.contains(&id) && peer.in_step());
        let unclaimed: Vec<IpAddr> = self
            .vips
            .iter()
            .filter(|(_, vip)| vip.changed + self.timing.unclaimed <= now)
            .filter_map(|(address, vip)| Some((*address, vip.register.filter(|register| self.held(register))?.holder)))
            .filter(|(address, holder)| known(holder.speaker).is_some_and(|peer| peer.claims.get(*address).is_none()))
            .map(|(address, _)| address)
            .collect();
        self.vacate(unclaimed);
    }

    /// Somebody misses `suspect`.
    fn asked(&mut self, suspect: SpeakerId, question: u64) {
        if suspect == self.id {
            // Who misses us may be one that our frames do not reach directly.
            self.speech.go_around(self.now.mono + self.timing.around);
            self.speech.hurry();
            return;
        }
        let hears = |id| self.peers.heard(&self.timing, self.now.mono).any(|(heard, _)| heard == id);
        if !hears(suspect) {
            return;
        }
        let mine = hash::spread(self.id, question);
        let before =
            self.peers.candidates().filter(|(id, _)| *id != suspect && hash::spread(*id, question) > mine).count();
        if before < WITNESSES {
            self.speech.witness(suspect);
        }
    }

    /// Somebody wants all claims of `peer`: its answer will serve this speaker too.
    fn fetched(&mut self, id: SpeakerId) {
        if id == self.id {
            self.speech.snapshot();
        } else if let Some(fetch) = self.peers.get_mut(id).and_then(|peer| peer.fetch.as_mut()) {
            *fetch = (*fetch).max(self.now.mono + self.timing.fetch_again);
        }
    }

    /// Asks for all claims of a peer whose digest differs, unless the rest comes in a moment. What one claimed that was not
    /// listened to does not.
    fn compare_digest(&mut self, id: SpeakerId, news: News) {
        let patience = if news == News::Known { self.timing.fetch } else { Duration::ZERO };
        let at = self.now.mono + patience + self.some_of(self.timing.slot, id.0);
        let Some(peer) = self.peers.get_mut(id) else { return };
        peer.fetch = if peer.in_step() { None } else { Some(peer.fetch.unwrap_or(at)) };
    }

    /// A part of `whole` that differs from speaker to speaker.
    fn some_of(&self, whole: Duration, occasion: u64) -> Duration {
        whole * (hash::spread(self.id, occasion) % 16) as u32 / 16
    }
}
