//! The cluster on which everything is measured.

use crate::lan::{Asker, inside};
use anyhow::{Result, ensure};
use landfall_sandbox::{Landfall, LandfallOptions, Node, PodSpec, Sandbox, objects, sibling, wait_for};
use serde_json::{Value, json};
use std::{net::IpAddr, path::Path, time::Duration};

/// Longer than anything takes.
const PATIENCE: Duration = Duration::from_secs(60);
/// Where the pods are. It announces nothing, so that no pod is on an owner's node.
const PODS: &str = "n4";
/// The client's own pool, and a large one for many VIPs at once. The interface is named, so that its subnet does not limit them.
const CONFIG: &str = "
pools:
- name: default
  addresses: [198.51.100.100-198.51.100.190, '2001:db8::100-2001:db8::1ff']
- name: large
  addresses: [198.18.0.0/20]
  autoAssign: false
quarantine: 0s
reuse: 0s
announcements:
- interfaces: [eth0]
  nodeSelectors:
  - matchExpressions: [{key: kubernetes.io/hostname, operator: NotIn, values: [n4]}]
";

/// Three nodes that announce, and one with an echo pod.
pub struct Lab {
    /// The cluster.
    pub sandbox: Sandbox,
    /// Landfall's processes.
    pub landfall: Landfall,
}

/// A cluster with Landfall on it, and somebody who leads.
fn start(
    nodes: u8,
    config: &str,
    change: impl FnOnce(LandfallOptions) -> LandfallOptions,
) -> Result<(Sandbox, Landfall)> {
    let sandbox = Sandbox::builder().nodes(nodes).up()?;
    let manifests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../manifests");
    let landfall = sandbox.start_landfall(&change(LandfallOptions::new(sibling("landfall")?).manifests(&manifests)))?;
    sandbox.apply(&objects::config(config).to_string())?;
    wait_for("a leading controller", PATIENCE, || landfall.leader(&sandbox).map(drop))?;
    Ok((sandbox, landfall))
}

/// One node, one controller, and nobody who announces: what allocation costs is seen best where nothing else runs.
///
/// # Errors
/// What did not come up.
pub fn alone(config: &str) -> Result<(Sandbox, Landfall)> {
    start(1, config, |options| options.controllers(1).without_speakers())
}

impl Lab {
    /// Brings it up.
    ///
    /// # Errors
    /// What did not come up.
    pub fn up() -> Result<Self> {
        let (sandbox, landfall) = start(4, CONFIG, |options| options)?;
        let lab = Self { sandbox, landfall };
        lab.sandbox.add_pod(&PodSpec::echo("echo").on(PODS))?;
        lab.calm()?;
        Ok(lab)
    }

    /// The nodes that announce.
    pub fn announcers(&self) -> impl Iterator<Item = Node> {
        self.sandbox.nodes().into_iter().filter(|node| node.name() != PODS)
    }

    /// Waits until every speaker that announces hears every other one.
    ///
    /// # Errors
    /// Who hears whom.
    pub fn calm(&self) -> Result<()> {
        let nodes: Vec<Node> = self.announcers().collect();
        wait_for("all speakers to hear each other", PATIENCE, || {
            for node in &nodes {
                let peers = self.peers(node.name())?;
                ensure!(peers.len() + 1 == nodes.len(), "{} hears {peers:?}", node.name());
            }
            Ok(())
        })
    }

    /// Waits until no other speaker hears the one on `node`.
    ///
    /// # Errors
    /// Who still hears it.
    pub fn gone(&self, node: &str) -> Result<()> {
        let others: Vec<Node> = self.announcers().filter(|other| other.name() != node).collect();
        wait_for(&format!("nobody to hear {node}"), PATIENCE, || {
            for other in &others {
                let peers = self.peers(other.name())?;
                ensure!(!peers.iter().any(|peer| peer == node), "{} hears {peers:?}", other.name());
            }
            Ok(())
        })
    }

    /// Whom the speaker on `node` hears, by its record.
    fn peers(&self, node: &str) -> Result<Vec<String>> {
        let mut record = self.sandbox.record(node)?;
        Ok(serde_json::from_value(record["interfaces"]["eth0"]["peers"].take()).unwrap_or_default())
    }

    /// Waits until a node answers for `vip`, and returns its name.
    ///
    /// # Errors
    /// Where nobody does.
    pub fn owner(&self, vip: IpAddr) -> Result<String> {
        let mac = inside(&self.sandbox.client(), async || {
            let mut asker = Asker::open().await?;
            for _ in 0..PATIENCE.as_secs() * 20 {
                if let Some((mac, _)) = asker.ask(vip, Duration::from_millis(50)).await? {
                    return Ok(mac.to_string());
                }
            }
            anyhow::bail!("nobody answers for {vip}")
        })?;
        Ok(self.sandbox.node_with_mac(&mac)?.name().to_owned())
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
