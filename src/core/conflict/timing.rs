//! How long everything takes: RFC 5227 for IPv4, RFC 4862 for IPv6, and much shorter by default.
//!
//! The RFCs' times are for hosts that all start at once after a power cut, on networks of any speed. A host on a LAN of
//! today answers within a millisecond, and is asked three times.

use crate::{addr::Family, config::Probe};
use std::{ops::Range, time::Duration};

/// The least time between two defences of a VIP (RFC 5227, section 1.1: `DEFEND_INTERVAL`).
pub const DEFEND: Duration = Duration::from_secs(10);
/// A station that is silent so long about an address of ours is asked whether it still has it.
pub const AGAIN: Duration = Duration::from_secs(60);
/// Of several foreign hosts with one VIP, or of one whose address changes, the first is told until it has been silent so long:
/// each that is told is a write and an Event, and anybody on the LAN can send under any address.
pub const STAYS: Duration = Duration::from_secs(60);
/// How long a station is unknown before it is foreign: it may be a speaker that has not been heard yet.
pub const UNKNOWN: Duration = Duration::from_secs(2);
/// Between two probes, when there are many VIPs to probe: 1,000 frames/s.
pub const PACE: Duration = Duration::from_millis(1);
/// Probes that may go out at once after a quiet time.
pub const BURST: u32 = 50;

const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// When the probes of one round are sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// How many.
    pub probes: u32,
    /// Until the first.
    pub first: Range<Duration>,
    /// From one to the next.
    pub gap: Range<Duration>,
    /// From the last until nobody has objected.
    pub wait: Duration,
}

impl Schedule {
    /// Of a round for an address of this family. Without probing by itself a round is fast, if there is one.
    pub fn of(probe: Probe, family: Family) -> Self {
        match (probe, family) {
            (Probe::Fast | Probe::Off, _) => Self { probes: 3, first: ms(0)..ms(0), gap: ms(60)..ms(60), wait: ms(60) },
            // PROBE_WAIT, PROBE_NUM, PROBE_MIN and PROBE_MAX, ANNOUNCE_WAIT.
            (Probe::Rfc, Family::V4) => {
                Self { probes: 3, first: ms(0)..ms(1_000), gap: ms(1_000)..ms(2_000), wait: ms(2_000) }
            }
            // MAX_RTR_SOLICITATION_DELAY, DupAddrDetectTransmits, RetransTimer.
            (Probe::Rfc, Family::V6) => {
                Self { probes: 1, first: ms(0)..ms(1_000), gap: ms(1_000)..ms(1_000), wait: ms(1_000) }
            }
        }
    }

    /// The pause before the probe that follows `sent` others, or before the end, by a number that is as good as random.
    pub fn pause(&self, sent: u32, random: u64) -> Duration {
        let range = match sent {
            0 => &self.first,
            sent if sent < self.probes => &self.gap,
            _ => return self.wait,
        };
        let width = u64::try_from((range.end - range.start).as_millis()).unwrap_or(u64::MAX);
        range.start + ms(random.checked_rem(width).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_are_the_rfcs_where_that_is_asked_for() {
        for seed in 0..200 {
            let v4 = Schedule::of(Probe::Rfc, Family::V4);
            let pauses: Vec<Duration> = (0..4).map(|sent| v4.pause(sent, seed * 7919)).collect();
            assert!(pauses[0] < ms(1_000), "{pauses:?}");
            assert!(pauses[1..3].iter().all(|gap| (ms(1_000)..ms(2_000)).contains(gap)), "{pauses:?}");
            assert_eq!(pauses[3], ms(2_000));
            let v6 = Schedule::of(Probe::Rfc, Family::V6);
            assert!(v6.pause(0, seed * 7919) < ms(1_000));
            assert_eq!(v6.pause(1, seed), ms(1_000));
        }
        let fast = Schedule::of(Probe::Fast, Family::V4);
        assert_eq!((0..4).map(|sent| fast.pause(sent, 5)).collect::<Vec<_>>(), [ms(0), ms(60), ms(60), ms(60)]);
    }
}
