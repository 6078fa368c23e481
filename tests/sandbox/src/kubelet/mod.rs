//! A small stand-in for scheduler and kubelets: it gives pending Pods a node, starts for each container the local program
//! that its image name stands for, reports the Pod ready with its addresses, and finishes deletions. So
//! `kubectl apply -f deployment.yaml` works as a user would do it.
//!
//! One thread follows the API server's watch; one thread per Pod, as in the real one, leads that Pod's life.

pub(crate) mod image;
mod worker;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    io::{BufRead, BufReader},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{SyncSender, sync_channel},
    },
    thread,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::{
    api::{self, Api},
    teardown::Resources,
    topology,
};
use image::Images;
pub(crate) use worker::NETNS;
use worker::{Stop, Worker};

/// What all Pods of a sandbox share.
pub(crate) struct Kubelet {
    api: Api,
    resources: Arc<Resources>,
    images: Images,
    /// Namespaces whose Pods are somebody else's to start.
    ignored: BTreeSet<String>,
    numbers: Mutex<Numbers>,
}

/// Which pod addresses are taken, and how many pods there have been.
#[derive(Default)]
struct Numbers {
    taken: BTreeSet<(u8, u8)>,
    last: HashMap<u8, u8>,
    pods: u32,
}

impl Numbers {
    /// The next free address number on a node: a released one rests as long as others are free.
    fn take(&mut self, node: u8) -> Result<(u8, u32)> {
        let last = self.last.get(&node).copied().unwrap_or(1);
        let free = (last + 1..=250).chain(2..=last).find(|k| !self.taken.contains(&(node, *k)));
        let k = free.with_context(|| format!("node n{node} has no free pod address"))?;
        self.taken.insert((node, k));
        self.last.insert(node, k);
        self.pods += 1;
        Ok((k, self.pods))
    }
}

/// Starts the stand-in; it ends by itself when the sandbox is taken down.
pub(crate) fn start(api: Api, resources: Arc<Resources>, images: Images, ignored: BTreeSet<String>) {
    let numbers = Mutex::default();
    let kubelet = Arc::new(Kubelet { api, resources, images, ignored, numbers });
    thread::spawn(move || {
        let mut pods = Pods { kubelet: kubelet.clone(), running: HashMap::new(), bound: HashSet::new(), next_node: 0 };
        while kubelet.resources.is_open() {
            if let Err(error) = pods.follow() {
                kubelet.complain("watching pods", &error);
                thread::sleep(Duration::from_millis(200));
            }
        }
    });
}

impl Kubelet {
    fn numbers(&self) -> std::sync::MutexGuard<'_, Numbers> {
        self.numbers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells whoever runs the sandbox of a trouble, unless it is that the sandbox ends.
    fn complain(&self, what: &str, error: &anyhow::Error) {
        if self.resources.is_open() {
            eprintln!("sandbox {}: {what}: {error:#}", self.resources.state.id);
        }
    }

    /// Tells the API server that nothing of a terminating Pod runs any more.
    fn finish_deletion(&self, pod: &Value) {
        let options = json!({"apiVersion": "v1", "kind": "DeleteOptions", "gracePeriodSeconds": 0,
            "preconditions": {"uid": pod["metadata"]["uid"]}});
        match self.api.delete(&path(pod), &options) {
            Err(error) if !matches!(api::status(&error), Some(404 | 409)) => self.complain(&path(pod), &error),
            _ => {}
        }
    }

    /// The number of a node of ours, from its name.
    fn node_number(&self, name: &str) -> Option<u8> {
        (1..=self.resources.state.nodes).find(|i| topology::node_name(*i) == name)
    }
}

/// The Pods that have been seen, by UID.
struct Pods {
    kubelet: Arc<Kubelet>,
    running: HashMap<String, SyncSender<Stop>>,
    bound: HashSet<String>,
    next_node: usize,
}

