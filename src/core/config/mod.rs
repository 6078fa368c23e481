//! The ConfigMap's text becomes a checked configuration, or a list of errors with their lines.

/// A checked configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Config {}
