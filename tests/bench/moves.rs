//! A node owns thousands of addresses and has to let them go: how long until others answer for all of them, what a client misses,
//! and what it costs the API server.

use crate::{
    crowded::{Crowd, by_whom},
    lab::{exclude, wait_able},
    lan::{Asker, announcement, answer},
    report::{section, table},
    speakers::{Beside, first},
    stats::ms,
};
use anyhow::{Context, Result};
use landfall_core::wire::ethernet::MacAddr;
use landfall_sandbox::Cluster;
use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    slice,
    sync::{Arc, OnceLock, mpsc},
    thread::{JoinHandle, sleep},
    time::{Duration, Instant},
};

/// How many of the addresses a client asks for, in turn.
const SAMPLES: usize = 100;
/// Between two questions for one of them.
const ROUND: Duration = Duration::from_millis(50);
/// tokio's timers are no finer.
const STEP: Duration = Duration::from_millis(1);
/// How long everything may take.
const LONG: Duration = Duration::from_secs(120);
/// Requests are counted until so long after the last announcement.
const AFTER: Duration = Duration::from_secs(10);

/// How the node goes that has all addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Going {
    /// It gets the label that keeps load balancers off it.
    Labelled,
    /// Its cable is pulled and its speaker killed at once.
    Crashed,
}

/// What was seen.
#[derive(Debug)]
pub struct Move {
    going: Going,
    nodes: usize,
    seen: Seen,
    /// Until [`AFTER`]: by the controller, and by all speakers.
    requests: [usize; 2],
    /// So long.
    counted: Duration,
}

/// What the client saw, from the moment at which the owner's node was labelled or crashed.
#[derive(Debug, Default)]
struct Seen {
    /// Of the addresses that were asked for, until others had answered for all.
    answered: Duration,
    /// The longest time that a question for one of them waited for its answer, or for that to a later one.
    longest: Duration,
    /// All addresses.
    vips: usize,
    /// How many of them others had announced.
    announced: usize,
    /// When they had announced the first one of them, and the last one.
    first: Duration,
    /// See there.
    last: Duration,
}

/// With three nodes, and with all: all addresses are on one, whose node is then excluded, or crashes.
///
/// # Errors
/// What does not come to pass.
pub fn measure(crowd: &Crowd, services: usize) -> Result<Vec<Move>> {
    let beside = Beside::new(crowd, services);
    let all = crowd.landfall.speakers().len();
    let goings = [(Going::Labelled, 3), (Going::Labelled, all), (Going::Crashed, 3)];
    goings.into_iter().map(|(going, nodes)| leave(crowd, &beside, &first(nodes), going)).collect()
}

/// The first of these nodes has all addresses, since the others may have none; then they may, and it leaves.
fn leave(crowd: &Crowd, beside: &Beside<'_>, nodes: &[String], going: Going) -> Result<Move> {
    // Those of an earlier move that take no part in this one.
    crowd.landfall.speakers().iter().filter(|(node, _)| !nodes.contains(node)).for_each(|(_, speaker)| speaker.kill());
    let (owner, others) = nodes.split_first().context("no nodes")?;
    others.iter().try_for_each(|node| exclude(&crowd.sandbox, node, true))?;
    beside.start(nodes)?;
    beside.wait_owned(slice::from_ref(owner))?;
    crowd.wait_quiet()?;
    others.iter().try_for_each(|node| exclude(&crowd.sandbox, node, false))?;
    others.iter().try_for_each(|node| wait_able(&crowd.sandbox, node, true))?;

    let watch = Watch::start(&crowd.sandbox, owner, addresses(crowd)?)?;
    let mut tail = crowd.sandbox.audit_tail()?;
    let begun = Instant::now();
    watch.begin(begun);
    let (speaker, node) = (crowd.landfall.speaker(owner)?, crowd.sandbox.node(owner)?);
    match going {
        Going::Labelled => exclude(&crowd.sandbox, owner, true)?,
        Going::Crashed => {
            node.pull_cable()?;
            speaker.kill();
        }
    }
    let seen = watch.end()?;
    sleep(AFTER);
    let requests = by_whom(&mut tail)?.map(|requests| requests.len());
    let counted = begun.elapsed();
    match going {
        Going::Labelled => exclude(&crowd.sandbox, owner, false)?,
        Going::Crashed => node.plug_cable()?,
    }
    Ok(Move { going, nodes: nodes.len(), seen, requests, counted })
}

