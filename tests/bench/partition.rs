//! What a client misses, and whether one node answers, when the LAN or the speakers on it are in trouble: parts that do not hear each
//! other, speakers that stand still, processors that are all busy, an API server that is away.

use crate::{
    api::PATIENCE,
    fault::{Fault, back, moved},
    lab::Lab,
    lan::{Watch, Watched},
    report::{section, table},
    stats::{Samples, ms},
};
use anyhow::{Context, Result, ensure};
use landfall_sandbox::{Dropped, Netns, Process, wait_for};
use std::{
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// Datagrams in a second.
const RATE: u32 = 1000;
/// Between two ARP requests.
const QUESTION: Duration = Duration::from_millis(10);
/// How long a trouble lasts that has no length of its own.
const LASTS: Duration = Duration::from_secs(3);
/// How long it is watched afterwards.
const AFTERWARDS: Duration = Duration::from_millis(1500);
/// The heartbeats' ethertype.
const ETHERTYPE: u16 = landfall_core::wire::heartbeat::ETHERTYPE;
/// A client on the far side of a cut.
const FAR: &str = "cp";

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// The owner is cut off behind its switch, its cable in, and comes back.
    Isolated,
    /// The same of a node that is not the owner.
    Bystander,
    /// The owner and a client on one side, the others and another client on the other side; then healed.
    Halves,
    /// The owner and another speaker do not hear each other.
    Pair,
    /// The owner hears nothing.
    Deaf,
    /// The switch drops the heartbeats' ethertype, later the owner crashes.
    Blocked,
    /// It does from before the speakers start.
    BlockedFromStart,
    /// The owner's process stands still for so many milliseconds.
    Stopped(u64),
    /// Two busy loops for each node, for so many seconds.
    Saturated(u64),
    /// The API server is away for so many seconds, and the owner crashes meanwhile.
    ApiAway(u64),
    /// All speakers start at once.
    Boot,
    /// They do while there is no API server.
    BootAlone,
}

/// All of them.
pub const ALL: [Trouble; 14] = [
    Trouble::Isolated,
    Trouble::Bystander,
    Trouble::Halves,
    Trouble::Pair,
    Trouble::Deaf,
    Trouble::Blocked,
    Trouble::BlockedFromStart,
    Trouble::Stopped(300),
    Trouble::Stopped(1000),
    Trouble::Stopped(5000),
    Trouble::Saturated(60),
    Trouble::ApiAway(60),
    Trouble::Boot,
    Trouble::BootAlone,
];

/// What was seen of one.
#[derive(Debug, Default)]
pub struct Figures {
    datagrams: Samples,
    arp: Samples,
    /// The longest time for which two answered, from the end of the trouble on where it splits the LAN.
    double: Samples,
    /// How often another node came to answer, and how often it went back to the first one.
    changes: usize,
    returns: usize,
}

impl Trouble {
    fn describe(self) -> String {
        match self {
            Self::Isolated => "owner cut off behind its switch for 3 s, cable in, then back".into(),
            Self::Bystander => "another node cut off behind its switch for 3 s, then back".into(),
            Self::Halves => "LAN cut for 3 s: owner and client, others and another client; then healed".into(),
            Self::Pair => "owner and another speaker do not hear each other for 3 s".into(),
            Self::Deaf => "owner hears nothing for 3 s".into(),
            Self::Blocked => "switch begins to drop our ethertype; 3 s later the owner crashes".into(),
            Self::BlockedFromStart => "it does so before the speakers start; then the owner crashes".into(),
            Self::Stopped(ms) => format!("owner's process stopped for {} s (SIGSTOP), then continued", ms as f64 / 1e3),
            Self::Saturated(s) => format!("two busy loops for each node, for {s} s"),
            Self::ApiAway(s) => format!("API server killed for {s} s; the owner crashes meanwhile"),
            Self::Boot => "all speakers start at once".into(),
            Self::BootAlone => "they do while there is no API server".into(),
        }
    }

    /// How often it is tried where others are so often: a long one less.
    fn trials(self, usual: usize) -> usize {
        match self {
            Self::Saturated(_) | Self::ApiAway(_) | Self::Boot | Self::BootAlone => usual.div_ceil(4),
            _ => usual,
        }
    }
}

/// Tries each so many times, on the first of these addresses; all are answered for when all speakers start.
///
/// # Errors
/// Where they are not answered for, or something does not come back.
pub fn measure(lab: &Lab, vips: [IpAddr; 2], trials: usize, step: impl Fn(&str)) -> Result<Vec<(Trouble, Figures)>> {
    let mut all = Vec::new();
    for trouble in ALL {
        step(&format!("{} times: {}", trouble.trials(trials), trouble.describe()));
        let mut figures = Figures::default();
        for trial in 0..trouble.trials(trials) {
            strike(lab, vips, trouble, &mut figures).with_context(|| format!("{trouble:?}, trial {trial}"))?;
        }
        all.push((trouble, figures));
    }
    Ok(all)
}

