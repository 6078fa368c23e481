//! The LAN task: it owns the node's interfaces, their elections and what is announced, and is the only one that sends.
//!
//! ```text
//!  netlink ─► Links ───┐                       ┌─► ARP and NDP answers
//!  watches ─► Desired ─┼─► Segment (election) ─┼─► heartbeats
//!  frames ─────────────┘                       └─► Announcer ─► gratuitous ARP, unsolicited NA
//! ```
//! It runs on a thread of its own, so that no work for the API server delays an answer, and goes on while the API server is
//! away. In each step it reads what has arrived on every interface before timers act, heartbeats before questions: after a pause
//! it knows what others have claimed before it claims or answers anything. Of each kind of frame it reads so many in a step, so
//! that a flood of one keeps none of the others waiting.
//!
//! [`reconcile`] makes the open interfaces fit what there is and what is wanted; [`report`] tells what is so.

mod reconcile;
mod report;

use super::{
    desired::Desired,
    keys::Keyring,
    metrics::Figures,
    segment::{Change, LONGEST, Segment},
};
use crate::{
    cluster::record::Record,
    net::{Groups, LinkWatch, Links, Received, is_link_down, links},
    ops::clock,
};
use landfall_core::{
    announcer::{self, Announcer, Place},
    elect::Now,
    wire::heartbeat::SpeakerName,
};
use reconcile::Sibling;
use std::{
    collections::{BTreeMap, BTreeSet},
    future::{pending, poll_fn},
    io,
    net::{IpAddr, Ipv6Addr},
    sync::Arc,
    task::Poll,
    time::{Duration, SystemTime},
};
use tokio::{sync::watch, time::sleep};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

/// After something could not be opened, or an interface failed while netlink still calls it fit.
const RETRY: Duration = Duration::from_millis(200);
/// After a group could not be joined.
const REJOIN: Duration = Duration::from_secs(5);
/// Between two looks at what the record says of peers.
const REPORT: Duration = Duration::from_secs(1);
/// How soon a change is reported; what else changes meanwhile is in the same report.
const SOON: Duration = Duration::from_millis(50);

/// What the LAN task is given.
pub struct Setup {
    /// The node's name.
    pub speaker: SpeakerName,
    /// By what it knows the others' heartbeats.
    pub keys: watch::Receiver<Keyring>,
    /// The port of heartbeats that go as datagrams.
    pub port: u16,
    /// What is wanted; none until it is known.
    pub desired: watch::Receiver<Option<Arc<Desired>>>,
    /// The newest version of an object that is in it, which the others are told.
    pub seen: watch::Receiver<u64>,
    /// Where it says that others have seen newer ones.
    pub behind: watch::Sender<u64>,
    /// Where it says what it does.
    pub record: watch::Sender<Record>,
    /// Where it says what can be counted.
    pub figures: watch::Sender<Arc<Figures>>,
    /// Asks it to hand everything over and end.
    pub leave: CancellationToken,
}

/// Runs until everything has been handed over after [`Setup::leave`].
///
/// # Errors
/// Where netlink cannot be used.
pub async fn run(setup: Setup) -> anyhow::Result<()> {
    let mut watch = links().await?;
    let links = watch.changed().await?;
    let mut lan = Lan::new(setup, links);
    let mut buffer = [0; LONGEST];
    while !lan.is_done() {
        let wake = lan.wait(&mut watch, &mut buffer).await?;
        lan.step(wake, &mut buffer);
    }
    lan.report(now());
    Ok(())
}

/// What ended a wait.
enum Wake {
    Links(Arc<Links>),
    Keys(Keyring),
    Desired(Option<Arc<Desired>>),
    Leave,
    Frame(u32, io::Result<Received>),
    Time,
}

struct Lan {
    speaker: SpeakerName,
    keys: watch::Receiver<Keyring>,
    keyring: Keyring,
    port: u16,
    wanted: watch::Receiver<Option<Arc<Desired>>>,
    desired: Option<Arc<Desired>>,
    seen: watch::Receiver<u64>,
    behind: watch::Sender<u64>,
    links: Arc<Links>,
    segments: BTreeMap<u32, Segment>,
    /// Interfaces that keep still, because another one of this node is on the same LAN.
    siblings: BTreeMap<u32, Sibling>,
    /// Interfaces that could not be opened, and why.
    unopened: BTreeMap<u32, String>,
    groups: Groups,
    /// Groups that could not be joined.
    unjoined: BTreeSet<(u32, Ipv6Addr)>,
    announcer: Announcer,
    record: watch::Sender<Record>,
    figures: watch::Sender<Arc<Figures>>,
    findings: report::Findings,
    /// When what could not be opened is tried again.
    retry: Option<Duration>,
    /// When the groups that could not be joined are tried again.
    rejoin: Option<Duration>,
    report: Duration,
    leave: CancellationToken,
    leaving: bool,
}

