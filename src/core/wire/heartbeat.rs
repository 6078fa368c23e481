//! The frames by which the speakers of a segment know each other, as bytes.
//!
//! One Ethernet payload of type [`ETHERTYPE`] holds one [`Frame`]: who speaks, how often it does, whom it hears, and what
//! it claims. [`Frame::parse`] accepts what [`Frame::emit`] writes and names a reason for everything else; no input makes
//! it panic. All numbers are big-endian:
//!
//! ```text
//!  0 "LF"         2 version 1     3 kind         4 flags          5 length of name
//!  6 length u16   8 interval u16  10 lateness u16  12 heard u16   14 claims u16
//! 16 cluster u64  24 boot u64     32 counter u64   40 digest u64
//! 48 name · where flag 4 is set: count u8, count × weight u16 · by kind: nothing | speaker u64 | two addresses · heard × (speaker u64, age u16) · claims
//! ```
//! An address is one byte 4 or 6, then its bytes. A claim is one byte (bit 0 IPv6, bit 1 firm, bit 2 repeated for
//! another, bit 3 after a release, bits 4–6 state), the address's bytes, epoch u64, where bit 3 is set the release's
//! epoch u64, and where bit 2 is set the holder's speaker u64 and boot u64. Times are milliseconds. `length` counts the whole frame; what follows it is Ethernet's padding.

use std::{fmt, net::IpAddr, time::Duration};

/// IEEE 802 Local Experimental Ethertype 1 (RFC 9542, section 3).
pub const ETHERTYPE: u16 = 0x88B5;
/// The destination: a group address, locally administered.
pub const DESTINATION: [u8; 6] = [0x03, 0x4c, 0x46, 0x00, 0x00, 0x01];
/// The longest frame, in bytes. The rest of Ethernet's 1,500 is left for sealing.
pub const LONGEST: usize = 1400;
/// The most peers that one frame lists.
pub const MOST_HEARD: usize = 64;
/// The most weights that one frame tells.
pub const MOST_WEIGHTS: usize = 64;

const MAGIC: [u8; 2] = *b"LF";
const VERSION: u8 = 1;
const HEADER: usize = 48;
const HEARD: usize = 10;
const DRAINING: u8 = 1;
const LISTENING: u8 = 2;
const WEIGHTS: u8 = 4;
const IPV6: u8 = 1;
const FIRM: u8 = 2;
const REPEATED: u8 = 4;
const AFTER: u8 = 8;
const STATE_SHIFT: u32 = 4;
const STATE: u8 = 7 << STATE_SHIFT;

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
    /// Whether the claimant could show that it is not cut off. Always true in this version.
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
    /// How late its timers are. Always zero in this version.
    pub lateness: Duration,
    /// The digest of all its claims (`elect::claims::ClaimSet`).
    pub digest: u64,
    /// How much it is preferred, by preference (`elect::Preferences`): at most [`MOST_WEIGHTS`], the last is not 0.
    pub weights: Vec<u16>,
    /// What it is for.
    pub kind: Kind,
    /// Whom it hears: at most [`MOST_HEARD`].
    pub heard: Vec<Heard>,
    /// What it claims.
    pub claims: Vec<Claim>,
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
    /// More weights than a frame tells, none where there should be some, or a last one of 0.
    #[error("the weights are malformed")]
    Weights,
}

impl Claim {
    /// How many bytes it takes.
    pub fn size(&self) -> usize {
        let address = if self.vip.is_ipv4() { 4 } else { 16 };
        let after = if self.after == 0 { 0 } else { 8 };
        1 + address + 8 + after + if self.of.is_some() { 16 } else { 0 }
    }
}

impl Frame {
    /// How many bytes it takes. Whoever builds one keeps this at most [`LONGEST`].
    pub fn size(&self) -> usize {
        let kind = match self.kind {
            Kind::Beat => 0,
            Kind::Ask { .. } | Kind::Fetch { .. } => 8,
            Kind::Snapshot { first, last } => address_size(first) + address_size(last),
        };
        HEADER
            + self.speaker.0.len()
            + if self.weights.is_empty() { 0 } else { 1 + 2 * self.weights.len() }
            + kind
            + HEARD * self.heard.len()
            + self.claims.iter().map(Claim::size).sum::<usize>()
    }

