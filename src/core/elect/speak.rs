//! What the speaker says and when: beats, changed claims, questions and answers, in frames that fit.

use super::{Election, Output, timing::Beating};
use crate::wire::heartbeat::{Claim, Frame, Heard, Kind, LONGEST, MOST_HEARD, SpeakerId};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    time::Duration,
};

/// What is to be said.
#[derive(Debug)]
pub(super) struct Speech {
    counter: u64,
    last_beat: Duration,
    next_beat: Duration,
    /// Claims that changed, with how many frames they are still to be in. A repeated one stands beside the own.
    changed: BTreeMap<(IpAddr, bool), (Claim, u8)>,
    /// Something cannot wait for the next beat.
    hurry: bool,
    asks: BTreeSet<SpeakerId>,
    fetches: BTreeSet<SpeakerId>,
    witness: BTreeSet<SpeakerId>,
    snapshot: bool,
    /// When all claims may be sent again.
    snapshot_after: Duration,
    /// Until when every frame also goes the way round, and when the next one does at the latest.
    around_until: Duration,
    around_next: Duration,
}

impl Speech {
    pub fn new(now: Duration) -> Self {
        Self {
            counter: 0,
            last_beat: Duration::ZERO,
            next_beat: now,
            changed: BTreeMap::new(),
            hurry: false,
            asks: BTreeSet::new(),
            fetches: BTreeSet::new(),
            witness: BTreeSet::new(),
            snapshot: false,
            snapshot_after: now,
            around_until: now,
            around_next: now,
        }
    }

    /// The speaker's own word, new: said at once and repeated.
    pub fn claim(&mut self, claim: Claim) {
        self.changed.insert((claim.vip, false), (claim, u8::MAX));
        self.hurry = true;
    }

    /// A greater word, said again, once.
    pub fn relay(&mut self, claim: Claim) {
        self.changed.entry((claim.vip, claim.of.is_some())).or_insert((claim, 1));
        self.hurry = true;
    }

    /// Speak at once.
    pub fn hurry(&mut self) {
        self.hurry = true;
    }

    /// Speak soon: somebody new should know who is here.
    pub fn greet(&mut self, at: Duration) {
        self.next_beat = self.next_beat.min(at);
    }

    /// Speak soon, and not before `pause` is over since the last beat: what one frame answers, thousands may ask.
    pub fn reply(&mut self, at: Duration, pause: Duration) {
        self.greet(at.max(self.last_beat + pause));
    }

    pub fn ask(&mut self, suspect: SpeakerId) {
        self.asks.insert(suspect);
    }

    pub fn fetch(&mut self, peer: SpeakerId) {
        self.fetches.insert(peer);
    }

    /// Say at once that `suspect` is heard.
    pub fn witness(&mut self, suspect: SpeakerId) {
        self.witness.insert(suspect);
        self.hurry = true;
    }

    /// Send all claims.
    pub fn snapshot(&mut self) {
        self.snapshot = true;
    }

    /// How many frames there have been.
    pub fn said(&self) -> u64 {
        self.counter
    }

    /// Until then every frame is to go the way round as well.
    pub fn go_around(&mut self, until: Duration) {
        self.around_until = self.around_until.max(until);
    }

    /// When the next beat is due.
    pub fn due(&self) -> Duration {
        self.next_beat
    }
}

impl Election {
    /// Says what there is to say.
    pub(super) fn speak(&mut self) {
        let now = self.now.mono;
        // Who does not know this speaker yet would not listen to its question: the echo goes first.
        let is_introduced = !self.speech.fetches.iter().any(|peer| self.proofs.is_unsaid(*peer, &self.timing));
        if self.speech.hurry || !is_introduced || self.speech.next_beat <= now {
            self.beat();
        }
        for suspect in std::mem::take(&mut self.speech.asks) {
            self.send(self.frame(Kind::Ask { suspect }));
        }
        for peer in std::mem::take(&mut self.speech.fetches) {
            self.send(self.frame(Kind::Fetch { peer }));
        }
        if std::mem::take(&mut self.speech.snapshot) && self.speech.snapshot_after <= now {
            self.speech.snapshot_after = now + self.timing.fetch_again / 2;
            self.send_snapshot();
        }
    }

