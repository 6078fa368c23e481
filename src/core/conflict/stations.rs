//! Whose a hardware address is: this node's, another speaker's, or foreign.

use crate::wire::ethernet::MacAddr;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// More speakers are forgotten, the one first that has been silent longest.
const MOST: usize = 1024;
/// How long a speaker is known after its last heartbeat.
const REMEMBER: Duration = Duration::from_secs(600);

/// The stations that are no foreign ones.
#[derive(Debug, Default)]
pub struct Stations {
    ours: BTreeSet<MacAddr>,
    /// When each was heard last.
    speakers: BTreeMap<MacAddr, Duration>,
}

impl Stations {
    /// The node's own interfaces have these.
    pub fn set_ours(&mut self, ours: BTreeSet<MacAddr>) {
        self.ours = ours;
    }

    /// A heartbeat came from `mac`.
    pub fn hear(&mut self, mac: MacAddr, now: Duration) {
        self.speakers.insert(mac, now);
        if self.speakers.len() > MOST
            && let Some(oldest) = self.speakers.iter().min_by_key(|(_, heard)| **heard).map(|(mac, _)| *mac)
        {
            self.speakers.remove(&oldest);
        }
    }

    pub fn is_ours(&self, mac: MacAddr) -> bool {
        self.ours.contains(&mac)
    }

    pub fn is_speaker(&self, mac: MacAddr, now: Duration) -> bool {
        self.speakers.get(&mac).is_some_and(|heard| *heard + REMEMBER > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mac(number: u16) -> MacAddr {
        let [a, b] = number.to_be_bytes();
        MacAddr(2, 0, 0, 0, a, b)
    }

    #[test]
    fn a_speaker_is_known_for_ten_minutes_and_the_most_recent_thousand_are() {
        let mut stations = Stations::default();
        let second = Duration::from_secs(1);
        (0..2_000).for_each(|number| stations.hear(mac(number), second + Duration::from_millis(number.into())));
        assert_eq!(stations.speakers.len(), MOST);
        assert!(!stations.is_speaker(mac(0), 4 * second));
        assert!(stations.is_speaker(mac(1_999), 4 * second));
        assert!(!stations.is_speaker(mac(1_999), 604 * second));
    }
}
