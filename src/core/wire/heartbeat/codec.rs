//! A frame as bytes, both ways.
//!
//! [`Frame::parse`] accepts what [`Frame::emit`] writes and names a reason for everything else; no input makes
//! it panic. All numbers are big-endian:
//!
//! ```text
//!  0 "LF"         2 version 3     3 kind         4 flags          5 length of name
//!  6 length u16   8 interval u16  10 lateness u16  12 heard u16   14 claims u16
//! 16 cluster u64  24 boot u64     32 counter u64   40 digest u64
//! 48 seen u64     56 challenge u32  60 echoes u8
//! 61 name · where flag 4 is set: count u8, count × weight u16 · by kind: nothing | speaker u64 | two addresses · heard × (speaker u64, age u16) ·
//!    echoes × (speaker u64, challenge u32, wanted u8) · claims
//! ```
//! An address is one byte 4 or 6, then its bytes. A claim is one byte (bit 0 IPv6, bit 1 firm, bit 2 repeated for
//! another, bit 3 after a release, bits 4–6 state), the address's bytes, epoch u64, where bit 3 is set the release's
//! epoch u64, and where bit 2 is set the holder's speaker u64 and boot u64. Times are milliseconds. `length` counts the whole frame.

use super::{
    Claim, Echo, Frame, Heard, Holder, Kind, LONGEST, MOST_ECHOES, MOST_HEARD, MOST_WEIGHTS, Malformed, SpeakerId,
    SpeakerName, State,
};
use std::{net::IpAddr, time::Duration};

pub const MAGIC: [u8; 2] = *b"LF";
const VERSION: u8 = 3;
const HEADER: usize = 61;
const HEARD: usize = 10;
const ECHO: usize = 13;
const DRAINING: u8 = 1;
const LISTENING: u8 = 2;
const WEIGHTS: u8 = 4;
const IPV6: u8 = 1;
const FIRM: u8 = 2;
const REPEATED: u8 = 4;
const AFTER: u8 = 8;
const STATE_SHIFT: u32 = 4;
const STATE: u8 = 7 << STATE_SHIFT;

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
            + ECHO * self.echoes.len()
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
        for long in [self.cluster, self.boot, self.counter, self.digest, self.seen] {
            out.extend(long.to_be_bytes());
        }
        out.extend(self.challenge.to_be_bytes());
        out.push(self.echoes.len() as u8);
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
        for Echo { speaker, challenge, wanted } in &self.echoes {
            out.extend(speaker.0.to_be_bytes());
            out.extend(challenge.to_be_bytes());
            out.push(u8::from(*wanted));
        }
        for claim in &self.claims {
            emit_claim(&mut out, claim);
        }
        out
    }

    /// The frame in these bytes, and nothing else.
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
        input.0 = payload.get(8..length).ok_or(Malformed::Short)?;
        if payload.len() > length {
            return Err(Malformed::Length);
        }
        let [interval, lateness] = [input.short()?, input.short()?].map(|ms| Duration::from_millis(u64::from(ms)));
        let [heard, claims] = [input.short()?, input.short()?].map(usize::from);
        if heard > MOST_HEARD {
            return Err(Malformed::Heard);
        }
        let [cluster, boot, counter, digest] = [input.long()?, input.long()?, input.long()?, input.long()?];
        let seen = input.long()?;
        let challenge = u32::from_be_bytes(input.array()?);
        let [echoes] = input.array()?;
        if usize::from(echoes) > MOST_ECHOES {
            return Err(Malformed::Echoes);
        }
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
            seen,
            challenge,
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
            echoes: (0..echoes).map(|_| input.echo()).collect::<Result<_, _>>()?,
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

    fn echo(&mut self) -> Result<Echo, Malformed> {
        let speaker = SpeakerId(self.long()?);
        let challenge = u32::from_be_bytes(self.array()?);
        let wanted = match self.array()? {
            [0] => false,
            [1] => true,
            _ => return Err(Malformed::Echoes),
        };
        Ok(Echo { speaker, challenge, wanted })
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
