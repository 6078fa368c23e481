//! What the speaker says and when: beats, changed claims, questions and answers, in frames that fit.

use super::{Election, Output};
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
}

impl Speech {
    pub fn new(now: Duration) -> Self {
        Self {
            counter: 0,
            next_beat: now,
            changed: BTreeMap::new(),
            hurry: false,
            asks: BTreeSet::new(),
            fetches: BTreeSet::new(),
            witness: BTreeSet::new(),
            snapshot: false,
            snapshot_after: now,
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

    /// When the next beat is due.
    pub fn due(&self) -> Duration {
        self.next_beat
    }
}

impl Election {
    /// Says what there is to say.
    pub(super) fn speak(&mut self) {
        let now = self.now.mono;
        if self.speech.hurry || self.speech.next_beat <= now {
            self.beat();
        }
        for suspect in std::mem::take(&mut self.speech.asks) {
            self.send(Kind::Ask { suspect }, Vec::new(), Vec::new());
        }
        for peer in std::mem::take(&mut self.speech.fetches) {
            self.send(Kind::Fetch { peer }, Vec::new(), Vec::new());
        }
        if std::mem::take(&mut self.speech.snapshot) && self.speech.snapshot_after <= now {
            self.speech.snapshot_after = now + self.timing.fetch_again / 2;
            self.send_snapshot();
        }
    }

    /// One beat, with whom the speaker hears and every changed claim, in as many frames as that takes.
    fn beat(&mut self) {
        let now = self.now.mono;
        let heard = self.whom_it_hears();
        let mut claims = Vec::with_capacity(self.speech.changed.len());
        let repeats = self.timing.repeats;
        self.speech.changed.retain(|_, (claim, left)| {
            claims.push(*claim);
            *left = (*left).min(repeats).saturating_sub(1);
            *left > 0
        });
        let mut claims = claims.into_iter().peekable();
        let mut heard = Some(heard);
        while heard.is_some() || claims.peek().is_some() {
            let listed = heard.take().unwrap_or_default();
            let mut room = self.room(Kind::Beat, &listed);
            let part = std::iter::from_fn(|| {
                let claim = claims.next_if(|claim| claim.size() <= room)?;
                room -= claim.size();
                Some(claim)
            });
            let part = part.collect();
            self.send(Kind::Beat, listed, part);
        }
        self.speech.hurry = false;
        let wait = if self.speech.changed.is_empty() { self.interval() } else { self.timing.repeat };
        self.speech.next_beat = now + wait.min(self.interval());
    }

    /// How long until the next beat.
    fn interval(&self) -> Duration {
        let owners = 1 + self.peers.living().filter(|(_, peer)| !peer.claims.is_empty()).count();
        let regular = if self.claims.is_empty() { self.timing.idle_beat } else { self.timing.beat };
        regular.max(self.timing.beat_per_owner * u32::try_from(owners).unwrap_or(u32::MAX))
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
            let mut room = self.room(widest, &[]);
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
            self.send(Kind::Snapshot { first, last }, Vec::new(), part.to_vec());
            if last == HIGHEST {
                return;
            }
            first = after(last);
            rest = tail;
        }
    }

    fn frame(&self, kind: Kind, heard: Vec<Heard>, claims: Vec<Claim>) -> Frame {
        Frame {
            cluster: self.identity.cluster,
            speaker: self.identity.speaker.clone(),
            boot: self.identity.boot,
            counter: self.speech.counter,
            draining: self.draining,
            listening: self.listening(),
            interval: self.interval(),
            lateness: Duration::ZERO,
            digest: self.claims.digest(),
            weights: self.weights.clone(),
            kind,
            heard,
            claims,
        }
    }

    /// How many bytes of claims fit beside the rest.
    fn room(&self, kind: Kind, heard: &[Heard]) -> usize {
        LONGEST.saturating_sub(self.frame(kind, heard.to_vec(), Vec::new()).size())
    }

    fn send(&mut self, kind: Kind, heard: Vec<Heard>, claims: Vec<Claim>) {
        self.speech.counter += 1;
        let frame = self.frame(kind, heard, claims);
        self.out.push(Output::Send(frame));
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