    /// The bytes of the Ethernet payload.
    pub fn emit(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.size());
        out.extend(MAGIC);
        let kind = match self.kind {
            Kind::Beat => 0,
            Kind::Ask { .. } => 1,
            Kind::Fetch { .. } => 2,
            Kind::Snapshot { .. } => 3,
        };
        let flags = if self.draining { DRAINING } else { 0 }
            | if self.listening { LISTENING } else { 0 }
            | if self.weights.is_empty() { 0 } else { WEIGHTS };
        out.extend([VERSION, kind, flags, self.speaker.0.len() as u8]);
        for short in [
            self.size() as u16,
            millis(self.interval),
            millis(self.lateness),
            self.heard.len() as u16,
            self.claims.len() as u16,
        ] {
            out.extend(short.to_be_bytes());
        }
        for long in [self.cluster, self.boot, self.counter, self.digest] {
            out.extend(long.to_be_bytes());
        }
        out.extend(self.speaker.0.as_bytes());
        if !self.weights.is_empty() {
            out.push(self.weights.len() as u8);
            self.weights.iter().for_each(|weight| out.extend(weight.to_be_bytes()));
        }
        match self.kind {
            Kind::Beat => {}
            Kind::Ask { suspect: SpeakerId(id) } | Kind::Fetch { peer: SpeakerId(id) } => out.extend(id.to_be_bytes()),
            Kind::Snapshot { first, last } => {
                for address in [first, last] {
                    out.push(if address.is_ipv4() { 4 } else { 6 });
                    emit_address(&mut out, address);
                }
            }
        }
        for heard in &self.heard {
            out.extend(heard.speaker.0.to_be_bytes());
            out.extend(millis(heard.age).to_be_bytes());
        }
        for claim in &self.claims {
            emit_claim(&mut out, claim);
        }
        out
    }

    /// The whole Ethernet frame from the interface with address `source`, padded to Ethernet's 60 bytes.
    pub fn emit_ethernet(&self, source: [u8; 6]) -> Vec<u8> {
        let mut out = Vec::with_capacity(14 + self.size());
        out.extend(DESTINATION);
        out.extend(source);
        out.extend(ETHERTYPE.to_be_bytes());
        out.extend(self.emit());
        out.resize(out.len().max(60), 0);
        out
    }

    /// The frame in an Ethernet payload, which may be padded.
    pub fn parse(payload: &[u8]) -> Result<Self, Malformed> {
        let mut input = Reader(payload);
        if input.array::<2>()? != MAGIC {
            return Err(Malformed::Magic);
        }
        let [version, kind, flags, name] = input.array()?;
        if version != VERSION {
            return Err(Malformed::Version);
        }
        if flags & !(DRAINING | LISTENING | WEIGHTS) != 0 {
            return Err(Malformed::Bits);
        }
        let length = usize::from(input.short()?);
        if !(HEADER..=LONGEST).contains(&length) {
            return Err(Malformed::Length);
        }
        // From here on nothing is read beyond the frame's own end.
        input.0 = payload.get(8..length).ok_or(Malformed::Short)?;
        let [interval, lateness] = [input.short()?, input.short()?].map(|ms| Duration::from_millis(u64::from(ms)));
        let [heard, claims] = [input.short()?, input.short()?].map(usize::from);
        if heard > MOST_HEARD {
            return Err(Malformed::Heard);
        }
        let [cluster, boot, counter, digest] = [input.long()?, input.long()?, input.long()?, input.long()?];
        let name = std::str::from_utf8(input.bytes(usize::from(name))?).map_err(|_| Malformed::Name)?;
        let frame = Self {
            cluster,
            speaker: SpeakerName::new(name)?,
            boot,
            counter,
            draining: flags & DRAINING != 0,
            listening: flags & LISTENING != 0,
            interval,
            lateness,
            digest,
            weights: if flags & WEIGHTS == 0 { Vec::new() } else { input.weights()? },
            kind: match kind {
                0 => Kind::Beat,
                1 => Kind::Ask { suspect: SpeakerId(input.long()?) },
                2 => Kind::Fetch { peer: SpeakerId(input.long()?) },
                3 => {
                    let [first, last] = [input.tagged_address()?, input.tagged_address()?];
                    if first > last {
                        return Err(Malformed::Address);
                    }
                    Kind::Snapshot { first, last }
                }
                _ => return Err(Malformed::Kind),
            },
            heard: (0..heard).map(|_| input.heard()).collect::<Result<_, _>>()?,
            claims: (0..claims).map(|_| input.claim()).collect::<Result<_, _>>()?,
        };
        if input.0.is_empty() { Ok(frame) } else { Err(Malformed::Length) }
    }
}

