//! What the user asks for, by annotation or `spec.loadBalancerIP`.

use super::*;

const FOUR: &str = "four: [198.51.100.1-198.51.100.9]";
const SIX: &str = "six: ['2001:db8:6::1-2001:db8:6::9']";
const BESIDE: &str = "z-dual: [203.0.113.1, '2001:db8::1-2001:db8::2']";

#[test]
fn beside_one_requested_address_the_other_family_is_chosen_from_the_same_pool_first() {
    for policy in [PreferDualStack, RequireDualStack] {
        let mut world = World::new(&pools(&[FOUR, SIX, BESIDE]));
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
    let words = "landfall.dev/addresses: \"x\" is no address";
    malformed.rare = Request { malformed: Some(words.into()), ..Request::default() }.boxed();
    let decided = world.allocator.apply(seen(malformed), world.now);
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
fn a_request_takes_no_live_family_away() {
    let kept = |why: &str| vec![format!("a: 198.51.100.1 2001:db8::1 of a, kept: {why}")];
    for (b, by_pool, by_number) in [
        ("b: [203.0.113.1, '2001:db8:b::1']", kept("NoDualStackPool"), kept("PoolExhausted")),
        ("b: [203.0.113.1]", kept("NoPoolForFamily"), Vec::new()),
    ] {
        let mut world = World::new(&pools(&["a: [198.51.100.1, '2001:db8::1']", b]));
        world.put(service("b").asks(Some("b"), &[]).families(FamilyPolicy::SingleStack, &[V6]));
        world.put(of_both(PreferDualStack, "a"));
        assert_eq!(world.edit("a", |a| a.asks(Some("b"), &[])), by_pool);
        assert_eq!(world.edit("a", |a| a.asks(Some("b"), &["203.0.113.1"])), by_number);
        assert_eq!(world.restart(), NONE);
        assert_eq!(world.edit("a", |a| a.asks(None, &[])), ["a: 198.51.100.1 2001:db8::1 of a"]);
    }
    // Both move once both are to be had; and who has one family moves by that one.
    let mut world = World::new(&pools(&["a: [198.51.100.1, '2001:db8::1']", "b: [203.0.113.1, '2001:db8:b::1']"]));
    world.put(service("b").asks(Some("b"), &[]).families(FamilyPolicy::SingleStack, &[V6]));
    world.put(of_both(PreferDualStack, "a").asks(Some("a"), &[]));
    world.edit("a", |a| a.asks(Some("b"), &[]));
    assert_eq!(world.delete("b"), ["a: 203.0.113.1 2001:db8:b::1 of b"]);
    let mut world = World::new(&pools(&["a: [198.51.100.1]", "b: [203.0.113.1, '2001:db8:b::1']"]));
    world.put(service("b").asks(Some("b"), &[]).families(FamilyPolicy::SingleStack, &[V6]));
    world.put(of_both(PreferDualStack, "a").asks(Some("a"), &[]));
    assert_eq!(world.edit("a", |a| a.asks(Some("b"), &[])), ["a: 203.0.113.1 of b"]);
}

#[test]
fn a_requested_address_moves_one_family_and_leaves_the_other() {
    let mut world = World::new(DUAL);
    world.put(of_both(RequireDualStack, "a"));
    let decided = world.edit("a", |a| a.asks(None, &["198.51.100.3"]));
    assert_eq!(decided, ["a: 198.51.100.3 2001:db8::1 of dual"]);
}