impl Lan {
    fn new(setup: Setup, links: Arc<Links>) -> Self {
        let Setup { speaker, mut keys, port, desired: wanted, seen, behind, record, figures, leave } = setup;
        let keyring = keys.borrow_and_update().clone();
        Self {
            speaker,
            keys,
            keyring,
            port,
            wanted,
            desired: None,
            seen,
            behind,
            links,
            segments: BTreeMap::new(),
            siblings: BTreeMap::new(),
            unopened: BTreeMap::new(),
            groups: Groups::default(),
            unjoined: BTreeSet::new(),
            announcer: Announcer::default(),
            record,
            figures,
            findings: report::Findings::default(),
            retry: None,
            rejoin: None,
            report: Duration::ZERO,
            leave,
            leaving: false,
        }
    }

    fn is_done(&self) -> bool {
        self.leaving && self.segments.values().all(Segment::is_drained)
    }

    async fn wait(&mut self, watch: &mut LinkWatch, buffer: &mut [u8]) -> anyhow::Result<Wake> {
        let (now, deadline) = (now().mono, self.deadline());
        let sleep = async {
            match deadline {
                Some(deadline) => sleep(deadline.saturating_sub(now)).await,
                None => pending().await,
            }
        };
        let segments = &self.segments;
        let frame = poll_fn(|context| {
            for (index, segment) in segments {
                if let Poll::Ready(received) = segment.poll_recv(context, buffer) {
                    return Poll::Ready((*index, received));
                }
            }
            Poll::Pending
        });
        let (keys, wanted) = (&mut self.keys, &mut self.wanted);
        Ok(tokio::select! {
            biased;
            () = self.leave.cancelled(), if !self.leaving => Wake::Leave,
            links = watch.changed() => Wake::Links(links?),
            // A sender that is gone wants nothing new.
            Ok(()) = keys.changed() => Wake::Keys(keys.borrow_and_update().clone()),
            Ok(()) = wanted.changed() => Wake::Desired(wanted.borrow_and_update().clone()),
            (index, received) = frame => Wake::Frame(index, received),
            () = sleep => Wake::Time,
        })
    }

    fn deadline(&self) -> Option<Duration> {
        let segments = self.segments.values().filter_map(Segment::deadline).min();
        [segments, self.announcer.deadline(), self.retry, self.rejoin, Some(self.report)].into_iter().flatten().min()
    }

    fn step(&mut self, wake: Wake, buffer: &mut [u8]) {
        let now = now();
        let (first, wake) = match wake {
            Wake::Frame(index, received) => (Some((index, received)), Wake::Time),
            wake => (None, wake),
        };
        self.read(first, buffer, now);
        match wake {
            Wake::Links(links) => {
                self.links = links;
                self.reconcile(&BTreeSet::new(), now);
            }
            Wake::Keys(keyring) => self.change_keys(keyring, now),
            Wake::Desired(desired) => self.want(desired, now),
            Wake::Leave => self.leave(now),
            Wake::Frame(..) | Wake::Time => {}
        }
        self.run(now);
    }

    /// Others have seen a newer version than the watches have told.
    fn begin_anew(&self, version: u64) {
        // Once, where they are heard on several segments.
        let is_news = self.behind.send_if_modified(|last| {
            let is_news = *last < version;
            *last = version.max(*last);
            is_news
        });
        if is_news {
            let seen = *self.seen.borrow();
            info!(version, seen, "others have seen newer objects for a while: the watches are begun anew");
        }
    }

    /// Reads every interface. The one whose frame is in the buffer comes first, before the buffer is used again.
    fn read(&mut self, first: Option<(u32, io::Result<Received>)>, buffer: &mut [u8], now: Now) {
        let first_index = first.as_ref().map(|(index, _)| *index);
        let rest = self.segments.keys().copied().filter(|index| Some(*index) != first_index);
        let order: Vec<u32> = first_index.into_iter().chain(rest).collect();
        let mut first = first.map(|(_, received)| received);
        for index in order {
            let Some(segment) = self.segments.get_mut(&index) else { continue };
            let received = first.take().transpose();
            match received.and_then(|received| segment.read(received, buffer, now)) {
                Ok(changes) => self.carry_out(index, changes, now),
                Err(error) => self.fail(index, &error, now),
            }
        }
    }

