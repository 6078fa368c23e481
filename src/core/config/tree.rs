//! YAML text as a tree in which every value knows its place, so that one error does not hide the next.

use super::diagnostic::{Diagnostic, Errors, Fault, Position};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{DuplicateKeyPolicy, Location, MergeKeyPolicy, Spanned};
use std::fmt;

/// A value and where it stands.
#[derive(Debug)]
pub(super) struct Node {
    pub at: Position,
    pub value: Value,
}

/// What a value is, before anyone asks what it should be.
#[derive(Debug)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Integer(i128),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    /// Keys in the order of the text, duplicates too.
    Map(Vec<(Node, Node)>),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("nothing"),
            Self::Bool(value) => write!(f, "the boolean {value}"),
            Self::Integer(value) => write!(f, "the number {value}"),
            Self::Float(value) => write!(f, "the number {value}"),
            Self::Text(value) => write!(f, "the text {value:?}"),
            Self::List(_) => f.write_str("a list"),
            Self::Map(_) => f.write_str("a mapping"),
        }
    }
}

impl Node {
    /// Changes every place in the tree.
    pub fn each_place(&mut self, change: &impl Fn(&mut Position)) {
        change(&mut self.at);
        match &mut self.value {
            Value::List(list) => list.iter_mut().for_each(|node| node.each_place(change)),
            Value::Map(map) => map.iter_mut().for_each(|(key, value)| {
                key.each_place(change);
                value.each_place(change);
            }),
            _ => {}
        }
    }
}

/// Reads one YAML document. An empty text is [`Value::Null`].
pub(super) fn read(text: &str) -> Result<Node, Errors> {
    let mut options = serde_saphyr::Options::default();
    // Duplicates and merge keys are for us to report, beside all other errors; and YAML 1.2 knows no `yes` and `on`.
    options.duplicate_keys = DuplicateKeyPolicy::PassThrough;
    options.merge_keys = MergeKeyPolicy::AsOrdinary;
    options.strict_booleans = true;
    options.with_snippet = false;
    serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let fault = match &error {
            serde_saphyr::Error::MultipleDocuments { .. } => Fault::AnotherDocument,
            error => Fault::Syntax(first_line(&error.render_with_formatter(&serde_saphyr::UserMessageFormatter))),
        };
        let at = error.location().map(Position::from).unwrap_or_default();
        Errors(vec![Diagnostic { at, path: String::new(), fault }])
    })
}

/// What went wrong, without its place, which the diagnostic has already.
fn first_line(rendered: &str) -> String {
    let line = rendered.lines().next().unwrap_or_default();
    line.rsplit_once(" at line ").map_or(line, |(what, _)| what).to_owned()
}

impl From<Location> for Position {
    fn from(location: Location) -> Self {
        Self { line: location.line(), column: location.column() }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Value>::deserialize(deserializer)?;
        Ok(Self { at: spanned.referenced.into(), value: spanned.value })
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Integer(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Integer(value.into()))
    }

    fn visit_i128<E>(self, value: i128) -> Result<Value, E> {
        Ok(Value::Integer(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(node) = access.next_element()? {
            list.push(node);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = access.next_entry()? {
            map.push(entry);
        }
        Ok(Value::Map(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tree as text: `line:column value`.
    fn show(node: &Node) -> String {
        let value = match &node.value {
            Value::List(list) => format!("[{}]", list.iter().map(show).collect::<Vec<_>>().join(", ")),
            Value::Map(map) => {
                let entries: Vec<_> = map.iter().map(|(k, v)| format!("{} = {}", show(k), show(v))).collect();
                format!("{{{}}}", entries.join(", "))
            }
            Value::Text(text) => text.clone(),
            Value::Integer(number) => format!("#{number}"),
            Value::Float(number) => format!("#{number}"),
            Value::Bool(value) => format!("!{value}"),
            Value::Null => "~".to_owned(),
        };
        format!("{}:{} {value}", node.at.line, node.at.column)
    }

    #[test]
    fn every_value_knows_its_place() {
        for (text, tree) in [
            ("a: 1\nb: [x, true]\n", "1:1 {1:1 a = 1:4 #1, 2:1 b = 2:4 [2:5 x, 2:8 !true]}"),
            ("a: 1\na: yes\n", "1:1 {1:1 a = 1:4 #1, 2:1 a = 2:4 yes}"),
            ("- 1.5\n- '1'\n-\n", "1:1 [1:3 #1.5, 2:3 1, 3:2 ~]"),
            ("<<: {a: b}\n", "1:1 {1:1 << = 1:5 {1:6 a = 1:9 b}}"),
            ("1: &x a\n? [k]\n: *x\n", "1:1 {1:1 #1 = 1:7 a, 2:3 [2:4 k] = 3:3 a}"),
            ("- 2001:db8::/64\n- ::1\n", "1:1 [1:3 2001:db8::/64, 2:3 ::1]"),
        ] {
            assert_eq!(read(text).map(|node| show(&node)), Ok(tree.to_owned()), "{text}");
        }
    }

    #[test]
    fn an_empty_text_is_null() {
        for text in ["", "\n", "# nothing\n", "---\n", "~"] {
            assert!(matches!(read(text).unwrap().value, Value::Null), "{text:?}");
        }
    }

    #[test]
    fn what_is_no_yaml_says_where() {
        for (text, line) in [("a: [1,\nb: {", 2), ("a:\n\t- x\n", 2), ("a: *nobody\n", 1)] {
            let Errors(errors) = read(text).unwrap_err();
            let [error] = &errors[..] else { panic!("{text:?}: {errors:?}") };
            assert!(matches!(&error.fault, Fault::Syntax(what) if !what.is_empty()), "{text:?}: {error:?}");
            assert_eq!(error.at.line, line, "{text:?}: {error:?}");
        }
    }

    #[test]
    fn another_document_is_told_where_it_begins() {
        let Errors(errors) = read("a: 1\n---\nb: 1\n").unwrap_err();
        let at = Position { line: 3, column: 1 };
        assert_eq!(errors, [Diagnostic { at, path: String::new(), fault: Fault::AnotherDocument }]);
        let told = errors[0].to_string();
        assert!(told.ends_with("another YAML document begins here: give one alone"), "{told}");
    }

    #[test]
    fn a_text_made_to_explode_is_refused() {
        let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for level in 1..10 {
            let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
            text.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
        }
        assert!(read(&text).is_err());
        assert!(read(&"[".repeat(100_000)).is_err());
    }
}
