//! What is wrong with a configuration: where, what, and what to do.

use crate::addr::{BlockError, Special};
use std::fmt;

/// A place in the text; both count from 1, and 0 is an unknown place.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line.
    pub line: u64,
    /// The column, in characters.
    pub column: u64,
}

/// One error or warning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Where in the text.
    pub at: Position,
    /// Where in the configuration, like `pools[1].addresses[0]`; empty: the whole.
    pub path: String,
    /// What, and what to do.
    pub fault: Fault,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Position { line, column } = self.at;
        if line > 0 {
            write!(f, "line {line}, column {column}: ")?;
        }
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        self.fault.fmt(f)
    }
}

/// All that keeps a configuration from being accepted, in the order of the text; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Errors(pub(super) Vec<Diagnostic>);

impl Errors {
    /// The errors.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.0.iter()
    }
}

/// One line, at most [`Errors::DISPLAY_BYTES`] long: fit for the log and for the note of an Event.
impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = String::new();
        for (index, error) in self.0.iter().enumerate() {
            let left = self.0.len() - index;
            let error = error.to_string();
            if shown.len() + error.len() + 40 > Self::DISPLAY_BYTES {
                // A single error can quote a long text.
                if index == 0 {
                    shown.extend(error.chars().scan(0, |bytes, c| {
                        *bytes += c.len_utf8();
                        (*bytes < Self::DISPLAY_BYTES - 60).then_some(c)
                    }));
                    shown.push('…');
                }
                let hidden = if index == 0 { left - 1 } else { left };
                if hidden > 0 {
                    shown.push_str(&format!("; and {hidden} more"));
                }
                break;
            }
            if index > 0 {
                shown.push_str("; ");
            }
            shown.push_str(&error);
        }
        f.write_str(&shown)
    }
}

impl Errors {
    /// The longest text that `Display` writes; the note of an Event takes 1024 bytes.
    pub const DISPLAY_BYTES: usize = 1000;
}

impl std::error::Error for Errors {}

