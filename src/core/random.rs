//! Numbers that spread what many do over time. Pure: the same occasion has the same number, and no two have a like one.

use std::hash::{DefaultHasher, Hash, Hasher};

/// The number of an occasion, such as an interface's seed, a VIP and which time it is.
pub fn random(occasion: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    occasion.hash(&mut hasher);
    hasher.finish()
}
