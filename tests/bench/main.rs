//! `make bench`: measures everything on two sandboxes and writes `docs/benchmarks.md`.
//!
//! `LANDFALL_BENCH=allocation` measures what is about allocation anew, and writes those sections of the page alone, with their date.
//! `LANDFALL_BENCH=quick` tries everything a few times and writes the page to standard output instead. Parts of it alone, to standard
//! output too, with a number that says how much: `pure` is what needs no cluster, `crowd:5000` so many Services, `speakers:5000` the
//! speakers beside them, and of these `serving:5000` and `resting:1000` one table alone; `answers:10000` so many questions, `flood:10`
//! for so many seconds, `silence:20` and `partition:20` so many trials, `connections:1000` so many of them, `conflict:5` so many trials.

use anyhow::{Context, Result, bail, ensure};
use landfall_bench::{
    answer, conflict, connections, create,
    crowd::{self, Extent},
    fault::Fault,
    flood,
    lab::{Lab, service},
    machine,
    memory::Memory,
    partition::{self, Trouble},
    pure,
    report::{self, Figures},
    silence,
};
use landfall_sandbox::{objects::addresses, wait_for};
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
    troubles: usize,
    /// Addresses that are taken beside one more.
    taken: usize,
    /// Services that wait.
    crowd: usize,
    /// How long those are watched that have nothing to do.
    quiet: Duration,
    /// How long a flood lasts.
    flood: Duration,
    connections: usize,
    conflicts: usize,
}

const ALL: Trials = Trials {
    creates: 100,
    answers: 30,
    questions: 10_000,
    vips: 1000,
    faults: 20,
    troubles: 20,
    taken: 1_000_000,
    crowd: 5000,
    quiet: Duration::from_secs(60),
    flood: Duration::from_secs(10),
    connections: 1000,
    conflicts: 5,
};
const QUICK: Trials = Trials {
    creates: 5,
    answers: 3,
    questions: 500,
    vips: 100,
    faults: 2,
    troubles: 1,
    taken: 10_000,
    crowd: 200,
    quiet: Duration::from_secs(10),
    flood: Duration::from_secs(2),
    connections: 50,
    conflicts: 2,
};

fn main() -> Result<()> {
    // `cargo test --benches` and the like call every benchmark with other arguments: it measures when `cargo bench` does.
    if !env::args().any(|argument| argument == "--bench") {
        return Ok(());
    }
    // Before anything is started that inherits it.
    connections::allow_many()?;
    let mode = env::var("LANDFALL_BENCH").unwrap_or_default();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/benchmarks.md");
    let write = |page: String| {
        fs::write(&path, page).with_context(|| format!("writing {}", path.display()))?;
        eprintln!("bench: docs/benchmarks.md is written");
        Ok(())
    };
    match mode.as_str() {
        "" => return write(measure(&ALL)?.page()),
        "allocation" => {
            let (machine, mut part) = (machine::describe("dist")?, String::new());
            let (pure, crowd) = allocation(&ALL, stopwatch())?;
            pure.section(&mut part);
            crowd.section(&mut part);
            return write(report::renew(&fs::read_to_string(&path)?, &part, &machine));
        }
        "quick" => println!("{}", measure(&QUICK)?.page()),
        "pure" => println!("{}", part("pure", 0)?),
        mode => {
            let (name, count) = mode.split_once(':').context("LANDFALL_BENCH: a part is NAME:NUMBER")?;
            match name {
                // One of the figures of `pure`, for that alone.
                "held" => println!("{}", pure::held(count)?),
                _ => println!("{}", part(name, count.parse()?)?),
            }
        }
    }
    Ok(())
}

