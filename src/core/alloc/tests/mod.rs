//! The rules of allocation, one by one.

mod census;
mod edits;
mod families;
mod limits;
mod memory;
mod release;
mod requests;
mod reserved;
mod restrictions;
mod sharing;
mod strangers;
mod table;
mod waiting;

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
    let seen = seen(service("a"));
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
fn an_address_does_not_move_when_a_late_event_shows_an_older_object() {
    let mut world = World::new(DUAL);
    let before = service("b");
    world.put(service("a"));
    world.put(before.clone());
    world.delete("a");
    assert_eq!(world.put(before), ["b: 198.51.100.2 of dual"]);
}

#[test]
fn a_refusal_says_how_full_the_pools_are() {
    let mut world = World::new(&pools(&["a: [198.51.100.1-198.51.100.2]", "b: [203.0.113.1]"]));
    for name in ["a", "b", "c"] {
        world.put(service(name));
    }
    let decided = world.allocator.apply(seen(service("d")), world.now);
    let usage = |pool: &str, used| Usage { pool: pool.into(), family: V4, used, resting: 0, total: used };
    let refusal = Refusal::Exhausted { usage: [usage("a", 2), usage("b", 1)].into_iter().collect() };
    assert!(refusal.to_string().contains("pool a (2 of 2 IPv4 addresses in use), pool b (1 of 1"), "{refusal}");
    assert_eq!(decided, [Decision::Refuse { key: key("d"), uid: "uid-d".into(), refusal }]);
}

#[test]
fn without_a_pool_to_use_a_refusal_says_which_there_are() {
    assert_eq!(World::new("").put(service("a")), ["a: refused: NoPools"]);
    let mut world = World::new(&pools(&["chosen: [198.51.100.1], autoAssign: false"]));
    let decided = world.allocator.apply(seen(service("a")), world.now);
    let refusal = Refusal::NoAutoAssign { pools: ["chosen".to_owned()].into_iter().collect() };
    assert_eq!(decided, [Decision::Refuse { key: key("a"), uid: "uid-a".into(), refusal }]);
}

#[test]
fn messages_stay_short_however_much_is_configured() {
    let many: Vec<String> = (0..100).map(|n| format!("p{n}: [198.51.100.{n}], autoAssign: false")).collect();
    let mut world = World::new(&pools(&many.iter().map(String::as_str).collect::<Vec<_>>()));
    let decided = world.allocator.apply(seen(service("a")), world.now);
    let [Decision::Refuse { refusal, .. }] = &decided[..] else { panic!("{decided:?}") };
    assert!(refusal.to_string().ends_with("and 96 more"), "{refusal}");
}
