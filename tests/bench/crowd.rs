//! Thousands of Services: how fast those that wait are served, beside a client that sends the same writes and does nothing
//! else; how many writes each costs; and what a controller costs that has them all. Between these parts, while nothing is
//! allocated, speakers run beside them.

use crate::{
    create,
    crowded::{Crowd, about, is_status_patch},
    memory::Memory,
    report::{section, table},
    speakers,
    stats::{Samples, fine_ms},
};
use anyhow::{Context, Result};
use landfall::controller::state::IN_FLIGHT;
use landfall_core::{addr::Family, alloc::Decision};
use landfall_sandbox::{Request, objects::lean_service};
use std::{
    net::IpAddr,
    time::{Duration, Instant, SystemTime},
};

/// Services that are few.
const FEW: usize = 10;
/// Calls at once by the client that does nothing else.
const ALONE: usize = 64;
/// How often in a trial each serves all Services: the machine is not always as fast.
const ROUNDS: u8 = 4;

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub struct Extent {
    /// Services that wait. A fifth of them, and twice as many, are for what is to be seen with fewer and with more.
    pub services: usize,
    /// Services that are made one at a time.
    pub ones: usize,
    /// Questions for an address.
    pub questions: usize,
    /// How long those are watched that have nothing to do.
    pub quiet: Duration,
}

impl Extent {
    fn fewer(self) -> usize {
        (self.services / 5).max(FEW)
    }
}

/// Requests of one kind by one client.
#[derive(Debug, Clone, Copy, Default)]
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

    /// Another one, at another time.
    fn add(&mut self, other: Self) {
        self.count += other.count;
        self.took += other.took;
    }
}

/// Who serves the Services that wait.
#[derive(Debug, Clone, Copy)]
enum Who {
    /// A client that does nothing else.
    Alone,
    /// The same, as many at once as Landfall, and beside a watch.
    Watching,
    Landfall,
}

/// So many Services, served by each in turn, several times.
#[derive(Debug, Default)]
pub struct Trial {
    alone: Run,
    watching: Run,
    landfall: Run,
    /// From the start of the controller's process to its last write.
    since_start: Samples,
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
    /// One Service at a time.
    pub one: create::Figures,
    /// Speakers.
    pub beside: speakers::Figures,
}

/// Measures all of it. Tells `step` what comes next.
///
/// # Errors
/// What did not come to pass in time.
pub fn measure(extent: Extent, step: impl Fn(&str)) -> Result<Figures> {
    let Extent { services, ones, quiet, .. } = extent;
    step("bringing a cluster of many nodes up");
    let crowd = Crowd::up(services)?;
    step("one Service at a time");
    let one = create::measure(&crowd.sandbox, ones, 0)?;
    let empty = Memory::of(crowd.controller()?)?;
    let mut beside = speakers::Figures::default();
    beside_few(&crowd, extent, &mut beside, &step)?;

    step(&format!("creating {services} Services"));
    crowd.create(extent.fewer()..services)?;
    let trials = serve(&crowd, services, &step)?;
    beside_one_family(&crowd, extent, &mut beside, &step)?;

    step(&format!("serving {} Services", 2 * services));
    let before = crowd.status_patches()?;
    crowd.create(services..2 * services)?;
    crowd.start_and_serve(2 * services, &mut crowd.sandbox.audit_tail()?)?;
    let served = crowd.status_patches()? - before;
    let full = Memory::of(crowd.controller()?)?;

    step("the last Events");
    crowd.wait_quiet()?;
    step("nothing happens");
    let [asked, _] = crowd.asked_in(quiet)?;
    let idle = asked.len() as f64 / quiet.as_secs_f64();

    step("restarts");
    let (restarts, restart_writes) = restarts(&crowd, 5)?;

    beside_both_families(&crowd, extent, &mut beside, &step)?;

    step("releases");
    crowd.controller()?.start()?;
    crowd.wait_quiet()?;
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
        beside,
    })
}

/// So many Services that wait, and are served, alone.
///
/// # Errors
/// What did not come to pass in time.
pub fn measure_serving(services: usize, step: impl Fn(&str)) -> Result<Vec<Trial>> {
    let crowd = Crowd::up(services)?;
    crowd.stop()?;
    step(&format!("creating {services} Services"));
    crowd.create(0..services)?;
    serve(&crowd, services, step)
}

