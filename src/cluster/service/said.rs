//! What our condition of a Service says, as far as a plan asks: the same as it would say, or something else. The words
//! themselves would be the larger part of what the controller keeps of a Service.

use std::hash::{DefaultHasher, Hash, Hasher};

/// A condition, in short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Said {
    /// Its status, where that is `True` or `False`.
    pub status: Option<bool>,
    /// A digest of its status, reason and message.
    words: u64,
}

impl Said {
    /// The condition with this status, this word for programs, and these words for people.
    pub fn new(status: &str, reason: &str, message: &str) -> Self {
        let mut digest = DefaultHasher::new();
        (status, reason, message).hash(&mut digest);
        let status = match status {
            "True" => Some(true),
            "False" => Some(false),
            _ => None,
        };
        Self { status, words: digest.finish() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_says_the_same_is_the_same() {
        let said = [
            ("True", "Allocated", "ok"),
            ("False", "Allocated", "ok"),
            ("Unknown", "Allocated", "ok"),
            ("", "Allocated", "ok"),
            ("True", "Allocatedo", "k"),
            ("True", "", "ok"),
            ("True", "Allocated", "ok "),
        ]
        .map(|(status, reason, message)| Said::new(status, reason, message));
        for (index, one) in said.iter().enumerate() {
            assert_eq!(said.iter().position(|other| other == one), Some(index), "{said:?}");
        }
        assert_eq!(said.map(|said| said.status)[..4], [Some(true), Some(false), None, None]);
        assert_eq!(Said::new("True", "Allocated", "ok"), said[0]);
    }
}
