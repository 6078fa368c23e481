//! Thousands of Services: how fast those that wait are served, beside a client that sends the same writes and does nothing
//! else; how many writes each costs; and what a controller costs that has them all.
//!
//! When what was sent and answered is the API server's word: its audit log and its metrics.

use crate::{
    api::Services,
    create,
    lab::alone,
    lan::inside,
    memory::Memory,
    report::{section, table},
    stats::{Samples, fine_ms},
};
use anyhow::{Context, Result, ensure};
use arcstr::ArcStr;
use landfall_core::{
    addr::Family,
    alloc::{Decision, ServiceKey},
};
use landfall_sandbox::{AuditTail, Landfall, Process, Request, Sandbox, objects::lean_service, wait_for};
use serde_json::Value;
use std::{
    net::IpAddr,
    time::{Duration, SystemTime},
};

/// Longer than serving all of them takes.
const LONG: Duration = Duration::from_secs(180);
/// No two Events are further apart as long as there are some to send.
const PAUSE: Duration = Duration::from_secs(5);
/// How long a controller is watched that has nothing to do.
const QUIET: Duration = Duration::from_secs(60);
const CONTROLLER: &str = "system:serviceaccount:landfall-system:landfall-controller";
const CONFIG: &str = "pools: [{name: large, addresses: [198.18.0.0/15]}]\nquarantine: 0s\nreuse: 0s\n";

/// Requests of one kind by one client.
#[derive(Debug, Clone, Copy)]
struct Run {
    /// How many succeeded.
    count: usize,
    /// From the first that was received to the last that was answered.
    took: Duration,
}

impl Run {
    fn rate(self) -> f64 {
        self.count as f64 / self.took.as_secs_f64()
    }
}

#[derive(Debug)]
struct Trial {
    bare: Run,
    landfall: Run,
    /// From the start of the controller's process to its last write.
    since_start: Duration,
    /// Events sent meanwhile.
    events: usize,
}

/// What was measured.
#[derive(Debug)]
pub struct Figures {
    services: usize,
    trials: Vec<Trial>,
    /// Services that were served, and then deleted, each with the writes for that.
    writes: [(usize, u64); 2],
    /// With so many Services: from the start of the process to the address of one that was waiting.
    restarts: (usize, Samples),
    /// Writes by all the restarts, but for those that served the ones that were waiting.
    restart_writes: u64,
    /// Requests in a second with so many Services and nothing to do.
    idle: f64,
    /// What the controller holds without Services, and with so many.
    memory: [Memory; 2],
    /// One Service at a time, on a cluster with one node.
    pub one: create::Figures,
}

/// Measures with so many Services, and twice as many, for what is to be seen with more. Tells `step` what comes next.
///
/// # Errors
/// What did not come to pass in time.
pub fn measure(services: usize, ones: usize, step: impl Fn(&str)) -> Result<Figures> {
    step("bringing a cluster of one node up");
    let (sandbox, landfall) = alone(CONFIG)?;
    let crowd = Crowd { controller: leader(&landfall)?, sandbox: &sandbox };
    step("one Service at a time");
    let one = create::measure(&sandbox, ones, 0)?;
    let empty = Memory::of(crowd.controller)?;

    crowd.stop()?;
    step(&format!("creating {services} Services"));
    crowd.create(0..services)?;
    let trial = |number| {
        step(&format!("serving them, trial {number}"));
        crowd.trial(services)
    };
    let trials = (1..=3).map(trial).collect::<Result<Vec<Trial>>>()?;
    step(&format!("serving {} Services", 2 * services));

    let before = crowd.status_patches()?;
    crowd.create(services..2 * services)?;
    crowd.start_and_serve(2 * services, &mut sandbox.audit_tail()?)?;
    let served = crowd.status_patches()? - before;
    let full = Memory::of(crowd.controller)?;

    step("the last Events");
    wait_for("the last Event", LONG, || {
        let asked = crowd.asked_in(PAUSE)?;
        ensure!(!asked.iter().any(|request| request.resource == "events"), "{} requests", asked.len());
        Ok(())
    })?;
    step("nothing happens");
    let idle = crowd.asked_in(QUIET)?.len() as f64 / QUIET.as_secs_f64();

    step("restarts");
    let (restarts, restart_writes) = crowd.restarts(5)?;

    step("releases");
    let before = crowd.status_patches()?;
    let deleted = services / 5;
    crowd.delete(0..deleted)?;
    let released = crowd.status_patches()? - before;
    Ok(Figures {
        services,
        trials,
        writes: [(2 * services, served), (deleted, released)],
        restarts: (2 * services, restarts),
        restart_writes,
        idle,
        memory: [empty, full],
        one,
    })
}

