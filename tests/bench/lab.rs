//! The cluster on which everything is measured.

use crate::lan;
use anyhow::{Context, Result, ensure};
use landfall_sandbox::{
    Builder, Cluster, Landfall, LandfallOptions, Node, PodSpec, Process, Sandbox, api::Content, objects, wait_for,
};
use serde_json::{Value, json};
use std::{
    env,
    net::IpAddr,
    path::{Path, PathBuf},
    time::Duration,
};

/// Longer than anything takes.
const PATIENCE: Duration = Duration::from_secs(60);
/// The client's own pool, and a large one for many VIPs at once. The interface is named, so that its subnet does not limit them.
const CONFIG: &str = "
pools:
- name: default
  addresses: [198.51.100.100-198.51.100.190, '2001:db8::100-2001:db8::1ff']
- name: large
  addresses: [198.18.0.0/20, '2001:db8:1::/64']
  autoAssign: false
quarantine: 0s
reuse: 0s
announcements:
- interfaces: [eth0]
  nodeSelectors:
  - matchExpressions: [{key: kubernetes.io/hostname, operator: NotIn, values: [PODS]}]
";

/// Nodes that announce, and one with an echo pod.
pub struct Lab {
    /// Where the pod is. It announces nothing, so that no pod is on an owner's node.
    pods: String,
    /// The cluster.
    pub sandbox: Sandbox,
    /// Landfall's processes.
    pub landfall: Landfall,
}

/// Keeps load balancers off a node.
const EXCLUDE: &str = "node.kubernetes.io/exclude-from-external-load-balancers";

/// Landfall, optimised as what ships is.
fn program() -> Result<PathBuf> {
    let own = env::current_exe()?;
    let found = own.ancestors().map(|folder| folder.join("dist/landfall")).find(|path| path.is_file());
    found.with_context(|| {
        format!("there is no dist/landfall above {}: build it with `cargo build --profile dist`", own.display())
    })
}

/// A cluster with Landfall on it, and somebody who leads.
fn start(
    cluster: Builder,
    config: &str,
    change: impl FnOnce(LandfallOptions) -> LandfallOptions,
) -> Result<(Sandbox, Landfall)> {
    let sandbox = cluster.up()?;
    let manifests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../manifests");
    let landfall = sandbox.start_landfall(&change(LandfallOptions::new(program()?).manifests(&manifests)))?;
    sandbox.apply(&objects::config(config).to_string())?;
    wait_for("a leading controller", PATIENCE, || landfall.leader(&sandbox).map(drop))?;
    Ok((sandbox, landfall))
}

/// So many nodes without kube-proxies, one controller, and speakers that do not run yet: what allocation costs is seen best where
/// nothing else runs.
///
/// # Errors
/// What did not come up.
pub fn alone(nodes: u8, config: &str) -> Result<(Sandbox, Landfall)> {
    let cluster = Sandbox::builder().nodes(nodes).without_kube_proxies();
    start(cluster, config, |options| options.controllers(1).speakers_at_rest())
}

/// Puts the label on a node that keeps load balancers off it, or takes it away.
///
/// # Errors
/// Where the API server refuses.
pub fn exclude(cluster: &Cluster, node: &str, excluded: bool) -> Result<()> {
    let value = if excluded { Value::from("") } else { Value::Null };
    let patch = json!({"metadata": {"labels": {EXCLUDE: value}}});
    cluster.api().patch(&format!("/api/v1/nodes/{node}"), Content::Merge, &patch).map(drop)
}

/// Waits until these speakers, and no others, hear each other by their records.
///
/// # Errors
/// Who hears whom.
pub fn wait_heard(cluster: &Cluster, nodes: &[&str]) -> Result<()> {
    wait_for("all speakers to hear each other", PATIENCE, || {
        for node in nodes {
            let peers = peers(cluster, node)?;
            ensure!(peers.len() + 1 == nodes.len(), "{node} hears {peers:?}");
        }
        Ok(())
    })
}

