//! The one hash that speakers agree on: SipHash-2-4 (Aumasson and Bernstein, 2012) with fixed keys.
//!
//! Every speaker of a cluster, of whatever release, must rank a VIP's candidates alike, so the function is written out
//! here: the standard library's may change between releases.

use crate::wire::heartbeat::{Claim, SpeakerId, SpeakerName, State};
use std::net::IpAddr;

/// What a hash is about; part of the key, so that one use never repeats another's values.
#[derive(Clone, Copy)]
enum Use {
    Speaker = 1,
    Rendezvous = 2,
    Digest = 3,
    Spread = 4,
    Cluster = 5,
}

const KEY: u64 = u64::from_le_bytes(*b"landfall");

/// The short form of a speaker's name.
pub fn speaker_id(name: &SpeakerName) -> SpeakerId {
    SpeakerId(siphash(Use::Speaker as u64, KEY, name.as_str().as_bytes()))
}

/// The short form of a cluster's name.
pub fn cluster_id(name: &str) -> u64 {
    siphash(Use::Cluster as u64, KEY, name.as_bytes())
}

/// How well `speaker` suits `vip`: rendezvous hashing, the greatest is first. A pure function of nothing else.
pub fn rendezvous(vip: IpAddr, speaker: SpeakerId) -> u64 {
    let mut bytes = address(vip);
    bytes.extend(speaker.0.to_le_bytes());
    siphash(Use::Rendezvous as u64, KEY, &bytes)
}

/// A claim's part of the digest: the whole is the exclusive or of the parts.
pub fn digest(claim: &Claim) -> u64 {
    let mut bytes = address(claim.vip);
    bytes.extend(claim.epoch.to_le_bytes());
    bytes.extend(claim.after.to_le_bytes());
    bytes.push(u8::from(claim.firm));
    bytes.push(match claim.state {
        State::Leaving => 1,
        State::Yielding => 2,
        State::Held | State::Vacant | State::Released => 0,
    });
    siphash(Use::Digest as u64, KEY, &bytes)
}

/// A number that differs from speaker to speaker and from `occasion` to `occasion`: spreads what all would do at once.
pub fn spread(speaker: SpeakerId, occasion: u64) -> u64 {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&speaker.0.to_le_bytes());
    bytes[8..].copy_from_slice(&occasion.to_le_bytes());
    siphash(Use::Spread as u64, KEY, &bytes)
}

fn address(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    }
}

fn siphash(k0: u64, k1: u64, bytes: &[u8]) -> u64 {
    let mut v = [
        k0 ^ 0x736f_6d65_7073_6575,
        k1 ^ 0x646f_7261_6e64_6f6d,
        k0 ^ 0x6c79_6765_6e65_7261,
        k1 ^ 0x7465_6462_7974_6573,
    ];
    let mut absorb = |word: u64| {
        v[3] ^= word;
        round(&mut v);
        round(&mut v);
        v[0] ^= word;
    };
    let mut words = bytes.chunks_exact(8);
    for word in &mut words {
        absorb(little_endian(word));
    }
    absorb(little_endian(words.remainder()) | (bytes.len() as u64) << 56);
    v[2] ^= 0xff;
    for _ in 0..4 {
        round(&mut v);
    }
    v[0] ^ v[1] ^ v[2] ^ v[3]
}

fn little_endian(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte))
}

fn round(v: &mut [u64; 4]) {
    v[0] = v[0].wrapping_add(v[1]);
    v[1] = v[1].rotate_left(13) ^ v[0];
    v[0] = v[0].rotate_left(32);
    v[2] = v[2].wrapping_add(v[3]);
    v[3] = v[3].rotate_left(16) ^ v[2];
    v[0] = v[0].wrapping_add(v[3]);
    v[3] = v[3].rotate_left(21) ^ v[0];
    v[2] = v[2].wrapping_add(v[1]);
    v[1] = v[1].rotate_left(17) ^ v[2];
    v[2] = v[2].rotate_left(32);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The reference implementation's vectors: key 00..0f, input 00..(n-1).
    #[test]
    fn matches_the_reference() {
        let key: Vec<u64> = [0u8, 8].map(|at| little_endian(&(at..at + 8).collect::<Vec<_>>())).to_vec();
        let input: Vec<u8> = (0..15).collect();
        for (length, expected) in [
            (0, 0x726f_db47_dd0e_0e31),
            (1, 0x74f8_39c5_93dc_67fd),
            (8, 0x93f5_f579_9a93_2462),
            (15, 0xa129_ca61_49be_45e5),
        ] {
            assert_eq!(siphash(key[0], key[1], &input[..length]), expected, "{length} bytes");
        }
    }
}
