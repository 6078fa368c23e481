//! The frames by which the speakers of a segment know each other, as bytes.
//!
//! One [`Frame`] says who speaks, how often it does, whom it hears, and what it claims; on the wire it is
//! sealed ([`seal`](super::seal)). `codec` has every byte.

mod codec;

pub(super) use codec::MAGIC;
use std::{fmt, net::IpAddr, time::Duration};

/// IEEE 802 Local Experimental Ethertype 1 (RFC 9542, section 3).
pub const ETHERTYPE: u16 = 0x88B5;
/// The destination: a group address, locally administered.
pub const DESTINATION: [u8; 6] = [0x03, 0x4c, 0x46, 0x00, 0x00, 0x01];
/// The longest frame, in bytes: sealed, and as a datagram, it fits into the 1,400 of a tunnel's LAN.
pub const LONGEST: usize = 1300;
/// The most peers that one frame lists.
pub const MOST_HEARD: usize = 48;
/// The most weights that one frame tells.
pub const MOST_WEIGHTS: usize = 64;
/// The most challenges that one frame echoes.
pub const MOST_ECHOES: usize = 20;

/// A speaker's name: its node's. 1 to 253 lower-case letters, digits, `-` and `.`, so that it can go to logs and records as
/// it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpeakerName(String);

impl SpeakerName {
    /// The name, if a node may have it (RFC 1123 as Kubernetes uses it).
    pub fn new(name: impl Into<String>) -> Result<Self, Malformed> {
        let name = name.into();
        let fits = name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.'));
        if fits && (1..=253).contains(&name.len()) { Ok(Self(name)) } else { Err(Malformed::Name) }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SpeakerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A speaker's name, hashed: see `elect::hash::speaker_id`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpeakerId(pub u64);

/// One run of one speaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Holder {
    /// Whose.
    pub speaker: SpeakerId,
    /// Which run: a claim of an earlier one is void.
    pub boot: u64,
}

/// What a claim says. At one epoch a later state is the newer one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// The speaker answers for the VIP.
    Held,
    /// It answers as well, and is of the second tier: it stops when one of the first claims.
    Yielding,
    /// It still answers, and leaves as soon as another claims.
    Leaving,
    /// It no longer answers.
    Vacant,
    /// The VIP was released from its Service: nobody is to answer.
    Released,
}

impl State {
    /// Whether the speaker answers for the VIP.
    pub fn answers(self) -> bool {
        self < Self::Vacant
    }
}

/// A word about one VIP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Claim {
    /// The VIP.
    pub vip: IpAddr,
    /// When it was claimed: milliseconds since 1970, or one more than the greatest heard.
    pub epoch: u64,
    /// The epoch of the VIP's last release that the claimant knows of; 0: it knows of none, or this is a release.
    pub after: u64,
    /// Whether the claimant could show that it is not the one cut off.
    pub firm: bool,
    /// What it says.
    pub state: State,
    /// Whose claim it is, where the frame's sender repeats another's.
    pub of: Option<Holder>,
}

/// A peer that the frame's sender hears itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heard {
    /// The peer.
    pub speaker: SpeakerId,
    /// How long ago its last frame came.
    pub age: Duration,
}

/// A challenge that the frame's sender has read in a peer's frame: the frame is not older than that challenge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Echo {
    /// The peer.
    pub speaker: SpeakerId,
    /// Its challenge.
    pub challenge: u32,
    /// The sender wants the same of the peer.
    pub wanted: bool,
}

/// What a frame is for. Every frame, of any kind, also shows that its sender lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Nothing but that, and the claims that changed.
    Beat,
    /// Asks `suspect` to speak at once, and those that hear it to say so.
    Ask {
        /// Who has been silent.
        suspect: SpeakerId,
    },
    /// Asks `peer` for all its claims, since its digest differs from what is known of it.
    Fetch {
        /// Whose claims are wanted.
        peer: SpeakerId,
    },
    /// The claims in this frame are all that the sender has from `first` to `last`.
    Snapshot {
        /// The range's first address.
        first: IpAddr,
        /// The range's last address.
        last: IpAddr,
    },
}

/// One frame. Durations are whole milliseconds up to 65,535; longer ones are written as that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Which cluster: two may share a LAN.
    pub cluster: u64,
    /// Who speaks.
    pub speaker: SpeakerName,
    /// Which run of it.
    pub boot: u64,
    /// One more with each frame of this run.
    pub counter: u64,
    /// It is about to leave.
    pub draining: bool,
    /// It has just started and does not claim yet.
    pub listening: bool,
    /// At most how long until its next frame.
    pub interval: Duration,
    /// How late its timers have been lately.
    pub lateness: Duration,
    /// The digest of all its claims (`elect::claims::ClaimSet`).
    pub digest: u64,
    /// The newest version of a Service or an EndpointSlice that its sender has seen, as Kubernetes counts them (KEP-5504); 0: none.
    pub seen: u64,
    /// What a speaker that it has not met before is to echo.
    pub challenge: u32,
    /// How much it is preferred, by preference (`elect::Preferences`): at most [`MOST_WEIGHTS`], the last is not 0.
    pub weights: Vec<u16>,
    /// What it is for.
    pub kind: Kind,
    /// Whom it hears: at most [`MOST_HEARD`].
    pub heard: Vec<Heard>,
    /// Whose challenges it has read: at most [`MOST_ECHOES`].
    pub echoes: Vec<Echo>,
    /// What it claims.
    pub claims: Vec<Claim>,
}

impl Frame {
    /// A beat of this speaker that says nothing yet.
    pub fn new(speaker: SpeakerName) -> Self {
        Self {
            cluster: 0,
            speaker,
            boot: 0,
            counter: 0,
            draining: false,
            listening: false,
            interval: Duration::ZERO,
            lateness: Duration::ZERO,
            digest: 0,
            seen: 0,
            challenge: 0,
            weights: Vec::new(),
            kind: Kind::Beat,
            heard: Vec::new(),
            echoes: Vec::new(),
            claims: Vec::new(),
        }
    }
}

/// Why bytes are no frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Malformed {
    /// Shorter than its own lengths say, or than a header.
    #[error("the frame is cut short")]
    Short,
    /// Longer than [`LONGEST`], or with bytes between its last claim and its end.
    #[error("the frame's length does not fit what is in it")]
    Length,
    /// Somebody else's frame: the ethertype is for experiments.
    #[error("not a Landfall frame")]
    Magic,
    /// A version that this one cannot read.
    #[error("a frame of an unknown version")]
    Version,
    /// A kind that this version does not know.
    #[error("a frame of an unknown kind")]
    Kind,
    /// Flags or claim bits that this version does not know.
    #[error("unknown bits are set")]
    Bits,
    /// The name is empty, longer than 253 bytes, or has others than a node's name has.
    #[error("a node's name is 1 to 253 lower-case letters, digits, '-' and '.'")]
    Name,
    /// An address of neither family, or a range that ends before it starts.
    #[error("an address is malformed")]
    Address,
    /// More peers than a frame lists.
    #[error("too many peers are listed")]
    Heard,
    /// More echoes than a frame has, or one that is malformed.
    #[error("the echoes are malformed")]
    Echoes,
    /// More weights than a frame tells, none where there should be some, or a last one of 0.
    #[error("the weights are malformed")]
    Weights,
}

#[cfg(test)]
mod tests;
