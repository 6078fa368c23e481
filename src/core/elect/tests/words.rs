//! How claims travel: repeated, in parts, fetched where they are missed, and in whose name.

use super::*;
use crate::wire::heartbeat::Heard;

#[test]
fn what_is_remembered_of_peers_claims_is_bounded() {
    let mut segment = Segment::new(&["a"]);
    let claim = |number: usize| Claim {
        vip: std::net::Ipv4Addr::from_bits(0xc633_6400 + number as u32).into(),
        epoch: 1,
        after: 0,
        firm: true,
        state: State::Held,
        of: None,
    };
    for (number, name) in ["b", "c", "d"].into_iter().enumerate() {
        let claims = (0..MOST_FOREIGN_VIPS).map(|vip| claim(vip + number)).collect();
        segment.tell("a", frame(name, 1, Kind::Beat, claims));
    }
    let a = &segment.speakers["a"];
    assert_eq!(a.peers().map(|peer| peer.claims).sum::<usize>(), MOST_FOREIGN_CLAIMS);
    // One of c's claims was for a VIP too many, all of d's were claims too many.
    assert_eq!(a.ignored(), &BTreeMap::from([(Ignored::TooManyVips, 1 + MOST_FOREIGN_VIPS as u64)]));
}

#[test]
fn many_claims_go_in_several_frames_and_are_all_learnt_by_a_newcomer() {
    let mut segment = Segment::new(&["a"]);
    for number in 0..1_000u32 {
        let v4 = std::net::Ipv4Addr::from_bits(0xcb00_7100 + number);
        segment.want(if number % 2 == 0 { v4.into() } else { v4.to_ipv6_compatible().into() });
    }
    segment.run(ms(2_000));
    segment.start("b", 1);
    segment.run(ms(700));
    let known: Vec<usize> = segment.speakers["b"].peers().map(|peer| peer.claims).collect();
    assert_eq!(known, [1_000]);
    assert!(!segment.speakers["b"].listening(), "the digests agree");
}

#[test]
fn thousands_that_are_left_at_once_are_said_in_the_frames_that_they_fill() {
    let (mut a, mut now) = {
        let mut segment = Segment::new(&["a"]);
        segment.tell("a", frame("b", 1, Kind::Beat, Vec::new()));
        (segment.speakers.remove("a").unwrap(), segment.at())
    };
    let vips = (0..5_000u32).map(|number| std::net::Ipv4Addr::from_bits(0xc612_0000 + number).into());
    let vips: Vec<IpAddr> = vips.collect();
    a.handle_all(vips.iter().map(|vip| Input::Want { vip: *vip, wish: Wish::default() }), now);
    while a.owned().count() < vips.len() {
        now.mono += ms(10);
        a.handle(Input::Timer, now);
    }
    now.mono += ms(1_000);
    a.handle(Input::Timer, now);
    let outputs = a.handle_all(vips.iter().map(|vip| Input::Unwant { vip: *vip }), now);
    let frames: Vec<&Frame> =
        outputs.iter().filter_map(|output| if let Output::Send(frame) = output { Some(frame) } else { None }).collect();
    assert_eq!(frames.iter().map(|frame| frame.claims.len()).sum::<usize>(), vips.len());
    let octets: usize = frames.iter().map(|frame| frame.size()).sum();
    assert!(frames.len() <= octets / (crate::wire::heartbeat::LONGEST - 50) + 1, "{} frames", frames.len());
}

#[test]
fn a_claim_is_repeated_as_its_holders_whoever_that_is() {
    let me = Holder { speaker: id("a"), boot: 1 };
    for holder in [Holder { speaker: id("b"), boot: 1 }, Holder { speaker: SpeakerId(0), boot: 0 }] {
        let claim = Claim { vip: VIP, epoch: 5, after: 0, firm: true, state: State::Held, of: Some(holder) };
        assert_eq!(Register::of(&claim, me).claim(VIP, me), claim);
    }
}

#[test]
fn a_claim_counts_once_also_when_its_frame_was_overtaken() {
    let claim = |epoch, state| Claim { vip: VIP, epoch, after: 0, firm: true, state, of: None };
    let (held, vacant) = (claim(5, State::Held), claim(6, State::Vacant));
    let anothers = Claim { of: Some(Holder { speaker: id("d"), boot: 1 }), ..claim(7, State::Held) };
    let (holds, holds_nothing) = (hash::digest(&held), 0);
    // Frames of b's: counter, all that it claims by then, what it says.
    let told = |frames: &[(u64, u64, &[Claim])]| {
        let mut segment = Segment::new(&["a"]);
        for (counter, digest, claims) in frames {
            let Input::Frame(said) = frame("b", *counter, Kind::Beat, claims.to_vec()) else { unreachable!() };
            segment.tell("a", Input::Frame(Frame { digest: *digest, ..said }));
        }
        let known = segment.speakers["a"].peers().map(|peer| peer.claims).sum::<usize>();
        (known, segment.speakers["a"].ignored().get(&Ignored::OldCounter).copied().unwrap_or_default())
    };
    let first = (1, holds_nothing, &[][..]);
    let late = (2, holds, &[held][..]);
    assert_eq!(told(&[first, (3, holds, &[]), late]), (1, 0));
    assert_eq!(told(&[first, (3, holds, &[anothers]), late]), (1, 0), "a lesser one as well");
    assert_eq!(told(&[first, (2, holds, &[]), late]), (0, 1), "twice");
    assert_eq!(told(&[first, (3, holds_nothing, &[vacant]), late]), (0, 0), "a newer word stands");
    assert_eq!(
        told(&[first, (3, holds_nothing, &[vacant, anothers]), late]),
        (0, 0),
        "also where another has claimed since"
    );
    assert_eq!(told(&[(2, holds_nothing, &[]), (1, holds, &[held])]), (0, 1), "sent before the first one heard");
}

