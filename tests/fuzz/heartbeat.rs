//! What anybody with the key may have sealed, and anybody without it may have sent.

use landfall_core::wire::heartbeat::{Claim, Echo, Frame, Heard, Holder, Kind, LONGEST, SpeakerId, SpeakerName, State};
use std::{net::IpAddr, time::Duration};

const IPV4: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 2));
const IPV6: IpAddr = IpAddr::V6(std::net::Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 2));

/// A frame of each kind, with claims of every form.
pub fn seeds() -> Vec<(String, Vec<u8>)> {
    let peer = SpeakerId(7);
    let kinds = [
        ("beat", Kind::Beat),
        ("ask", Kind::Ask { suspect: peer }),
        ("fetch", Kind::Fetch { peer }),
        ("snapshot", Kind::Snapshot { first: IPV4, last: IPV6 }),
    ];
    kinds.map(|(name, kind)| (name.to_owned(), frame(kind).emit())).into()
}

fn frame(kind: Kind) -> Frame {
    let claim = |vip, after, state, of| Claim { vip, epoch: 1_700_000_000_000, after, firm: true, state, of };
    let holder = Holder { speaker: SpeakerId(8), boot: 9 };
    Frame {
        cluster: 1,
        boot: 2,
        counter: 3,
        listening: true,
        interval: Duration::from_millis(100),
        digest: 4,
        seen: 5,
        challenge: 6,
        weights: if kind == Kind::Beat { vec![0, 10] } else { Vec::new() },
        kind,
        heard: vec![Heard { speaker: SpeakerId(7), age: Duration::from_millis(5) }],
        echoes: vec![Echo { speaker: SpeakerId(7), challenge: 6, wanted: kind == Kind::Beat }],
        claims: vec![
            claim(IPV4, 0, State::Held, None),
            claim(IPV6, 6, State::Leaving, Some(holder)),
            claim(IPV4, 0, State::Vacant, Some(holder)),
            claim(IPV6, 0, State::Released, None),
        ],
        ..Frame::new(SpeakerName::new("node-1").expect("it is a node's name"))
    }
}

/// What is read is written so that it reads the same, in the length that it says.
pub fn check(payload: &[u8]) {
    let Ok(frame) = Frame::parse(payload) else { return };
    let written = frame.emit();
    assert_eq!(written.len(), frame.size());
    assert!(written.len() <= LONGEST.min(payload.len()));
    assert_eq!(Frame::parse(&written).as_ref(), Ok(&frame));
}
