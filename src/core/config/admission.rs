//! Which Services a pool admits: by the name or the labels of their namespace, and by their own labels.

use super::{
    Labels,
    diagnostic::Fault,
    fields::{Fields, Findings},
    selector::{Selector, is_dns_name},
};
use std::{collections::BTreeSet, fmt};

/// The restrictions of a pool. Those of the namespace and those of the Service must both hold; each holds where one of its
/// elements does, and where it has none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Admission {
    namespaces: BTreeSet<String>,
    namespace_selectors: Vec<Selector>,
    service_selectors: Vec<Selector>,
}

/// What keeps a Service out of a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Barrier {
    /// The pool is for other namespaces.
    Namespace,
    /// The pool is for Services with other labels.
    Labels,
}

impl fmt::Display for Barrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Namespace => "it is for other namespaces (see its namespaces and namespaceSelectors)",
            Self::Labels => "it is for Services with other labels (see its serviceSelectors)",
        })
    }
}

impl Admission {
    /// Whether everybody is admitted.
    pub fn is_open(&self) -> bool {
        self.namespaces.is_empty() && self.namespace_selectors.is_empty() && self.service_selectors.is_empty()
    }

    /// Judges a Service by its namespace's name and labels, and by its own labels. No selector selects a namespace that is
    /// not known.
    ///
    /// # Errors
    /// What keeps it out.
    pub fn judge(&self, namespace: &str, of_namespace: Option<&Labels>, own: &Labels) -> Result<(), Barrier> {
        let is_restricted = !self.namespaces.is_empty() || !self.namespace_selectors.is_empty();
        let is_selected =
            || of_namespace.is_some_and(|labels| Selector::any_matches(&self.namespace_selectors, labels));
        if is_restricted && !self.namespaces.contains(namespace) && !is_selected() {
            return Err(Barrier::Namespace);
        }
        if !self.service_selectors.is_empty() && !Selector::any_matches(&self.service_selectors, own) {
            return Err(Barrier::Labels);
        }
        Ok(())
    }

    /// The names of namespaces that are admitted.
    pub(super) fn namespaces(&self) -> impl Iterator<Item = &str> {
        self.namespaces.iter().map(String::as_str)
    }

    /// Those of namespaces, in the order of the text.
    pub(super) fn namespace_selectors(&self) -> &[Selector] {
        &self.namespace_selectors
    }

    /// Those of Services, in the order of the text.
    pub(super) fn service_selectors(&self) -> &[Selector] {
        &self.service_selectors
    }

    pub(super) fn read(fields: &Fields<'_>, findings: &mut Findings) -> Self {
        let mut namespaces = BTreeSet::new();
        for (path, name, at) in fields.texts(findings, "namespaces") {
            // A namespace is a DNS label: it has no dots.
            if !is_dns_name(name, 63) || name.contains('.') {
                findings.error(at, &path, Fault::NamespaceName(name.to_owned()));
            }
            namespaces.insert(name.to_owned());
        }
        let namespace_selectors = Selector::read_list(fields, "namespaceSelectors", findings);
        let service_selectors = Selector::read_list(fields, "serviceSelectors", findings);
        Self { namespaces, namespace_selectors, service_selectors }
    }
}
