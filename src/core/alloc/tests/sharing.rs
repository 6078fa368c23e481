//! Several Services at one address.

use super::*;

fn single() -> World {
    World::new(&pools(&["a: [198.51.100.1]"]))
}

#[test]
fn services_with_one_key_and_disjoint_ports_share_an_address() {
    let mut world = single();
    assert_eq!(world.put(service("a").shares("k", &[80])), ["a: 198.51.100.1 of a"]);
    assert_eq!(world.put(service("b").shares("k", &[443, 8443])), ["b: 198.51.100.1 of a"]);
    for (other, expected) in [
        (service("c").shares("k", &[80]), "c: refused: PoolExhausted"),
        (service("d").shares("l", &[81]), "d: refused: PoolExhausted"),
        (service("e"), "e: refused: PoolExhausted"),
        (service("f").shares("k", &[82]).local("web"), "f: refused: PoolExhausted"),
        (service("g").shares("k", &[83]).of("elsewhere"), "g: refused: PoolExhausted"),
        (service("h").shares("k", &[84]), "h: 198.51.100.1 of a"),
    ] {
        assert_eq!(world.put(other), [expected]);
    }
    assert_eq!(world.restart(), NONE);
}

#[test]
fn a_requested_address_that_cannot_be_shared_says_why() {
    let config = "pools:\n- {name: a, addresses: [198.51.100.1]}\n\
                  - {name: all, addresses: [198.51.100.2], sharing: all}\n\
                  - {name: none, addresses: [198.51.100.3], sharing: none}\n";
    for (address, holder, other, expected) in [
        ("198.51.100.1", service("a"), service("b"), "refused: AddressInUse"),
        ("198.51.100.1", service("a").shares("k", &[80]), service("b"), "refused: AddressInUse"),
        ("198.51.100.1", service("a").shares("k", &[80]), service("b").shares("l", &[443]), "refused: AddressInUse"),
        (
            "198.51.100.1",
            service("a").shares("k", &[80]),
            service("b").shares("k", &[443, 80]),
            "refused: SharingPortConflict",
        ),
        (
            "198.51.100.1",
            service("a").shares("k", &[80]),
            service("b").shares("k", &[443]).local("web"),
            "refused: SharingPolicyConflict",
        ),
        (
            "198.51.100.1",
            service("a").shares("k", &[80]).local("web"),
            service("b").shares("k", &[443]).local("api"),
            "refused: SharingSelectorConflict",
        ),
        (
            "198.51.100.2",
            service("a").shares("k", &[80]).local("web"),
            service("b").shares("k", &[443]).local("web").of("elsewhere"),
            "refused: SharingSelectorConflict",
        ),
        (
            "198.51.100.1",
            service("a").shares("k", &[80]),
            service("b").shares("k", &[443]).of("elsewhere"),
            "refused: SharingNotAllowed",
        ),
        (
            "198.51.100.3",
            service("a").shares("k", &[80]),
            service("b").shares("k", &[443]),
            "refused: SharingNotAllowed",
        ),
        ("198.51.100.1", service("a").shares("k", &[80]), service("b").shares("k", &[443]), "198.51.100.1 of a"),
        (
            "198.51.100.1",
            service("a").shares("k", &[80]).local("web"),
            service("b").shares("k", &[443]).local("web"),
            "198.51.100.1 of a",
        ),
        (
            "198.51.100.2",
            service("a").shares("k", &[80]),
            service("b").shares("k", &[443]).of("elsewhere"),
            "198.51.100.2 of all",
        ),
    ] {
        let mut world = World::new(config);
        world.put(holder.asks(None, &[address]));
        assert_eq!(world.put(other.clone().asks(None, &[address])), [format!("b: {expected}")], "{address} {other:?}");
    }
}

#[test]
fn a_key_without_a_request_joins_its_lowest_address_that_fits_else_takes_a_new_one() {
    let mut world =
        World::new(&pools(&["a: [198.51.100.1-198.51.100.9]", "b: [203.0.113.1], priority: 9, autoAssign: false"]));
    let asks = |service: Service, address| service.asks(None, &[address]);
    world.put(asks(service("high").shares("k", &[80]), "198.51.100.7"));
    world.put(asks(service("low").shares("k", &[80]), "198.51.100.5"));
    world.put(asks(service("chosen").shares("k", &[80]), "203.0.113.1"));
    for (name, ports, expected) in [
        ("a", &[443][..], "a: 198.51.100.5 of a"),
        ("b", &[443], "b: 198.51.100.7 of a"),
        // A pool without autoAssign is for those alone that ask for it.
        ("c", &[443], "c: 198.51.100.1 of a"),
        ("d", &[80], "d: 198.51.100.1 of a"),
        ("e", &[22], "e: 198.51.100.1 of a"),
    ] {
        assert_eq!(world.put(service(name).shares("k", ports)), [expected]);
    }
    assert_eq!(world.put(service("f").shares("k", &[443]).asks(Some("b"), &[])), ["f: 203.0.113.1 of b"]);
    assert_eq!(world.restart(), NONE);
}

