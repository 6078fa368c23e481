//! Which announcement is for what, and which nodes it prefers.

use super::*;

#[test]
fn announcements_add_up() {
    let labels = |role: &str| Labels::from([("role", role)]);
    let pools = "pools:\n- {name: a, addresses: [198.51.100.1]}\n- {name: b, addresses: [198.51.100.2]}\n";
    let none = accept(pools);
    assert_eq!(none.reach("a", &labels("core"), "eth0"), Reach::Subnets, "none: everywhere");
    let edge = "announcements:\n- {pools: [a], nodeSelectors: [matchLabels: {role: edge}], interfaces: [eth0]}\n";
    let all = "- {interfaces: [\"eth*\"]}\n";
    let union = accept(&format!("{pools}{edge}{all}"));
    for (pool, role, interface, reach) in [
        ("a", "edge", "eth0", Reach::Any),
        ("a", "edge", "eth1", Reach::Subnets),
        ("a", "core", "eth0", Reach::Subnets),
        ("a", "core", "wlan0", Reach::None),
        ("b", "edge", "eth0", Reach::Subnets),
        ("gone", "edge", "eth0", Reach::Subnets),
    ] {
        assert_eq!(union.reach(pool, &labels(role), interface), reach, "{pool} {role} {interface}");
    }
    let Parsed { config, warnings } = parse(&format!("{pools}{edge}")).unwrap();
    assert_eq!(config.reach("b", &labels("edge"), "eth0"), Reach::None, "only a is announced");
    assert_eq!(config.announcements_for("b").count(), 0);
    assert_eq!(places(warnings.iter()), [("3:10 announcements".into(), Fault::NotAnnounced("b".into()))]);
}

#[test]
fn an_announcement_is_for_the_services_that_one_of_its_selectors_selects() {
    let of = |selectors: &str| {
        let text = format!("pools: [{{name: a, addresses: [198.51.100.1]}}]\nannouncements: [{{{selectors}}}]\n");
        accept(&text).announcements.remove(0)
    };
    let front = Labels::from([("tier", "front")]);
    let some = of("serviceSelectors: [{matchLabels: {tier: front}}, {matchLabels: {app: web}}]");
    assert!(some.selects_service(&front) && some.selects_service(&Labels::from([("app", "web")])));
    assert!(!some.selects_service(&Labels::default()));
    assert!(of("serviceSelectors: []").selects_service(&Labels::default()), "none: all");
}

#[test]
fn a_node_weighs_the_sum_of_the_preferences_that_select_it() {
    let announcement = accept(
        "pools: [{name: a, addresses: [198.51.100.1]}]\nannouncements:\n- preferredNodes:\n\
         \x20 - {weight: 100, selector: {matchLabels: {role: edge}}}\n\
         \x20 - {weight: 1, selector: {matchExpressions: [{key: zone, operator: In, values: [a, b]}]}}\n",
    )
    .announcements
    .remove(0);
    for (labels, weight) in [
        (Labels::from([("role", "edge"), ("zone", "a")]), 101),
        (Labels::from([("role", "edge")]), 100),
        (Labels::from([("zone", "b")]), 1),
        (Labels::from([("role", "core")]), 0),
    ] {
        assert_eq!(announcement.weight(&labels), weight, "{labels:?}");
    }
}

#[test]
fn a_preference_has_a_weight_and_a_selector() {
    let fault = |preference: &str| {
        let found = errors(&format!("announcements: [{{preferredNodes: [{preference}]}}]\n"));
        assert_eq!(found.len(), 1, "{preference}: {found:?}");
        found.into_iter().map(|(_, fault)| fault).next()
    };
    let selector = "selector: {matchLabels: {role: edge}}";
    for weight in ["0", "101", "-1", "1.5", "high", "1000000000000"] {
        let fault = fault(&format!("{{weight: {weight}, {selector}}}"));
        assert!(matches!(fault, Some(Fault::WrongType { expected, .. }) if expected.contains("1 to 100")), "{weight}");
    }
    assert_eq!(fault(&format!("{{{selector}}}")), Some(Fault::MissingKey("weight")));
    assert_eq!(fault("{weight: 1}"), Some(Fault::MissingKey("selector")));
    assert_eq!(fault("{weight: 1, selector: {}}"), Some(Fault::EmptySelector), "it would prefer every node alike");
}

#[test]
fn so_many_announcements_may_prefer_nodes() {
    let text = |count: usize| {
        let preferring = "- preferredNodes: [{weight: 1, selector: {matchLabels: {a: b}}}]\n- {}\n".repeat(count);
        format!("pools: [{{name: a, addresses: [198.51.100.1]}}]\nannouncements:\n{preferring}")
    };
    assert_eq!(accept(&text(PREFERENCES)).preferring().count(), PREFERENCES);
    assert!(matches!(&errors(&text(PREFERENCES + 3))[..], [(_, Fault::TooManyPreferences)]));
}
