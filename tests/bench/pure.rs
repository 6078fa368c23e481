//! The allocator alone, without a cluster: how long its decisions take, and what it holds; and what the controller keeps beside it.

use crate::{
    kept,
    report::{section, table},
    stats::{Samples, fine_ms},
};
use anyhow::{Context, Result, ensure};
use landfall_core::{
    addr::Family,
    alloc::{Allocator, Event, Families, FamilyPolicy, Service, ServiceKey},
    config::{self, Config, Labels},
};
use std::{
    env, fs,
    net::IpAddr,
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

const MANY: usize = 10_000;
const NOW: Duration = Duration::from_secs(1_800_000_000);

/// What was measured.
pub struct Figures {
    /// How long it takes to give [`MANY`] Services an address, by the pool.
    many: Vec<(&'static str, Samples)>,
    /// How long one more takes where so many addresses are taken.
    one_more: (usize, Samples),
    /// Bytes for each Service, by what holds them.
    memory: Vec<(&'static str, u64)>,
}

/// What holds Services.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder {
    /// The allocator alone.
    Allocator,
    /// The controller, to which they come one by one.
    Created,
    /// The controller, where they are there already.
    Listed,
}

impl Holder {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Allocator, Self::Created, Self::Listed];

    /// Its word for [`held`].
    pub fn word(self) -> &'static str {
        match self {
            Self::Allocator => "allocator",
            Self::Created => "created",
            Self::Listed => "listed",
        }
    }

    fn describe(self) -> &'static str {
        match self {
            Self::Allocator => "the allocator",
            Self::Created => "the controller, where they are created one after the other",
            Self::Listed => "the controller, where they are there when it starts",
        }
    }
}

/// How many bytes this process grows by for each Service of [`Holder::word`]: for a process that does nothing else.
///
/// # Errors
/// Where nobody has that word, or `/proc` does not say what this process holds.
pub fn held(word: &str) -> Result<u64> {
    let services = 10 * MANY;
    match Holder::ALL.into_iter().find(|holder| holder.word() == word).context("nobody holds Services by that word")? {
        Holder::Allocator => memory(services),
        Holder::Created => kept::created(services),
        Holder::Listed => kept::listed(services),
    }
}

/// [`held`] in a process of its own: what one part leaves behind in the heap would be the next one's.
fn in_process(holder: Holder) -> Result<u64> {
    let mode = format!("held:{}", holder.word());
    let output = Command::new(env::current_exe()?).arg("--bench").env("LANDFALL_BENCH", mode).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout)?.trim().parse().context("no number of bytes")
}

/// Measures, with so many addresses taken in the fullest pool.
///
/// # Errors
/// Where `/proc` does not say what this process holds.
pub fn measure(trials: usize, taken: usize) -> Result<Figures> {
    let memory = Holder::ALL.map(|holder| Ok((holder.describe(), in_process(holder)?)));
    let memory = memory.into_iter().collect::<Result<Vec<_>>>()?;
    let many = [("IPv4, a /16", "198.18.0.0/16", Family::V4), ("IPv6, a /64", "'2001:db8::/64'", Family::V6)];
    let many = many.map(|(name, pool, family)| (name, (0..trials).map(|_| serve_many(pool, family)).collect()));
    Ok(Figures { many: many.into(), one_more: (taken, one_more(taken)), memory })
}

/// An allocator that has this pool and knows of no Service.
fn ready(pool: &str) -> Allocator {
    let mut allocator = begun(pool);
    allocator.apply(Event::Synced, NOW);
    allocator
}

fn begun(pool: &str) -> Allocator {
    let mut allocator = Allocator::new();
    allocator.apply(Event::Remembered(Vec::new()), NOW);
    allocator.apply(Event::Configured(config(pool)), NOW);
    allocator
}

