//! Who opens what: a known answer, keys that change, and every refusal by its reason.

use super::*;
use crate::wire::heartbeat::SpeakerName;
use proptest::{collection::vec, prelude::*};
use std::time::Duration;

const SENDER: MacAddr = MacAddr(2, 0, 0, 0, 0, 1);
const OURS: [u8; KEY] = [7; KEY];
const NEXT: [u8; KEY] = [8; KEY];
const OTHERS: [u8; KEY] = [9; KEY];

fn frame() -> Frame {
    Frame {
        cluster: 1,
        boot: 2,
        counter: 3,
        digest: 4,
        seen: 5,
        challenge: 6,
        interval: Duration::from_millis(100),
        ..Frame::new(SpeakerName::new("n1").unwrap())
    }
}

fn sealed() -> Vec<u8> {
    Keys::new(&OURS, &[]).seal(&frame(), SENDER, [1; NONCE])
}

/// The vector of draft-irtf-cfrg-xchacha-03, appendix A.3.1: the library is what it says.
#[test]
fn the_cipher_is_the_drafts() {
    let key: [u8; KEY] = std::array::from_fn(|at| 0x80 + at as u8);
    let nonce: [u8; NONCE] = std::array::from_fn(|at| 0x40 + at as u8);
    let plain = b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.";
    let aad = [0x50, 0x51, 0x52, 0x53, 0xc0, 0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7];
    let sealed = XChaCha20Poly1305::new(&key.into())
        .encrypt(&XNonce::from(nonce), Payload { msg: &plain[..], aad: &aad })
        .unwrap();
    assert_eq!(sealed[..8], [0xbd, 0x6d, 0x17, 0x9d, 0x3e, 0x83, 0xd4, 0x3b]);
    let tag = [0xc0, 0x87, 0x59, 0x24, 0xc1, 0xc7, 0x98, 0x79, 0x47, 0xde, 0xaf, 0xd8, 0x78, 0x0a, 0xcf, 0x49];
    assert_eq!(sealed[plain.len()..], tag);
}

#[test]
fn what_is_sealed_opens_with_its_senders_address_and_nothing_of_it_shows() {
    let sealed = sealed();
    assert_eq!(sealed[..6], [b'L', b'S', 1, 0, 0, (sealed.len() - 6) as u8]);
    assert_eq!(sealed[6..30], [1; NONCE]);
    assert_eq!(Keys::new(&OURS, &[]).open(&sealed), Ok((SENDER, frame())));
    let padded = [&sealed[..], &[0; 20]].concat();
    assert_eq!(Keys::new(&OURS, &[]).open(&padded), Ok((SENDER, frame())), "Ethernet's padding");
    let plain = frame().emit();
    assert!(plain.windows(8).all(|part| !sealed.windows(8).any(|other| other == part)));
}

/// Each step of a change of keys: who has taken it and who has not yet hear each other.
#[test]
fn keys_change_without_a_frame_lost() {
    let steps = [Keys::new(&OURS, &[]), Keys::new(&OURS, &[NEXT]), Keys::new(&NEXT, &[OURS]), Keys::new(&NEXT, &[])];
    for pair in steps.windows(2) {
        for (from, to) in [(&pair[0], &pair[1]), (&pair[1], &pair[0])] {
            assert_eq!(to.open(&from.seal(&frame(), SENDER, [2; NONCE])), Ok((SENDER, frame())));
        }
    }
    assert_eq!(steps[3].open(&steps[0].seal(&frame(), SENDER, [3; NONCE])), Err(Unsealed::Key), "the old key is gone");
}

#[test]
fn every_refusal_has_its_reason() {
    let with = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = sealed();
        change(&mut bytes);
        bytes
    };
    let not_a_frame = {
        let aad = [b'L', b'S', 1, 0, 0, 24 + 2 + 16];
        let nonce = XNonce::from([4; NONCE]);
        let sealed = XChaCha20Poly1305::new(&OURS.into()).encrypt(&nonce, Payload { msg: b"ab", aad: &aad }).unwrap();
        [&aad[..], &nonce, &sealed].concat()
    };
    for (what, bytes, reason) in [
        ("nothing", Vec::new(), Unsealed::Short),
        ("a header alone", sealed()[..6].to_vec(), Unsealed::Short),
        ("cut short", with(&|bytes| bytes.truncate(bytes.len() - 1)), Unsealed::Short),
        ("a length that no frame has", with(&|bytes| bytes[4..6].fill(0xff)), Unsealed::Short),
        ("a plain frame", [&frame().emit()[..], &[0; 20]].concat(), Unsealed::Plain),
        ("another's experiment", with(&|bytes| bytes[0] = b'X'), Unsealed::Foreign),
        ("version 2", with(&|bytes| bytes[2] = 2), Unsealed::Version),
        ("another cluster's key", Keys::new(&OTHERS, &[]).seal(&frame(), SENDER, [1; NONCE]), Unsealed::Key),
        ("another length", with(&|bytes| bytes[5] -= 1), Unsealed::Key),
        ("no frame", not_a_frame, Unsealed::Malformed),
    ] {
        assert_eq!(Keys::new(&OURS, &[]).open(&bytes), Err(reason), "{what}");
    }
}

#[test]
fn the_longest_frame_fits_into_a_datagram_of_a_tunnels_lan() {
    const { assert!(LONGEST + 20 + 8 <= 1400) };
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in vec(any::<u8>(), 0..1500)) {
        prop_assert!(Keys::new(&OURS, &[NEXT]).open(&bytes).is_err());
    }

    /// Not one bit of what is sealed can be changed.
    #[test]
    fn damage_is_found(at in any::<prop::sample::Index>(), bit in 0..8u32) {
        let mut bytes = sealed();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        prop_assert!(Keys::new(&OURS, &[]).open(&bytes).is_err());
    }
}
