//! Values of the tree as the types that they should be; what is wrong is collected on the way.

use super::{
    diagnostic::{Diagnostic, Fault, Position},
    duration,
    tree::{Node, Value},
};
use std::{ops::RangeInclusive, time::Duration};

/// What was found wrong so far.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub errors: Vec<Diagnostic>,
    pub warnings: Vec<Diagnostic>,
}

impl Findings {
    pub fn error(&mut self, at: Position, path: &str, fault: Fault) {
        self.errors.push(Diagnostic { at, path: path.to_owned(), fault });
    }

    pub fn warn(&mut self, at: Position, path: &str, fault: Fault) {
        self.warnings.push(Diagnostic { at, path: path.to_owned(), fault });
    }

    fn wrong_type(&mut self, node: &Node, path: &str, expected: &'static str) {
        self.error(node.at, path, Fault::WrongType { found: node.value.to_string(), expected });
    }

    /// The node's text.
    pub fn text<'a>(&mut self, node: &'a Node, path: &str) -> Option<&'a str> {
        match &node.value {
            Value::Text(text) => return Some(text),
            Value::Integer(_) | Value::Float(_) | Value::Bool(_) => {
                self.wrong_type(node, path, "text: put it in quotes")
            }
            _ => self.wrong_type(node, path, "text"),
        }
        None
    }

    /// The node's elements with their paths. Null is an empty list: what is left of a list whose elements are all
    /// commented out.
    pub fn list<'a>(&mut self, node: &'a Node, path: &str) -> Vec<(String, &'a Node)> {
        match &node.value {
            Value::List(list) => {
                list.iter().enumerate().map(|(index, node)| (format!("{path}[{index}]"), node)).collect()
            }
            Value::Null => Vec::new(),
            _ => {
                self.wrong_type(node, path, "a list");
                Vec::new()
            }
        }
    }

    /// The entries of a free mapping of texts.
    pub fn entries<'a>(&mut self, node: &'a Node, path: &str) -> Vec<(&'a str, &'a Node)> {
        let map = match &node.value {
            Value::Map(map) => map.as_slice(),
            Value::Null => &[],
            _ => {
                self.wrong_type(node, path, "a mapping");
                &[]
            }
        };
        let mut entries: Vec<(&str, &Node, Position)> = Vec::new();
        for (key, value) in map {
            let Some(name) = self.text(key, path) else { continue };
            match entries.iter().find(|(known, ..)| *known == name) {
                Some(&(_, _, first)) => {
                    self.error(key.at, &join(path, name), Fault::DuplicateKey { key: name.to_owned(), first })
                }
                None => entries.push((name, value, key.at)),
            }
        }
        entries.into_iter().map(|(name, value, _)| (name, value)).collect()
    }

    /// A mapping in which these keys may stand; any other key is an error.
    pub fn fields<'a>(&mut self, node: &'a Node, path: &str, known: &'static [&'static str]) -> Fields<'a> {
        let mut entries = self.entries(node, path);
        entries.retain(|(name, _)| known.contains(name));
        if let Value::Map(map) = &node.value {
            for (key, _) in map {
                let Value::Text(name) = &key.value else { continue };
                if !known.contains(&name.as_str()) {
                    self.error(key.at, &join(path, name), Fault::UnknownKey { key: name.clone(), known });
                }
            }
        }
        Fields { entries, path: path.to_owned(), at: node.at }
    }
}

/// A mapping whose keys are known.
pub(super) struct Fields<'a> {
    entries: Vec<(&'a str, &'a Node)>,
    path: String,
    pub at: Position,
}

impl<'a> Fields<'a> {
    /// The path of a key.
    pub fn path(&self, key: &str) -> String {
        join(&self.path, key)
    }