    /// One beat, with whom the speaker hears and every changed claim, in as many frames as that takes.
    fn beat(&mut self) {
        let now = self.now.mono;
        let (heard, echoes) = (self.whom_it_hears(), self.proofs.take());
        let mut claims = Vec::with_capacity(self.speech.changed.len());
        let repeats = self.timing.repeats;
        self.speech.changed.retain(|_, (claim, left)| {
            claims.push(*claim);
            *left = (*left).min(repeats).saturating_sub(1);
            *left > 0
        });
        let mut claims = claims.into_iter().peekable();
        // Frames overtake each other: who gets a later one alone would take this speaker for deaf if it listed nobody.
        let newest: Vec<Heard> = heard.iter().copied().min_by_key(|heard| heard.age).into_iter().collect();
        let mut first = Some((heard, echoes));
        while first.is_some() || claims.peek().is_some() {
            let (heard, echoes) = first.take().unwrap_or_else(|| (newest.clone(), Vec::new()));
            let mut frame = Frame { heard, echoes, ..self.frame(Kind::Beat) };
            let mut room = LONGEST.saturating_sub(frame.size());
            let part = std::iter::from_fn(|| {
                let claim = claims.next_if(|claim| claim.size() <= room)?;
                room -= claim.size();
                Some(claim)
            });
            frame.claims = part.collect();
            self.send(frame);
        }
        self.speech.hurry = false;
        self.speech.last_beat = now;
        let is_said = self.speech.changed.is_empty() && self.proofs.is_clear();
        let wait = if is_said { self.interval() } else { self.timing.repeat };
        self.speech.next_beat = now + wait.min(self.interval());
    }

    /// How long until the next beat.
    fn interval(&self) -> Duration {
        let beating = self.beating();
        if self.claims.is_empty() { self.timing.idle_interval(beating) } else { self.timing.interval(beating) }
    }

    fn beating(&self) -> Beating {
        let owners = self.peers.living().filter(|(_, peer)| !peer.claims.is_empty()).count() as u32;
        let idle = self.peers.living().count() as u32 - owners;
        let (own, none) = if self.claims.is_empty() { (0, 1) } else { (1, 0) };
        Beating { owners: owners + own, idle: idle + none, doubled: self.now.mono < self.speech.around_until }
    }

    /// Those heard, the ones asked for first, then the others in turn.
    fn whom_it_hears(&mut self) -> Vec<Heard> {
        let asked = std::mem::take(&mut self.speech.witness);
        let mut heard: Vec<Heard> =
            self.peers.heard(&self.timing, self.now.mono).map(|(speaker, age)| Heard { speaker, age }).collect();
        if heard.len() > MOST_HEARD {
            let turn = self.speech.counter as usize % heard.len();
            heard.rotate_left(turn);
            heard.sort_by_key(|heard| !asked.contains(&heard.speaker));
            heard.truncate(MOST_HEARD);
        }
        heard
    }

    /// All claims, so that each frame tells all of a range of addresses and is of use without the others.
    fn send_snapshot(&mut self) {
        let all: Vec<Claim> = self.claims.iter().copied().collect();
        let widest = Kind::Snapshot { first: HIGHEST, last: HIGHEST };
        let mut first = LOWEST;
        let mut rest = all.as_slice();
        loop {
            let mut room = LONGEST.saturating_sub(self.frame(widest).size());
            let count = rest
                .iter()
                .take_while(|claim| {
                    let fits = claim.size() <= room;
                    room = room.saturating_sub(claim.size());
                    fits
                })
                .count();
            let (part, tail) = rest.split_at(count);
            let last = match (tail.is_empty(), part.last()) {
                (false, Some(claim)) => claim.vip,
                _ => HIGHEST,
            };
            self.send(Frame { claims: part.to_vec(), ..self.frame(Kind::Snapshot { first, last }) });
            if last == HIGHEST {
                return;
            }
            first = after(last);
            rest = tail;
        }
    }

    /// A frame that lists nothing yet.
    fn frame(&self, kind: Kind) -> Frame {
        Frame {
            cluster: self.identity.cluster,
            boot: self.identity.boot,
            counter: self.speech.counter,
            draining: self.draining,
            listening: self.listening(),
            interval: self.interval(),
            lateness: self.lateness.get(),
            digest: self.claims.digest(),
            seen: self.freshness.seen(),
            challenge: self.proofs.challenge(),
            weights: self.weights.clone(),
            kind,
            ..Frame::new(self.identity.speaker.clone())
        }
    }

    fn send(&mut self, frame: Frame) {
        self.speech.counter += 1;
        let frame = Frame { counter: self.speech.counter, ..frame };
        let now = self.now.mono;
        let around =
            now < self.speech.around_until || self.speech.around_next <= now || matches!(frame.kind, Kind::Ask { .. });
        self.out.push(Output::Send(frame.clone()));
        if around {
            self.speech.around_next = now + self.timing.idle_interval(self.beating());
            self.out.push(Output::Around(frame));
        }
    }
}

const LOWEST: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
const HIGHEST: IpAddr = IpAddr::V6(Ipv6Addr::from_bits(u128::MAX));

/// The address after this one: IPv6 follows IPv4.
fn after(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(v4) => match v4.to_bits().checked_add(1) {
            Some(bits) => Ipv4Addr::from_bits(bits).into(),
            None => Ipv6Addr::UNSPECIFIED.into(),
        },
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits().saturating_add(1)).into(),
    }
}
