//! Packet sockets, multicast groups, netlink: what the kernel is asked for, and the only unsafe code.
//!
//! Frames of one interface come from and go to a [`PacketSocket`]; [`Groups`] makes the network send the questions for
//! IPv6 VIPs here; [`links`] tells which interfaces there are and every change to them; [`Settings`] are those that decide about
//! delivery. All of it works with CAP_NET_RAW
//! alone and stays in the thread that made it, so that it can live in a network namespace.

mod filter;
mod groups;
mod links;
mod packet;
mod settings;
mod sys;

pub use filter::Interest;
pub use groups::Groups;
pub use links::{Link, LinkWatch, Links, links};
pub use packet::{PacketSocket, Received, Traffic, is_link_down};
pub use settings::{Settings, default_routes, gateways};
