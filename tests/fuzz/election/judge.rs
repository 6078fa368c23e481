//! One speaker with a judge beside it: what it says and does has to add up, whatever it was told.
//!
//! The judge keeps what the speaker wants and answers for, from inputs and outputs alone, and what a peer would take it to
//! claim that hears every frame.

mod words;

use landfall_core::{
    elect::{Election, Identity, Input, Life, Now, Output, Released, Tier, Timing, hash},
    wire::heartbeat::{Claim, Holder, SpeakerId, SpeakerName},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    time::Duration,
};

/// What one segment may have at most.
const MOST_PEERS: usize = 1024;
/// The longest claim, and the least room for claims in a frame that lists nothing else, in octets.
const CLAIM: usize = 49;
const ROOM: usize = 800;

/// A speaker and what is known of it from outside.
pub struct Speaker {
    pub election: Election,
    pub id: SpeakerId,
    identity: Identity,
    timing: Timing,
    pub wants: BTreeMap<IpAddr, Tier>,
    pub answers: BTreeSet<IpAddr>,
    /// What a peer knows of its claims,
    claims: BTreeMap<IpAddr, Claim>,
    /// and the greatest that it said of each VIP, with when it last had to do with it.
    said: BTreeMap<IpAddr, ((u64, u64), Duration)>,
    /// Every VIP that it may have heard of.
    heard_of: BTreeSet<IpAddr>,
    counter: u64,
    digest: u64,
    /// What a peer that it does not know has to echo, as its last frame says.
    pub challenge: u32,
    started: Duration,
    /// The VIPs that it is to hand over, since when,
    leaving: BTreeMap<IpAddr, Duration>,
    /// when it last did hand one over,
    handed_over: Duration,
    /// and those that it is not to claim, until when: others told it of a release that it has not heard of otherwise.
    silenced: BTreeMap<IpAddr, Duration>,
    /// The version for which its watches were begun anew last, and when.
    behind: Option<(u64, Duration)>,
    pub draining: Option<Duration>,
    drained: bool,
}

impl Speaker {
    pub fn new(name: &str, boot: u64, cluster: u64, now: Now) -> Self {
        let speaker = SpeakerName::new(name).expect("it is a node's name");
        let (id, timing) = (hash::speaker_id(&speaker), Timing::default());
        let identity = Identity { speaker, boot, cluster };
        Self {
            election: Election::new(identity.clone(), timing.clone(), now),
            id,
            identity,
            timing,
            wants: BTreeMap::new(),
            answers: BTreeSet::new(),
            claims: BTreeMap::new(),
            said: BTreeMap::new(),
            heard_of: BTreeSet::new(),
            counter: 0,
            digest: 0,
            challenge: 0,
            started: now.mono,
            leaving: BTreeMap::new(),
            handed_over: Duration::ZERO,
            silenced: BTreeMap::new(),
            behind: None,
            draining: None,
            drained: false,
        }
    }

    /// This run of it.
    pub fn holder(&self) -> Holder {
        Holder { speaker: self.id, boot: self.identity.boot }
    }

