//! Heartbeats and claims heard on a segment become "answer for this address" and "stop".
//!
//! One [`Election`] runs for each segment that a speaker is on. [`Input`]s go in with the time; [`Output`]s come out, to
//! be carried out in order. `docs/election.md` tells the protocol; here is who does what:
//!
//! ```text
//!  Frame ─► hear ─► proof, window (is it new) ─► peers (who lives) ─┐
//!                └► claims (registers) ─┴► contention ─► Acquire, Release
//!  Want, Unwant, Withdraw, Drain ─► leave ─┘     │
//!  Timer ─► everything that is due               └► speak ─► Send
//!  Seen ─► freshness (are our watches behind) ─► Behind
//! ```
//! The caller feeds all frames that have already arrived before it calls with [`Input::Timer`], and before it answers
//! any ARP after a pause: what others claimed meanwhile is then known first.

mod api;
mod claims;
mod contention;
mod dispute;
mod evidence;
mod freshness;
pub mod hash;
mod hear;
mod lateness;
mod leave;
mod peers;
mod proof;
mod speak;
mod timing;
mod window;
mod wish;

pub use api::{Acquired, Identity, Ignored, Input, Now, Output, PeerStatus, Released, Unheard};
pub use peers::Life;
pub use timing::Timing;
pub use wish::{Preferences, Tier, Wish};

use crate::wire::heartbeat::{Holder, SpeakerId};
use claims::{ClaimSet, Register};
use contention::Contention;
use dispute::Dispute;
use peers::{Peers, Way};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    time::Duration,
};

/// The most VIPs that are remembered without being wanted here.
const MOST_FOREIGN_VIPS: usize = 65_536;
/// The most claims that are remembered of all peers together: each VIP's owner's, and those of the dead before it.
const MOST_FOREIGN_CLAIMS: usize = 2 * MOST_FOREIGN_VIPS;
/// Between two sweeps of what nobody needs any more.
const SWEEP: Duration = Duration::from_secs(60);

/// This speaker's part in a VIP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mine {
    Owner,
    /// Still answering; stops at `until`, or at `latest` where others of its VIPs are being taken over.
    Leaving {
        until: Duration,
        latest: Duration,
    },
}

/// What is known of one VIP.
#[derive(Debug, Default)]
struct Vip {
    register: Option<Register>,
    /// How much it is wanted, where this speaker can answer for it.
    want: Option<Wish>,
    mine: Option<Mine>,
    contention: Option<Contention>,
    dispute: Option<Dispute>,
    /// Until when a release that others reported outweighs the want.
    silenced: Option<Duration>,
    /// The last release that the API server told this speaker of. A greater one in the register only others know of.
    told: u64,
    /// When it did.
    told_at: Option<Duration>,
    changed: Duration,
}

/// What a VIP is on the agenda for. An entry counts only while the VIP itself still names its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Duty {
    Contend,
    Dispute,
    HandOver,
    Unsilence,
}

/// One speaker's election on one segment.
#[derive(Debug)]
pub struct Election {
    identity: Identity,
    id: SpeakerId,
    timing: Timing,
    now: Now,
    /// Nothing is claimed before this,
    listen_until: Duration,
    /// nor before that while not all claims are known.
    listen_latest: Duration,
    peers: Peers,
    proofs: proof::Proofs,
    lateness: lateness::Lateness,
    evidence: evidence::Evidence,
    freshness: freshness::Freshness,
    /// How much this speaker is preferred.
    weights: Vec<u16>,
    vips: BTreeMap<IpAddr, Vip>,
    claims: ClaimSet,
    agenda: BTreeSet<(Duration, IpAddr, Duty)>,
    /// The others have been told that nothing is claimed yet.
    is_said_to_listen: bool,
    draining: bool,
    drained: bool,
    /// When a VIP that it was leaving was last taken over.
    handed_over: Option<Duration>,
    sweep: Duration,
    speech: speak::Speech,
    ignored: BTreeMap<Ignored, u64>,
    out: Vec<Output>,
}

impl Election {
    /// A speaker that has just started.
    pub fn new(identity: Identity, timing: Timing, now: Now) -> Self {
        let id = hash::speaker_id(&identity.speaker);
        Self {
            id,
            proofs: proof::Proofs::new(id, identity.boot),
            lateness: lateness::Lateness::default(),
            evidence: evidence::Evidence::new(now.mono),
            freshness: freshness::Freshness::default(),
            identity,
            now,
            listen_until: now.mono + timing.listen,
            listen_latest: now.mono + timing.listen_at_most,
            timing,
            peers: Peers::default(),
            weights: Vec::new(),
            vips: BTreeMap::new(),
            claims: ClaimSet::default(),
            agenda: BTreeSet::new(),
            is_said_to_listen: true,
            draining: false,
            drained: false,
            handed_over: None,
            sweep: now.mono + SWEEP,
            speech: speak::Speech::new(now.mono),
            ignored: BTreeMap::new(),
            out: Vec::new(),
        }
    }

