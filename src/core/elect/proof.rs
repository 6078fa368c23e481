//! Whether a speaker's frames are its own and new, or old ones that somebody sends again.
//!
//! Within one run of a speaker frames are counted. A run that is not known yet has to echo this speaker's challenge first, which
//! every frame of this speaker shows: then it has read one, so it lives. The challenge changes whenever a run is forgotten; what
//! that run's frames echoed is worth nothing from then on.
//!
//! ```text
//!  new speaker                others
//!   any frame ───────────────►         not known: not listened to, but
//!             ◄─────────────── echo, wanted
//!   echo ────────────────────►         known from here on
//! ```
//! Whoever does not hear us will never echo: it is asked ever more seldom.

use super::{Timing, hash};
use crate::wire::heartbeat::{Echo, Frame, MOST_ECHOES, SpeakerId};
use std::{cmp::Reverse, collections::BTreeMap, time::Duration};

/// The most speakers that are owed an echo; of the others nothing is answered until there is room.
const MOST_OWED: usize = 1024;

/// What is owed to a speaker.
#[derive(Debug, Clone, Copy)]
struct Owed {
    challenge: u32,
    wanted: bool,
    /// The last frame of its that asked for it.
    counter: u64,
    /// In how many frames; none: it has been said, and is not forgotten yet.
    left: u8,
    /// How often it was said so often, and when it may be again.
    times: u32,
    again: Duration,
}

/// This speaker's challenge, and those of others that it is to echo.
#[derive(Debug)]
pub(super) struct Proofs {
    id: SpeakerId,
    boot: u64,
    generation: u64,
    /// When the challenge changes.
    renew: Option<Duration>,
    owed: BTreeMap<SpeakerId, Owed>,
}

impl Proofs {
    pub fn new(id: SpeakerId, boot: u64) -> Self {
        Self { id, boot, generation: 0, renew: None, owed: BTreeMap::new() }
    }

    /// What a speaker that is not known yet has to echo. Nobody can tell it from outside, nor the next one: the boot id is
    /// random and seen in sealed frames alone.
    pub fn challenge(&self) -> u32 {
        hash::spread(SpeakerId(self.boot), self.generation) as u32
    }

    /// A run was replaced, and the challenge is to change by then: not at once, since others may be under way to echo it, and
    /// the last run that is over is remembered. That is one: another replacement changes it now.
    pub fn retire(&mut self, by: Duration) {
        if self.renew.is_some() {
            self.renew();
        }
        self.renew = Some(by);
    }

    /// When it changes.
    pub fn deadline(&self) -> Option<Duration> {
        self.renew
    }

    /// Time has passed.
    pub fn run(&mut self, now: Duration) {
        if self.renew.is_some_and(|at| at <= now) {
            self.renew();
        }
    }

    /// A run was forgotten.
    pub fn renew(&mut self) {
        self.generation += 1;
        self.renew = None;
    }

    /// Forgets who was owed something long ago.
    pub fn sweep(&mut self, now: Duration) {
        self.owed.retain(|_, owed| owed.left > 0 || now < owed.again);
    }

    /// Whether `frame` was written by somebody who has read the challenge.
    pub fn proves(&self, frame: &Frame) -> bool {
        self.for_me(frame).is_some_and(|echo| echo.challenge == self.challenge())
    }

    /// What the frame says to this speaker.
    pub fn for_me<'a>(&self, frame: &'a Frame) -> Option<&'a Echo> {
        frame.echoes.iter().find(|echo| echo.speaker == self.id)
    }

    /// `id` is to hear that the challenge in `frame` has been read. Whether that is news, and there is room.
    pub fn owe(&mut self, id: SpeakerId, frame: &Frame, wanted: bool, timing: &Timing, now: Duration) -> bool {
        let known = self.owed.get(&id).filter(|owed| owed.wanted == wanted && owed.challenge == frame.challenge);
        let is_new = known.is_none_or(|owed| owed.counter != frame.counter && owed.left == 0 && owed.again <= now);
        let has_room = self.owed.len() < MOST_OWED || self.owed.contains_key(&id);
        if !is_new || !has_room {
            return false;
        }
        let times = known.map_or(0, |owed| owed.times + 1);
        let again = now + (timing.repeat * 2u32.saturating_pow(times.min(16))).min(timing.doubt_at_most);
        let (challenge, counter) = (frame.challenge, frame.counter);
        self.owed.insert(id, Owed { challenge, wanted, counter, left: timing.repeats, times, again });
        true
    }

    /// `id` has shown what was wanted of it.
    pub fn accept(&mut self, id: SpeakerId) {
        if self.owed.get(&id).is_some_and(|owed| owed.wanted) {
            self.owed.remove(&id);
        }
    }

    /// Whether all that is owed has been said.
    pub fn is_clear(&self) -> bool {
        self.owed.values().all(|owed| owed.left == 0)
    }

    /// Whether `id` is owed an echo that it has not been sent yet.
    pub fn is_unsaid(&self, id: SpeakerId, timing: &Timing) -> bool {
        self.owed.get(&id).is_some_and(|owed| owed.left == timing.repeats)
    }

    /// Whether somebody was asked just now for what would make it known.
    pub fn is_waiting(&self) -> bool {
        self.owed.values().any(|owed| owed.wanted && owed.times == 0)
    }

    /// What the next frame is to echo: those first that have waited longest, in an order that is another one for each speaker.
    pub fn take(&mut self) -> Vec<Echo> {
        let waiting = self.owed.iter().filter(|(_, owed)| owed.left > 0);
        let mut order: Vec<_> =
            waiting.map(|(id, owed)| (Reverse(owed.left), hash::spread(self.id, id.0), *id)).collect();
        order.sort_unstable();
        order.truncate(MOST_ECHOES);
        let mut echoes = Vec::with_capacity(order.len());
        for (.., id) in order {
            let Some(owed) = self.owed.get_mut(&id) else { continue };
            echoes.push(Echo { speaker: id, challenge: owed.challenge, wanted: owed.wanted });
            owed.left -= 1;
        }
        echoes
    }
}
