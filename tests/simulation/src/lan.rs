//! The segment: who hears whom, and what becomes of a frame on its way.

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use std::{collections::BTreeSet, time::Duration};

/// What the LAN does to frames.
#[derive(Debug, Clone, Copy, Default)]
pub struct Quality {
    /// Of a thousand frames, so many never arrive,
    pub lost: u32,
    /// so many arrive twice,
    pub doubled: u32,
    /// and so many are overtaken: they take up to 20 ms longer.
    pub overtaken: u32,
}

/// The segment between numbered speakers.
#[derive(Debug)]
pub struct Lan {
    /// What it does to frames.
    pub quality: Quality,
    /// Pairs (from, to) whose frames do not arrive.
    cut: BTreeSet<(usize, usize)>,
    /// Those whom the gateway does not hear, or who do not hear it.
    no_gateway: BTreeSet<usize>,
    /// Whether frames of the heartbeats' ethertype are dropped.
    pub blocked: bool,
}

impl Lan {
    /// A segment where everybody hears everybody.
    pub fn new(quality: Quality) -> Self {
        Self { quality, cut: BTreeSet::new(), no_gateway: BTreeSet::new(), blocked: false }
    }

    /// Cuts one direction.
    pub fn cut(&mut self, from: usize, to: usize) {
        self.cut.insert((from, to));
    }

    /// Mends everything.
    pub fn heal(&mut self) {
        self.cut.clear();
        self.no_gateway.clear();
    }

    /// Cuts one speaker off from the gateway.
    pub fn cut_gateway(&mut self, speaker: usize) {
        self.no_gateway.insert(speaker);
    }

    /// Whether it has an answer from the gateway.
    pub fn has_gateway(&self, speaker: usize) -> bool {
        !self.no_gateway.contains(&speaker)
    }

    /// Mends all that keeps one speaker apart.
    pub fn rejoin(&mut self, speaker: usize) {
        self.cut.retain(|(from, to)| *from != speaker && *to != speaker);
        self.no_gateway.remove(&speaker);
    }

    /// Whether frames of `from` reach `to`.
    pub fn reaches(&self, from: usize, to: usize) -> bool {
        !self.cut.contains(&(from, to))
    }

    /// After how long copies of one frame arrive at `to`.
    pub fn deliveries(&self, from: usize, to: usize, rng: &mut ChaCha8Rng) -> Vec<Duration> {
        let copies = 1 + usize::from(rng.random_range(0..1000) < self.quality.doubled);
        let mut arrivals = Vec::new();
        for _ in 0..copies {
            let lost = rng.random_range(0..1000) < self.quality.lost;
            let overtaken = rng.random_range(0..1000) < self.quality.overtaken;
            let micros = rng.random_range(50..300) + if overtaken { rng.random_range(0..20_000) } else { 0 };
            if !lost && self.reaches(from, to) {
                arrivals.push(Duration::from_micros(micros));
            }
        }
        arrivals
    }

    /// For each of `speakers` its group: those that hear each other both ways, directly or through others.
    pub fn groups(&self, speakers: &[usize]) -> Vec<Vec<usize>> {
        if self.cut.is_empty() {
            return vec![speakers.to_vec()];
        }
        let mut left: BTreeSet<usize> = speakers.iter().copied().collect();
        let mut groups = Vec::new();
        while let Some(first) = left.pop_first() {
            let mut group = vec![first];
            let mut next = 0;
            while next < group.len() {
                let one = group[next];
                let near: Vec<usize> = left
                    .iter()
                    .copied()
                    .filter(|other| self.reaches(one, *other) && self.reaches(*other, one))
                    .collect();
                for other in near {
                    left.remove(&other);
                    group.push(other);
                }
                next += 1;
            }
            group.sort_unstable();
            groups.push(group);
        }
        groups
    }
}
