//! What a speaker says: frames that others can read, in order, and claims that add up and never go back.

use super::Speaker;
use landfall_core::wire::heartbeat::{Claim, Frame, Kind, LONGEST};
use std::time::Duration;

impl Speaker {
    pub(super) fn judge_frame(&mut self, frame: &Frame, now: Duration) {
        let octets = frame.emit();
        assert!(octets.len() <= LONGEST && octets.len() == frame.size());
        assert_eq!(Frame::parse(&octets).expect("a peer can read it").emit(), octets);
        assert_eq!((&frame.speaker, frame.boot), (&self.identity.speaker, self.identity.boot));
        assert_eq!((frame.cluster, frame.counter), (self.identity.cluster, self.counter + 1));
        assert_eq!(frame.draining, self.draining.is_some());
        (self.counter, self.digest, self.challenge) = (frame.counter, frame.digest, frame.challenge);

        let named = frame.heard.iter().map(|heard| heard.speaker).chain(frame.echoes.iter().map(|echo| echo.speaker));
        let asked = match frame.kind {
            Kind::Ask { suspect: id } | Kind::Fetch { peer: id } => Some(id),
            Kind::Beat | Kind::Snapshot { .. } => None,
        };
        assert!(named.chain(asked).all(|id| id != self.id), "it is no peer of its own: {frame:?}");
        if let Kind::Snapshot { first, last } = frame.kind {
            let known: Vec<Claim> = self.claims.range(first..=last).map(|(_, claim)| *claim).collect();
            assert_eq!(frame.claims, known, "a snapshot has all claims of its range");
        }
        for claim in frame.claims.iter().filter(|claim| claim.of.is_none()) {
            if claim.state.answers() {
                self.judge_claim(claim, now);
                self.claims.insert(claim.vip, *claim);
            } else {
                self.claims.remove(&claim.vip);
            }
        }
    }

    /// Its own word about a VIP never goes back, until it has forgotten everything about it.
    fn judge_claim(&mut self, claim: &Claim, now: Duration) {
        let word = (claim.after, claim.epoch);
        let (greatest, at) = self.said.entry(claim.vip).or_insert((word, now));
        if !self.claims.contains_key(&claim.vip) && *at + self.timing.remember <= now {
            *greatest = word;
        }
        assert!(word >= *greatest, "{claim:?} after {greatest:?}");
        (*greatest, *at) = (word, now);
    }
}