/// One pool.
pub(crate) fn config(pool: &str) -> Arc<Config> {
    let text = format!("pools: [{{name: default, addresses: [{pool}]}}]");
    Arc::new(config::parse(&text).unwrap_or_else(|errors| panic!("{errors}")).config)
}

fn service(number: usize, family: Family) -> Service {
    Service {
        key: ServiceKey::new(&format!("team-{}", number % 100), &format!("service-{number}")),
        uid: format!("9f3c1a52-7d5e-4c1b-8a55-{number:012x}").into(),
        created: number as i64,
        managed: true,
        elsewhere: false,
        labels: Labels::default(),
        families: Families { first: family, both: false },
        policy: FamilyPolicy::SingleStack,
        rare: None,
        share: None,
        record: None,
        status: Box::default(),
        announced: 0,
        foreign_status: false,
        finalizer: false,
    }
}

fn serve_many(pool: &str, family: Family) -> Duration {
    let mut allocator = ready(pool);
    let services: Vec<Service> = (0..MANY).map(|number| service(number, family)).collect();
    let start = Instant::now();
    let decisions: usize =
        services.into_iter().map(|service| allocator.apply(Event::Applied(Arc::new(service)), NOW).len()).sum();
    let took = start.elapsed();
    assert_eq!(decisions, MANY);
    took
}

/// Every second address of a pool is taken, in scattered order.
fn one_more(taken: usize) -> Samples {
    // A prime larger than any number of addresses here: each number comes once.
    const STEP: usize = 15_485_863;
    let mut allocator = begun("10.0.0.0/8");
    for number in (0..taken).map(|number| number * STEP % taken) {
        let address: IpAddr = Family::V4.address(0x0a00_0000 + 2 * number as u128);
        let held = Service { record: Some("default".into()), status: [address].into(), ..service(number, Family::V4) };
        allocator.apply(Event::Applied(Arc::new(Service { finalizer: true, ..held })), NOW);
    }
    allocator.apply(Event::Synced, NOW);
    let one = |number| {
        let service = Arc::new(service(number, Family::V4));
        let start = Instant::now();
        let decisions = allocator.apply(Event::Applied(service), NOW);
        let took = start.elapsed();
        assert_eq!(decisions.len(), 1);
        took
    };
    (taken..taken + 1000).map(one).collect()
}

/// How many bytes one Service costs with its address.
fn memory(services: usize) -> Result<u64> {
    let mut allocator = ready("10.0.0.0/8");
    let before = resident()?;
    for number in 0..services {
        allocator.apply(Event::Applied(Arc::new(service(number, Family::V4))), NOW);
    }
    let bytes = resident()?.saturating_sub(before) / services as u64;
    // It stays: what is freed would hide what is measured next.
    std::mem::forget(allocator);
    Ok(bytes)
}

/// The bytes of this process that are in memory.
pub(crate) fn resident() -> Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kib: u64 = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok()).context("no VmRSS")?;
    Ok(kib * 1024)
}

impl Figures {
    /// The section of the page.
    pub fn section(&self, page: &mut String) {
        section(
            page,
            "The allocator alone",
            "In one thread, without a cluster: events go in, decisions come out. One more: into a pool of which so many addresses \
             are taken, every second one, in scattered order.",
        );
        let nanos = |duration: Duration| format!("{:.2} µs", duration.as_secs_f64() * 1e6);
        let many = self.many.iter();
        let many = many.map(|(pool, samples)| format!("{MANY} Services into {pool} | {}", samples.row(fine_ms)));
        let (taken, one_more) = &self.one_more;
        let one_more = format!("one more beside {taken} addresses | {}", one_more.row(nanos));
        table(page, "what | min | p50 | p99 | worst | n", many.chain([one_more]));
        page.push_str(&format!(
            "\nMemory for each of {} Services that have an address, by what the process grows:\n\n",
            10 * MANY
        ));
        table(page, "what | bytes", self.memory.iter().map(|(what, bytes)| format!("{what} | {bytes}")));
    }
}
