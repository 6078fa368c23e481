//! The rules of allocation, one by one.

mod families;
mod limits;
mod memory;
mod requests;
mod reserved;
mod restrictions;
mod sharing;
mod table;

use super::{world::*, *};
use crate::addr::Family::{V4, V6};
use FamilyPolicy::{PreferDualStack, RequireDualStack};

/// Three IPv4 and two IPv6 addresses.
const DUAL: &str = "pools:\n- {name: dual, addresses: [198.51.100.1-198.51.100.3, '2001:db8::1-2001:db8::2']}\n";

const NONE: [&str; 0] = [];

/// A configuration with these pools, `name: addresses` or `name: addresses, key: value`.
fn pools(pools: &[&str]) -> String {
    let pool = |pool: &&str| {
        let (name, addresses) = pool.split_once(": ").unwrap();
        format!("- {{name: {name}, addresses: {addresses}}}\n")
    };
    format!("pools:\n{}", pools.iter().map(pool).collect::<String>())
}

fn of_both(policy: FamilyPolicy, name: &str) -> Service {
    service(name).families(policy, &[V4, V6])
}

#[test]
fn nothing_is_decided_before_all_services_and_a_configuration_are_seen() {
    let config = configuration(DUAL);
    let assign = vec!["a: 198.51.100.1 of dual".to_owned()];
    let seen = Event::Applied(service("a"));
    for events in [
        [seen.clone(), Event::Synced, Event::Configured(config.clone())],
        [Event::Configured(config.clone()), seen.clone(), Event::Synced],
        [Event::Synced, seen.clone(), Event::Configured(config.clone())],
    ] {
        let mut allocator = Allocator::new();
        assert_eq!(allocator.apply(Event::Remembered(Vec::new()), Duration::ZERO), []);
        let mut decided = events.into_iter().map(|event| allocator.apply(event, Duration::ZERO)).collect::<Vec<_>>();
        let last: Vec<String> = decided.pop().unwrap().iter().map(show).collect();
        assert!(decided.iter().all(Vec::is_empty), "{decided:?}");
        assert_eq!(last, assign);
    }
}

#[test]
fn what_is_no_longer_ours_is_released_even_without_a_configuration() {
    let mut world = World::default();
    assert_eq!(world.apply(Event::Synced), NONE);
    let mut gone = service("a").holds("dual", &["198.51.100.1"]);
    gone.managed = false;
    assert_eq!(world.put(gone), ["a: released 198.51.100.1"]);
}

#[test]
fn a_service_gets_the_lowest_free_address() {
    let mut world = World::new(DUAL);
    assert_eq!(world.put(service("a")), ["a: 198.51.100.1 of dual"]);
    assert_eq!(world.put(service("b")), ["b: 198.51.100.2 of dual"]);
    assert_eq!(world.put(service("c").families(FamilyPolicy::SingleStack, &[V6])), ["c: 2001:db8::1 of dual"]);
    assert_eq!(world.delete("a"), NONE);
    assert_eq!(world.put(service("d")), ["d: 198.51.100.1 of dual"]);
}

#[test]
fn pools_are_tried_by_priority_then_name_and_only_those_that_assign_by_themselves() {
    let mut world = World::new(&pools(&[
        "b: [198.51.100.2]",
        "a: [198.51.100.1]",
        "first: [198.51.100.9], priority: 1",
        "chosen: [198.51.100.8], priority: 2, autoAssign: false",
    ]));
    for (name, expected) in [
        ("s1", "s1: 198.51.100.9 of first"),
        ("s2", "s2: 198.51.100.1 of a"),
        ("s3", "s3: 198.51.100.2 of b"),
        ("s4", "s4: refused: PoolExhausted"),
    ] {
        assert_eq!(world.put(service(name)), [expected]);
    }
    assert_eq!(world.put(service("s5").asks(Some("chosen"), &[])), ["s5: 198.51.100.8 of chosen"]);
}

#[test]
fn an_object_that_says_what_was_decided_gives_no_decision() {
    let mut world = World::new(DUAL);
    world.put(of_both(RequireDualStack, "a"));
    world.put(service("b").asks(Some("nowhere"), &[]));
    for name in ["a", "b"] {
        assert_eq!(world.edit(name, |service| service), NONE);
    }
    assert_eq!(world.configure(DUAL), NONE);
    assert_eq!(world.apply(Event::Synced), NONE);
}

