//! What `make bench` measures, each in a module of its own: [`create`] the time of an allocation, [`answer`] of an ARP or NDP answer,
//! [`flood`] what a storm of questions costs, [`silence`] what a client misses when an owner goes, [`connections`] what becomes of open
//! connections then, [`conflict`] how soon a foreign host is told, [`memory`] and [`cpu`] what the processes hold and take, [`pure`]
//! the allocator alone, [`kept`] what the controller keeps of a Service, [`crowd`] thousands of Services, [`speakers`] and [`moves`]
//! the speakers beside them. [`lan`] and [`api`] are the two ends from which it is measured, [`lab`] and [`crowded`] the two clusters
//! on which, [`fault`] what befalls an owner, [`partition`] what befalls the LAN; [`report`] writes it down.

pub mod answer;
pub mod api;
pub mod conflict;
pub mod connections;
pub mod cpu;
pub mod create;
pub mod crowd;
pub mod crowded;
pub mod fault;
pub mod flood;
pub mod kept;
pub mod lab;
pub mod lan;
pub mod machine;
pub mod memory;
pub mod moves;
pub mod partition;
pub mod pure;
pub mod report;
pub mod silence;
pub mod speakers;
pub mod stats;
