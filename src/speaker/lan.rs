//! The LAN task: it owns the node's interfaces, their elections and what is announced, and is the only one that sends.
//!
//! ```text
//!  netlink ─► Links ───┐                       ┌─► ARP and NDP answers
//!  watches ─► Desired ─┼─► Segment (election) ─┼─► heartbeats
//!  frames ─────────────┘                       └─► Announcer ─► gratuitous ARP, unsolicited NA
//! ```
//! It runs on a thread of its own, so that no work for the API server delays an answer, and goes on while the API server is
//! away. Frames that have arrived are read before timers act, heartbeats before questions: after a pause it knows what others
//! have claimed before it answers anything.

use super::{
    announcer::{self, Announcer, Place},
    desired::{Desired, Vip},
    eligibility,
    segment::{Change, LONGEST, Segment},
};
use crate::{
    cluster::record::{Interface, Record},
    net::{Groups, LinkWatch, Links, Received, is_link_down, links},
    ops::clock,
};
use landfall_core::{
    elect::{Identity, Life, Now, hash},
    wire::heartbeat::SpeakerName,
};
use std::{
    collections::BTreeMap,
    future::{pending, poll_fn},
    io,
    net::IpAddr,
    sync::Arc,
    task::Poll,
    time::{Duration, SystemTime},
};
use tokio::{sync::watch, time::sleep};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// After an interface could not be opened, or failed while netlink still calls it fit.
const RETRY: Duration = Duration::from_millis(200);
/// Between two looks at what the record says of peers.
const REPORT: Duration = Duration::from_secs(1);

/// What the LAN task is given.
pub struct Setup {
    /// The node's name.
    pub speaker: SpeakerName,
    /// What is wanted; none until it is known.
    pub desired: watch::Receiver<Option<Arc<Desired>>>,
    /// Where it says what it does.
    pub record: watch::Sender<Record>,
    /// Asks it to hand everything over and end.
    pub leave: CancellationToken,
}

/// Runs until everything has been handed over after [`Setup::leave`].
///
/// # Errors
/// Where netlink cannot be used.
pub async fn run(setup: Setup) -> anyhow::Result<()> {
    let mut watch = links().await?;
    let Setup { speaker, mut desired, record, leave } = setup;
    let mut lan = Lan {
        speaker,
        desired: None,
        links: watch.changed().await?,
        segments: BTreeMap::new(),
        groups: Groups::default(),
        announcer: Announcer::default(),
        record,
        retry: None,
        report: Duration::ZERO,
        leaving: false,
    };
    let mut buffer = [0; LONGEST];
    while !lan.is_done() {
        let wake = lan.wait(&mut watch, &mut desired, &leave, &mut buffer).await?;
        lan.step(wake, &mut buffer);
    }
    Ok(())
}

/// What ended a wait.
enum Wake {
    Links(Arc<Links>),
    Desired(Option<Arc<Desired>>),
    Leave,
    Frame(u32, io::Result<Received>),
    Time,
}

struct Lan {
    speaker: SpeakerName,
    desired: Option<Arc<Desired>>,
    links: Arc<Links>,
    segments: BTreeMap<u32, Segment>,
    groups: Groups,
    announcer: Announcer,
    record: watch::Sender<Record>,
    /// When interfaces that should be open and are not are tried again.
    retry: Option<Duration>,
    report: Duration,
    leaving: bool,
}

impl Lan {
    fn is_done(&self) -> bool {
        self.leaving && self.segments.values().all(Segment::is_drained)
    }

    async fn wait(
        &self,
        links: &mut LinkWatch,
        desired: &mut watch::Receiver<Option<Arc<Desired>>>,
        leave: &CancellationToken,
        buffer: &mut [u8],
    ) -> anyhow::Result<Wake> {
        let now = now().mono;
        let sleep = async {
            match self.deadline() {
                Some(deadline) => sleep(deadline.saturating_sub(now)).await,
                None => pending().await,
            }
        };
        let frame = poll_fn(|context| {
            for (index, segment) in &self.segments {
                if let Poll::Ready(received) = segment.poll_recv(context, buffer) {
                    return Poll::Ready((*index, received));
                }
            }
            Poll::Pending
        });
        Ok(tokio::select! {
            biased;
            () = leave.cancelled(), if !self.leaving => Wake::Leave,
            links = links.changed() => Wake::Links(links?),
            // A sender that is gone wants nothing new.
            Ok(()) = desired.changed() => Wake::Desired(desired.borrow_and_update().clone()),
            (index, received) = frame => Wake::Frame(index, received),
            () = sleep => Wake::Time,
        })
    }

