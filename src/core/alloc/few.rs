//! Some of many, for messages: a Service that waits keeps its reason, and is not to keep the names of thousands of pools.

use std::fmt;

/// So many are shown.
const SHOWN: usize = 4;

/// The first few of some things, and how many more there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Few<T> {
    shown: Vec<T>,
    more: usize,
}

impl<T> Few<T> {
    /// Those that are shown.
    pub fn shown(&self) -> &[T] {
        &self.shown
    }
}

impl<T> FromIterator<T> for Few<T> {
    fn from_iter<I: IntoIterator<Item = T>>(all: I) -> Self {
        let mut all = all.into_iter();
        let shown = all.by_ref().take(SHOWN).collect();
        Self { shown, more: all.count() }
    }
}

impl<T: fmt::Display> fmt::Display for Few<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.shown.is_empty() {
            return f.write_str("none");
        }
        for (index, item) in self.shown.iter().enumerate() {
            write!(f, "{}{item}", if index == 0 { "" } else { ", " })?;
        }
        if self.more > 0 { write!(f, " and {} more", self.more) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_are_shown_and_the_others_counted() {
        let few = |many: usize| (1..=many).collect::<Few<usize>>().to_string();
        assert_eq!(
            [0, 1, 4, 5, 9].map(few),
            ["none", "1", "1, 2, 3, 4", "1, 2, 3, 4 and 1 more", "1, 2, 3, 4 and 5 more"]
        );
    }
}
