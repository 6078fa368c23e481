//! The election as a machine: two of them on a LAN that loses, repeats and forges, told anything in any order.
//!
//! An input is a list of steps of eight octets each (`step`). `lan` carries them out and brings frames from one speaker to the
//! other, `forge` writes frames of peers that claim anything, and `judge` stands beside each speaker: what must hold whatever
//! happens. In the end the LAN is mended and left alone, and the two have to agree.

mod forge;
mod judge;
mod lan;
mod seeds;
mod step;

use lan::Lan;
pub use seeds::seeds;
use step::Step;

/// More than this is the same again, and takes long.
const MOST_STEPS: usize = 128;

/// The rules, after each step and in the end.
pub fn check(octets: &[u8]) {
    let mut lan = Lan::new();
    for octets in octets.as_chunks().0.iter().take(MOST_STEPS) {
        lan.step(Step::of(*octets));
    }
    lan.settle();
}