    /// Takes what happened and says what to do, in this order.
    pub fn handle(&mut self, input: Input, now: Now) -> Vec<Output> {
        self.handle_all([input], now)
    }

    /// The same of much that happened at once: what there is to say of it goes out together.
    pub fn handle_all(&mut self, inputs: impl IntoIterator<Item = Input>, now: Now) -> Vec<Output> {
        self.now = Now { mono: self.now.mono.max(now.mono), wall: now.wall };
        for input in inputs {
            self.take(input);
        }
        if self.is_said_to_listen && !self.listening() {
            // The others wait for this word.
            self.is_said_to_listen = false;
            self.speech.hurry();
        }
        self.speak();
        if self.draining && !self.drained && self.claims.is_empty() {
            self.drained = true;
            self.out.push(Output::Drained);
        }
        std::mem::take(&mut self.out)
    }

    fn take(&mut self, input: Input) {
        match input {
            Input::Frame(frame) => {
                if let Err(ignored) = self.hear(frame, Way::Direct) {
                    self.ignore(ignored);
                }
            }
            Input::Around(frame) => {
                if let Err(ignored) = self.hear(frame, Way::Around) {
                    self.ignore(ignored);
                }
            }
            Input::Timer => self.run(),
            Input::Reached => self.reached(),
            Input::NoGateway => self.forget_gateway(),
            Input::Vouched(speaker) => self.vouched(speaker),
            Input::Seen(version) => self.freshness.see(version),
            Input::Want { vip, wish } => self.want(vip, wish),
            Input::Weigh(weights) => self.weigh(weights),
            Input::Unwant { vip } => self.unwant(vip),
            Input::Withdraw { vip } => self.withdraw(vip),
            Input::Drain => self.drain(),
        }
    }