#[test]
fn what_others_wipe_is_written_again() {
    let mut world = World::new(DUAL);
    let assigned = world.put(service("a"));
    for wipe in [
        |s: &mut Service| s.status.clear(),
        |s: &mut Service| s.status = vec![ip("203.0.113.1")],
        |s: &mut Service| s.record = None,
        |s: &mut Service| s.finalizer = false,
        |s: &mut Service| s.foreign_status = true,
    ] {
        let mut service = world.objects[&key("a")].clone();
        wipe(&mut service);
        assert_eq!(world.put(service), assigned);
    }
}

#[test]
fn an_address_does_not_move_when_a_late_event_shows_an_older_object() {
    let mut world = World::new(DUAL);
    let before = service("b");
    world.put(service("a"));
    world.put(before.clone());
    world.delete("a");
    assert_eq!(world.put(before), ["b: 198.51.100.2 of dual"]);
}

#[test]
fn dual_stack_takes_both_from_one_pool() {
    let four = "four: [198.51.100.10-198.51.100.11], priority: 1";
    let six = "six: ['2001:db8::10-2001:db8::11'], priority: 1";
    let dual = "dual: [198.51.100.1, '2001:db8::1']";
    for (policy, families, expected) in [
        // A pool with both beats an earlier one with one.
        (PreferDualStack, [V4, V6], ["198.51.100.1 2001:db8::1 of dual", "198.51.100.10 of four"]),
        (PreferDualStack, [V6, V4], ["198.51.100.1 2001:db8::1 of dual", "2001:db8::10 of six"]),
        (RequireDualStack, [V4, V6], ["198.51.100.1 2001:db8::1 of dual", "refused: NoDualStackPool"]),
    ] {
        let mut world = World::new(&pools(&[four, six, dual]));
        for (name, expected) in ["a", "b"].into_iter().zip(expected) {
            let decided = world.put(service(name).families(policy, &families));
            assert_eq!(decided, [format!("{name}: {expected}")], "{policy:?} {families:?}");
        }
    }
}

#[test]
fn prefer_dual_stack_takes_the_other_family_when_its_first_is_not_to_be_had() {
    let mut world = World::new(&pools(&["six: ['2001:db8::10']"]));
    assert_eq!(world.put(of_both(PreferDualStack, "a")), ["a: 2001:db8::10 of six"]);
    // A cluster of one family has no use for the other.
    assert_eq!(world.put(service("b").families(PreferDualStack, &[V4])), ["b: refused: NoPoolForFamily"]);
}

#[test]
fn a_second_family_is_added_and_dropped_without_moving_the_first() {
    let mut world = World::new(DUAL);
    world.put(service("a"));
    world.put(service("b"));
    let both = |service: Service| service.families(PreferDualStack, &[V4, V6]);
    let one = |service: Service| service.families(FamilyPolicy::SingleStack, &[V4]);
    assert_eq!(world.edit("b", both), ["b: 198.51.100.2 2001:db8::1 of dual"]);
    assert_eq!(world.edit("b", one), ["b: 198.51.100.2 of dual"]);
    assert_eq!(world.put(both(service("c"))), ["c: 198.51.100.3 2001:db8::1 of dual"]);
}

#[test]
fn a_preferred_second_family_comes_when_it_is_to_be_had() {
    let mut world = World::new(&pools(&["a: [198.51.100.1-198.51.100.9, '2001:db8::1']"]));
    world.put(of_both(PreferDualStack, "a"));
    assert_eq!(world.put(of_both(PreferDualStack, "b")), ["b: 198.51.100.2 of a"]);
    assert_eq!(world.put(service("c").families(FamilyPolicy::SingleStack, &[V6])), ["c: refused: PoolExhausted"]);
    // Who has nothing comes before who has one.
    assert_eq!(world.delete("a"), ["c: 2001:db8::1 of a"]);
    assert_eq!(world.delete("c"), ["b: 198.51.100.2 2001:db8::1 of a"]);
}

