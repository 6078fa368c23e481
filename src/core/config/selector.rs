//! Kubernetes label selectors: the text becomes a checked [`Selector`], which labels match or do not.

use super::{
    Labels,
    diagnostic::{Fault, Position},
    fields::{Fields, Findings},
    tree::Node,
};
use std::collections::BTreeSet;

/// A label selector (`metav1.LabelSelector`): all requirements must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selector {
    requirements: Vec<Requirement>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Requirement {
    key: String,
    operator: Operator,
}

/// What a label's value, or its absence, must be. A label of `matchLabels` is `In` with one value.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Operator {
    In(BTreeSet<String>),
    NotIn(BTreeSet<String>),
    Exists,
    DoesNotExist,
}

impl Operator {
    fn admits(&self, value: Option<&str>) -> bool {
        match self {
            Self::In(values) => value.is_some_and(|value| values.contains(value)),
            // As in Kubernetes, a label that is absent is not in any set.
            Self::NotIn(values) => value.is_none_or(|value| !values.contains(value)),
            Self::Exists => value.is_some(),
            Self::DoesNotExist => value.is_none(),
        }
    }
}

impl Selector {
    /// Whether an object with these labels is selected.
    pub fn matches(&self, labels: &Labels) -> bool {
        self.requirements.iter().all(|r| r.operator.admits(labels.get(&r.key)))
    }

    /// Whether one of `selectors` selects an object with these labels.
    pub(super) fn any_matches(selectors: &[Self], labels: &Labels) -> bool {
        selectors.iter().any(|selector| selector.matches(labels))
    }

    /// A label for which no value, nor its absence, satisfies all requirements.
    fn contradiction(&self) -> Option<&str> {
        let keys: BTreeSet<&str> = self.requirements.iter().map(|r| r.key.as_str()).collect();
        keys.into_iter().find(|key| {
            let operators: Vec<&Operator> =
                self.requirements.iter().filter(|r| r.key == *key).map(|r| &r.operator).collect();
            let admitted = |value| operators.iter().all(|operator| operator.admits(value));
            let named = operators.iter().find_map(|operator| match operator {
                Operator::In(values) => Some(values),
                _ => None,
            });
            match named {
                Some(values) => !values.iter().any(|value| admitted(Some(value))),
                // Without In some unheard-of value escapes every NotIn; no label value has a space.
                None => !admitted(None) && !admitted(Some("any other")),
            }
        })
    }

    /// Reads a list of selectors; those with an error are left out.
    pub(super) fn read_list(fields: &Fields<'_>, key: &str, findings: &mut Findings) -> Vec<Self> {
        let list = fields.list(findings, key);
        list.into_iter().filter_map(|(path, node)| Self::read(node, &path, findings)).collect()
    }

    /// Reads one selector; none where it has an error.
    pub(super) fn read(node: &Node, path: &str, findings: &mut Findings) -> Option<Self> {
        let errors = findings.errors.len();
        let fields = findings.fields(node, path, SELECTOR);
        let mut selector = Self::default();
        if let Some(labels) = fields.node("matchLabels") {
            let path = fields.path("matchLabels");
            for (key, node) in findings.entries(labels, &path) {
                let path = format!("{path}.{key}");
                check_key(key, node.at, &path, findings);
                if let Some(value) = findings.text(node, &path) {
                    check_value(value, node.at, &path, findings);
                    let operator = Operator::In([value.to_owned()].into());
                    selector.requirements.push(Requirement { key: key.to_owned(), operator });
                }
            }
        }
        for (path, node) in fields.list(findings, "matchExpressions") {
            selector.requirements.extend(Requirement::read(node, &path, findings));
        }
        if findings.errors.len() > errors {
            return None;
        }
        if selector.requirements.is_empty() {
            findings.error(node.at, path, Fault::EmptySelector);
        } else if let Some(key) = selector.contradiction() {
            findings.error(node.at, path, Fault::Contradiction(key.to_owned()));
        }
        Some(selector)
    }
}

