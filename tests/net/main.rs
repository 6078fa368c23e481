//! Packet sockets, groups and the link watch on a real network: namespaces with a switch between them, judged by the
//! tools and kernels of the other side.
//!
//! Needs root: `make test` runs it so.

#![allow(clippy::unwrap_used)] // A test that cannot go on should say where.

mod answers;
mod capabilities;
mod capture;
mod conflicts;
mod eligibility;
mod groups;
mod hearing;
mod lan;
mod links;
mod sealed;
mod segments;
mod sockets;
mod speaker;
mod speaking;
mod tshark;
