//! What `make bench` measures, each in a module of its own: [`create`] the time of an allocation, [`answer`] of an ARP or NDP answer,
//! [`silence`] what a client misses when an owner goes, [`memory`] what the processes hold, [`pure`] the allocator alone, [`kept`]
//! what the controller keeps of a Service, [`crowd`] thousands of Services. [`lan`] and [`api`] are the two ends from which it is
//! measured; [`report`] writes it down.

pub mod answer;
pub mod api;
pub mod create;
pub mod crowd;
pub mod kept;
pub mod lab;
pub mod lan;
pub mod machine;
pub mod memory;
pub mod pure;
pub mod report;
pub mod silence;
pub mod stats;
