//! One interface's part: its sockets, its election, and the VIPs that it answers for.
//!
//! Frames go in; answers go out at once, and what follows for the rest of the node goes to the LAN task as [`Change`]s.
//! What the election gives the interface, the watch for foreign hosts (`conflicts`) lets it answer for.

mod asking;
mod conflicts;
mod figures;
mod heartbeats;
mod turn;

pub use asking::Gateway;
pub use figures::{Figures, Tally};

use super::{
    desired::{Desired, Reaches},
    eligibility,
    holdings::{self, Holdings, Origin},
};
use crate::net::{Interest, Link, PacketSocket, Received, Traffic, is_link_down};
use asking::Stations;
use landfall_core::{
    conflict::Watch,
    elect::{Election, Identity, Ignored, Input, Now, Output, Released, Timing, Wish},
    responder::{self, Answer, Counters},
    wire::{
        datagram,
        ethernet::{Header, MacAddr},
        seal::{Keys, Unsealed},
    },
};
use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    io,
    net::IpAddr,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tracing::{debug, info, warn};
use turn::Turn;

/// The longest frame that is read: an Ethernet frame with its header.
pub const LONGEST: usize = 1514;
/// Between two lines in the log about what was lost.
const TELL: Duration = Duration::from_secs(60);

/// What the LAN task has to do after a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// The VIP is this speaker's to look after: questions for it are to come here.
    Claimed(IpAddr),
    /// It is answered for from now on: it is to be announced.
    Acquired(IpAddr),
    /// It is answered for no longer, and still claimed.
    Silenced(IpAddr),
    /// A foreign host claims it, too: it is to be announced once.
    Contested(IpAddr),
    /// It is not claimed any more.
    Released(IpAddr),
    /// What foreign hosts are found to use has changed.
    Foreign,
    /// It is answered for from another MAC than before, or heard again: it is to be announced again.
    Moved(IpAddr),
    /// Others have seen this version of an object, and this speaker has not.
    Behind(u64),
    /// A speaker with this one's name is heard.
    Namesake {
        /// Its boot id.
        boot: u64,
        /// Which of its frames that was.
        counter: u64,
    },
}

/// Frames that were lost, by where.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Losses {
    /// Frames with the heartbeats' ethertype, and datagrams to their group, that were none of this cluster's, by why.
    pub unsealed: BTreeMap<Unsealed, u64>,
    /// Frames that the kernel's queue had no room for, on their way in.
    pub unread: u64,
    /// Frames that the interface's queue had no room for, on their way out.
    pub unsent: u64,
    /// Addresses in use by foreign hosts that there was no room to remember.
    pub forgotten: u64,
}

/// By what an interface takes part among the speakers of its LAN.
#[derive(Debug, Clone)]
pub struct Membership {
    /// Who this speaker is there.
    pub identity: Identity,
    /// What heartbeats are sealed with.
    pub keys: Arc<Keys>,
    /// The port of heartbeats that go as datagrams.
    pub port: u16,
}

/// An interface on which this speaker takes part.
pub struct Segment {
    link: Link,
    mac: MacAddr,
    membership: Membership,
    stations: Stations,
    gateway: Option<Gateway>,
    was_isolated: bool,
    socket: PacketSocket,
    election: Election,
    watch: Watch,
    /// What was wanted last, and what of that of the election.
    desired: Arc<Desired>,
    wanted: BTreeMap<IpAddr, Wish>,
    /// VIPs that are claimed here and not answered for: they are probed, or a foreign host has them.
    silent: BTreeMap<IpAddr, Origin>,
    owned: HashSet<IpAddr>,
    /// Which addresses the kernel lets questions and words about through, and whether that is still so.
    interest: Option<Interest>,
    is_interest_stale: bool,
    hears_all_groups: bool,
    /// What is to be sent at the end of this step.
    outbox: Vec<Vec<u8>>,
    holdings: Holdings,
    drained: bool,
    counters: Counters,
    losses: Losses,
    tally: Tally,
    /// What the log was told last, and when it may be told again.
    told: (Losses, BTreeMap<Ignored, u64>),
    tell: Duration,
}

