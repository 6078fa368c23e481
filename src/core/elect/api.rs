//! What goes into an [`Election`](super::Election) and what comes out of it.

use super::{Life, Wish};
use crate::{
    wire::heartbeat::{Frame, SpeakerId, SpeakerName},
    words::words,
};
use std::{net::IpAddr, time::Duration};

/// What the clocks say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Since the machine's start; never goes back.
    pub mono: Duration,
    /// Since 1970; may jump.
    pub wall: Duration,
}

/// Who this speaker is.
#[derive(Debug, Clone)]
pub struct Identity {
    /// Its node's name.
    pub speaker: SpeakerName,
    /// Differs with every start of the process.
    pub boot: u64,
    /// Which cluster it belongs to.
    pub cluster: u64,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// A frame came in on the segment.
    Frame(Frame),
    /// One came by the way round.
    Around(Frame),
    /// The gateway has answered [`Output::Seek`], or was heard otherwise.
    Reached,
    /// The gateway is another one from now on, or there is none: what was heard of it counts no more.
    NoGateway,
    /// A plain ARP or neighbour discovery answer for a VIP came from this speaker's address.
    Vouched(SpeakerId),
    /// [`Election::deadline`](super::Election::deadline) has passed. Early, late and needless calls do no harm.
    Timer,
    /// This speaker has seen this version of an object that all speakers watch, and what follows from it was told before.
    Seen(u64),
    /// This speaker can answer for the VIP here. Again for a VIP that it already can: only the wish changes.
    Want {
        /// The VIP.
        vip: IpAddr,
        /// How much.
        wish: Wish,
    },
    /// How much this speaker is preferred here, by preference; all 0 before the first word. At most
    /// [`MOST_WEIGHTS`](crate::wire::heartbeat::MOST_WEIGHTS) count.
    Weigh(Vec<u16>),
    /// This speaker can no longer answer for the VIP here; the VIP is still a Service's. It is handed over.
    Unwant {
        /// The VIP.
        vip: IpAddr,
    },
    /// The VIP was released from its Service, also where this speaker could not answer for it. Where another Service
    /// has it at once, or this one again, this comes first and [`Input::Want`] after it.
    Withdraw {
        /// The VIP.
        vip: IpAddr,
    },
    /// This speaker leaves: it hands everything over and claims nothing any more. [`Output::Drained`] answers.
    Drain,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Send this frame on the segment.
    Send(Frame),
    /// The frame that was to be sent just now is to go the way round as well, as a datagram.
    Around(Frame),
    /// Announce the VIP once: another one has answered for it, too, and stopped.
    Announce {
        /// The VIP.
        vip: IpAddr,
    },
    /// Ask the gateway by ARP, where there is one: its answer is [`Input::Reached`].
    Seek,
    /// Ask `suspect` for the VIP as any client would: its answer is [`Input::Vouched`].
    Question {
        /// Whom.
        suspect: SpeakerId,
        /// For which VIP.
        vip: IpAddr,
    },
    /// Others have seen a version for a while that this speaker has not: its watches are to be begun anew.
    Behind {
        /// Which.
        version: u64,
    },
    /// Answer for the VIP from now on, and announce it.
    Acquire {
        /// The VIP.
        vip: IpAddr,
        /// The claim's epoch.
        epoch: u64,
        /// Why.
        why: Acquired,
        /// The speaker that answered before, where there was one and its name is known.
        from: Option<SpeakerName>,
        /// Where it is dead: for how long it had not been heard.
        unheard: Option<Unheard>,
    },
    /// Stop answering for the VIP.
    Release {
        /// The VIP.
        vip: IpAddr,
        /// Why.
        why: Released,
    },
    /// Nothing is left to hand over: the speaker may exit.
    Drained,
}

/// From the last sign of life of a dead owner, its own or others' word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unheard {
    /// Until it was thought dead.
    pub found_dead: Duration,
    /// Until another claimed what it had.
    pub claimed: Duration,
}

/// Why a VIP is answered for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Acquired {
    /// Nobody is known to have held it since its Service got it.
    New,
    /// Its owner gave it up, or yields to this speaker's better tier.
    HandedOver,
    /// Its owner is dead.
    Dead,
    /// Its owner started anew and has forgotten it.
    Restarted,
}

/// Why a VIP is no longer answered for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Released {
    /// It was given up or this speaker yields, and another has claimed it.
    HandedOver,
    /// It was given up, and nobody claimed it in time.
    NoSuccessor,
    /// Another's claim is greater.
    Outbid,
    /// It was released from its Service.
    Withdrawn,
}

/// Why a frame, or a claim in it, is not listened to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ignored {
    /// It is another cluster's, on the same LAN.
    OtherCluster,
    /// It is this speaker's own.
    Echo,
    /// Another run of a speaker with this one's name sent it.
    Namesake,
    /// It is late, from before its sender's last start.
    EarlierBoot,
    /// It came twice, or long after a newer one.
    OldCounter,
    /// Its sender is not known yet, and has not shown that the frame is new.
    Unproven,
    /// More speakers than a segment may have.
    TooManyPeers,
    /// More VIPs than are remembered.
    TooManyVips,
}

impl Ignored {
    words! {
        "other_cluster" => [Self::OtherCluster],
        "echo" => [Self::Echo],
        "namesake" => [Self::Namesake],
        "earlier_boot" => [Self::EarlierBoot],
        "old_counter" => [Self::OldCounter],
        "unproven" => [Self::Unproven],
        "too_many_peers" => [Self::TooManyPeers],
        "too_many_vips" => [Self::TooManyVips],
    }
}

/// A peer, for the record and the status page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerStatus<'a> {
    /// Its name; none where only others have spoken of it.
    pub name: Option<&'a SpeakerName>,
    /// Its run.
    pub boot: u64,
    /// Whether it lives.
    pub life: Life,
    /// Whether it leaves.
    pub draining: bool,
    /// When it was last heard itself.
    pub heard: Option<Duration>,
    /// Whether that is no longer ago than it may be silent. A living one that is not lives by others' word.
    pub audible: bool,
    /// How many VIPs it claims.
    pub claims: usize,
    /// It is heard by the way round alone: something between drops its frames.
    pub blocked: bool,
}
