//! One Pod's life on its node: network, processes, ready, restarts, end.

use std::{
    collections::BTreeMap,
    fs,
    net::IpAddr,
    path::Path,
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::{
    Kubelet,
    image::{Container, Port},
    path, text,
};
use crate::{
    api::{self, Content},
    netns::{self, Netns},
    pki,
    process::{Process, Spec},
    topology,
};

/// The annotation that names a Pod's network namespace.
pub(crate) const NETNS: &str = "sandbox.landfall.dev/netns";

/// So many looks in a row must find a port unbound for a ready Pod to be so no more.
const FAILURES: u32 = 3;

/// How a Pod comes to its end.
pub(crate) enum Stop {
    /// It is asked to end, in its grace period.
    End,
    /// Its object is gone: no grace.
    Gone,
}

pub(crate) struct Worker {
    kubelet: Arc<Kubelet>,
    pod: Value,
    node: u8,
}

/// What a running Pod holds.
struct Running {
    netns: Netns,
    /// The number of its address; none in the node's own network.
    number: Option<u8>,
    containers: Vec<(Container, Process)>,
    restarts: u32,
    started: String,
}

impl Worker {
    pub(crate) fn new(kubelet: Arc<Kubelet>, pod: Value, node: u8) -> Worker {
        Worker { kubelet, pod, node }
    }

    /// Leads the Pod's life to its end.
    pub(crate) fn run(self, stop: &Receiver<Stop>) {
        let mut running = Running {
            netns: Netns::named(self.kubelet.resources.state.prefix() + &topology::node_name(self.node)),
            number: None,
            containers: Vec::new(),
            restarts: 0,
            started: now(),
        };
        let end = match self.start(&mut running) {
            Ok(()) => self.live(&mut running, stop),
            Err(error) => {
                self.complain(&error);
                stop.recv().ok()
            }
        };
        // None: the sandbox itself ends, and clears everything up.
        let Some(end) = end else { return };
        self.stop(running, &end, stop);
        if let Stop::End = end {
            self.kubelet.finish_deletion(&self.pod);
        }
    }

    /// Makes the Pod's network and starts its processes.
    fn start(&self, running: &mut Running) -> Result<()> {
        let state = &self.kubelet.resources.state;
        let member = topology::node(self.node);
        let mut addresses = [IpAddr::from(member.ipv4), IpAddr::from(member.ipv6)];
        if self.pod["spec"]["hostNetwork"] != json!(true) {
            let (number, count) = self.kubelet.numbers().take(self.node)?;
            addresses = topology::pod_addresses(self.node, number);
            running.number = Some(number);
            running.netns = Netns::named(format!("{}p{count}", state.prefix()));
            self.kubelet
                .resources
                .while_open(|| topology::add_pod(&state.prefix(), self.node, &format!("p{count}"), addresses))?;
        }
        let empty = Vec::new();
        for container in self.pod["spec"]["containers"].as_array().unwrap_or(&empty) {
            let container = self.container(container, addresses)?;
            let mut spec = Spec::new(
                format!("pod-{}-{}-{}", container.namespace, container.pod, container.name),
                &running.netns,
                self.kubelet.images.launch(&container)?,
            );
            spec.env = container.env.clone();
            spec.run = Some(container.folder.join("run"));
            running.containers.push((container, self.kubelet.resources.start(spec)?));
        }
        Ok(())
    }

    /// Reads a container from the Pod, and prepares its folder.
    fn container(&self, spec: &Value, addresses: [IpAddr; 2]) -> Result<Container> {
        let meta = &self.pod["metadata"];
        let (pod, namespace, name) = (text(&meta["name"]), text(&meta["namespace"]), text(&spec["name"]));
        let folder = self.kubelet.resources.state.folder.join("pods").join(text(&meta["uid"])).join(name);
        let secrets = folder.join("run/secrets/kubernetes.io/serviceaccount");
        fs::create_dir_all(&secrets).with_context(|| format!("cannot create {}", secrets.display()))?;
        let strings = |value: &Value| -> Vec<String> { serde_json::from_value(value.clone()).unwrap_or_default() };
        let ports = spec["ports"].as_array().into_iter().flatten().filter_map(|port| {
            let number = u16::try_from(port["containerPort"].as_u64()?).ok()?;
            Some(Port { number, udp: port["protocol"] == json!("UDP") })
        });
        let mut container = Container {
            pod: pod.to_owned(),
            namespace: namespace.to_owned(),
            node: topology::node_name(self.node),
            addresses,
            name: name.to_owned(),
            image: text(&spec["image"]).to_owned(),
            command: [strings(&spec["command"]), strings(&spec["args"])].concat(),
            ports: ports.collect(),
            env: BTreeMap::from(
                [("HOSTNAME", pod), ("KUBERNETES_SERVICE_HOST", "10.96.0.1"), ("KUBERNETES_SERVICE_PORT", "443")]
                    .map(|(key, value)| (key.to_owned(), value.to_owned())),
            ),
            folder,
            kubeconfig: None,
            tools: self.kubelet.resources.state.tools.clone(),
        };
        let account = text(&self.pod["spec"]["serviceAccountName"]);
        if !matches!(account, "" | "default") {
            self.mount_token(&mut container, account, &secrets)?;
        }
        for variable in spec["env"].as_array().into_iter().flatten() {
            let value = match variable["valueFrom"]["fieldRef"]["fieldPath"].as_str() {
                None => text(&variable["value"]).to_owned(),
                Some("metadata.name") => pod.to_owned(),
                Some("metadata.namespace") => namespace.to_owned(),
                Some("metadata.uid") => text(&meta["uid"]).to_owned(),
                Some("spec.nodeName") => topology::node_name(self.node),
                Some("spec.serviceAccountName") => account.to_owned(),
                Some("status.podIP") => addresses[0].to_string(),
                Some("status.podIPs") => format!("{},{}", addresses[0], addresses[1]),
                Some("status.hostIP") => topology::node(self.node).ipv4.to_string(),
                Some(other) => bail!("the sandbox knows no fieldPath {other:?}"),
            };
            container.env.insert(text(&variable["name"]).to_owned(), value);
        }
        Ok(container)
    }

    /// Token, authority and namespace, where in-cluster clients look for them; `/run` will be the container's own.
    fn mount_token(&self, container: &mut Container, account: &str, secrets: &Path) -> Result<()> {
        let meta = &self.pod["metadata"];
        let path = format!("/api/v1/namespaces/{}/serviceaccounts/{account}/token", container.namespace);
        let answer = self.kubelet.api.create(
            &path,
            &json!({
                "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
                "spec": {"expirationSeconds": 86_400, "boundObjectRef":
                    {"apiVersion": "v1", "kind": "Pod", "name": meta["name"], "uid": meta["uid"]}},
            }),
        )?;
        let token = text(&answer["status"]["token"]);
        let authority = self.kubelet.resources.state.folder.join("pki/ca.crt");
        fs::write(secrets.join("token"), token)?;
        fs::write(secrets.join("namespace"), &container.namespace)?;
        fs::copy(&authority, secrets.join("ca.crt"))?;
        fs::copy(&authority, container.folder.join("ca.crt"))?;
        let kubeconfig = pki::kubeconfig(&container.folder, "pod", &json!({"token": token}))?;
        container.env.insert("KUBECONFIG".into(), kubeconfig.display().to_string());
        container.kubeconfig = Some(kubeconfig);
        Ok(())
    }

    /// Reports the Pod ready when it is, starts again what has ended, until the Pod shall stop. None: the sandbox ends.
    fn live(&self, running: &mut Running, stop: &Receiver<Stop>) -> Option<Stop> {
        let born = Instant::now();
        let (mut reported, mut missed) = (None, 0);
        loop {
            let is_running = running.containers.iter().all(|(_, process)| process.is_running());
            let mut ports = running.containers.iter().flat_map(|(container, _)| &container.ports);
            let is_bound = ports.all(|port| is_bound(&running.netns, *port));
            missed = if is_bound { 0 } else { missed + 1 };
            // A table that changes while it is read may lack a line, and a Pod that is not ready for a moment has no endpoint for a
            // second. The kubelet, too, believes the third failure.
            let ready = is_running && (is_bound || reported == Some(true) && missed < FAILURES);
            // Each change is said once, so that a test may say otherwise and be left alone. Most are ready in a moment.
            let slow = born.elapsed() > Duration::from_secs(2);
            if reported != Some(ready) && (ready || slow || reported.is_some()) {
                match self.report(running, ready) {
                    Ok(()) => reported = Some(ready),
                    Err(error) if api::status(&error) == Some(404) => {}
                    Err(error) => self.kubelet.complain(&format!("pod {}", self.name()), &error),
                }
            }
            let pause = if ready { Duration::from_millis(500) } else { Duration::from_millis(20) };
            match stop.recv_timeout(pause) {
                Ok(end) => return Some(end),
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => {}
            }
            for (_, process) in &running.containers {
                if !process.is_running() {
                    running.restarts += 1;
                    thread::sleep(Duration::from_millis(500));
                    self.kubelet.resources.while_open(|| process.start()).ok()?;
                }
            }
        }
    }

    fn report(&self, running: &Running, ready: bool) -> Result<()> {
        let addresses = running.containers.first().map(|(container, _)| container.addresses);
        let [v4, v6] = addresses.context("a Pod without containers")?;
        let host = topology::node(self.node);
        let condition = |kind: &str, holds: bool| {
            let status = if holds { "True" } else { "False" };
            json!({"type": kind, "status": status, "lastTransitionTime": running.started})
        };
        let containers: Vec<Value> = running
            .containers
            .iter()
            .map(|(container, _)| {
                json!({"name": container.name, "image": container.image, "imageID": container.image, "ready": ready,
                    "started": true, "restartCount": running.restarts,
                    "state": {"running": {"startedAt": running.started}}})
            })
            .collect();
        self.patch_status(&json!({
            "metadata": {"annotations": {NETNS: running.netns.name()}},
            "status": {
                "phase": "Running", "startTime": running.started,
                "hostIP": host.ipv4, "hostIPs": [{"ip": host.ipv4}, {"ip": host.ipv6}],
                "podIP": v4, "podIPs": [{"ip": v4}, {"ip": v6}],
                "conditions": [condition("PodScheduled", true), condition("Initialized", true),
                    condition("ContainersReady", ready), condition("Ready", ready)],
                "containerStatuses": containers,
            },
        }))
    }

    /// A Pod that cannot be started says why where `kubectl describe` shows it.
    fn complain(&self, error: &anyhow::Error) {
        let names = self.pod["spec"]["containers"].as_array().into_iter().flatten();
        let containers: Vec<Value> = names
            .map(|container| {
                json!({"name": container["name"], "image": container["image"], "imageID": "", "ready": false,
                    "restartCount": 0, "state": {"waiting":
                        {"reason": "CreateContainerError", "message": format!("{error:#}")}}})
            })
            .collect();
        self.kubelet.complain(&format!("pod {}", self.name()), error);
        // Where the API server cannot be told, the words above are all there is.
        let _ = self.patch_status(&json!({"status": {"containerStatuses": containers}}));
    }

    fn patch_status(&self, patch: &Value) -> Result<()> {
        self.kubelet.api.patch(&(path(&self.pod) + "/status"), Content::StrategicMerge, patch).map(drop)
    }

    /// preStop's pause, SIGTERM, the grace period, all of it cut short when the object goes; then whatever is left is killed
    /// and the network removed.
    fn stop(&self, running: Running, end: &Stop, stop: &Receiver<Stop>) {
        let spec = &self.pod["spec"];
        if matches!(end, Stop::End) {
            let containers = spec["containers"].as_array().into_iter().flatten();
            let pause = containers.filter_map(|c| c["lifecycle"]["preStop"]["sleep"]["seconds"].as_u64()).max();
            wait_gone(stop, Duration::from_secs(pause.unwrap_or(0)), || false);
            running.containers.iter().for_each(|(_, process)| drop(process.terminate()));
            let grace = spec["terminationGracePeriodSeconds"].as_u64().unwrap_or(30);
            let ended = || running.containers.iter().all(|(_, process)| !process.is_running());
            wait_gone(stop, Duration::from_secs(grace), ended);
        }
        for (_, process) in &running.containers {
            process.kill();
            self.kubelet.resources.forget(process);
        }
        if let Some(number) = running.number {
            netns::remove(std::slice::from_ref(&running.netns));
            self.kubelet.numbers().taken.remove(&(self.node, number));
        }
    }

    fn name(&self) -> String {
        format!("{}/{}", text(&self.pod["metadata"]["namespace"]), text(&self.pod["metadata"]["name"]))
    }
}

/// Waits until the Pod's object is gone, something is done, or the time is over.
fn wait_gone(stop: &Receiver<Stop>, time: Duration, done: impl Fn() -> bool) {
    let deadline = Instant::now() + time;
    while !done() && Instant::now() < deadline {
        match stop.recv_timeout(Duration::from_millis(10)) {
            Ok(Stop::Gone) | Err(RecvTimeoutError::Disconnected) => return,
            Ok(Stop::End) | Err(RecvTimeoutError::Timeout) => {}
        }
    }
}

/// Whether something in the namespace listens on a TCP port, or has a UDP port.
fn is_bound(netns: &Netns, port: Port) -> bool {
    // Of /proc/net/{tcp,udp}: the local address and port, and the state, in hexadecimal. 0A: listening; 07: unconnected.
    let (tables, state) = if port.udp { (["udp", "udp6"], "07") } else { (["tcp", "tcp6"], "0A") };
    let suffix = format!(":{:04X}", port.number);
    let bound = || {
        let read = |table| fs::read_to_string(format!("/proc/thread-self/net/{table}")).unwrap_or_default();
        tables.iter().any(|table| {
            read(table).lines().any(|line| {
                let mut fields = line.split_whitespace().skip(1);
                fields.next().is_some_and(|local| local.ends_with(&suffix)) && fields.nth(1) == Some(state)
            })
        })
    };
    netns.enter(bound).unwrap_or(false)
}

fn now() -> String {
    let now = OffsetDateTime::now_utc();
    format!("{}T{:02}:{:02}:{:02}Z", now.date(), now.hour(), now.minute(), now.second())
}