/// The sections of one part.
fn part(name: &str, count: usize) -> Result<String> {
    let (step, mut page) = (stopwatch(), String::new());
    // Little is over soon.
    let trials = if count < 1000 { &QUICK } else { &ALL };
    match name {
        "pure" => pure::measure(60, ALL.taken)?.section(&mut page),
        "crowd" => crowd::measure(extent(trials, count), &step)?.section(&mut page),
        "speakers" => {
            let figures = crowd::measure_speakers(extent(trials, count), &step)?;
            report::answers(figures.answers.iter(), &mut page);
            figures.section(&mut page);
        }
        "serving" => crowd::write_trials(count, &crowd::measure_serving(count, &step)?, &mut page),
        "resting" => crowd::measure_resting(count, trials.quiet, &step)?.section(&mut page),
        "partition" => partition::write(&troubles(count, &step)?, &mut page),
        "answers" | "flood" | "silence" | "connections" | "conflict" => {
            step("bringing the cluster up");
            let lab = Lab::up(3)?;
            match name {
                "answers" => {
                    let mut answers = ask(&lab, dual_stack(&lab)?, 1, count)?;
                    step("creating Services");
                    answers.extend(ask(&lab, many(&lab, QUICK.vips)?, QUICK.vips, count)?);
                    report::answers(answers.iter(), &mut page);
                }
                "flood" => {
                    let [v4, _] = dual_stack(&lab)?;
                    flood::measure(&lab, v4, Duration::from_secs(count as u64))?.section(&mut page);
                }
                "silence" => {
                    let mut all = silences(&lab, dual_stack(&lab)?[0], count, &step)?;
                    drop(lab);
                    all.push(silences_of_ten(count, &step)?);
                    report::silences(&all, &mut page);
                }
                "connections" => connections::measure(&lab, count)?.section(&mut page),
                _ => conflict::measure(&lab, count)?.section(&mut page),
            }
        }
        _ => bail!("LANDFALL_BENCH: there is no part {name:?}"),
    }
    step("done");
    Ok(page)
}

fn extent(trials: &Trials, services: usize) -> Extent {
    Extent { services, ones: trials.creates, questions: trials.questions, quiet: trials.quiet }
}

/// Tells what comes next, with the time since the start.
fn stopwatch() -> impl Fn(&str) {
    let start = Instant::now();
    move |what| eprintln!("bench: {:>5.0} s  {what}", start.elapsed().as_secs_f64())
}

fn measure(trials: &Trials) -> Result<Figures> {
    let step = stopwatch();
    let mut machine = machine::describe("dist")?;
    machine.push(("client, allocator alone", "release profile".to_owned()));
    let (pure, crowd) = allocation(trials, &step)?;
    let of_ten = silences_of_ten(trials.faults, &step)?;
    step("bringing the cluster up");
    let begun = Instant::now();
    let lab = Lab::up(3)?;
    let up = begun.elapsed();
    let version = lab.sandbox.kubectl(&["version", "-o", "json"])?;
    let version: Value = serde_json::from_str(&version)?;
    let version = version["serverVersion"]["gitVersion"].as_str().context("the API server has no version")?;
    machine.push(("Kubernetes", version.to_owned()));

    step("creating Services");
    let create = create::measure(&lab.sandbox, trials.creates, trials.answers)?;

    step("asking for one address of each family");
    let vips = dual_stack(&lab)?;
    let mut answers = ask(&lab, vips, 1, trials.questions)?;
    let mut memory = vec![(1, self::memory(&lab)?)];
    step("a flood");
    let flood = flood::measure(&lab, vips[0], trials.flood)?;
    let mut silences = silences(&lab, vips[0], trials.faults, &step)?;
    silences.push(of_ten);
    keep("silences", |page| report::silences(&silences, page))?;
    step("connections");
    let connections = connections::measure(&lab, trials.connections)?;
    step("foreign hosts");
    let conflicts = conflict::measure(&lab, trials.conflicts)?;

    step(&format!("creating {} Services", trials.vips));
    let vips = many(&lab, trials.vips)?;
    answers.extend(ask(&lab, vips, trials.vips, trials.questions)?);
    memory.push((trials.vips + 1, self::memory(&lab)?));
    drop(lab);
    // On a cluster of their own, and last: an API server that was away is not forgotten soon.
    step("bringing another cluster up");
    let partitions = troubles(trials.troubles, &step)?;
    step("done");
    Ok(Figures {
        machine,
        up,
        pure,
        crowd,
        create,
        answers,
        flood,
        memory,
        silences,
        partitions,
        connections,
        conflicts,
    })
}