#[test]
fn of_two_families_both_are_shared_or_neither() {
    let mut world = World::new(&pools(&["a: [198.51.100.1-198.51.100.5, '2001:db8::1-2001:db8::5']"]));
    let both = |name, port| of_both(RequireDualStack, name).shares("k", &[port]);
    let six = |name, port| service(name).families(FamilyPolicy::SingleStack, &[V6]).shares("k", &[port]);
    assert_eq!(world.put(both("a", 80)), ["a: 198.51.100.1 2001:db8::1 of a"]);
    assert_eq!(world.put(both("b", 443)), ["b: 198.51.100.1 2001:db8::1 of a"]);
    assert_eq!(world.put(six("c", 22)), ["c: 2001:db8::1 of a"]);
    // Its port is free on one of the two alone.
    assert_eq!(world.put(both("d", 22)), ["d: 198.51.100.2 2001:db8::2 of a"]);
    assert_eq!(world.restart(), NONE);
    // Who loses one of them loses both.
    let changed = world.edit("b", |b| b.shares("k", &[22]));
    assert_eq!(changed, ["b: lost: SharingPortConflict", "b: 198.51.100.3 2001:db8::3 of a"]);
}

#[test]
fn who_shares_one_address_gets_no_other_family_of_its_own() {
    let mut world = World::new(&pools(&["a: [198.51.100.1-198.51.100.5, '2001:db8::1-2001:db8::5']"]));
    world.put(service("a").shares("k", &[80]));
    world.put(service("b").shares("k", &[443]));
    let required = |b: Service| b.families(RequireDualStack, &[V4, V6]);
    assert_eq!(world.edit("b", required), ["b: 198.51.100.1 of a, kept: SharingIncomplete"]);
    let preferred = |b: Service| b.families(PreferDualStack, &[V4, V6]);
    assert_eq!(world.edit("b", preferred), ["b: 198.51.100.1 of a"]);
    // By number the user may have it otherwise, and alone it is free to.
    assert_eq!(world.edit("b", |b| b.asks(None, &["198.51.100.1"])), ["b: 198.51.100.1 2001:db8::1 of a"]);
    assert_eq!(world.edit("a", preferred), ["a: 198.51.100.1 2001:db8::1 of a"]);
}

#[test]
fn who_is_left_alone_at_an_address_gets_its_other_family() {
    let mut world = World::new(&pools(&["a: [198.51.100.1-198.51.100.5, '2001:db8::1-2001:db8::5']"]));
    world.put(service("a").shares("k", &[80]));
    world.put(service("b").shares("k", &[443]));
    assert_eq!(world.edit("b", |b| b.families(PreferDualStack, &[V4, V6])), NONE);
    assert_eq!(world.delete("a"), ["b: 198.51.100.1 2001:db8::1 of a"]);
}

#[test]
fn the_member_that_changes_loses_and_its_neighbours_keep_theirs() {
    type Change = fn(Service) -> Service;
    let changes: [(Change, &str); 5] = [
        (|b| b.shares("k", &[80]), "SharingPortConflict"),
        (|b| b.shares("l", &[443]), "SharingKeyConflict"),
        (|b| b.local("web"), "SharingPolicyConflict"),
        (
            |mut b| {
                b.share = None;
                b
            },
            "SharingKeyConflict",
        ),
        (|b| b.shares("k", &[81, 80]), "SharingPortConflict"),
    ];
    for (change, why) in changes {
        let lost = format!("b: lost: {why}");
        let mut world = World::new(&pools(&["a: [198.51.100.1-198.51.100.2]"]));
        world.put(service("a").shares("k", &[80]));
        world.put(service("b").shares("k", &[443]));
        assert_eq!(world.edit("b", change), [&*lost, "b: 198.51.100.2 of a"]);
        assert_eq!(world.edit("b", |b| b), NONE);
        assert_eq!(world.objects[&key("a")].status[..], [ip("198.51.100.1")]);

        // There is no other: it waits, and says why, until it fits again.
        let mut world = single();
        world.put(service("a").shares("k", &[80]));
        world.put(service("b").shares("k", &[443]));
        let told = [&*lost, "b: released 198.51.100.1", "b: refused: PoolExhausted"];
        assert_eq!(world.edit("b", change), told);
        assert_eq!(
            world.edit("b", |mut b| {
                b.share = service("b").shares("k", &[443]).share;
                b
            }),
            ["b: 198.51.100.1 of a"]
        );
    }
}

