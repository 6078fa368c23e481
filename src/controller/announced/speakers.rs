//! What is known of the speakers: their records, which of them count, and why one does not answer for an address.
//!
//! A dead speaker's record stays as it was. It counts no longer when its node is gone, or when a neighbour on its LAN says in
//! a newer record that it does not hear it, while it says that it hears the neighbour: two that live agree on that.

use super::SETTLE;
use crate::cluster::record::{Addresses, Interface, Phase, Reason, Record};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    time::Duration,
};

/// The speakers, by node.
#[derive(Debug, Default)]
pub struct Speakers {
    nodes: BTreeSet<String>,
    known: BTreeMap<String, Speaker>,
}

#[derive(Debug)]
struct Speaker {
    record: Record,
    owned: Addresses,
    /// The order of its writing among all records.
    version: u64,
    /// The neighbours that do not hear it, against its word.
    doubters: BTreeSet<String>,
    /// Since when there are any.
    doubted: Option<Duration>,
    /// It has been doubted for long enough.
    silent: bool,
}

/// What a change comes to.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Shift {
    /// What the speaker itself answers for now, and did not before.
    pub gained: Addresses,
    /// What somebody may answer for now who did not before, or the other way round.
    pub changed: Addresses,
}

/// How a node stands to an address that nobody answers for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing<'a> {
    /// It has no record.
    NoRecord,
    /// Its record does not count.
    Silent,
    /// It says why it does not answer.
    Unable(&'a Reason),
    /// It does not say anything of the address.
    Unaware,
}

/// A foreign host that uses an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Foreign {
    /// Its link-layer address and where it was seen, in words.
    pub seen: String,
    /// When it was found.
    pub phase: Phase,
}

impl Speakers {
    /// A node is there. Says whether that is news.
    pub fn see_node(&mut self, node: &str) -> Option<Shift> {
        self.nodes.insert(node.to_owned()).then(|| self.shift(node, Addresses::default()))
    }

    /// A node is gone.
    pub fn forget_node(&mut self, node: &str) -> Shift {
        let before = self.counted(node);
        self.nodes.remove(node);
        self.shift(node, before)
    }

    /// A record was read.
    pub fn put(&mut self, node: &str, record: Record, version: u64) -> Shift {
        let before = self.counted(node);
        let owned = record.owned();
        match self.known.get_mut(node) {
            Some(speaker) => (speaker.record, speaker.owned, speaker.version) = (record, owned, version),
            None => {
                let (doubters, doubted, silent) = (BTreeSet::new(), None, false);
                self.known.insert(node.to_owned(), Speaker { record, owned, version, doubters, doubted, silent });
            }
        }
        self.shift(node, before)
    }

    /// A record is gone.
    pub fn remove(&mut self, node: &str) -> Shift {
        let before = self.counted(node);
        self.known.remove(node);
        self.shift(node, before)
    }

    /// Those doubted for long enough by `now` are silent; those doubted no more are not. Gives what that changes.
    pub fn judge(&mut self, now: Duration) -> Addresses {
        let mut changed = Addresses::default();
        for speaker in self.known.values_mut() {
            speaker.doubted = if speaker.doubters.is_empty() { None } else { speaker.doubted.or(Some(now)) };
            let silent = speaker.doubted.is_some_and(|since| since + SETTLE <= now);
            if std::mem::replace(&mut speaker.silent, silent) != silent {
                changed.extend(&speaker.owned);
                changed.extend(&speaker.record.conflicts().map(|(_, conflict)| conflict.vip).collect());
            }
        }
        changed
    }

    /// When [`Speakers::judge`] has something to find.
    pub fn deadline(&self) -> Option<Duration> {
        let doubted = self.known.values().filter(|speaker| !speaker.silent).filter_map(|speaker| speaker.doubted);
        doubted.min().map(|since| since + SETTLE)
    }

    /// The foreign hosts that are found to use addresses: of several for one address the first by node.
    pub fn foreign(&self) -> BTreeMap<IpAddr, Foreign> {
        let mut all = BTreeMap::new();
        for (node, speaker) in self.known.iter().filter(|(node, _)| self.counts(node)) {
            for (interface, conflict) in speaker.record.conflicts() {
                let seen = format!("{}, on {interface} of the node {node}", conflict.mac);
                all.entry(conflict.vip).or_insert(Foreign { seen, phase: conflict.phase });
            }
        }
        all
    }

