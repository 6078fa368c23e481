//! Addresses that are never handed out.

use super::*;

fn reserve(world: &mut World, address: &str) -> Vec<String> {
    world.reserve([(ip(address), Reserve::Node("n1".into()))].into())
}

#[test]
fn a_nodes_own_address_is_never_handed_out() {
    let mut world = World::new(&pools(&["a: [198.51.100.1-198.51.100.3]"]));
    assert_eq!(reserve(&mut world, "198.51.100.1"), NONE);
    assert_eq!(world.put(service("a")), ["a: 198.51.100.2 of a"]);
    assert_eq!(world.put(service("b").asks(None, &["198.51.100.1"])), ["b: refused: AddressReserved"]);
    assert_eq!(world.put(service("c")), ["c: 198.51.100.3 of a"]);
    assert_eq!(world.put(service("d")), ["d: refused: PoolExhausted"]);
    assert_eq!(world.restart(), NONE);
    // The node is gone.
    assert_eq!(world.reserve(Reserved::new()), ["b: 198.51.100.1 of a", "d: refused: PoolExhausted"]);
}

#[test]
fn a_live_address_that_becomes_a_nodes_is_kept_and_reported() {
    let mut world = World::new(&pools(&["a: [198.51.100.1-198.51.100.3]"]));
    world.put(service("a"));
    assert_eq!(reserve(&mut world, "198.51.100.1"), ["a: 198.51.100.1 of a, kept: AddressReserved"]);
    assert_eq!(world.restart(), NONE);
    world.delete("a");
    assert_eq!(world.put(service("b")), ["b: 198.51.100.2 of a"]);
}

#[test]
fn a_refusal_counts_no_reserved_address() {
    let mut world = World::new(&pools(&["a: [198.51.100.1-198.51.100.2]"]));
    reserve(&mut world, "198.51.100.1");
    world.put(service("a"));
    let decided = world.allocator.apply(seen(service("b")), world.now);
    let usage = Usage { pool: "a".into(), family: V4, used: 1, resting: 0, total: 1 };
    let refusal = Refusal::Exhausted { usage: [usage].into_iter().collect() };
    assert_eq!(decided, [Decision::Refuse { key: key("b"), uid: "uid-b".into(), refusal }]);
}

/// Foreign hosts use these.
fn in_use(world: &mut World, addresses: &[&str]) -> Vec<String> {
    world.reserve(addresses.iter().map(|address| (ip(address), Reserve::InUse("02:00:00:00:00:66".into()))).collect())
}

#[test]
fn an_address_that_a_foreign_host_uses_is_left_for_another_one_before_it_was_ever_announced() {
    let mut world = World::new(&pools(&["a: [198.51.100.1-198.51.100.3]"]));
    world.put(service("a"));
    assert_eq!(in_use(&mut world, &["198.51.100.1"]), ["a: lost: AddressConflict", "a: 198.51.100.2 of a"]);
    assert_eq!(world.restart(), NONE);
    assert_eq!(world.put(service("b").asks(None, &["198.51.100.1"])), ["b: refused: AddressConflict"]);
    assert_eq!(world.put(service("c")), ["c: 198.51.100.3 of a"], "it is never handed out while it is in use");
    // The foreign host has gone.
    assert_eq!(in_use(&mut world, &[]), ["b: 198.51.100.1 of a"]);
}

#[test]
fn one_family_of_two_is_left_and_the_other_stays() {
    let mut world = World::new(&pools(&["a: [198.51.100.1-198.51.100.3, '2001:db8::1-2001:db8::3']"]));
    world.put(service("a").families(FamilyPolicy::RequireDualStack, &[V4, V6]));
    assert_eq!(in_use(&mut world, &["2001:db8::1"]), ["a: lost: AddressConflict", "a: 198.51.100.1 2001:db8::2 of a"]);
}