#[test]
fn a_request_is_served_or_refused_with_the_reason() {
    let config = "pools:\n- {name: a, addresses: [198.51.100.0/29], exclude: [198.51.100.5]}\n\
                  - {name: b, addresses: ['2001:db8::/64', 203.0.113.1], autoAssign: false}\n";
    let single = service("s");
    let both = of_both(PreferDualStack, "s");
    let required = of_both(RequireDualStack, "s");
    for (service, pool, addresses, expected) in [
        (&single, Some("a"), &[][..], "198.51.100.1 of a"),
        (&single, Some("b"), &[], "203.0.113.1 of b"),
        (&single, None, &["198.51.100.4"], "198.51.100.4 of a"),
        (&single, Some("a"), &["198.51.100.4"], "198.51.100.4 of a"),
        (&single, None, &["203.0.113.1"], "203.0.113.1 of b"),
        (&single, None, &["198.51.100.4", "198.51.100.4"], "198.51.100.4 of a"),
        (&both, None, &["2001:db8::7"], "203.0.113.1 2001:db8::7 of b"),
        (&both, None, &["198.51.100.4"], "198.51.100.4 of a"),
        (&both, None, &["2001:db8::7", "198.51.100.4"], "198.51.100.4 2001:db8::7 of a,b"),
        (&both, Some("b"), &[], "203.0.113.1 2001:db8::1 of b"),
        (&required, None, &["2001:db8::7", "198.51.100.4"], "198.51.100.4 2001:db8::7 of a,b"),
        (&required, None, &["198.51.100.4"], "refused: NoPoolForFamily"),
        (&required, Some("a"), &[], "refused: NoPoolForFamily"),
        (&single, Some("c"), &[], "refused: UnknownPool"),
        (&single, Some("b"), &["198.51.100.4"], "refused: AddressNotInPool"),
        (&single, None, &["203.0.113.200"], "refused: AddressOutsidePools"),
        (&single, None, &["198.51.100.5"], "refused: AddressExcluded"),
        (&both, None, &["2001:db8::"], "refused: AddressExcluded"),
        (&single, None, &["198.51.100.0"], "refused: AddressInUse"),
        (&single, None, &["2001:db8::7"], "refused: AddressOfWrongFamily"),
        (&single, None, &["198.51.100.4", "198.51.100.3"], "refused: TwoAddressesOfOneFamily"),
    ] {
        let mut world = World::new(config);
        world.put(self::service("other").asks(None, &["198.51.100.0"]));
        let decided = world.put(service.clone().asks(pool, addresses));
        assert_eq!(decided, [format!("s: {expected}")], "{:?} {pool:?} {addresses:?}", service.policy);
    }
}

#[test]
fn a_request_that_cannot_be_understood_is_refused_in_its_own_words() {
    let mut world = World::new(DUAL);
    let mut malformed = service("a");
    malformed.request.malformed = Some("landfall.dev/addresses: \"x\" is no address".into());
    let decided = world.allocator.apply(Event::Applied(malformed), world.now);
    let [Decision::Refuse { refusal, .. }] = &decided[..] else { panic!("{decided:?}") };
    assert!(refusal.to_string().contains("\"x\" is no address"), "{refusal}");
}

#[test]
fn a_changed_request_moves_the_service_only_when_it_can_be_had() {
    let mut world = World::new(&pools(&["a: [198.51.100.1-198.51.100.5]", "b: [203.0.113.1]"]));
    world.put(service("a"));
    world.put(service("b").asks(Some("b"), &[]));
    for (pool, addresses, expected) in [
        (None, &["198.51.100.9"][..], "a: 198.51.100.1 of a, kept: AddressOutsidePools"),
        (None, &["203.0.113.1"], "a: 198.51.100.1 of a, kept: AddressInUse"),
        (Some("b"), &[], "a: 198.51.100.1 of a, kept: PoolExhausted"),
        (Some("c"), &[], "a: 198.51.100.1 of a, kept: UnknownPool"),
        (Some("a"), &[], "a: 198.51.100.1 of a"),
        (None, &["198.51.100.4"], "a: 198.51.100.4 of a"),
    ] {
        assert_eq!(world.edit("a", |a| a.asks(pool, addresses)), [expected], "{pool:?} {addresses:?}");
    }
    // Removing a request moves nothing, and what was left is free.
    assert_eq!(world.edit("a", |a| a.asks(None, &[])), NONE);
    assert_eq!(world.put(service("c")), ["c: 198.51.100.1 of a"]);
    assert_eq!(world.edit("a", |a| a.asks(Some("b"), &[])), ["a: 198.51.100.4 of a, kept: PoolExhausted"]);
    assert_eq!(world.delete("b"), ["a: 203.0.113.1 of b"]);
}

