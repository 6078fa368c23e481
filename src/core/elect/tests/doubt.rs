//! Whom to believe: frames that are sent again, silence of the others or of the own cable, and ways round.

use super::*;
use crate::wire::heartbeat::Heard;

/// What `speaker` has said so far, by anybody who recorded it.
fn recorded(segment: &Segment, speaker: &str) -> Vec<Frame> {
    segment.said.iter().filter(|(name, _)| *name == speaker).map(|(_, frame)| frame.clone()).collect()
}

#[test]
fn frames_that_are_sent_again_make_nobody_alive() {
    let (mut segment, owner, other) = owner_and_other();
    let frames = recorded(&segment, owner);
    segment.speakers.remove(owner);
    segment.run(ms(1_000));
    assert_eq!(segment.owners(VIP), [other]);
    // One that has just started knows nobody, and is told of the dead owner as if it lived.
    segment.start("c", 1);
    segment.want(VIP);
    for frame in frames {
        segment.tell("c", Input::Frame(frame.clone()));
        segment.tell(other, Input::Frame(frame));
        segment.run(ms(10));
    }
    segment.run(ms(2_000));
    let known: Vec<&str> = segment.speakers["c"].peers().filter_map(|peer| Some(peer.name?.as_str())).collect();
    assert_eq!(known, [other]);
    assert!(segment.speakers["c"].ignored()[&Ignored::Unproven] > 10);
    assert_eq!(segment.owners(VIP), [other]);
}

#[test]
fn no_earlier_run_of_a_speaker_comes_back() {
    let mut segment = Segment::new(&["a", "b"]);
    segment.run(ms(2_000));
    for boot in [2, 3] {
        segment.start("b", boot);
        segment.run(ms(3_000));
    }
    for frame in recorded(&segment, "b") {
        segment.tell("a", Input::Frame(frame));
    }
    assert_eq!(
        segment.speakers["a"].peers().map(|peer| (peer.boot, peer.life)).collect::<Vec<_>>(),
        [(3, Life::Alive)]
    );
}

/// Two that have missed something tell a newcomer of two runs of an owner.
#[test]
fn no_run_is_over_because_others_speak_of_another() {
    for boots in [[1, 2], [2, 1], [2, 2]] {
        let mut segment = Segment::new(&["b"]);
        segment.run(ms(2_000));
        let claims = boots.map(|boot| {
            let of = Some(Holder { speaker: id("a"), boot });
            Claim { vip: VIP, epoch: boot, after: 0, firm: true, state: State::Held, of }
        });
        segment.tell("b", frame("c", 1, Kind::Beat, claims.into()));
        for boot in [1, 2] {
            segment.start("a", boot);
            segment.run(ms(3_000));
            let a = Holder { speaker: id("a"), boot };
            assert!(segment.speakers["b"].peers.answers(a), "run {boot}, after word of {boots:?}");
        }
    }
}

#[test]
fn who_was_dead_for_long_shows_anew_that_its_frames_are_its_own() {
    for (dead_for, counts) in [(ms(29_000), true), (ms(31_000), false)] {
        let mut segment = Segment::new(&["a"]);
        segment.tell("a", frame("b", 1, Kind::Beat, Vec::new()));
        let alive = |segment: &Segment| segment.speakers["a"].peers.get(id("b")).is_some_and(|peer| !peer.dead());
        let echoes =
            vec![Echo { speaker: id("a"), challenge: segment.speakers["a"].proofs.challenge(), wanted: false }];
        while alive(&segment) {
            segment.run(ms(10));
        }
        segment.run(dead_for);
        // What it said to others while it was not heard here, and somebody has kept.
        let Input::Frame(kept) = frame("b", 2, Kind::Beat, Vec::new()) else { unreachable!() };
        segment.tell("a", Input::Frame(Frame { challenge: 1, echoes, ..kept }));
        assert_eq!(alive(&segment), counts, "dead for {dead_for:?}");
        segment.tell("a", frame("b", 3, Kind::Beat, Vec::new()));
        assert!(alive(&segment), "it has read the new challenge");
    }
}

/// An owner, and a greater word that another holds the VIP, who cannot even answer for it.
fn owner_and_wrong_word() -> (Segment, &'static str, Claim) {
    let (mut segment, owner, other) = owner_and_other();
    segment.tell(other, Input::Unwant { vip: VIP });
    let of = Some(Holder { speaker: id(other), boot: 1 });
    let epoch = segment.speakers[owner].claims.get(VIP).unwrap().epoch + 1;
    let claim = Claim { vip: VIP, epoch, after: 0, firm: true, state: State::Held, of };
    (segment, owner, claim)
}

