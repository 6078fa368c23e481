//! How long an address is silent, as a client sees it: numbered datagrams at a steady rate, and when each was answered.

use std::{
    collections::BTreeSet,
    net::{SocketAddr, UdpSocket},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow};

use crate::{echo::Reply, host::Client, wait::wait_for};

/// How long the answers to the last probes are waited for.
const LAST_ANSWERS: Duration = Duration::from_millis(200);

/// Probes under way, until they are stopped or dropped.
#[derive(Debug)]
pub struct Probe {
    target: SocketAddr,
    sent_all: Arc<AtomicBool>,
    stopping: Arc<AtomicBool>,
    answered: Arc<AtomicU64>,
    silence: Arc<Mutex<Silence>>,
    sender: Option<JoinHandle<u64>>,
    receiver: Option<JoinHandle<u64>>,
}

/// The time between answers, by one clock for all who ask.
#[derive(Debug, Default)]
struct Silence {
    last: Option<Instant>,
    longest: Duration,
}

impl Silence {
    fn since_last(&self) -> Duration {
        self.last.map_or(Duration::ZERO, |last| last.elapsed())
    }

    fn end(&mut self) {
        self.longest = self.longest.max(self.since_last());
        self.last = Some(Instant::now());
    }
}

/// What a client saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProbeReport {
    /// How many datagrams were sent.
    pub sent: u64,
    /// How many of them were answered.
    pub received: u64,
    /// The longest time between two answers that came one after the other, or between the last one and the end.
    pub longest_silence: Duration,
}

impl ProbeReport {
    /// How many were not answered.
    pub fn lost(&self) -> u64 {
        self.sent - self.received
    }
}

impl Client {
    /// Starts to ask the echo server (ours, or agnhost's netexec) at `target` by UDP, so many times a second, all from one port.
    ///
    /// # Errors
    /// When no socket can be opened.
    pub fn probe(&self, target: SocketAddr, per_second: u32) -> Result<Probe> {
        let any: SocketAddr = if target.is_ipv4() { "0.0.0.0:0".parse()? } else { "[::]:0".parse()? };
        let socket = self.enter(|| UdpSocket::bind(any))?.context("cannot open a UDP socket")?;
        socket.set_read_timeout(Some(Duration::from_millis(20)))?;
        let (sent_all, stopping) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let (answered, silence) = (Arc::new(AtomicU64::new(0)), Arc::new(Mutex::default()));
        let sender = thread::spawn({
            let (socket, sent_all) = (socket.try_clone()?, sent_all.clone());
            move || send(&socket, target, Duration::from_secs(1) / per_second.max(1), &sent_all)
        });
        let receiver = thread::spawn({
            let (stopping, answered, silence) = (stopping.clone(), answered.clone(), silence.clone());
            move || receive(&socket, target, &stopping, &answered, &silence)
        });
        Ok(Probe { target, sent_all, stopping, answered, silence, sender: Some(sender), receiver: Some(receiver) })
    }
}

impl Probe {
    /// Waits until this many more probes have been answered.
    ///
    /// # Errors
    /// When they are not within `timeout`.
    pub fn wait_answers(&self, count: u64, timeout: Duration) -> Result<()> {
        let goal = self.answered.load(Ordering::Relaxed) + count;
        wait_for(&format!("{count} answers from {}", self.target), timeout, || {
            let answered = self.answered.load(Ordering::Relaxed);
            anyhow::ensure!(answered >= goal, "{} are missing", goal - answered);
            Ok(())
        })
    }

    /// Waits until no answer has come for so long, after the first one.
    ///
    /// # Errors
    /// When answers go on for `timeout`.
    pub fn wait_silence(&self, silence: Duration, timeout: Duration) -> Result<()> {
        wait_for(&format!("{} to be silent", self.target), timeout, || {
            let seen = self.silence.lock().unwrap_or_else(PoisonError::into_inner).since_last();
            anyhow::ensure!(seen >= silence, "it was for {seen:?}");
            Ok(())
        })
    }

    /// Stops, and tells what was seen.
    ///
    /// # Errors
    /// When a thread of it has panicked.
    pub fn stop(mut self) -> Result<ProbeReport> {
        // Before the threads take their time to end: that is no silence of the address.
        self.silence.lock().unwrap_or_else(PoisonError::into_inner).end();
        self.sent_all.store(true, Ordering::Relaxed);
        let panicked = |_| anyhow!("the probe panicked");
        let sent = self.sender.take().context("stopped already")?.join().map_err(panicked)?;
        let all = || {
            let answered = self.answered.load(Ordering::Relaxed);
            anyhow::ensure!(answered == sent, "{answered} of {sent}");
            Ok(())
        };
        // An answer that comes later is a probe lost.
        let _ = wait_for("the last answers", LAST_ANSWERS, all);
        self.stopping.store(true, Ordering::Relaxed);
        let receiver = self.receiver.take().context("stopped already")?;
        let received = receiver.join().map_err(|_| anyhow!("the probe panicked"))?;
        let longest_silence = self.silence.lock().unwrap_or_else(PoisonError::into_inner).longest;
        Ok(ProbeReport { sent, received, longest_silence })
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.sent_all.store(true, Ordering::Relaxed);
        self.stopping.store(true, Ordering::Relaxed);
    }
}

fn send(socket: &UdpSocket, target: SocketAddr, interval: Duration, sent_all: &AtomicBool) -> u64 {
    let mut due = Instant::now();
    let mut number = 0;
    while !sent_all.load(Ordering::Relaxed) {
        // A refusal, as while no neighbour answers, is a probe lost.
        let _ = socket.send_to(format!("echo {number}\n").as_bytes(), target);
        number += 1;
        due += interval;
        thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    number
}

fn receive(
    socket: &UdpSocket,
    target: SocketAddr,
    stopping: &AtomicBool,
    answered: &AtomicU64,
    silence: &Mutex<Silence>,
) -> u64 {
    let mut seen = BTreeSet::new();
    let mut buffer = [0; 512];
    while !stopping.load(Ordering::Relaxed) {
        let Ok((n, from)) = socket.recv_from(&mut buffer) else { continue };
        let answer = String::from_utf8_lossy(&buffer[..n]);
        // The sandbox's echo server says more than the number, agnhost nothing else.
        let number = Reply::parse(&answer).map_or_else(|_| answer.trim().to_owned(), |reply| reply.probe);
        let Some(number) = number.parse::<u64>().ok().filter(|_| from == target) else { continue };
        if seen.insert(number) {
            silence.lock().unwrap_or_else(PoisonError::into_inner).end();
            answered.fetch_add(1, Ordering::Relaxed);
        }
    }
    seen.len() as u64
}