    fn run(&mut self, now: Now) {
        if self.retry.is_some_and(|at| at <= now.mono) {
            self.reconcile(&BTreeSet::new(), now);
        }
        if self.rejoin.is_some_and(|at| at <= now.mono) {
            self.rejoin(now);
        }
        let open: Vec<u32> = self.segments.keys().copied().collect();
        // What the watches have told wakes nobody: a beat comes soon.
        let seen = *self.seen.borrow();
        for index in open {
            let changes = self.segments.get_mut(&index).map(|segment| segment.run(seen, now)).unwrap_or_default();
            self.carry_out(index, changes, now);
            if let Some(segment) = self.segments.get_mut(&index) {
                segment.speak();
            }
        }
        // What goes out there would draw questions that do not come in.
        let quiet = |interface| self.segments.get(&interface).is_some_and(Segment::is_isolated);
        for Place { interface, vip } in self.announcer.due(now.mono, quiet) {
            let Some(segment) = self.segments.get_mut(&interface) else { continue };
            segment.count_announcement();
            let sent = announcer::frames(vip, segment.mac()).iter().try_for_each(|frame| segment.send(frame));
            if let Err(error) = sent {
                self.fail(interface, &error, now);
            }
        }
        if self.report <= now.mono {
            self.report = now.mono + REPORT;
            self.report(now);
            self.segments.values_mut().for_each(|segment| segment.tell(now));
            self.measure();
        }
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

    /// What follows outside of a segment is done here: groups joined, announcements planned, siblings told apart.
    fn carry_out(&mut self, interface: u32, changes: Vec<Change>, now: Now) {
        for change in changes {
            match change {
                Change::Claimed(vip) => self.join(interface, vip, now),
                Change::Acquired(vip) | Change::Moved(vip) => {
                    self.announcer.acquire(Place { interface, vip }, now.mono);
                }
                Change::Contested(vip) => self.announcer.repeat(Place { interface, vip }, now.mono),
                Change::Silenced(vip) => self.announcer.release(Place { interface, vip }),
                Change::Foreign => {}
                Change::Released(vip) => {
                    self.forget(interface, vip);
                    // An interface that was still open for it alone may be closed now.
                    if self.segments.get(&interface).is_some_and(|segment| segment.claimed().next().is_none()) {
                        self.retry = Some(now.mono);
                    }
                }
                Change::Behind(version) => {
                    self.begin_anew(version);
                    continue;
                }
                Change::Namesake { boot, counter } => {
                    self.tell_apart(interface, boot, counter, now);
                    continue;
                }
            }
            self.report_soon(now);
        }
    }

    fn report_soon(&mut self, now: Now) {
        self.report = self.report.min(now.mono + SOON);
    }

    fn join(&mut self, interface: u32, vip: IpAddr, now: Now) {
        let IpAddr::V6(vip) = vip else { return };
        let Err(error) = self.groups.join(interface, vip) else {
            self.unjoined.remove(&(interface, vip));
            return;
        };
        // Said once: it is tried again and again.
        if self.unjoined.insert((interface, vip)) {
            warn!(%vip, %error, "cannot join the address's solicited-node group: some switches will not deliver questions");
        }
        if let Some(Err(error)) = self.segments.get_mut(&interface).map(Segment::hear_all_groups) {
            debug!(interface, %error, "cannot hear all groups either");
        }
        self.rejoin = Some(now.mono + REJOIN);
    }

    /// Tries those again that could not be joined and are still wanted.
    fn rejoin(&mut self, now: Now) {
        self.rejoin = None;
        for (interface, vip) in self.unjoined.clone() {
            if self.segments.get(&interface).is_some_and(|segment| segment.claims(vip.into())) {
                self.join(interface, vip.into(), now);
            } else {
                self.unjoined.remove(&(interface, vip));
            }
        }
    }

    fn forget(&mut self, interface: u32, vip: IpAddr) {
        self.announcer.release(Place { interface, vip });
        if let IpAddr::V6(vip) = vip
            && !self.unjoined.remove(&(interface, vip))
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
        self.report_soon(now);
    }

    fn close(&mut self, index: u32) {
        let Some(segment) = self.segments.remove(&index) else { return };
        segment.claimed().for_each(|vip| self.forget(index, vip));
        info!(interface = segment.link().name, "no longer listening");
    }
}

fn now() -> Now {
    let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Now { mono: clock::since_boot(), wall }
}
