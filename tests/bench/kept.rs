//! What the leading controller keeps of its Services, without a cluster: from the watch's event to the write, beside an API
//! server that stores what it is sent, and a speaker that answers for every address.

use crate::pure::{config, resident};
use anyhow::{Result, ensure};
use arcstr::ArcStr;
use k8s_openapi::jiff::Timestamp;
use kube::runtime::watcher::Event;
use landfall::{
    cluster::{
        Change, Lenient, Names,
        node::Host,
        queue::Outcome,
        record::{LONGEST, Part, split},
        service::{Service, ServiceObject},
    },
    controller::state::{IN_FLIGHT, State},
};
use landfall_core::{alloc::ServiceKey, config::Labels};
use serde_json::{Value, json};
use std::{net::Ipv4Addr, time::Duration};

/// So many new Services come each second: the queue remembers for a while what was written.
const PER_SECOND: u32 = 1000;
/// The first address of the pool.
const FIRST: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 0);
const NODE: &str = "n1";

/// How many bytes one of so many Services costs that are created one after the other, each with its write.
///
/// # Errors
/// Where `/proc` does not say what this process holds, or an object cannot be read.
pub fn created(services: usize) -> Result<u64> {
    let mut server = Server::new();
    let before = resident()?;
    server.tell(Event::InitDone);
    for number in 0..services {
        server.now += Duration::from_secs(1) / PER_SECOND;
        ensure!(
            server.put(&mut object(number))? == 2,
            "a Service is served by one write, and said to be announced by another"
        );
    }
    server.end(before, services)
}

/// How many bytes one of so many Services costs that are there when the controller starts, served by the one before it.
///
/// # Errors
/// As [`created`].
pub fn listed(services: usize) -> Result<u64> {
    let served = served()?;
    let mut server = Server::new();
    let before = resident()?;
    server.tell(Event::Init);
    for number in 0..services {
        server.tell(Event::InitApply(numbered(&served, number)?));
    }
    server.tell(Event::InitDone);
    ensure!(server.state.next(server.now, wall()).is_none(), "a Service that is served is written");
    server.tell(Event::Apply(serde_json::from_value(object(services))?));
    ensure!(server.state.next(server.now, wall()).is_some(), "a new one is not served");
    server.end(before, services)
}

/// An API server and the leader beside it.
struct Server {
    names: Names,
    state: State,
    now: Duration,
}

impl Server {
    fn new() -> Self {
        let mut state = State::new(IN_FLIGHT);
        state.remember(Vec::new(), wall());
        state.configure(config("10.0.0.0/8"), wall());
        state.observe_namespace(Change::Synced, wall());
        state.observe_node(Change::Synced, wall());
        state.observe_node(Change::Applied(host()), wall());
        state.observe_record(Change::Applied(speaker()), wall());
        state.observe_record(Change::Synced, wall());
        Self { names: Names::default(), state, now: Duration::from_secs(1000) }
    }

    fn tell(&mut self, event: Event<Lenient<ServiceObject>>) {
        let project = |name: &ArcStr, object| Service::with_key(ServiceKey::of(name.clone()), object, None);
        for change in self.names.changes(event, project) {
            self.state.observe(change, wall());
        }
    }

    /// How many bytes each of so many Services has cost since `before`. They stay: what is freed would hide what is measured next.
    fn end(self, before: u64, services: usize) -> Result<u64> {
        let bytes = resident()?.saturating_sub(before) / services as u64;
        std::mem::forget(self);
        Ok(bytes)
    }

    /// Stores an object, and what is written of it: so many times.
    fn put(&mut self, object: &mut Value) -> Result<usize> {
        self.tell(Event::Apply(serde_json::from_value(object.clone())?));
        let mut writes = 0;
        while let Some(write) = self.state.next(self.now, wall()) {
            ensure!(writes < 9, "it is written without end: {}", write.plan.patch);
            merge(object, &write.plan.patch);
            self.state.done(&write.flight, Outcome::Written, self.now);
            self.tell(Event::Apply(serde_json::from_value(object.clone())?));
            writes += 1;
        }
        Ok(writes)
    }
}

fn wall() -> Timestamp {
    Timestamp::UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

/// A new Service as the API server has it.
fn object(number: usize) -> Value {
    json!({
        "metadata": {
            "namespace": format!("team-{}", number % 100), "name": format!("service-{number}"),
            "uid": format!("9f3c1a52-7d5e-4c1b-8a55-{number:012x}"), "resourceVersion": format!("{}", 1_000_000 + number),
            "creationTimestamp": "2026-11-24T12:00:00Z", "annotations": {}
        },
        "spec": {"type": "LoadBalancer", "ports": [{"port": 80}], "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack"},
        "status": {"loadBalancer": {}}
    })
}

/// The text of the Service of number 0 once it has its address, and that is announced.
fn served() -> Result<String> {
    let mut object = object(0);
    let mut server = Server::new();
    server.tell(Event::InitDone);
    server.put(&mut object)?;
    ensure!(object["status"]["conditions"].as_array().is_some_and(|all| all.len() == 2), "{object}");
    Ok(object.to_string())
}

/// The same of another number, which has the address of its number.
fn numbered(served: &str, number: usize) -> Result<Lenient<ServiceObject>> {
    let address = Ipv4Addr::from_bits(FIRST.to_bits() + number as u32);
    let new = object(number);
    let text = served.replace(&FIRST.to_string(), &address.to_string());
    let mut object: Value = serde_json::from_str(&text)?;
    for key in ["namespace", "name", "uid", "resourceVersion"] {
        object["metadata"][key] = new["metadata"][key].clone();
    }
    Ok(serde_json::from_value(object)?)
}

/// The node of the one speaker.
fn host() -> Host {
    Host { name: NODE.into(), labels: Labels::default(), addresses: Vec::new(), pods: Vec::new() }
}

/// It answers for every address of the pool.
fn speaker() -> Option<Part> {
    let record = json!({"format": 1, "interfaces": {"eth0": {"owned": [format!("{FIRST}-10.255.255.255")]}}});
    split(NODE, &record.to_string(), LONGEST).into_iter().next()
}

/// What a strategic merge patch that takes nothing away makes of an object.
fn merge(object: &mut Value, patch: &Value) {
    match (object, patch) {
        (Value::Array(old), Value::Array(new)) => {
            // Conditions merge by their types.
            for item in new {
                match old.iter_mut().find(|old| old["type"].is_string() && old["type"] == item["type"]) {
                    Some(old) => merge(old, item),
                    None => old.push(item.clone()),
                }
            }
        }
        (object, Value::Object(fields)) => fields.iter().for_each(|(key, value)| merge(&mut object[key], value)),
        (object, patch) => *object = patch.clone(),
    }
}