    /// Tells the speaker, and judges what it makes of it.
    pub fn handle(&mut self, input: Input, now: Now) -> Vec<Output> {
        self.note(&input, now.mono);
        let is_timer = input == Input::Timer;
        let withdrawn = if let Input::Withdraw { vip } = input { Some(vip) } else { None };
        let outputs = self.election.handle(input, now);
        let frames = outputs.iter().filter(|output| matches!(output, Output::Send(_))).count();
        let peers = self.election.peers().count();
        // One beat, a question and a fetch for each peer, and all claims, each in as many frames as it takes.
        let most = 2 + 2 * peers + (2 * self.heard_of.len() + self.answers.len()) * CLAIM / ROOM;
        assert!(frames <= most, "{frames} frames for one input, {most} at most");
        for (at, output) in outputs.iter().enumerate() {
            self.judge(output, at.checked_sub(1).map(|before| &outputs[before]), now.mono);
        }

        assert!(peers <= MOST_PEERS);
        assert!(self.election.owned().eq(self.answers.iter().copied()), "it owns what it acquired and did not release");
        assert!(self.claims.keys().eq(&self.answers), "a peer knows: {:?}, {:?}", self.claims, self.answers);
        let digest = || self.claims.values().fold(0, |all, claim| all ^ hash::digest(claim));
        assert!(frames == 0 || digest() == self.digest, "a peer that hears all has nothing to fetch");
        let is_alone = self.election.peers().all(|peer| matches!(peer.life, Life::Dead { .. }));
        assert!(is_alone || !self.election.is_isolated(), "it hears somebody, and nobody");
        self.leaving.retain(|vip, _| self.answers.contains(vip));
        assert!(withdrawn.is_none_or(|vip| !self.answers.contains(&vip)), "{withdrawn:?} is no Service's any more");
        if is_timer {
            let due = self.election.deadline().expect("a beat is always due");
            assert!(due > now.mono, "at {:?} a timer is due at {due:?}, again", now.mono);
            let Timing { hand_over, hand_over_at_most, .. } = self.timing;
            let is_over = |since: &Duration| {
                (*since).max(self.handed_over) + hand_over <= now.mono || *since + hand_over_at_most <= now.mono
            };
            assert!(!self.leaving.values().any(is_over), "it leaves since {:?}", self.leaving);
            assert!(
                !self.draining.as_ref().is_some_and(is_over) || self.drained,
                "it drains since {:?}",
                self.draining
            );
        }
        outputs
    }

    fn note(&mut self, input: &Input, now: Duration) {
        match input {
            Input::Want { vip, wish } => {
                self.wants.insert(*vip, wish.tier);
                self.heard_of.insert(*vip);
                self.leaving.remove(vip);
            }
            Input::Unwant { vip } => {
                self.wants.remove(vip);
                self.silenced.remove(vip);
                self.leaving.entry(*vip).or_insert(now);
            }
            Input::Withdraw { vip } => {
                self.wants.remove(vip);
                self.silenced.remove(vip);
            }
            Input::Drain => {
                self.draining.get_or_insert(now);
            }
            Input::Frame(frame) | Input::Around(frame) => {
                self.heard_of.extend(frame.claims.iter().map(|claim| claim.vip));
            }
            _ => {}
        }
    }

    fn judge(&mut self, output: &Output, before: Option<&Output>, now: Duration) {
        match output {
            Output::Acquire { vip, .. } => {
                assert!(self.draining.is_none() && self.wants.contains_key(vip), "nobody wants {vip} here");
                assert!(self.answers.insert(*vip), "{vip} is answered for already");
                assert!(self.started + self.timing.listen <= now, "it has just started");
                assert!(
                    self.silenced.get(vip).is_none_or(|until| *until <= now),
                    "others know that {vip} was released"
                );
            }
            Output::Release { vip, why } => {
                assert!(self.answers.remove(vip), "{vip} is not answered for");
                self.said.entry(*vip).or_default().1 = now;
                if *why == Released::HandedOver {
                    self.handed_over = now;
                }
                if *why == Released::Withdrawn && self.wants.contains_key(vip) {
                    self.silenced.insert(*vip, now + self.timing.silenced);
                }
            }
            Output::Announce { vip } => assert!(self.answers.contains(vip)),
            Output::Question { suspect, .. } => assert_ne!(*suspect, self.id),
            Output::Seek => {}
            Output::Behind { version } => {
                assert!(
                    self.behind
                        .replace((*version, now))
                        .is_none_or(|(last, at)| { last < *version && at + self.timing.behind_again <= now })
                );
            }
            Output::Send(frame) => self.judge_frame(frame, now),
            Output::Around(_) => {
                let copy =
                    matches!((output, before), (Output::Around(copy), Some(Output::Send(frame))) if copy == frame);
                assert!(copy, "what goes round is what was sent just now");
            }
            Output::Drained => {
                assert!(self.draining.is_some() && self.answers.is_empty());
                assert!(!std::mem::replace(&mut self.drained, true), "it ends once");
            }
        }
    }
}
