//! Bytes both ways, and every refusal by its reason.

use super::*;
use proptest::{collection::vec, prelude::*};

fn beat() -> Frame {
    Frame {
        cluster: 0x0102_0304_0506_0708,
        speaker: SpeakerName::new("node-1").unwrap(),
        boot: 0x1112_1314_1516_1718,
        counter: 42,
        draining: true,
        listening: false,
        interval: Duration::from_millis(100),
        lateness: Duration::from_millis(3),
        digest: 0x2122_2324_2526_2728,
        seen: 0x7172_7374_7576_7778,
        challenge: 0x4142_4344,
        weights: Vec::new(),
        kind: Kind::Beat,
        heard: vec![Heard { speaker: SpeakerId(0x3132_3334_3536_3738), age: Duration::from_millis(77) }],
        echoes: vec![Echo { speaker: SpeakerId(0x5152_5354_5556_5758), challenge: 0x6162_6364, wanted: true }],
        claims: vec![
            Claim {
                vip: "203.0.113.10".parse().unwrap(),
                epoch: 1_700_000_000_000,
                after: 9,
                firm: true,
                state: State::Held,
                of: None,
            },
            Claim {
                vip: "2001:db8::10".parse().unwrap(),
                epoch: 1,
                after: 0,
                firm: false,
                state: State::Released,
                of: Some(Holder { speaker: SpeakerId(5), boot: 6 }),
            },
        ],
    }
}

const BEAT: &str = "4c46 03 00 01 06 0098 0064 0003 0001 0002\
    0102030405060708 1112131415161718 000000000000002a 2122232425262728 7172737475767778 41424344 01 6e6f64652d31\
    3132333435363738 004d 5152535455565758 61626364 01\
    0a cb00710a 0000018bcfe56800 0000000000000009\
    35 20010db8000000000000000000000010 0000000000000001 0000000000000005 0000000000000006";

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// A beat that lists nothing.
fn bare() -> Frame {
    Frame { heard: Vec::new(), echoes: Vec::new(), claims: Vec::new(), ..beat() }
}

/// The bytes of a beat with one change made to them.
fn beat_with(change: impl Fn(&mut Vec<u8>)) -> Vec<u8> {
    let mut bytes = bytes(BEAT);
    change(&mut bytes);
    bytes
}

#[test]
fn a_beat_both_ways() {
    assert_eq!(beat().emit(), bytes(BEAT));
    assert_eq!(Frame::parse(&bytes(BEAT)), Ok(beat()));
}

#[test]
fn the_other_kinds_both_ways() {
    let range = Kind::Snapshot { first: "0.0.0.0".parse().unwrap(), last: "2001:db8::1".parse().unwrap() };
    for (kind, code, body) in [
        (Kind::Ask { suspect: SpeakerId(9) }, 1, "0000000000000009"),
        (Kind::Fetch { peer: SpeakerId(9) }, 2, "0000000000000009"),
        (range, 3, "04 00000000 06 20010db8000000000000000000000001"),
    ] {
        let frame = Frame { kind, ..bare() };
        let body = bytes(body);
        let mut expected = bytes(BEAT)[..67].to_vec();
        expected[3] = code;
        expected[7] = 67 + body.len() as u8;
        expected[12..16].fill(0);
        expected[60] = 0;
        expected.extend(body);
        assert_eq!(frame.emit(), expected, "{kind:?}");
        assert_eq!(Frame::parse(&expected), Ok(frame), "{kind:?}");
    }
}

#[test]
fn weights_and_a_yielding_claim_both_ways() {
    let mut frame = Frame { weights: vec![0, 0x0102], heard: Vec::new(), echoes: Vec::new(), ..beat() };
    frame.claims.truncate(1);
    frame.claims[0].state = State::Yielding;
    let expected = bytes(
        "4c46 03 00 05 06 005d 0064 0003 0000 0001\
         0102030405060708 1112131415161718 000000000000002a 2122232425262728 7172737475767778 41424344 00 6e6f64652d31\
         02 0000 0102\
         4a cb00710a 0000018bcfe56800 0000000000000009",
    );
    assert_eq!(frame.emit(), expected);
    assert_eq!(Frame::parse(&expected), Ok(frame));
}

#[test]
fn weights_are_written_in_one_way_only() {
    let frame = |weights: &[u16]| Frame { weights: weights.to_vec(), ..bare() };
    for (what, bytes) in [
        ("the last is 0", frame(&[1, 0]).emit()),
        ("65 of them", frame(&[1; 65]).emit()),
        ("none", {
            let mut none = frame(&[1]).emit();
            none[67] = 0;
            none
        }),
    ] {
        assert_eq!(Frame::parse(&bytes), Err(Malformed::Weights), "{what}");
    }
}

/// All that a frame may list, and still a claim of the longest form.
#[test]
fn the_fullest_beat_has_room_for_a_claim() {
    let frame = Frame {
        speaker: SpeakerName::new("n".repeat(253)).unwrap(),
        weights: vec![1; MOST_WEIGHTS],
        heard: vec![beat().heard[0]; MOST_HEARD],
        echoes: vec![beat().echoes[0]; MOST_ECHOES],
        claims: vec![Claim { after: 1, ..beat().claims[1] }],
        ..beat()
    };
    assert!(frame.size() <= LONGEST, "{}", frame.size());
}