impl Segment {
    /// Opens the interface. Its election starts with an empty memory: what the others claimed meanwhile is heard first.
    pub fn open(link: Link, mac: MacAddr, membership: Membership, desired: Arc<Desired>, now: Now) -> io::Result<Self> {
        Ok(Self {
            socket: PacketSocket::open(link.index)?,
            election: Election::new(membership.identity.clone(), Timing::default(), now),
            watch: Watch::new(membership.identity.boot),
            membership,
            stations: Stations::default(),
            gateway: None,
            was_isolated: false,
            desired,
            wanted: BTreeMap::new(),
            silent: BTreeMap::new(),
            owned: HashSet::new(),
            interest: None,
            is_interest_stale: true,
            hears_all_groups: false,
            outbox: Vec::new(),
            holdings: Holdings::default(),
            drained: false,
            counters: Counters::default(),
            losses: Losses::default(),
            tally: Tally::default(),
            told: (Losses::default(), BTreeMap::new()),
            tell: now.mono + TELL,
            link,
            mac,
        })
    }

    /// The interface as it is.
    pub fn link(&self) -> &Link {
        &self.link
    }

    /// The boot id in its frames: each segment has one of its own, since each starts with an empty memory.
    pub fn boot(&self) -> u64 {
        self.membership.identity.boot
    }

    /// Its Ethernet address.
    pub fn mac(&self) -> MacAddr {
        self.mac
    }

    /// The VIPs that it answers for.
    pub fn owned(&self) -> &HashSet<IpAddr> {
        &self.owned
    }

    /// These, and those that it claims and does not answer for.
    pub fn claimed(&self) -> impl Iterator<Item = IpAddr> {
        self.owned.iter().chain(self.silent.keys()).copied()
    }

    /// Whether it claims `vip`, be it answered for or not.
    pub fn claims(&self, vip: IpAddr) -> bool {
        self.owned.contains(&vip) || self.silent.contains_key(&vip)
    }

    /// Those that it answers for, and how they came, for the record.
    pub fn holdings(&self) -> &Holdings {
        &self.holdings
    }

    /// The election, for the record.
    pub fn election(&self) -> &Election {
        &self.election
    }

    /// Whether everything has been handed over after [`Segment::drain`].
    pub fn is_drained(&self) -> bool {
        self.drained
    }

    /// When [`Segment::run`] is next due.
    pub fn deadline(&self) -> Option<Duration> {
        self.election.deadline().into_iter().chain(self.watch.deadline()).min()
    }

