//! The Secret `landfall-heartbeat-keys`: by what speakers know each other's heartbeats.
//!
//! The leading controller makes it; speakers read it where it is mounted, so they need no right to read Secrets. It has the key
//! `current`, by which frames are sealed, and while keys are changed also `next` or `previous`, by which they are opened as well.

use landfall_core::wire::seal::{KEY, Keys};
use std::{collections::BTreeMap, fmt};

/// The name of the key that seals.
pub const CURRENT: &str = "current";
/// The names of those that only open.
pub const OTHERS: [&str; 2] = ["next", "previous"];

/// What is wrong with a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// There is no key `current`.
    Missing,
    /// A key has so many bytes.
    Length {
        /// Its name.
        name: &'static str,
        /// How many.
        bytes: usize,
    },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => write!(f, "it has no key {CURRENT}"),
            Self::Length { name, bytes } => {
                write!(f, "its key {name} has {bytes} bytes and must have {KEY}, such as `openssl rand {KEY}` gives")
            }
        }
    }
}

/// The keys in the Secret's data, or in the files that it is mounted as, and what is wrong with one of them. Without `current` there
/// are none.
pub fn read(data: &BTreeMap<String, Vec<u8>>) -> (Option<Keys>, Option<Fault>) {
    let key = |name: &'static str| {
        let bytes = data.get(name)?;
        Some(<[u8; KEY]>::try_from(bytes.as_slice()).map_err(|_| Fault::Length { name, bytes: bytes.len() }))
    };
    let current = match key(CURRENT).unwrap_or(Err(Fault::Missing)) {
        Ok(current) => current,
        Err(fault) => return (None, Some(fault)),
    };
    let others: Vec<_> = OTHERS.into_iter().filter_map(key).collect();
    let good: Vec<_> = others.iter().filter_map(|key| key.as_ref().ok().copied()).collect();
    (Some(Keys::new(&current, &good)), others.into_iter().find_map(Result::err))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(data: &[(&str, usize)]) -> Option<String> {
        let data: BTreeMap<_, _> = data.iter().map(|(name, bytes)| ((*name).to_owned(), vec![7; *bytes])).collect();
        let (keys, fault) = read(&data);
        assert_eq!(keys.is_some(), data.get(CURRENT).is_some_and(|key| key.len() == KEY), "the good ones are used");
        fault.map(|fault| fault.to_string())
    }

    #[test]
    fn a_fault_says_what_is_wrong() {
        assert_eq!(fault(&[("current", 32)]), None);
        assert_eq!(fault(&[("current", 32), ("next", 32), ("previous", 32), ("comment", 5)]), None);
        assert_eq!(fault(&[]).as_deref(), Some("it has no key current"));
        assert_eq!(fault(&[("next", 32)]).as_deref(), Some("it has no key current"));
        assert!(fault(&[("current", 5)]).is_some());
        let short = "its key next has 44 bytes and must have 32, such as `openssl rand 32` gives";
        assert_eq!(fault(&[("current", 32), ("next", 44)]).as_deref(), Some(short));
    }
}
