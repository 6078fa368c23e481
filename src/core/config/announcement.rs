//! Announcements: which nodes and interfaces answer for which pools and Services, and which nodes rather than others.

use super::{
    Labels,
    conflict::Conflict,
    diagnostic::{Fault, Position},
    fields::Findings,
    preference::Preference,
    selector::Selector,
    tree::Node,
};

/// One element of `announcements`. An empty list restricts nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Announcement {
    /// The pools that it is for; empty: all.
    pub pools: Vec<String>,
    /// The Services that it is for: those that one of these selects; empty: all.
    pub service_selectors: Vec<Selector>,
    /// The nodes that announce: those that one of these selects; empty: all.
    pub node_selectors: Vec<Selector>,
    /// Which of them rather than others.
    pub preferred_nodes: Vec<Preference>,
    /// Nodes announce in spite of the label that keeps load balancers off them.
    pub ignore_exclude_label: bool,
    /// The interfaces on which they announce: names, and patterns with `*` and `?`; empty: all suitable ones.
    pub interfaces: Vec<String>,
    /// What is done about foreign hosts that use its addresses, if it says.
    pub conflict: Option<Conflict>,
}

/// Which addresses an interface may announce; the greater allows more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// None.
    None,
    /// Those inside a subnet of the interface.
    Subnets,
    /// All: the interface is listed by its own name.
    Any,
}

impl Announcement {
    /// Whether it is for the pool of this name.
    pub fn is_for(&self, pool: &str) -> bool {
        self.pools.is_empty() || self.pools.iter().any(|name| name == pool)
    }

    /// Whether it is for a Service with these labels.
    pub fn selects_service(&self, labels: &Labels) -> bool {
        self.service_selectors.is_empty() || Selector::any_matches(&self.service_selectors, labels)
    }

    /// Whether a node with these labels announces.
    pub fn selects_node(&self, labels: &Labels) -> bool {
        self.node_selectors.is_empty() || Selector::any_matches(&self.node_selectors, labels)
    }

    /// How much a node with these labels is preferred: the sum of the weights that select it, as in Kubernetes' own
    /// preferences. 0: not at all.
    pub fn weight(&self, labels: &Labels) -> u16 {
        let selecting = self.preferred_nodes.iter().filter(|preference| preference.selector.matches(labels));
        selecting.fold(0, |sum: u16, preference| sum.saturating_add(preference.weight.into()))
    }

    /// What the interface of this name may announce. A pattern allows an interface without naming it.
    pub fn allows_interface(&self, name: &str) -> Reach {
        if self.interfaces.iter().any(|pattern| pattern == name) {
            Reach::Any
        } else if self.interfaces.is_empty() || self.interfaces.iter().any(|pattern| is_like(name, pattern)) {
            Reach::Subnets
        } else {
            Reach::None
        }
    }

    pub(super) fn read(node: &Node, path: &str, findings: &mut Findings) -> Read {
        let fields = findings.fields(node, path, ANNOUNCEMENT);
        let pools = fields.texts(findings, "pools");
        let service_selectors = Selector::read_list(&fields, "serviceSelectors", findings);
        let node_selectors = Selector::read_list(&fields, "nodeSelectors", findings);
        let preferred_nodes = Preference::read_list(&fields, "preferredNodes", findings);
        let ignore_exclude_label = fields.boolean(findings, "ignoreExcludeLabel", false);
        let mut interfaces = Vec::new();
        for (path, pattern, at) in fields.texts(findings, "interfaces") {
            if !is_interface(pattern) {
                findings.error(at, &path, Fault::Interface(pattern.to_owned()));
            }
            interfaces.push(pattern.to_owned());
        }
        let conflict = Conflict::read(&fields, findings);
        let names = pools.iter().map(|(_, name, _)| (*name).to_owned()).collect();
        let announcement = Self {
            pools: names,
            service_selectors,
            node_selectors,
            preferred_nodes,
            ignore_exclude_label,
            interfaces,
            conflict,
        };
        let pools = pools.into_iter().map(|(path, _, at)| (path, at)).collect();
        Read { announcement, pools }
    }
}

/// An announcement, and where it names each of its pools.
pub(super) struct Read {
    pub announcement: Announcement,
    pub pools: Vec<(String, Position)>,
}

const ANNOUNCEMENT: &[&str] =
    &["pools", "serviceSelectors", "nodeSelectors", "preferredNodes", "ignoreExcludeLabel", "interfaces", "conflict"];

/// A name that the Linux kernel takes (15 bytes: IFNAMSIZ and its terminating zero), or a pattern for one.
fn is_interface(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_@+*?".contains(&byte);
    (1..=15).contains(&text.len()) && text.bytes().all(allowed) && text != "." && text != ".."
}

/// Whether `name` is like `pattern`, in which `*` stands for any characters and `?` for one.
fn is_like(name: &str, pattern: &str) -> bool {
    let (name, pattern) = (name.as_bytes(), pattern.as_bytes());
    let (mut n, mut p) = (0, 0);
    // Where to go on when what follows the last star does not fit: one more character is the star's.
    let mut star = None;
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((n, p + 1));
                p += 1;
            }
            Some(&byte) if byte == b'?' || byte == name[n] => (n, p) = (n + 1, p + 1),
            _ => match star {
                Some((from, after)) => {
                    star = Some((from + 1, after));
                    (n, p) = (from + 1, after);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_name_reaches_any_address_and_a_pattern_only_its_subnets() {
        let announcement = |interfaces: &[&str]| Announcement {
            interfaces: interfaces.iter().map(|name| (*name).to_owned()).collect(),
            ..Default::default()
        };
        for (interfaces, name, reach) in [
            (&[][..], "eth0", Reach::Subnets),
            (&["eth0"], "eth0", Reach::Any),
            (&["eth0"], "eth1", Reach::None),
            (&["eth0"], "eth00", Reach::None),
            (&["eth*"], "eth0", Reach::Subnets),
            (&["eth?"], "eth10", Reach::None),
            (&["en*", "eth0"], "eth0", Reach::Any),
            (&["eth*", "eth0"], "eth0", Reach::Any),
            (&["*"], "wlan0", Reach::Subnets),
        ] {
            assert_eq!(announcement(interfaces).allows_interface(name), reach, "{interfaces:?} {name}");
        }
    }

    #[test]
    fn what_is_an_interface() {
        for name in ["eth0", "en*", "enp3s0f0", "br-lan.100", "?", "*", "veth123@if2", "fifteen-letters"] {
            assert!(is_interface(name), "{name}");
        }
        for name in ["", "sixteen--letters", "eth[01]", "eth 0", "a/b", "{a,b}", "..", "eth\u{e4}"] {
            assert!(!is_interface(name), "{name}");
        }
    }

    /// By the definition: a star is empty, or takes one character and stays.
    fn oracle(name: &[u8], pattern: &[u8]) -> bool {
        match (name, pattern) {
            ([], []) => true,
            (_, [b'*', rest @ ..]) => oracle(name, rest) || (!name.is_empty() && oracle(&name[1..], pattern)),
            ([_, name @ ..], [b'?', rest @ ..]) => oracle(name, rest),
            ([a, name @ ..], [b, rest @ ..]) => a == b && oracle(name, rest),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn patterns_match_by_their_definition(name in "[ab]{0,8}", pattern in "[ab*?]{0,6}") {
            prop_assert_eq!(is_like(&name, &pattern), oracle(name.as_bytes(), pattern.as_bytes()));
        }
    }
}
