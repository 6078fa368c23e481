//! A host on the LAN asks for addresses that nobody has, as fast as a scanner or a loop does: what that costs the speakers, and a
//! client that asks for a VIP meanwhile.

use crate::{
    cpu::Cpu,
    lab::Lab,
    lan::{Asker, answer},
    report::{section, table},
    stats::{Samples, us},
};
use anyhow::{Context, Result, anyhow, bail};
use landfall_core::wire::{
    arp,
    ethernet::{self, Frame, Header},
};
use landfall_sandbox::Netns;
use std::{
    collections::HashMap,
    io::ErrorKind,
    net::{IpAddr, Ipv4Addr},
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread::{ScopedJoinHandle, scope, sleep},
    time::{Duration, Instant},
};

/// Requests in a second.
const RATE: u32 = 100_000;
/// Threads that send them, each its share.
const SENDERS: u32 = 2;
/// Requests between two looks at the clock.
const BURST: u32 = 50;
/// Between two questions for the VIP.
const QUESTION: Duration = Duration::from_millis(10);
/// How long the VIP's answer may take.
const LONGEST: Duration = Duration::from_secs(1);

/// What was measured while something went on for a time.
#[derive(Debug)]
struct Span {
    what: &'static str,
    /// Foreign requests that were sent in a second.
    rate: f64,
    /// How many of them somebody answered.
    foreign_answers: u64,
    /// Of the owner's speaker and of another one, in percent of a core.
    cpu: [f64; 2],
    answers: Samples,
    unanswered: usize,
}

/// Without the flood, and under it.
#[derive(Debug)]
pub struct Figures([Span; 2]);

/// Measures for so long each.
///
/// # Errors
/// Where no frames can be sent.
pub fn measure(lab: &Lab, vip: IpAddr, time: Duration) -> Result<Figures> {
    let IpAddr::V4(vip) = vip else { bail!("{vip} is not asked for by ARP") };
    Ok(Figures([span(lab, vip, time, "no flood", 0)?, span(lab, vip, time, "flood", RATE)?]))
}

fn span(lab: &Lab, vip: Ipv4Addr, time: Duration, what: &'static str, rate: u32) -> Result<Span> {
    let owner = lab.owner(vip.into())?;
    let other = lab.announcers().find(|node| node.name() != owner).context("one node only")?;
    let (client, end, sent) = (lab.sandbox.client(), Instant::now() + time, AtomicU64::new(0));
    let (done, seen) = (AtomicBool::new(false), AtomicU64::new(0));
    let cpu = [Cpu::of(lab.landfall.speaker(&owner)?)?, Cpu::of(lab.landfall.speaker(other.name())?)?];
    scope(|scope| {
        let witness = scope.spawn(|| on(&client, async |asker| witness(asker, &done, &seen).await));
        let asker = scope.spawn(|| on(&client, async |asker| ask(asker, vip, end).await));
        let sender = |_| scope.spawn(|| on(&client, async |asker| flood(&asker, rate / SENDERS, end, &sent)));
        let senders: Vec<_> = (0..SENDERS).map(sender).collect();
        sleep(end.saturating_duration_since(Instant::now()));
        let cpu = [cpu[0].percent()?, cpu[1].percent()?];
        let (answers, unanswered) = join(asker)?;
        senders.into_iter().try_for_each(join)?;
        done.store(true, Ordering::Relaxed);
        join(witness)?;
        let rate = sent.load(Ordering::Relaxed) as f64 / time.as_secs_f64();
        Ok(Span { what, rate, foreign_answers: seen.load(Ordering::Relaxed), cpu, answers, unanswered })
    })
}

fn join<T>(thread: ScopedJoinHandle<'_, Result<T>>) -> Result<T> {
    thread.join().map_err(|_| anyhow!("a thread of the flood panicked"))?
}

/// Runs `work` in the namespace of a host, on its interface.
fn on<T: Send>(host: &Netns, work: impl AsyncFnOnce(Asker) -> Result<T> + Send) -> Result<T> {
    crate::lan::inside(host, async || work(Asker::open().await?).await)
}

/// Addresses of the LAN that are nobody's.
fn foreign() -> impl Iterator<Item = Ipv4Addr> {
    (201..=254).map(|last| Ipv4Addr::new(198, 51, 100, last))
}

