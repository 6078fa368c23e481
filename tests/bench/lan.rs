//! The client host's end of the LAN, at the level of frames: questions by ARP and NDP, how long their answers take, and what
//! frames say.

use anyhow::{Context, Result};
use landfall::net::{PacketSocket, links};
use landfall_core::wire::{
    arp,
    ethernet::{self, Frame, Header, MacAddr},
    ndp,
};
use landfall_sandbox::{Cluster, Netns};
use std::{
    collections::HashSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// How long somebody may take to answer for an address at last.
const PATIENCE: Duration = Duration::from_secs(60);

/// One interface of a host, asking.
pub struct Asker {
    socket: PacketSocket,
    mac: MacAddr,
    ipv4: Ipv4Addr,
    ipv6: Ipv6Addr,
    buffer: [u8; 1514],
}

impl Asker {
    /// On `eth0` of the namespace of the calling thread, inside a tokio runtime.
    ///
    /// # Errors
    /// Where there is no such interface, or no packet socket to be had.
    pub async fn open() -> Result<Self> {
        let table = links().await?.changed().await?;
        let link = table.values().find(|link| link.name == "eth0").context("there is no eth0")?;
        let ipv4 = link.addresses.iter().find_map(|net| match net.addr() {
            IpAddr::V4(ip) => Some(ip),
            IpAddr::V6(_) => None,
        });
        let ipv6 = link.addresses.iter().find_map(|net| match net.addr() {
            IpAddr::V6(ip) if !ip.is_unicast_link_local() => Some(ip),
            _ => None,
        });
        Ok(Self {
            socket: PacketSocket::open(link.index)?,
            mac: link.mac.context("eth0 is no Ethernet")?,
            ipv4: ipv4.context("eth0 has no IPv4 address")?,
            ipv6: ipv6.context("eth0 has no IPv6 address")?,
            buffer: [0; 1514],
        })
    }

    /// The asker's own address of `target`'s family.
    pub fn own(&self, target: IpAddr) -> IpAddr {
        if target.is_ipv4() { self.ipv4.into() } else { self.ipv6.into() }
    }

    /// The question who has `target`.
    pub fn question(&self, target: IpAddr) -> Frame {
        match target {
            IpAddr::V4(target) => arp::request(self.mac, self.ipv4, target),
            IpAddr::V6(target) => ndp::solicitation(self.mac, self.ipv6, target),
        }
    }

    /// The interface's hardware address.
    pub fn mac(&self) -> MacAddr {
        self.mac
    }

    /// The interface's socket, for other uses.
    pub fn socket(&self) -> &PacketSocket {
        &self.socket
    }

    /// Asks who has `target`, and returns who answered first, and after how long; none at the end of `patience`.
    ///
    /// # Errors
    /// Where the interface is down.
    pub async fn ask(&mut self, target: IpAddr, patience: Duration) -> Result<Option<(MacAddr, Duration)>> {
        let start = self.send_question(target)?;
        Ok(self.next_answer(target, start + patience).await?.map(|by| (by, start.elapsed())))
    }

    /// Asks once, and returns everyone who answers within `patience`.
    ///
    /// # Errors
    /// Where the interface is down.
    pub async fn answerers(&mut self, target: IpAddr, patience: Duration) -> Result<HashSet<MacAddr>> {
        let end = self.send_question(target)? + patience;
        let mut all = HashSet::new();
        while let Some(by) = self.next_answer(target, end).await? {
            all.insert(by);
        }
        Ok(all)
    }

    fn send_question(&mut self, target: IpAddr) -> Result<Instant> {
        // What came late for an earlier question is none of this one's.
        while self.socket.try_recv(&mut self.buffer)?.is_some() {}
        let question = self.question(target);
        let start = Instant::now();
        self.socket.send(&question)?;
        Ok(start)
    }

    async fn next_answer(&mut self, target: IpAddr, end: Instant) -> Result<Option<MacAddr>> {
        loop {
            let received = tokio::time::timeout_at(end.into(), self.socket.recv(&mut self.buffer)).await;
            let Ok(received) = received else { return Ok(None) };
            match answer(&self.buffer[..received?.len]) {
                Some((address, by)) if address == target => return Ok(Some(by)),
                _ => {}
            }
        }
    }
}

/// Which address `frame` says that somebody has, and who, if it is an answer.
pub fn answer(frame: &[u8]) -> Option<(IpAddr, MacAddr)> {
    let (header, payload) = Header::parse(frame).ok()?;
    match header.ethertype {
        ethernet::ARP => {
            let packet = arp::Repr::parse(payload).ok()?;
            (packet.operation == arp::Operation::Reply).then_some((packet.sender_ip.into(), packet.sender_mac))
        }
        ethernet::IPV6 => {
            let packet = ndp::Repr::parse(payload).ok()?;
            let says = matches!(packet.message, ndp::Message::Advertisement { .. });
            says.then_some((packet.target.into(), header.source))
        }
        _ => None,
    }
}

/// Which IPv4 address `frame` announces unasked, and whose it is then: gratuitous ARP of either form.
pub fn announcement(frame: &[u8]) -> Option<(IpAddr, MacAddr)> {
    let (header, payload) = Header::parse(frame).ok()?;
    let packet = arp::Repr::parse(payload).ok().filter(|_| header.ethertype == ethernet::ARP)?;
    (packet.sender_ip == packet.target_ip).then_some((packet.sender_ip.into(), packet.sender_mac))
}

/// Waits until a node answers for `vip`, and returns its name.
///
/// # Errors
/// Where nobody does.
pub fn owner(cluster: &Cluster, vip: IpAddr) -> Result<String> {
    let mac = inside(&cluster.client(), async || {
        let mut asker = Asker::open().await?;
        for _ in 0..PATIENCE.as_secs() * 20 {
            if let Some((mac, _)) = asker.ask(vip, Duration::from_millis(50)).await? {
                return Ok(mac.to_string());
            }
        }
        anyhow::bail!("nobody answers for {vip}")
    })?;
    Ok(cluster.node_with_mac(&mac)?.name().to_owned())
}

/// Runs `work` in a namespace, on a runtime of its own.
///
/// # Errors
/// Its own, and where the namespace cannot be entered.
pub fn inside<T: Send>(netns: &Netns, work: impl AsyncFnOnce() -> Result<T> + Send) -> Result<T> {
    netns.enter(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(work())
    })?
}

