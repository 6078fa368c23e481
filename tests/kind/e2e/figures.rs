//! What was measured, and the page that tells it.

use crate::run::Run;
use anyhow::{Context, Result, ensure};
use landfall_bench::{
    report::{section, table},
    stats::{Samples, ms},
};
use landfall_kind::{
    cluster::{self, PATIENCE, kubectl, repository, text},
    command,
    first::{self, Answers},
    load::Missed,
    pod::Pod,
};
use landfall_sandbox::wait_for;
use serde_json::Value;
use std::{
    env, fs,
    path::Path,
    time::{Duration, SystemTime},
};

/// A node with this label announces nothing.
const EXCLUDED: &str = "node.kubernetes.io/exclude-from-external-load-balancers";
/// A speaker that starts answers within this time.
const STARTED: Duration = Duration::from_secs(5);

/// Everything that was measured, in the order in which it was.
#[derive(Debug, Default)]
pub struct Figures {
    silences: Vec<(&'static str, Silence)>,
    memory: Vec<(usize, String, u64, u64)>,
    start: Samples,
}

#[derive(Debug, Default)]
struct Silence {
    datagrams: Samples,
    unanswered: Samples,
    lost: u64,
    sent: u64,
    discarded: usize,
}

impl Figures {
    fn silence(&mut self, name: &'static str) -> &mut Silence {
        let known = self.silences.iter().position(|(other, _)| *other == name);
        let index = known.unwrap_or_else(|| {
            self.silences.push((name, Silence::default()));
            self.silences.len() - 1
        });
        &mut self.silences[index].1
    }

    /// What was missed while this happened.
    pub fn missed(&mut self, name: &'static str, missed: &[Missed]) {
        let silence = self.silence(name);
        for one in missed {
            silence.datagrams.push(one.datagrams.longest_silence);
            silence.unanswered.push(one.watched.unanswered);
            silence.lost += one.datagrams.lost();
            silence.sent += one.datagrams.sent;
        }
    }

    /// A trial more that told nothing of this.
    pub fn discarded(&mut self, name: &'static str) {
        self.silence(name).discarded += 1;
    }

