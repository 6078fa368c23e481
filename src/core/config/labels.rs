//! The labels of an object, kept small: there is one set for each of thousands of Services.

use serde::{Deserialize, Serialize};

/// Labels, by key.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Labels(Box<[(Box<str>, Box<str>)]>);

impl Labels {
    /// The value of the label `key`.
    pub fn get(&self, key: &str) -> Option<&str> {
        let index = self.0.binary_search_by(|(other, _)| (**other).cmp(key)).ok()?;
        Some(&self.0[index].1)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Of two labels with one key the first counts.
impl<K: Into<Box<str>>, V: Into<Box<str>>> FromIterator<(K, V)> for Labels {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(labels: I) -> Self {
        let mut labels: Vec<_> = labels.into_iter().map(|(key, value)| (key.into(), value.into())).collect();
        labels.sort_by(|(one, _), (other, _)| one.cmp(other));
        labels.dedup_by(|(one, _), (other, _)| one == other);
        Self(labels.into())
    }
}

impl<K: Into<Box<str>>, V: Into<Box<str>>, const N: usize> From<[(K, V); N]> for Labels {
    fn from(labels: [(K, V); N]) -> Self {
        labels.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_found_by_its_key() {
        let labels = Labels::from([("zone", "a"), ("app", "web"), ("role", "")]);
        let found = ["app", "role", "zone", "other", ""].map(|key| labels.get(key));
        assert_eq!(found, [Some("web"), Some(""), Some("a"), None, None]);
        assert_eq!(labels, Labels::from([("app", "web"), ("role", ""), ("zone", "a")]));
    }
}
