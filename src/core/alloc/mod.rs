//! Who gets which address.
//!
//! [`Event`]s (a Service seen, a Service gone, a configuration accepted, the first list complete) go in;
//! [`Decision`]s come out, for the controller to write. One task owns the allocator.

mod types;

pub use types::{Decision, Event, FamilyPolicy, Protocol, Refusal, Request, Service, ServiceKey};
