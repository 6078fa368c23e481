//! A sandbox's cluster and machines, for whoever wants to use them: the tests that own it, and the command that finds it by
//! its state.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use crate::{
    api::Api,
    command,
    host::{Client, Node},
    netns::Netns,
    pki,
    state::{self, State},
    switch::Switch,
    topology,
};

/// A running cluster.
#[derive(Clone, Debug)]
pub struct Cluster {
    state: State,
    api: Api,
}

impl Cluster {
    pub(crate) fn new(state: State) -> Cluster {
        let cp = Netns::named(state.prefix() + "cp");
        let api = Api::new(cp, &state.folder.join("pki"));
        Cluster { state, api }
    }

    /// The running sandbox of that number, or the only one there is.
    ///
    /// # Errors
    /// When there is none, or several to choose from.
    pub fn attach(id: Option<u32>) -> Result<Cluster> {
        let mut running: Vec<State> = state::list().into_iter().filter(|state| state.owner.is_alive()).collect();
        if let Some(id) = id {
            running.retain(|state| state.id == id);
        }
        let ids: Vec<String> = running.iter().map(|state| state.id.to_string()).collect();
        ensure!(running.len() < 2, "several sandboxes run: say which with --id ({})", ids.join(", "));
        let state = running.pop().context("no such sandbox runs: start one with `sandbox up`")?;
        Ok(Cluster::new(state))
    }

    /// Its number on this machine.
    pub fn id(&self) -> u32 {
        self.state.id
    }

    /// Its folder: `logs/`, `pki/` (the administrator's certificates and kubeconfig), `accounts/` (kubeconfigs of
    /// ServiceAccounts), `audit.log`, etcd's data.
    pub fn folder(&self) -> &Path {
        &self.state.folder
    }

    /// The administrator's kubeconfig; its API server can be reached from inside the sandbox only.
    pub fn kubeconfig(&self) -> PathBuf {
        self.state.folder.join("pki/admin.kubeconfig")
    }

    /// Requests to the API server, as administrator.
    pub fn api(&self) -> &Api {
        &self.api
    }

    /// The namespace of `lan`, `cp`, `client`, or a node.
    ///
    /// # Errors
    /// When there is no such machine.
    pub fn netns(&self, name: &str) -> Result<Netns> {
        let netns = Netns::named(self.state.prefix() + name);
        ensure!(netns.exists(), "sandbox {} has no machine {name:?}", self.state.id);
        Ok(netns)
    }

    /// The control plane's namespace.
    pub fn control_plane(&self) -> Netns {
        Netns::named(self.state.prefix() + "cp")
    }

    /// The host on the LAN that is no member of the cluster.
    pub fn client(&self) -> Client {
        Client::new(Netns::named(self.state.prefix() + "client"), topology::client())
    }

    /// The LAN's switch.
    pub fn switch(&self) -> Switch {
        Switch::new(Netns::named(self.state.prefix() + "lan"))
    }

    /// All nodes, `n1` first.
    pub fn nodes(&self) -> Vec<Node> {
        let lan = Netns::named(self.state.prefix() + "lan");
        let node = |i| {
            let member = topology::node(i);
            Node::new(Netns::named(self.state.prefix() + &member.name), lan.clone(), member)
        };
        (1..=self.state.nodes).map(node).collect()
    }

    /// The node of that name.
    ///
    /// # Errors
    /// When there is none.
    pub fn node(&self, name: &str) -> Result<Node> {
        let node = self.nodes().into_iter().find(|node| node.name() == name);
        node.with_context(|| format!("sandbox {} has no node {name:?}", self.state.id))
    }

    /// The node whose interface on the LAN has this hardware address.
    ///
    /// # Errors
    /// When none has it.
    pub fn node_with_mac(&self, mac: &str) -> Result<Node> {
        for node in self.nodes() {
            if node.mac()?.eq_ignore_ascii_case(mac) {
                return Ok(node);
            }
        }
        bail!("{mac} is no node's")
    }

    /// Runs kubectl as administrator and returns what it prints.
    ///
    /// # Errors
    /// With kubectl's own words.
    pub fn kubectl(&self, arguments: &[&str]) -> Result<String> {
        command::output(self.kubectl_command().args(arguments))
    }

    /// kubectl as administrator, to be given arguments and started.
    pub fn kubectl_command(&self) -> std::process::Command {
        let mut command = self.control_plane().command(&self.state.tools.join("kubectl").display().to_string());
        command.env("KUBECONFIG", self.kubeconfig()).env("KUBECACHEDIR", self.state.folder.join("kubectl"));
        command
    }

    /// `kubectl get ... -o json`, parsed.
    ///
    /// # Errors
    /// With kubectl's own words.
    pub fn get(&self, arguments: &[&str]) -> Result<Value> {
        let arguments = [&["get", "-o", "json"], arguments].concat();
        serde_json::from_str(&self.kubectl(&arguments)?).context("kubectl printed no JSON")
    }

    /// `kubectl apply` of YAML or JSON text.
    ///
    /// # Errors
    /// With kubectl's own words.
    pub fn apply(&self, text: &str) -> Result<String> {
        command::with_input(self.kubectl_command().args(["apply", "-f", "-"]), text)
    }

    /// `kubectl apply -f` of a file or folder.
    ///
    /// # Errors
    /// With kubectl's own words.
    pub fn apply_file(&self, path: &Path) -> Result<String> {
        command::output(self.kubectl_command().args(["apply", "-f"]).arg(path))
    }

    /// `kubectl apply -k` of a folder.
    ///
    /// # Errors
    /// With kubectl's own words.
    pub fn apply_kustomize(&self, folder: &Path) -> Result<String> {
        command::output(self.kubectl_command().args(["apply", "-k"]).arg(folder))
    }

    /// A kubeconfig file with a token of ServiceAccount `namespace`/`name`, valid for a day. With a node the token is bound
    /// to that Node, and carries its name, as the token of a pod that runs there does.
    ///
    /// # Errors
    /// When the ServiceAccount or Node does not exist.
    pub fn kubeconfig_for(&self, namespace: &str, name: &str, node: Option<&str>) -> Result<PathBuf> {
        let mut spec = json!({"expirationSeconds": 86_400});
        if let Some(node) = node {
            let uid = self.api.get(&format!("/api/v1/nodes/{node}"))?["metadata"]["uid"].clone();
            spec["boundObjectRef"] = json!({"apiVersion": "v1", "kind": "Node", "name": node, "uid": uid});
        }
        let path = format!("/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token");
        let request = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec});
        let answer = self.api.create(&path, &request)?;
        let token = answer["status"]["token"].as_str().context("the API server issued no token")?;
        let file = format!("{namespace}-{name}-{}", node.unwrap_or("any"));
        pki::kubeconfig(&self.state.folder.join("accounts"), &file, &json!({"token": token}))
    }

    /// The last lines of every log, for when something went wrong.
    pub fn log_tails(&self, lines: usize) -> String {
        let mut logs: Vec<PathBuf> = fs::read_dir(self.state.folder.join("logs"))
            .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
            .unwrap_or_default();
        logs.sort();
        let mut text = String::new();
        for log in logs {
            let bytes = fs::read(&log).unwrap_or_default();
            let log_text = String::from_utf8_lossy(&bytes);
            let all: Vec<&str> = log_text.lines().collect();
            let tail = &all[all.len().saturating_sub(lines)..];
            if !tail.is_empty() {
                text += &format!("--- {}\n{}\n", log.display(), tail.join("\n"));
            }
        }
        text
    }
}
