//! VIPs that are released from their Services, and given to others, while some do not hear of it.

use super::*;

#[test]
fn a_release_silences_one_that_has_not_heard_of_it() {
    let mut segment = Segment::new(&["a", "b"]);
    segment.want(VIP);
    segment.run(ms(2_000));
    let owner = segment.owners(VIP)[0];
    let other = if owner == "a" { "b" } else { "a" };
    // The owner's watch is stuck; the other hears of the release.
    segment.tell(other, Input::Withdraw { vip: VIP });
    let done = whats(&segment.run(ms(1_000)));
    assert_eq!(done, [(owner, Output::Release { vip: VIP, why: Released::Withdrawn })]);
    // Another Service gets the address: only who knows that answers.
    segment.tell(other, Input::Want { vip: VIP, wish: Wish::default() });
    segment.run(ms(1_000));
    assert_eq!(segment.owners(VIP), [other]);
    // Its late word of the old release does not touch the new claim.
    segment.tell(owner, Input::Withdraw { vip: VIP });
    segment.tell(owner, Input::Want { vip: VIP, wish: Wish::default() });
    assert_eq!(segment.run(ms(3_000)), []);
    assert_eq!(segment.owners(VIP), [other]);
}

/// `miss` lets `late` miss the word of a release while the owner hears of it and claims for the next Service.
fn told_late_of_a_release(miss: fn(&mut Segment, &'static str, &'static str)) {
    let (mut segment, owner, late) = owner_and_other();
    segment.start("c", 1);
    segment.run(ms(2_000));
    miss(&mut segment, owner, late);
    segment.run(ms(2_000));
    segment.tell(late, Input::Withdraw { vip: VIP });
    segment.tell(late, Input::Want { vip: VIP, wish: Wish::default() });
    assert_eq!(segment.run(ms(3_000)), [], "the next Service's owner stays");
    assert_eq!(segment.owners(VIP), [owner]);
    // A later release is told in time, and it counts: the owner's watch is stuck now.
    segment.run(ms(30_000));
    segment.tell(late, Input::Withdraw { vip: VIP });
    let done = whats(&segment.run(ms(1_000)));
    assert_eq!(done, [(owner, Output::Release { vip: VIP, why: Released::Withdrawn })]);
}

fn released_and_allocated_again(segment: &mut Segment, owner: &'static str) {
    for name in [owner, "c"] {
        segment.tell(name, Input::Withdraw { vip: VIP });
    }
    segment.tell(owner, Input::Want { vip: VIP, wish: Wish::default() });
    segment.run(ms(1_000));
    segment.tell("c", Input::Want { vip: VIP, wish: Wish::default() });
    assert_eq!(segment.owners(VIP), [owner]);
}

#[test]
fn whoever_missed_the_word_of_a_release_does_not_release_the_next_claim() {
    told_late_of_a_release(|segment, owner, late| {
        let paused = segment.speakers.remove(late).unwrap();
        released_and_allocated_again(segment, owner);
        segment.speakers.insert(late, paused);
    });
}

#[test]
fn nor_does_one_that_began_to_listen_after_the_release() {
    told_late_of_a_release(|segment, owner, late| {
        segment.speakers.remove(late);
        released_and_allocated_again(segment, owner);
        segment.start(late, 2);
        segment.tell(late, Input::Want { vip: VIP, wish: Wish::default() });
    });
}

#[test]
fn two_reckonings_of_one_release_are_one_release() {
    let (mut segment, owner, _) = owner_and_other();
    released_and_allocated_again(&mut segment, owner);
    let epoch = segment.speakers[owner].claims.get(VIP).unwrap().epoch + 1;
    let word = Claim { vip: VIP, epoch, after: 0, firm: true, state: State::Released, of: None };
    segment.tell(owner, frame("d", 1, Kind::Beat, vec![word]));
    assert_eq!(segment.run(ms(1_000)), [], "the owner goes on above it");
    assert_eq!((segment.owners(VIP), segment.speakers[owner].claims.get(VIP).unwrap().after), (vec![owner], epoch));
}

#[test]
fn a_claim_made_without_knowing_of_a_release_does_not_outbid_it() {
    let (mut segment, owner, other) = owner_and_other();
    // The other hears nothing of the release, and takes over.
    let paused = segment.speakers.remove(other).unwrap();
    segment.tell(owner, Input::Withdraw { vip: VIP });
    segment.run(ms(200));
    let told = segment.speakers.remove(owner).unwrap();
    segment.speakers.insert(other, paused);
    segment.run(ms(2_000));
    assert_eq!(segment.owners(VIP), [other]);
    segment.speakers.insert(owner, told);
    segment.run(ms(1_500));
    assert_eq!(segment.owners(VIP), [] as [&str; 0]);
}

/// Also where it leaves the VIP, and knows of the release from another that reckoned it from a greater claim.
#[test]
fn what_is_withdrawn_is_let_go_at_once() {
    let (mut segment, owner, _) = owner_and_other();
    segment.tell(owner, Input::Withdraw { vip: VIP });
    segment.tell(owner, Input::Want { vip: VIP, wish: Wish::default() });
    segment.run(ms(100));
    assert_eq!(segment.owners(VIP), [owner]);
    segment.tell(owner, Input::Unwant { vip: VIP });
    let epoch = segment.speakers[owner].claims.get(VIP).unwrap().epoch + 1;
    let release = Claim { vip: VIP, epoch, after: 0, firm: true, state: State::Released, of: None };
    segment.tell(owner, frame("c", 1, Kind::Beat, vec![release]));
    assert_eq!(segment.owners(VIP), [owner], "it leaves, and nobody has claimed it");
    segment.tell(owner, Input::Withdraw { vip: VIP });
    assert_eq!(segment.owners(VIP), [] as [&str; 0]);
}

/// It leaves, and knows of the release from another that reckoned it from a greater claim, while a third claims less.
#[test]
fn whoever_still_answers_says_so_whatever_it_knows_of_a_release() {
    let (mut segment, owner, other) = owner_and_other();
    segment.all(Input::Withdraw { vip: VIP });
    segment.tell(owner, Input::Want { vip: VIP, wish: Wish::default() });
    segment.run(ms(2_000));
    let own = *segment.speakers[owner].claims.get(VIP).unwrap();
    segment.speakers.remove(other);
    segment.tell(owner, Input::Unwant { vip: VIP });
    let release = Claim { epoch: own.epoch + 9, after: 0, state: State::Released, ..own };
    let lower = Claim { epoch: own.epoch + 1, ..own };
    segment.said.clear();
    segment.tell(owner, frame("c", 1, Kind::Beat, vec![release]));
    segment.tell(owner, frame("d", 1, Kind::Beat, vec![lower]));
    segment.run(ms(500));
    let said = segment.said.iter().flat_map(|(_, frame)| &frame.claims).map(|claim| claim.state);
    let answers = segment.speakers[owner].owns(VIP);
    assert!(!answers || said.clone().all(|state| state != State::Released), "{:?}", said.collect::<Vec<_>>());
}
