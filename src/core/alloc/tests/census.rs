//! What can be counted.

use super::*;

/// The usage of each pool, as `pool family: used of total`.
fn usage(world: &World) -> Vec<String> {
    let line = |Usage { pool, family, used, total, .. }: Usage| format!("{pool} {family}: {used} of {total}");
    world.allocator.usage().map(line).collect()
}

#[test]
fn services_are_counted_by_what_was_decided_last_and_by_its_reason() {
    let mut world = World::new(&pools(&["a: [198.51.100.1-198.51.100.2]"]));
    assert_eq!(world.allocator.census(), Census::default());
    for name in ["s1", "s2", "s3", "s4"] {
        world.put(service(name));
    }
    world.put(service("other").asks(Some("none"), &[]));
    let refused = BTreeMap::from([("PoolExhausted", 2), ("UnknownPool", 1)]);
    assert_eq!(world.allocator.census(), Census { allocated: 2, kept: BTreeMap::new(), refused: refused.clone() });
    world.configure(&pools(&["a: [198.51.100.2]"]));
    let kept = BTreeMap::from([("AddressOutsidePools", 1)]);
    assert_eq!(world.allocator.census(), Census { allocated: 1, kept, refused });
    ["s1", "s2", "s3", "s4", "other"].into_iter().for_each(|name| drop(world.delete(name)));
    assert_eq!(world.allocator.census(), Census::default());
}

#[test]
fn a_pools_usage_counts_what_it_hands_out_by_family() {
    let mut world = World::new(&pools(&["b: [198.51.100.1-198.51.100.3]", "a: ['2001:db8::/64']"]));
    world.put(service("s1"));
    world.put(service("s2"));
    assert_eq!(usage(&world), ["a IPv6: 0 of 18446744073709551615", "b IPv4: 2 of 3"]);
    world.reserve(Reserved::from([("198.51.100.3".parse().unwrap(), Reserve::Node("n1".into()))]));
    world.delete("s1");
    assert_eq!(usage(&world), ["a IPv6: 0 of 18446744073709551615", "b IPv4: 1 of 2"]);
}

#[test]
fn no_pool_seems_empty_before_all_services_are_seen() {
    let mut allocator = Allocator::new();
    for (event, known) in
        [(Event::Remembered(Vec::new()), 0), (Event::Configured(configuration(DUAL)), 0), (Event::Synced, 2)]
    {
        allocator.apply(event, Duration::ZERO);
        assert_eq!(allocator.usage().count(), known);
    }
}
