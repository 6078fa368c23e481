//! Heartbeats sealed: XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03) over a frame and its sender's Ethernet address.
//!
//! Whoever has the cluster's key wrote it; anybody else's frames, or ones that were damaged, are refused before anything in them
//! is looked at. That a frame is not an old one that somebody sends again the election finds out (`elect`). All numbers are
//! big-endian:
//!
//! ```text
//! 0 "LS"   2 version 1   3 zero   4 length u16 of what follows   6 nonce, 24 bytes   30 sealed: sender's MAC, frame · tag, 16 bytes
//! ```
//! The first six bytes are authenticated with it. What comes after the length is Ethernet's padding.

use super::{
    ethernet::MacAddr,
    heartbeat::{self, Frame},
};
use crate::words::words;
use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use std::fmt;

/// Bytes of a key.
pub const KEY: usize = 32;
/// Bytes of a nonce. This many random ones never come twice.
pub const NONCE: usize = 24;
/// The longest sealed frame, in bytes.
pub const LONGEST: usize = HEADER + NONCE + MAC + heartbeat::LONGEST + TAG;

const MAGIC: [u8; 2] = *b"LS";
const VERSION: u8 = 1;
const HEADER: usize = 6;
const MAC: usize = 6;
const TAG: usize = 16;

/// The keys of a cluster. A frame is sealed with the first and opened with any, so that keys can be changed one after the other:
/// a new one is added behind the old, then goes before it, then the old one goes.
#[derive(Clone)]
pub struct Keys {
    first: XChaCha20Poly1305,
    others: Vec<XChaCha20Poly1305>,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keys({})", 1 + self.others.len())
    }
}

/// Why bytes are no heartbeat of this cluster's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unsealed {
    /// Somebody else's: the ethertype is for experiments.
    Foreign,
    /// A heartbeat that is not sealed.
    Plain,
    /// A version that this one cannot read.
    Version,
    /// Shorter than it says, or than a sealed frame can be.
    Short,
    /// Sealed with another key, or damaged or forged.
    Key,
    /// What was sealed is no frame that this version can read.
    Malformed,
}

impl Unsealed {
    words! {
        "foreign" => [Self::Foreign],
        "plain" => [Self::Plain],
        "version" => [Self::Version],
        "short" => [Self::Short],
        "key" => [Self::Key],
        "malformed" => [Self::Malformed],
    }
}

impl Keys {
    /// Seals with `first`; opens what was sealed with it or with one of `others`.
    pub fn new(first: &[u8; KEY], others: &[[u8; KEY]]) -> Self {
        let cipher = |key: &[u8; KEY]| XChaCha20Poly1305::new(&(*key).into());
        Self { first: cipher(first), others: others.iter().map(cipher).collect() }
    }

    /// The Ethernet payload for a frame that the interface with address `mac` sends. No two frames may have the same `nonce`.
    pub fn seal(&self, frame: &Frame, mac: MacAddr, nonce: [u8; NONCE]) -> Vec<u8> {
        let plain = [&mac.octets()[..], &frame.emit()].concat();
        let length = NONCE + plain.len() + TAG;
        let mut out = Vec::with_capacity(HEADER + length);
        out.extend(MAGIC);
        out.extend([VERSION, 0]);
        out.extend((length as u16).to_be_bytes());
        let payload = Payload { msg: &plain, aad: &out };
        // It fails for messages of 256 GB alone.
        let sealed = self.first.encrypt(&XNonce::from(nonce), payload).unwrap_or_default();
        out.extend(nonce);
        out.extend(sealed);
        out
    }

    /// The frame in an Ethernet payload, which may be padded, and its sender's Ethernet address.
    pub fn open(&self, payload: &[u8]) -> Result<(MacAddr, Frame), Unsealed> {
        let (header, rest) = payload.split_first_chunk::<HEADER>().ok_or(Unsealed::Short)?;
        let [magic @ .., version, zero, _, _] = header;
        if magic != &MAGIC {
            return Err(if magic == &heartbeat::MAGIC { Unsealed::Plain } else { Unsealed::Foreign });
        }
        if *version != VERSION || *zero != 0 {
            return Err(Unsealed::Version);
        }
        let length = usize::from(u16::from_be_bytes([header[4], header[5]]));
        let rest = rest.get(..length).filter(|_| length <= LONGEST - HEADER).ok_or(Unsealed::Short)?;
        let (nonce, sealed) = rest.split_first_chunk::<NONCE>().ok_or(Unsealed::Short)?;
        let open =
            |key: &XChaCha20Poly1305| key.decrypt(&XNonce::from(*nonce), Payload { msg: sealed, aad: header }).ok();
        let plain = std::iter::once(&self.first).chain(&self.others).find_map(open).ok_or(Unsealed::Key)?;
        let (mac, frame) = plain.split_first_chunk::<MAC>().ok_or(Unsealed::Malformed)?;
        Ok((MacAddr::from(*mac), Frame::parse(frame).map_err(|_| Unsealed::Malformed)?))
    }
}

#[cfg(test)]
mod tests;
