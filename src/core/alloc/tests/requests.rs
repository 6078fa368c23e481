//! Requests of dual-stack Services.

use super::*;

const FOUR: &str = "four: [198.51.100.1-198.51.100.9]";
const SIX: &str = "six: ['2001:db8:6::1-2001:db8:6::9']";
const DUAL: &str = "z-dual: [203.0.113.1, '2001:db8::1-2001:db8::2']";

#[test]
fn beside_one_requested_address_the_other_family_is_chosen_from_the_same_pool_first() {
    for policy in [PreferDualStack, RequireDualStack] {
        let mut world = World::new(&pools(&[FOUR, SIX, DUAL]));
        for (name, address, expected) in [
            ("a", "203.0.113.1", "a: 203.0.113.1 2001:db8::1 of z-dual"),
            // The pool has none left, or none at all: another one has.
            ("b", "2001:db8::2", "b: 198.51.100.1 2001:db8::2 of four,z-dual"),
            ("c", "198.51.100.7", "c: 198.51.100.7 2001:db8:6::1 of four,six"),
        ] {
            assert_eq!(world.put(of_both(policy, name).asks(None, &[address])), [expected], "{policy:?}");
        }
        assert_eq!(world.restart(), NONE);
    }
}

#[test]
fn beside_a_requested_address_of_a_requested_pool_no_other_pool_gives_any() {
    let mut world = World::new(&pools(&[FOUR, SIX]));
    let asks = |policy| of_both(policy, "a").asks(Some("four"), &["198.51.100.7"]);
    assert_eq!(world.put(asks(RequireDualStack)), ["a: refused: NoPoolForFamily"]);
    assert_eq!(world.put(asks(PreferDualStack)), ["a: 198.51.100.7 of four"]);
}

#[test]
fn the_other_family_of_a_requested_address_comes_when_it_is_to_be_had() {
    let mut world = World::new(&pools(&[FOUR, "six: ['2001:db8:6::1']"]));
    world.put(service("first").families(FamilyPolicy::SingleStack, &[V6]));
    let asks = |policy, name, address| of_both(policy, name).asks(None, &[address]);
    assert_eq!(world.put(asks(RequireDualStack, "a", "198.51.100.7")), ["a: refused: PoolExhausted"]);
    assert_eq!(world.put(asks(PreferDualStack, "b", "198.51.100.8")), ["b: 198.51.100.8 of four"]);
    assert_eq!(world.delete("first"), ["a: 198.51.100.7 2001:db8:6::1 of four,six"]);
    assert_eq!(world.delete("a"), ["b: 198.51.100.8 2001:db8:6::1 of four,six"]);
}
