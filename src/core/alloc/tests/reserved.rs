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
    let usage = vec![Usage { pool: "a".into(), family: V4, used: 1, resting: 0, total: 1 }];
    let refusal = Refusal::Exhausted { usage };
    assert_eq!(decided, [Decision::Refuse { key: key("b"), uid: "uid-b".into(), refusal }]);
}
