//! What the leading controller keeps of its Services, without a cluster: from the watch's event to the write, beside an API
//! server that stores what it is sent.

use crate::pure::{config, resident};
use anyhow::{Result, ensure};
use k8s_openapi::jiff::Timestamp;
use kube::{core::DeserializeGuard, runtime::watcher::Event};
use landfall::{
    cluster::{
        Change, Names,
        queue::Outcome,
        service::{Service, ServiceObject},
    },
    controller::state::State,
};
use serde_json::{Value, json};
use std::time::Duration;

/// So many new Services come each second: the queue remembers for a while what was written.
const PER_SECOND: u32 = 1000;

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
        ensure!(server.put(object(number))? > 0, "a Service is not served");
    }
    server.end(before, services)
}

/// How many bytes one of so many Services costs that are there when the controller starts, served by the one before it.
///
/// # Errors
/// As [`created`].
pub fn listed(services: usize) -> Result<u64> {
    let mut server = Server::new();
    let before = resident()?;
    server.tell(Event::Init);
    for number in 0..services {
        server.tell(Event::InitApply(serde_json::from_value(served(number))?));
    }
    server.tell(Event::InitDone);
    // They have their addresses, and nobody announces them: nothing is to be written before it is time to say so.
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
        let mut state = State::new(64);
        state.remember(Vec::new(), wall());
        state.configure(config("10.0.0.0/8"), wall());
        state.observe_namespace(Change::Synced, wall());
        state.observe_node(Change::Synced, wall());
        state.observe_record(Change::Synced, wall());
        Self { names: Names::default(), state, now: Duration::from_secs(1000) }
    }

    fn tell(&mut self, event: Event<DeserializeGuard<ServiceObject>>) {
        for change in self.names.changes(event, |object| Service::new(object, None)) {
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
    fn put(&mut self, mut object: Value) -> Result<usize> {
        self.tell(Event::Apply(serde_json::from_value(object.clone())?));
        let mut writes = 0;
        while let Some(write) = self.state.next(self.now, wall()) {
            merge(&mut object, &write.plan.patch);
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

/// A Service that has the address of its number.
fn served(number: usize) -> Value {
    let address = std::net::Ipv4Addr::from_bits(0x0a00_0000 + number as u32);
    let patch = json!({
        "metadata": {
            "finalizers": ["service.kubernetes.io/load-balancer-cleanup"],
            "annotations": {"landfall.dev/allocated-from": "default"}
        },
        "status": {
            "loadBalancer": {"ingress": [{"ip": address, "ipMode": "VIP"}]},
            "conditions": [{"type": "landfall.dev/Allocated", "status": "True", "reason": "Allocated",
                            "message": format!("{address} from pool default"), "lastTransitionTime": "2026-11-24T12:00:00Z"}]
        }
    });
    let mut object = object(number);
    merge(&mut object, &patch);
    object
}

/// What a patch that takes nothing away makes of an object.
fn merge(object: &mut Value, patch: &Value) {
    let Some(fields) = patch.as_object() else {
        *object = patch.clone();
        return;
    };
    for (key, value) in fields {
        merge(&mut object[key], value);
    }
}
