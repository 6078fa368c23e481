//! How a Service is called. Thousands of names are each kept in many places: who holds what, who waits for what, what is to be
//! written. So a name is one word there, and copies of it share its text.

use arcstr::ArcStr;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Namespace and name of a Service. Those of a namespace are neighbours in its order.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ServiceKey(
    /// `namespace/name`.
    ArcStr,
);

impl ServiceKey {
    /// The Service of this name in a namespace; no namespace has a slash in its name.
    pub fn new(namespace: &str, name: &str) -> Self {
        Self(arcstr::format!("{namespace}/{name}"))
    }

    /// The Service whose `namespace/name` this is.
    pub fn of(text: ArcStr) -> Self {
        Self(text)
    }

    /// Its namespace.
    pub fn namespace(&self) -> &str {
        self.split().0
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.split().1
    }

    fn split(&self) -> (&str, &str) {
        self.0.split_once('/').unwrap_or_default()
    }
}

impl fmt::Display for ServiceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ServiceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_services_of_a_namespace_are_neighbours_after_its_first_name() {
        let keys = [("a", "x"), ("a", "y"), ("a-b", "x"), ("a0", "x"), ("b", ""), ("", "n")];
        let mut keys = keys.map(|(namespace, name)| ServiceKey::new(namespace, name));
        keys.sort();
        let own: Vec<bool> = keys.iter().map(|key| key.namespace() == "a").collect();
        assert_eq!(own.iter().filter(|own| **own).count(), 2);
        let first = keys.iter().position(|key| *key >= ServiceKey::new("a", "")).unwrap();
        assert_eq!((own[first], own[first + 1]), (true, true), "{keys:?}");
        assert!(keys.iter().all(|key| *key > ServiceKey::default()));
    }

    #[test]
    fn a_name_may_have_what_a_namespace_may_not() {
        let key = ServiceKey::new("shop", "a/b");
        assert_eq!((key.namespace(), key.name(), &*key.to_string()), ("shop", "a/b", "shop/a/b"));
    }
}
