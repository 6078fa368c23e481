//! Who else is on the segment, and who lives: silence makes a suspect, unanswered questions its end.

use super::{
    Ignored, Timing,
    claims::ClaimSet,
    window::{Place, Window},
};
use crate::wire::heartbeat::{Frame, Holder, Kind, SpeakerId, SpeakerName};
use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

/// The most speakers that one segment may have.
const MOST_PEERS: usize = 1024;

/// How many frames are remembered at least to tell who misses them, where others speak seldom,
const SAID: usize = 32;
/// how many at most, where they speak often: a segment carries no more in that time,
const MOST_SAID: usize = 1024;
/// and how long those: a silence that makes deaf, all lateness, and a beat.
const SAID_FOR: Duration = Duration::from_millis(800);
/// How many of other speakers' a deaf one has missed in a row.
const MISSED: usize = 5;

/// What is thought of a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// It speaks.
    Alive,
    /// It has been silent for too long and is being asked.
    Suspect {
        /// How many questions have gone out.
        asked: u8,
        /// When the next one goes out, or the last one's time is over.
        next: Duration,
    },
    /// It answered no question.
    Dead {
        /// Since when.
        since: Duration,
    },
}

/// How a frame came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// As an Ethernet frame of our own type.
    Direct,
    /// As a datagram.
    Around,
}

/// Another speaker of the segment.
#[derive(Debug)]
pub(super) struct Peer {
    /// None where only others have spoken of it.
    pub name: Option<SpeakerName>,
    pub boot: u64,
    /// The run that was heard before this one, whose late frames count for nothing.
    previous: Option<u64>,
    /// Which of this run's frames have come.
    frames: Window,
    /// When it was last heard itself.
    pub heard: Option<Duration>,
    /// When last directly,
    direct: Option<Duration>,
    /// and when last by the way round alone.
    around: Option<Duration>,
    /// The newest proof of its life, its own or others'.
    evidence: Duration,
    /// Until when a plain answer from its address vouches for it.
    vouched: Duration,
    /// Since when nothing else does.
    vouching: Option<Duration>,
    /// Since when it has been suspected, or was when it died.
    pub suspected: Option<Duration>,
    interval: Duration,
    /// How late its timers have been.
    lateness: Duration,
    pub draining: bool,
    /// It has just started.
    pub listening: bool,
    /// How much it is preferred.
    pub weights: Vec<u16>,
    /// Since when its beats show that it misses what others say,
    missing: Option<Duration>,
    /// for so long that what it sends must go out and nothing come in.
    pub deaf: bool,
    pub life: Life,
    /// What is known of its claims,
    pub claims: ClaimSet,
    /// the digest that it says they have,
    digest: u64,
    /// and when they are to be asked for because the two differ.
    pub fetch: Option<Duration>,
}

/// How a frame came among the others of its run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// After all that came before.
    Newest,
    /// A newer one came before it, the first at this time.
    Overtaken(Duration),
}

/// What a frame made of its sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum News {
    /// Nothing new.
    Known,
    /// It was thought dead.
    Returned,
    /// It is new, or this is a new run of it: what the old one claimed is void.
    New,
}

impl Peer {
    fn new(boot: u64, interval: Duration, now: Duration) -> Self {
        Self {
            name: None,
            boot,
            previous: None,
            frames: Window::new(0),
            heard: None,
            direct: None,
            around: None,
            evidence: now,
            vouched: Duration::ZERO,
            vouching: None,
            suspected: None,
            interval,
            lateness: Duration::ZERO,
            draining: false,
            listening: false,
            weights: Vec::new(),
            missing: None,
            deaf: false,
            life: Life::Alive,
            claims: ClaimSet::default(),
            digest: 0,
            fetch: None,
        }
    }

    pub fn dead(&self) -> bool {
        matches!(self.life, Life::Dead { .. })
    }

    /// Its last sign of life, and when it was thought dead.
    pub fn death(&self) -> Option<(Duration, Duration)> {
        match self.life {
            Life::Dead { since } => Some((self.evidence, since)),
            Life::Alive | Life::Suspect { .. } => None,
        }
    }

    /// Whether all its claims are known.
    pub fn in_step(&self) -> bool {
        self.claims.digest() == self.digest
    }