fn flood(asker: &Asker, rate: u32, end: Instant, sent: &AtomicU64) -> Result<()> {
    let requests: Vec<Frame> = foreign().map(|target| asker.question(target.into())).collect();
    let mut requests = requests.iter().cycle();
    let mut due = Instant::now();
    while rate > 0 && Instant::now() < end {
        for request in requests.by_ref().take(BURST as usize) {
            match asker.socket().send(request) {
                Ok(()) => _ = sent.fetch_add(1, Ordering::Relaxed),
                // The queue is full.
                Err(error)
                    if error.kind() == ErrorKind::WouldBlock || error.raw_os_error() == Some(nix::libc::ENOBUFS) =>
                {
                    break;
                }
                Err(error) => return Err(error.into()),
            }
        }
        due += Duration::from_secs(1) * BURST / rate;
        sleep(due.saturating_duration_since(Instant::now()));
    }
    Ok(())
}

/// Counts who answers for what is nobody's.
async fn witness(asker: Asker, done: &AtomicBool, seen: &AtomicU64) -> Result<()> {
    let mut buffer = [0; 1514];
    while !done.load(Ordering::Relaxed) {
        let received = tokio::time::timeout(QUESTION, asker.socket().recv(&mut buffer)).await;
        let Ok(received) = received else { continue };
        let says = answer(&buffer[..received?.len]);
        if says.is_some_and(|(address, _)| foreign().any(|target| IpAddr::from(target) == address)) {
            seen.fetch_add(1, Ordering::Relaxed);
        }
    }
    Ok(())
}

/// Asks for the VIP until the end, as one of a hundred hosts after the other, so that each has a second until its next question:
/// how long answers took, and how many did not come.
async fn ask(asker: Asker, vip: Ipv4Addr, end: Instant) -> Result<(Samples, usize)> {
    let mut hosts = (0..100).map(|last| Ipv4Addr::new(203, 0, 113, last)).cycle();
    let (mut open, mut answers, mut unanswered) = (HashMap::new(), Samples::default(), 0);
    let (mut due, mut buffer) = (Instant::now(), [0; 1514]);
    while due < end + LONGEST {
        let received = tokio::time::timeout_at(due.into(), asker.socket().recv(&mut buffer)).await;
        if let Ok(received) = received {
            let asked = answered(&buffer[..received?.len], vip).and_then(|host| open.remove(&host));
            answers.extend(asked.map(|asked: Instant| asked.elapsed()));
            continue;
        }
        if due < end {
            let host = hosts.next().context("no hosts")?;
            asker.socket().send(&arp::request(asker.mac(), host, vip))?;
            unanswered += usize::from(open.insert(host, Instant::now()).is_some());
        }
        due += QUESTION;
    }
    Ok((answers, unanswered + open.len()))
}

/// The host to which `frame` says who has the VIP.
fn answered(frame: &[u8], vip: Ipv4Addr) -> Option<Ipv4Addr> {
    let (header, payload) = Header::parse(frame).ok()?;
    let packet = arp::Repr::parse(payload).ok().filter(|_| header.ethertype == ethernet::ARP)?;
    (packet.operation == arp::Operation::Reply && packet.sender_ip == vip).then_some(packet.target_ip)
}

impl Figures {
    /// The section of the page.
    pub fn section(&self, page: &mut String) {
        section(
            page,
            "A flood of questions for others",
            &format!(
                "A host on the LAN sends ARP requests for addresses of its subnet that nobody has, {RATE} a second, and every 10 ms one \
                 of a hundred others asks for a VIP. All nodes hear each request. The host,\nthe switch and the nodes share the processors, so what their \
                 kernels take is part of what the VIP's answers wait for; a sender that finds no processor is slower than that.\nCPU is the \
                 speaker's processes' own time (utime and stime), in percent of one core."
            ),
        );
        let rows = self.0.iter().map(|span| {
            let Span { what, rate, foreign_answers, cpu: [owner, other], .. } = span;
            format!("{what} | {rate:.0}/s | {foreign_answers} | {owner:.1} % | {other:.1} %")
        });
        table(
            page,
            "what | requests sent | of these answered | CPU of the owner's speaker | CPU of another speaker",
            rows,
        );
        page.push('\n');
        let rows = self.0.iter().map(|span| format!("{} | {} | {}", span.what, span.answers.row(us), span.unanswered));
        table(page, "the VIP's answers | min | p50 | p99 | worst | n | none within 1 s", rows);
    }
}