#[test]
fn a_requested_address_moves_one_family_and_leaves_the_other() {
    let mut world = World::new(DUAL);
    world.put(of_both(RequireDualStack, "a"));
    let decided = world.edit("a", |a| a.asks(None, &["198.51.100.3"]));
    assert_eq!(decided, ["a: 198.51.100.3 2001:db8::1 of dual"]);
}

#[test]
fn an_edit_of_the_pools_moves_nothing() {
    let before = pools(&["a: [198.51.100.1-198.51.100.3]", "b: [198.51.100.9]"]);
    for (after, expected) in [
        (pools(&["a: [198.51.100.1]", "b: [198.51.100.9]"]), &[][..]),
        (pools(&["a: [198.51.100.2-198.51.100.3]"]), &["a: 198.51.100.1 of a, kept: AddressOutsidePools"]),
        (
            pools(&["a: [198.51.100.1-198.51.100.3], exclude: [198.51.100.1]"]),
            &["a: 198.51.100.1 of a, kept: AddressExcluded"],
        ),
        (pools(&["z: [198.51.100.1-198.51.100.3]"]), &["a: 198.51.100.1 of z"]),
        (pools(&["z: [203.0.113.1], priority: 9", "a: [198.51.100.1]"]), &[]),
        (pools(&["a: [198.51.100.1], autoAssign: false"]), &[]),
        (String::new(), &["a: 198.51.100.1 of a, kept: AddressOutsidePools"]),
    ] {
        let mut world = World::new(&before);
        world.put(service("a"));
        assert_eq!(world.configure(&after), expected, "{after}");
        assert_eq!(world.restart(), NONE, "{after}");
        let healed = world.configure(&before);
        assert_eq!(world.objects[&key("a")].status, [ip("198.51.100.1")], "{after}");
        assert_eq!(healed.len(), expected.len(), "{after}: {healed:?}");
        assert_eq!(world.put(service("b")), ["b: 198.51.100.2 of a"], "{after}");
    }
}

#[test]
fn a_service_that_asked_for_a_pool_keeps_its_address_when_that_goes_to_another_pool() {
    let mut world = World::new(&pools(&["a: [198.51.100.1]"]));
    world.put(service("s").asks(Some("a"), &[]));
    let swapped = pools(&["a: [203.0.113.1]", "b: [198.51.100.1]"]);
    let kept = ["s: 198.51.100.1 of a, kept: AddressNotInPool"];
    assert_eq!(world.configure(&swapped), kept);
    assert_eq!(world.restart(), NONE);
    assert_eq!(world.edit("s", |s| s.asks(Some("b"), &[])), ["s: 198.51.100.1 of b"]);
    assert_eq!(world.edit("s", |s| s.asks(Some("a"), &[])), ["s: 203.0.113.1 of a"]);
}

#[test]
fn a_new_leader_says_that_an_address_fits_again() {
    let (with, without) = (pools(&["a: [198.51.100.1]"]), pools(&["a: [198.51.100.2]"]));
    let mut world = World::new(&with);
    world.put(service("a"));
    assert_eq!(world.configure(&without), ["a: 198.51.100.1 of a, kept: AddressOutsidePools"]);
    world.configure_unseen(&with);
    assert_eq!(world.restart(), ["a: 198.51.100.1 of a"]);
    assert_eq!(world.restart(), NONE);
}

#[test]
fn an_address_that_is_kept_outside_the_pools_is_nobody_elses_when_it_comes_back() {
    let (with, without) = (pools(&["a: [198.51.100.1-198.51.100.2]"]), pools(&["a: [198.51.100.2]"]));
    let mut world = World::new(&with);
    world.put(service("a"));
    world.configure(&without);
    world.configure(&with);
    assert_eq!(world.put(service("b")), ["b: 198.51.100.2 of a"]);
    assert_eq!(world.put(service("c")), ["c: refused: PoolExhausted"]);
}