#[test]
fn every_refusal_has_its_reason() {
    let cases: [(&str, Vec<u8>, Malformed); 19] = [
        ("nothing", Vec::new(), Malformed::Short),
        ("one byte short", beat_with(|bytes| bytes.truncate(151)), Malformed::Short),
        ("one byte long", beat_with(|bytes| bytes.push(0)), Malformed::Length),
        ("21 echoes", beat_with(|bytes| bytes[60] = 21), Malformed::Echoes),
        ("an echo that is neither wanted nor not", beat_with(|bytes| bytes[89] = 2), Malformed::Echoes),
        ("another's experiment", beat_with(|bytes| bytes[0] = b'X'), Malformed::Magic),
        ("version 2", beat_with(|bytes| bytes[2] = 2), Malformed::Version),
        ("kind 4", beat_with(|bytes| bytes[3] = 4), Malformed::Kind),
        ("an unknown flag", beat_with(|bytes| bytes[4] = 8), Malformed::Bits),
        ("no name", beat_with(|bytes| bytes[5] = 0), Malformed::Name),
        ("a name of other bytes", beat_with(|bytes| bytes[61] = 0xff), Malformed::Name),
        ("a name that breaks a log's line", beat_with(|bytes| bytes[62] = b'\n'), Malformed::Name),
        (
            "longer than it may be",
            beat_with(|bytes| bytes[6..8].copy_from_slice(&(LONGEST as u16 + 1).to_be_bytes())),
            Malformed::Length,
        ),
        (
            "shorter than a header",
            beat_with(|bytes| bytes[6..8].copy_from_slice(&60u16.to_be_bytes())),
            Malformed::Length,
        ),
        ("a claim too few", beat_with(|bytes| bytes[15] = 1), Malformed::Length),
        ("a claim too many", beat_with(|bytes| bytes[15] = 3), Malformed::Short),
        ("49 peers", beat_with(|bytes| bytes[13] = 49), Malformed::Heard),
        ("an unknown claim bit", beat_with(|bytes| bytes[90] |= 0x80), Malformed::Bits),
        ("an unknown state", beat_with(|bytes| bytes[90] |= 0x50), Malformed::Bits),
    ];
    for (what, bytes, reason) in cases {
        assert_eq!(Frame::parse(&bytes), Err(reason), "{what}");
    }
    let range = |first: &str, last: &str| {
        let kind = Kind::Snapshot { first: first.parse().unwrap(), last: last.parse().unwrap() };
        Frame { kind, ..bare() }.emit()
    };
    assert_eq!(Frame::parse(&range("::1", "10.0.0.1")), Err(Malformed::Address), "a range that ends before it starts");
    let mut family = range("10.0.0.1", "10.0.0.2");
    family[67] = 5;
    assert_eq!(Frame::parse(&family), Err(Malformed::Address), "a family that is neither");
    assert_eq!(SpeakerName::new(""), Err(Malformed::Name));
    assert_eq!(SpeakerName::new("n".repeat(254)), Err(Malformed::Name));
}

fn frames() -> impl Strategy<Value = Frame> {
    let millis = || (0..=u64::from(u16::MAX)).prop_map(Duration::from_millis);
    let kind = prop_oneof![
        Just(Kind::Beat),
        any::<u64>().prop_map(|id| Kind::Ask { suspect: SpeakerId(id) }),
        any::<u64>().prop_map(|id| Kind::Fetch { peer: SpeakerId(id) }),
        any::<(IpAddr, IpAddr)>().prop_map(|(a, b)| Kind::Snapshot { first: a.min(b), last: a.max(b) }),
    ];
    let state =
        prop::sample::select(vec![State::Held, State::Yielding, State::Leaving, State::Vacant, State::Released]);
    let of = proptest::option::of(any::<(u64, u64)>().prop_map(|(id, boot)| Holder { speaker: SpeakerId(id), boot }));
    let claim = (any::<IpAddr>(), any::<(u64, u64)>(), any::<bool>(), state, of)
        .prop_map(|(vip, (epoch, after), firm, state, of)| Claim { vip, epoch, after, firm, state, of });
    let heard = (any::<u64>(), millis()).prop_map(|(id, age)| Heard { speaker: SpeakerId(id), age });
    let echo = any::<(u64, u32, bool)>().prop_map(|(id, challenge, wanted)| Echo {
        speaker: SpeakerId(id),
        challenge,
        wanted,
    });
    let numbers = any::<(u64, u64, u64, u64, u64, u32, bool, bool)>();
    let weights = vec(any::<u16>(), 0..5).prop_map(|mut weights| {
        weights.truncate(weights.iter().rposition(|weight| *weight != 0).map_or(0, |last| last + 1));
        weights
    });
    let times = (millis(), millis());
    ("[a-z0-9.-]{1,253}", numbers, times, weights, kind, vec(heard, 0..8), vec(echo, 0..5), vec(claim, 0..20)).prop_map(
        |(name, numbers, (interval, lateness), weights, kind, heard, echoes, claims)| {
            let (cluster, boot, counter, digest, seen, challenge, draining, listening) = numbers;
            Frame {
                cluster,
                speaker: SpeakerName::new(name).unwrap(),
                boot,
                counter,
                draining,
                listening,
                interval,
                lateness,
                digest,
                seen,
                challenge,
                weights,
                kind,
                heard,
                echoes,
                claims,
            }
        },
    )
}

proptest! {
    #[test]
    fn what_is_emitted_is_parsed_the_same(frame in frames()) {
        let bytes = frame.emit();
        prop_assert_eq!(bytes.len(), frame.size());
        prop_assert_eq!(Frame::parse(&bytes), Ok(frame));
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in vec(any::<u8>(), 0..1500)) {
        let _ = Frame::parse(&bytes);
    }

    /// Nearly right bytes reach further in than random ones.
    #[test]
    fn no_damage_makes_it_panic(frame in frames(), at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<prop::sample::Index>()) {
        let mut bytes = frame.emit();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        bytes.truncate(cut.index(bytes.len() + 1));
        if let Ok(parsed) = Frame::parse(&bytes) {
            prop_assert_eq!(Frame::parse(&parsed.emit()), Ok(parsed));
        }
    }
}