    /// Waits for a frame.
    pub fn poll_recv(&self, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<Received>> {
        self.socket.poll_recv(context, buffer)
    }

    /// The cluster's keys have changed.
    pub fn set_keys(&mut self, keys: Arc<Keys>) {
        self.membership.keys = keys;
    }

    /// The interface changed, but can still carry frames. Says which VIPs are to be announced anew.
    pub fn update(&mut self, link: Link, mac: MacAddr) -> Vec<Change> {
        self.link = link;
        if self.mac == mac {
            return Vec::new();
        }
        info!(interface = self.link.name, %mac, "the interface's address changed");
        self.mac = mac;
        self.owned.iter().copied().map(Change::Moved).collect()
    }

    /// Tells the election what is wanted now, of an interface that may announce as far as `reaches`. `withdrawn` are the VIPs
    /// that no Service has any more, or another one.
    pub fn want(
        &mut self,
        desired: &Arc<Desired>,
        reaches: &Reaches,
        withdrawn: &BTreeSet<IpAddr>,
        now: Now,
    ) -> Vec<Change> {
        self.desired = desired.clone();
        self.is_interest_stale = true;
        withdrawn.iter().for_each(|vip| self.watch.release(*vip));
        let eligible = |(vip, wanted): (&IpAddr, &_)| {
            eligibility::eligible(&self.link, *vip, wanted, reaches)
                .inspect_err(|why| debug!(interface = self.link.name, %vip, %why, "not answered for here"))
                .ok()
                .map(|wish| (*vip, wish))
        };
        let wanted: BTreeMap<IpAddr, Wish> = desired.vips.iter().filter_map(eligible).collect();
        let before = std::mem::replace(&mut self.wanted, wanted);
        let weigh = Input::Weigh(desired.weights(&self.link.name));
        let withdraw = withdrawn.iter().map(|vip| Input::Withdraw { vip: *vip });
        let gone = before.keys().filter(|vip| !self.wanted.contains_key(vip) && !withdrawn.contains(vip));
        let unwant = gone.map(|vip| Input::Unwant { vip: *vip });
        let new = self.wanted.iter().filter(|(vip, wish)| before.get(vip) != Some(wish) || withdrawn.contains(vip));
        let want = new.map(|(vip, wish)| Input::Want { vip: *vip, wish: *wish });
        let inputs: Vec<Input> = [weigh].into_iter().chain(withdraw).chain(unwant).chain(want).collect();
        let mut changes = self.elect_all(inputs, now);
        changes.extend(self.retell(now));
        changes
    }

    /// Says what the election and the watch have to say. To be called once all else that follows is carried out, groups joined
    /// among it: who hears that a VIP is claimed here, answers for it no longer, so it must be heard here by then.
    pub fn speak(&mut self) {
        self.listen();
        for frame in std::mem::take(&mut self.outbox) {
            if let Err(error) = self.send(&frame) {
                // The next read says so too, and closes the segment.
                debug!(interface = self.link.name, %error, "a frame was not sent");
            }
        }
    }

    /// Tells the kernel what is to be heard from now on: words about all VIPs, questions for those that are claimed or rest here.
    fn listen(&mut self) {
        if !self.is_interest_stale {
            return;
        }
        let known: Vec<IpAddr> = self.watch.known().collect();
        let gateway = self.gateway.map(|gateway| gateway.address.into());
        let said = self.desired.vips.keys().chain(&known).copied().chain(gateway);
        let interest = Interest::new(said, known.iter().copied());
        if self.interest.as_ref() != Some(&interest)
            && let Err(error) = self.socket.listen_for(&interest)
        {
            debug!(interface = self.link.name, %error, "what is to be heard could not be told, trying again");
            return;
        }
        (self.interest, self.is_interest_stale) = (Some(interest), false);
    }

    /// A VIP's group could not be joined: all are heard instead.
    pub fn hear_all_groups(&mut self) -> io::Result<()> {
        if !self.hears_all_groups {
            self.socket.hear_all_groups(self.link.index)?;
            self.hears_all_groups = true;
        }
        Ok(())
    }

    /// Hands everything over.
    pub fn drain(&mut self, now: Now) -> Vec<Change> {
        self.elect(Input::Drain, now)
    }

    /// Reads what has arrived: `first`, which is in the buffer, then as its [`Turn`] says: heartbeats come before questions, and
    /// only some of each, so that neither a claim nor a timer waits behind a flood. An error says that the interface is down.
    pub fn read(&mut self, first: Option<Received>, buffer: &mut [u8], now: Now) -> io::Result<Vec<Change>> {
        let (mut changes, mut turn) = (Vec::new(), Turn::default());
        let mut next = match first {
            Some(received) => Some(received),
            None => self.socket.try_recv_of(turn.order(), buffer)?,
        };
        while let Some(received) = next {
            turn.count(received.traffic);
            changes.extend(self.hear(received.traffic, &buffer[..received.len.min(buffer.len())], now)?);
            next = self.socket.try_recv_of(turn.order(), buffer)?;
        }
        Ok(changes)
    }

    /// Takes over what the kernel counts, and tells the log, at most once a minute, what was lost or not listened to since it
    /// was told last.
    pub fn tell(&mut self, now: Now) {
        if let Ok(drops) = self.socket.take_drops() {
            self.losses.unread += drops.iter().map(|(_, count)| u64::from(*count)).sum::<u64>();
        }
        self.losses.forgotten = self.watch.forgotten();
        if now.mono < self.tell {
            return;
        }
        self.tell = now.mono + TELL;
        let mut ignored = self.election.ignored().clone();
        // Of what goes both ways each second copy, on any healthy LAN.
        ignored.remove(&Ignored::OldCounter);
        let now = (self.losses.clone(), ignored);
        if now != self.told {
            let Losses { unsealed, unread, unsent, forgotten } = &now.0;
            warn!(interface = self.link.name, ?unsealed, unread, unsent, forgotten, ignored = ?now.1, "frames were lost or refused, so many since the start");
            self.told = now;
        }
    }

    /// Whether nothing is heard on the interface any more.
    pub fn is_isolated(&self) -> bool {
        self.election.is_isolated()
    }

    /// Does what is due by now. `seen` is the newest version of an object that the watches have told.
    pub fn run(&mut self, seen: u64, now: Now) -> Vec<Change> {
        let mut changes = Vec::new();
        if self.election.seen() < seen {
            changes.extend(self.elect(Input::Seen(seen), now));
        }
        let is_isolated = self.is_isolated();
        if std::mem::replace(&mut self.was_isolated, is_isolated) && !is_isolated {
            // What was not announced meanwhile.
            changes.extend(self.owned.iter().copied().map(Change::Moved));
        }
        if self.election.deadline().is_some_and(|due| due <= now.mono) {
            changes.extend(self.elect(Input::Timer, now));
        }
        if self.watch.deadline().is_some_and(|due| due <= now.mono) {
            let outputs = self.watch.run(now.mono);
            changes.extend(self.obey(outputs, now));
        }
        changes
    }

    /// Sends a frame. One for which the queue has no room is counted: everything is said again later.
    pub fn send(&mut self, frame: &[u8]) -> io::Result<()> {
        match self.socket.send(frame) {
            Err(error) if is_link_down(&error) => Err(error),
            Err(error) => {
                self.losses.unsent += 1;
                debug!(interface = self.link.name, %error, "a frame was not sent");
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    fn hear(&mut self, traffic: Traffic, frame: &[u8], now: Now) -> io::Result<Vec<Change>> {
        match traffic {
            Traffic::Heartbeat => {
                return Ok(self.hear_sealed(frame.get(Header::LEN..).unwrap_or_default(), Input::Frame, now));
            }
            Traffic::Datagram => {
                let Some(sealed) = datagram::parse(frame, self.membership.port) else {
                    *self.losses.unsealed.entry(Unsealed::Foreign).or_default() += 1;
                    return Ok(Vec::new());
                };
                return Ok(self.hear_sealed(sealed, Input::Around, now));
            }
            Traffic::Arp | Traffic::Ndp => {}
        }
        let reaction = responder::answer(frame, self.mac, |vip| self.owned.contains(&vip));
        self.counters.count(&reaction);
        if reaction != Err(responder::Ignored::Own) {
            self.election.overhear(now.mono);
        }
        // A question may say something, too: that its sender has the address from which it comes.
        match reaction {
            Ok(Answer::Reply(reply)) => self.send(&reply)?,
            Ok(Answer::Claimed { .. }) | Err(_) => {}
        }
        Ok(self.overhear(frame, now))
    }

    fn elect(&mut self, input: Input, now: Now) -> Vec<Change> {
        self.elect_all(vec![input], now)
    }

    /// Thousands of VIPs may be left at once: what is said of them goes out together.
    fn elect_all(&mut self, inputs: Vec<Input>, now: Now) -> Vec<Change> {
        let mut changes = Vec::new();
        for output in self.election.handle_all(inputs, now) {
            match output {
                Output::Send(frame) => self.say(&frame),
                Output::Around(frame) => self.say_around(&frame),
                Output::Announce { vip } if self.owned.contains(&vip) => changes.push(Change::Contested(vip)),
                Output::Announce { .. } => {}
                Output::Seek => self.seek(),
                Output::Question { suspect, vip } => self.question(suspect, vip),
                Output::Acquire { vip, epoch, why, from, unheard } => {
                    let (why, from) = (holdings::cause(why), from.map(|from| from.to_string()));
                    debug!(interface = self.link.name, %vip, epoch, %why, from, ?unheard, "claimed");
                    if let Some(unheard) = unheard {
                        self.tally.found_dead.observe(unheard.found_dead);
                        self.tally.taken_over.observe(unheard.claimed);
                    }
                    changes.extend(self.claim(vip, Origin { why, from, unheard }, now));
                }
                Output::Release { vip, why } => {
                    info!(interface = self.link.name, %vip, why = released(why), "no longer answering");
                    self.owned.remove(&vip);
                    self.silent.remove(&vip);
                    self.is_interest_stale = true;
                    self.holdings.release(vip);
                    match why {
                        Released::Withdrawn => self.watch.release(vip),
                        Released::HandedOver | Released::NoSuccessor | Released::Outbid => self.watch.hand_over(vip),
                    }
                    changes.push(Change::Released(vip));
                }
                Output::Behind { version } => changes.push(Change::Behind(version)),
                Output::Drained => self.drained = true,
            }
        }
        changes
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        if !self.owned.is_empty() {
            warn!(interface = self.link.name, vips = self.owned.len(), "the interface is closed, its addresses move");
        }
        debug!(interface = self.link.name, counters = ?self.counters, losses = ?self.losses, tally = ?self.tally, "closed");
    }
}

fn released(why: Released) -> &'static str {
    match why {
        Released::HandedOver => "handed over",
        Released::NoSuccessor => "given up, and nobody claimed it",
        Released::Outbid => "another's claim is greater",
        Released::Withdrawn => "released from its Service",
    }
}