fn leader(landfall: &Landfall) -> Result<&Process> {
    landfall.controllers().first().context("there is no controller")
}

struct Crowd<'a> {
    sandbox: &'a Sandbox,
    controller: &'a Process,
}

impl Crowd<'_> {
    fn services<T: Send>(&self, work: impl AsyncFnOnce(&Services) -> Result<T> + Send) -> Result<T> {
        inside(&self.sandbox.control_plane(), async || work(&Services::connect(self.sandbox).await?).await)
    }

    fn create(&self, numbers: std::ops::Range<usize>) -> Result<()> {
        self.services(async |services| services.create_all(numbers.map(service).collect()).await)
    }

    /// Deletes these and waits until the controller has let them go.
    fn delete(&self, numbers: std::ops::Range<usize>) -> Result<()> {
        let (count, mut tail) = (numbers.len(), self.sandbox.audit_tail()?);
        self.services(async |services| services.delete_all(numbers.map(name).collect()).await)?;
        self.written(count, &mut tail).map(drop)
    }

    fn stop(&self) -> Result<()> {
        self.controller.terminate()?;
        self.controller.wait(Duration::from_secs(10))?;
        Ok(())
    }

    /// Serves all of them twice: by hand, and by Landfall. Afterwards they wait again.
    fn trial(&self, services: usize) -> Result<Trial> {
        let decisions: Vec<_> = self.services(async |api| {
            Ok(api.projected().await?.into_iter().zip(0..).map(|(service, number)| assign(service, number)).collect())
        })?;
        let mut tail = self.sandbox.audit_tail()?;
        self.services(async |api| api.carry_out(&decisions).await)?;
        let requests = tail.read()?;
        let bare = run(requests.iter().filter(|request| is_status_patch(request)))?;
        self.release_by_hand()?;

        tail.read()?;
        let start = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
        let requests = self.start_and_serve(services, &mut tail)?;
        let landfall = run(requests.iter().filter(|request| is_status_patch(request)))?;
        let events = requests.iter().filter(|request| request.resource == "events").count();
        let last = requests.iter().map(|request| request.answered).max().unwrap_or_default();
        self.stop()?;
        self.release_by_hand()?;
        Ok(Trial { bare, landfall, since_start: last - start, events })
    }

    fn release_by_hand(&self) -> Result<()> {
        self.services(async |api| {
            let release = |service: landfall::cluster::service::Service| {
                let (key, uid) = about(&service);
                let addresses = service.alloc.status.to_vec();
                (service, Decision::Release { key, uid, addresses, leaves_status: false })
            };
            let decisions: Vec<_> = api.projected().await?.into_iter().map(release).collect();
            api.carry_out(&decisions).await
        })
    }

    fn start_and_serve(&self, services: usize, tail: &mut AuditTail) -> Result<Vec<Request>> {
        self.controller.start()?;
        self.written(services, tail)
    }

    /// Waits until the controller has written so many Services, and gives all that it has asked for until then. The log is what
    /// is looked at: a look at the API server would slow down what is measured.
    fn written(&self, services: usize, tail: &mut AuditTail) -> Result<Vec<Request>> {
        let mut all = Vec::new();
        wait_for("every Service to be written", LONG, || {
            all.extend(tail.read()?.into_iter().filter(|request| request.user == CONTROLLER));
            let written = all.iter().filter(|request| is_status_patch(request)).count();
            ensure!(written >= services, "{written} of {services} are written");
            Ok(())
        })?;
        Ok(all)
    }

    /// What the controller asks for in a time that passes.
    fn asked_in(&self, time: Duration) -> Result<Vec<Request>> {
        let mut tail = self.sandbox.audit_tail()?;
        std::thread::sleep(time);
        Ok(tail.read()?.into_iter().filter(|request| request.user == CONTROLLER).collect())
    }

    /// Patches of Services' statuses that have succeeded, by the API server's metrics.
    fn status_patches(&self) -> Result<u64> {
        let metrics = self.sandbox.api().get("/metrics")?;
        let metrics = metrics.as_str().context("the metrics are no text")?;
        let is_meant = |line: &&str| {
            [
                "apiserver_request_total{",
                "code=\"200\"",
                "resource=\"services\"",
                "subresource=\"status\"",
                "verb=\"PATCH\"",
            ]
            .iter()
            .all(|part| line.contains(part))
        };
        let counts =
            metrics.lines().filter(is_meant).map(|line| line.rsplit(' ').next().unwrap_or_default().parse::<u64>());
        counts.sum::<Result<u64, _>>().context("a metric is no number")
    }

    /// Restarts the controller beside a Service that was created meanwhile: how long that waited from the start on, and all
    /// other writes.
    fn restarts(&self, times: usize) -> Result<(Samples, u64)> {
        let (mut waits, before) = (Samples::default(), self.status_patches()?);
        for trial in 0..times {
            self.stop()?;
            let name = format!("waiting-{trial}");
            self.services(async |api| {
                let mut changes = api.watch().await?;
                api.create(lean_service(&name)).await?;
                let start = std::time::Instant::now();
                self.controller.start()?;
                changes.addressed(&name).await?;
                waits.push(start.elapsed());
                Ok(())
            })?;
        }
        Ok((waits, self.status_patches()? - before - times as u64))
    }
}