/// The addresses of all Services.
fn addresses(crowd: &Crowd) -> Result<Vec<IpAddr>> {
    let services = crowd.services(async |api| api.projected().await)?;
    Ok(services.iter().flat_map(|service| service.alloc.status.to_vec()).collect())
}

/// A client that asks and listens, until others than the owner have answered and announced.
struct Watch {
    begun: Arc<OnceLock<Instant>>,
    thread: JoinHandle<Result<Result<Seen>>>,
}

impl Watch {
    /// Returns when all samples have been answered once.
    fn start(cluster: &Cluster, owner: &str, vips: Vec<IpAddr>) -> Result<Self> {
        let owner: MacAddr = cluster.node(owner)?.mac()?.parse().ok().context("the node's hardware address is none")?;
        let begun = Arc::new(OnceLock::new());
        let start = begun.clone();
        let (ready, answered) = mpsc::sync_channel(1);
        let thread = cluster.client().spawn(move || {
            let asker = Asker::open();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async { Watcher::new(asker.await?, owner, vips).run(&start, &ready).await })
        });
        answered.recv_timeout(LONG).context("not every address is answered for")?;
        Ok(Self { begun, thread })
    }

    /// The node is labelled now.
    fn begin(&self, now: Instant) {
        _ = self.begun.set(now);
    }

    fn end(self) -> Result<Seen> {
        self.thread.join().map_err(|_| anyhow::anyhow!("the client panicked"))??
    }
}

struct Watcher {
    asker: Asker,
    owner: MacAddr,
    vips: BTreeSet<IpAddr>,
    samples: BTreeMap<IpAddr, Sample>,
    announced: BTreeSet<IpAddr>,
    first: Option<Instant>,
    last: Option<Instant>,
    longest: Duration,
}

#[derive(Debug, Default)]
struct Sample {
    /// The oldest question that has no answer.
    open: Option<Instant>,
    was_answered: bool,
    /// When another one than the owner answered.
    moved: Option<Instant>,
}

impl Watcher {
    fn new(asker: Asker, owner: MacAddr, vips: Vec<IpAddr>) -> Self {
        let each = vips.len().div_ceil(SAMPLES).max(1);
        let samples = vips.iter().step_by(each).map(|vip| (*vip, Sample::default())).collect();
        let vips = vips.into_iter().collect();
        Self {
            asker,
            owner,
            vips,
            samples,
            announced: BTreeSet::new(),
            first: None,
            last: None,
            longest: Duration::ZERO,
        }
    }

    async fn run(mut self, begun: &OnceLock<Instant>, ready: &mpsc::SyncSender<()>) -> Result<Seen> {
        let targets: Vec<IpAddr> = self.samples.keys().copied().collect();
        let mut targets = targets.iter().cycle();
        let (start, gap) = (Instant::now(), ROUND / self.samples.len() as u32);
        let (mut asked, mut told) = (0, false);
        while begun.get().is_none_or(|begun| begun.elapsed() < LONG) && !self.is_done() {
            while gap * asked < start.elapsed() {
                let Some(target) = targets.next() else { break };
                self.ask(*target)?;
                asked += 1;
            }
            self.listen(Instant::now() + STEP, begun.get().is_some()).await?;
            if !told && self.samples.values().all(|sample| sample.was_answered) {
                told = true;
                _ = ready.send(());
            }
        }
        let begun = *begun.get().context("the client was not told of the beginning")?;
        let moved = self.samples.values().map(|sample| sample.moved.context("an address has no new owner"));
        let answered = moved.collect::<Result<Vec<_>>>()?.into_iter().max().context("nothing was asked")?;
        Ok(Seen {
            answered: answered - begun,
            longest: self.longest,
            vips: self.vips.len(),
            announced: self.announced.len(),
            first: self.first.map_or(Duration::ZERO, |first| first - begun),
            last: self.last.map_or(Duration::ZERO, |last| last - begun),
        })
    }