    /// What was missed where only ARP was asked.
    pub fn unanswered(&mut self, name: &'static str, silence: Duration) {
        self.silence(name).unanswered.push(silence);
    }
}

/// With the Services that there are: none yet, or all that the examples make.
pub fn memory(run: &mut Run) -> Result<()> {
    let count =
        cluster::list(&["services", "-A"])?.iter().filter(|service| service["spec"]["type"] == "LoadBalancer").count();
    for pod in [Pod::all("controller")?, Pod::all("speaker")?].concat() {
        let (rss, working_set) = wait_for("kubelet to count memory", PATIENCE, || pod.memory())?;
        run.figures.memory.push((count, format!("{} on {}", pod.component(), pod.node), rss, working_set));
    }
    Ok(())
}

/// A speaker alone: another that is told to leave addresses alone cannot take them over, so nothing but the new process can
/// answer. What the slowest one logged is printed: an outlier is to be explained.
pub fn start(run: &mut Run) -> Result<()> {
    let vips = run.vips()?.to_vec();
    let owner = run.owner(vips[0])?;
    let others: Vec<_> = run.nodes().iter().filter(|node| **node != owner).cloned().collect();
    let exclude = |value: &str| -> Result<()> {
        for node in others.iter().filter(|node| !node.name().ends_with("control-plane")) {
            kubectl(&["label", "node", "--overwrite", node.name(), &format!("{EXCLUDED}{value}")])?;
        }
        Ok(())
    };
    exclude("=")?;
    let alone = |run: &Run| {
        wait_for(&format!("{owner} to own all addresses"), PATIENCE, || {
            vips.iter().try_for_each(|vip| {
                let now = run.owner(*vip)?;
                ensure!(now == owner, "{now} answers for {vip}");
                Ok(())
            })
        })
    };
    alone(run)?;
    let mut slowest = (Duration::ZERO, String::new());
    for _ in 0..if run.record { 12 } else { 1 } {
        let answers = Answers::start(&run.client, vips[0]);
        let old = Pod::speaker(owner.name())?;
        kubectl(&["-n", "landfall-system", "delete", "pod", &old.name])?;
        let new = wait_for("a new speaker", PATIENCE, || {
            let new = Pod::speaker(owner.name())?;
            ensure!(new.name != old.name, "the old one runs");
            Ok(new)
        })?;
        alone(run)?;
        let started = new.started()?;
        let took = answers.first_after(started)?;
        ensure!(took < STARTED, "the first answer came {took:?} after the start");
        run.figures.start.push(took);
        if took > slowest.0 {
            let log = kubectl(&["-n", "landfall-system", "logs", "--timestamps", &new.name])?;
            slowest = (took, format!("process started at {}\n{log}", time_of_day(started)?.trim()));
        }
    }
    let (took, log) = slowest;
    println!("kind-e2e:         the slowest start, {} to the first answer:\n{log}", ms(took));
    exclude("-")
}

/// A moment of the clock since boot, as logs write it.
fn time_of_day(since_boot: Duration) -> Result<String> {
    let ago = first::since_boot()?.saturating_sub(since_boot);
    let moment = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.saturating_sub(ago);
    command::run(&["date", "--utc", "+%T.%3N", "--date", &format!("@{:.3}", moment.as_secs_f64())])
}

/// Tells what was measured, on a page in `docs/` where it is to be kept.
pub fn tell(run: &Run, took: Duration) -> Result<()> {
    let page = page(run, took)?;
    println!("{page}");
    if run.record {
        let path = repository("docs/benchmarks-kind.md");
        fs::write(&path, page).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(())
}

fn page(run: &Run, took: Duration) -> Result<String> {
    let figures = &run.figures;
    let mut page = String::from(
        "# Benchmarks in real pods\n\nWritten by `make kind-e2e RECORD=1`; not to be edited. A kind cluster of one control plane and \
         two workers, Landfall from its image and\n`manifests/` in pods, and a host beside the nodes, all on one machine: what is \
         measured includes waiting for a processor. Percentiles are\nnearest rank. [benchmarks.md](benchmarks.md) has what needs \
         no kubelet.\n\n",
    );
    let mut rows = run.machine.clone();
    rows.extend(cluster_rows()?);
    if let Some(image) = env::var_os("LANDFALL_IMAGE") {
        let bytes = fs::metadata(&image).with_context(|| format!("reading {}", Path::new(&image).display()))?.len();
        rows.push(("image, as an archive", format!("{:.2} MB ({bytes} bytes)", bytes as f64 / 1e6)));
    }
    if let Ok(before) = env::var("LANDFALL_KIND_BEFORE") {
        rows.push(("image, cluster and loading of all images, before the test", format!("{before} s")));
    }
    rows.push(("the test", format!("{:.0} s", took.as_secs_f64())));
    table(&mut page, "what | value", rows.iter().map(|(what, value)| format!("{what} | {value}")));

    section(
        &mut page,
        "Silence",
        "A host beside the cluster sends 1,000 datagrams a second in all to the echo Services' addresses (four pods, on a node that \
         owns none), and asks for each by ARP or NDP\nevery 10 ms. Shown is the longest silence of each trial and address; an \
         address of another owner than the one that goes is among them. 0 ms of ARP and NDP: every\nquestion was answered within \
         10 ms. Where nothing may be lost, a trial that fails while the machine lets datagrams wait that Landfall has no part in \
         is discarded. While there\nis no API server: ARP and NDP alone, as the pods are gone with that server.",
    );
    let rows = figures.silences.iter().flat_map(|(name, silence)| {
        let Silence { datagrams, unanswered, lost, sent, discarded } = silence;
        let name = match discarded {
            0 => (*name).to_owned(),
            _ => format!("{name} (trials discarded: {discarded})"),
        };
        let by_datagram = (!datagrams.is_empty())
            .then(|| format!("{name} | datagrams ({lost} of {sent} lost) | {}", datagrams.row(ms)));
        by_datagram.into_iter().chain([format!("{name} | ARP and NDP | {}", unanswered.row(ms))])
    });
    table(&mut page, "what happens | silent | min | p50 | p99 | worst | n", rows);

    section(
        &mut page,
        "Start of a speaker",
        "Its pod is deleted while no other speaker may answer. From the start of the new process, as the kernel counts it (to 10 ms), \
         to its first answer by ARP, asked every 2 ms.",
    );
    table(
        &mut page,
        "from → to | min | p50 | p99 | worst | n",
        [format!("process started → first ARP answer | {}", figures.start.row(ms))].into_iter(),
    );

    section(
        &mut page,
        "Memory at rest",
        "Resident set of the process, and working set of its container as the kubelet counts it, which is what limits are held against.",
    );
    let mib = |kib: u64| format!("{:.1} MiB", kib as f64 / 1024.0);
    let rows = figures.memory.iter();
    let rows = rows.map(|(count, pod, rss, set)| format!("{count} | {pod} | {} | {}", mib(*rss), mib(*set)));
    table(&mut page, "Services of type LoadBalancer | pod | RSS | working set", rows);
    Ok(page)
}

fn cluster_rows() -> Result<Vec<(&'static str, String)>> {
    let version: Value = serde_json::from_str(&kubectl(&["version", "-o", "json"])?)?;
    let proxy = kubectl(&["-n", "kube-system", "get", "configmap", "kube-proxy", "-o", "yaml"])?;
    let mode = proxy.lines().find_map(|line| line.trim().strip_prefix("mode: ")).context("kube-proxy has no mode")?;
    let families = if cluster::is_dual_stack()? { "dual-stack" } else { "IPv4" };
    let cluster = format!("kind, {families}, kube-proxy in {mode} mode");
    Ok(vec![("Kubernetes", text(&version, "/serverVersion/gitVersion")?.to_owned()), ("cluster", cluster)])
}
