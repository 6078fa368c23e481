use super::{moves::GATHER, *};
use crate::cluster::record::{Cause, Conflict, Interface, Move, Reason, Unanswered, Unheard};
use k8s_openapi::jiff::Timestamp;

/// A leader's view, and its clock.
struct Bench {
    announced: Announced,
    now: Duration,
    version: u64,
    vips: BTreeMap<ServiceKey, Vec<IpAddr>>,
    records: BTreeMap<String, Record>,
}

impl Bench {
    /// Nodes that hear each other and answer for nothing; the records are listed.
    fn new(nodes: &[&str]) -> Self {
        let mut bench = Self {
            announced: Announced::default(),
            now: s(1000),
            version: 0,
            vips: BTreeMap::new(),
            records: BTreeMap::new(),
        };
        nodes.iter().for_each(|node| bench.announced.see_node(node, bench.now));
        for node in nodes {
            bench.record(node, |eth0| {
                eth0.peers = nodes.iter().filter(|peer| *peer != node).map(ToString::to_string).collect();
            });
        }
        bench.announced.listed(bench.now);
        bench
    }

    /// A Service has these addresses.
    fn service(&mut self, name: &str, vips: &[&str]) {
        let (key, vips) = (key(name), vips.iter().map(|vip| ip(vip)).collect::<Vec<_>>());
        let before = self.vips.insert(key.clone(), vips.clone()).unwrap_or_default();
        self.announced.see_service(&key, &before, &vips, self.now);
    }

    /// A speaker writes its record with a changed interface.
    fn record(&mut self, node: &str, change: impl FnOnce(&mut Interface)) {
        self.whole_record(node, |record| change(record.interfaces.get_mut("eth0").unwrap()));
    }

    fn whole_record(&mut self, node: &str, change: impl FnOnce(&mut Record)) {
        let eth0 = Interface { addresses: vec!["198.51.100.11/24".parse().unwrap()], ..Interface::default() };
        let empty = || Record { interfaces: [("eth0".into(), eth0)].into(), ..Record::default() };
        let record = self.records.entry(node.into()).or_insert_with(empty);
        change(record);
        self.version += 1;
        self.announced.see_record(node, record.clone(), self.version, self.now);
    }

    fn answers(&mut self, node: &str, vips: &[&str], why: Cause, from: Option<&str>) {
        let vips: Addresses = vips.iter().map(|vip| ip(vip)).collect();
        let at = Timestamp::from_second(self.now.as_secs() as i64).unwrap();
        self.record(node, |eth0| {
            eth0.owned.extend(&vips);
            let unheard = (why == Cause::Dead).then_some(Unheard { found_dead_ms: 310, claimed_ms: 330 });
            eth0.moves.push(Move { at, why, from: from.map(Into::into), unheard, vips });
        });
    }

    fn stops(&mut self, node: &str) {
        self.record(node, |eth0| (eth0.owned, eth0.moves) = Default::default());
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        self.announced.pass(self.now);
    }

    /// What the Services that want another look are to say, as `name: reason`, and what is told, as `subject: note`.
    fn said(&mut self) -> Vec<String> {
        let mut said = Vec::new();
        for key in self.announced.news() {
            let words = self.announced.words(&self.vips[&key]);
            said.push(format!("{}: {}", key.name(), words.map_or("as it does", |words| words.reason)));
        }
        said.extend(self.announced.tellings().into_iter().map(|(subject, telling)| match subject {
            Subject::Service(key) => format!("{}: {}", key.name(), telling.note),
            Subject::Node(node) => format!("node {node}: {}: {}", telling.reason, telling.note),
            Subject::Configuration => format!("configuration: {}", telling.reason),
        }));
        said
    }

    fn message(&self, name: &str) -> String {
        self.announced.words(&self.vips[&key(name)]).unwrap().message
    }

    fn event(&self, name: &str) -> Option<String> {
        let vips = &self.vips[&key(name)];
        let words = self.announced.words(vips).unwrap();
        self.announced.telling(vips, &words).map(|telling| format!("{}: {}", telling.reason, telling.note))
    }
}