#[test]
fn the_waiting_are_served_oldest_first_when_something_becomes_free() {
    let mut world = World::new(&pools(&["a: [198.51.100.1]"]));
    assert_eq!(world.put(service("holder")), ["holder: 198.51.100.1 of a"]);
    for (name, created) in [("x", 30), ("y", 10), ("z", 20)] {
        assert_eq!(world.put(service(name).created(created)), [format!("{name}: refused: PoolExhausted")]);
    }
    assert_eq!(world.delete("holder"), ["y: 198.51.100.1 of a"]);
    assert_eq!(world.delete("x"), NONE);
    let wider = pools(&["a: [198.51.100.1-198.51.100.9]"]);
    world.put(service("x").created(30));
    assert_eq!(world.configure(&wider), ["z: 198.51.100.2 of a", "x: 198.51.100.3 of a"]);
}

#[test]
fn a_move_leaves_its_old_address_to_those_who_wait() {
    let mut world = World::new(&pools(&["a: [198.51.100.1]", "b: [203.0.113.1], autoAssign: false"]));
    world.put(service("first"));
    world.put(service("wait"));
    let decided = world.edit("first", |first| first.asks(Some("b"), &[]));
    assert_eq!(decided, ["first: 203.0.113.1 of b", "wait: 198.51.100.1 of a"]);
    // A chain: what a deletion frees is wanted by one that holds what another one wants.
    world.put(service("old").asks(Some("b"), &[]));
    world.edit("wait", |wait| wait.asks(None, &["203.0.113.1"]));
    world.put(service("new").created(i64::MAX));
    world.delete("old");
    assert_eq!(world.delete("first"), ["wait: 203.0.113.1 of b", "new: 198.51.100.1 of a"]);
}

/// Applies an event of which nothing is written.
fn unwritten(world: &mut World, event: Event) -> Vec<String> {
    world.allocator.apply(event, world.now).iter().map(show).collect()
}

#[test]
fn a_released_address_is_nobody_elses_until_the_object_shows_the_release() {
    // The API server wipes the status when the type changes.
    for (shown, what) in [(&["198.51.100.1"][..], "deleted"), (&[], "changed its type")] {
        let mut world = World::new(&pools(&["a: [198.51.100.1]"]));
        world.put(service("a"));
        world.put(service("b"));
        let mut left = world.objects[&key("a")].clone().shows(shown);
        left.managed = false;
        assert_eq!(unwritten(&mut world, Event::Applied(left.clone())), ["a: released 198.51.100.1"], "{what}");
        // Neither another look at either Service nor a new one nor another configuration changes that.
        assert_eq!(unwritten(&mut world, Event::Applied(service("b"))), NONE, "{what}");
        assert_eq!(unwritten(&mut world, Event::Applied(left.clone())), ["a: released 198.51.100.1"], "{what}");
        let asks = service("c").asks(None, &["198.51.100.1"]);
        assert_eq!(unwritten(&mut world, Event::Applied(asks)), ["c: refused: AddressInUse"], "{what}");
        let same = configuration(&pools(&["a: [198.51.100.1]", "b: [203.0.113.1], autoAssign: false"]));
        let told = unwritten(&mut world, Event::Configured(same));
        assert_eq!(told, ["a: released 198.51.100.1"], "{what}");
        let mut written = left;
        (written.record, written.finalizer) = (None, false);
        let told = unwritten(&mut world, Event::Applied(written.shows(&[])));
        assert_eq!(told, ["b: 198.51.100.1 of a"], "{what}");
    }
}

#[test]
fn a_released_address_is_free_when_the_object_is_gone() {
    let mut world = World::new(&pools(&["a: [198.51.100.1]"]));
    world.put(service("a"));
    world.put(service("b"));
    let mut left = world.objects[&key("a")].clone();
    left.managed = false;
    assert_eq!(unwritten(&mut world, Event::Applied(left)), ["a: released 198.51.100.1"]);
    assert_eq!(unwritten(&mut world, Event::Deleted(key("a"))), ["b: 198.51.100.1 of a"]);
}

