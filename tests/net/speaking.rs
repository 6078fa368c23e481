//! Speakers' LAN tasks on hosts of a test's LAN, without an API server: what they want is handed to them, and what they
//! report is awaited.

use crate::lan::{Host, LONG};
use anyhow::anyhow;
use landfall::{
    cluster::{Change, accepted::Accepted, node::Node, record::Record, service::Announced},
    speaker::{
        desired::{Desired, Inputs, Seen},
        keys::Keyring,
        lan::{Setup, run},
    },
};
use landfall_core::{
    alloc::ServiceKey,
    config::Labels,
    health::Rules,
    wire::{datagram, heartbeat::SpeakerName, seal::Keys},
};
use landfall_sandbox::wait_for;
use std::{net::IpAddr, sync::Arc, thread, time::Duration};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub const VIP: &str = "198.51.100.100";

/// Whether the record says that the interface of this name answers for [`VIP`].
pub fn owns(record: &Record, interface: &str) -> bool {
    let vip: IpAddr = VIP.parse().unwrap();
    record.interfaces.get(interface).is_some_and(|interface| interface.owned.contains(vip))
}

/// Whether the record says that one other speaker is heard on eth0.
pub fn hears_one(record: &Record) -> bool {
    record.interfaces.get("eth0").is_some_and(|eth0| eth0.peers.len() == 1)
}

/// A speaker at work.
pub struct Speaking {
    inputs: Inputs,
    wanted: watch::Sender<Option<Arc<Desired>>>,
    reported: watch::Receiver<Record>,
}

impl Speaking {
    /// Tells it what its watches would, all at once.
    pub fn see(&mut self, seen: impl IntoIterator<Item = Seen>) {
        seen.into_iter().for_each(|seen| self.inputs.apply(seen));
        self.wanted.send_replace(self.inputs.desired().map(Arc::new));
    }

    /// Waits until its record is as `wanted`.
    pub fn report_until(&mut self, what: &str, wanted: impl Fn(&Record) -> bool) {
        self.report_within(LONG, what, wanted);
    }

    /// The same where that may take so long.
    pub fn report_within(&mut self, time: Duration, what: &str, wanted: impl Fn(&Record) -> bool) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let reported = &mut self.reported;
        let found =
            runtime.block_on(async { tokio::time::timeout(time, reported.wait_for(|it| wanted(it))).await.is_ok() });
        assert!(found, "{what}: the last record is {:#?}", *self.reported.borrow());
    }

    /// Whether it answers for [`VIP`] on eth0 by its last record.
    pub fn is_owner(&self) -> bool {
        owns(&self.reported.borrow(), "eth0")
    }

    /// Its last record.
    pub fn record(&self) -> Record {
        self.reported.borrow().clone()
    }
}

/// One Service with the VIP; every node and interface may announce it.
pub fn service(local: bool) -> Seen {
    let key = ServiceKey::new("default", "web");
    let (uid, labels, vips, announced) = ("1".into(), Labels::default(), vec![VIP.parse().unwrap()], Vec::new());
    Seen::Service(Change::Applied(Announced { key, uid, labels, vips, announced, recorded: true, local }))
}

/// The configuration with the VIP's pool, and more lines of it.
pub fn configuration(more: &str) -> Seen {
    let config = format!("pools: [{{name: a, addresses: [{VIP}]}}]\n{more}");
    Seen::Accepted(Change::Applied(Accepted { config: Some(config), cluster: Some("c".into()), ..Accepted::default() }))
}

/// What the watches of a node's speaker tell first.
fn first(node: &str) -> [Seen; 8] {
    let node = Node { name: node.into(), labels: Labels::default(), excluded: None };
    [
        service(false),
        Seen::Node(Change::Applied(node)),
        configuration(""),
        Seen::DataPath(Ok(Rules::Fresh)),
        Seen::Service(Change::Synced),
        Seen::Slice(Change::Synced),
        Seen::Node(Change::Synced),
        Seen::Accepted(Change::Synced),
    ]
}

/// The keys of all speakers.
pub fn keys() -> Keys {
    Keys::new(&[7; 32], &[])
}

/// A speaker's, with these keys.
pub fn keyring(keys: Keys) -> Keyring {
    Keyring { keys: Some(Arc::new(keys)), fault: None }
}

/// The table that these make.
pub fn desired(node: &str) -> Desired {
    let mut inputs = Inputs::default();
    first(node).into_iter().for_each(|seen| inputs.apply(seen));
    inputs.desired().unwrap()
}

/// Waits until two speakers hear each other and one of them answers, and gives its place. Either may be it, and before they
/// heard each other both may have been.
pub fn owner_of_two(speakers: &mut [Speaking]) -> usize {
    for speaker in speakers.iter_mut() {
        speaker.report_until("both hear each other", hears_one);
    }
    let owner = || {
        let owners: Vec<usize> = (0..speakers.len()).filter(|place| speakers[*place].is_owner()).collect();
        <[usize; 1]>::try_from(owners).map_err(|owners| anyhow!("{owners:?} answer"))
    };
    wait_for("one owner", LONG, owner).unwrap()[0]
}

/// Runs a speaker on each host, by its node's name, while `judge` looks on.
pub fn speaking(hosts: &[(&str, &Host)], judge: impl FnOnce(&mut [Speaking])) {
    let hosts: Vec<_> = hosts.iter().map(|(name, host)| (*name, *host, keyring(keys()))).collect();
    speaking_with(&hosts, judge);
}

/// One speaker, which knows this from the start, too.
pub fn speaking_of(host: &Host, known: Vec<Seen>, judge: impl FnOnce(&mut Speaking)) {
    start(&[("n1", host, keyring(keys()))], known, |speakers| judge(&mut speakers[0]));
}

/// The same as [`speaking`] where each has keys of its own.
pub fn speaking_with(hosts: &[(&str, &Host, Keyring)], judge: impl FnOnce(&mut [Speaking])) {
    start(hosts, Vec::new(), judge);
}

/// `known` is the first one's.
fn start(hosts: &[(&str, &Host, Keyring)], known: Vec<Seen>, judge: impl FnOnce(&mut [Speaking])) {
    let mut known = known.into_iter();
    let leave = CancellationToken::new();
    thread::scope(|scope| {
        // A judge that panics ends the speakers too.
        let _end = leave.clone().drop_guard();
        let mut speakers = Vec::new();
        for (name, host, keyring) in hosts {
            let (record, reported) = watch::channel(Record::default());
            let (wanted, desired) = watch::channel(None);
            let (figures, _) = watch::channel(Arc::default());
            let (_, keys) = watch::channel(keyring.clone());
            let speaker = SpeakerName::new(*name).unwrap();
            let ((_, seen), (behind, _)) = (watch::channel(0), watch::channel(0));
            let setup = Setup {
                speaker,
                keys,
                port: datagram::PORT,
                desired,
                seen,
                behind,
                record,
                figures,
                leave: leave.clone(),
            };
            let mut speaking = Speaking { inputs: Inputs::default(), wanted, reported };
            speaking.see(first(name).into_iter().chain(known.by_ref()));
            scope.spawn(move || host.block_on(async move || run(setup).await.unwrap()));
            speakers.push(speaking);
        }
        judge(&mut speakers);
        leave.cancel();
    });
}
