//! Edits of the pools, over what is live.

use super::*;
use crate::addr::Family;

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
        assert_eq!(world.objects[&key("a")].status[..], [ip("198.51.100.1")], "{after}");
        assert_eq!(healed.len(), expected.len(), "{after}: {healed:?}");
        assert_eq!(world.put(service("b")), ["b: 198.51.100.2 of a"], "{after}");
    }
}

#[test]
fn what_no_longer_fits_moves_where_the_service_migrates_and_all_of_it_can() {
    let (v4, both) = (pools(&["a: [198.51.100.1]"]), pools(&["a: [198.51.100.1, '2001:db8::1']"]));
    let mut world = World::new(&v4);
    world.put(service("s"));
    let kept = ["s: 198.51.100.1 of a, kept: AddressOutsidePools"];
    assert_eq!(world.configure(&pools(&["b: [203.0.113.1]"])), kept);
    assert_eq!(world.edit("s", Service::migrates), ["s: 203.0.113.1 of b"]);
    // There is nothing for it now: it stays, and moves once there is.
    assert_eq!(
        world.configure(&pools(&["c: [203.0.113.9], autoAssign: false"])),
        ["s: 203.0.113.1 of b, kept: AddressOutsidePools"]
    );
    assert_eq!(world.configure(&pools(&["c: [203.0.113.9]"])), ["s: 203.0.113.9 of c"]);
    assert_eq!(world.restart(), NONE);

    let mut world = World::new(&both);
    world.put(service("d").families(FamilyPolicy::PreferDualStack, &[Family::V4, Family::V6]).migrates());
    let [half] = &world.configure(&pools(&["b: [203.0.113.1]"]))[..] else { panic!("one decision") };
    assert!(half.contains("198.51.100.1 2001:db8::1") && half.contains("kept"), "{half}");
    let whole = world.configure(&pools(&["b: [203.0.113.1, '2001:db8:1::1']"]));
    assert_eq!(whole, ["d: 203.0.113.1 2001:db8:1::1 of b"]);
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
