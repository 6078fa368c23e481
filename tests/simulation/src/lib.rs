//! Landfall's election, tried by seed: speakers that run `landfall_core::elect` itself, on a LAN that loses, cuts and
//! delays, with the invariants judged after every step.
//!
//! A [`scenario`] turns a seed into a [`plan::Plan`]: speakers, VIPs, what the LAN does to frames, and what happens when.
//! The [`world`] runs it event by event, without a clock of its own; the [`judge`] looks after each and stops the run at
//! the first thing that must not be. The same seed always gives the same run, so that a failure is found again by
//! `cargo run -p landfall-simulation -- --scenario NAME --seed N`.

pub mod judge;
pub mod lan;
pub mod plan;
pub mod report;
pub mod scenario;
pub mod sizes;
pub mod speaker;
pub mod world;