    fn is_done(&self) -> bool {
        self.announced.len() == self.vips.len() && self.samples.values().all(|sample| sample.moved.is_some())
    }

    fn ask(&mut self, target: IpAddr) -> Result<()> {
        let question = self.asker.question(target);
        if let Some(sample) = self.samples.get_mut(&target) {
            sample.open.get_or_insert_with(Instant::now);
        }
        Ok(self.asker.socket().send(&question)?)
    }

    /// Takes in what comes until `end`.
    async fn listen(&mut self, end: Instant, counts: bool) -> Result<()> {
        let mut buffer = [0; 1514];
        loop {
            let received = tokio::time::timeout_at(end.into(), self.asker.socket().recv(&mut buffer)).await;
            let Ok(received) = received else { return Ok(()) };
            let frame = &buffer[..received?.len];
            match announcement(frame) {
                Some((vip, by)) => self.see_announcement(vip, by, counts),
                None => answer(frame).into_iter().for_each(|(vip, by)| self.see_answer(vip, by, counts)),
            }
        }
    }

    fn see_announcement(&mut self, vip: IpAddr, by: MacAddr, counts: bool) {
        if counts && by != self.owner && self.vips.contains(&vip) && self.announced.insert(vip) {
            self.first.get_or_insert_with(Instant::now);
            self.last = Some(Instant::now());
        }
    }

    fn see_answer(&mut self, vip: IpAddr, by: MacAddr, counts: bool) {
        let Some(sample) = self.samples.get_mut(&vip) else { return };
        let waited = sample.open.take().map_or(Duration::ZERO, |asked| asked.elapsed());
        sample.was_answered = true;
        if !counts {
            return;
        }
        self.longest = self.longest.max(waited);
        if by != self.owner {
            sample.moved.get_or_insert_with(Instant::now);
        }
    }
}

/// The section of the page.
pub fn section_of(moves: &[Move], page: &mut String) {
    section(
        page,
        "A node with thousands of addresses leaves",
        &format!(
            "One speaker answers for all addresses, the others own nothing. Its node gets the label \
             `exclude-from-external-load-balancers`, or crashes: its cable is pulled and its speaker killed. From then on: until others had answered\nARP for all of {SAMPLES} addresses, each \
             asked for every {} ms by a client; the longest that one of these questions waited for an answer; and until others had \
             announced the last\nof all addresses by gratuitous ARP, which each node does at 500 frames/s, two for an address. Requests to \
             the API server until {} s after that.",
            ROUND.as_millis(),
            AFTER.as_secs()
        ),
    );
    let rows = moves.iter().map(|moved| {
        let Move { going, nodes, seen, requests: [controller, speakers], counted } = moved;
        let Seen { answered, longest, vips, announced, first, last } = seen;
        let how = match going {
            Going::Labelled => "label",
            Going::Crashed => "crash",
        };
        format!(
            "{vips} | {nodes} | {how} | {} | {} | {} | {} ({announced}) | {speakers} | {controller} | {:.0} s",
            ms(*answered),
            ms(*longest),
            ms(*first),
            ms(*last),
            counted.as_secs_f64()
        )
    });
    let head = "addresses | nodes | how | until all answered by others | longest wait for an answer | first announcement | last (of so many) | \
                requests: speakers | controller | in";
    table(page, head, rows);
}