/// Speakers at rest beside so many Services, alone.
///
/// # Errors
/// What did not come to pass in time.
pub fn measure_resting(services: usize, quiet: Duration, step: impl Fn(&str)) -> Result<speakers::Figures> {
    let crowd = Crowd::up(services)?;
    step(&format!("speakers beside {services} Services"));
    let mut beside = speakers::Figures::default();
    crowd.create_served(0..services)?;
    beside.rest(&crowd, services, false, quiet)?;
    Ok(beside)
}

/// The speakers' parts of it alone.
///
/// # Errors
/// What did not come to pass in time.
pub fn measure_speakers(extent: Extent, step: impl Fn(&str)) -> Result<speakers::Figures> {
    let services = extent.services;
    step("bringing a cluster of many nodes up");
    let crowd = Crowd::up(services)?;
    let mut beside = speakers::Figures::default();
    beside_few(&crowd, extent, &mut beside, &step)?;
    step(&format!("creating {services} Services"));
    crowd.create(extent.fewer()..services)?;
    beside_one_family(&crowd, extent, &mut beside, &step)?;
    step(&format!("creating {services} more"));
    crowd.create(services..2 * services)?;
    crowd.start_and_serve(2 * services, &mut crowd.sandbox.audit_tail()?)?;
    beside_both_families(&crowd, extent, &mut beside, &step)?;
    Ok(beside)
}

/// Speakers beside the first few Services, and beside a fifth of all. Afterwards these wait, and nobody runs.
fn beside_few(crowd: &Crowd, extent: Extent, figures: &mut speakers::Figures, step: &impl Fn(&str)) -> Result<()> {
    let (fewer, quiet) = (extent.fewer(), extent.quiet);
    step(&format!("speakers beside {FEW} Services"));
    crowd.create_served(0..FEW)?;
    figures.rest(crowd, FEW, true, quiet)?;
    step(&format!("speakers beside {fewer} Services"));
    // New ones: what they hold is what so many Services cost.
    crowd.stop()?;
    crowd.silence()?;
    crowd.controller()?.start()?;
    crowd.create_served(FEW..fewer)?;
    figures.rest(crowd, fewer, false, quiet)?;
    crowd.stop()?;
    crowd.silence()?;
    crowd.release_by_hand()
}

/// All Services of one family move from node to node. They wait before and afterwards.
fn beside_one_family(
    crowd: &Crowd,
    Extent { services, .. }: Extent,
    figures: &mut speakers::Figures,
    step: &impl Fn(&str),
) -> Result<()> {
    step(&format!("moving {services} addresses from node to node"));
    crowd.start_and_serve(services, &mut crowd.sandbox.audit_tail()?)?;
    figures.moves(crowd, services)?;
    crowd.stop()?;
    crowd.silence()?;
    crowd.release_by_hand()
}

/// Speakers beside all Services, which are served. Afterwards nobody runs.
fn beside_both_families(
    crowd: &Crowd,
    Extent { services, questions, quiet, .. }: Extent,
    figures: &mut speakers::Figures,
    step: &impl Fn(&str),
) -> Result<()> {
    step(&format!("speakers beside {} Services", 2 * services));
    figures.rest(crowd, 2 * services, true, quiet)?;
    step("asking for one address of each family");
    figures.answers(crowd, 2 * services, questions)?;
    crowd.stop()?;
    crowd.silence()
}

/// Three trials, with Services that wait.
fn serve(crowd: &Crowd, services: usize, step: impl Fn(&str)) -> Result<Vec<Trial>> {
    let trial = |number| {
        step(&format!("serving them, trial {number}"));
        trial(crowd, services)
    };
    (1..=3).map(trial).collect()
}

/// Serves all of them by hand, as the controller's account, so many at once. Afterwards they wait again.
fn by_hand(crowd: &Crowd, at_once: usize, watches: bool) -> Result<Run> {
    let decisions: Vec<_> = crowd.services(async |api| {
        Ok(api.projected().await?.into_iter().zip(0..).map(|(service, number)| assign(service, number)).collect())
    })?;
    let mut tail = crowd.sandbox.audit_tail()?;
    crowd.as_controller(async |api| match watches {
        true => api.carry_out_watching(&decisions, at_once).await,
        false => api.carry_out(&decisions, at_once).await,
    })?;
    let requests = tail.read()?;
    let run = run(requests.iter().filter(|request| is_status_patch(request)))?;
    crowd.release_by_hand()?;
    Ok(run)
}

