//! A file as users have it: the configuration's text alone, or a ConfigMap's manifest with the text in it.
//!
//! What is wrong is told with its line and column in the file, wherever the text is in it.

use super::{
    Errors, Parsed, check,
    diagnostic::{Diagnostic, Fault, Position},
    fields::Findings,
    tree::{self, Node, Value},
};

/// The ConfigMap that the controller reads,
pub const NAME: &str = "landfall";
/// and its key of the text.
pub const KEY: &str = "config.yaml";

/// Reads and checks a file: the text of a configuration, or the manifest of a ConfigMap that has it under `config.yaml`. Where the
/// manifest has it in another form than a block (`|`), places are those in the text alone.
///
/// # Errors
/// As [`parse`](super::parse); and what keeps the text from being found.
pub fn parse_file(file: &str) -> Result<Parsed, Errors> {
    let manifest = tree::read(file)?;
    let Some(kind) = value(&manifest, "kind") else { return check(&manifest) };
    let mut findings = Findings::default();
    if !matches!(&kind.value, Value::Text(kind) if kind == "ConfigMap") {
        findings.error(kind.at, "kind", Fault::OtherKind(kind.value.to_string()));
    }
    let name = value(&manifest, "metadata").and_then(|metadata| value(metadata, "name"));
    match name {
        Some(Node { at, value: Value::Text(name) }) if name != NAME => {
            findings.warn(*at, "metadata.name", Fault::OtherConfigMap(name.clone()));
        }
        _ => {}
    }
    let text = find(&manifest, &mut findings).filter(|_| findings.errors.is_empty());
    let Some(text) = text else { return Err(Errors(findings.errors)) };
    let mut parsed = read(text, place(file, text).unwrap_or_default())?;
    parsed.warnings.splice(0..0, findings.warnings);
    Ok(parsed)
}

/// The value of a key.
fn value<'a>(node: &'a Node, key: &str) -> Option<&'a Node> {
    let Value::Map(map) = &node.value else { return None };
    map.iter().find(|(name, _)| matches!(&name.value, Value::Text(name) if name == key)).map(|(_, value)| value)
}

/// The text under the key; none where findings say why.
fn find<'a>(manifest: &'a Node, findings: &mut Findings) -> Option<&'a str> {
    let top = findings.entries(manifest, "");
    let data = top.into_iter().find(|(key, _)| *key == "data").map(|(_, data)| data);
    let entries = data.map(|data| findings.entries(data, "data")).unwrap_or_default();
    match entries.into_iter().find(|(key, _)| *key == KEY) {
        Some((_, Node { value: Value::Text(text), .. })) => Some(text),
        Some((_, node)) => {
            let expected = "text: write | after the key";
            let fault = Fault::WrongType { found: node.value.to_string(), expected };
            findings.error(node.at, "data.config.yaml", fault);
            None
        }
        None => {
            findings.error(data.unwrap_or(manifest).at, "data", Fault::MissingKey(KEY));
            None
        }
    }
}

/// How many lines of `file` are before `text`, and by how many columns its lines are indented there; none: it is not there line by
/// line.
fn place(file: &str, text: &str) -> Option<Position> {
    let (file, text): (Vec<&str>, Vec<&str>) = (file.lines().collect(), text.trim_end_matches('\n').lines().collect());
    let (first, written) = text.iter().enumerate().find(|(_, line)| !line.trim().is_empty())?;
    file.windows(text.len()).enumerate().find_map(|(line, lines)| {
        let indent = lines[first].strip_suffix(written)?;
        let is_it = |(line, text): (&&str, &&str)| {
            line.strip_prefix(indent).map_or(text.trim().is_empty(), |line| line == *text)
        };
        let is_there = indent.trim_matches(' ').is_empty() && lines.iter().zip(&text).all(is_it);
        is_there.then_some(Position { line: line as u64, column: indent.len() as u64 })
    })
}