    /// Whether any node has a record.
    pub fn is_any(&self) -> bool {
        self.known.keys().any(|node| self.nodes.contains(node))
    }

    /// Who answers for `vip`: of several the first by name.
    pub fn owner(&self, vip: IpAddr) -> Option<(&str, &Record)> {
        let owns = |(node, speaker): &(&String, &Speaker)| speaker.owned.contains(vip) && self.counts(node);
        self.known.iter().find(owns).map(|(node, speaker)| (node.as_str(), &speaker.record))
    }

    /// The record of a node.
    pub fn record(&self, node: &str) -> Option<&Record> {
        self.known.get(node).map(|speaker| &speaker.record)
    }

    /// How each node stands to `vip`, which nobody answers for.
    pub fn standings(&self, vip: IpAddr) -> impl Iterator<Item = (&str, Standing<'_>)> {
        self.nodes.iter().map(move |node| {
            let standing = match self.known.get(node) {
                None => Standing::NoRecord,
                Some(speaker) if speaker.silent => Standing::Silent,
                Some(speaker) => speaker.record.why_not(vip).map_or(Standing::Unaware, Standing::Unable),
            };
            (node.as_str(), standing)
        })
    }

    fn counts(&self, node: &str) -> bool {
        self.nodes.contains(node) && self.known.get(node).is_some_and(|speaker| !speaker.silent)
    }

    fn counted(&self, node: &str) -> Addresses {
        if self.counts(node) {
            self.known.get(node).map(|speaker| speaker.owned.clone()).unwrap_or_default()
        } else {
            Addresses::default()
        }
    }

    /// What a change of `node`, which counted for `before`, comes to. Whom it doubts, and who doubts it, is found out again.
    fn shift(&mut self, node: &str, before: Addresses) -> Shift {
        let others: Vec<String> = self.known.keys().filter(|other| *other != node).cloned().collect();
        for other in others {
            for (doubted, doubter) in [(node, other.as_str()), (other.as_str(), node)] {
                let doubts = self.doubts(doubter, doubted);
                let Some(speaker) = self.known.get_mut(doubted) else { continue };
                if doubts {
                    speaker.doubters.insert(doubter.to_owned());
                } else {
                    speaker.doubters.remove(doubter);
                }
            }
        }
        let after = self.counted(node);
        let gained = after.without(&before);
        let mut changed = before.without(&after);
        changed.extend(&gained);
        Shift { gained, changed }
    }

    /// Whether `doubter` says, later than `doubted`, that it does not hear it where `doubted` hears the doubter.
    fn doubts(&self, doubter: &str, doubted: &str) -> bool {
        let (Some(by), Some(of)) = (self.known.get(doubter), self.known.get(doubted)) else { return false };
        let hears = |interface: &&Interface, whom: &str| interface.peers.iter().any(|peer| peer == whom);
        let theirs = || of.record.interfaces.values().filter(|interface| hears(interface, doubter));
        let deaf =
            by.record.interfaces.values().filter(|interface| interface.unfit.is_none() && !hears(interface, doubted));
        self.nodes.contains(doubter)
            && by.version > of.version
            && deaf.into_iter().any(|mine| theirs().any(|their| is_one_lan(mine, their)))
    }
}

