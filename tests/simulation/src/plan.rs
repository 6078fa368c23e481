//! What a run is made of: its size, what the LAN does, what happens when, and what is allowed.

use landfall_core::elect::{Tier, Timing};
use std::{net::IpAddr, time::Duration};

/// Milliseconds.
pub const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// The address of the VIP with this number: every third is IPv6.
pub fn vip(number: usize) -> IpAddr {
    let low = number as u32;
    if number % 3 == 2 {
        std::net::Ipv6Addr::from_bits(0x2001_0db8_u128 << 96 | u128::from(low)).into()
    } else {
        std::net::Ipv4Addr::from_bits(u32::from_be_bytes([203, 0, 113, 0]).wrapping_add(low)).into()
    }
}

/// A speaker: by number, or whoever owns a VIP when it happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// This one.
    Speaker(usize),
    /// The owner of the VIP with this number, on the first LAN that has one; nobody, where none has.
    OwnerOf(usize),
    /// The owner of the VIP on this LAN, by their numbers.
    OwnerOn(usize, usize),
}

/// Where a speaker is: one interface of a node. What befalls the process befalls all speakers of the node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seat {
    /// Which node.
    pub node: usize,
    /// Which LAN.
    pub lan: usize,
}

/// What happens.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// The speaker's node starts it and its others, with empty memories.
    Start(usize),
    /// The speaker's cable is pulled: its interface takes part no more, and anew after this long.
    Pull(Who, Duration),
    /// The cable is in again.
    Plug(usize),
    /// It is gone, without a word.
    Crash(Who),
    /// It is gone, and starts again after this long.
    Restart(Who, Duration),
    /// It stands still for so long; what comes meanwhile waits for it, or is lost.
    Pause {
        /// Which speaker.
        who: Who,
        /// How long.
        length: Duration,
        /// Whether frames wait.
        backlog: bool,
    },
    /// It is told to leave, exits when it has drained, and starts again after this long if it is to.
    Drain(Who, Option<Duration>),
    /// It can answer for the VIP.
    Want(usize, usize),
    /// It no longer can.
    Unwant(Who, usize),
    /// It can answer for the VIP as well as before, or only for want of better, or as well again.
    Place(Who, usize, Tier),
    /// The VIP is released from its Service; speakers hear of it by and by.
    Release(usize),
    /// It hears that the VIP is released.
    Withdraw(usize, usize),
    /// Frames of the first no longer reach the second.
    Cut(usize, usize),
    /// Nothing reaches the speaker any more,
    Deafen(Who),
    /// or nothing that it sends goes anywhere.
    Mute(Who),
    /// Nothing reaches the speaker any more, and nothing that it sends goes anywhere, the gateway included; its cable is in.
    Isolate(Who),
    /// That speaker is back. To the others nothing has happened.
    Rejoin,
    /// The LAN drops the heartbeats' ethertype, or no longer.
    Block(bool),
    /// Somebody records frames and sends old ones again and again, or stops.
    Replay(bool),
    /// All frames go everywhere again.
    Heal,
    /// Its wall clock jumps by so many milliseconds.
    Jump(usize, i64),
    /// Every speaker's timers and frames are late by up to this much.
    Starve(Duration),
}

/// How long what must not be may last before it counts.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Nobody answers although a speaker could.
    pub silence: Duration,
    /// Two answer that hear each other, directly or through others.
    pub double: Duration,
    /// Whether a VIP may leave an owner that nothing ails.
    pub needless_moves: bool,
    /// Whether each VIP is to be with the same owner in the end as when one was isolated.
    pub restored: bool,
    /// A LAN on which no VIP may move at all once all have settled.
    pub untouched: Option<usize>,
}

/// A run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// How many speakers.
    pub speakers: usize,
    /// Where each is; those without a seat are on a node of their own, on the first LAN.
    pub seats: Vec<Seat>,
    /// How many VIPs.
    pub vips: usize,
    /// How much each speaker is preferred for all of them; empty: all alike.
    pub weights: Vec<u16>,
    /// What becomes of frames.
    pub lan: crate::lan::Quality,
    /// How long everything takes.
    pub timing: Timing,
    /// Whether the LAN has a gateway that answers.
    pub gateway: bool,
    /// What happens, in any order.
    pub actions: Vec<(Duration, Action)>,
    /// How long it runs.
    pub length: Duration,
    /// What is allowed.
    pub bounds: Bounds,
}

impl Plan {
    /// One in which nothing happens to these speakers, each on a node of its own on one LAN, and everything is allowed.
    pub fn new(speakers: usize, vips: usize, length: Duration) -> Self {
        Self {
            speakers,
            seats: Vec::new(),
            vips,
            weights: Vec::new(),
            lan: crate::lan::Quality::default(),
            timing: Timing::default(),
            gateway: true,
            actions: Vec::new(),
            length,
            bounds: Bounds { silence: length, double: length, needless_moves: true, restored: false, untouched: None },
        }
    }

    /// Where the speaker is.
    pub fn seat(&self, number: usize) -> Seat {
        self.seats.get(number).copied().unwrap_or(Seat { node: number, lan: 0 })
    }
}