/// Reads and checks a text that begins at this place.
fn read(text: &str, place: Position) -> Result<Parsed, Errors> {
    let shift = |at: &mut Position| {
        at.line += place.line;
        at.column += place.column;
    };
    let mut root = tree::read(text).map_err(|Errors(mut errors)| {
        errors.iter_mut().for_each(|Diagnostic { at, .. }| shift(at));
        Errors(errors)
    })?;
    root.each_place(&shift);
    check(&root)
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
        let pages = [
            include_str!("../../../README.md"),
            include_str!("../../../docs/configuration.md"),
            include_str!("../../../docs/from-metallb.md"),
        ];
        let ours = |yaml: &&str| !yaml.contains("metallb.io");
        let example = include_str!("../../../docs/examples/config.yaml");
        let files: Vec<&str> = pages.into_iter().flat_map(shown).filter(ours).chain([example]).collect();
        assert_eq!(files.len(), 4);
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
        for block in ["|", "|-", "|+", "|2", "| # below", "&a |"] {
            let file = MANIFEST.replace("config.yaml: |", &format!("config.yaml: {block}"));
            let [missing, _] = &told(&file)[..] else { panic!("{block}: {:?}", told(&file)) };
            assert!(missing.starts_with("line 12, column 7: pools[1]: "), "{block}: {missing}");
            assert_eq!(told(&file.replace('\n', "\r\n")), told(&file), "{block}");
        }
        let quoted = "kind: ConfigMap\ndata: {config.yaml: \"pools:\\n- name: a\\n  addresses: [198.51.100.1]\\n\"}\n";
        assert_eq!(told(quoted), ["with the pools a"]);
        let wrong = told(&quoted.replace("198.51.100.1", "x"));
        assert!(wrong[0].starts_with("line 3, column 15: pools[0].addresses[0]: "), "{wrong:?}");
        assert_eq!(told("pools: [{name: a, addresses: [198.51.100.1]}]"), ["with the pools a"]);
    }

    #[test]
    fn what_is_judged_is_what_the_controller_reads() {
        let file = |text: &str| format!("kind: ConfigMap\ndata:\n  config.yaml: {text}\n  other: x\n");
        let pool = "pools: [{name: a, addresses: [198.51.100.1]}]";
        for (text, told_of) in [
            // Two columns belong to the text.
            (&*format!("|2\n        # more\n    {pool}"), "with the pools a"),
            (&format!("|\n    ---\n    {pool}"), "with the pools a"),
            ("|", "without pools"),
            ("\"\"", "without pools"),
        ] {
            assert_eq!(told(&file(text)), [told_of], "{text}");
        }
        let wrong = told(&file("|\n    ---\n    pools: 1"));
        assert!(wrong[0].starts_with("line 5, column 12: pools: "), "{wrong:?}");
        let broken = told(&file("|\n    pools: ["));
        assert!(broken[0].starts_with("line 4, ") || broken[0].starts_with("line 5, "), "{broken:?}");
    }

    #[test]
    fn a_manifest_without_the_text_says_so() {
        let missing = |place: &str| format!("{place}: data: the key \"config.yaml\" is missing: add it");
        assert_eq!(told("kind: ConfigMap\ndata:\n  other: x\n"), [missing("line 3, column 3")]);
        assert_eq!(told("kind: ConfigMap\n"), [missing("line 1, column 1")]);
        let [mapping] = &told("kind: ConfigMap\ndata:\n  config.yaml:\n    pools: []\n")[..] else { panic!() };
        assert!(
            mapping.ends_with("data.config.yaml: found a mapping, expected text: write | after the key"),
            "{mapping}"
        );
        let twice = told(&format!("{MANIFEST}  config.yaml: x\n"));
        assert!(twice.len() == 1 && twice[0].contains("a second time: keep one (the first is on line 6)"), "{twice:?}");
        let list = told("kind: List\nitems: []\n");
        assert_eq!(
            list[0],
            "line 1, column 7: kind: found the text \"List\": give the manifest of one ConfigMap, or the text in it alone"
        );
    }

    #[test]
    fn a_config_map_that_nobody_reads_is_told() {
        let file = MANIFEST.replace("adresses", "addresses").replace("name: landfall", "name: landfall-config");
        let warnings = parse_file(&file).unwrap().warnings;
        let told: Vec<String> = warnings.iter().map(ToString::to_string).collect();
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].starts_with("line 4, column 9: metadata.name: \"landfall-config\""), "{told:?}");
    }
}