#[test]
fn a_member_that_asks_for_the_address_it_loses_is_refused_with_the_reason() {
    let mut world = World::new(&pools(&["a: [198.51.100.1-198.51.100.2]"]));
    world.put(service("a").shares("k", &[80]));
    world.put(service("b").shares("k", &[443]).asks(None, &["198.51.100.1"]));
    let told = ["b: lost: SharingPortConflict", "b: released 198.51.100.1", "b: refused: SharingPortConflict"];
    assert_eq!(world.edit("b", |b| b.shares("k", &[80])), told);
    // When the neighbour leaves the port, it has the address again.
    assert_eq!(world.edit("a", |a| a.shares("k", &[8080])), ["b: 198.51.100.1 of a"]);
}

#[test]
fn a_change_that_still_fits_moves_nothing_and_frees_the_ports_it_leaves() {
    let mut world = single();
    world.put(service("a").shares("k", &[80, 81]));
    world.put(service("b").shares("k", &[443]));
    assert_eq!(world.put(service("c").shares("k", &[81])), ["c: refused: PoolExhausted"]);
    assert_eq!(world.edit("a", |a| a.shares("k", &[80, 82])), ["c: 198.51.100.1 of a"]);
    // Alone at an address one may change as one likes.
    assert_eq!(world.delete("b"), NONE);
    assert_eq!(world.delete("c"), NONE);
    assert_eq!(world.edit("a", |a| a.shares("l", &[443])), NONE);
    assert_eq!(world.put(service("d").shares("l", &[80])), ["d: 198.51.100.1 of a"]);
}

#[test]
fn a_shared_address_is_free_when_the_last_one_leaves() {
    let mut world = single();
    world.put(service("a").shares("k", &[80]));
    world.put(service("b").shares("k", &[443]));
    assert_eq!(world.put(service("z")), ["z: refused: PoolExhausted"]);
    assert_eq!(world.delete("a"), NONE);
    assert_eq!(world.delete("b"), ["z: 198.51.100.1 of a"]);
}

#[test]
fn after_a_restart_the_later_of_two_that_do_not_fit_loses() {
    for (a, b, loser) in [(1, 2, "b"), (2, 1, "a")] {
        let mut world = World::new(&pools(&["a: [198.51.100.1-198.51.100.2]"]));
        let shows = |name, created| service(name).shares("k", &[80]).holds("a", &["198.51.100.1"]).created(created);
        world.objects = [(key("a"), shows("a", a)), (key("b"), shows("b", b))].into();
        let told = [format!("{loser}: lost: SharingPortConflict"), format!("{loser}: 198.51.100.2 of a")];
        assert_eq!(world.restart(), told);
    }
}

#[test]
fn a_pool_that_no_longer_lets_share_keeps_those_who_do_and_lets_nobody_join() {
    let pool = |sharing: &str| format!("pools: [{{name: a, addresses: [198.51.100.1], sharing: {sharing}}}]");
    let mut world = World::new(&pool("namespace"));
    world.put(service("a").shares("k", &[80]));
    world.put(service("b").shares("k", &[443]));
    let kept = ["a", "b"].map(|name| format!("{name}: 198.51.100.1 of a, kept: SharingNotAllowed"));
    assert_eq!(world.configure(&pool("none")), kept);
    assert_eq!(world.restart(), NONE);
    assert_eq!(world.put(service("c").shares("k", &[22])), ["c: refused: PoolExhausted"]);
    assert_eq!(world.delete("a"), ["b: 198.51.100.1 of a"]);
}

#[test]
fn a_sharing_key_that_cannot_be_understood_takes_no_address_away() {
    let mut world = single();
    world.put(service("a").shares("k", &[80]));
    world.put(service("b").shares("k", &[443]));
    let malformed = |b: Service| {
        let request = Request { malformed: Some("two keys".into()), ..Request::default() };
        Service { rare: request.boxed(), ..b.shares("l", &[443]) }
    };
    assert_eq!(world.edit("b", malformed), ["b: 198.51.100.1 of a, kept: MalformedRequest"]);
    let clashing = |b: Service| b.shares("l", &[80]);
    assert_eq!(
        world.edit("b", clashing),
        ["b: lost: SharingPortConflict", "b: released 198.51.100.1", "b: refused: MalformedRequest"]
    );
    let mended = |b: Service| Service { rare: None, ..b.shares("k", &[443]) };
    assert_eq!(world.edit("b", mended), ["b: 198.51.100.1 of a"]);
}

#[test]
fn who_needs_both_families_joins_both_in_one_pool() {
    let mut world = World::new(&pools(&["four: [198.51.100.1]", "six: ['2001:db8::1', 198.51.100.9]"]));
    world.put(service("a").shares("k", &[80]));
    world.put(service("b").families(FamilyPolicy::SingleStack, &[V6]).shares("k", &[80]));
    let both = || of_both(RequireDualStack, "c").shares("k", &[443]);
    assert_eq!(world.put(both()), ["c: refused: NoDualStackPool"]);
    assert_eq!(
        world.put(service("d").shares("k", &[80])),
        ["d: 198.51.100.9 of six", "c: 198.51.100.9 2001:db8::1 of six"]
    );
}