    /// Whether it is heard by the way round alone.
    pub fn is_blocked(&self, timing: &Timing, now: Duration) -> bool {
        let lately = |at: Option<Duration>| at.is_some_and(|at| now < at + timing.around);
        lately(self.around) && !lately(self.direct)
    }

    /// How long it may be silent, for one who is `late` himself.
    fn patience(&self, timing: &Timing, late: Duration) -> Duration {
        self.interval * timing.silence_tenths / 10 + self.slack(timing, late)
    }

    /// By how much its word, and its hearing, may be late.
    fn slack(&self, timing: &Timing, late: Duration) -> Duration {
        timing.slack(self.lateness, late)
    }

    /// Whether it was heard itself within its patience.
    fn audible(&self, timing: &Timing, late: Duration, now: Duration) -> bool {
        self.heard.is_some_and(|heard| now < heard + self.patience(timing, late))
    }

    fn deadline(&self, timing: &Timing, late: Duration) -> Option<Duration> {
        let life = match self.life {
            Life::Alive => Some((self.evidence + self.patience(timing, late)).max(self.vouched)),
            Life::Suspect { next, .. } => Some(next),
            Life::Dead { .. } => None,
        };
        [life, self.fetch].into_iter().flatten().min()
    }
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Peers {
    peers: BTreeMap<SpeakerId, Peer>,
    /// Who was heard when, in the last frames: [`SAID`], and all of the last [`SAID_FOR`] up to [`MOST_SAID`].
    said: VecDeque<(Duration, SpeakerId)>,
    /// How late this speaker's own timers have been.
    late: Duration,
}

/// What the passing of time asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    Ask(SpeakerId),
    Fetch(SpeakerId),
    Died(SpeakerId),
}

impl Peers {
    pub fn get(&self, id: SpeakerId) -> Option<&Peer> {
        self.peers.get(&id)
    }

    pub fn get_mut(&mut self, id: SpeakerId) -> Option<&mut Peer> {
        self.peers.get_mut(&id)
    }

    pub fn iter(&self) -> impl Iterator<Item = (SpeakerId, &Peer)> {
        self.peers.iter().map(|(id, peer)| (*id, peer))
    }

    /// This speaker's own timers have been this late.
    pub fn be_late(&mut self, late: Duration) {
        self.late = late;
    }

    /// Those not thought dead.
    pub fn living(&self) -> impl Iterator<Item = (SpeakerId, &Peer)> {
        self.iter().filter(|(_, peer)| !peer.dead())
    }

    /// Those that may take VIPs over.
    pub fn candidates(&self) -> impl Iterator<Item = (SpeakerId, &Peer)> {
        self.living().filter(|(_, peer)| !peer.draining && !peer.deaf)
    }

    /// Whether this run of that speaker lives, and requests reach it.
    pub fn answers(&self, holder: Holder) -> bool {
        self.get(holder.speaker).is_some_and(|peer| peer.boot == holder.boot && !peer.dead() && !peer.deaf)
    }

    /// Whether the peer was heard itself within its patience.
    pub fn is_audible(&self, peer: &Peer, timing: &Timing, now: Duration) -> bool {
        peer.audible(timing, self.late, now)
    }

    /// Those heard within their patience, with how long ago.
    pub fn heard<'a>(&'a self, timing: &'a Timing, now: Duration) -> impl Iterator<Item = (SpeakerId, Duration)> + 'a {
        self.iter()
            .filter(move |(_, peer)| peer.audible(timing, self.late, now))
            .filter_map(move |(id, peer)| Some((id, now.saturating_sub(peer.heard?))))
    }

    /// Whether this run of that speaker has been heard before, and has not been dead for long: what it said then, to others
    /// alone, may be somebody's recording.
    pub fn knows(&self, holder: Holder, timing: &Timing, now: Duration) -> bool {
        let is_gone = |peer: &Peer| peer.death().is_some_and(|(_, since)| since + timing.estranged <= now);
        self.get(holder.speaker).is_some_and(|peer| peer.boot == holder.boot && peer.heard.is_some() && !is_gone(peer))
    }

