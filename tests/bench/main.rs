//! `make bench`: measures everything on one sandbox and writes `docs/benchmarks.md`.
//!
//! `LANDFALL_BENCH=quick` tries everything a few times and writes the page to standard output instead; so do
//! `LANDFALL_BENCH=pure` with what needs no cluster, and `LANDFALL_BENCH=crowd:5000` with so many Services.

use anyhow::{Context, Result, ensure};
use landfall_bench::{
    answer, create, crowd,
    lab::{Lab, service},
    machine,
    memory::Memory,
    pure,
    report::Figures,
    silence::{self, Fault},
};
use landfall_sandbox::wait_for;
use serde_json::{Value, json};
use std::{
    env, fs,
    net::IpAddr,
    path::Path,
    time::{Duration, Instant},
};

/// How often everything is tried.
struct Trials {
    creates: usize,
    answers: usize,
    questions: usize,
    vips: usize,
    faults: usize,
    /// Addresses that are taken beside one more.
    taken: usize,
    /// Services that wait.
    crowd: usize,
}

fn main() -> Result<()> {
    // `cargo test --benches` and the like call every benchmark with other arguments: it measures when `cargo bench` does.
    if !env::args().any(|argument| argument == "--bench") {
        return Ok(());
    }
    let mode = env::var("LANDFALL_BENCH").unwrap_or_default();
    let quick = mode == "quick";
    let trials = if quick {
        Trials { creates: 5, answers: 3, questions: 500, vips: 100, faults: 2, taken: 10_000, crowd: 200 }
    } else {
        Trials { creates: 100, answers: 30, questions: 10_000, vips: 1000, faults: 20, taken: 1_000_000, crowd: 5000 }
    };
    let mut page = String::new();
    if mode == "pure" {
        pure::measure(20, trials.taken)?.section(&mut page);
    } else if let Some(services) = mode.strip_prefix("crowd:") {
        crowd::measure(services.parse()?, trials.creates, stopwatch())?.section(&mut page);
    }
    if !page.is_empty() {
        println!("{page}");
        return Ok(());
    }
    let page = measure(&trials)?.page();
    if quick {
        println!("{page}");
        return Ok(());
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/benchmarks.md");
    fs::write(&path, page).with_context(|| format!("writing {}", path.display()))?;
    eprintln!("bench: docs/benchmarks.md is written");
    Ok(())
}

/// Tells what comes next, with the time since the start.
fn stopwatch() -> impl Fn(&str) {
    let start = Instant::now();
    move |what| eprintln!("bench: {:>5.0} s  {what}", start.elapsed().as_secs_f64())
}

fn measure(trials: &Trials) -> Result<Figures> {
    let step = stopwatch();
    let mut machine = machine::describe("release")?;
    step("the allocator alone");
    let pure = pure::measure(20, trials.taken)?;
    let crowd = crowd::measure(trials.crowd, trials.creates, &step)?;
    step("bringing the cluster up");
    let begun = Instant::now();
    let lab = Lab::up()?;
    let up = begun.elapsed();
    let version = lab.sandbox.kubectl(&["version", "-o", "json"])?;
    let version: Value = serde_json::from_str(&version)?;
    let version = version["serverVersion"]["gitVersion"].as_str().context("the API server has no version")?;
    machine.push(("Kubernetes", version.to_owned()));

    step("creating Services");
    let create = create::measure(&lab.sandbox, trials.creates, trials.answers)?;

    let mut answers = Vec::new();
    step("asking for one address of each family");
    let [v4, v6] = dual_stack(&lab)?;
    answers.push(("ARP, 1 VIP".to_owned(), answer::measure(&lab, v4, trials.questions)?));
    answers.push(("NDP, 1 VIP".to_owned(), answer::measure(&lab, v6, trials.questions)?));

    let mut memory = vec![(1, self::memory(&lab)?)];

    let mut silences = Vec::new();
    for fault in Fault::ALL {
        step(&format!("{} times: {}", trials.faults, fault.describe()));
        silences.push((fault, silence::measure(&lab, v4, fault, trials.faults)?));
    }

    step(&format!("creating {} Services", trials.vips));
    let vip = many(&lab, trials.vips)?;
    answers.push((format!("ARP, {} VIPs", trials.vips), answer::measure(&lab, vip, trials.questions)?));
    memory.push((trials.vips + 1, self::memory(&lab)?));
    step("done");
    Ok(Figures { machine, up, pure, crowd, create, answers, memory, silences })
}

/// A Service with an address of each family.
fn dual_stack(lab: &Lab) -> Result<[IpAddr; 2]> {
    let mut both = service("dual-stack");
    both["spec"]["ipFamilyPolicy"] = "RequireDualStack".into();
    lab.sandbox.apply(&both.to_string())?;
    wait_for("an address of each family", Duration::from_secs(30), || {
        let service = lab.sandbox.get(&["service", "dual-stack"])?;
        let ip = |index: usize| -> Result<IpAddr> {
            let ip = service["status"]["loadBalancer"]["ingress"][index]["ip"].as_str();
            Ok(ip.context("not yet")?.parse()?)
        };
        Ok([ip(0)?, ip(1)?])
    })
}

/// So many Services of the large pool; returns the last one's address, which a node answers for.
fn many(lab: &Lab, count: usize) -> Result<IpAddr> {
    let objects: Vec<Value> = (0..count)
        .map(|index| {
            let mut object = service(&format!("many-{index}"));
            object["metadata"]["annotations"] = json!({"landfall.dev/pool": "large"});
            object
        })
        .collect();
    for part in objects.chunks(250) {
        lab.sandbox.apply(&json!({"apiVersion": "v1", "kind": "List", "items": part}).to_string())?;
    }
    wait_for("every Service to have an address", Duration::from_secs(120), || {
        let list = lab.sandbox.api().get("/api/v1/namespaces/default/services")?;
        let services = list["items"].as_array().context("no list")?;
        let large = |service: &&Value| service["metadata"]["annotations"]["landfall.dev/pool"] == "large";
        let addresses: Vec<&str> = services
            .iter()
            .filter(large)
            .filter_map(|service| service["status"]["loadBalancer"]["ingress"][0]["ip"].as_str())
            .collect();
        ensure!(addresses.len() == count, "{} of {count} have one", addresses.len());
        addresses.last().context("there are none")?.parse().context("no address")
    })
}

fn memory(lab: &Lab) -> Result<Vec<(String, Memory)>> {
    let leader = lab.landfall.leader(&lab.sandbox)?.name().to_owned();
    let mut processes = Vec::new();
    for controller in lab.landfall.controllers() {
        let role = if controller.name() == leader { "controller, leading" } else { "controller, waiting" };
        processes.push((role.to_owned(), Memory::of(controller)?));
    }
    for node in lab.announcers() {
        let speaker = lab.landfall.speaker(node.name())?;
        processes.push((format!("speaker on {}", node.name()), Memory::of(speaker)?));
    }
    for process in lab.sandbox.processes().iter().filter(|process| process.name().contains("kube-proxy")).take(1) {
        processes.push((process.name().to_owned(), Memory::of(process)?));
    }
    Ok(processes)
}