fn strike(lab: &Lab, vips: [IpAddr; 2], trouble: Trouble, figures: &mut Figures) -> Result<()> {
    let [vip, _] = vips;
    let owner = lab.owner(vip)?;
    let others: Vec<String> =
        lab.announcers().map(|node| node.name().to_owned()).filter(|name| *name != owner).collect();
    let switch = lab.sandbox.switch();
    match trouble {
        Trouble::Isolated => cut(lab, vip, &[Dropped::Member(owner.clone())], Some(&owner), figures),
        Trouble::Deaf => cut(lab, vip, &[Dropped::Towards(owner.clone())], Some(&owner), figures),
        Trouble::Bystander => cut(lab, vip, &[Dropped::Member(others[0].clone())], None, figures),
        Trouble::Pair => {
            let between = |a: &str, b: &str| Dropped::Between(a.into(), b.into());
            cut(lab, vip, &[between(&owner, &others[0]), between(&others[0], &owner)], None, figures)
        }
        Trouble::Halves => halves(lab, vip, &owner, figures),
        Trouble::Blocked => {
            let eyes = Eyes::open(lab, vip)?;
            switch.drop(&[Dropped::Ethertype(ETHERTYPE)])?;
            thread::sleep(LASTS);
            ensure!(lab.owner(vip)? == owner, "the address moved when the ethertype was dropped");
            Fault::Crash.strike(lab, vip, &owner)?;
            eyes.close(figures, lab, vip, None)?;
            switch.heal()?;
            Fault::Crash.mend(lab, &owner)
        }
        Trouble::BlockedFromStart => {
            switch.drop(&[Dropped::Ethertype(ETHERTYPE)])?;
            restart_all(lab)?;
            let owner = lab.owner(vip)?;
            lab.calm()?;
            let eyes = Eyes::open(lab, vip)?;
            Fault::Crash.strike(lab, vip, &owner)?;
            eyes.close(figures, lab, vip, None)?;
            switch.heal()?;
            Fault::Crash.mend(lab, &owner)
        }
        Trouble::Stopped(length) => {
            let eyes = Eyes::open(lab, vip)?;
            let speaker = lab.landfall.speaker(&owner)?;
            speaker.pause()?;
            thread::sleep(Duration::from_millis(length));
            speaker.resume()?;
            lab.calm()?;
            eyes.close(figures, lab, vip, Some(&owner))
        }
        Trouble::Saturated(seconds) => {
            let eyes = Eyes::open(lab, vip)?;
            let busy = Busy::start(2 * lab.sandbox.nodes().len());
            thread::sleep(Duration::from_secs(seconds));
            drop(busy);
            eyes.close(figures, lab, vip, None)
        }
        Trouble::ApiAway(seconds) => {
            let begun = Instant::now();
            without_api(lab, || {
                thread::sleep(LASTS);
                let eyes = Eyes::open(lab, vip)?;
                Fault::Crash.strike(lab, vip, &owner)?;
                eyes.close(figures, lab, vip, None)?;
                thread::sleep(Duration::from_secs(seconds).saturating_sub(begun.elapsed()));
                Ok(())
            })?;
            back(lab, &owner)
        }
        Trouble::Boot => boot(lab, vips, figures),
        Trouble::BootAlone => without_api(lab, || boot(lab, vips, figures)),
    }?;
    lab.calm()
}

/// While there is no API server.
fn without_api(lab: &Lab, then: impl FnOnce() -> Result<()>) -> Result<()> {
    let server = lab.process("kube-apiserver")?;
    server.kill();
    then()?;
    server.start()?;
    wait_for("the API server", PATIENCE, || lab.sandbox.api().get("/readyz").map(drop))
}

/// All speakers start at once.
fn boot(lab: &Lab, vips: [IpAddr; 2], figures: &mut Figures) -> Result<()> {
    let begun = restart_all(lab)?;
    for vip in vips {
        lab.owner(vip)?;
    }
    figures.arp.push(begun.elapsed());
    Ok(())
}

/// These frames are dropped for a while. `leaves`: the owner that the address has to leave meanwhile.
fn cut(lab: &Lab, vip: IpAddr, dropped: &[Dropped], leaves: Option<&str>, figures: &mut Figures) -> Result<()> {
    let eyes = Eyes::open(lab, vip)?;
    lab.sandbox.switch().drop(dropped)?;
    if let Some(owner) = leaves {
        moved(lab, vip, owner)?;
    }
    thread::sleep(LASTS);
    heal(lab)?;
    eyes.close(figures, lab, vip, leaves)
}