    /// Whether there is room for one more.
    pub fn has_room(&self) -> bool {
        self.peers.len() < MOST_PEERS
    }

    /// Refuses a frame of a run that is over, or that came twice or long after a newer one. Whether it was overtaken by one.
    pub fn check(&mut self, holder: Holder, counter: u64, way: Way, now: Duration) -> Result<Order, Ignored> {
        let Some(peer) = self.peers.get_mut(&holder.speaker) else { return Ok(Order::Newest) };
        if peer.previous == Some(holder.boot) {
            return Err(Ignored::EarlierBoot);
        }
        if peer.boot != holder.boot || peer.heard.is_none() {
            return Ok(Order::Newest);
        }
        let place = peer.frames.place(counter, now);
        // The copy that went the other way, or one that it overtook.
        if matches!(place, Place::Again | Place::Overtaken { .. }) && way == Way::Direct {
            peer.direct = Some(now);
        }
        match place {
            Place::Newest => Ok(Order::Newest),
            Place::Overtaken { since } => Ok(Order::Overtaken(since)),
            Place::Again | Place::Old => Err(Ignored::OldCounter),
        }
    }

    /// Takes note of a frame of `id`'s that was overtaken: it is not to come again.
    pub fn note(&mut self, id: SpeakerId, counter: u64, now: Duration) {
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.frames.note(counter, now);
        }
    }

    /// Whether frames of that run have come directly of late.
    pub fn is_direct(&self, holder: Holder, timing: &Timing, now: Duration) -> bool {
        let peer = self.get(holder.speaker).filter(|peer| peer.boot == holder.boot);
        peer.is_some_and(|peer| peer.direct.is_some_and(|at| now < at + peer.patience(timing, Duration::ZERO)))
    }

    /// Takes a frame of `id`'s as a proof of life, and what it says of its sender.
    pub fn hear(
        &mut self,
        (id, way): (SpeakerId, Way),
        frame: &Frame,
        timing: &Timing,
        now: Duration,
    ) -> Result<News, Ignored> {
        let full = self.peers.len() >= MOST_PEERS;
        let known = self.peers.get(&id);
        if known.is_none() && full {
            return Err(Ignored::TooManyPeers);
        }
        let news = match known {
            Some(peer) if peer.boot == frame.boot => {
                if peer.dead() {
                    News::Returned
                } else {
                    News::Known
                }
            }
            _ => News::New,
        };
        if news == News::New {
            let previous = known.filter(|peer| peer.heard.is_some()).map(|peer| peer.boot);
            self.peers.insert(id, Peer { previous, ..Peer::new(frame.boot, frame.interval, now) });
        }
        let misses = !frame.listening && self.misses(id, frame, timing, now);
        while self.said.len() >= SAID
            && (self.said.len() >= MOST_SAID || self.said.front().is_some_and(|(at, _)| *at + SAID_FOR < now))
        {
            self.said.pop_front();
        }
        self.said.push_back((now, id));
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.name.get_or_insert_with(|| frame.speaker.clone());
            if peer.heard.is_none() {
                peer.frames = Window::new(frame.counter);
            }
            peer.frames.note(frame.counter, now);
            peer.heard = Some(now);
            match way {
                Way::Direct => peer.direct = Some(now),
                Way::Around => peer.around = Some(now),
            }
            peer.evidence = now;
            peer.lateness = frame.lateness;
            peer.interval = frame.interval.max(Duration::from_millis(1));
            peer.draining = frame.draining;
            peer.listening = frame.listening;
            peer.weights.clone_from(&frame.weights);
            peer.digest = frame.digest;
            peer.life = Life::Alive;
            (peer.suspected, peer.vouching) = (None, None);
            if frame.kind == Kind::Beat {
                peer.missing = misses.then(|| peer.missing.unwrap_or(now));
                peer.deaf = peer.missing.is_some_and(|since| since + timing.beat <= now);
            }
        }
        Ok(news)
    }

    /// Whether `id` hears nothing of what third speakers say, by its own list of whom it hears. Where frames are late it may have
    /// heard the same ones sooner, and not yet those that came to this speaker just now.
    fn misses(&self, id: SpeakerId, frame: &Frame, timing: &Timing, now: Duration) -> bool {
        let newest = frame.heard.iter().map(|heard| heard.age).min();
        if newest.is_some_and(|age| age < timing.beat * timing.silence_tenths / 10) {
            return false;
        }
        let slack = timing.slack(frame.lateness, self.late);
        let since = newest.map_or(Duration::ZERO, |age| now.saturating_sub(age)) + slack;
        let missed = self.said.iter().filter(|(at, by)| *at > since && *at + slack <= now && *by != id).count();
        missed >= MISSED
    }

    /// Takes another's word that `id` spoke `age` ago.
    pub fn witness(&mut self, id: SpeakerId, age: Duration, timing: &Timing, now: Duration) -> bool {
        let late = self.late;
        let Some(peer) = self.peers.get_mut(&id) else { return false };
        peer.evidence = peer.evidence.max(now.saturating_sub(age));
        let alive = now < peer.evidence + peer.patience(timing, late);
        let returned = alive && peer.dead();
        if alive {
            (peer.life, peer.suspected) = (Life::Alive, None);
        }
        returned
    }

    /// A plain answer came from its address while it is being asked: it lives until then. Anybody can forge such answers, and
    /// kernels give some of their own accord, so that they count for a while only.
    pub fn vouch(&mut self, id: SpeakerId, timing: &Timing, now: Duration) {
        let Some(peer) = self.peers.get_mut(&id).filter(|peer| matches!(peer.life, Life::Suspect { .. })) else {
            return;
        };
        let since = *peer.vouching.get_or_insert(now);
        if now < since + timing.vouch_at_most {
            (peer.vouched, peer.life) = (now + timing.vouch, Life::Alive);
        }
    }

    /// Takes another's word that `holder` exists, so that it is asked for before it is thought dead. Of two runs that only others
    /// speak of, nobody knows which is over.
    pub fn meet(&mut self, holder: Holder, timing: &Timing, now: Duration) {
        let room = self.peers.len() < MOST_PEERS;
        match self.peers.get_mut(&holder.speaker) {
            None if room => {
                self.peers.insert(holder.speaker, Peer::new(holder.boot, timing.beat, now));
            }
            Some(peer) if peer.heard.is_none() && peer.boot != holder.boot => {
                *peer = Peer::new(holder.boot, timing.beat, now);
            }
            _ => {}
        }
    }

    /// What is due by `now`, in order of the speakers' ids.
    pub fn run(&mut self, timing: &Timing, now: Duration) -> Vec<Due> {
        let mut due = Vec::new();
        for (id, peer) in &mut self.peers {
            let patience = (peer.evidence + peer.patience(timing, self.late)).max(peer.vouched);
            let asked = match peer.life {
                Life::Alive if patience <= now => Some(0),
                Life::Suspect { asked, next } if next <= now => Some(asked),
                _ => None,
            };
            match asked {
                Some(asked) if asked < timing.asks => {
                    let last = asked + 1 == timing.asks;
                    // How late the suspect is counts. Not how late this speaker is: what has arrived it reads before its timers run.
                    let wait = timing.ask + if last { peer.slack(timing, Duration::ZERO) } else { Duration::ZERO };
                    if asked == 0 {
                        peer.suspected = Some(now);
                    }
                    peer.life = Life::Suspect { asked: asked + 1, next: now + wait };
                    due.push(Due::Ask(*id));
                }
                Some(_) => {
                    peer.life = Life::Dead { since: now };
                    peer.fetch = None;
                    due.push(Due::Died(*id));
                }
                None => {}
            }
            if peer.fetch.is_some_and(|at| at <= now) {
                peer.fetch = Some(now + timing.fetch_again);
                due.push(Due::Fetch(*id));
            }
        }
        due
    }

    /// When the next thing is due.
    pub fn deadline(&self, timing: &Timing) -> Option<Duration> {
        self.peers.values().filter_map(|peer| peer.deadline(timing, self.late)).min()
    }

    /// Forgets those that have been dead for long. Whether there were any.
    pub fn forget(&mut self, timing: &Timing, now: Duration) -> bool {
        let before = self.peers.len();
        self.peers.retain(|_, peer| !matches!(peer.life, Life::Dead { since } if since + timing.remember <= now));
        self.peers.len() < before
    }
}
