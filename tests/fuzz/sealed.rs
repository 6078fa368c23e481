//! What comes off the wire around a heartbeat: sealed bytes, and the datagram that carries them the other way.
//!
//! An input is each of three things: an Ethernet payload, an Ethernet frame, and a plain heartbeat behind [`Damage`], which is
//! sealed and then damaged, so that fuzzing gets beyond a seal that it cannot guess.

use crate::heartbeat;
use landfall_core::wire::{
    datagram,
    ethernet::MacAddr,
    heartbeat::Frame,
    seal::{KEY, Keys, LONGEST, NONCE, Unsealed},
};
use std::net::Ipv4Addr;

const SENDER: MacAddr = MacAddr(2, 0, 0, 0, 0, 1);
const ADDRESS: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);
const CURRENT: [u8; KEY] = [7; KEY];
const PREVIOUS: [u8; KEY] = [8; KEY];
const STRANGERS: [u8; KEY] = [9; KEY];
/// Octets before what was sealed: two letters, version, zero, and the length of what follows.
const HEADER: usize = 6;

/// Each of the heartbeat's seeds: to be sealed, sealed with either key, and as a datagram.
pub fn seeds() -> Vec<(String, Vec<u8>)> {
    let mut seeds = Vec::new();
    for (name, plain) in heartbeat::seeds() {
        let frame = Frame::parse(&plain).expect("a seed is a frame");
        let sealed = |key| Keys::new(key, &[]).seal(&frame, SENDER, [3; NONCE]);
        let datagram = datagram::emit(&sealed(&CURRENT), SENDER, ADDRESS, datagram::PORT);
        seeds.push((format!("plain-{name}"), [&[0, 40, 1, 0, 90, 7][..], &plain].concat()));
        seeds.push((format!("current-{name}"), sealed(&CURRENT)));
        seeds.push((format!("previous-{name}"), sealed(&PREVIOUS)));
        seeds.push((format!("datagram-{name}"), datagram));
    }
    seeds
}

/// What has no seal of ours is refused, what has one opens to what was sealed, and neither depends on the way that it came.
pub fn check(octets: &[u8]) {
    open(octets);
    if let Some(carried) = datagram::parse(octets, datagram::PORT) {
        assert!(octets[datagram::HEADERS..].starts_with(carried));
        assert_eq!(datagram::parse(octets, datagram::PORT + 1), None, "it is for one port");
        open(carried);
    }
    carry(&octets[..octets.len().min(LONGEST)]);
    let Some((damage, plain)) = octets.split_first_chunk() else { return };
    let Ok(frame) = Frame::parse(plain) else { return };
    seal(&frame, Damage::of(*damage));
}

/// Nothing opens but what one of the keys seals to just these octets; padding may follow.
fn open(octets: &[u8]) {
    let Ok((mac, frame)) = Keys::new(&CURRENT, &[PREVIOUS]).open(octets) else { return };
    let nonce = *octets[HEADER..].first_chunk().expect("what opens has a nonce");
    let is_sealed_with = |key| octets.starts_with(&Keys::new(key, &[]).seal(&frame, mac, nonce));
    assert!([CURRENT, PREVIOUS].iter().any(is_sealed_with), "{frame:?} was not sealed");
    assert_eq!(Keys::new(&STRANGERS, &[]).open(octets), Err(Unsealed::Key));
}

/// A datagram carries any octets, also where Ethernet pads it.
fn carry(octets: &[u8]) {
    let mut frame = datagram::emit(octets, SENDER, ADDRESS, datagram::PORT);
    assert_eq!(frame.len(), datagram::HEADERS + octets.len());
    frame.extend([0xff; 5]);
    assert_eq!(datagram::parse(&frame, datagram::PORT), Some(octets));
    assert_eq!(datagram::parse(&frame[..datagram::HEADERS + octets.len() - 1], datagram::PORT), None, "cut short");
}

/// What happens to a sealed frame on its way.
struct Damage {
    /// Which octet is changed.
    at: usize,
    /// The bits of it that are turned over.
    bits: u8,
    /// How much of the frame arrives, less than all.
    cut: usize,
    /// What comes after its end.
    tail: Vec<u8>,
}

impl Damage {
    fn of([high, low, bits, cut_high, cut_low, tail]: [u8; 6]) -> Self {
        let [at, cut] = [[high, low], [cut_high, cut_low]].map(|octets| usize::from(u16::from_be_bytes(octets)));
        Self { at, bits: bits.max(1), cut, tail: vec![tail; 1 + usize::from(tail % 64)] }
    }
}

/// Sealed, the frame opens to itself; changed in any bit, cut, or longer than it was, it does not.
fn seal(frame: &Frame, damage: Damage) {
    let keys = Keys::new(&CURRENT, &[PREVIOUS]);
    let sealed = Keys::new(&PREVIOUS, &[]).seal(frame, SENDER, [damage.bits; NONCE]);
    assert!(sealed.len() <= LONGEST);
    assert_eq!(keys.open(&sealed).as_ref(), Ok(&(SENDER, frame.clone())));
    let padded = [&sealed[..], &damage.tail].concat();
    assert_eq!(keys.open(&padded).as_ref(), Ok(&(SENDER, frame.clone())), "the padding is not looked at");

    let mut changed = sealed.clone();
    changed[damage.at % sealed.len()] ^= damage.bits;
    assert!(keys.open(&changed).is_err(), "octet {} was changed", damage.at % sealed.len());
    assert_eq!(keys.open(&sealed[..damage.cut % sealed.len()]), Err(Unsealed::Short));
    // Cut or extended, with a length that says so.
    for mut other in [sealed[..HEADER + damage.cut % (sealed.len() - HEADER)].to_vec(), padded] {
        let length = other.len() - HEADER;
        other[4..HEADER].copy_from_slice(&(length as u16).to_be_bytes());
        assert!(matches!(keys.open(&other), Err(Unsealed::Key | Unsealed::Short)), "{length} octets");
    }
}
