//! The controller against a real API server, under the rights of `manifests/`: what it writes, what it leaves alone, who leads.

mod harness;
mod keys;

mod allocation;
mod announced;
mod bursts;
mod configuration;
mod conflicts;
mod leading;
mod policies;
mod rights;
mod rules;
