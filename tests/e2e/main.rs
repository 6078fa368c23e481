//! Landfall on a real cluster: every example, and what must hold when something breaks. Each test brings up a sandbox of
//! its own, so it needs root: `make test` runs them. How long things took goes to standard error, and is never asserted.

#![allow(clippy::unwrap_used, reason = "what a test cannot do is its failure")]

mod lab;
mod objects;
mod sight;

mod announced;
mod configuration;
mod conflicts;
mod eligibility;
mod failover;
mod ingress;
mod left_alone;
mod loadbalancer;
mod metrics;
mod options;
mod permissions;
mod refusals;
mod release;
mod restart;