/// The allocator alone, and the controller with thousands of Services.
fn allocation(trials: &Trials, step: impl Fn(&str)) -> Result<(pure::Figures, crowd::Figures)> {
    step("the allocator alone");
    let pure = pure::measure(60, trials.taken)?;
    keep("pure", |page| pure.section(page))?;
    let crowd = crowd::measure(extent(trials, trials.crowd), step)?;
    keep("crowd", |page| crowd.section(page))?;
    Ok((pure, crowd))
}

/// What was measured stays in `target/bench`, should a later part fail.
fn keep(name: &str, write: impl FnOnce(&mut String)) -> Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/bench");
    let mut page = String::new();
    write(&mut page);
    fs::create_dir_all(&folder)?;
    fs::write(folder.join(name).with_extension("md"), page).with_context(|| format!("keeping {name}"))
}

/// Every trouble, so many times.
fn troubles(times: usize, step: impl Fn(&str)) -> Result<Vec<(Trouble, partition::Figures)>> {
    let lab = Lab::up(3)?;
    let vips = dual_stack(&lab)?;
    silence::served(&lab, vips[0])?;
    let all = partition::measure(&lab, vips, times, step)?;
    keep("partitions", |page| partition::write(&all, page))?;
    Ok(all)
}

/// Answers for an address of each family, beside so many.
fn ask(lab: &Lab, vips: [IpAddr; 2], beside: usize, questions: usize) -> Result<Vec<(String, answer::Figures)>> {
    let what = if beside == 1 { "1 VIP".to_owned() } else { format!("{beside} VIPs") };
    let one = |vip: IpAddr| {
        let protocol = if vip.is_ipv4() { "ARP" } else { "NDP" };
        Ok((format!("{protocol}, {what}"), answer::measure(&lab.sandbox, vip, questions)?))
    };
    vips.into_iter().map(one).collect()
}

/// What clients saw of each fault, in words.
type Silences = Vec<(String, silence::Figures)>;

/// Every fault, so many times or more.
fn silences(lab: &Lab, vip: IpAddr, times: usize, step: impl Fn(&str)) -> Result<Silences> {
    silence::served(lab, vip)?;
    let all = Fault::ALL.into_iter().map(|fault| {
        let times = fault.trials(times);
        step(&format!("{times} times: {}", fault.describe()));
        Ok((fault.describe().to_owned(), silence::measure(lab, vip, fault, times)?))
    });
    all.collect()
}

/// A crash among ten nodes.
fn silences_of_ten(times: usize, step: impl Fn(&str)) -> Result<(String, silence::Figures)> {
    step(&format!("{times} crashes among ten nodes"));
    let lab = Lab::up(10)?;
    let [vip, _] = dual_stack(&lab)?;
    silence::served(&lab, vip)?;
    let what = format!("of ten nodes: {}", Fault::Crash.describe());
    Ok((what, silence::measure(&lab, vip, Fault::Crash, times)?))
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

/// So many Services of the large pool, half of them of either family; returns the last address of each, once they have them all.
fn many(lab: &Lab, count: usize) -> Result<[IpAddr; 2]> {
    let objects: Vec<Value> = (0..count)
        .map(|index| {
            let mut object = service(&format!("many-{index}"));
            object["metadata"]["annotations"] = json!({"landfall.dev/pool": "large"});
            object["spec"]["ipFamilies"] = json!([if index < count / 2 { "IPv4" } else { "IPv6" }]);
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
        let all: Vec<IpAddr> = services.iter().filter(large).flat_map(addresses).collect();
        ensure!(all.len() == count, "{} of {count} have one", all.len());
        let last = |v4: bool| all.iter().rfind(|vip| vip.is_ipv4() == v4).copied().context("there is none");
        Ok([last(true)?, last(false)?])
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