/// Asks for one address again and again, and remembers the longest time without an answer, and everyone who answered.
#[derive(Debug)]
pub struct Watch {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<Result<Watched>>>,
}

/// What a [`Watch`] has seen.
#[derive(Debug, Default)]
pub struct Watched {
    /// The longest time between the questions around a gap: from the first that was not answered to the next that was. Zero where
    /// all were.
    pub unanswered: Duration,
    /// Whose answers came, late ones too.
    pub by: HashSet<MacAddr>,
    /// The longest time for which two answered: from the first question that both did to the next that one did alone.
    pub double: Duration,
    /// How often another one came to answer alone.
    pub changes: usize,
}

impl Watch {
    /// Asks every `interval` from now on.
    pub fn start(netns: &Netns, target: IpAddr, interval: Duration) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopping = stop.clone();
        let thread = netns.spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(watch(target, interval, &stopping))
        });
        Self { stop, thread }
    }

    /// Stops, and says what was seen.
    ///
    /// # Errors
    /// What went wrong meanwhile.
    pub fn stop(self) -> Result<Watched> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| anyhow::anyhow!("the asking thread panicked"))??
    }
}

async fn watch(target: IpAddr, interval: Duration, stop: &AtomicBool) -> Result<Watched> {
    let mut asker = Asker::open().await?;
    let mut seen = Watched::default();
    let (mut unanswered, mut double, mut last) = (None, None, None);
    while !stop.load(Ordering::Relaxed) {
        let asked = Instant::now();
        let by = asker.answerers(target, interval).await?;
        if by.is_empty() {
            unanswered.get_or_insert(asked);
        } else {
            seen.unanswered =
                seen.unanswered.max(unanswered.take().map_or(Duration::ZERO, |since: Instant| asked - since));
            if by.len() > 1 {
                double.get_or_insert(asked);
            } else {
                seen.double = seen.double.max(double.take().map_or(Duration::ZERO, |since: Instant| asked - since));
                let changed = last.as_ref().is_some_and(|last| *last != by);
                seen.changes += usize::from(changed);
                last = Some(by.clone());
            }
            seen.by.extend(by);
        }
    }
    seen.unanswered = seen.unanswered.max(unanswered.map_or(Duration::ZERO, |since| since.elapsed()));
    seen.double = seen.double.max(double.map_or(Duration::ZERO, |since| since.elapsed()));
    Ok(seen)
}
