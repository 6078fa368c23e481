//! A one-node cluster with the manifests applied and controllers that run as their ServiceAccount.

use anyhow::{Context, Result, ensure};
use landfall_sandbox::{Privileges, Process, Sandbox, Spec, objects, wait_for};
use serde_json::{Value, json};
use std::{path::Path, time::Duration};

/// Long enough for anything that is going to happen.
pub const SOON: Duration = Duration::from_secs(30);

/// An address range for IPv4, one for IPv6; what is released is to be had at once.
pub const CONFIG: &str = "pools:\n- name: default\n  addresses: [198.51.100.100-198.51.100.103, 2001:db8::100/126]\n\
                          quarantine: 0s\nreuse: 0s\n";

pub struct Cluster {
    pub sandbox: Sandbox,
}

impl Cluster {
    pub fn up() -> Result<Self> {
        let sandbox = Sandbox::builder().nodes(1).up()?;
        sandbox.apply_kustomize(&Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests"))?;
        Ok(Self { sandbox })
    }

    pub fn controller(&self, name: &str) -> Result<Process> {
        self.controller_with(name, &[])
    }

    pub fn controller_with(&self, name: &str, arguments: &[&str]) -> Result<Process> {
        let config = self.sandbox.kubeconfig_for("landfall-system", "landfall-controller", None)?;
        let program = [env!("CARGO_BIN_EXE_landfall"), "controller", "--identity", name, "--lease-duration", "3"];
        let mut spec = Spec::new(name, &self.sandbox.control_plane(), [&program, arguments].concat())
            .env("KUBECONFIG", config.display().to_string())
            .env("RUST_LOG", "info,landfall=debug");
        spec.privileges = Privileges::None;
        self.sandbox.start_process(spec)
    }

    /// Writes the user's ConfigMap.
    pub fn configure(&self, text: &str) -> Result<()> {
        self.sandbox.apply(&objects::config(text).to_string()).map(drop)
    }

    /// A Service with a port 80, and whatever `extra` sets in its spec.
    pub fn service(&self, name: &str, annotations: Value, extra: Value) -> Result<()> {
        let mut service = json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": {"name": name, "annotations": annotations},
            "spec": {"type": "LoadBalancer", "selector": {"app": name}, "ports": [{"name": "http", "port": 80}]}
        });
        for (key, value) in extra.as_object().into_iter().flatten() {
            service["spec"][key] = value.clone();
        }
        self.sandbox.apply(&service.to_string()).map(drop)
    }

    pub fn get(&self, name: &str) -> Result<Value> {
        self.sandbox.get(&["service", name])
    }

    /// The addresses in a Service's status.
    pub fn addresses(&self, name: &str) -> Result<Vec<String>> {
        Ok(addresses(&self.get(name)?))
    }

    /// Waits until `name` has exactly these addresses.
    pub fn expect(&self, name: &str, expected: &[&str]) -> Result<Value> {
        wait_for(&format!("{name} to have {expected:?}"), SOON, || {
            let service = self.get(name)?;
            ensure!(addresses(&service) == expected, "{service:#}");
            Ok(service)
        })
    }

    /// Waits until `name`'s condition has this reason, and gives its message.
    pub fn expect_reason(&self, name: &str, reason: &str) -> Result<String> {
        wait_for(&format!("{name} to say {reason}"), SOON, || {
            let service = self.get(name)?;
            let condition = condition(&service).with_context(|| format!("no condition: {service:#}"))?;
            ensure!(condition["reason"] == reason, "{condition:#}");
            Ok(condition["message"].as_str().unwrap_or_default().to_owned())
        })
    }

    /// Waits for an Event with this reason on the object, and gives its note. It has the object's UID: `kubectl describe` looks for
    /// that alone.
    pub fn expect_event(&self, namespace: &str, object: &str, reason: &str) -> Result<String> {
        wait_for(&format!("an Event {reason} on {object}"), SOON, || {
            let events = self.sandbox.get(&["events.events.k8s.io", "-n", namespace])?;
            let mut events = events["items"].as_array().into_iter().flatten();
            let found = events.find(|event| event["regarding"]["name"] == object && event["reason"] == reason);
            let found = found.context("none yet")?;
            ensure!(found["regarding"]["uid"].is_string(), "nobody finds {found:#}");
            Ok(found["note"].as_str().unwrap_or_default().to_owned())
        })
    }
}

pub fn addresses(service: &Value) -> Vec<String> {
    let entries = service["status"]["loadBalancer"]["ingress"].as_array().into_iter().flatten();
    entries.filter_map(|entry| entry["ip"].as_str()).map(str::to_owned).collect()
}

/// Whether it has its addresses.
pub fn condition(service: &Value) -> Option<&Value> {
    condition_of(service, "landfall.dev/Allocated")
}

/// Whether they are answered for.
pub fn announced(service: &Value) -> Option<&Value> {
    condition_of(service, "landfall.dev/Announced")
}

fn condition_of<'a>(service: &'a Value, kind: &str) -> Option<&'a Value> {
    let mut conditions = service["status"]["conditions"].as_array()?.iter();
    conditions.find(|condition| condition["type"] == kind)
}
