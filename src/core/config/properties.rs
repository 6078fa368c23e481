//! What holds for every text, however odd.

use super::*;
use crate::addr::Family;
use proptest::prelude::*;

/// A valid text with some of its characters changed.
fn damaged() -> impl Strategy<Value = String> {
    let valid = "pools:\n- name: a\n  addresses: [198.51.100.0/24, \"2001:db8::/64\"]\n  exclude: [198.51.100.7]\n\
                 announcements:\n- pools: [a]\n  nodeSelectors:\n  - matchLabels: {role: edge}\n  interfaces: [\"en*\"]\n";
    let edits =
        prop::collection::vec((0..valid.len(), prop::sample::select(b"[]{}:-\n &*!|>'\"#,%@x1~".to_vec())), 0..6);
    edits.prop_map(|edits| {
        let mut text = valid.as_bytes().to_vec();
        edits.into_iter().for_each(|(index, byte)| text[index] = byte);
        String::from_utf8_lossy(&text).into_owned()
    })
}

proptest! {
    #[test]
    fn no_text_is_too_odd(text in prop_oneof![damaged(), any::<String>()]) {
        match parse(&text) {
            Ok(Parsed { config, .. }) => prop_assert!(config.pools.iter().all(|pool| !pool.addresses.is_empty())),
            Err(errors) => prop_assert!(errors.iter().count() > 0 && !errors.to_string().is_empty()),
        }
    }

    #[test]
    fn a_manifest_is_judged_as_the_text_in_it(text in damaged()) {
        let lines: String = text.lines().map(|line| format!("    {line}\n")).collect();
        let file = format!("kind: ConfigMap\ndata:\n  config.yaml: |2\n{lines}");
        let places = |result: Result<Parsed, Errors>, lines, columns| {
            let (is_good, all) = match result {
                Ok(parsed) => (true, parsed.warnings),
                Err(Errors(errors)) => (false, errors),
            };
            let place = move |Diagnostic { at, path, .. }: Diagnostic| (at.line + lines, at.column + columns, path);
            (is_good, all.into_iter().map(place).collect::<Vec<_>>())
        };
        prop_assert_eq!(places(parse_file(&file), 0, 0), places(parse(&text), 3, 4));
    }

    #[test]
    fn pools_overlap_exactly_if_two_blocks_share_an_address(
        blocks in prop::collection::vec((0..60u8, 0..8u8), 1..8),
        split in 0..8usize,
    ) {
        let text = |blocks: &[(u8, u8)]| {
            let block = |(first, more): &(u8, u8)| format!("198.51.100.{first}-198.51.100.{}", first + more);
            blocks.iter().map(block).collect::<Vec<_>>().join(", ")
        };
        let (a, b) = blocks.split_at(split.min(blocks.len()));
        let pool = |name: &str, blocks: &[(u8, u8)]| match blocks {
            [] => String::new(),
            _ => format!("- {{name: {name}, addresses: [{}]}}\n", text(blocks)),
        };
        let text = format!("pools:\n{}{}", pool("a", a), pool("b", b));
        let mut seen = std::collections::BTreeSet::new();
        let shares = blocks.iter().any(|(first, more)| (*first..=first + more).any(|number| !seen.insert(number)));
        match parse(&text) {
            Ok(Parsed { config, .. }) => {
                prop_assert!(!shares, "{}", text);
                let sizes = config.pools.iter().map(|pool| pool.size(Family::V4)).sum::<u128>();
                prop_assert_eq!(sizes, seen.len() as u128);
            }
            Err(errors) => {
                prop_assert!(shares, "{}: {}", text, errors);
                let all = errors.iter().all(|error| matches!(error.fault, Fault::Overlap { .. }));
                prop_assert!(all, "{}", errors);
            }
        }
    }
}