fn millis(duration: Duration) -> u16 {
    u16::try_from(duration.as_millis()).unwrap_or(u16::MAX)
}

fn address_size(address: IpAddr) -> usize {
    if address.is_ipv4() { 5 } else { 17 }
}

fn emit_address(out: &mut Vec<u8>, address: IpAddr) {
    match address {
        IpAddr::V4(v4) => out.extend(v4.octets()),
        IpAddr::V6(v6) => out.extend(v6.octets()),
    }
}

fn emit_claim(out: &mut Vec<u8>, claim: &Claim) {
    let state = match claim.state {
        State::Held => 0,
        State::Leaving => 1,
        State::Vacant => 2,
        State::Released => 3,
        State::Yielding => 4,
    };
    out.push(
        state << STATE_SHIFT
            | if claim.vip.is_ipv6() { IPV6 } else { 0 }
            | if claim.firm { FIRM } else { 0 }
            | if claim.of.is_some() { REPEATED } else { 0 }
            | if claim.after == 0 { 0 } else { AFTER },
    );
    emit_address(out, claim.vip);
    out.extend(claim.epoch.to_be_bytes());
    if claim.after != 0 {
        out.extend(claim.after.to_be_bytes());
    }
    if let Some(holder) = claim.of {
        out.extend(holder.speaker.0.to_be_bytes());
        out.extend(holder.boot.to_be_bytes());
    }
}

/// What is left to read.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn bytes(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let (head, tail) = self.0.split_at_checked(count).ok_or(Malformed::Short)?;
        self.0 = tail;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        self.bytes(N)?.try_into().map_err(|_| Malformed::Short)
    }

    fn short(&mut self) -> Result<u16, Malformed> {
        self.array().map(u16::from_be_bytes)
    }

    fn long(&mut self) -> Result<u64, Malformed> {
        self.array().map(u64::from_be_bytes)
    }

    fn address(&mut self, ipv6: bool) -> Result<IpAddr, Malformed> {
        if ipv6 { self.array::<16>().map(IpAddr::from) } else { self.array::<4>().map(IpAddr::from) }
    }

    fn tagged_address(&mut self) -> Result<IpAddr, Malformed> {
        match self.array()? {
            [4] => self.address(false),
            [6] => self.address(true),
            _ => Err(Malformed::Address),
        }
    }

    fn weights(&mut self) -> Result<Vec<u16>, Malformed> {
        let [count] = self.array()?;
        if usize::from(count) > MOST_WEIGHTS {
            return Err(Malformed::Weights);
        }
        let weights: Vec<u16> = (0..count).map(|_| self.short()).collect::<Result<_, _>>()?;
        if matches!(weights[..], [] | [.., 0]) { Err(Malformed::Weights) } else { Ok(weights) }
    }

    fn heard(&mut self) -> Result<Heard, Malformed> {
        let speaker = SpeakerId(self.long()?);
        Ok(Heard { speaker, age: Duration::from_millis(u64::from(self.short()?)) })
    }

    fn claim(&mut self) -> Result<Claim, Malformed> {
        let [bits] = self.array()?;
        let state = match (bits & STATE) >> STATE_SHIFT {
            _ if bits & !(IPV6 | FIRM | REPEATED | AFTER | STATE) != 0 => return Err(Malformed::Bits),
            0 => State::Held,
            1 => State::Leaving,
            2 => State::Vacant,
            3 => State::Released,
            4 => State::Yielding,
            _ => return Err(Malformed::Bits),
        };
        let vip = self.address(bits & IPV6 != 0)?;
        let epoch = self.long()?;
        let after = if bits & AFTER != 0 { self.long()? } else { 0 };
        let of = if bits & REPEATED != 0 {
            Some(Holder { speaker: SpeakerId(self.long()?), boot: self.long()? })
        } else {
            None
        };
        Ok(Claim { vip, epoch, after, firm: bits & FIRM != 0, state, of })
    }
}

#[cfg(test)]
mod tests;
