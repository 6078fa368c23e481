//! Landfall in real pods: a kind cluster and a host beside it, as its tests use them.
//!
//! `tests/kind/lab up` starts the cluster and `tests/kind/lab run` a command within reach of it; all here is for such a command.
//!
//! * [`cluster`] is the API server through kubectl, as a user has it; [`node`] a node as the container that it is; [`pod`]
//!   a pod as the process that it is; [`image`] what it runs.
//! * [`client`] is a host on the nodes' network that is no node; [`load`] asks from there all the time and tells what was missed,
//!   [`first`] when a speaker that starts answers.

pub mod client;
pub mod cluster;
pub mod command;
pub mod first;
pub mod image;
pub mod load;
pub mod node;
pub mod pod;