/// What can be wrong with a configuration. `Display` says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It is no YAML.
    #[error("this is no valid YAML: {0}")]
    Syntax(String),
    /// More than one YAML document.
    #[error("another YAML document begins here: give one alone")]
    AnotherDocument,
    /// Nobody knows this key.
    #[error("unknown key {key:?}: {}", instead(key, known))]
    UnknownKey {
        /// The key.
        key: String,
        /// The keys that may stand there.
        known: &'static [&'static str],
    },
    /// A key stands twice in one mapping.
    #[error("the key {key:?} stands here a second time: keep one (the first is on line {})", first.line)]
    DuplicateKey {
        /// The key.
        key: String,
        /// Where it stands first.
        first: Position,
    },
    /// A key must be there and is not.
    #[error("the key {0:?} is missing: add it")]
    MissingKey(&'static str),
    /// A value of another type is wanted.
    #[error("found {found}, expected {expected}")]
    WrongType {
        /// What it is.
        found: String,
        /// What it should be.
        expected: &'static str,
    },
    /// No name for a pool.
    #[error(
        "{0:?} is no name for a pool: use at most 63 lower-case letters, digits, '-' and '.', with a letter or digit \
         at both ends"
    )]
    PoolName(String),
    /// Two pools with one name.
    #[error("there is a pool {name:?} already, on line {}: give each pool a name of its own", first.line)]
    DuplicatePool {
        /// The name.
        name: String,
        /// Where the first one is named.
        first: Position,
    },
    /// More pools than can be kept in order.
    #[error("there are {0} pools, at most {most} are possible: put several ranges into one pool", most = super::POOLS)]
    TooManyPools(usize),
    /// More announcements that prefer nodes than speakers tell each other about.
    #[error(
        "more than {most} announcements have preferredNodes: put several pools into one announcement",
        most = super::PREFERENCES
    )]
    TooManyPreferences,
    /// No name for a namespace.
    #[error("{0:?} is no name of a namespace: it has at most 63 lower-case letters, digits and '-'")]
    NamespaceName(String),
    /// None of the words that may stand there.
    #[error("found {found:?}: write one of {}", known.join(", "))]
    Choice {
        /// What it is.
        found: String,
        /// The words that may stand there.
        known: Vec<&'static str>,
    },
    /// No addresses.
    #[error("{0}")]
    Block(#[from] BlockError),
    /// A range with addresses that no Service can have.
    #[error("{block} contains {special} addresses, which cannot be given to a Service: leave them out")]
    Special {
        /// The range as written.
        block: String,
        /// What kind.
        special: Special,
    },
    /// Two ranges have an address in common.
    #[error("{block} overlaps {other_path} ({other}, line {}): an address can be in one place only", other_at.line)]
    Overlap {
        /// The range as written.
        block: String,
        /// The path of the other.
        other_path: String,
        /// The other as written.
        other: String,
        /// Where the other stands.
        other_at: Position,
    },
    /// A pool without addresses.
    #[error("the pool is empty: list at least one CIDR, range or address")]
    EmptyPool,
    /// A pool of which nothing is left.
    #[error("the pool is empty: what is excluded or reserved covers all of its addresses")]
    NothingLeft,
    /// Edges of more than a /8 would be listed one by one.
    #[error("{0} is too large for avoidEdgeAddresses, which takes an IPv4 range of at most a /8: split it")]
    TooLargeForEdges(String),
    /// An announcement for a pool that is not there.
    #[error("there is no pool {0:?}: name one that is listed under pools")]
    UnknownPool(String),
    /// An empty selector among others.
    #[error("an empty selector selects everything: remove it, or the whole list, to mean that")]
    EmptySelector,
    /// No label key.
    #[error(
        "{0:?} is no label key: a key has an optional DNS name and a slash, then at most 63 letters, digits, '-', '_' \
         and '.', with a letter or digit at both ends"
    )]
    LabelKey(String),
    /// No label value.
    #[error(
        "{0:?} is no label value: a value has at most 63 letters, digits, '-', '_' and '.', with a letter or digit at \
         both ends"
    )]
    LabelValue(String),
    /// No operator.
    #[error("{0:?} is no operator: use In, NotIn, Exists or DoesNotExist")]
    Operator(String),
    /// In and NotIn compare with values.
    #[error("{0} needs at least one value: add values, or use Exists or DoesNotExist")]
    ValuesNeeded(&'static str),
    /// Exists and DoesNotExist do not.
    #[error("{0} takes no values: remove them, or use In or NotIn")]
    ValuesForbidden(&'static str),
    /// No label can satisfy the selector.
    #[error("the selector can match nothing: its requirements for the label {0:?} contradict each other")]
    Contradiction(String),
    /// No interface.
    #[error(
        "{0:?} is no interface: write a name of at most 15 letters, digits, '.', '-', '_', '@' and '+', or a pattern \
         with * and ?"
    )]
    Interface(String),

    /// A manifest of something else.
    #[error("found {0}: give the manifest of one ConfigMap, or the text in it alone")]
    OtherKind(String),

    /// Warning: a manifest that the controller does not read.
    #[error("{0:?} is not what the controller reads: the ConfigMap is called landfall, in Landfall's namespace")]
    OtherConfigMap(String),
    /// Warning: nothing is configured.
    #[error("the configuration has no pools: no Service gets an address until there is one")]
    NoPools,
    /// Warning: host bits are masked.
    #[error("{written} has host bits set and is read as {range}: write the network's own address")]
    HostBits {
        /// As written.
        written: String,
        /// As read.
        range: String,
    },
    /// Warning: the exclusion of something that is not there.
    #[error("{0} excludes nothing: it has no address in common with the pool")]
    ExcludesNothing(String),
    /// Warning: a pool that is in no announcement while there are some.
    #[error("no announcement is for the pool {0:?}: its addresses are handed out, and no node answers for them")]
    NotAnnounced(String),
}

/// How alike two keys are, at least, of which one is a slip of the other: 1 is the same.
const ALIKE: f64 = 0.7;
/// The longest key, in bytes, that is compared: that takes memory, and no known one is near as long.
const LONGEST: usize = 40;

/// What to write in place of an unknown key: the one that it is a slip of, or one of all.
fn instead(key: &str, known: &[&str]) -> String {
    match slip_of(key, known) {
        Some(known) => format!("did you mean {known:?}?"),
        None => format!("the keys known here are {}", known.join(", ")),
    }
}

/// The known key that an unknown one is a slip of, if it is one.
pub fn slip_of<'a>(key: &str, known: &[&'a str]) -> Option<&'a str> {
    let alike = known.iter().filter(|_| key.len() <= LONGEST);
    let alike = alike.map(|known| (strsim::normalized_damerau_levenshtein(key, known), *known));
    let (likeness, known) = alike.max_by(|one, other| one.0.total_cmp(&other.0))?;
    (likeness >= ALIKE).then_some(known)
}
