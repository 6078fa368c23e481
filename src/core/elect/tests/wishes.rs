//! Tiers and preferences: who goes first, and who yields to whom.

use super::*;

const FIRST: Wish = Wish { tier: Tier::First, preferences: Preferences::NONE };
const SECOND: Wish = Wish { tier: Tier::Second, ..FIRST };

fn vips(count: u8) -> impl Iterator<Item = IpAddr> {
    (0..count).map(|last| IpAddr::from([203, 0, 113, last]))
}

/// The speakers, each with what it wants of all VIPs, after they have shared them out.
fn segment(wishes: &[(&'static str, Wish)], count: u8) -> Segment {
    let names: Vec<&str> = wishes.iter().map(|(name, _)| *name).collect();
    let mut segment = Segment::new(&names);
    for vip in vips(count) {
        wishes.iter().for_each(|(name, wish)| segment.tell(name, Input::Want { vip, wish: *wish }));
    }
    segment.run(ms(3_000));
    segment
}

fn counts<const N: usize>(segment: &Segment, names: [&str; N]) -> [usize; N] {
    names.map(|name| segment.speakers[name].owned().count())
}

#[test]
fn the_second_tier_answers_only_where_the_first_does_not() {
    assert_eq!(counts(&segment(&[("a", SECOND), ("b", FIRST), ("c", SECOND)], 20), ["a", "b", "c"]), [0, 20, 0]);
    let [a, c] = counts(&segment(&[("a", SECOND), ("c", SECOND)], 20), ["a", "c"]);
    assert_eq!((a, c), (10, 10), "for want of better they share");
}

#[test]
fn the_second_tier_hands_over_to_the_first_and_to_nobody_else() {
    let mut segment = Segment::new(&["a", "b", "c"]);
    segment.tell("a", Input::Want { vip: VIP, wish: FIRST });
    segment.run(ms(2_000));
    segment.tell("a", Input::Want { vip: VIP, wish: SECOND });
    segment.tell("b", Input::Want { vip: VIP, wish: SECOND });
    assert_eq!(segment.run(ms(5_000)), [], "it answers on for as long as there is no better one");
    segment.tell("c", Input::Want { vip: VIP, wish: FIRST });
    let done = whats(&segment.run(ms(200)));
    assert!(
        matches!(done[0], ("c", Output::Acquire { why: Acquired::HandedOver, .. })),
        "it stops when it hears the other, not before: {done:?}"
    );
    assert_eq!(done[1..], [("a", Output::Release { vip: VIP, why: Released::HandedOver })]);
}

#[test]
fn back_in_the_first_tier_an_owner_stays() {
    let mut segment = Segment::new(&["a", "b"]);
    segment.tell("a", Input::Want { vip: VIP, wish: FIRST });
    segment.run(ms(2_000));
    segment.tell("a", Input::Want { vip: VIP, wish: SECOND });
    segment.run(ms(500));
    segment.tell("a", Input::Want { vip: VIP, wish: FIRST });
    segment.tell("b", Input::Want { vip: VIP, wish: FIRST });
    assert_eq!(segment.run(ms(3_000)), []);
    assert_eq!(segment.owners(VIP), ["a"]);
}

#[test]
fn a_dead_owner_of_the_second_tier_is_followed_by_one_of_it() {
    let mut segment = segment(&[("a", SECOND), ("b", SECOND), ("c", SECOND)], 1);
    let vip = vips(1).next().unwrap();
    let owner = segment.owners(vip)[0];
    segment.speakers.remove(owner);
    let done = segment.run(ms(1_000));
    assert!(matches!(done[..], [(_, _, Output::Acquire { why: Acquired::Dead, .. })]), "{done:?}");
}

#[test]
fn a_lost_word_that_an_owner_yields_is_found_by_the_digest() {
    let mut segment = Segment::new(&["a", "b"]);
    segment.tell("a", Input::Want { vip: VIP, wish: FIRST });
    segment.run(ms(2_000));
    segment.tell("b", Input::Want { vip: VIP, wish: FIRST });
    let deaf = segment.speakers.remove("b").unwrap();
    segment.tell("a", Input::Want { vip: VIP, wish: SECOND });
    segment.run(ms(200));
    segment.speakers.insert("b", deaf);
    segment.run(ms(1_000));
    assert_eq!(segment.owners(VIP), ["b"]);
}

/// Three speakers with these weights in the only preference, which holds for VIPs with these wishes.
fn weighed(weights: [(&'static str, u16); 3]) -> Segment {
    let mut segment = Segment::new(&weights.map(|(name, _)| name));
    weights.into_iter().for_each(|(name, weight)| segment.tell(name, Input::Weigh(vec![weight])));
    segment
}

fn heeded() -> Wish {
    Wish { tier: Tier::First, preferences: Preferences::new([0]) }
}

#[test]
fn the_preferred_take_all_and_share_it_among_themselves() {
    let mut segment = weighed([("a", 1), ("b", 10), ("c", 10)]);
    vips(20).for_each(|vip| segment.all(Input::Want { vip, wish: heeded() }));
    segment.run(ms(3_000));
    assert_eq!(counts(&segment, ["a", "b", "c"]), [0, 10, 10]);
}

#[test]
fn a_preference_that_does_not_hold_for_a_vip_counts_for_nothing() {
    let mut segment = weighed([("a", 1), ("b", 10), ("c", 0)]);
    vips(30).for_each(|vip| segment.all(Input::Want { vip, wish: FIRST }));
    segment.run(ms(3_000));
    assert_eq!(counts(&segment, ["a", "b", "c"]), [10, 10, 10]);
}

#[test]
fn those_of_lower_weight_follow_in_order_and_nothing_moves_back() {
    let mut segment = weighed([("a", 0), ("b", 5), ("c", 9)]);
    segment.all(Input::Want { vip: VIP, wish: heeded() });
    segment.run(ms(3_000));
    assert_eq!(segment.owners(VIP), ["c"]);
    segment.tell("c", Input::Unwant { vip: VIP });
    segment.run(ms(1_000));
    assert_eq!(segment.owners(VIP), ["b"]);
    segment.speakers.remove("b");
    segment.run(ms(1_000));
    assert_eq!(segment.owners(VIP), ["a"], "whoever is preferred but cannot answer is waited for, not for ever");
    segment.tell("c", Input::Want { vip: VIP, wish: heeded() });
    assert_eq!(segment.run(ms(3_000)), [], "a preference orders candidates and moves no VIP");
}

#[test]
fn a_changed_weight_counts_for_the_next_election() {
    let mut segment = weighed([("a", 9), ("b", 0), ("c", 0)]);
    segment.all(Input::Want { vip: VIP, wish: heeded() });
    segment.run(ms(3_000));
    assert_eq!(segment.owners(VIP), ["a"]);
    segment.tell("b", Input::Weigh(vec![5]));
    segment.tell("c", Input::Weigh(vec![7]));
    assert_eq!(segment.run(ms(2_000)), []);
    segment.speakers.remove("a");
    segment.run(ms(1_000));
    assert_eq!(segment.owners(VIP), ["c"]);
}

/// Each has the new run proven to itself, in its own time.
#[test]
fn the_preferred_go_first_also_where_they_learn_last_that_the_owner_has_started_anew() {
    let mut segment = weighed([("a", 0), ("b", 5), ("c", 9)]);
    segment.all(Input::Want { vip: VIP, wish: heeded() });
    segment.run(ms(3_000));
    segment.speakers.remove("c");
    let Input::Frame(first) = frame("c", 1, Kind::Beat, Vec::new()) else { unreachable!("it is a frame") };
    let again = Frame { boot: 2, weights: vec![9], ..first };
    segment.tell("a", Input::Frame(again.clone()));
    segment.run(ms(59));
    segment.tell("b", Input::Frame(again));
    let done = segment.run(ms(500));
    assert!(matches!(done[..], [(_, "b", Output::Acquire { why: Acquired::Restarted, .. })]), "{done:?}");
}

#[test]
fn nobody_waits_with_a_vip_that_had_an_owner_for_one_who_only_listens() {
    let mut segment = segment(&[("a", FIRST), ("b", FIRST), ("c", FIRST)], 9);
    assert_eq!(counts(&segment, ["a", "b", "c"]), [3, 3, 3]);
    segment.speakers.remove("c");
    let Input::Frame(first) = frame("c", 1, Kind::Beat, Vec::new()) else { unreachable!("it is a frame") };
    segment.all(Input::Frame(Frame { boot: 2, listening: true, ..first }));
    segment.run(ms(20));
    assert_eq!(counts(&segment, ["a", "b"]).iter().sum::<usize>(), 9);
}
