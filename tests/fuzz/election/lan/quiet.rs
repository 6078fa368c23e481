//! How it ends: whatever has happened, two speakers that hear each other agree, once they are left alone.

use super::Lan;
use std::{net::IpAddr, time::Duration};

/// They agree within this: each release that others report silences for 30 s, and several may become known one after the other,
/// and what others say that one holds lasts for 90 s.
const SETTLED: Duration = Duration::from_secs(180);
/// Nothing moves for so long then.
const QUIET: Duration = Duration::from_secs(2);

impl Lan {
    /// The LAN is whole and nobody else speaks: soon the two know each other, and each VIP has its one owner and keeps it.
    pub fn settle(&mut self) {
        for place in &mut self.places {
            (place.direct, place.around, place.gateway, place.answers) = (true, true, true, false);
            place.is_frozen = false;
        }
        let end = self.now + if self.forger.is_foul { QUIET } else { SETTLED };
        while self.now < end {
            let before = self.moves;
            self.pass(QUIET);
            if self.moves == before && self.wrong().is_none() && self.know_each_other() {
                return;
            }
        }
        let (wrong, known, moves) = (self.wrong(), self.know_each_other(), self.moves);
        assert!(self.forger.is_foul, "after {SETTLED:?}: {wrong:?}, known: {known}, {moves} moves");
    }

    fn know_each_other(&self) -> bool {
        let [a, b] = self.places.each_ref().map(|place| &place.speaker);
        a.election.knows(b.holder()) && b.election.knows(a.holder())
    }

    /// A VIP that has not one owner of the best tier that there is, or has one that nobody should be.
    fn wrong(&self) -> Option<IpAddr> {
        let mut vips = self.speakers().flat_map(|speaker| speaker.wants.keys().chain(&speaker.answers));
        vips.find(|vip| {
            let staying = self.speakers().filter(|speaker| speaker.draining.is_none());
            let best = staying.filter_map(|speaker| speaker.wants.get(vip)).min();
            let owners = self.speakers().filter(|speaker| speaker.answers.contains(vip));
            !owners.map(|speaker| speaker.wants.get(vip)).eq(best.map(Some))
        })
        .copied()
    }
}