/// Otherwise nobody answers for as long as the other lives.
#[test]
fn what_others_say_of_one_who_is_heard_and_says_otherwise_does_not_last() {
    let (mut segment, owner, claim) = owner_and_wrong_word();
    segment.tell(owner, frame("c", 1, Kind::Beat, vec![claim]));
    assert_eq!(segment.owners(VIP), [] as [&str; 0]);
    segment.run(ms(90_000));
    assert_eq!(segment.owners(VIP), [owner]);
}

#[test]
fn who_hears_that_it_holds_what_it_does_not_says_so() {
    let (mut segment, owner, claim) = owner_and_wrong_word();
    segment.all(frame("c", 1, Kind::Beat, vec![claim]));
    segment.run(ms(100));
    assert_eq!(segment.owners(VIP), [owner]);
}

#[test]
fn a_newcomer_and_those_that_are_there_know_each_other_in_no_time() {
    let mut segment = Segment::new(&["a", "b"]);
    segment.run(ms(5_000));
    segment.start("c", 1);
    segment.run(ms(50));
    let known = |name| segment.speakers[name].peers().count();
    assert_eq!(["a", "b", "c"].map(known), [2, 2, 2]);
}

/// An owner that stands still, and comes back with what it knew: what the other has shown meanwhile decides.
#[test]
fn who_cannot_show_that_he_is_not_cut_off_gives_back_what_he_took() {
    for gateway in [true, false] {
        let (mut segment, owner, other) = owner_and_other();
        segment.gateway = gateway;
        // What the gateway said before counts no more.
        segment.run(ms(5_000));
        let away = segment.speakers.remove(owner).unwrap();
        segment.run(ms(5_000));
        assert_eq!(segment.owners(VIP), [other]);
        assert_eq!(segment.speakers[other].claims.get(VIP).unwrap().firm, gateway);
        segment.speakers.insert(owner, away);
        segment.run(ms(1_000));
        assert_eq!(segment.owners(VIP), [if gateway { other } else { owner }], "gateway: {gateway}");
    }
}

#[test]
fn a_claim_becomes_firm_once_the_gateway_answers() {
    let mut segment = Segment::new(&["a"]);
    segment.gateway = false;
    segment.want(VIP);
    segment.run(ms(5_000));
    let firm = |segment: &Segment| segment.speakers["a"].claims.get(VIP).map(|claim| claim.firm);
    assert_eq!(firm(&segment), Some(false));
    segment.gateway = true;
    segment.run(ms(2_000));
    assert_eq!(firm(&segment), Some(true));
}

#[test]
fn one_who_hears_nothing_any_more_knows_that() {
    let (mut segment, owner, other) = owner_and_other();
    segment.speakers.remove(other);
    segment.run(ms(5_000));
    assert!(!segment.speakers[owner].is_isolated(), "the gateway answers");
    segment.gateway = false;
    segment.run(ms(5_000));
    assert!(segment.speakers[owner].is_isolated());
    segment.gateway = true;
    segment.run(ms(2_000));
    assert!(!segment.speakers[owner].is_isolated());
}

#[test]
fn where_the_ethertype_is_dropped_datagrams_go_round() {
    for from_the_start in [true, false] {
        let mut segment = Segment::new(&["a", "b", "c"]);
        segment.blocked = from_the_start;
        segment.want(VIP);
        segment.run(ms(3_000));
        let owners = segment.owners(VIP);
        assert_eq!(owners.len(), 1);
        segment.blocked = true;
        segment.done.clear();
        assert_eq!(segment.run(ms(20_000)), [], "nothing moves");
        assert!(segment.speakers["a"].peers().all(|peer| peer.blocked && peer.life == Life::Alive));
        segment.speakers.remove(owners[0]);
        let crashed = segment.now.as_millis() as u64;
        let done = segment.run(ms(1_000));
        assert!(
            matches!(done[..], [(at, _, Output::Acquire { why: Acquired::Dead, .. })] if at - crashed < 400),
            "{done:?}"
        );
        segment.blocked = false;
        segment.run(ms(20_000));
        assert!(
            segment.speakers.values().flat_map(Election::peers).all(|peer| !peer.blocked || peer.life != Life::Alive)
        );
    }
}

