//! Any text that somebody may put into the ConfigMap.

use landfall_core::{
    addr::Family,
    config::{Diagnostic, Errors, Labels, Parsed, parse},
};

const DOCUMENTED: &str = include_str!("../../docs/configuration.md");
/// Forms that the documentation's example has no room for, and errors.
const FORMS: [(&str, &str); 4] = [
    (
        "forms",
        "pools:\n- {name: a, addresses: [\"2001:db8::1-2001:db8::f\", 198.51.100.7], autoAssign: false, sharing: all}\n\
         - name: b\n  addresses:\n  - 203.0.113.0/28\n  avoidEdgeAddresses: true\n  priority: -3\n  serviceSelectors:\n\
         \x20 - matchExpressions: [{key: a, operator: In, values: [x, y]}, {key: b, operator: DoesNotExist}]\n",
    ),
    ("anchors", "pools:\n- &a {name: a, addresses: [198.51.100.7]}\n- {<<: *a, name: b}\n"),
    ("overlap", "pools: [{name: a, addresses: [198.51.100.0/24]}, {name: b, addresses: [198.51.100.9]}]\n"),
    ("unknown", "pools: []\nannouncements: [{pools: [none], interface: eth0}]\nquarantine: 5\nreuse: 99999d\n"),
];

/// The example of the documentation, and the forms that it has not.
pub fn seeds() -> Vec<(String, Vec<u8>)> {
    let examples = DOCUMENTED.split("```").filter_map(|part| part.strip_prefix("yaml\n"));
    let examples = examples.enumerate().map(|(number, text)| (format!("documented-{number}"), text.into()));
    examples.chain(FORMS.map(|(name, text)| (name.to_owned(), text.into()))).collect()
}

/// What is accepted can be used, and what is not says why in a line.
pub fn check(text: &[u8]) {
    let Ok(text) = std::str::from_utf8(text) else { return };
    let parsed = parse(text);
    assert_eq!(parse(text), parsed, "one text, one meaning");
    match parsed {
        Ok(Parsed { config, warnings }) => {
            told(&warnings);
            for (position, pool) in config.pools.iter().enumerate() {
                assert!(pool.size(Family::V4) > 0 || pool.size(Family::V6) > 0, "{} has no address", pool.name);
                assert_eq!(config.position(&pool.name), Some(position));
                config.reach(&pool.name, &Labels::default(), "eth0");
            }
            assert!(!config.summary().is_empty());
        }
        Err(errors) => {
            assert!(errors.iter().count() > 0);
            told(errors.iter().as_slice());
            let said = errors.to_string();
            assert!(!said.is_empty() && said.len() <= Errors::DISPLAY_BYTES, "{said:?}");
        }
    }
}

/// In the order of the text, each in a line.
fn told(found: &[Diagnostic]) {
    assert!(found.is_sorted_by_key(|diagnostic| diagnostic.at));
    for diagnostic in found {
        let said = diagnostic.to_string();
        assert!(!said.contains(['\n', '\r']), "{said:?}");
    }
}
