//! Pools that are for some Services only.

use super::*;

/// A pool for all, one for the namespace, one for namespaces with a label, one for Services with a label.
const RESTRICTED: &str = "pools:\n\
    - {name: open, addresses: [198.51.100.1-198.51.100.9], priority: 9}\n\
    - {name: named, addresses: [198.51.100.11-198.51.100.19], namespaces: [other, test], priority: -1}\n\
    - {name: team, addresses: [198.51.100.21], namespaceSelectors: [{matchLabels: {team: web}}], priority: 1}\n\
    - {name: front, addresses: [198.51.100.31], serviceSelectors: [{matchLabels: {tier: front}}], priority: 2}\n";

/// Of another namespace, which no pool names.
fn stranger(name: &str) -> Service {
    service(name).of("elsewhere")
}

#[test]
fn restricted_pools_that_admit_come_before_open_ones_by_priority_then_name() {
    let mut world = World::new(RESTRICTED);
    world.label_namespace("team", "web");
    for (name, expected) in [
        ("a", "a: 198.51.100.31 of front"),
        ("b", "b: 198.51.100.21 of team"),
        ("c", "c: 198.51.100.11 of named"),
        ("d", "d: 198.51.100.12 of named"),
    ] {
        assert_eq!(world.put(service(name).labelled("tier", "front")), [expected]);
    }
    assert_eq!(world.put(stranger("e")), ["e: 198.51.100.1 of open"]);
}

#[test]
fn a_pool_that_does_not_admit_gives_nothing_be_it_asked_or_not() {
    let mut world = World::new(RESTRICTED);
    for (pool, addresses, expected) in [
        (Some("front"), &[][..], "a: refused: NotAdmitted"),
        (Some("team"), &[], "a: refused: NotAdmitted"),
        (Some("named"), &[], "a: refused: NotAdmitted"),
        (None, &["198.51.100.31"], "a: refused: NotAdmitted"),
        (None, &["198.51.100.11"], "a: refused: NotAdmitted"),
        (Some("open"), &["198.51.100.11"], "a: refused: AddressNotInPool"),
        (None, &[], "a: 198.51.100.1 of open"),
    ] {
        assert_eq!(world.put(stranger("a").asks(pool, addresses)), [expected], "{pool:?} {addresses:?}");
    }
}

#[test]
fn a_refusal_says_what_keeps_the_service_out() {
    let mut world = World::new(RESTRICTED);
    let refused = |world: &mut World, service| match &world.allocator.apply(seen(service), world.now)[..] {
        [Decision::Refuse { refusal, .. }] => refusal.to_string(),
        decided => panic!("{decided:?}"),
    };
    let told = refused(&mut world, stranger("a").asks(Some("team"), &[]));
    assert!(told.contains("\"team\"") && told.contains("namespaceSelectors"), "{told}");
    let told = refused(&mut world, stranger("a").asks(Some("front"), &[]));
    assert!(told.contains("\"front\"") && told.contains("serviceSelectors"), "{told}");
}

#[test]
fn where_every_pool_is_for_others_the_service_is_told() {
    let mut world = World::new("pools: [{name: a, addresses: [198.51.100.1], namespaces: [other]}]");
    assert_eq!(world.put(service("a")), ["a: refused: NoPoolAdmits"]);
    let wider = "pools: [{name: a, addresses: [198.51.100.1], namespaces: [other, test]}]";
    assert_eq!(world.configure(wider), ["a: 198.51.100.1 of a"]);
}

#[test]
fn labels_that_change_decide_about_addresses_to_come_and_what_is_live_stays() {
    let config = "pools:\n\
        - {name: front, addresses: [198.51.100.1-198.51.100.2], serviceSelectors: [{matchLabels: {tier: front}}]}\n\
        - {name: team, addresses: [198.51.100.9], namespaceSelectors: [{matchLabels: {team: web}}], autoAssign: false}\n";
    let mut world = World::new(config);
    assert_eq!(world.put(service("a")), ["a: refused: NoPoolAdmits"]);
    assert_eq!(world.edit("a", |a| a.labelled("tier", "front")), ["a: 198.51.100.1 of front"]);
    assert_eq!(world.edit("a", |a| a.labelled("tier", "back")), ["a: 198.51.100.1 of front, kept: NotAdmitted"]);
    assert_eq!(world.restart(), NONE);
    assert_eq!(world.edit("a", |a| a.labelled("tier", "front")), ["a: 198.51.100.1 of front"]);

    assert_eq!(world.put(service("b").asks(Some("team"), &[])), ["b: refused: NotAdmitted"]);
    assert_eq!(world.label_namespace("team", "api"), NONE);
    assert_eq!(world.label_namespace("team", "web"), ["b: 198.51.100.9 of team"]);
    assert_eq!(world.label_namespace("team", "web"), NONE);
    assert_eq!(world.label_namespace("team", "api"), ["b: 198.51.100.9 of team, kept: NotAdmitted"]);
    assert_eq!(world.restart(), NONE);
    assert_eq!(world.label_namespace("team", "web"), ["b: 198.51.100.9 of team"]);
}

#[test]
fn a_restricted_pool_that_comes_later_takes_nobody_from_an_open_one() {
    let open = "- {name: open, addresses: [198.51.100.1]}\n";
    let own = "- {name: own, addresses: [198.51.100.9], namespaces: [test]}\n";
    let mut world = World::new(&format!("pools:\n{open}"));
    world.put(service("a"));
    assert_eq!(world.configure(&format!("pools:\n{open}{own}")), NONE);
    assert_eq!(world.put(service("b")), ["b: 198.51.100.9 of own"]);
}

#[test]
fn a_second_family_comes_from_no_pool_that_no_longer_admits() {
    let pool =
        |who: &str| format!("pools: [{{name: a, addresses: [198.51.100.1, '2001:db8::1'], namespaces: [{who}]}}]");
    let mut world = World::new(&pool("test"));
    world.put(service("a"));
    assert_eq!(world.configure(&pool("other")), ["a: 198.51.100.1 of a, kept: NotAdmitted"]);
    assert_eq!(world.edit("a", |a| a.families(PreferDualStack, &[V4, V6])), NONE);
    assert_eq!(world.configure(&pool("test")), ["a: 198.51.100.1 2001:db8::1 of a"]);
}

#[test]
fn an_unknown_namespace_has_no_labels_to_judge() {
    let config = "pools:\n- {name: a, addresses: [198.51.100.1], namespaceSelectors: \
                  [{matchExpressions: [{key: secret, operator: DoesNotExist}]}]}\n";
    let mut world = World::new(config);
    assert_eq!(world.put(stranger("a")), ["a: refused: NoPoolAdmits"]);
    let seen = Event::Namespace { name: "elsewhere".into(), labels: Some(Labels::default()) };
    assert_eq!(world.apply(seen), ["a: 198.51.100.1 of a"]);
    let gone = Event::Namespace { name: "elsewhere".into(), labels: None };
    assert_eq!(world.apply(gone), ["a: 198.51.100.1 of a, kept: NotAdmitted"]);
}
