//! The cluster on which everything is measured.

use crate::lan::{Asker, inside};
use anyhow::{Result, ensure};
use landfall_sandbox::{Landfall, LandfallOptions, PodSpec, Sandbox, objects::config, sibling, wait_for};
use serde_json::{Value, json};
use std::{net::IpAddr, path::Path, time::Duration};

/// Longer than anything takes.
const PATIENCE: Duration = Duration::from_secs(60);
/// The client's own pool, and a large one for many VIPs at once. The interface is named, so that its subnet does not limit them.
const CONFIG: &str = "
pools:
- name: default
  addresses: [198.51.100.100-198.51.100.190, '2001:db8::100-2001:db8::1ff']
- name: large
  addresses: [198.18.0.0/20]
  autoAssign: false
announcements:
- interfaces: [eth0]
";

/// Three nodes, Landfall on them, and an echo pod on each node.
pub struct Lab {
    /// The cluster.
    pub sandbox: Sandbox,
    /// Landfall's processes.
    pub landfall: Landfall,
}

impl Lab {
    /// Brings it up.
    ///
    /// # Errors
    /// What did not come up.
    pub fn up() -> Result<Self> {
        let sandbox = Sandbox::builder().nodes(3).up()?;
        let manifests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../manifests");
        let landfall = sandbox.start_landfall(&LandfallOptions::new(sibling("landfall")?).manifests(&manifests))?;
        sandbox.apply(&config(CONFIG).to_string())?;
        let lab = Self { sandbox, landfall };
        wait_for("a leading controller", PATIENCE, || lab.landfall.leader(&lab.sandbox).map(drop))?;
        let nodes: Vec<String> = lab.sandbox.nodes().iter().map(|node| node.name().to_owned()).collect();
        for node in &nodes {
            let mut pod = PodSpec::echo(&format!("echo-{node}")).on(node);
            // For a Service that none of this node's pods is to serve.
            for other in nodes.iter().filter(|other| *other != node) {
                pod = pod.label(&format!("not-{other}"), "yes");
            }
            lab.sandbox.add_pod(&pod.label("echo", "yes"))?;
        }
        lab.calm()?;
        Ok(lab)
    }

    /// Waits until every speaker hears every other one, and no cable is out.
    ///
    /// # Errors
    /// Who hears whom.
    pub fn calm(&self) -> Result<()> {
        let nodes = self.sandbox.nodes();
        wait_for("all speakers to hear each other", PATIENCE, || {
            for node in &nodes {
                let peers =
                    self.sandbox.record(node.name())?["interfaces"]["eth0"]["peers"].as_array().map_or(0, Vec::len);
                ensure!(peers + 1 == nodes.len(), "{} hears {peers}", node.name());
            }
            Ok(())
        })
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

/// A LoadBalancer Service whose UDP port 7 is an echo server's.
pub fn service(name: &str, selector: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
        "spec": {
            "type": "LoadBalancer", "selector": {selector: "yes"},
            "ports": [{"port": 7, "targetPort": 8080, "protocol": "UDP"}]
        }
    })
}
