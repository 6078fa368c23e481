//! A real Kubernetes cluster on network namespaces of one machine, for tests, the demo and work by hand: etcd, API server,
//! controller manager, a kube-proxy per node, processes behind pod addresses, and a client host on the LAN.
//!
//! ```no_run
//! let sandbox = landfall_sandbox::Sandbox::builder().nodes(3).up()?;
//! println!("{}", sandbox.kubectl(&["get", "nodes"])?);
//! # anyhow::Ok(())
//! ```
//! It needs root. Several sandboxes may run side by side; each is taken down when it is dropped, on Ctrl-C too.

pub mod api;
mod audit;
mod cluster;
pub mod command;
mod control_plane;
pub mod echo;
mod host;
mod kubelet;
mod kubernetes;
mod landfall;
mod mount;
mod netns;
pub mod objects;
mod pki;
mod pod;
mod probe;
mod process;
mod sandbox;
mod state;
mod switch;
mod teardown;
mod tools;
mod topology;
mod wait;

pub use audit::{AuditTail, Grant, Request, Rights};
pub use cluster::Cluster;
pub use host::{Client, Node};
pub use kubelet::image::{Container, Launcher, Port};
pub use landfall::{Landfall, LandfallOptions};
pub use netns::Netns;
pub use pod::{Pod, PodSpec};
pub use probe::{Probe, ProbeReport};
pub use process::{Privileges, Process, Spec};
pub use sandbox::{Builder, Sandbox};
pub use state::{Owner, State, list};
pub use switch::{Dropped, Switch};
pub use teardown::{down, remove_orphans};
pub use tools::{preflight, sibling};
pub use topology::Member;
pub use wait::{GiveUp, wait_for};