/// Waits until the speaker on `node` says by its record that the node may announce, or may not.
///
/// # Errors
/// What it says.
pub fn wait_able(cluster: &Cluster, node: &str, able: bool) -> Result<()> {
    wait_for(&format!("{node} to say that it may announce: {able}"), PATIENCE, || {
        let unable = cluster.record(node)?["unable"].take();
        ensure!(unable.as_array().is_none_or(Vec::is_empty) == able, "it says {unable}");
        Ok(())
    })
}

/// Waits until the speaker on `node` says by its record that kube-proxy there is not healthy any more, or says it no longer.
///
/// # Errors
/// What it says.
pub fn wait_stale(cluster: &Cluster, node: &str, stale: bool) -> Result<()> {
    wait_for(&format!("{node} to say that its kube-proxy has stopped: {stale}"), PATIENCE, || {
        let warnings = cluster.record(node)?["warnings"].take();
        let said = warnings.as_array().into_iter().flatten().any(|why| why["reason"] == "DataPathStale");
        ensure!(said == stale, "it says {warnings}");
        Ok(())
    })
}

/// Whom the speaker on `node` hears, by its record.
fn peers(cluster: &Cluster, node: &str) -> Result<Vec<String>> {
    let mut record = cluster.record(node)?;
    Ok(serde_json::from_value(record["interfaces"]["eth0"]["peers"].take()).unwrap_or_default())
}

impl Lab {
    /// Brings it up, with so many nodes that announce.
    ///
    /// # Errors
    /// What did not come up.
    pub fn up(announcers: u8) -> Result<Self> {
        let nodes = announcers + 1;
        let pods = format!("n{nodes}");
        let config = CONFIG.replace("PODS", &pods);
        let (sandbox, landfall) = start(Sandbox::builder().nodes(nodes), &config, |options| options)?;
        let lab = Self { pods, sandbox, landfall };
        lab.sandbox.add_pod(&PodSpec::echo("echo").on(&lab.pods))?;
        lab.calm()?;
        Ok(lab)
    }

    /// The nodes that announce.
    pub fn announcers(&self) -> impl Iterator<Item = Node> {
        self.sandbox.nodes().into_iter().filter(|node| node.name() != self.pods)
    }

    /// Waits until every speaker that announces hears every other one.
    ///
    /// # Errors
    /// Who hears whom.
    pub fn calm(&self) -> Result<()> {
        let nodes: Vec<Node> = self.announcers().collect();
        wait_heard(&self.sandbox, &nodes.iter().map(|node| node.name()).collect::<Vec<_>>())
    }

    /// Waits until no other speaker hears the one on `node`.
    ///
    /// # Errors
    /// Who still hears it.
    pub fn gone(&self, node: &str) -> Result<()> {
        let others: Vec<Node> = self.announcers().filter(|other| other.name() != node).collect();
        wait_for(&format!("nobody to hear {node}"), PATIENCE, || {
            for other in &others {
                let peers = peers(&self.sandbox, other.name())?;
                ensure!(!peers.iter().any(|peer| peer == node), "{} hears {peers:?}", other.name());
            }
            Ok(())
        })
    }

    /// The kube-proxy on a node.
    ///
    /// # Errors
    /// Where there is none.
    pub fn kube_proxy(&self, node: &str) -> Result<Process> {
        self.process(&format!("kube-proxy-{node}"))
    }

    /// The sandbox's process of that name.
    ///
    /// # Errors
    /// Where there is none.
    pub fn process(&self, name: &str) -> Result<Process> {
        let found = self.sandbox.processes().into_iter().find(|process| process.name() == name);
        found.with_context(|| format!("there is no {name}"))
    }

    /// Waits until a node answers for `vip`, and returns its name.
    ///
    /// # Errors
    /// Where nobody does.
    pub fn owner(&self, vip: IpAddr) -> Result<String> {
        lan::owner(&self.sandbox, vip)
    }
}

/// A LoadBalancer Service whose UDP port 7 is the echo server's.
pub fn service(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
        "spec": {
            "type": "LoadBalancer", "selector": {"app": "echo"},
            "ports": [{"port": 7, "targetPort": 8080, "protocol": "UDP"}]
        }
    })
}
