//! Landfall's decisions, pure: data and `now` go in, decisions come out.
//!
//! * [`config`]: the ConfigMap's text becomes a checked configuration, or a list of errors with their lines.
//! * [`addr`]: addresses, ranges and what is free in them.
//! * [`alloc`]: which Service gets which address, and why another one gets none.
//! * [`conflict`]: whether a foreign host uses a VIP, before it is announced and later.
//! * [`elect`]: heartbeats and claims heard on a segment become "answer for this address" and "stop".
//! * [`responder`] and [`announcer`]: what is said to whom about the addresses that are answered for.
//! * [`health`]: what kube-proxy's health check answers becomes "this node delivers", "for want of better", or "not".
//! * [`wire`]: the bytes of ARP, NDP and Landfall's own frames.
//!
//! Nothing here knows a clock, a socket, a thread or Kubernetes.

pub mod addr;
pub mod alloc;
pub mod announcer;
pub mod config;
pub mod conflict;
pub mod elect;
pub mod health;
pub mod pace;
mod random;
pub mod responder;
pub mod wire;
mod words;