    /// The value of a key, unless it is absent.
    pub fn node(&self, key: &str) -> Option<&'a Node> {
        self.entries.iter().find(|(name, _)| *name == key).map(|(_, node)| *node)
    }

    /// Reports that a key must be there.
    pub fn missing(&self, findings: &mut Findings, key: &'static str) {
        findings.error(self.at, &self.path, Fault::MissingKey(key));
    }

    /// A text that must be there.
    pub fn required_text(&self, findings: &mut Findings, key: &'static str) -> Option<(&'a str, Position)> {
        let Some(node) = self.node(key) else {
            self.missing(findings, key);
            return None;
        };
        Some((findings.text(node, &self.path(key))?, node.at))
    }

    /// A list; empty when it is absent.
    pub fn list(&self, findings: &mut Findings, key: &str) -> Vec<(String, &'a Node)> {
        self.node(key).map_or_else(Vec::new, |node| findings.list(node, &self.path(key)))
    }

    /// A list of texts; empty when it is absent.
    pub fn texts(&self, findings: &mut Findings, key: &str) -> Vec<(String, &'a str, Position)> {
        let list = self.list(findings, key);
        list.into_iter()
            .filter_map(|(path, node)| {
                let text = findings.text(node, &path)?;
                Some((path, text, node.at))
            })
            .collect()
    }

    /// A boolean; `default` when it is absent.
    pub fn boolean(&self, findings: &mut Findings, key: &str, default: bool) -> bool {
        match self.node(key) {
            None => default,
            Some(Node { value: Value::Bool(value), .. }) => *value,
            Some(node) => {
                findings.wrong_type(node, &self.path(key), "true or false");
                default
            }
        }
    }

    /// A whole number of a type whose range is `expected`; 0 when it is absent.
    pub fn integer<T: TryFrom<i128> + Default>(&self, findings: &mut Findings, key: &str, expected: &'static str) -> T {
        let Some(node) = self.node(key) else { return T::default() };
        if let Value::Integer(value) = node.value
            && let Ok(value) = T::try_from(value)
        {
            return value;
        }
        findings.wrong_type(node, &self.path(key), expected);
        T::default()
    }

    /// A whole number that must be there, in a range that is `expected`.
    pub fn required_integer<T: TryFrom<i128> + PartialOrd>(
        &self,
        findings: &mut Findings,
        key: &'static str,
        range: RangeInclusive<T>,
        expected: &'static str,
    ) -> Option<T> {
        let Some(node) = self.node(key) else {
            self.missing(findings, key);
            return None;
        };
        let number = match node.value {
            Value::Integer(value) => T::try_from(value).ok().filter(|value| range.contains(value)),
            _ => None,
        };
        if number.is_none() {
            findings.wrong_type(node, &self.path(key), expected);
        }
        number
    }

    /// A span of time; `default` when it is absent.
    pub fn duration(&self, findings: &mut Findings, key: &str, default: Duration) -> Duration {
        let expected = "a span of time of at most a year, such as 60s or 1h30m";
        self.span(findings, key, default, |_| true, expected)
    }

    /// Between one time and the next; zero: never again. `default` when it is absent.
    pub fn interval(&self, findings: &mut Findings, key: &str, default: Duration) -> Duration {
        let is_slow = |span: &Duration| span.is_zero() || *span >= Duration::from_secs(1);
        self.span(findings, key, default, is_slow, "0, or a span of time from 1s to a year, such as 60s or 1h30m")
    }

    fn span(
        &self,
        findings: &mut Findings,
        key: &str,
        default: Duration,
        fits: impl FnOnce(&Duration) -> bool,
        expected: &'static str,
    ) -> Duration {
        let Some(node) = self.node(key) else { return default };
        let text = match &node.value {
            Value::Integer(0) => "0",
            Value::Text(text) => text,
            _ => "",
        };
        duration::parse(text).filter(fits).unwrap_or_else(|| {
            findings.wrong_type(node, &self.path(key), expected);
            default
        })
    }

    /// One of the words in `choices`; the first when it is absent.
    pub fn choice<T: Copy>(&self, findings: &mut Findings, key: &str, choices: &[(&'static str, T)]) -> T {
        let default = choices[0].1;
        let Some(node) = self.node(key) else { return default };
        let Some(text) = findings.text(node, &self.path(key)) else { return default };
        match choices.iter().find(|(word, _)| *word == text) {
            Some((_, choice)) => *choice,
            None => {
                let known = choices.iter().map(|(word, _)| *word).collect();
                findings.error(node.at, &self.path(key), Fault::Choice { found: text.to_owned(), known });
                default
            }
        }
    }
}

fn join(path: &str, key: &str) -> String {
    // A key can be any text; a path is part of one line.
    let key = key.escape_debug();
    if path.is_empty() { key.to_string() } else { format!("{path}.{key}") }
}