    /// When [`Input::Timer`] is next due, on the monotonic clock.
    pub fn deadline(&self) -> Option<Duration> {
        let agenda = self.agenda.first().map(|(at, _, _)| *at);
        [
            agenda,
            self.peers.deadline(&self.timing),
            self.proofs.deadline(),
            Some(self.speech.due()),
            Some(self.sweep),
            self.evidence_due(),
            self.freshness.deadline(),
            self.listened(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// The VIPs that this speaker answers for, in order.
    pub fn owned(&self) -> impl Iterator<Item = IpAddr> + '_ {
        self.claims.vips()
    }

    /// Whether this speaker answers for `vip`.
    pub fn owns(&self, vip: IpAddr) -> bool {
        self.claims.get(vip).is_some()
    }

    /// The other speakers that are known on the segment, by their id.
    pub fn peers(&self) -> impl Iterator<Item = PeerStatus<'_>> {
        self.peers.iter().map(|(_, peer)| PeerStatus {
            name: peer.name.as_ref(),
            boot: peer.boot,
            life: peer.life,
            draining: peer.draining,
            heard: peer.heard,
            audible: self.peers.is_audible(peer, &self.timing, self.now.mono),
            claims: peer.claims.len(),
            blocked: peer.is_blocked(&self.timing, self.now.mono),
        })
    }

    /// Whether this run of that speaker is known, and its frames are its own.
    pub fn knows(&self, holder: Holder) -> bool {
        self.peers.knows(holder, &self.timing, self.now.mono)
    }

    /// Whether a frame of this run of that speaker's has just come that was new.
    pub fn has_just_heard(&self, holder: Holder) -> bool {
        self.peers.get(holder.speaker).is_some_and(|it| it.boot == holder.boot && it.heard == Some(self.now.mono))
    }

    /// Whether all is known that those claim who are known.
    pub fn knows_all(&self) -> bool {
        self.peers.living().all(|(_, peer)| peer.in_step())
    }

    /// Whether a silent speaker is being asked.
    pub fn is_asking(&self) -> bool {
        self.peers.iter().any(|(_, peer)| matches!(peer.life, Life::Suspect { .. }))
    }

    /// The newest version of an object that this speaker has seen, or asked for.
    pub fn seen(&self) -> u64 {
        self.freshness.seen()
    }

    /// How many frames it has said.
    pub fn said(&self) -> u64 {
        self.speech.said()
    }

    /// How often what was not listened to, and why.
    pub fn ignored(&self) -> &BTreeMap<Ignored, u64> {
        &self.ignored
    }

    fn ignore(&mut self, why: Ignored) {
        *self.ignored.entry(why).or_default() += 1;
    }

    /// This run of this speaker.
    fn holder(&self) -> Holder {
        Holder { speaker: self.id, boot: self.identity.boot }
    }

    /// Whether nothing may be claimed yet.
    fn listening(&self) -> bool {
        let now = self.now.mono;
        now < self.listen_until || now < self.listen_latest && self.is_learning()
    }

    /// Whether somebody is heard who is not known yet, or not all that it claims.
    fn is_learning(&self) -> bool {
        self.proofs.is_waiting() || !self.knows_all()
    }

    /// When the others are to be told that listening is over.
    fn listened(&self) -> Option<Duration> {
        let until = if self.now.mono < self.listen_until { self.listen_until } else { self.listen_latest };
        self.is_said_to_listen.then_some(until)
    }

    /// Does what is due.
    fn run(&mut self) {
        self.notice_pause();
        self.run_peers();
        self.proofs.run(self.now.mono);
        self.run_evidence();
        let now = self.now.mono;
        let behind = self.freshness.run(&self.timing, now);
        self.out.extend(behind.map(|version| Output::Behind { version }));
        if self.sweep <= now {
            self.sweep = now + SWEEP;
            self.drop_unclaimed();
            self.forget();
        }
        // Counts every VIP: once in a call, and only where somebody contends.
        let mut total = None;
        while let Some((at, vip, duty)) = self.agenda.first().copied().filter(|(at, _, _)| *at <= now) {
            self.agenda.remove(&(at, vip, duty));
            match duty {
                Duty::Contend => {
                    let total = *total.get_or_insert_with(|| self.total());
                    self.contend(vip, at, total);
                }
                Duty::Dispute => self.run_dispute(vip, at),
                Duty::HandOver => self.hand_over_ends(vip, at),
                Duty::Unsilence => self.unsilence(vip, at),
            }
        }
    }

    /// A timer much too late: others may have claimed what this speaker is about to claim. Starvation makes every timer
    /// late, so between two such rests there is time to act.
    fn notice_pause(&mut self) {
        let now = self.now.mono;
        let due = self.deadline().filter(|due| *due <= now);
        // A longer one is no lateness: the speaker stood still, and is as quick as ever now.
        if let Some(due) = due.filter(|due| now <= *due + self.timing.late_at_most) {
            self.lateness.note(due, now, self.timing.late_for);
            self.peers.be_late(self.lateness.get());
        }
        let late = due.is_some_and(|due| due + self.timing.paused < now);
        if late && self.listen_until + self.timing.idle_beat < now {
            self.listen_until = now + self.timing.listen_after_pause;
            self.listen_latest = self.listen_until;
        }
    }

    fn run_peers(&mut self) {
        for due in self.peers.run(&self.timing, self.now.mono) {
            match due {
                peers::Due::Ask(suspect) => self.ask(suspect),
                peers::Due::Fetch(peer) => self.speech.fetch(peer),
                peers::Due::Died(peer) => {
                    // What it says from now on without being heard here may be sent again later.
                    self.proofs.renew();
                    self.consider_all_of(peer);
                }
            }
        }
    }

    /// Asks a silent speaker in every way there is: by a frame, and by a plain question for an address of its.
    fn ask(&mut self, suspect: SpeakerId) {
        self.speech.ask(suspect);
        self.seek();
        let claims = self.peers.get(suspect).map(|peer| &peer.claims).filter(|claims| !claims.is_empty());
        let vip = claims.and_then(|claims| claims.vips().nth(self.speech.said() as usize % claims.len()));
        self.out.extend(vip.map(|vip| Output::Question { suspect, vip }));
    }

    /// A plain question was answered from the address of `speaker`.
    fn vouched(&mut self, speaker: SpeakerId) {
        self.peers.vouch(speaker, &self.timing, self.now.mono);
    }

    /// Forgets what nobody wants or holds, and those that have been dead for long.
    fn forget(&mut self) {
        let now = self.now.mono;
        self.proofs.sweep(now);
        if self.peers.forget(&self.timing, now) {
            self.proofs.renew();
        }
        let gone: Vec<IpAddr> = self
            .vips
            .iter()
            .filter(|(_, vip)| vip.want.is_none() && vip.mine.is_none() && vip.changed + self.timing.remember <= now)
            .filter(|(_, vip)| !vip.register.is_some_and(|register| self.held(&register)))
            .map(|(address, _)| *address)
            .collect();
        for address in gone {
            self.vips.remove(&address);
        }
    }
}

#[cfg(test)]
mod tests;
