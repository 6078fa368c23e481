//! `spec.ipFamilies` and `spec.ipFamilyPolicy`.

use super::*;
use FamilyPolicy::SingleStack;

#[test]
fn a_service_that_changes_its_families_keeps_the_address_that_still_fits() {
    for (policy, families, expected) in [
        (SingleStack, &[V4][..], "a: 198.51.100.2 of dual"),
        (SingleStack, &[V6], "a: 2001:db8::1 of dual"),
        (PreferDualStack, &[V6], "a: 2001:db8::1 of dual"),
        (SingleStack, &[V6, V4], "a: 2001:db8::1 of dual"),
    ] {
        let mut world = World::new(DUAL);
        world.put(service("first"));
        world.put(of_both(RequireDualStack, "a"));
        assert_eq!(world.edit("a", |a| a.families(policy, families)), [expected], "{policy:?} {families:?}");
        let again = world.edit("a", |a| a.families(RequireDualStack, &[V6, V4]));
        assert_eq!(again, ["a: 198.51.100.2 2001:db8::1 of dual"]);
    }
}

#[test]
fn what_is_required_and_not_to_be_had_leaves_a_service_what_it_has() {
    let mut world = World::new(&pools(&["a: [198.51.100.1]", "b: ['2001:db8::1']"]));
    world.put(service("s"));
    let decided = world.edit("s", |s| s.families(RequireDualStack, &[V4, V6]));
    assert_eq!(decided, ["s: 198.51.100.1 of a, kept: NoPoolForFamily"]);
    assert_eq!(world.restart(), NONE);
}

#[test]
fn both_required_are_given_together_or_not_at_all() {
    let mut world = World::new(&pools(&["a: [198.51.100.1, '2001:db8::1']", "b: [198.51.100.9]"]));
    world.put(service("six").families(SingleStack, &[V6]));
    assert_eq!(world.put(of_both(RequireDualStack, "s")), ["s: refused: NoDualStackPool"]);
    assert_eq!(world.put(service("four")), ["four: 198.51.100.1 of a"]);
    assert_eq!(world.delete("six"), NONE);
    assert_eq!(world.delete("four"), ["s: 198.51.100.1 2001:db8::1 of a"]);
}

#[test]
fn the_status_lists_ipv4_first_whatever_the_order_of_the_families() {
    let mut world = World::new(DUAL);
    let six_first = service("a").families(RequireDualStack, &[V6, V4]);
    assert_eq!(world.put(six_first), ["a: 198.51.100.1 2001:db8::1 of dual"]);
    let asks = service("b").families(RequireDualStack, &[V6, V4]).asks(None, &["2001:db8::2", "198.51.100.3"]);
    assert_eq!(world.put(asks), ["b: 198.51.100.3 2001:db8::2 of dual"]);
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
    let one = |service: Service| service.families(SingleStack, &[V4]);
    assert_eq!(world.edit("b", both), ["b: 198.51.100.2 2001:db8::1 of dual"]);
    assert_eq!(world.edit("b", one), ["b: 198.51.100.2 of dual"]);
    assert_eq!(world.put(both(service("c"))), ["c: 198.51.100.3 2001:db8::1 of dual"]);
}

#[test]
fn a_preferred_second_family_comes_when_it_is_to_be_had() {
    let mut world = World::new(&pools(&["a: [198.51.100.1-198.51.100.9, '2001:db8::1']"]));
    world.put(of_both(PreferDualStack, "a"));
    assert_eq!(world.put(of_both(PreferDualStack, "b")), ["b: 198.51.100.2 of a"]);
    assert_eq!(world.put(service("c").families(SingleStack, &[V6])), ["c: refused: PoolExhausted"]);
    // Who has nothing comes before who has one.
    assert_eq!(world.delete("a"), ["c: 2001:db8::1 of a"]);
    assert_eq!(world.delete("c"), ["b: 198.51.100.2 2001:db8::1 of a"]);
}

#[test]
fn a_pool_under_another_name_completes_what_was_waiting() {
    let mut world = World::new(&pools(&["a: [198.51.100.1]"]));
    world.put(service("s"));
    let both = |s: Service| s.families(RequireDualStack, &[V4, V6]);
    assert_eq!(world.edit("s", both), ["s: 198.51.100.1 of a, kept: NoPoolForFamily"]);
    let renamed = pools(&["z: [198.51.100.1, '2001:db8::1']"]);
    assert_eq!(world.configure(&renamed), ["s: 198.51.100.1 2001:db8::1 of z"]);
}