#[test]
fn a_frame_that_was_overtaken_is_answered_and_tells_whom_its_sender_hears_and_not_how_it_is() {
    let mut segment = Segment::new(&["a"]);
    segment.tell("a", frame("c", 1, Kind::Beat, Vec::new()));
    segment.run(ms(20_000));
    for counter in [1, 3] {
        segment.tell("a", frame("b", counter, Kind::Beat, Vec::new()));
    }
    segment.run(ms(30));
    segment.tell("a", frame("b", 4, Kind::Beat, Vec::new()));
    let Input::Frame(question) = frame("b", 2, Kind::Ask { suspect: id("a") }, Vec::new()) else { unreachable!() };
    let heard = vec![Heard { speaker: id("c"), age: ms(0) }];
    segment.run(ms(400));
    let before = segment.said.len();
    segment.tell("a", Input::Frame(Frame { draining: true, heard, ..question }));
    assert_eq!(segment.said.len(), before + 1, "it answers");
    assert!(segment.speakers["a"].peers().all(|peer| !peer.draining));
    // It came 430 ms after the first newer one, so it says that c was heard as long ago: without that word c died at 25 s.
    segment.run(ms(25_000 - 430 - 1));
    let life = |name| segment.speakers["a"].peers.get(id(name)).unwrap().life;
    assert_eq!(life("c"), Life::Alive);
    let audible = segment.speakers["a"].peers().filter(|peer| peer.audible).count();
    assert_eq!(audible, 1, "c lives by b's word alone");
}

#[test]
fn a_newcomer_soon_knows_those_that_speak_seldom() {
    let mut segment = Segment::new(&["a"]);
    segment.run(ms(2_100));
    segment.start("b", 1);
    segment.run(ms(25));
    assert_eq!(segment.speakers["b"].peers().count(), 1);
}

#[test]
fn a_claim_is_in_three_frames() {
    let mut segment = Segment::new(&["a"]);
    segment.want(VIP);
    let mut times = Vec::new();
    for _ in 0..100 {
        let a = segment.speakers.get_mut("a").unwrap();
        segment.now = segment.now.max(a.deadline().unwrap());
        let now = Now { mono: segment.now, wall: segment.now };
        for output in a.handle(Input::Timer, now) {
            if matches!(output, Output::Send(frame) if frame.claims.iter().any(|claim| claim.vip == VIP)) {
                times.push(segment.now.as_millis());
            }
        }
    }
    assert_eq!(times, [1_500, 1_540, 1_580]);
}

/// One stands still and hears nothing while another starts anew, and claims what nobody seems to have.
#[test]
fn two_that_do_not_know_each_other_soon_compare_what_they_claim() {
    for phase in 0..100 {
        let (mut segment, owner, other) = owner_and_other();
        let paused = segment.speakers.remove(owner).unwrap();
        segment.start(other, 2);
        segment.want(VIP);
        segment.run(ms(3_000 + phase));
        assert_eq!(segment.owners(VIP), [other]);
        segment.speakers.insert(owner, paused);
        segment.run(ms(60));
        assert_eq!(segment.owners(VIP), [other], "phase {phase}");
    }
}

#[test]
fn a_change_that_was_lost_is_found_by_the_digest() {
    let (mut segment, owner, other) = owner_and_other();
    let paused = segment.speakers.remove(other).unwrap();
    segment.tell(owner, Input::Unwant { vip: VIP });
    segment.run(ms(2_000));
    segment.speakers.insert(other, paused);
    segment.run(ms(1_000));
    assert_eq!(segment.owners(VIP), [other]);
}

/// Frames overtake each other, and one that comes alone is not to make its sender seem deaf.
#[test]
fn every_frame_of_a_beat_lists_whom_its_sender_heard_last() {
    let mut segment = Segment::new(&["a", "b"]);
    segment.run(ms(2_000));
    segment.said.clear();
    for last in 0..200 {
        segment.tell("a", Input::Want { vip: IpAddr::from([203, 0, 113, last]), wish: Wish::default() });
    }
    segment.run(ms(3_000));
    let beats = segment.said.iter().filter(|(by, frame)| *by == "a" && frame.kind == Kind::Beat);
    let (more, heard): (Vec<usize>, Vec<usize>) =
        beats.map(|(_, frame)| (frame.claims.len(), frame.heard.len())).unzip();
    assert!(more.iter().filter(|claims| **claims > 0).count() > 6, "200 claims take several frames: {more:?}");
    assert_eq!(heard.iter().min(), Some(&1), "{heard:?}");
}