#[test]
fn an_address_that_is_left_for_another_is_nobody_elses_until_the_object_shows_the_other() {
    let mut world = World::new(&pools(&["a: [198.51.100.1]", "b: [203.0.113.1], autoAssign: false"]));
    world.put(service("a"));
    world.put(service("b"));
    let moving = world.objects[&key("a")].clone().asks(Some("b"), &[]);
    assert_eq!(unwritten(&mut world, Event::Applied(moving.clone())), ["a: 203.0.113.1 of b"]);
    // A wiped status is no word of ours: the write that says the old address may be on its way.
    assert_eq!(unwritten(&mut world, Event::Applied(moving.clone().shows(&[]))), ["a: 203.0.113.1 of b"]);
    let moved = moving.clone().holds("b", &["203.0.113.1"]);
    assert_eq!(unwritten(&mut world, Event::Applied(moved)), ["b: 198.51.100.1 of a"]);
}

#[test]
fn who_wants_its_address_back_before_it_is_let_go_has_it() {
    let mut world = World::new(&pools(&["a: [198.51.100.1-198.51.100.2]"]));
    world.put(service("other"));
    world.put(service("a"));
    world.delete("other");
    let before = world.objects[&key("a")].clone();
    let mut left = before.clone().shows(&[]);
    left.managed = false;
    assert_eq!(unwritten(&mut world, Event::Applied(left)), ["a: released 198.51.100.2"]);
    // The status is wiped, and .1 is free, too.
    assert_eq!(unwritten(&mut world, Event::Applied(before.clone().shows(&[]))), ["a: 198.51.100.2 of a"]);
    let asks = |address| Event::Applied(before.clone().asks(None, &[address]));
    assert_eq!(unwritten(&mut world, asks("198.51.100.1")), ["a: 198.51.100.1 of a"]);
    assert_eq!(unwritten(&mut world, asks("198.51.100.2")), ["a: 198.51.100.2 of a"]);
}

#[test]
fn a_refusal_says_how_full_the_pools_are() {
    let mut world = World::new(&pools(&["a: [198.51.100.1-198.51.100.2]", "b: [203.0.113.1]"]));
    for name in ["a", "b", "c"] {
        world.put(service(name));
    }
    let decided = world.allocator.apply(Event::Applied(service("d")), world.now);
    let usage = |pool: &str, used| Usage { pool: pool.into(), family: V4, used, resting: 0, total: used };
    let refusal = Refusal::Exhausted { usage: vec![usage("a", 2), usage("b", 1)] };
    assert!(refusal.to_string().contains("pool a (2 of 2 IPv4 addresses in use), pool b (1 of 1"), "{refusal}");
    assert_eq!(decided, [Decision::Refuse { key: key("d"), uid: "uid-d".into(), refusal }]);
}

#[test]
fn without_a_pool_to_use_a_refusal_says_which_there_are() {
    assert_eq!(World::new("").put(service("a")), ["a: refused: NoPools"]);
    let mut world = World::new(&pools(&["chosen: [198.51.100.1], autoAssign: false"]));
    let decided = world.allocator.apply(Event::Applied(service("a")), world.now);
    let refusal = Refusal::NoAutoAssign { pools: vec!["chosen".into()] };
    assert_eq!(decided, [Decision::Refuse { key: key("a"), uid: "uid-a".into(), refusal }]);
}

#[test]
fn what_a_service_no_longer_wants_is_released() {
    let mut world = World::new(DUAL);
    world.put(service("a"));
    // The API server wipes the status when the type changes: only the allocator knows what was held.
    let unmanage = |mut service: Service| {
        service.managed = false;
        service.shows(&[])
    };
    assert_eq!(world.edit("a", unmanage), ["a: released 198.51.100.1"]);
    assert_eq!(world.edit("a", |service| service), NONE);
    assert_eq!(world.put(service("b")), ["b: 198.51.100.1 of dual"]);
    // What was never ours is not touched.
    let mut plain = service("c").shows(&["198.51.100.2"]);
    plain.managed = false;
    assert_eq!(world.put(plain), NONE);
    // Not by its finalizer either: other implementations use the same name.
    let mut others = service("c").shows(&["198.51.100.2"]);
    (others.managed, others.finalizer) = (false, true);
    assert_eq!(world.put(others), NONE);
    // After a restart the record alone tells.
    let mut marked = service("d").holds("dual", &["198.51.100.3"]);
    marked.managed = false;
    world.objects.insert(key("d"), marked);
    assert_eq!(world.restart(), ["d: released 198.51.100.3"]);
}

