//! A pod of Landfall's as the process that it is, seen from its node: what it may do, what it listens to, what it holds.

use crate::{
    cluster::{self, text},
    node::Node,
};
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::time::Duration;

/// A running pod.
#[derive(Debug, Clone)]
pub struct Pod {
    /// Its name.
    pub name: String,
    /// Where it runs.
    pub node: Node,
    /// The image that it asks for.
    pub image: String,
    /// The image that it runs, in the kubelet's words.
    pub image_id: String,
    component: String,
    pid: u32,
}

impl Pod {
    /// All running pods of a component, `controller` or `speaker`.
    ///
    /// # Errors
    /// In kubectl's words.
    pub fn all(component: &str) -> Result<Vec<Self>> {
        let label = format!("app.kubernetes.io/component={component}");
        let pods = cluster::list(&["-n", "landfall-system", "pods", "-l", &label])?;
        let alive =
            |pod: &&Value| pod["status"]["phase"] == "Running" && pod["metadata"]["deletionTimestamp"].is_null();
        pods.iter().filter(alive).map(|pod| Self::from(pod, component)).collect()
    }

    /// The speaker on a node.
    ///
    /// # Errors
    /// Where none runs there.
    pub fn speaker(node: &str) -> Result<Self> {
        let found = Self::all("speaker")?.into_iter().find(|pod| pod.node.name() == node);
        found.with_context(|| format!("no speaker runs on {node}"))
    }

    fn from(pod: &Value, component: &str) -> Result<Self> {
        let node = Node::named(text(pod, "/spec/nodeName")?)?;
        let container = text(pod, "/status/containerStatuses/0/containerID")?;
        let id = container.rsplit('/').next().unwrap_or(container);
        let pid = node.exec(&["crictl", "inspect", "-o", "go-template", "--template", "{{.info.pid}}", id])?;
        let pid = pid.trim().parse().with_context(|| format!("{container} has no process, but {pid:?}"))?;
        Ok(Self {
            name: text(pod, "/metadata/name")?.to_owned(),
            node,
            image: text(pod, "/spec/containers/0/image")?.to_owned(),
            image_id: text(pod, "/status/containerStatuses/0/imageID")?.to_owned(),
            component: component.to_owned(),
            pid,
        })
    }

    fn proc(&self, file: &str) -> Result<String> {
        self.node.exec(&["cat", &format!("/proc/{}/{file}", self.pid)])
    }

    /// A field of `/proc/PID/status`.
    ///
    /// # Errors
    /// Where it has ended.
    pub fn status(&self, field: &str) -> Result<String> {
        let status = self.proc("status")?;
        let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        line.map(|value| value.trim().to_owned()).with_context(|| format!("no {field} in {status}"))
    }

    /// When it was started, by the clock since boot. The kernel counts it in hundredths of a second.
    ///
    /// # Errors
    /// Where it has ended.
    pub fn started(&self) -> Result<Duration> {
        let stat = self.proc("stat")?;
        // The second field, the name in parentheses, may hold anything; the start is the 20th after it.
        let ticks = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(19)?.parse().ok());
        ticks.map(|ticks: u64| Duration::from_millis(ticks * 10)).with_context(|| format!("no start in {stat}"))
    }

    /// The sockets that it listens on or receives datagrams by, in the words of `ss`.
    ///
    /// # Errors
    /// Where it has ended.
    pub fn listening(&self) -> Result<Vec<String>> {
        let target = self.pid.to_string();
        let all = self.node.exec(&["nsenter", "--target", &target, "--net", "ss", "-Hlntup"])?;
        let own = format!("pid={},", self.pid);
        Ok(all.lines().filter(|line| line.contains(&own)).map(str::to_owned).collect())
    }

    /// What it holds in memory, in KiB: its resident set, and the working set of its container as kubelet counts it.
    ///
    /// # Errors
    /// Where kubelet knows nothing of it yet.
    pub fn memory(&self) -> Result<(u64, u64)> {
        let rss = self.status("VmRSS")?;
        let rss = rss.trim_end_matches(" kB").parse().with_context(|| format!("VmRSS: {rss}"))?;
        let path = format!("/api/v1/nodes/{}/proxy/stats/summary", self.node);
        let summary: Value = serde_json::from_str(&cluster::kubectl(&["get", "--raw", &path])?)?;
        for pod in summary["pods"].as_array().into_iter().flatten() {
            if pod["podRef"]["name"] == self.name.as_str() {
                let bytes = pod["containers"][0]["memory"]["workingSetBytes"].as_u64();
                return Ok((rss, bytes.context("kubelet has not counted its memory yet")? / 1024));
            }
        }
        bail!("the kubelet on {} does not tell of pod {}", self.node, self.name)
    }

    /// Its component, `controller` or `speaker`.
    pub fn component(&self) -> &str {
        &self.component
    }
}
