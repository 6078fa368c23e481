//! `perNamespace`: how many addresses of a pool one namespace may have.

use super::*;

const LIMITED: &str =
    "pools: [{name: a, addresses: [198.51.100.1-198.51.100.9, '2001:db8::1-2001:db8::9'], perNamespace: 2}]";

#[test]
fn a_namespace_gets_so_many_addresses_of_a_pool_and_then_its_own_refusal() {
    let mut world = World::new(LIMITED);
    assert_eq!(world.put(service("a")), ["a: 198.51.100.1 of a"]);
    assert_eq!(world.put(service("b")), ["b: 198.51.100.2 of a"]);
    assert_eq!(world.put(service("c")), ["c: refused: NamespaceLimit"]);
    assert_eq!(world.put(service("d").asks(None, &["198.51.100.7"])), ["d: refused: NamespaceLimit"]);
    assert_eq!(world.put(service("e").of("elsewhere")), ["e: 198.51.100.3 of a"]);
    assert_eq!(world.restart(), NONE);
    // What another namespace gives up does not help.
    assert_eq!(world.apply(Event::Deleted(ServiceKey::new("elsewhere", "e"))), NONE);
    assert_eq!(world.delete("a"), ["c: 198.51.100.1 of a"]);
    assert_eq!(world.delete("b"), ["d: 198.51.100.7 of a"]);
}

#[test]
fn another_pool_is_used_where_the_first_is_limited() {
    let open = "- {name: b, addresses: [203.0.113.1]}\n";
    let mut world =
        World::new(&format!("pools:\n- {{name: a, addresses: [198.51.100.1-198.51.100.9], perNamespace: 1}}\n{open}"));
    assert_eq!(world.put(service("s1")), ["s1: 198.51.100.1 of a"]);
    assert_eq!(world.put(service("s2")), ["s2: 203.0.113.1 of b"]);
    assert_eq!(world.put(service("s3")), ["s3: refused: NamespaceLimit"]);
    assert_eq!(world.delete("s2"), ["s3: 203.0.113.1 of b"]);
}

#[test]
fn both_families_count() {
    let mut world = World::new(LIMITED);
    world.put(service("a"));
    assert_eq!(world.put(of_both(PreferDualStack, "b")), ["b: 198.51.100.2 of a"]);
    assert_eq!(world.put(of_both(RequireDualStack, "c")), ["c: refused: NamespaceLimit"]);
    assert_eq!(world.delete("a"), ["b: 198.51.100.2 2001:db8::1 of a"]);
    assert_eq!(world.delete("b"), ["c: 198.51.100.1 2001:db8::1 of a"]);
}

#[test]
fn a_shared_address_counts_once() {
    let mut world = World::new(LIMITED);
    world.put(service("a").shares("k", &[80]));
    world.put(service("b"));
    assert_eq!(world.put(service("c").shares("k", &[443])), ["c: 198.51.100.1 of a"]);
    assert_eq!(world.put(service("d").shares("k", &[443])), ["d: refused: NamespaceLimit"]);
    assert_eq!(world.restart(), NONE);
    assert_eq!(world.delete("a"), NONE);
    assert_eq!(world.delete("c"), ["d: 198.51.100.1 of a"]);
}

#[test]
fn within_the_limit_a_service_moves_by_its_request() {
    let mut world = World::new(LIMITED);
    world.put(service("a"));
    world.put(service("b"));
    assert_eq!(world.edit("b", |b| b.asks(None, &["198.51.100.7"])), ["b: 198.51.100.7 of a"]);
    assert_eq!(world.put(service("c")), ["c: refused: NamespaceLimit"]);
}

#[test]
fn who_shares_an_address_of_its_namespace_needs_no_room() {
    let mut world = World::new(LIMITED);
    world.put(service("a").shares("k", &[80]));
    world.put(service("b"));
    world.put(service("c").of("elsewhere"));
    let joins = service("d").shares("k", &[443]).asks(None, &["198.51.100.1"]);
    assert_eq!(world.configure(&LIMITED.replace("perNamespace: 2", "perNamespace: 1")), NONE);
    assert_eq!(world.put(joins), ["d: 198.51.100.1 of a"]);
}

#[test]
fn who_would_exchange_its_address_may_as_soon_as_the_limit_is_kept() {
    let limited =
        |limit: u32| format!("pools: [{{name: a, addresses: [198.51.100.1-198.51.100.9], perNamespace: {limit}}}]");
    let mut world = World::new(&limited(0));
    for name in ["a", "b", "c"] {
        world.put(service(name));
    }
    assert_eq!(world.configure(&limited(2)), NONE);
    let asks = |c: Service| c.asks(None, &["198.51.100.7"]);
    assert_eq!(world.edit("c", asks), ["c: 198.51.100.3 of a, kept: NamespaceLimit"]);
    assert_eq!(world.delete("a"), ["c: 198.51.100.7 of a"]);
}

#[test]
fn a_limit_that_an_edit_lowers_takes_nothing_away() {
    let limited =
        |limit: u32| format!("pools: [{{name: a, addresses: [198.51.100.1-198.51.100.9], perNamespace: {limit}}}]");
    let mut world = World::new(&limited(0));
    for name in ["a", "b", "c"] {
        world.put(service(name));
    }
    assert_eq!(world.configure(&limited(1)), NONE);
    assert_eq!(world.restart(), NONE);
    assert_eq!(world.put(service("d")), ["d: refused: NamespaceLimit"]);
    assert_eq!(world.delete("a"), NONE);
    assert_eq!(world.configure(&limited(3)), ["d: 198.51.100.1 of a"]);
}

#[test]
fn who_leaves_an_address_needs_no_more_room_than_that() {
    let limited = |addresses: &str| format!("pools: [{{name: a, addresses: [{addresses}], perNamespace: 1}}]");
    let mut world = World::new(&limited("198.51.100.1-198.51.100.9"));
    world.put(service("a").migrates());
    assert_eq!(world.configure(&limited("198.51.100.2-198.51.100.9")), ["a: 198.51.100.2 of a"]);
    let in_use = Reserve::InUse("02:00:00:00:00:66".into());
    let left = world.reserve([(ip("198.51.100.2"), in_use)].into());
    assert_eq!(left, ["a: lost: AddressConflict", "a: 198.51.100.3 of a"]);
}