#[test]
fn a_release_that_a_new_leader_has_to_write_comes_before_its_address_is_given() {
    let mut world = World::new(&pools(&["a: [198.51.100.1]"]));
    let mut marked = service("b").holds("a", &["198.51.100.1"]);
    marked.managed = false;
    world.objects = [(key("a"), service("a")), (key("b"), marked)].into();
    let expected = ["b: released 198.51.100.1", "a: refused: PoolExhausted", "a: 198.51.100.1 of a"];
    let mut decided = world.restart();
    decided[..2].sort_by(|one, other| other.cmp(one));
    assert_eq!(decided, expected);
}

#[test]
fn a_service_that_comes_back_before_its_release_is_written_is_assigned_anew() {
    let mut world = World::new(DUAL);
    world.put(service("a"));
    let held = world.objects[&key("a")].clone();
    let mut unmanaged = held.clone();
    unmanaged.managed = false;
    let mut apply = |service| -> Vec<String> {
        world.allocator.apply(Event::Applied(service), world.now).iter().map(show).collect()
    };
    assert_eq!(apply(unmanaged), ["a: released 198.51.100.1"]);
    assert_eq!(apply(held), ["a: 198.51.100.1 of dual"]);
}

#[test]
fn a_finalizer_that_somebody_else_left_does_not_hide_the_refusal() {
    let mut world = World::new("");
    let mut left = service("a");
    left.finalizer = true;
    assert_eq!(world.put(left), ["a: refused: NoPools"]);
}

#[test]
fn a_new_uid_is_another_service() {
    let mut world = World::new(&pools(&["a: [198.51.100.1]"]));
    world.put(service("a"));
    world.put(service("b"));
    let mut again = service("a");
    again.uid = "another".into();
    assert_eq!(world.put(again), ["b: 198.51.100.1 of a", "a: refused: PoolExhausted"]);
}

#[test]
fn a_restart_takes_over_what_services_hold_before_it_gives_anything() {
    let mut world = World::new(DUAL);
    // Older than all, and waiting when the process starts.
    world.objects.insert(key("a"), service("a"));
    world.objects.insert(key("b"), service("b").holds("dual", &["198.51.100.1"]));
    world.objects.insert(key("c"), service("c").holds("dual", &["198.51.100.2"]));
    assert_eq!(world.restart(), ["a: 198.51.100.3 of dual"]);
    assert_eq!(world.restart(), NONE);
}

#[test]
fn a_status_that_we_did_not_write() {
    let with = |change: fn(&mut Service)| {
        let mut service = service("a");
        change(&mut service);
        service
    };
    for (service, expected) in [
        // In a pool and free: it is adopted.
        (service("a").shows(&["198.51.100.3"]), &["a: 198.51.100.3 of dual"][..]),
        // In no pool: somebody else serves it.
        (service("a").shows(&["203.0.113.7"]), &["a: refused: ForeignStatus"]),
        (service("a").shows(&["203.0.113.7"]).asks(Some("dual"), &[]), &["a: refused: ForeignStatus"]),
        (of_both(PreferDualStack, "a").shows(&["198.51.100.3", "2001:db8::7"]), &["a: refused: ForeignStatus"]),
        (with(|service| service.foreign_status = true), &["a: refused: ForeignStatus"]),
        // With our record: ours, whatever the pools have become.
        (service("a").holds("old", &["203.0.113.7"]), &["a: 203.0.113.7 of old, kept: AddressOutsidePools"]),
        // A record without a status counts for nothing.
        (with(|service| service.record = Some("dual".into())), &["a: 198.51.100.1 of dual"]),
    ] {
        let mut world = World::new(DUAL);
        world.objects.insert(key("a"), service.clone());
        assert_eq!(world.restart(), expected, "{service:?}");
        assert_eq!(World::new(DUAL).put(service.clone()), expected, "{service:?}");
    }
}

