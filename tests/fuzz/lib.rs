//! What must hold for input from anybody, however odd: a frame from the LAN, a heartbeat's payload, sealed or not, a
//! configuration's text, and everything that an election is told.
//!
//! Each module is one fuzz target: `check` panics where a rule is broken, `seeds` is where its fuzzing begins. libFuzzer calls
//! `check` with what it makes of them (`run`), and `cargo test` with the seeds alone.

pub mod config;
pub mod election;
pub mod frame;
pub mod heartbeat;
pub mod sealed;

/// A target, for those who go over all.
#[derive(Clone, Copy)]
pub struct Target {
    /// What libFuzzer's program, and its folders, are called.
    pub name: &'static str,
    /// Panics where a rule is broken.
    pub check: fn(&[u8]),
    /// Inputs that reach far in, with names.
    pub seeds: fn() -> Vec<(String, Vec<u8>)>,
}

/// All of them.
pub const TARGETS: [Target; 5] = [
    Target { name: "frame", check: frame::check, seeds: frame::seeds },
    Target { name: "heartbeat", check: heartbeat::check, seeds: heartbeat::seeds },
    Target { name: "sealed", check: sealed::check, seeds: sealed::seeds },
    Target { name: "election", check: election::check, seeds: election::seeds },
    Target { name: "config", check: config::check, seeds: config::seeds },
];
