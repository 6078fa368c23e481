//! Speakers beside many Services: what they hold and take at rest, what they ask the API server, and how soon they answer.

use crate::{
    answer,
    cpu::Cpu,
    crowded::{Crowd, name},
    lab::wait_heard,
    memory::Memory,
    moves::{self, Move},
    report::{mib, section, table},
};
use anyhow::{Context, Result, ensure};
use landfall::cluster::record::Record;
use landfall_sandbox::{Process, objects::addresses, wait_for};
use std::{net::IpAddr, time::Duration};

/// How long all addresses may take to be answered for.
const LONG: Duration = Duration::from_secs(300);
/// How fast a node announces by design: two frames for an address, at 500 frames/s, four times in the beginning.
const ANNOUNCED: Duration = Duration::from_millis(4 * 4);

/// What is measured beside so many Services.
#[derive(Debug)]
struct Rest {
    services: usize,
    /// Of each speaker.
    memory: Vec<Memory>,
    /// Of each speaker, in percent of a core.
    cpu: Vec<f64>,
    /// Requests in a minute by the controller, and by all speakers.
    requests: [f64; 2],
}

/// All of it.
#[derive(Debug, Default)]
pub struct Figures {
    rests: Vec<Rest>,
    /// Moves of many addresses.
    moves: Vec<Move>,
    /// Answers, by what was asked.
    pub answers: Vec<(String, answer::Figures)>,
}

/// Speakers on the first so many nodes beside so many Services that are served. The controller runs.
pub struct Beside<'a> {
    crowd: &'a Crowd,
    services: usize,
}

impl<'a> Beside<'a> {
    /// None of them runs yet.
    pub fn new(crowd: &'a Crowd, services: usize) -> Self {
        Self { crowd, services }
    }

    /// Starts the speakers on these nodes, beside those that run already, and waits until all hear each other and every address is
    /// owned.
    ///
    /// # Errors
    /// Where that does not come to pass.
    pub fn start(&self, nodes: &[String]) -> Result<()> {
        for node in nodes {
            self.crowd.landfall.speaker(node)?.start()?;
        }
        self.wait_owned(nodes)?;
        wait_heard(&self.crowd.sandbox, &nodes.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// Waits until these nodes together answer for every address, by their records.
    ///
    /// # Errors
    /// For how many they do.
    pub fn wait_owned(&self, nodes: &[String]) -> Result<()> {
        wait_for("every address to be owned", LONG, || {
            let owned = nodes.iter().map(|node| owned(self.crowd, node)).sum::<Result<usize>>()?;
            ensure!(owned == self.services, "{owned} of {} are", self.services);
            Ok(())
        })
    }

    /// What these speakers hold, take and ask for in a time in which nothing happens.
    fn rest(&self, nodes: &[String], time: Duration) -> Result<Rest> {
        self.start(nodes)?;
        // Nobody tells when the last announcement is made: it is the pace that says how long they take.
        std::thread::sleep(ANNOUNCED * (self.services / nodes.len()) as u32);
        self.crowd.wait_quiet()?;
        let speakers: Vec<&Process> =
            nodes.iter().map(|node| self.crowd.landfall.speaker(node)).collect::<Result<_>>()?;
        let cpus = speakers.iter().map(|speaker| Cpu::of(speaker)).collect::<Result<Vec<_>>>()?;
        let requests = self.crowd.asked_in(time)?;
        Ok(Rest {
            services: self.services,
            memory: speakers.iter().map(|speaker| Memory::of(speaker)).collect::<Result<_>>()?,
            cpu: cpus.iter().map(Cpu::percent).collect::<Result<_>>()?,
            requests: requests.map(|requests| requests.len() as f64 * 60.0 / time.as_secs_f64()),
        })
    }
}

fn owned(crowd: &Crowd, node: &str) -> Result<usize> {
    let record: Record = serde_json::from_value(crowd.sandbox.record(node)?)?;
    Ok(record.owned().ranges().map(|range| (range.last - range.first + 1) as usize).sum())
}

/// The names of the first so many nodes.
pub fn first(nodes: usize) -> Vec<String> {
    (1..=nodes).map(|node| format!("n{node}")).collect()
}

impl Figures {
    /// Three speakers beside so many Services, and where `all` says so those of all nodes too, at rest for `time`.
    ///
    /// # Errors
    /// What does not come to pass.
    pub fn rest(&mut self, crowd: &Crowd, services: usize, all: bool, time: Duration) -> Result<()> {
        let beside = Beside::new(crowd, services);
        self.rests.push(beside.rest(&first(3), time)?);
        if all {
            self.rests.push(beside.rest(&first(crowd.landfall.speakers().len()), time)?);
        }
        Ok(())
    }

    /// Moves of so many addresses, with three nodes and with all.
    ///
    /// # Errors
    /// What does not come to pass.
    pub fn moves(&mut self, crowd: &Crowd, services: usize) -> Result<()> {
        self.moves = moves::measure(crowd, services)?;
        Ok(())
    }

    /// Answers for the first address of each family.
    ///
    /// # Errors
    /// Where one does not come.
    pub fn answers(&mut self, crowd: &Crowd, services: usize, questions: usize) -> Result<()> {
        for (protocol, number) in [("ARP", 0), ("NDP", services - 1)] {
            let object = crowd.sandbox.get(&["service", &name(number)])?;
            let vip: IpAddr = addresses(&object).first().copied().context("it has no address")?;
            let figures = answer::measure(&crowd.sandbox, vip, questions)?;
            self.answers.push((format!("{protocol}, {services} VIPs"), figures));
        }
        Ok(())
    }

    /// The sections of the page.
    pub fn section(&self, page: &mut String) {
        section(
            page,
            "Speakers beside many Services",
            "On the cluster of the thousands of Services, of ten nodes whose kube-proxies do not run. Speakers have announced every \
             address four times and are at rest for a minute;\nfrom then on each address is announced once a minute. CPU in percent of \
             one core, of the speaker that took most; memory of the one that has most. Requests to the API\nserver are counted by its \
             audit log, by all speakers together.",
        );
        let rows = self.rests.iter().map(|rest| {
            let Rest { services, memory, cpu, requests: [controller, speakers] } = rest;
            let most = |of: fn(&Memory) -> u64| mib(memory.iter().map(of).max().unwrap_or_default());
            let (rss, pss) = (most(|memory| memory.rss), most(|memory| memory.pss));
            let cpu_most = cpu.iter().copied().fold(0.0, f64::max);
            format!("{services} | {} | {rss} | {pss} | {cpu_most:.2} % | {speakers:.1} | {controller:.1}", cpu.len())
        });
        let head = "Services | speakers | RSS | PSS | CPU | requests in a minute: speakers | controller";
        table(page, head, rows);
        moves::section_of(&self.moves, page);
    }
}
