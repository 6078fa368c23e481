//! What must hold for input from anybody, however odd: a frame from the LAN, a heartbeat's payload, a configuration's text.
//!
//! Each module is one fuzz target: `check` panics where a rule is broken, `seeds` is where its fuzzing begins. libFuzzer calls
//! `check` with what it makes of them (`run`), and `cargo test` with the seeds alone.

pub mod config;
pub mod frame;
pub mod heartbeat;

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
pub const TARGETS: [Target; 3] = [
    Target { name: "frame", check: frame::check, seeds: frame::seeds },
    Target { name: "heartbeat", check: heartbeat::check, seeds: heartbeat::seeds },
    Target { name: "config", check: config::check, seeds: config::seeds },
];
