//! The bytes of ARP, NDP and Landfall's own frames.
//!
//! A frame comes in as a slice; each format has a `Repr` that only a frame which passed every check of its RFC becomes,
//! and that turns back into octets. Where a check fails, an enum says which one.

pub mod arp;
pub mod datagram;
pub mod ethernet;
pub mod heartbeat;
pub mod ndp;
pub mod seal;