/// Whether the two are in one subnet.
fn is_one_lan(one: &Interface, other: &Interface) -> bool {
    one.addresses.iter().any(|a| other.addresses.iter().any(|b| a.trunc() == b.trunc()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(owned: &[&str], peers: &[&str]) -> Record {
        let eth0 = Interface {
            addresses: vec!["198.51.100.11/24".parse().unwrap()],
            owned: owned.iter().map(|vip| vip.parse::<IpAddr>().unwrap()).collect(),
            peers: peers.iter().map(ToString::to_string).collect(),
            ..Interface::default()
        };
        Record { interfaces: [("eth0".into(), eth0)].into(), ..Record::default() }
    }

    fn owner<'a>(speakers: &'a Speakers, vip: &str) -> Option<&'a str> {
        speakers.owner(vip.parse().unwrap()).map(|(node, _)| node)
    }

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    const VIP: &str = "198.51.100.100";

    /// Three nodes that hear each other, of which n1 answers.
    fn three() -> Speakers {
        let mut speakers = Speakers::default();
        for (version, node) in (1..).zip(["n1", "n2", "n3"]) {
            speakers.see_node(node);
            let others: Vec<&str> = ["n1", "n2", "n3"].into_iter().filter(|other| *other != node).collect();
            speakers.put(node, record(if node == "n1" { &[VIP] } else { &[] }, &others), version);
        }
        assert_eq!(speakers.judge(s(100)), Addresses::default());
        assert_eq!(owner(&speakers, VIP), Some("n1"));
        speakers
    }

    #[test]
    fn a_speaker_that_its_neighbours_do_not_hear_any_more_is_silent_after_a_while() {
        let mut speakers = three();
        speakers.put("n2", record(&[], &["n3"]), 4);
        assert_eq!(speakers.judge(s(200)), Addresses::default());
        assert_eq!((owner(&speakers, VIP), speakers.deadline()), (Some("n1"), Some(s(200) + SETTLE)));
        assert_eq!(speakers.judge(s(200) + SETTLE), [VIP.parse().unwrap()].into_iter().collect());
        assert_eq!((owner(&speakers, VIP), speakers.deadline()), (None, None));
        let standings: Vec<_> = speakers.standings(VIP.parse().unwrap()).map(|(_, standing)| standing).collect();
        assert_eq!(standings, [Standing::Silent, Standing::Unaware, Standing::Unaware]);
        // It is back.
        speakers.put("n1", record(&[VIP], &[]), 5);
        assert_eq!(speakers.judge(s(300)), [VIP.parse().unwrap()].into_iter().collect());
        assert_eq!(owner(&speakers, VIP), Some("n1"));
    }

    #[test]
    fn who_is_doubted_for_a_moment_only_is_not_silent() {
        let mut speakers = three();
        speakers.put("n2", record(&[], &["n3"]), 4);
        speakers.judge(s(200));
        speakers.put("n2", record(&[], &["n1", "n3"]), 5);
        assert_eq!(speakers.judge(s(200) + SETTLE), Addresses::default());
        assert_eq!((owner(&speakers, VIP), speakers.deadline()), (Some("n1"), None));
    }

    #[test]
    fn nobody_is_doubted_by_an_older_record_or_from_another_lan_or_by_a_node_that_is_gone() {
        let doubted = |change: fn(&mut Speakers)| {
            let mut speakers = three();
            change(&mut speakers);
            speakers.judge(s(200));
            !speakers.judge(s(300)).is_empty()
        };
        assert!(doubted(|speakers| drop(speakers.put("n2", record(&[], &[]), 4))));
        // n1 has spoken after n2, which cannot tell the API server that it hears n1.
        assert!(!doubted(|speakers| drop(speakers.put("n2", record(&[], &[]), 0))));
        assert!(!doubted(|speakers| {
            speakers.put("n2", record(&[], &[]), 4);
            speakers.forget_node("n2");
        }));
        assert!(!doubted(|speakers| {
            let mut elsewhere = record(&[], &[]);
            elsewhere.interfaces.get_mut("eth0").unwrap().addresses = vec!["203.0.113.1/24".parse().unwrap()];
            speakers.put("n2", elsewhere, 4);
        }));
        assert!(!doubted(|speakers| {
            let mut unplugged = record(&[], &[]);
            let why = Reason { reason: "NoCarrier".into(), message: String::new() };
            unplugged.interfaces.get_mut("eth0").unwrap().unfit = Some(why);
            speakers.put("n2", unplugged, 4);
        }));
    }

    #[test]
    fn a_change_tells_what_was_gained_and_what_changed() {
        let set = |vips: &[&str]| vips.iter().map(|vip| vip.parse::<IpAddr>().unwrap()).collect::<Addresses>();
        let mut speakers = Speakers::default();
        assert_eq!(speakers.put("n1", record(&[VIP], &[]), 1), Shift::default(), "of a node that is not there");
        let all = || Shift { gained: set(&[VIP]), changed: set(&[VIP]) };
        assert_eq!(speakers.see_node("n1"), Some(all()));
        assert_eq!(speakers.see_node("n1"), None);
        let moved = Shift { gained: set(&["198.51.100.7"]), changed: set(&[VIP, "198.51.100.7"]) };
        assert_eq!(speakers.put("n1", record(&["198.51.100.7"], &[]), 2), moved);
        assert_eq!(speakers.remove("n1"), Shift { gained: set(&[]), changed: set(&["198.51.100.7"]) });
    }
}