const SELECTOR: &[&str] = &["matchLabels", "matchExpressions"];
const EXPRESSION: &[&str] = &["key", "operator", "values"];

impl Requirement {
    fn read(node: &Node, path: &str, findings: &mut Findings) -> Option<Self> {
        let fields = findings.fields(node, path, EXPRESSION);
        let key = fields.required_text(findings, "key");
        if let Some((key, at)) = key {
            check_key(key, at, &fields.path("key"), findings);
        }
        let operator = Self::read_operator(&fields, findings);
        Some(Self { key: key?.0.to_owned(), operator: operator? })
    }

    fn read_operator(fields: &Fields<'_>, findings: &mut Findings) -> Option<Operator> {
        let operator = fields.required_text(findings, "operator");
        let mut values = BTreeSet::new();
        for (path, value, at) in fields.texts(findings, "values") {
            check_value(value, at, &path, findings);
            values.insert(value.to_owned());
        }
        let (operator, at) = operator?;
        let (operator, fault) = match (operator, values.is_empty()) {
            ("In", false) => return Some(Operator::In(values)),
            ("NotIn", false) => return Some(Operator::NotIn(values)),
            ("Exists", true) => return Some(Operator::Exists),
            ("DoesNotExist", true) => return Some(Operator::DoesNotExist),
            ("In", true) => ("values", Fault::ValuesNeeded("In")),
            ("NotIn", true) => ("values", Fault::ValuesNeeded("NotIn")),
            ("Exists", false) => ("values", Fault::ValuesForbidden("Exists")),
            ("DoesNotExist", false) => ("values", Fault::ValuesForbidden("DoesNotExist")),
            (other, _) => ("operator", Fault::Operator(other.to_owned())),
        };
        findings.error(at, &fields.path(operator), fault);
        None
    }
}

fn check_key(key: &str, at: Position, path: &str, findings: &mut Findings) {
    let (prefix, name) = key.split_once('/').map_or((None, key), |(prefix, name)| (Some(prefix), name));
    if name.is_empty() || !is_label(name) || prefix.is_some_and(|prefix| !is_dns_name(prefix, 253)) {
        findings.error(at, path, Fault::LabelKey(key.to_owned()));
    }
}

fn check_value(value: &str, at: Position, path: &str, findings: &mut Findings) {
    if !is_label(value) {
        findings.error(at, path, Fault::LabelValue(value.to_owned()));
    }
}

/// A label's value; empty is one.
fn is_label(text: &str) -> bool {
    let ends = |byte: Option<&u8>| byte.is_none_or(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    bytes.len() <= 63
        && ends(bytes.first())
        && ends(bytes.last())
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte))
}

/// A DNS-1123 subdomain of at most `most` bytes, as Kubernetes names its objects.
pub(super) fn is_dns_name(text: &str, most: usize) -> bool {
    text.len() <= most
        && text.split('.').all(|label| {
            !label.is_empty()
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        })
}

#[cfg(test)]
mod tests {
    use super::{super::tree, *};

    fn selector(text: &str) -> Selector {
        let mut findings = Findings::default();
        let selector = Selector::read(&tree::read(text).unwrap(), "s", &mut findings);
        assert_eq!(findings.errors, [], "{text}");
        selector.unwrap()
    }

    fn fault(text: &str) -> Option<Fault> {
        let mut findings = Findings::default();
        Selector::read(&tree::read(text).unwrap(), "s", &mut findings);
        assert!(findings.errors.len() <= 1, "{:?}", findings.errors);
        findings.errors.pop().map(|error| error.fault)
    }

