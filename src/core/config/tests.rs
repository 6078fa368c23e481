//! The rules of a configuration: what is accepted and means what, and which fault is found where.

use super::*;
use crate::addr::{BlockError, Family, Special};

mod announcements;

fn accept(text: &str) -> Config {
    let parsed = parse(text).unwrap_or_else(|errors| panic!("{text}\n{errors}"));
    assert_eq!(parsed.warnings, [], "{text}");
    parsed.config
}

/// All errors as `line:column path`, with their faults.
fn errors(text: &str) -> Vec<(String, Fault)> {
    places(parse(text).expect_err(text).iter())
}

fn warnings(text: &str) -> Vec<(String, Fault)> {
    places(parse(text).unwrap_or_else(|errors| panic!("{text}\n{errors}")).warnings.iter())
}

fn places<'a>(diagnostics: impl Iterator<Item = &'a Diagnostic>) -> Vec<(String, Fault)> {
    diagnostics
        .map(|Diagnostic { at, path, fault }| (format!("{}:{} {path}", at.line, at.column), fault.clone()))
        .collect()
}

/// One pool with these addresses, the list standing at 3:14.
fn pool(addresses: &str) -> String {
    format!("pools:\n- name: a\n  addresses: [{addresses}]\n")
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn every_key_has_its_meaning_and_its_default() {
    let config = accept(
        r#"
pools:
- name: plain
  addresses: [198.51.100.100-198.51.100.150, "2001:db8:0:1::/64"]
- name: chosen
  addresses: [203.0.113.0/24]
  exclude: [203.0.113.10, 203.0.113.128/25]
  autoAssign: false
  avoidEdgeAddresses: true
  priority: 7
  namespaces: [shop]
  namespaceSelectors: [{matchLabels: {team: web}}]
  serviceSelectors: [{matchLabels: {app: web}}, {matchExpressions: [{key: app, operator: DoesNotExist}]}]
  sharing: all
  perNamespace: 3
quarantine: 1m30s
reuse: 0
announcements:
- pools: [plain]
  nodeSelectors:
  - matchLabels: {role: edge}
  - matchExpressions: [{key: zone, operator: In, values: [a, b]}]
  serviceSelectors: [{matchLabels: {tier: front}}]
  preferredNodes: [{weight: 10, selector: {matchLabels: {zone: a}}}]
  ignoreExcludeLabel: true
  interfaces: ["eth0", "en*"]
- {}
"#,
    );
    let [chosen, plain] = &config.pools[..] else { panic!("{config:?}") };
    assert_eq!((chosen.name.as_str(), chosen.auto_assign, chosen.priority), ("chosen", false, 7));
    assert_eq!((plain.name.as_str(), plain.auto_assign, plain.priority), ("plain", true, 0));
    assert_eq!((chosen.sharing, chosen.per_namespace), (Sharing::All, 3));
    assert_eq!((plain.sharing, plain.per_namespace), (Sharing::Namespace, 0));
    assert!(plain.admission.is_open() && !chosen.admission.is_open());
    assert_eq!((config.quarantine, config.reuse), (Duration::from_secs(90), Duration::ZERO));
    let default = accept(&pool("198.51.100.7"));
    assert_eq!((default.quarantine, default.reuse), (Duration::from_secs(60), Duration::from_secs(86400)));
    // 256 less the upper half, .0 and .10.
    assert_eq!(chosen.size(Family::V4), 126);
    assert_eq!(chosen.addresses.lowest(Family::V4), Some(ip("203.0.113.1")));
    assert_eq!(plain.size(Family::V4), 51);
    assert_eq!(plain.addresses.lowest(Family::V6), Some(ip("2001:db8:0:1::1")));
    let [restricted, everywhere] = &config.announcements[..] else { panic!("{config:?}") };
    assert_eq!(restricted.pools, ["plain"]);
    assert_eq!(restricted.node_selectors.len(), 2);
    assert_eq!((restricted.service_selectors.len(), restricted.preferred_nodes[0].weight), (1, 10));
    assert!(restricted.ignore_exclude_label);
    assert_eq!(restricted.interfaces, ["eth0", "en*"]);
    assert_eq!(everywhere, &Announcement::default());
}

#[test]
fn pools_are_looked_at_by_priority_then_name_however_they_are_listed() {
    let pool = |name: &str, net: u8, priority: i32| {
        format!("- {{name: {name}, addresses: [198.51.100.{net}], priority: {priority}}}\n")
    };
    let (b, a, z) = (pool("b", 1, 0), pool("a", 2, 0), pool("z", 3, 5));
    for text in [format!("pools:\n{b}{a}{z}"), format!("pools:\n{z}{b}{a}")] {
        let names: Vec<String> = accept(&text).pools.into_iter().map(|pool| pool.name.to_string()).collect();
        assert_eq!(names, ["z", "a", "b"]);
    }
}

#[test]
fn pools_for_some_services_only_are_looked_at_before_those_for_all() {
    let config = accept(
        "pools:\n- {name: open, addresses: [198.51.100.1], priority: 9}\n\
         - {name: z, addresses: [198.51.100.2], namespaces: [shop], priority: -1}\n\
         - {name: y, addresses: [198.51.100.3], serviceSelectors: [{matchLabels: {a: b}}]}\n\
         - {name: x, addresses: [198.51.100.4], namespaceSelectors: [{matchLabels: {a: b}}], priority: -1}\n",
    );
    let names: Vec<&str> = config.pools.iter().map(|pool| &*pool.name).collect();
    assert_eq!(names, ["y", "x", "z", "open"]);
}

#[test]
fn a_pool_admits_by_namespace_or_its_labels_and_by_the_services_own() {
    let team = Labels::from([("team", "web")]);
    let app = Labels::from([("app", "web")]);
    let none = Labels::default();
    let names = "namespaces: [shop]";
    let selectors = "namespaceSelectors: [{matchLabels: {team: web}}]";
    let negative = "namespaceSelectors: [{matchExpressions: [{key: team, operator: DoesNotExist}]}]";
    let services = "serviceSelectors: [{matchLabels: {app: web}}, {matchLabels: {app: api}}]";
    for (restrictions, namespace, of_namespace, own, expected) in [
        (String::new(), "shop", None, &none, Ok(())),
        ("namespaces: []".to_owned(), "shop", None, &none, Ok(())),
        (names.to_owned(), "shop", None, &none, Ok(())),
        (names.to_owned(), "other", Some(&team), &app, Err(Barrier::Namespace)),
        (selectors.to_owned(), "other", Some(&team), &none, Ok(())),
        (selectors.to_owned(), "other", Some(&none), &none, Err(Barrier::Namespace)),
        // A namespace that is not known yet has no labels that could be judged, nor the lack of any.
        (negative.to_owned(), "other", Some(&none), &none, Ok(())),
        (negative.to_owned(), "other", None, &none, Err(Barrier::Namespace)),
        (format!("{names}, {selectors}"), "shop", Some(&none), &none, Ok(())),
        (format!("{names}, {selectors}"), "other", Some(&team), &none, Ok(())),
        (services.to_owned(), "other", None, &app, Ok(())),
        (services.to_owned(), "other", None, &team, Err(Barrier::Labels)),
        (format!("{names}, {services}"), "shop", None, &none, Err(Barrier::Labels)),
        (format!("{names}, {services}"), "other", None, &app, Err(Barrier::Namespace)),
    ] {
        let text = format!("pools: [{{name: a, addresses: [198.51.100.1], {restrictions}}}]\n");
        let judged = accept(&text).pools[0].admission.judge(namespace, of_namespace, own);
        assert_eq!(judged, expected, "{text} {namespace} {of_namespace:?} {own:?}");
    }
}

#[test]
fn more_pools_than_can_be_kept_in_order_are_an_error() {
    let text = |count: u32| {
        let address = |number: u32| std::net::Ipv4Addr::from_bits(0xc633_6400 + number);
        let pool = |number| format!("- {{name: p{number}, addresses: [{}]}}\n", address(number));
        format!("pools:\n{}", (0..count).map(pool).collect::<String>())
    };
    assert_eq!(accept(&text(4096)).pools.len(), 4096);
    assert_eq!(errors(&text(4098)), [("4098:3 pools[4096]".into(), Fault::TooManyPools(4098))]);
}

#[test]
fn a_restriction_that_is_none_is_an_error() {
    let at = |key: &str, value: &str| errors(&format!("pools:\n- {{name: a, addresses: [1.1.1.1], {key}: {value}}}\n"));
    let selector = |key: &str| vec![(format!("2:{} pools[0].{key}[0]", 38 + key.len()), Fault::EmptySelector)];
    assert_eq!(at("serviceSelectors", "[{}]"), selector("serviceSelectors"));
    assert_eq!(at("namespaceSelectors", "[{}]"), selector("namespaceSelectors"));
    for name in ["Shop", "a.b", "''"] {
        let fault = Fault::NamespaceName(name.trim_matches('\'').into());
        assert_eq!(at("namespaces", &format!("[{name}]")), [("2:48 pools[0].namespaces[0]".into(), fault)]);
    }
    let known = vec!["namespace", "all", "none"];
    let fault = Fault::Choice { found: "some".into(), known };
    assert_eq!(at("sharing", "some"), [("2:44 pools[0].sharing".into(), fault)]);
}

#[test]
fn a_summary_names_the_pools_where_there_are_any() {
    assert_eq!(
        accept("pools: [{name: a, addresses: [198.51.100.1]}, {name: b, addresses: [198.51.100.2]}]").summary(),
        "with the pools a, b"
    );
    assert_eq!(Config::default().summary(), "without pools");
}

#[test]
fn an_address_belongs_to_the_pool_that_lists_it_though_it_be_excluded() {
    let config = accept("pools:\n- {name: a, addresses: [198.51.100.0/24], exclude: [198.51.100.7]}\n");
    let pool = config.pool_of(ip("198.51.100.7")).unwrap();
    assert_eq!(pool.name, "a");
    assert!(!pool.addresses.contains(ip("198.51.100.7")));
    assert_eq!(config.pool_of(ip("203.0.113.7")), None);
    assert_eq!(config.pool("a"), Some(pool));
    assert_eq!(config.pool("b"), None);
}

#[test]
fn an_empty_text_has_no_pools_and_a_warning() {
    for text in ["", "# later\n", "{}", "pools:\n", "pools: []\nannouncements:\n"] {
        let Parsed { config, warnings } = parse(text).unwrap();
        assert_eq!(config, Config::default(), "{text:?}");
        assert!(matches!(&warnings[..], [Diagnostic { fault: Fault::NoPools, .. }]), "{text:?}: {warnings:?}");
    }
}

#[test]
fn an_address_that_no_service_can_have_is_an_error() {
    use Special::*;
    for (addresses, special) in [
        ("127.0.0.1", Loopback),
        ("126.0.0.0/7", Loopback),
        ("'::1'", Loopback),
        ("169.254.1.0/24", LinkLocal),
        ("'fe80::/64'", LinkLocal),
        ("224.0.0.1", Multicast),
        ("'ff02::1'", Multicast),
        ("0.0.0.0", Unspecified),
        ("0.0.0.0/0", Unspecified),
        ("'::/0'", Unspecified),
        ("255.255.255.255", Broadcast),
        ("'::ffff:198.51.100.1'", V4Mapped),
        ("'::ffff:198.51.100.0/120'", V4Mapped),
    ] {
        let block = addresses.trim_matches('\'').to_owned();
        let expected = ("3:15 pools[0].addresses[0]".to_owned(), Fault::Special { block, special });
        assert_eq!(errors(&pool(addresses)), [expected], "{addresses}");
    }
}

#[test]
fn what_is_no_range_is_an_error_at_its_place() {
    let at = "3:24 pools[0].addresses[1]".to_owned();
    for (address, error) in [
        ("198.51.100.9-198.51.100.1", BlockError::Reversed(ip("198.51.100.9"), ip("198.51.100.1"))),
        ("'198.51.100.9-2001:db8::1'", BlockError::MixedFamilies(ip("198.51.100.9"), ip("2001:db8::1"))),
        ("198.51.100.0/33", BlockError::PrefixLength { length: "33".into(), family: Family::V4 }),
        ("example.com", BlockError::Address("example.com".into())),
    ] {
        assert_eq!(errors(&pool(&format!("1.1.1.1, {address}"))), [(at.clone(), error.into())], "{address}");
    }
}

#[test]
fn an_overlap_names_both_places() {
    let overlap = |block: &str, other_path: &str, other: &str, line, column| Fault::Overlap {
        block: block.into(),
        other_path: other_path.into(),
        other: other.into(),
        other_at: Position { line, column },
    };
    let within = pool("198.51.100.0/24, 203.0.113.1, 198.51.100.7");
    let fault = overlap("198.51.100.7", "pools[0].addresses[0]", "198.51.100.0/24", 3, 15);
    assert_eq!(errors(&within), [("3:45 pools[0].addresses[2]".into(), fault)]);

    let between = "pools:\n- {name: a, addresses: ['2001:db8::5']}\n- {name: b, addresses: ['2001:db8::/64']}\n";
    let fault = overlap("2001:db8::/64", "pools[0].addresses[0]", "2001:db8::5", 2, 25);
    assert_eq!(errors(between), [("3:25 pools[1].addresses[0]".into(), fault)]);

    // A small range between hides nobody: the third is compared with the one that reaches farthest.
    let nested = pool("198.51.100.0-198.51.100.99, 198.51.100.10, 198.51.100.50-198.51.100.60");
    assert_eq!(errors(&nested).len(), 2);
    accept(&pool("198.51.100.0/25, 198.51.100.128/25, '::c633:6400/120'"));
}

#[test]
fn a_pool_must_have_an_address_to_give() {
    for (text, place, fault) in [
        ("pools:\n- {name: a, addresses: []}\n", "2:24 pools[0].addresses", Fault::EmptyPool),
        ("pools:\n- name: a\n  addresses:\n", "3:12 pools[0].addresses", Fault::EmptyPool),
        ("pools:\n- {name: a}\n", "2:3 pools[0]", Fault::MissingKey("addresses")),
        ("pools:\n-\n", "2:2 pools[0]", Fault::MissingKey("name")),
        (
            "pools:\n- {name: a, addresses: [198.51.100.7], exclude: [198.51.100.0/24]}\n",
            "2:24 pools[0].addresses",
            Fault::NothingLeft,
        ),
        (
            "pools:\n- {name: a, addresses: [198.51.100.0], avoidEdgeAddresses: true}\n",
            "2:24 pools[0].addresses",
            Fault::NothingLeft,
        ),
        (
            "pools:\n- {name: a, addresses: [16.0.0.0/7], avoidEdgeAddresses: true}\n",
            "2:25 pools[0].addresses[0]",
            Fault::TooLargeForEdges("16.0.0.0/7".into()),
        ),
    ] {
        assert_eq!(errors(text)[0], (place.to_owned(), fault), "{text}");
    }
}

#[test]
fn keys_are_strict() {
    let known: &[&str] = &[
        "name",
        "addresses",
        "exclude",
        "autoAssign",
        "avoidEdgeAddresses",
        "priority",
        "namespaces",
        "namespaceSelectors",
        "serviceSelectors",
        "sharing",
        "perNamespace",
    ];
    for (text, place, fault) in [
        (
            "pool: []\n",
            "1:1 pool",
            Fault::UnknownKey {
                key: "pool".into(),
                known: &["pools", "announcements", "quarantine", "reuse", "repeat"],
            },
        ),
        (
            "pools:\n- {name: a, addresses: [1.1.1.1], autoassign: true}\n",
            "2:35 pools[0].autoassign",
            Fault::UnknownKey { key: "autoassign".into(), known },
        ),
        (
            "pools:\n- {name: a, name: b, addresses: [1.1.1.1]}\n",
            "2:13 pools[0].name",
            Fault::DuplicateKey { key: "name".into(), first: Position { line: 2, column: 4 } },
        ),
        (
            "pools:\n- {name: a, addresses: [1.1.1.1], <<: {name: b}}\n",
            "2:35 pools[0].<<",
            Fault::UnknownKey { key: "<<".into(), known },
        ),
    ] {
        assert_eq!(errors(text), [(place.to_owned(), fault)], "{text}");
    }
}

#[test]
fn types_are_strict() {
    for (text, place) in [
        ("[]", "1:1 "),
        ("pools: {a: b}\n", "1:8 pools"),
        ("pools: [a]\n", "1:9 pools[0]"),
        ("pools: [{name: 7, addresses: [1.1.1.1]}]\n", "1:16 pools[0].name"),
        ("pools: [{name: a, addresses: 1.1.1.1}]\n", "1:30 pools[0].addresses"),
        ("pools: [{name: a, addresses: [1.1]}]\n", "1:31 pools[0].addresses[0]"),
        ("pools: [{name: a, addresses: [1.1.1.1], autoAssign: yes}]\n", "1:53 pools[0].autoAssign"),
        ("pools: [{name: a, addresses: [1.1.1.1], priority: high}]\n", "1:51 pools[0].priority"),
        ("pools: [{name: a, addresses: [1.1.1.1], priority: 3000000000}]\n", "1:51 pools[0].priority"),
        ("pools: [{name: a, addresses: [1.1.1.1], perNamespace: -1}]\n", "1:55 pools[0].perNamespace"),
        ("pools: [{name: a, addresses: [1.1.1.1], perNamespace: 4294967296}]\n", "1:55 pools[0].perNamespace"),
        ("pools: [{name: a, addresses: [1.1.1.1], namespaces: shop}]\n", "1:53 pools[0].namespaces"),
        ("quarantine: 60\n", "1:13 quarantine"),
        ("reuse: 1 day\n", "1:8 reuse"),
        ("announcements: [{interfaces: eth0}]\n", "1:30 announcements[0].interfaces"),
        ("announcements: [{ignoreExcludeLabel: 1}]\n", "1:38 announcements[0].ignoreExcludeLabel"),
        ("announcements: [{nodeSelectors: [a]}]\n", "1:34 announcements[0].nodeSelectors[0]"),
        ("7: a\n", "1:1 "),
    ] {
        let errors = errors(text);
        assert_eq!(errors[0].0, place, "{text}: {errors:?}");
        assert!(errors.iter().any(|(_, fault)| matches!(fault, Fault::WrongType { .. })), "{text}: {errors:?}");
    }
}

#[test]
fn names_are_checked_and_their_own() {
    let two = "pools:\n- {name: a, addresses: [1.1.1.1]}\n- {name: a, addresses: [1.1.1.2]}\n";
    let first = Position { line: 2, column: 10 };
    assert_eq!(errors(two), [("3:10 pools[1].name".into(), Fault::DuplicatePool { name: "a".into(), first })]);
    for name in ["''", "A", "a,b", "-a", "a b", &"x".repeat(64)] {
        let errors = errors(&format!("pools:\n- {{name: '{}', addresses: [1.1.1.1]}}\n", name.trim_matches('\'')));
        assert!(matches!(&errors[..], [(_, Fault::PoolName(_))]), "{name}: {errors:?}");
    }
    let text = "pools:\n- {name: a, addresses: [1.1.1.1]}\nannouncements:\n- pools: [a, b]\n  interfaces: ['eth[0]']\n";
    let unknown = ("4:14 announcements[0].pools[1]".into(), Fault::UnknownPool("b".into()));
    let interface = ("5:16 announcements[0].interfaces[0]".into(), Fault::Interface("eth[0]".into()));
    assert_eq!(errors(text), [unknown, interface]);
}

#[test]
fn what_is_odd_but_harmless_is_a_warning() {
    let text = "pools:\n- {name: a, addresses: [198.51.100.7/24], exclude: [203.0.113.1]}\n";
    let host_bits = Fault::HostBits { written: "198.51.100.7/24".into(), range: "198.51.100.0-198.51.100.255".into() };
    let excludes = Fault::ExcludesNothing("203.0.113.1".into());
    let expected = [("2:25 pools[0].addresses[0]".into(), host_bits), ("2:53 pools[0].exclude[0]".into(), excludes)];
    assert_eq!(warnings(text), expected);
}

/// One text with everything wrong, as a user would read it.
#[test]
fn one_error_does_not_hide_the_next() {
    let text = r#"
pools:
- name: default
  addresses: [198.51.100.0/24, 198.51.100.50-198.51.100.40, 127.0.0.1, 198.51.100.1-2001:db8::1]
  sharing: some
  autoAssign: "no"
- name: default
  adresses: [198.51.100.7]
  priority: high
announcements:
- pools: [default, other]
  interfaces: [eth/0]
  nodeSelectors: [{}, {matchExpressions: [{key: a, operator: Is}]}]
colour: blue
"#;
    let errors = parse(text).unwrap_err();
    let shown: Vec<String> = errors.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(shown.join("\n"));
    assert!(errors.to_string().len() <= Errors::DISPLAY_BYTES);
    assert!(errors.to_string().ends_with(" more"), "{errors}");
}

#[test]
fn a_mistyped_key_is_told_the_right_one_and_a_strange_one_all() {
    for (key, right) in [("pool", "pools"), ("Pools", "pools"), ("anouncement", "announcements"), ("reusse", "reuse")] {
        let shown = parse(&format!("{key}: []")).unwrap_err().to_string();
        assert!(shown.ends_with(&format!("unknown key {key:?}: did you mean {right:?}?")), "{shown}");
    }
    for key in ["peers", "quality", &"p".repeat(1_000)] {
        let shown = parse(&format!("{key}: []")).unwrap_err().iter().next().unwrap().to_string();
        assert!(shown.contains("the keys known here are pools, announcements"), "{shown}");
    }
}

#[test]
fn a_key_with_a_line_break_is_shown_in_one_line() {
    let errors = parse("pools: []\n\"a\\nb\": {}\nannouncements: [{\"c\\rd\": 1}]\n").unwrap_err();
    let paths: Vec<_> = errors.iter().map(|error| &*error.path).collect();
    assert_eq!(paths, [r"a\nb", r"announcements[0].c\rd"]);
    assert!(!errors.to_string().contains(['\n', '\r']), "{errors}");
}

#[test]
fn what_is_shown_fits_an_event_however_long_the_text() {
    for name in ["ä".repeat(5000), "x".repeat(300)] {
        let text = format!("pools:\n- {{name: '{name}'}}\n- {{name: '{name}'}}\n- {{name: '{name}'}}\n");
        let shown = parse(&text).unwrap_err().to_string();
        assert!(shown.len() <= Errors::DISPLAY_BYTES && !shown.contains('\n'), "{} {shown}", shown.len());
        assert!(shown.contains("line 2"), "{shown}");
        assert!(shown.contains("; and "), "{shown}");
    }
}
