//! Arguments, logging, run.

fn main() {}