#[test]
fn an_address_in_use_is_kept_where_it_was_announced_asked_for_shared_or_nothing_else_is_free() {
    let kept = ["a: 198.51.100.1 of a, kept: AddressConflict"];
    let two = pools(&["a: [198.51.100.1-198.51.100.2]"]);
    let announced = Service { announced: 1, ..service("a") };
    for (pools, service) in [
        (&two, announced),
        (&two, service("a").asks(None, &["198.51.100.1"])),
        // Another implementation's: its clients know it.
        (&two, service("a").shows(&["198.51.100.1"])),
        (&pools(&["a: [198.51.100.1]"]), service("a")),
    ] {
        let mut world = World::new(pools);
        world.put(service);
        assert_eq!(in_use(&mut world, &["198.51.100.1"]), kept);
    }
    let mut world = World::new(&two);
    world.put(service("a").shares("k", &[80]));
    world.put(service("b").shares("k", &[81]));
    let both = in_use(&mut world, &["198.51.100.1"]);
    assert_eq!(both, [kept[0], "b: 198.51.100.1 of a, kept: AddressConflict"]);
}

#[test]
fn a_service_leaves_three_addresses_at_most() {
    let mut world = World::new(&pools(&["a: [198.51.100.1-198.51.100.9]"]));
    world.put(service("a"));
    let all = ["198.51.100.1", "198.51.100.2", "198.51.100.3", "198.51.100.4"];
    for (count, address) in [(1, 2), (2, 3), (3, 4)] {
        let moved = format!("a: 198.51.100.{address} of a");
        assert_eq!(in_use(&mut world, &all[..count]), ["a: lost: AddressConflict", &moved]);
    }
    assert_eq!(in_use(&mut world, &all), ["a: 198.51.100.4 of a, kept: AddressConflict"]);
}

#[test]
fn what_was_adopted_or_has_left_three_addresses_stays_where_it_is_after_a_restart_too() {
    let all = ["198.51.100.1", "198.51.100.2", "198.51.100.3", "198.51.100.4"];
    let mut world = World::new(&pools(&["a: [198.51.100.1-198.51.100.9]"]));
    world.put(service("a").shows(&all[..1]));
    assert_eq!(in_use(&mut world, &all[..1]), ["a: 198.51.100.1 of a, kept: AddressConflict"]);
    assert_eq!(world.restart(), NONE);
    // Also where the foreign host comes later, and where somebody has wiped our word of it.
    in_use(&mut world, &[]);
    let wiped = world.edit("a", |mut a| {
        a.settle(false);
        a
    });
    assert_eq!(wiped, ["a: 198.51.100.1 of a"]);
    world.restart();
    assert_eq!(in_use(&mut world, &all[..1]), ["a: 198.51.100.1 of a, kept: AddressConflict"]);
    let mut world = World::new(&pools(&["a: [198.51.100.1-198.51.100.9]"]));
    world.put(service("a"));
    (1..=all.len()).for_each(|count| _ = in_use(&mut world, &all[..count]));
    assert_eq!(world.objects[&key("a")].status[..], [ip("198.51.100.4")]);
    assert_eq!(world.restart(), NONE);
}

#[test]
fn ten_addresses_of_a_pool_are_left_at_most() {
    let mut world = World::new(&pools(&["a: [198.51.100.1-198.51.100.99]", "b: [203.0.113.1-203.0.113.9]"]));
    for number in 0..12 {
        world.put(service("a").created(number).named(&format!("a{number}")));
    }
    world.put(service("b").asks(Some("b"), &[]));
    let used: Vec<String> = (1..=12).map(|last| format!("198.51.100.{last}")).chain(["203.0.113.1".into()]).collect();
    let said = in_use(&mut world, &used.iter().map(String::as_str).collect::<Vec<_>>());
    let (lost, kept) = (|line: &&String| line.contains("lost"), |line: &&String| line.contains("kept"));
    assert_eq!((said.iter().filter(lost).count(), said.iter().filter(kept).count()), (11, 2), "{said:?}");
    assert!(said.contains(&"b: 203.0.113.2 of b".to_owned()), "each pool has its own: {said:?}");
}
