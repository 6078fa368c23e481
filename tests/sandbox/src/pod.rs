//! Pods as a test makes them, one by one. They go the same way as those that a Deployment makes: through the API server to
//! the sandbox's kubelet.

use std::{collections::BTreeMap, net::IpAddr, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use crate::{
    api::{Api, Content},
    cluster::Cluster,
    kubelet::NETNS,
    netns::Netns,
    wait::{GiveUp, wait_for},
};

/// A Pod to be created; in namespace `default`, on any node, when not said otherwise.
#[derive(Clone, Debug)]
pub struct PodSpec {
    name: String,
    namespace: String,
    labels: BTreeMap<String, String>,
    node: Option<String>,
    image: String,
    command: Vec<String>,
    account: Option<String>,
    ports: Vec<(u16, &'static str)>,
    host_network: bool,
    pre_stop_seconds: Option<u64>,
}

impl PodSpec {
    /// A Pod of some image, with the label `app=<name>`.
    pub fn new(name: &str, image: &str) -> PodSpec {
        PodSpec {
            name: name.to_owned(),
            namespace: "default".to_owned(),
            labels: BTreeMap::from([("app".to_owned(), name.to_owned())]),
            node: None,
            image: image.to_owned(),
            command: Vec::new(),
            account: None,
            ports: Vec::new(),
            host_network: false,
            pre_stop_seconds: None,
        }
    }

    /// An echo server on TCP and UDP port 8080.
    pub fn echo(name: &str) -> PodSpec {
        PodSpec::new(name, "landfall-echo").tcp(8080).udp(8080)
    }

    /// Debian's nginx on port 80.
    pub fn nginx(name: &str) -> PodSpec {
        PodSpec::new(name, "nginx").tcp(80)
    }

    /// Any program of this machine.
    pub fn command(name: &str, argv: &[&str]) -> PodSpec {
        let command = argv.iter().map(ToString::to_string).collect();
        PodSpec { command, ..PodSpec::new(name, "debian") }
    }

    /// Puts it into another namespace, which must exist.
    pub fn namespace(self, namespace: &str) -> PodSpec {
        PodSpec { namespace: namespace.to_owned(), ..self }
    }

    /// Runs it as a ServiceAccount of its namespace, with a token of that one.
    pub fn account(self, account: &str) -> PodSpec {
        PodSpec { account: Some(account.to_owned()), ..self }
    }

    /// Sets a label.
    pub fn label(mut self, key: &str, value: &str) -> PodSpec {
        self.labels.insert(key.to_owned(), value.to_owned());
        self
    }

    /// Puts it on one node.
    pub fn on(self, node: &str) -> PodSpec {
        PodSpec { node: Some(node.to_owned()), ..self }
    }

    /// Declares a TCP port: the Pod is ready once something listens there.
    pub fn tcp(mut self, port: u16) -> PodSpec {
        self.ports.push((port, "TCP"));
        self
    }

    /// Declares a UDP port.
    pub fn udp(mut self, port: u16) -> PodSpec {
        self.ports.push((port, "UDP"));
        self
    }

    /// Runs it in the node's own network.
    pub fn host_network(self) -> PodSpec {
        PodSpec { host_network: true, ..self }
    }

    /// Lets it serve on for some seconds after it was told to end.
    pub fn pre_stop_sleep(self, seconds: u64) -> PodSpec {
        PodSpec { pre_stop_seconds: Some(seconds), ..self }
    }

    fn object(&self) -> Value {
        let ports: Vec<Value> =
            self.ports.iter().map(|(port, protocol)| json!({"containerPort": port, "protocol": protocol})).collect();
        let mut container = json!({"name": "main", "image": self.image, "ports": ports});
        if !self.command.is_empty() {
            container["command"] = json!(self.command);
        }
        if let Some(seconds) = self.pre_stop_seconds {
            container["lifecycle"] = json!({"preStop": {"sleep": {"seconds": seconds}}});
        }
        let mut spec = json!({"containers": [container], "hostNetwork": self.host_network});
        if let Some(account) = &self.account {
            spec["serviceAccountName"] = json!(account);
        }
        if let Some(node) = &self.node {
            spec["nodeName"] = json!(node);
        }
        json!({
            "apiVersion": "v1", "kind": "Pod", "spec": spec,
            "metadata": {"name": self.name, "namespace": self.namespace, "labels": self.labels},
        })
    }
}

/// A Pod that has become ready.
#[derive(Clone, Debug)]
pub struct Pod {
    /// Its name.
    pub name: String,
    /// Its namespace in the cluster.
    pub namespace: String,
    /// Its node.
    pub node: String,
    /// Its addresses, IPv4 first.
    pub addresses: Vec<IpAddr>,
    /// Its network namespace on this machine.
    pub netns: Netns,
    api: Api,
}

impl Pod {
    fn path(&self) -> String {
        format!("/api/v1/namespaces/{}/pods/{}", self.namespace, self.name)
    }

    /// Declares it ready or not; its process goes on.
    ///
    /// # Errors
    /// When the API server refuses.
    pub fn set_ready(&self, ready: bool) -> Result<()> {
        let status = if ready { "True" } else { "False" };
        let conditions =
            [json!({"type": "Ready", "status": status}), json!({"type": "ContainersReady", "status": status})];
        let patch = json!({"status": {"conditions": conditions}});
        self.api.patch(&(self.path() + "/status"), Content::StrategicMerge, &patch).map(drop)
    }

    /// Asks for its deletion with its grace period and does not wait.
    ///
    /// # Errors
    /// When the API server refuses.
    pub fn terminate(&self) -> Result<()> {
        self.api.delete(&self.path(), &json!({"apiVersion": "v1", "kind": "DeleteOptions"})).map(drop)
    }

    /// Deletes it at once: no grace, as after a crash of its node.
    ///
    /// # Errors
    /// When the API server refuses.
    pub fn delete(&self) -> Result<()> {
        let options = json!({"apiVersion": "v1", "kind": "DeleteOptions", "gracePeriodSeconds": 0});
        self.api.delete(&self.path(), &options).map(drop)
    }

    /// Runs a command in its network namespace.
    ///
    /// # Errors
    /// When it cannot be started or fails.
    pub fn exec(&self, argv: &[&str]) -> Result<String> {
        self.netns.exec(argv)
    }
}

impl Cluster {
    /// Creates a Pod and waits until it is ready.
    ///
    /// # Errors
    /// When it is refused, or not ready within half a minute.
    pub fn add_pod(&self, spec: &PodSpec) -> Result<Pod> {
        self.api().create(&format!("/api/v1/namespaces/{}/pods", spec.namespace), &spec.object())?;
        let what = format!("pod {}/{} to be ready", spec.namespace, spec.name);
        wait_for(&what, Duration::from_secs(30), || self.pod(&spec.namespace, &spec.name))
    }

    /// A Pod that is ready.
    ///
    /// # Errors
    /// When it does not exist or is not ready, with its status.
    pub fn pod(&self, namespace: &str, name: &str) -> Result<Pod> {
        let object = self.api().get(&format!("/api/v1/namespaces/{namespace}/pods/{name}"))?;
        let status = &object["status"];
        let mut conditions = status["conditions"].as_array().into_iter().flatten();
        let ready = conditions.any(|c| c["type"] == json!("Ready") && c["status"] == json!("True"));
        let waiting = &status["containerStatuses"][0]["state"]["waiting"];
        if waiting["reason"] == json!("CreateContainerError") {
            bail!(GiveUp(format!("pod {namespace}/{name}: {}", waiting["message"])));
        }
        ensure!(ready, "pod {namespace}/{name} is not ready: {status}");
        let addresses = status["podIPs"].as_array().into_iter().flatten();
        let netns = object["metadata"]["annotations"][NETNS].as_str();
        Ok(Pod {
            name: name.to_owned(),
            namespace: namespace.to_owned(),
            node: object["spec"]["nodeName"].as_str().unwrap_or_default().to_owned(),
            addresses: addresses.filter_map(|ip| ip["ip"].as_str()?.parse().ok()).collect(),
            netns: Netns::named(netns.context("a Pod that the sandbox did not start")?),
            api: self.api().clone(),
        })
    }
}
