//! The words for what the speakers do, and for what they do not do and why.

use super::speakers::{Foreign, Speakers, Standing};
use crate::cluster::{
    events::{Severity, Telling},
    record::{Cause, Reason, Unheard},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

/// So many nodes are named, of those for which one thing is so.
const NAMED: usize = 5;

/// What the condition says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    /// Whether it holds.
    pub holds: bool,
    /// The word for programs.
    pub reason: &'static str,
    /// The words for people.
    pub message: String,
}

impl Words {
    /// It is so: nothing that changes while it is.
    pub fn announced() -> Self {
        let message = "every address is answered for on the network".into();
        Self { holds: true, reason: "Announced", message }
    }

    /// The Event that tells that it is not so, or that a foreign host claims the same.
    pub fn warning(&self) -> Telling {
        let reason = if self.reason == CONFLICT { CONFLICT } else { "NotAnnounced" };
        Telling { severity: Severity::Warning, reason, note: self.message.clone() }
    }
}

/// A foreign host uses an address.
pub const CONFLICT: &str = "AddressConflict";

/// Reasons that can be every node's, what a Service says then, and what helps.
const COMMON: [(&str, &str, &str); 5] = [
    (
        "ExcludedByLabel",
        "AllNodesExcluded",
        "take the label off a node, or set ignoreExcludeLabel: true in an announcement",
    ),
    (
        "OutsideSubnets",
        "OutsideSubnets",
        "take addresses of the nodes' subnets, or name an interface in an announcement, such as interfaces: [eth0]",
    ),
    ("NotAllowed", "NotAllowed", "let an announcement of the pool select a node and an interface"),
    (
        "NoLocalEndpoint",
        "NoLocalEndpoint",
        "wait for a pod of the Service's to be ready, or set externalTrafficPolicy: Cluster",
    ),
    ("NoRecord", "NoSpeaker", "look at the DaemonSet landfall-speaker"),
];

/// Why nobody answers for `vip`, each reason once with the nodes that have it.
pub fn why_not(vip: IpAddr, speakers: &Speakers) -> Words {
    let no_record = Reason { reason: "NoRecord".into(), message: "no speaker has written a record".into() };
    let silent = Reason { reason: "Silent".into(), message: "its speaker is not heard by the others any more".into() };
    let unaware = Reason { reason: "Unaware".into(), message: "its speaker says nothing of the address".into() };
    let mut groups: BTreeMap<&Reason, Vec<&str>> = BTreeMap::new();
    for (node, standing) in speakers.standings(vip) {
        let why = match standing {
            Standing::NoRecord => &no_record,
            Standing::Silent => &silent,
            Standing::Unaware => &unaware,
            Standing::Unable(why) => why,
        };
        groups.entry(why).or_default().push(node);
    }
    let said: Vec<String> = groups.iter().map(|(why, nodes)| format!("{}: {}", list(nodes), why.message)).collect();
    // A node without a speaker, such as one with another system, is no reason beside others.
    let words: BTreeSet<&str> = groups.keys().map(|why| why.reason.as_str()).collect();
    let telling = words.iter().filter(|word| words.len() == 1 || **word != no_record.reason);
    let telling: Vec<&str> = telling.copied().collect();
    let is_common = |(word, ..): &&(&str, _, _)| telling == [*word];
    let (reason, hint) = match COMMON.iter().find(is_common) {
        Some((_, reason, hint)) => (*reason, format!(". What helps: {hint}")),
        None => ("NotAnnounced", String::new()),
    };
    Words { holds: false, reason, message: format!("no node answers for {vip}: {}{hint}", said.join("; ")) }
}

fn list(nodes: &[&str]) -> String {
    let named = nodes[..nodes.len().min(NAMED)].join(", ");
    if nodes.len() > NAMED { format!("{named} and {} more", nodes.len() - NAMED) } else { named }
}

/// A foreign host has `vip`, and nobody answers for it.
pub fn in_use(vip: IpAddr, Foreign { seen, .. }: &Foreign) -> Words {
    let message = format!(
        "{vip} is not answered for while a foreign host uses it: {seen}. What helps: take the address from that host, or exclude it \
         from its pool; it is asked for once a minute"
    );
    Words { holds: false, reason: CONFLICT, message }
}

/// Foreign hosts claim these addresses, which are answered for.
pub fn contested(claimed: &[(IpAddr, &Foreign)]) -> Words {
    let named = claimed.iter().take(NAMED).map(|(vip, Foreign { seen, .. })| format!("{vip}: {seen}"));
    let more = (claimed.len() > NAMED).then(|| format!("{} more", claimed.len() - NAMED));
    let message = format!(
        "a foreign host uses an address, too, that is answered for on the network, so that clients may reach that one: {}. What helps: \
         take the address from that host",
        named.chain(more).collect::<Vec<_>>().join("; ")
    );
    Words { holds: true, reason: CONFLICT, message }
}

/// Who answers for a Service's addresses, as far as that is known.
pub fn announced(vips: &[IpAddr], speakers: &Speakers) -> Option<Telling> {
    let owners: Vec<_> = vips.iter().filter_map(|vip| Some((vip, speakers.owner(*vip)?))).collect();
    let said: Vec<String> = owners.iter().map(|(vip, (node, _))| format!("{vip} is answered for by {node}")).collect();
    let mut warnings: Vec<String> = owners
        .iter()
        .flat_map(|(_, (node, record))| record.warnings.iter().map(move |why| format!("{node}: {}", why.message)))
        .collect();
    warnings.sort();
    warnings.dedup();
    let severity = if warnings.is_empty() { Severity::Normal } else { Severity::Warning };
    let note = [said.join(", ")].into_iter().chain(warnings).collect::<Vec<_>>().join("; ");
    (!owners.is_empty()).then_some(Telling { severity, reason: "Announced", note })
}

/// An address has moved.
pub fn owner_changed(vip: IpAddr, from: &str, to: &str, why: Cause, unheard: Option<Unheard>) -> Telling {
    changed(format!("{vip} has moved from {from} to {to}: {why}{}", unheard_for(unheard)))
}

/// Many have, or these among many; `unheard` is the longest of them.
pub fn owner_changed_of_many(count: usize, from: &str, to: &str, why: Cause, unheard: Option<Unheard>) -> Telling {
    let what = if count == 1 { "1 address has".into() } else { format!("{count} addresses have") };
    changed(format!("{what} moved from {from} to {to}: {why}{}", unheard_for(unheard)))
}

fn changed(note: String) -> Telling {
    Telling { severity: Severity::Normal, reason: "OwnerChanged", note }
}

fn unheard_for(unheard: Option<Unheard>) -> String {
    unheard.map_or_else(String::new, |Unheard { found_dead_ms, claimed_ms }| {
        format!("; {found_dead_ms} ms after its last sign of life it was thought dead, and {claimed_ms} ms after that sign replaced")
    })
}

/// Many are answered for, which nobody answered for.
pub fn announced_many(count: usize, by: &str) -> Telling {
    Telling {
        severity: Severity::Normal,
        reason: "Announced",
        note: format!("{count} addresses are answered for by {by}"),
    }
}

/// A node's settings break what it announces.
pub fn warning(why: &Reason) -> Telling {
    Telling { severity: Severity::Warning, reason: "AnnouncingImpaired", note: why.message.clone() }
}

/// Nobody announces anything.
pub fn no_speakers() -> Telling {
    let note = "no speaker has written a record in the namespace landfall-speakers, so nobody answers for the Services' addresses: \
                look at the DaemonSet landfall-speaker"
        .into();
    Telling { severity: Severity::Warning, reason: "NoSpeakers", note }
}