    #[test]
    fn labels_match_as_in_kubernetes() {
        let labels =
            |text: &str| -> Labels { text.split_whitespace().map(|pair| pair.split_once('=').unwrap()).collect() };
        for (text, matching, other) in [
            ("matchLabels: {role: edge}", "role=edge zone=a", "role=core"),
            ("matchLabels: {role: edge, zone: a}", "role=edge zone=a", "role=edge"),
            ("matchLabels: {example.com/edge: ''}", "example.com/edge=", "edge="),
            ("matchExpressions: [{key: zone, operator: In, values: [a, b]}]", "zone=b", "zone=c"),
            ("matchExpressions: [{key: zone, operator: In, values: [a, b]}]", "zone=a", ""),
            ("matchExpressions: [{key: zone, operator: NotIn, values: [a, b]}]", "zone=c", "zone=a"),
            ("matchExpressions: [{key: zone, operator: NotIn, values: [a, b]}]", "", "zone=b"),
            ("matchExpressions: [{key: zone, operator: Exists}]", "zone=", "role=edge"),
            ("matchExpressions: [{key: zone, operator: DoesNotExist}]", "role=edge", "zone=a"),
            (
                "{matchLabels: {role: edge}, matchExpressions: [{key: zone, operator: NotIn, values: [a]}]}",
                "role=edge zone=b",
                "role=edge zone=a",
            ),
        ] {
            let selector = selector(text);
            assert!(selector.matches(&labels(matching)), "{text} should match {matching}");
            assert!(!selector.matches(&labels(other)), "{text} should not match {other}");
        }
    }

    #[test]
    fn what_is_no_selector_says_why() {
        for (text, expected) in [
            ("{}", Fault::EmptySelector),
            ("matchLabels:", Fault::EmptySelector),
            ("matchLabels: {Bad Key: x}", Fault::LabelKey("Bad Key".into())),
            ("matchLabels: {UPPER.com/x: x}", Fault::LabelKey("UPPER.com/x".into())),
            ("matchLabels: {a/: x}", Fault::LabelKey("a/".into())),
            ("matchLabels: {a: -x}", Fault::LabelValue("-x".into())),
            ("matchExpressions: [{key: a, operator: in, values: [b]}]", Fault::Operator("in".into())),
            ("matchExpressions: [{key: a, operator: Gt, values: ['1']}]", Fault::Operator("Gt".into())),
            ("matchExpressions: [{key: a, operator: In}]", Fault::ValuesNeeded("In")),
            ("matchExpressions: [{key: a, operator: NotIn, values: []}]", Fault::ValuesNeeded("NotIn")),
            ("matchExpressions: [{key: a, operator: Exists, values: [b]}]", Fault::ValuesForbidden("Exists")),
            ("matchExpressions: [{operator: Exists}]", Fault::MissingKey("key")),
            ("matchExpressions: [{key: a}]", Fault::MissingKey("operator")),
            (
                "matchLabels: {a: 1}",
                Fault::WrongType { found: "the number 1".into(), expected: "text: put it in quotes" },
            ),
        ] {
            assert_eq!(fault(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn a_selector_that_can_match_nothing_is_an_error() {
        let of = |list: &str| fault(&format!("matchExpressions: [{list}]"));
        let exists = "{key: a, operator: Exists}";
        let absent = "{key: a, operator: DoesNotExist}";
        let is = |operator: &str, values: &str| format!("{{key: a, operator: {operator}, values: [{values}]}}");
        let contradiction = Some(Fault::Contradiction("a".into()));
        for (list, expected) in [
            (format!("{exists}, {absent}"), &contradiction),
            (format!("{}, {}", is("In", "x"), is("In", "y, z")), &contradiction),
            (format!("{}, {}", is("In", "x, y"), is("NotIn", "y, x")), &contradiction),
            (format!("{}, {absent}", is("In", "x")), &contradiction),
            (format!("{}, {}", is("In", "x, y"), is("In", "y, z")), &None),
            (format!("{}, {}", is("In", "x, y"), is("NotIn", "x")), &None),
            (format!("{}, {exists}", is("NotIn", "x")), &None),
            (format!("{}, {absent}", is("NotIn", "x")), &None),
        ] {
            assert_eq!(&of(&list), expected, "{list}");
        }
    }
}