fn key(name: &str) -> ServiceKey {
    ServiceKey::new("shop", name)
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn reason(reason: &str, message: &str) -> Reason {
    Reason { reason: reason.into(), message: message.into() }
}

const NOTHING: [&str; 0] = [];
const VIP: &str = "198.51.100.100";
const V6: &str = "2001:db8::100";

#[test]
fn a_service_says_that_it_is_announced_once_all_its_addresses_are() {
    let mut bench = Bench::new(&["n1", "n2"]);
    bench.service("web", &[VIP, V6]);
    bench.answers("n1", &[VIP], Cause::New, None);
    assert_eq!(bench.said(), ["web: as it does"]);
    bench.answers("n2", &[V6], Cause::New, None);
    assert_eq!(bench.said(), ["web: Announced"]);
    let event = format!("Announced: {VIP} is answered for by n1, {V6} is answered for by n2");
    assert_eq!(bench.event("web"), Some(event));
    bench.pass(SETTLE);
    assert_eq!((bench.said(), bench.announced.deadline()), (NOTHING.map(String::from).into(), None));
}

#[test]
fn what_nobody_answers_for_is_given_a_while_and_then_says_why() {
    let mut bench = Bench::new(&["n1", "n2", "n3"]);
    bench.service("web", &[VIP]);
    bench.whole_record("n1", |record| record.unable = vec![reason("ExcludedByLabel", "the node is labelled")]);
    for node in ["n2", "n3"] {
        let why = reason("NoLocalEndpoint", "no usable endpoint is here");
        bench.whole_record(node, |record| {
            record.unanswered = vec![Unanswered { why, vips: [ip(VIP)].into_iter().collect() }]
        });
    }
    bench.pass(SETTLE - s(1));
    assert_eq!(bench.said(), NOTHING);
    assert_eq!(bench.announced.deadline(), Some(s(1000) + SETTLE));
    bench.pass(s(1));
    assert_eq!((bench.said(), bench.announced.unanswered()), (vec!["web: NotAnnounced".to_owned()], 1));
    let why = "no node answers for 198.51.100.100: n1: the node is labelled; n2, n3: no usable endpoint is here";
    assert_eq!(bench.event("web"), Some(format!("NotAnnounced: {why}")));
    assert_eq!(bench.message("web"), why);
    bench.answers("n1", &[VIP], Cause::New, None);
    assert_eq!((bench.said(), bench.announced.unanswered()), (vec!["web: Announced".to_owned()], 0));
}

#[test]
fn a_take_over_within_a_while_changes_nothing_but_the_owner() {
    let mut bench = Bench::new(&["n1", "n2"]);
    bench.service("web", &[VIP]);
    bench.answers("n1", &[VIP], Cause::New, None);
    bench.said();
    // The new owner is first to say so, or the old one.
    bench.answers("n2", &[VIP], Cause::Dead, Some("n1"));
    bench.pass(GATHER);
    let times = "310 ms after its last sign of life it was thought dead, and 330 ms after that sign replaced";
    assert_eq!(
        bench.said(),
        [format!("web: {VIP} has moved from n1 to n2: its owner was not heard any more; {times}")]
    );
    bench.stops("n1");
    assert_eq!(bench.said(), NOTHING);
    bench.stops("n2");
    bench.pass(SETTLE - s(1));
    bench.answers("n1", &[VIP], Cause::HandedOver, Some("n2"));
    bench.pass(GATHER);
    // Its condition has said all the time that it is announced: there is nothing to write.
    let told = format!("web: {VIP} has moved from n2 to n1: its owner handed it over");
    assert_eq!(bench.said(), ["web: Announced".to_owned(), told]);
    bench.pass(s(100));
    assert_eq!(bench.said(), NOTHING);
}

#[test]
fn a_move_of_many_is_one_event_on_the_node_and_no_services_business() {
    let mut bench = Bench::new(&["n1", "n2"]);
    let vips: Vec<String> = (0..5000).map(|number| format!("198.18.{}.{}", number / 250, number % 250)).collect();
    let vips: Vec<&str> = vips.iter().map(String::as_str).collect();
    vips.iter().for_each(|vip| bench.service(vip, &[vip]));
    bench.answers("n1", &vips, Cause::New, None);
    let said = bench.said();
    assert_eq!(said.len(), 5001);
    assert_eq!(said[5000], "node n1: Announced: 5000 addresses are answered for by n1");
    assert_eq!(bench.event("198.18.0.7"), None, "the node has the Event");
    bench.answers("n2", &vips, Cause::Dead, Some("n1"));
    bench.pass(GATHER);
    let one = "node n2: OwnerChanged: 5000 addresses have moved from n1 to n2: its owner was not heard any more; \
               310 ms after its last sign of life it was thought dead, and 330 ms after that sign replaced";
    assert_eq!(bench.said(), [one]);
    bench.stops("n1");
    assert_eq!(bench.said(), NOTHING);
    // Up to twenty are told each.
    for (vips, expected) in [(MANY, MANY), (2 * MANY + 1, 1)].map(|(count, events)| (&vips[..count], events)) {
        bench.answers("n1", vips, Cause::HandedOver, Some("n2"));
        bench.pass(GATHER);
        assert_eq!(bench.said().len(), expected);
    }
}

#[test]
fn many_that_leave_a_node_are_no_services_business_however_many_nodes_they_come_to() {
    let nodes: Vec<String> = (0..10).map(|number| format!("n{number}")).collect();
    let nodes: Vec<&str> = nodes.iter().map(String::as_str).collect();
    let mut bench = Bench::new(&nodes);
    let vips: Vec<String> = (0..100).map(|number| format!("198.51.100.{number}")).collect();
    let vips: Vec<&str> = vips.iter().map(String::as_str).collect();
    vips.iter().for_each(|vip| bench.service(vip, &[vip]));
    bench.answers("n0", &vips, Cause::New, None);
    bench.said();
    // Each successor writes its record in its own time.
    for (node, vips) in nodes[1..].iter().zip(vips.chunks(12)) {
        bench.answers(node, vips, Cause::HandedOver, Some("n0"));
        bench.pass(Duration::from_millis(100));
    }
    assert_eq!(bench.said(), NOTHING);
    bench.pass(GATHER);
    let said = bench.said();
    assert_eq!(said.len(), 9, "{said:?}");
    assert_eq!(said[0], "node n1: OwnerChanged: 12 addresses have moved from n0 to n1: its owner handed it over");
    assert!(said.iter().all(|line| line.starts_with("node ")), "{said:?}");
    // Few that leave it later are each told.
    bench.answers("n1", &vips[12..14], Cause::Dead, Some("n2"));
    bench.pass(GATHER);
    assert_eq!(bench.said().len(), 2);
}

#[test]
fn services_that_share_an_address_are_all_told() {
    let mut bench = Bench::new(&["n1", "n2"]);
    bench.service("api", &[VIP]);
    bench.service("web", &[VIP]);
    bench.answers("n1", &[VIP], Cause::New, None);
    assert_eq!(bench.said(), ["api: Announced", "web: Announced"]);
    bench.service("api", &[]);
    bench.stops("n1");
    bench.pass(SETTLE);
    assert_eq!(bench.said(), NOTHING, "one of them may be about to answer");
    bench.pass(PATIENCE - SETTLE);
    assert_eq!(bench.said(), ["web: NotAnnounced"]);
    bench.service("web", &[]);
    bench.answers("n1", &[VIP], Cause::New, None);
    assert_eq!((bench.said(), bench.announced.words(&[])), (NOTHING.map(String::from).into(), None));
}

#[test]
fn reasons_that_change_are_said_anew_once_a_minute_at_most() {
    let mut bench = Bench::new(&["n1"]);
    bench.service("web", &[VIP]);
    let why = |bench: &mut Bench, message: &str| {
        bench.whole_record("n1", |record| record.unable = vec![reason("ExcludedByLabel", message)]);
    };
    why(&mut bench, "one");
    bench.pass(SETTLE);
    assert_eq!(bench.said(), ["web: AllNodesExcluded"]);
    assert!(bench.message("web").contains("ignoreExcludeLabel"), "{}", bench.message("web"));
    for message in ["two", "three"] {
        why(&mut bench, message);
        bench.pass(s(1));
        assert_eq!(bench.said(), NOTHING);
    }
    assert!(bench.message("web").contains("one"));
    bench.pass(REFRESH);
    assert_eq!(bench.said(), ["web: AllNodesExcluded"]);
    assert!(bench.message("web").contains("three"));
    // There and back again is no change.
    why(&mut bench, "four");
    why(&mut bench, "three");
    bench.pass(REFRESH);
    assert_eq!((bench.said(), bench.announced.deadline()), (NOTHING.map(String::from).into(), None));
}

#[test]
fn a_reason_that_all_nodes_have_comes_with_what_helps() {
    for (word, said, help) in [
        ("ExcludedByLabel", "AllNodesExcluded", "ignoreExcludeLabel"),
        ("OutsideSubnets", "OutsideSubnets", "interfaces: [eth0]"),
        ("NotAllowed", "NotAllowed", "announcement"),
        ("NoLocalEndpoint", "NoLocalEndpoint", "externalTrafficPolicy: Cluster"),
        ("WhatIsToCome", "NotAnnounced", ""),
    ] {
        let mut bench = Bench::new(&["n1", "n2"]);
        // Without a speaker of its own.
        bench.announced.see_node("windows", bench.now);
        bench.service("web", &[VIP]);
        for node in ["n1", "n2"] {
            let group = Unanswered { why: reason(word, "so it is"), vips: [ip(VIP)].into_iter().collect() };
            bench.whole_record(node, |record| record.unanswered = vec![group]);
        }
        bench.pass(SETTLE);
        assert_eq!(bench.said(), [format!("web: {said}")]);
        let page = include_str!("../../../docs/announcing.md");
        assert!(page.contains(&format!("`{said}`")), "docs/announcing.md does not tell of {said}");
        let message = bench.message("web");
        assert!(message.contains("n1, n2: so it is") && message.contains(help), "{message}");
        assert!(message.contains("windows: no speaker"), "{message}");
    }
}

#[test]
fn where_no_speaker_has_ever_spoken_the_configuration_is_told_once_and_no_service() {
    let mut bench = Bench::new(&[]);
    bench.announced.see_node("n1", bench.now);
    bench.service("web", &[VIP]);
    bench.service("api", &[V6]);
    bench.pass(SETTLE);
    assert_eq!(bench.said(), ["configuration: NoSpeakers"]);
    bench.pass(s(100));
    assert_eq!((bench.said(), bench.announced.deadline()), (NOTHING.map(String::from).into(), None));
    // The first one speaks: it gets its while.
    bench.record("n1", |_| ());
    bench.pass(SETTLE);
    assert_eq!(bench.said(), NOTHING);
    bench.pass(PATIENCE - SETTLE);
    assert_eq!(bench.said(), ["api: NotAnnounced", "web: NotAnnounced"]);
}

#[test]
fn a_dead_speakers_record_and_that_of_a_node_that_is_gone_do_not_count() {
    let mut bench = Bench::new(&["n1", "n2"]);
    bench.service("web", &[VIP]);
    bench.answers("n1", &[VIP], Cause::New, None);
    bench.said();
    // n1 has died, and n2 may not answer.
    bench.record("n2", |eth0| eth0.peers.clear());
    bench.pass(SETTLE);
    assert_eq!(bench.said(), NOTHING);
    bench.pass(PATIENCE);
    assert_eq!(bench.said(), ["web: NotAnnounced"]);
    assert!(bench.message("web").contains("n1: its speaker is not heard"), "{}", bench.message("web"));
    bench.answers("n2", &[VIP], Cause::Dead, Some("n1"));
    assert_eq!(bench.said(), ["web: Announced"]);
    bench.announced.forget_node("n2", bench.now);
    bench.pass(SETTLE);
    assert_eq!(bench.said(), ["web: Announced"], "nobody doubts n1 any more");
}

#[test]
fn a_new_leader_tells_nothing_of_what_was_before() {
    let mut bench = Bench::new(&[]);
    bench.announced = Announced::default();
    bench.service("web", &[VIP]);
    bench.answers("n1", &[VIP], Cause::Dead, Some("n2"));
    bench.announced.see_node("n1", bench.now);
    assert_eq!((bench.said(), bench.announced.words(&[ip(VIP)])), (NOTHING.map(String::from).into(), None));
    bench.announced.listed(bench.now);
    // The condition says so already: there is nothing to write.
    assert_eq!(bench.said(), ["web: Announced"]);
}

#[test]
fn a_nodes_warnings_are_told_on_it_and_on_what_it_announces() {
    let mut bench = Bench::new(&["n1"]);
    let strict = || vec![reason("StrictArpOff", "set ipvs.strictARP")];
    bench.whole_record("n1", |record| record.warnings = strict());
    assert_eq!(bench.said(), ["node n1: AnnouncingImpaired: set ipvs.strictARP"]);
    bench.service("web", &[VIP]);
    bench.answers("n1", &[VIP], Cause::New, None);
    assert_eq!(bench.said(), ["web: Announced"], "no second Event on the node");
    assert_eq!(bench.event("web"), Some(format!("Announced: {VIP} is answered for by n1; n1: set ipvs.strictARP")));
}

impl Bench {
    /// A speaker finds a foreign host.
    fn finds(&mut self, node: &str, vip: &str, phase: Phase) {
        self.record(node, |eth0| {
            eth0.conflicts.push(Conflict { vip: ip(vip), mac: "02:00:00:00:00:66".into(), phase })
        });
    }
}

#[test]
fn a_foreign_host_that_a_probe_finds_is_told_at_once_and_the_allocator_hears_of_it() {
    let mut bench = Bench::new(&["n1", "n2"]);
    bench.service("web", &["198.51.100.100"]);
    bench.finds("n1", "198.51.100.100", Phase::Probe);
    assert_eq!(bench.said(), ["web: AddressConflict"]);
    let message = bench.message("web");
    assert!(message.contains("02:00:00:00:00:66, on eth0 of the node n1"), "{message}");
    assert_eq!(bench.event("web").unwrap(), format!("AddressConflict: {message}"));
    let reserved = bench.announced.in_use();
    assert!(matches!(&reserved[&ip("198.51.100.100")], Reserve::InUse(by) if by.contains("02:00:00:00:00:66")));
    // It goes, and the address is answered for.
    bench.record("n1", |eth0| eth0.conflicts.clear());
    bench.answers("n1", &["198.51.100.100"], Cause::New, None);
    assert!(bench.announced.in_use().is_empty());
    assert_eq!(bench.said(), ["web: Announced"]);
}

#[test]
fn a_foreign_host_beside_an_owner_is_told_and_takes_nothing_from_anybody() {
    let mut bench = Bench::new(&["n1", "n2"]);
    bench.service("web", &["198.51.100.100"]);
    bench.answers("n1", &["198.51.100.100"], Cause::New, None);
    bench.said();
    bench.finds("n1", "198.51.100.100", Phase::Watch);
    assert_eq!(bench.said(), ["web: AddressConflict"]);
    assert!(bench.announced.words(&bench.vips[&key("web")]).unwrap().holds);
    assert!(bench.event("web").unwrap().starts_with("AddressConflict: "));
    assert!(bench.announced.in_use().is_empty() && bench.announced.is_announced(ip("198.51.100.100")));
    // It is yielded to.
    bench.stops("n1");
    assert_eq!(bench.said(), [""; 0], "the address settles");
    bench.pass(SETTLE);
    assert_eq!(bench.said(), ["web: AddressConflict"]);
    assert!(!bench.announced.words(&bench.vips[&key("web")]).unwrap().holds);
    assert!(bench.announced.in_use().is_empty(), "clients may know it: it is nobody else's");
}

#[test]
fn what_a_node_that_is_gone_found_counts_no_more() {
    let mut bench = Bench::new(&["n1", "n2"]);
    bench.service("web", &["198.51.100.100"]);
    bench.finds("n1", "198.51.100.100", Phase::Probe);
    assert_eq!(bench.announced.in_use().len(), 1);
    bench.announced.forget_node("n1", bench.now);
    assert!(bench.announced.in_use().is_empty());
}

#[test]
fn of_all_addresses_that_foreign_hosts_use_it_is_told_which() {
    let mut bench = Bench::new(&["n1", "n2"]);
    bench.service("web", &[VIP, V6]);
    bench.answers("n1", &[VIP], Cause::New, None);
    bench.answers("n2", &[V6], Cause::New, None);
    bench.finds("n1", VIP, Phase::Watch);
    bench.finds("n2", V6, Phase::Watch);
    let both = |message: &str| {
        ["100: 02:00:00:00:00:66, on eth0 of the node n1", V6].iter().all(|what| message.contains(what))
    };
    assert!(both(&bench.message("web")), "{}", bench.message("web"));
    assert_eq!(bench.event("web").unwrap(), format!("AddressConflict: {}", bench.message("web")));
    // Also where one of them is left to its host.
    bench.stops("n2");
    bench.pass(SETTLE);
    assert!(!bench.announced.words(&bench.vips[&key("web")]).unwrap().holds);
    assert!(both(&bench.message("web")), "{}", bench.message("web"));
}