impl Pods {
    /// Lists, then watches until the API server ends the watch.
    fn follow(&mut self) -> Result<()> {
        let list = self.kubelet.api.get("/api/v1/pods")?;
        let empty = Vec::new();
        let items = list["items"].as_array().unwrap_or(&empty);
        let present: HashSet<&str> = items.iter().filter_map(|pod| pod["metadata"]["uid"].as_str()).collect();
        self.running.retain(|uid, worker| {
            let here = present.contains(uid.as_str());
            if !here {
                drop(worker.try_send(Stop::Gone));
            }
            here
        });
        items.iter().for_each(|pod| self.seen(pod));

        let version = list["metadata"]["resourceVersion"].as_str().context("a list without a version")?;
        let watch = self.kubelet.api.watch("pods", &format!("/api/v1/pods?watch=1&resourceVersion={version}"));
        let process = self.kubelet.resources.add(watch)?;
        let pipe = self.kubelet.resources.while_open(|| process.start_piped())?;
        for line in BufReader::new(pipe).lines() {
            let event: Value = serde_json::from_str(&line?)?;
            let pod = &event["object"];
            match event["type"].as_str() {
                Some("ADDED" | "MODIFIED") => self.seen(pod),
                Some("DELETED") => self.gone(pod),
                _ => bail!("the watch broke off: {pod}"),
            }
        }
        process.kill();
        self.kubelet.resources.forget(&process);
        Ok(())
    }

    fn seen(&mut self, pod: &Value) {
        let meta = &pod["metadata"];
        let (Some(uid), Some(namespace)) = (meta["uid"].as_str(), meta["namespace"].as_str()) else { return };
        if self.kubelet.ignored.contains(namespace) {
            return;
        }
        if !meta["deletionTimestamp"].is_null() {
            match self.running.get(uid) {
                Some(worker) => drop(worker.try_send(Stop::End)),
                None => self.kubelet.finish_deletion(pod),
            }
            return;
        }
        match pod["spec"]["nodeName"].as_str() {
            None => self.bind(pod),
            Some(node) if !self.running.contains_key(uid) => {
                let Some(node) = self.kubelet.node_number(node) else { return };
                // One word is enough; where two wait unread, more would say nothing new.
                let (sender, stop) = sync_channel(2);
                self.running.insert(uid.to_owned(), sender);
                let worker = Worker::new(self.kubelet.clone(), pod.clone(), node);
                thread::spawn(move || worker.run(&stop));
            }
            Some(_) => {}
        }
    }

    fn gone(&mut self, pod: &Value) {
        let uid = pod["metadata"]["uid"].as_str().unwrap_or_default();
        self.bound.remove(uid);
        if let Some(worker) = self.running.remove(uid) {
            drop(worker.try_send(Stop::Gone));
        }
    }

    /// The scheduler's work: the next node, round robin, that the Pod's nodeSelector admits.
    fn bind(&mut self, pod: &Value) {
        let meta = &pod["metadata"];
        let (uid, name, namespace) = (text(&meta["uid"]), text(&meta["name"]), text(&meta["namespace"]));
        if self.bound.contains(uid) {
            return;
        }
        let Some(node) = self.choose(pod) else { return };
        let binding = json!({
            "apiVersion": "v1", "kind": "Binding", "metadata": {"name": name},
            "target": {"apiVersion": "v1", "kind": "Node", "name": node},
        });
        let path = format!("/api/v1/namespaces/{namespace}/pods/{name}/binding");
        match self.kubelet.api.create(&path, &binding) {
            Ok(_) => drop(self.bound.insert(uid.to_owned())),
            Err(error) if matches!(api::status(&error), Some(404 | 409)) => {}
            Err(error) => self.kubelet.complain(&format!("binding pod {namespace}/{name}"), &error),
        }
    }

    fn choose(&mut self, pod: &Value) -> Option<String> {
        let wanted: BTreeMap<String, String> =
            serde_json::from_value(pod["spec"]["nodeSelector"].clone()).unwrap_or_default();
        let required = &pod["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"];
        // What the DaemonSet controller asks for: one node by name.
        let pinned = required["nodeSelectorTerms"][0]["matchFields"][0]["values"][0].as_str();
        let nodes = self.kubelet.resources.state.nodes;
        let names = (0..nodes).map(|i| topology::node_name((self.next_node as u8 + i) % nodes + 1));
        let chosen = names.into_iter().find(|name| {
            pinned.is_none_or(|pinned| pinned == name) && (wanted.is_empty() || self.has_labels(name, &wanted))
        })?;
        self.next_node = usize::from(self.kubelet.node_number(&chosen)?) % usize::from(nodes);
        Some(chosen)
    }

    fn has_labels(&self, node: &str, wanted: &BTreeMap<String, String>) -> bool {
        let node = self.kubelet.api.get(&format!("/api/v1/nodes/{node}")).unwrap_or_default();
        wanted.iter().all(|(key, value)| node["metadata"]["labels"][key] == json!(value))
    }
}

fn path(pod: &Value) -> String {
    let meta = &pod["metadata"];
    format!("/api/v1/namespaces/{}/pods/{}", text(&meta["namespace"]), text(&meta["name"]))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