#[test]
fn what_another_class_serves_loses_what_we_left_on_it_and_keeps_its_status() {
    let leave = |mut service: Service| {
        (service.managed, service.elsewhere) = (false, true);
        service
    };
    let mut world = World::new(&pools(&["a: [198.51.100.1]"]));
    world.put(service("a"));
    world.put(service("b"));
    assert_eq!(world.edit("a", leave), ["a: released 198.51.100.1", "b: 198.51.100.1 of a"]);
    let object = &world.objects[&key("a")];
    assert!(!object.finalizer && object.record.is_none() && object.status == [ip("198.51.100.1")], "{object:?}");
    assert_eq!(world.edit("a", |a| a), NONE);
    // After a restart the record alone tells.
    let marked = leave(service("c").holds("a", &["198.51.100.2"]));
    world.objects.insert(key("c"), marked);
    assert_eq!(world.restart(), ["c: released 198.51.100.2"]);
    assert_eq!(world.objects[&key("c")].status, [ip("198.51.100.2")]);
}

#[test]
fn a_foreign_status_that_goes_away_leaves_a_service_to_serve() {
    let mut world = World::new(DUAL);
    assert_eq!(world.put(service("a").shows(&["203.0.113.7"])), ["a: refused: ForeignStatus"]);
    let object = &world.objects[&key("a")];
    assert!(!object.finalizer && object.record.is_none() && object.status == [ip("203.0.113.7")], "{object:?}");
    assert_eq!(world.edit("a", |a| a), NONE);
    assert_eq!(world.restart(), NONE);
    assert_eq!(world.edit("a", |a| a.shows(&[])), ["a: 198.51.100.1 of dual"]);
}

#[test]
fn of_two_with_one_address_our_record_wins_then_age_then_uid() {
    let one = "198.51.100.1";
    let moved = "198.51.100.2 of dual";
    for (a, b, loser) in [
        (service("a").shows(&[one]), service("b").holds("dual", &[one]), "a"),
        (service("a").holds("dual", &[one]).created(2), service("b").holds("dual", &[one]).created(1), "a"),
        (service("a").holds("dual", &[one]).created(1), service("b").holds("dual", &[one]).created(1), "b"),
    ] {
        let mut world = World::new(DUAL);
        world.objects = [(key("a"), a), (key("b"), b)].into();
        assert_eq!(world.restart(), [format!("{loser}: lost: AddressInUse"), format!("{loser}: {moved}")]);
    }
}

#[test]
fn the_loser_of_an_address_gives_it_up_though_there_is_no_other() {
    let mut world = World::new(&pools(&["a: [198.51.100.1]"]));
    for name in ["a", "b"] {
        world.objects.insert(key(name), service(name).holds("a", &["198.51.100.1"]));
    }
    let told = ["b: lost: AddressInUse", "b: released 198.51.100.1", "b: refused: PoolExhausted"];
    assert_eq!(world.restart(), told);
    assert_eq!(world.delete("a"), ["b: 198.51.100.1 of a"]);
}

#[test]
fn the_loser_of_one_family_keeps_the_other() {
    let mut world = World::new(DUAL);
    world.objects.insert(key("a"), service("a").holds("dual", &["198.51.100.1"]));
    let both = of_both(RequireDualStack, "b").holds("dual", &["198.51.100.1", "2001:db8::2"]);
    world.objects.insert(key("b"), both);
    assert_eq!(world.restart(), ["b: lost: AddressInUse", "b: 198.51.100.2 2001:db8::2 of dual"]);
}

#[test]
fn messages_stay_short_however_much_is_configured() {
    let many: Vec<String> = (0..100).map(|n| format!("p{n}: [198.51.100.{n}], autoAssign: false")).collect();
    let mut world = World::new(&pools(&many.iter().map(String::as_str).collect::<Vec<_>>()));
    let decided = world.allocator.apply(Event::Applied(service("a")), world.now);
    let [Decision::Refuse { refusal, .. }] = &decided[..] else { panic!("{decided:?}") };
    assert!(refusal.to_string().ends_with("and 96 more"), "{refusal}");
}