    fn deadline(&self) -> Option<Duration> {
        let segments = self.segments.values().filter_map(Segment::deadline).min();
        [segments, self.announcer.deadline(), self.retry, Some(self.report)].into_iter().flatten().min()
    }

    fn step(&mut self, wake: Wake, buffer: &mut [u8]) {
        let now = now();
        let mut first = None;
        match wake {
            Wake::Links(links) => {
                self.links = links;
                self.reconcile(&[], now);
            }
            Wake::Desired(desired) => self.want(desired, now),
            Wake::Leave => self.leave(now),
            Wake::Frame(index, received) => first = Some((index, received)),
            Wake::Time => {}
        }
        self.read(first, buffer, now);
        self.run(now);
    }

    fn want(&mut self, desired: Option<Arc<Desired>>, now: Now) {
        let before = std::mem::replace(&mut self.desired, desired.clone());
        let (Some(before), Some(desired)) = (before, desired) else { return self.reconcile(&[], now) };
        if before.cluster != desired.cluster {
            warn!("the cluster's id changed, all interfaces are opened anew");
            let open: Vec<u32> = self.segments.keys().copied().collect();
            open.into_iter().for_each(|index| self.close(index));
        }
        let is_same = |vip: &IpAddr, old: &Vip| desired.vips.get(vip).is_some_and(|new| new.service == old.service);
        let withdrawn = before.vips.iter().filter(|(vip, old)| !is_same(vip, old)).map(|(vip, _)| *vip);
        let withdrawn: Vec<IpAddr> = withdrawn.collect();
        self.reconcile(&withdrawn, now);
    }

    /// Makes segments and what they want fit the interfaces and the desired table.
    fn reconcile(&mut self, withdrawn: &[IpAddr], now: Now) {
        let Some(desired) = self.desired.clone() else { return };
        let open: Vec<u32> = self.segments.keys().copied().collect();
        for index in open {
            if self.links.get(&index).is_none_or(|link| eligibility::fit(link).is_err()) {
                self.close(index);
            }
        }
        self.retry = None;
        for link in self.links.clone().values() {
            let Ok(mac) = eligibility::fit(link) else { continue };
            let changes = match self.segments.get_mut(&link.index) {
                Some(segment) => segment.update(link.clone(), mac),
                // Whoever leaves begins nothing new.
                None if self.leaving || !eligibility::is_segment(link, &desired) => continue,
                None => {
                    match Segment::open(link.clone(), mac, self.identity(&desired), now) {
                        Ok(segment) => {
                            info!(interface = link.name, %mac, "listening");
                            self.segments.insert(link.index, segment);
                        }
                        Err(error) => {
                            warn!(interface = link.name, %error, "cannot open the interface, trying again");
                            self.retry = Some(now.mono + RETRY);
                            continue;
                        }
                    }
                    Vec::new()
                }
            };
            self.carry_out(link.index, changes, now);
            if let Some(segment) = self.segments.get_mut(&link.index) {
                let changes = segment.want(&desired, withdrawn, now);
                self.carry_out(link.index, changes, now);
            }
        }
        self.close_unused(&desired);
        self.report = now.mono;
    }

    /// Closes interfaces that are of no use any more, once nothing is answered for there.
    fn close_unused(&mut self, desired: &Desired) {
        let unused = |segment: &&Segment| {
            segment.owned().is_empty() && !eligibility::is_segment(segment.link(), desired) && !self.leaving
        };
        let unused: Vec<u32> = self.segments.values().filter(unused).map(|segment| segment.link().index).collect();
        unused.into_iter().for_each(|index| self.close(index));
    }

    fn leave(&mut self, now: Now) {
        info!("leaving: the others take over");
        self.leaving = true;
        let open: Vec<u32> = self.segments.keys().copied().collect();
        for index in open {
            let changes = self.segments.get_mut(&index).map(|segment| segment.drain(now)).unwrap_or_default();
            self.carry_out(index, changes, now);
        }
    }