fn name(number: usize) -> String {
    format!("crowd-{number}")
}

fn service(number: usize) -> Value {
    lean_service(&name(number))
}

fn about(service: &landfall::cluster::service::Service) -> (ServiceKey, ArcStr) {
    (service.alloc.key.clone(), service.alloc.uid.clone())
}

/// The decision that Landfall would come to.
fn assign(
    service: landfall::cluster::service::Service,
    number: u128,
) -> (landfall::cluster::service::Service, Decision) {
    let (key, uid) = about(&service);
    let address: IpAddr = Family::V4.address(0xc612_0000 + number);
    (service, Decision::Assign { key, uid, addresses: vec![address], record: "large".into(), kept: None })
}

fn is_status_patch(request: &Request) -> bool {
    request.verb == "patch" && request.resource == "services/status" && request.code == 200
}

fn run<'a>(requests: impl Iterator<Item = &'a Request> + Clone) -> Result<Run> {
    let first = requests.clone().map(|request| request.received).min().context("there was no request")?;
    let last = requests.clone().map(|request| request.answered).max().unwrap_or_default();
    Ok(Run { count: requests.count(), took: last - first })
}

impl Figures {
    /// The section of the page.
    pub fn section(&self, page: &mut String) {
        let Self { services, trials, writes, restarts, idle, memory, .. } = self;
        section(
            page,
            "Thousands of Services",
            &format!(
                "On a cluster of one node, with one controller and no speaker. {services} Services wait when the controller \
                 starts. Alone: a client that\nsends the very same writes, 64 at once, and does nothing else; before each, on the \
                 same API server. Times and counts are the API server's own\n(audit log, metrics): from the first write that it \
                 received to the last that it answered."
            ),
        );
        let rows = trials.iter().zip(1..).map(|(trial, number)| {
            let Trial { bare, landfall, since_start, events } = trial;
            format!(
                "{number} | {:.0}/s | {} writes, {:.0}/s | {:.0} % | {:.2} s | {events}",
                bare.rate(),
                landfall.count,
                landfall.rate(),
                100.0 * landfall.rate() / bare.rate(),
                since_start.as_secs_f64()
            )
        });
        let head = "trial | alone | Landfall | of that | start of the process → last write | Events meanwhile";
        table(page, head, rows);
        let [served, released] = writes.map(|(services, writes)| format!("{writes} for {services} Services"));
        let per_service = memory[1].rss.saturating_sub(memory[0].rss) as f64 * 1024.0 / restarts.0 as f64;
        page.push('\n');
        table(
            page,
            "what | value",
            [
                format!("writes of Services to serve them | {served}"),
                format!("writes of Services to release them | {released}"),
                format!("writes of Services by {} restarts | {}", restarts.1.len(), self.restart_writes),
                format!("requests by the controller at rest, {} Services | {idle:.2}/s", restarts.0),
                format!("memory of the controller for each Service (RSS) | {per_service:.0} bytes"),
            ]
            .into_iter(),
        );
        page.push('\n');
        let rows = [
            (format!("restart beside {} Services → address of one that waited", restarts.0), &restarts.1),
            ("API server alone: one create".to_owned(), &self.one.bare_create),
            ("API server alone: one patch of a status".to_owned(), &self.one.bare_patch),
            ("create → EXTERNAL-IP in the status, one at a time".to_owned(), &self.one.status),
        ];
        let rows = rows.iter().map(|(what, samples)| format!("{what} | {}", samples.row(fine_ms)));
        table(page, "from → to | min | p50 | p99 | worst | n", rows);
    }
}
