//! What one run knows: its cluster, the host that asks, and what it has measured so far.

use crate::figures::Figures;
use anyhow::{Context, Result, bail, ensure};
use landfall_bench::machine;
use landfall_kind::{
    client::Host,
    cluster::{self, kubectl},
    load::{Load, Missed},
    node::Node,
};
use landfall_sandbox::ProbeReport;
use std::{
    env,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

/// The port of the echo Services.
const ECHO_PORT: u16 = 7;
/// The node port of one of them.
const NODE_PORT: u16 = 30007;
/// So often a busy machine is forgiven.
const TRIALS: usize = 5;
/// Speakers notice a crash after 200 ms at the earliest: what is shorter by far is a hand-over.
const HANDED_OVER: Duration = Duration::from_millis(100);
/// A silence this long on a way on which Landfall has no part: the machine is too busy to tell a hand-over from a crash.
const BUSY: Duration = Duration::from_millis(50);
/// A crash is noticed and mended within this time.
pub const TAKEN_OVER: Duration = Duration::from_secs(1);

/// One run on one cluster.
pub struct Run {
    /// The host beside the cluster.
    pub client: Host,
    /// Whether pods have addresses of both families.
    pub dual_stack: bool,
    /// Measure often enough for a page of figures.
    pub record: bool,
    /// What was measured.
    pub figures: Figures,
    /// What it was measured on.
    pub machine: Vec<(&'static str, String)>,
    nodes: Vec<Node>,
    vips: Vec<IpAddr>,
}

impl Run {
    /// On the cluster that the environment names.
    pub fn open() -> Result<Self> {
        let machine = machine::describe("dist")?;
        let nodes = cluster::nodes()?;
        let client = Host::start(nodes.first().context("the cluster has no node")?)?;
        let record = env::var_os("LANDFALL_RECORD").is_some();
        let dual_stack = cluster::is_dual_stack()?;
        Ok(Self { client, dual_stack, record, figures: Figures::default(), machine, nodes, vips: Vec::new() })
    }

    /// All nodes.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Reads the nodes' hardware addresses again: a container that was stopped starts with others.
    pub fn look_again(&mut self) -> Result<()> {
        self.nodes = cluster::nodes()?;
        Ok(())
    }

    /// The node of the API server. kubeadm labels it so that load balancers leave it out: it owns no address.
    pub fn control_plane(&self) -> Result<Node> {
        let found = self.nodes.iter().find(|node| node.name().ends_with("control-plane"));
        found.cloned().context("no node is the control plane")
    }

    /// The node that answers for `vip`.
    pub fn owner(&self, vip: IpAddr) -> Result<Node> {
        self.client.owner(vip, &self.nodes)
    }

    /// The addresses of the echo Services, whose pod is on the control plane's node: as that owns no address, no answer is
    /// lost with a node but for Landfall. The first call makes them.
    pub fn vips(&mut self) -> Result<&[IpAddr]> {
        if self.vips.is_empty() {
            cluster::apply(include_str!("echo.yaml"))?;
            cluster::available("default", "echo")?;
            self.vips = self.allocated()?;
        }
        Ok(&self.vips)
    }

    /// Every echo Service still has its addresses, and exactly one node answers for each.
    pub fn kept(&mut self) -> Result<()> {
        let before = self.vips()?.to_vec();
        let now = self.allocated()?;
        ensure!(now == before, "the addresses were {before:?} and are {now:?}");
        before.iter().try_for_each(|vip| self.owner(*vip).map(drop))
    }

    /// The addresses that the echo Services have now.
    fn allocated(&self) -> Result<Vec<IpAddr>> {
        let families = if self.dual_stack { 2 } else { 1 };
        let mut vips = cluster::vips("default", "echo", families)?;
        vips.extend(cluster::vips("default", "echo-too", 1)?);
        Ok(vips)
    }

    /// Asks all echo Services while `work` runs, and for a second after it.
    pub fn under_load(&mut self, work: impl FnOnce(&mut Self) -> Result<()>) -> Result<Seen> {
        let vips = self.vips()?.to_vec();
        let load = Load::start(&self.client, &vips, ECHO_PORT, self.beside()?)?;
        work(self)?;
        load.settle(500)?;
        let (missed, beside) = load.stop()?;
        Ok(Seen { missed, beside })
    }

    /// The same for `work` by which nothing may be lost, after `before`. A trial that fails while the machine is too busy tells
    /// nothing but that, and another is made.
    pub fn lossless(
        &mut self,
        name: &'static str,
        mut before: impl FnMut(&mut Self) -> Result<()>,
        mut work: impl FnMut(&mut Self) -> Result<()>,
    ) -> Result<()> {
        for _ in 0..TRIALS {
            before(self)?;
            let seen = self.under_load(&mut work)?;
            let Err(error) = seen.handed_over() else {
                self.figures.missed(name, &seen.missed);
                return self.kept();
            };
            if !seen.is_busy() {
                return Err(error);
            }
            println!("kind-e2e:         the machine is too busy, once more: {error:#}");
            self.figures.discarded(name);
        }
        bail!("{TRIALS} times the machine was too busy to tell: stop what else runs on it")
    }

    /// The echo pod at the node port of its own node.
    fn beside(&self) -> Result<SocketAddr> {
        let node = cluster::get(&["node", self.control_plane()?.name()])?;
        let address = cluster::text(&node, "/status/addresses/0/address")?.parse()?;
        Ok(SocketAddr::new(address, NODE_PORT))
    }

    /// Says on standard error what a developer wants to know of a failure.
    pub fn explain(&self) {
        let of = |component: &str| format!("app.kubernetes.io/component={component}");
        let (controller, speaker) = (of("controller"), of("speaker"));
        let logs = ["-n", "landfall-system", "logs", "--tail=60", "--prefix", "--ignore-errors", "-l"];
        let questions: [&[&str]; 7] = [
            &["get", "nodes", "-o", "wide"],
            &["get", "pods,services", "-A", "-o", "wide"],
            &["get", "events", "-A", "--sort-by=.lastTimestamp"],
            &["-n", "landfall-speakers", "get", "configmaps", "-o", "yaml"],
            &["-n", "landfall-system", "get", "configmaps,leases", "-o", "yaml"],
            &[&logs[..], &[&controller]].concat(),
            &[&logs[..], &[&speaker]].concat(),
        ];
        for question in questions {
            eprintln!("--- kubectl {}", question.join(" "));
            eprintln!("{}", kubectl(question).unwrap_or_else(|error| format!("{error:#}")));
        }
        for vip in &self.vips {
            eprintln!("--- {vip} is answered by {:?} (nodes: {:?})", self.client.answerers(*vip), self.nodes);
        }
    }
}

/// What was missed in one trial: at the addresses, and beside them.
#[derive(Debug)]
pub struct Seen {
    pub missed: Vec<Missed>,
    pub beside: ProbeReport,
}

impl Seen {
    /// Whether the machine was too busy to tell what Landfall loses.
    pub fn is_busy(&self) -> bool {
        self.beside.lost() > 0 || self.beside.longest_silence >= BUSY
    }

    /// No datagram was lost, and nobody had to wait for an answer as after a crash.
    fn handed_over(&self) -> Result<()> {
        for Missed { vip, datagrams, watched } in &self.missed {
            let unanswered = watched.unanswered;
            ensure!(datagrams.lost() == 0, "{vip}: {} datagrams were lost, {self:?}", datagrams.lost());
            ensure!(unanswered < HANDED_OVER, "{vip}: nobody answered for {unanswered:?}, {self:?}");
        }
        Ok(())
    }
}