/// Each serves all of them several times; there and back, so that a cluster that becomes slower is so for all.
fn trial(crowd: &Crowd, services: usize) -> Result<Trial> {
    let mut trial = Trial::default();
    for round in 0..ROUNDS {
        let mut order = [Who::Alone, Who::Watching, Who::Landfall];
        if round % 2 == 1 {
            order.reverse();
        }
        for who in order {
            match who {
                Who::Alone => trial.alone.add(by_hand(crowd, ALONE, false)?),
                Who::Watching => trial.watching.add(by_hand(crowd, IN_FLIGHT, true)?),
                Who::Landfall => by_landfall(crowd, services, &mut trial)?,
            }
        }
    }
    Ok(trial)
}

/// Serves all of them by Landfall. Afterwards they wait again.
fn by_landfall(crowd: &Crowd, services: usize, trial: &mut Trial) -> Result<()> {
    let mut tail = crowd.sandbox.audit_tail()?;
    let start = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    let requests = crowd.start_and_serve(services, &mut tail)?;
    trial.landfall.add(run(requests.iter().filter(|request| is_status_patch(request)))?);
    trial.events += requests.iter().filter(|request| request.resource == "events").count();
    trial.since_start.push(requests.iter().map(|request| request.answered).max().unwrap_or_default() - start);
    crowd.stop()?;
    crowd.release_by_hand()
}

/// Restarts the controller beside a Service that was created meanwhile: how long that waited from the start on, and all
/// other writes.
fn restarts(crowd: &Crowd, times: usize) -> Result<(Samples, u64)> {
    let (mut waits, before) = (Samples::default(), crowd.status_patches()?);
    for trial in 0..times {
        crowd.stop()?;
        let name = format!("waiting-{trial}");
        crowd.services(async |api| {
            let mut changes = api.watch().await?;
            api.create(lean_service(&name)).await?;
            let start = Instant::now();
            crowd.controller()?.start()?;
            changes.addressed(&name).await?;
            waits.push(start.elapsed());
            Ok(())
        })?;
    }
    let writes = crowd.status_patches()? - before - times as u64;
    crowd.services(async |api| {
        for trial in 0..times {
            api.delete(&format!("waiting-{trial}")).await?;
        }
        Ok(())
    })?;
    Ok((waits, writes))
}

/// The decision that Landfall would come to.
fn assign(
    service: landfall::cluster::service::Service,
    number: u128,
) -> (landfall::cluster::service::Service, Decision) {
    let (key, uid) = about(&service);
    let address: IpAddr = Family::V4.address(0xc612_0000 + number);
    let (addresses, record) = (vec![address], "large".into());
    (service, Decision::Assign { key, uid, addresses, record, kept: None, settled: false })
}

fn run<'a>(requests: impl Iterator<Item = &'a Request> + Clone) -> Result<Run> {
    let first = requests.clone().map(|request| request.received).min().context("there was no request")?;
    let last = requests.clone().map(|request| request.answered).max().unwrap_or_default();
    Ok(Run { count: requests.count(), took: last - first })
}

/// The trials' table, and what it is.
pub fn write_trials(services: usize, trials: &[Trial], page: &mut String) {
    section(
        page,
        "Thousands of Services",
        &format!(
            "On a cluster without kube-proxies, with one controller and no speaker that runs. {services} Services wait when the \
             controller starts.\nAlone: a client that sends the very same writes, {ALONE} at once, as the same ServiceAccount, and does \
             nothing else. Watching: the same\nclient with {IN_FLIGHT} at once, as Landfall has, and beside a watch of the Services, as \
             whoever serves them needs one; what the watch tells\nit reads as Landfall does, and drops. In each trial each of the three \
             serves them {ROUNDS} times, in turn, on the same API server. Times and\ncounts are the API server's own (audit log, metrics): \
             from the first write that it received to the last that it answered."
        ),
    );
    let rows = trials.iter().zip(1..).map(|(trial, number)| {
        let Trial { alone, watching, landfall, since_start, events } = trial;
        format!(
            "{number} | {:.0}/s | {:.0}/s | {} writes, {:.0}/s | {:.0} % | {:.0} % | {:.2}, {:.2} s | {events}",
            alone.rate(),
            watching.rate(),
            landfall.count,
            landfall.rate(),
            100.0 * landfall.rate() / alone.rate(),
            100.0 * landfall.rate() / watching.rate(),
            since_start.percentile(50).as_secs_f64(),
            since_start.percentile(100).as_secs_f64()
        )
    });
    let head = "trial | alone | watching | Landfall | of alone | of watching | start of the process → last write: p50, worst | Events meanwhile";
    table(page, head, rows);
}

impl Figures {
    /// The section of the page.
    pub fn section(&self, page: &mut String) {
        let Self { services, trials, writes, restarts, idle, memory, .. } = self;
        write_trials(*services, trials, page);
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
        self.beside.section(page);
    }
}
