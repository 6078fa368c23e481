//! Landfall: external addresses for Services of type LoadBalancer, on clusters without a cloud.
//!
//! The rim around `landfall-core`: the API server ([`cluster`]), the machine's network ([`net`]), and the two programs
//! that join them to the decisions ([`controller`], [`speaker`]).

pub mod cluster;
pub mod controller;
pub mod net;
pub mod ops;
pub mod speaker;