    fn read(&mut self, first: Option<(u32, io::Result<Received>)>, buffer: &mut [u8], now: Now) {
        // The frame in the buffer is taken care of before the buffer is used again.
        let mut open: Vec<u32> = self.segments.keys().copied().collect();
        if let Some((index, _)) = &first {
            open.sort_by_key(|other| other != index);
        }
        let mut first = first;
        for index in open {
            let Some(segment) = self.segments.get_mut(&index) else { continue };
            let received = match first.take() {
                Some((of, received)) if of == index => received.map(Some),
                _ => Ok(None),
            };
            match received.and_then(|received| segment.read(received, buffer, now)) {
                Ok(changes) => self.carry_out(index, changes, now),
                Err(error) => self.fail(index, &error, now),
            }
        }
    }

    fn run(&mut self, now: Now) {
        let open: Vec<u32> = self.segments.keys().copied().collect();
        for index in open {
            let changes = self.segments.get_mut(&index).map(|segment| segment.run(now)).unwrap_or_default();
            self.carry_out(index, changes, now);
        }
        for Place { interface, vip } in self.announcer.due(now.mono) {
            let Some(segment) = self.segments.get_mut(&interface) else { continue };
            let sent = announcer::frames(vip, segment.mac()).iter().try_for_each(|frame| segment.send(frame));
            if let Err(error) = sent {
                self.fail(interface, &error, now);
            }
        }
        if self.retry.is_some_and(|at| at <= now.mono) {
            self.reconcile(&[], now);
        }
        if self.report <= now.mono {
            self.report = now.mono + REPORT;
            self.report();
        }
    }

    /// What an election decided is carried out outside of it: groups joined, announcements planned.
    fn carry_out(&mut self, interface: u32, changes: Vec<Change>, now: Now) {
        for change in changes {
            self.report = now.mono;
            match change {
                Change::Acquired(vip) => {
                    self.join(interface, vip);
                    self.announcer.acquire(Place { interface, vip }, now.mono);
                }
                Change::Released(vip) => self.forget(interface, vip),
            }
        }
    }

    fn join(&mut self, interface: u32, vip: IpAddr) {
        if let IpAddr::V6(vip) = vip
            && let Err(error) = self.groups.join(interface, vip)
        {
            warn!(%vip, %error, "cannot join the address's solicited-node group: some switches will not deliver questions");
        }
    }

    fn forget(&mut self, interface: u32, vip: IpAddr) {
        self.announcer.release(Place { interface, vip });
        if let IpAddr::V6(vip) = vip
            && let Err(error) = self.groups.leave(interface, vip)
        {
            warn!(%vip, %error, "cannot leave the address's solicited-node group");
        }
    }

    fn fail(&mut self, index: u32, error: &io::Error, now: Now) {
        if !is_link_down(error) {
            warn!(interface = index, %error, "reading from the interface failed");
        }
        self.close(index);
        // Netlink will say that it is down; where it was down for less time than netlink's table shows, this opens it again.
        self.retry = Some(now.mono + RETRY);
    }

    fn close(&mut self, index: u32) {
        let Some(segment) = self.segments.remove(&index) else { return };
        segment.owned().iter().for_each(|vip| self.forget(index, *vip));
        info!(interface = segment.link().name, "no longer listening");
    }

    fn identity(&self, desired: &Desired) -> Identity {
        let cluster = hash::cluster_id(&desired.cluster);
        Identity { speaker: self.speaker.clone(), boot: rand::random(), cluster }
    }

    /// Writes down what is so, for the record. The receiver compares.
    fn report(&self) {
        let interfaces = self.segments.values().map(|segment| {
            let mut owned: Vec<IpAddr> = segment.owned().iter().copied().collect();
            owned.sort();
            let living = segment.election().peers().filter(|peer| peer.life == Life::Alive);
            let mut peers: Vec<String> = living.filter_map(|peer| Some(peer.name?.to_string())).collect();
            peers.sort();
            let addresses = segment.link().addresses.iter().map(|address| address.addr()).collect();
            let interface = Interface { mac: segment.mac().to_string(), addresses, owned, peers };
            (segment.link().name.clone(), interface)
        });
        let interfaces: BTreeMap<String, Interface> = interfaces.collect();
        let excluded = self.desired.as_ref().and_then(|desired| desired.excluded).map(|why| why.to_string());
        self.record.send_if_modified(|record| {
            let changed = record.interfaces != interfaces || record.excluded != excluded;
            if changed {
                record.interfaces = interfaces;
                record.excluded = excluded;
            }
            changed
        });
    }
}

fn now() -> Now {
    let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Now { mono: clock::since_boot(), wall }
}
