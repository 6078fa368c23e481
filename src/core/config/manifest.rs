//! A file as users have it: the configuration's text alone, or a ConfigMap's manifest with the text in it.
//!
//! Of a manifest all but the text is blanked out, so that what is wrong is told with its line and column in the file.

use super::{
    Errors, Parsed,
    diagnostic::{Diagnostic, Fault},
    parse,
    tree::{self, Node, Value},
};

/// The ConfigMap's key of the text.
const KEY: &str = "config.yaml";

/// Reads and checks a file: the text of a configuration, or the manifest of a ConfigMap that has it under `config.yaml`. Where the
/// manifest has it as another kind of text than a block (`|`), places are those in the text alone.
///
/// # Errors
/// As [`parse`]; and a ConfigMap's without the key.
pub fn parse_file(file: &str) -> Result<Parsed, Errors> {
    let root = tree::read(file)?;
    if !matches!(get(&root, "kind"), Some(Node { value: Value::Text(kind), .. }) if kind == "ConfigMap") {
        return parse(file);
    }
    let data = get(&root, "data");
    match data.and_then(|data| entry(data, KEY)) {
        Some((key, Node { value: Value::Text(text), .. })) => {
            parse(&block(file, key.at.line).unwrap_or_else(|| text.clone()))
        }
        _ => {
            let at = data.unwrap_or(&root).at;
            Err(Errors(vec![Diagnostic { at, path: "data".to_owned(), fault: Fault::MissingKey(KEY) }]))
        }
    }
}

fn get<'a>(node: &'a Node, key: &str) -> Option<&'a Node> {
    entry(node, key).map(|(_, value)| value)
}

fn entry<'a>(node: &'a Node, key: &str) -> Option<(&'a Node, &'a Node)> {
    let Value::Map(map) = &node.value else { return None };
    let found = map.iter().find(|(name, _)| matches!(&name.value, Value::Text(name) if name == key));
    found.map(|(name, value)| (name, value))
}

/// The block that begins on this line behind its key, with blank lines in the place of those before it; none: another kind of
/// text stands there.
fn block(file: &str, line: u64) -> Option<String> {
    let before = usize::try_from(line).ok()?;
    let (_, indicator) = file.lines().nth(before.checked_sub(1)?)?.split_once(':')?;
    if !indicator.trim_start().starts_with('|') {
        return None;
    }
    let depth = |line: &str| line.len() - line.trim_start_matches(' ').len();
    let mut indent = None;
    let block = file
        .lines()
        .skip(before)
        .take_while(|line| line.trim().is_empty() || depth(line) >= *indent.get_or_insert_with(|| depth(line)));
    Some("\n".repeat(before) + &block.collect::<Vec<_>>().join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = "\
apiVersion: v1
kind: ConfigMap
metadata:
  name: landfall
data:
  config.yaml: |
    # The pools.
    pools:
    - name: a

      addresses: [198.51.100.1]
    - name: b
      adresses: [198.51.100.2]
  other: |
    text
";

    fn told(file: &str) -> Vec<String> {
        match parse_file(file) {
            Ok(parsed) => vec![parsed.config.summary()],
            Err(errors) => errors.iter().map(ToString::to_string).collect(),
        }
    }

    /// The YAML that a page shows.
    fn shown(page: &str) -> impl Iterator<Item = &str> {
        page.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next())
    }

    #[test]
    fn what_the_documentation_shows_is_accepted_without_a_warning() {
        let (all, metallb) =
            (include_str!("../../../docs/configuration.md"), include_str!("../../../docs/from-metallb.md"));
        let ours = shown(metallb).filter(|yaml| yaml.contains("kind: ConfigMap"));
        let files: Vec<&str> =
            shown(all).chain(ours).chain([include_str!("../../../docs/examples/config.yaml")]).collect();
        assert_eq!(files.len(), 3);
        for file in files {
            let parsed = parse_file(file).unwrap();
            assert_eq!((parsed.warnings, parsed.config.pools.len()), (Vec::new(), 1), "{file}");
        }
    }

    #[test]
    fn a_manifest_is_told_its_own_lines() {
        let told_here = told(MANIFEST);
        let [missing, unknown] = &told_here[..] else { panic!("{told_here:?}") };
        assert!(missing.starts_with("line 12, column 7: pools[1]: the key \"addresses\" is missing"), "{missing}");
        assert!(unknown.starts_with("line 13, column 7: pools[1].adresses: unknown key"), "{unknown}");
        assert_eq!(told(&MANIFEST.replace("adresses", "addresses")), ["with the pools a, b"]);
    }

    #[test]
    fn the_text_is_found_however_it_is_written() {
        for block in ["|", "|-", "|+", "|2"] {
            let file =
                MANIFEST.replace("config.yaml: |", &format!("config.yaml: {block}")).replace("adresses", "addresses");
            assert_eq!(told(&file), ["with the pools a, b"], "{block}");
        }
        let quoted = "kind: ConfigMap\ndata: {config.yaml: \"pools:\\n- name: a\\n  addresses: [198.51.100.1]\\n\"}\n";
        assert_eq!(told(quoted), ["with the pools a"]);
        let wrong = told(&quoted.replace("198.51.100.1", "x"));
        assert!(wrong[0].starts_with("line 3, column 15: pools[0].addresses[0]: "), "{wrong:?}");
        assert_eq!(told("pools: [{name: a, addresses: [198.51.100.1]}]"), ["with the pools a"]);
    }

    #[test]
    fn a_config_map_without_the_text_says_so() {
        let missing = |place: &str| format!("{place}: data: the key \"config.yaml\" is missing: add it");
        assert_eq!(told("kind: ConfigMap\ndata:\n  other: x\n"), [missing("line 3, column 3")]);
        assert_eq!(told("kind: ConfigMap\n"), [missing("line 1, column 1")]);
    }
}
