//! The API server, as Landfall sees it: what is read from it is projected to the few fields that are used, and what is
//! written to it is planned elsewhere and sent from here.
//!
//! * [`client`] connects; [`watch()`] turns a list and its watch into changes, [`Lenient`] where an object is odd.
//! * [`service`], [`endpoints`], [`node`], [`mod@namespace`], [`accepted`]: objects become small projections.
//! * [`config_map`] writes those that are ours.
//! * [`queue`] orders what is to be written, [`lease`] says whether this replica may, [`events`] tells the user, [`fair`]ly.
//! * [`keys`] is how speakers know each other's heartbeats.
//! * [`memory`] is what is remembered of released addresses.
//! * [`record`] is what a speaker writes, and nothing else.
//! * [`names`] has every name that others can see.

pub mod accepted;
pub mod client;
pub mod config_map;
pub mod endpoints;
pub mod events;
pub mod fair;
pub mod keys;
pub mod lease;
mod lenient;
pub mod memory;
pub mod names;
pub mod namespace;
pub mod node;
mod object;
pub mod queue;
pub mod record;
pub mod service;
mod streamed;
pub mod watch;

pub use lenient::Lenient;
pub use object::join_addresses;
pub use watch::{Change, Names, ObjectName, only, watch, watch_again, watch_named};