/// Everything goes through again, and all speakers hear each other.
fn heal(lab: &Lab) -> Result<()> {
    lab.sandbox.switch().heal()?;
    lab.calm()?;
    thread::sleep(AFTERWARDS);
    Ok(())
}

fn halves(lab: &Lab, vip: IpAddr, owner: &str, figures: &mut Figures) -> Result<()> {
    let far = lab.sandbox.nodes().into_iter().map(|node| node.name().to_owned()).filter(|name| name != owner);
    let far: Vec<String> = far.chain([FAR.to_owned()]).collect();
    let near = [owner.to_owned(), "client".to_owned()];
    let cuts = near.iter().flat_map(|near| far.iter().map(move |far| (near.clone(), far.clone())));
    let cuts = cuts.flat_map(|(a, b)| [Dropped::Between(a.clone(), b.clone()), Dropped::Between(b, a)]);
    let switch = lab.sandbox.switch();
    switch.drop(&cuts.collect::<Vec<_>>())?;
    let watches =
        [(*lab.sandbox.client()).clone(), lab.sandbox.control_plane()].map(|at| Watch::start(&at, vip, QUESTION));
    thread::sleep(LASTS);
    for watch in watches {
        figures.arp.push(watch.stop()?.unanswered);
    }
    let watch = Watch::start(&lab.sandbox.client(), vip, QUESTION);
    heal(lab)?;
    figures.note(&watch.stop()?);
    Ok(())
}

/// Ends all speakers at once and starts them at once; when they were started.
fn restart_all(lab: &Lab) -> Result<Instant> {
    let speakers: Vec<Process> = lab.landfall.speakers().values().cloned().collect();
    speakers.iter().for_each(Process::kill);
    let begun = Instant::now();
    speakers.iter().try_for_each(Process::start)?;
    Ok(begun)
}

/// A client that looks on.
struct Eyes {
    probe: landfall_sandbox::Probe,
    watch: Watch,
}

impl Eyes {
    fn open(lab: &Lab, vip: IpAddr) -> Result<Self> {
        let client = lab.sandbox.client();
        let probe = client.probe(SocketAddr::new(vip, 7), RATE)?;
        probe.wait_answers(200, PATIENCE)?;
        let netns: &Netns = &client;
        let watch = Watch::start(netns, vip, QUESTION);
        // Who answers now is known before anything happens.
        thread::sleep(10 * QUESTION);
        Ok(Self { probe, watch })
    }

    /// Says what was seen once everything is answered again. `first`: who answered before, to whom it should not go back.
    fn close(self, figures: &mut Figures, lab: &Lab, vip: IpAddr, first: Option<&str>) -> Result<()> {
        self.probe.wait_answers(500, PATIENCE)?;
        let (report, watched) = (self.probe.stop()?, self.watch.stop()?);
        figures.datagrams.push(report.longest_silence);
        figures.arp.push(watched.unanswered);
        figures.note(&watched);
        if watched.changes > 1 && first.is_some_and(|first| lab.owner(vip).is_ok_and(|owner| owner == first)) {
            figures.returns += 1;
        }
        Ok(())
    }
}

impl Figures {
    fn note(&mut self, watched: &Watched) {
        self.double.push(watched.double);
        self.changes += watched.changes;
    }
}

/// Loops that do nothing, until this goes.
struct Busy(Arc<AtomicBool>);

impl Busy {
    fn start(loops: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        for _ in 0..loops {
            let stop = stop.clone();
            thread::spawn(move || while !stop.load(Ordering::Relaxed) {});
        }
        Self(stop)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The section about them.
pub fn write(all: &[(Trouble, Figures)], page: &mut String) {
    section(
        page,
        "One answerer, whatever happens",
        "As above, three speakers. Silent: p50 and worst of the trials, by datagrams and by ARP. Two answered: the longest time within \
         which two nodes answered questions\nfor the address. Owners: how often another node came to answer in all trials, and how often \
         the first one had it back in the end. Where the LAN is cut in two each half has a\nclient that asks by ARP, and two may answer \
         until it is healed: counted is what comes after. When all start, what is silent is the time from their start until an address of each family is answered for.",
    );
    let cells = |samples: &Samples| match samples.is_empty() {
        true => "– | –".to_owned(),
        false => format!("{} | {}", ms(samples.percentile(50)), ms(samples.percentile(100))),
    };
    let rows = all.iter().map(|(trouble, figures)| {
        let Figures { datagrams, arp, double, changes, returns } = figures;
        let double = if double.is_empty() { "–".into() } else { ms(double.percentile(100)) };
        let n = datagrams.len().max(arp.len());
        format!(
            "{} | {} | {} | {double} | {changes}, {returns} | {n}",
            trouble.describe(),
            cells(datagrams),
            cells(arp)
        )
    });
    table(page, "trouble | datagrams p50 | worst | ARP p50 | worst | two answered | owners | n", rows);
}
