//! A sandbox with Landfall on it, in the words of the tests. What goes wrong is a panic, and then the sandbox shows the ends
//! of all logs.

use std::{
    collections::BTreeSet,
    fs,
    io::Write,
    net::IpAddr,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use landfall::cluster::names::CONTROLLER;
use landfall_sandbox::{Landfall, LandfallOptions, Process, Sandbox, wait_for};
use serde_json::{Value, json};

use crate::{objects, sight::host};

/// Longer than anything takes on a busy machine; a wait that reaches it has failed.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A file of `docs/examples/`.
pub fn example(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/examples").join(file)
}

/// Says how long something took: straight to standard error, which a passing test shows too.
pub fn report(what: &str, took: Duration) {
    let _ = writeln!(std::io::stderr(), "e2e: {what}: {} ms", took.as_millis());
}

/// A cluster of three nodes, a host on its LAN, and Landfall at work.
pub struct Lab {
    /// The cluster.
    pub sandbox: Sandbox,
    /// Landfall's processes.
    pub landfall: Landfall,
}

impl Lab {
    /// With the examples' pool.
    pub fn up() -> Lab {
        let text = std::fs::read_to_string(example("config.yaml")).unwrap();
        Lab::with(|sandbox| sandbox.apply(&text).map(drop))
    }

    /// With the examples' pool and the first of them, whose Service `web` answers at this address and URL.
    pub fn serving_web() -> (Lab, IpAddr, String) {
        let lab = Lab::up();
        lab.apply_example("2-loadbalancer.yaml");
        let vip = lab.address("web");
        let url = format!("http://{}:30080", host(vip));
        lab.wait_answer(&[], &url);
        (lab, vip, url)
    }

    /// With this configuration.
    pub fn configured(config: &str) -> Lab {
        Lab::with(|sandbox| sandbox.apply(&objects::config(config).to_string()).map(drop))
    }

    /// Landfall starts after `prepare`, with the namespaces and rights of `manifests/` in place before it.
    pub fn with(prepare: impl FnOnce(&Sandbox) -> Result<()>) -> Lab {
        Lab::started(|options| options, prepare)
    }

    /// The same, and starts what `choose` says.
    pub fn started(
        choose: impl FnOnce(LandfallOptions) -> LandfallOptions,
        prepare: impl FnOnce(&Sandbox) -> Result<()>,
    ) -> Lab {
        let sandbox = Sandbox::builder().up().unwrap();
        sandbox.apply_kustomize(&Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests")).unwrap();
        prepare(&sandbox).unwrap();
        let options = choose(LandfallOptions::new(env!("CARGO_BIN_EXE_landfall")));
        let landfall = sandbox.start_landfall(&options).unwrap();
        Lab { landfall, sandbox }
    }

    /// The speaker on a node.
    pub fn speaker(&self, node: &str) -> &Process {
        self.landfall.speaker(node).unwrap()
    }

    /// Waits until a controller leads, and returns it.
    pub fn leader(&self) -> &Process {
        wait_for("a leading controller", PATIENCE, || self.landfall.leader(&self.sandbox)).unwrap()
    }

    /// The API server.
    pub fn api_server(&self) -> Process {
        self.process("kube-apiserver")
    }

    /// The kube-proxy on a node.
    pub fn kube_proxy(&self, node: &str) -> Process {
        self.process(&format!("kube-proxy-{node}"))
    }

    fn process(&self, name: &str) -> Process {
        self.sandbox.processes().into_iter().find(|process| process.name() == name).unwrap()
    }

    /// Applies an example, and tells when.
    pub fn apply_example(&self, file: &str) -> Instant {
        let start = Instant::now();
        self.sandbox.apply_file(&example(file)).unwrap();
        start
    }

    /// Applies objects.
    pub fn apply(&self, objects: &[Value]) {
        for object in objects {
            self.sandbox.apply(&object.to_string()).unwrap();
        }
    }

    /// The object, as `kubectl get` has it: `["service", "web"]`, `["-n", "traefik", "service", "traefik"]`.
    pub fn get(&self, what: &[&str]) -> Value {
        self.sandbox.get(what).unwrap()
    }

    /// Deletes it and returns when it is gone, which a finalizer left behind would prevent.
    pub fn delete(&self, what: &[&str]) {
        self.sandbox.kubectl(&[&["delete", "--timeout=20s"], what].concat()).unwrap();
    }

    /// Waits until the Service in `default` is as `check` wants it, and returns it.
    pub fn wait_service(&self, name: &str, what: &str, mut check: impl FnMut(&Value) -> bool) -> Value {
        wait_for(&format!("Service {name} {what}"), PATIENCE, || {
            let service = self.sandbox.api().get(&format!("/api/v1/namespaces/default/services/{name}"))?;
            ensure!(check(&service), "it is {service:#}");
            Ok(service)
        })
        .unwrap()
    }

    /// Waits for the Service's external addresses.
    pub fn addresses(&self, name: &str) -> Vec<IpAddr> {
        objects::addresses(
            &self.wait_service(name, "to have an address", |service| !objects::addresses(service).is_empty()),
        )
    }

    /// Waits for its only external address.
    pub fn address(&self, name: &str) -> IpAddr {
        let addresses = self.addresses(name);
        assert_eq!(addresses.len(), 1, "Service {name} has {addresses:?}");
        addresses[0]
    }

    /// Waits until the Deployment's pods are ready.
    pub fn wait_available(&self, deployment: &str) {
        self.sandbox
            .kubectl(&["wait", "--for=condition=Available", "--timeout=30s", &format!("deployment/{deployment}")])
            .unwrap();
    }

    /// Landfall's Events about an object, as (reason, message).
    pub fn events(&self, kind: &str, namespace: &str, name: &str) -> Vec<(String, String)> {
        let selector = format!("involvedObject.kind%3D{kind},involvedObject.name%3D{name}");
        let path = format!("/api/v1/namespaces/{namespace}/events?fieldSelector={selector}");
        let list = self.sandbox.api().get(&path).unwrap();
        let word = |event: &Value, key: &str| event[key].as_str().unwrap_or_default().to_owned();
        let events = list["items"].as_array().map(Vec::as_slice).unwrap_or_default();
        let ours = events.iter().filter(|event| event["reportingComponent"] == CONTROLLER);
        ours.map(|event| (word(event, "reason"), word(event, "message"))).collect()
    }

    /// Waits for an Event about an object whose message has all of `words`.
    pub fn wait_event(&self, kind: &str, namespace: &str, name: &str, words: &[&str]) {
        wait_for(&format!("an Event about {kind} {name} that says {words:?}"), PATIENCE, || {
            let events = self.events(kind, namespace, name);
            let said = events.iter().any(|(_, message)| words.iter().all(|word| message.contains(word)));
            ensure!(said, "there are {events:?}");
            Ok(())
        })
        .unwrap()
    }

    /// Waits until the Service says that it cannot be served and why: in its condition and in an Event.
    pub fn wait_refused(&self, name: &str, reason: &str) {
        let service = self.wait_service(name, &format!("to be refused: {reason}"), |service| {
            objects::allocated(service).is_some_and(|(yes, why, _)| !yes && why == reason)
        });
        assert_eq!(objects::addresses(&service), [] as [IpAddr; 0]);
        let (_, _, message) = objects::allocated(&service).unwrap_or_default();
        // The Event says how full pools are, too: the condition has no numbers that change.
        let words: Vec<&str> = message.split(|at: char| "()".contains(at)).step_by(2).collect();
        self.wait_event("Service", "default", name, &words);
    }

    /// Waits until the controller has taken over the configuration's text as the user wrote it.
    pub fn wait_accepted(&self, text: &str) {
        wait_for("the configuration to be accepted", PATIENCE, || {
            let accepted = self.accepted();
            ensure!(accepted["config.yaml"] == text, "accepted is {accepted}");
            Ok(())
        })
        .unwrap();
    }

    /// The data of the ConfigMap with the accepted configuration; null before there is one.
    pub fn accepted(&self) -> Value {
        let path = "/api/v1/namespaces/landfall-system/configmaps/landfall-accepted";
        self.sandbox.api().get(path).map_or(Value::Null, |mut map| map["data"].take())
    }

    /// The pods with the label `app`.
    fn pods(&self, app: &str) -> Vec<Value> {
        let list = self.sandbox.get(&["pods", "-l", &format!("app={app}")]).unwrap();
        list["items"].as_array().cloned().unwrap_or_default()
    }

    /// Fetches a URL from inside one of the pods with the label `app`.
    pub fn curl_from_pod(&self, app: &str, url: &str) -> String {
        let name = self.pods(app)[0]["metadata"]["name"].as_str().unwrap().to_owned();
        let pod = self.sandbox.pod("default", &name).unwrap();
        let curl = ["curl", "-sS", "-g", "--fail", "--max-time", "2", "--noproxy", "*", url];
        // kube-proxy learns of a ready pod a little later than the API server.
        wait_for(&format!("{url} to answer {name}"), PATIENCE, || pod.exec(&curl)).unwrap()
    }

    /// The nodes that run a pod with the label `app`, once so many are left.
    pub fn nodes_of(&self, app: &str, pods: usize) -> BTreeSet<String> {
        wait_for(&format!("{pods} pods of {app}"), PATIENCE, || {
            let pods_now = self.pods(app);
            ensure!(pods_now.len() == pods, "there are {}", pods_now.len());
            Ok(pods_now.iter().filter_map(|pod| pod["spec"]["nodeName"].as_str().map(str::to_owned)).collect())
        })
        .unwrap()
    }

    /// Waits until every speaker would know of this address, should it start while the API server is away.
    pub fn wait_known(&self, vip: IpAddr) {
        let vip = format!("\"{vip}\"");
        for node in self.landfall.speakers().keys() {
            wait_for(&format!("{node} to keep {vip}"), PATIENCE, || {
                let text = fs::read_to_string(self.landfall.last_known(node).join("last-known.json"))?;
                ensure!(text.contains(&vip), "it keeps {text}");
                Ok(())
            })
            .unwrap();
        }
    }

    /// Waits until a speaker and another one say that they hear each other.
    pub fn wait_heard(&self, one: &str, other: &str) {
        wait_for(&format!("{one} and {other} to hear each other"), PATIENCE, || {
            for (who, whom) in [(one, other), (other, one)] {
                let peers = &self.sandbox.record(who)?["interfaces"]["eth0"]["peers"];
                ensure!(peers.as_array().is_some_and(|peers| peers.contains(&json!(whom))), "{who} hears {peers}");
            }
            Ok(())
        })
        .unwrap();
    }
}
