//! Who waits, and what it takes for their turn to come.

use super::*;

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