#[test]
fn datagrams_are_few_where_nothing_is_dropped() {
    let mut segment = Segment::new(&["a", "b"]);
    segment.want(VIP);
    segment.run(ms(2_000));
    let owner = segment.owners(VIP)[0];
    let mut counts = (0, 0);
    for _ in 0..100 {
        let a = segment.speakers.get_mut(owner).unwrap();
        segment.now = segment.now.max(a.deadline().unwrap());
        let now = Now { mono: segment.now, wall: segment.now };
        for output in a.handle(Input::Timer, now) {
            match output {
                Output::Send(_) => counts.0 += 1,
                Output::Around(_) => counts.1 += 1,
                _ => {}
            }
        }
    }
    assert!(counts.0 > 7 * counts.1 && counts.1 > 0, "one frame a second of each speaker's: {counts:?}");
}

#[test]
fn a_plain_answer_vouches_for_a_silent_owner() {
    let (mut segment, owner, other) = owner_and_other();
    segment.answers = true;
    segment.speakers.remove(owner);
    segment.run(ms(5_000));
    assert_eq!(segment.owners(VIP), [""; 0], "its address is answered for");
    segment.answers = false;
    let done = segment.run(ms(1_500));
    assert!(matches!(done[..], [(_, by, Output::Acquire { why: Acquired::Dead, .. })] if by == other), "{done:?}");
}

/// Both are patient with a speaker that says how late it is.
#[test]
fn who_is_late_himself_takes_nobody_for_dead() {
    let (mut segment, owner, other) = owner_and_other();
    let mut late = segment.speakers.remove(owner).unwrap();
    let due = late.deadline().unwrap();
    let now = Now { mono: due + ms(90), wall: segment.at().wall };
    let outputs = late.handle(Input::Timer, now);
    let said =
        outputs.iter().find_map(|output| if let Output::Send(frame) = output { Some(frame.lateness) } else { None });
    assert_eq!(said, Some(ms(90)));
    segment.now = segment.now.max(now.mono);
    for output in outputs {
        if let Output::Send(frame) = output {
            segment.tell(other, Input::Frame(frame));
        }
    }
    segment.done.clear();
    assert_eq!(segment.run(ms(250 + 60 + 90)), [], "silent for no longer than it may be late");
    assert!(!segment.run(ms(500)).is_empty());
}

/// Others speak seldom, and the owner hears them 150 ms before its judge does, or has not heard them yet.
#[test]
fn who_is_late_is_not_taken_for_deaf() {
    let (sooner, later) = ([(150, 300), (110, 410)], [(20, 900), (110, 1_010)]);
    for (lateness, beats, is_deaf) in [(0, sooner, true), (180, sooner, false), (0, later, true), (180, later, false)] {
        let mut segment = Segment::new(&["a"]);
        segment.run(ms(2_000));
        let others = ["c", "d", "e", "f", "g"];
        others.iter().for_each(|name| segment.tell("a", frame(name, 1, Kind::Beat, Vec::new())));
        for (counter, (pause, age)) in (1..).zip(beats) {
            segment.run(ms(pause));
            let Input::Frame(beat) = frame("b", counter, Kind::Beat, Vec::new()) else { unreachable!("it is a frame") };
            let heard = others.iter().map(|name| Heard { speaker: id(name), age: ms(age) }).collect();
            segment.tell("a", Input::Frame(Frame { lateness: ms(lateness), heard, ..beat }));
        }
        let deaf = segment.speakers["a"].peers.get(id("b")).map(|peer| peer.deaf);
        assert_eq!(deaf, Some(is_deaf), "late by {lateness} ms, {beats:?}");
    }
}

#[test]
fn who_has_seen_less_than_another_for_a_second_begins_its_watches_anew() {
    let (mut segment, owner, other) = owner_and_other();
    segment.all(Input::Seen(7));
    assert_eq!(segment.run(ms(2_000)), []);
    segment.tell(other, Input::Seen(8));
    segment.run(ms(900));
    segment.tell(owner, Input::Seen(8));
    assert_eq!(segment.run(ms(2_000)), [], "it was only later");
    segment.tell(other, Input::Seen(9));
    let before = segment.now;
    let done = segment.run(ms(2_500));
    assert_eq!(whats(&done), [(owner, Output::Behind { version: 9 })], "{done:?}");
    // Who owns nothing says so within a second.
    assert!((1_000..=2_100).contains(&(u128::from(done[0].0) - before.as_millis())), "{done:?}");
    assert_eq!(segment.run(ms(2_000)), []);
}
