//! Which nodes announce rather than others: `preferredNodes` of an announcement.

use super::{
    fields::{Fields, Findings},
    selector::Selector,
    tree::Node,
};

/// One element of `preferredNodes`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preference {
    /// How much, 1 to 100.
    pub weight: u8,
    /// Which nodes.
    pub selector: Selector,
}

const PREFERENCE: &[&str] = &["weight", "selector"];
const WEIGHT: &str = "a whole number from 1 to 100";

impl Preference {
    /// Reads a list of preferences; those with an error are left out.
    pub(super) fn read_list(fields: &Fields<'_>, key: &str, findings: &mut Findings) -> Vec<Self> {
        let list = fields.list(findings, key);
        list.into_iter().filter_map(|(path, node)| Self::read(node, &path, findings)).collect()
    }

    fn read(node: &Node, path: &str, findings: &mut Findings) -> Option<Self> {
        let fields = findings.fields(node, path, PREFERENCE);
        let weight = fields.required_integer(findings, "weight", 1..=100, WEIGHT);
        let selector = fields.node("selector");
        if selector.is_none() {
            fields.missing(findings, "selector");
        }
        let selector = Selector::read(selector?, &fields.path("selector"), findings);
        Some(Self { weight: weight?, selector: selector? })
    }
}
