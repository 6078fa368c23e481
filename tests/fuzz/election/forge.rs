//! Frames of speakers that are not there, and that may claim anything: what whoever has the key could send, or a release of
//! Landfall with faults.

use super::step::{many, vip};
use landfall_core::{
    elect::hash,
    wire::heartbeat::{Claim, Echo, Frame, Heard, Holder, Kind, SpeakerId, SpeakerName, State},
};
use std::{net::IpAddr, time::Duration};

/// The two that are there, and others.
pub const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];
/// So many unknown speakers are in one frame.
const CROWD: u64 = 40;
/// With fewer there is room for those that are there.
const ROOM: u64 = 900;

/// Whoever forges, and what the next frame says.
#[derive(Default)]
pub struct Forger {
    claims: Vec<Claim>,
    heard: Vec<Heard>,
    echoes: Vec<Echo>,
    counters: [u64; NAMES.len()],
    crowd: u64,
    /// It has done what the election is not made to recover from: taken the name of one that is there, filled the segment, or
    /// said the last of all epochs, which nobody can exceed.
    pub is_foul: bool,
}

/// By number: one with a name, or an unlikely one.
pub fn speaker(number: u8) -> SpeakerId {
    let at = usize::from(number) % (NAMES.len() + 2);
    match NAMES.get(at) {
        Some(name) => hash::speaker_id(&SpeakerName::new(*name).expect("it is a node's name")),
        None if at == NAMES.len() => SpeakerId(0),
        None => SpeakerId(u64::MAX),
    }
}

impl Forger {
    /// One claim more, of the frame's sender or another; `wall` is the present.
    pub fn claim(&mut self, [address, epochs, what, of]: [u8; 4], wall: Duration) {
        let wall = wall.as_millis() as u64;
        let mut time = |choice: u8| match choice % 8 {
            0 => 0,
            1 => 1,
            2 => wall,
            3 => wall + 1,
            4 => wall.saturating_sub(1_000),
            5 => wall + 3_600_000,
            6 => u64::MAX / 2,
            _ => {
                self.is_foul = true;
                u64::MAX
            }
        };
        let epoch = time(epochs);
        let after = if what & 0x40 == 0 { 0 } else { time(epochs >> 4) };
        let states = [State::Held, State::Yielding, State::Leaving, State::Vacant, State::Released];
        let holder = Holder { speaker: speaker(of >> 3), boot: u64::from(of % 4) };
        self.claims.push(Claim {
            vip: vip(address),
            epoch,
            after,
            firm: what & 0x80 == 0,
            state: states[usize::from(what & 0x0f) % states.len()],
            of: (of & 0x04 != 0).then_some(holder),
        });
    }

    /// One that the sender hears, or whose challenge it has read.
    pub fn heard(&mut self, [number, what, value]: [u8; 3]) {
        let speaker = speaker(number);
        if what % 2 == 0 {
            self.heard.push(Heard { speaker, age: Duration::from_millis(u64::from(value) * 4) });
        } else {
            self.echoes.push(Echo { speaker, challenge: u32::from(value), wanted: what & 2 != 0 });
        }
    }

    /// Claims of many that nobody has heard.
    pub fn crowd(&mut self, number: u8) {
        self.crowd += CROWD;
        self.is_foul |= self.crowd > ROOM;
        self.claims.extend((0..CROWD).zip(many()).map(|(at, vip)| {
            let of = Holder { speaker: SpeakerId(1_000 + u64::from(number) * CROWD + at), boot: 1 };
            Claim { vip, epoch: 1, after: 0, firm: true, state: State::Held, of: Some(of) }
        }));
    }

    /// The frame with all of that, where it is one; `to` has this challenge, and is told it if the sender is to be known.
    pub fn frame(
        &mut self,
        [who, run, kind, flags, interval, about]: [u8; 6],
        cluster: u64,
        to: (SpeakerId, u32),
    ) -> Option<Frame> {
        let number = usize::from(who) % NAMES.len();
        self.is_foul |= number < 2;
        let counter = &mut self.counters[number];
        *counter = if run & 0x80 == 0 { *counter + 1 } else { counter.saturating_sub(1) };
        let is = |bit: u8| flags & 1 << bit != 0;
        let claims = std::mem::take(&mut self.claims);
        let mut echoes = std::mem::take(&mut self.echoes);
        if is(0) {
            echoes.push(Echo { speaker: to.0, challenge: to.1, wanted: is(1) });
        }
        let own = claims.iter().filter(|claim| claim.of.is_none() && claim.state.answers());
        let digest = if is(2) { own.fold(0, |all, claim| all ^ hash::digest(claim)) } else { u64::from(about) };
        let weights = if is(5) { vec![1 + u16::from(about)] } else { Vec::new() };
        let frame = Frame {
            cluster: if is(6) { cluster + 1 } else { cluster },
            speaker: SpeakerName::new(NAMES[number]).expect("it is a node's name"),
            boot: 1 + u64::from(run % 4),
            counter: *counter,
            draining: is(3),
            listening: is(4),
            interval: Duration::from_millis([0, 100, 1_000, 4_000][usize::from(interval) % 4]),
            lateness: Duration::from_millis(u64::from(interval >> 2) * 10),
            digest,
            seen: u64::from(about % 8),
            challenge: u32::from(run >> 2),
            weights,
            kind: self.kind(kind, about),
            heard: std::mem::take(&mut self.heard),
            echoes,
            claims,
        };
        // What no frame can say never comes off the wire.
        Frame::parse(&frame.emit()).ok()
    }

    fn kind(&self, kind: u8, about: u8) -> Kind {
        match kind % 5 {
            1 => Kind::Ask { suspect: speaker(about) },
            2 => Kind::Fetch { peer: speaker(about) },
            3 => Kind::Snapshot { first: vip(4), last: vip(7) },
            4 => {
                let [one, other]: [IpAddr; 2] = [vip(about), vip(about >> 4)];
                Kind::Snapshot { first: one.min(other), last: one.max(other) }
            }
            _ => Kind::Beat,
        }
    }
}
