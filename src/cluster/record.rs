//! What a speaker tells the API server about itself, as ConfigMaps that its node's name begins: what it answers for, on which
//! interfaces, whom it hears there, and why it does not answer for the rest.
//!
//! ```text
//!  speaker: Record ─► text ─► parts ─► writer ─► ConfigMaps ─► watch ─► parts ─► text ─► Record: controller
//! ```
//! An admission policy lets a speaker write its own alone; Services, nodes and everything else stay out of its reach. A field
//! never changes its meaning, and a reader passes over those that it does not know: so speakers and controllers of different
//! versions understand each other. Where that cannot be, [`FORMAT`] rises.

mod addresses;
mod parts;
mod writer;

pub use addresses::Addresses;
pub use parts::{Assembly, LONGEST, Part, split};
pub use writer::{NotWritten, RecordWriter};

use ipnet::IpNet;
use k8s_openapi::jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, net::IpAddr};

/// The format that this version writes, and the newest that it reads.
pub const FORMAT: u32 = 1;

/// A speaker's view.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// [`FORMAT`]; 0: from before there were any.
    #[serde(default)]
    pub format: u32,
    /// Landfall's version.
    #[serde(default)]
    pub version: String,
    /// What keeps the whole node from announcing.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub unable: Vec<Reason>,
    /// What of the node's settings breaks what it announces, and whether its kube-proxy has stopped.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub warnings: Vec<Reason>,
    /// Its interfaces, by name: those on which speakers hear each other, those on which they would if they were fit, and
    /// those that have addresses among the pools'.
    #[serde(default)]
    pub interfaces: BTreeMap<String, Interface>,
    /// The addresses that it can answer for on no interface, by why; without those of which that is said of the whole node.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub unanswered: Vec<Unanswered>,
}

/// One interface of a speaker.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Interface {
    /// Its link-layer address, as text.
    #[serde(default)]
    pub mac: String,
    /// Its own addresses, each with its subnet's prefix length.
    #[serde(with = "addresses::own", default)]
    pub addresses: Vec<IpNet>,
    /// Why it carries no frames, if it does not.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub unfit: Option<Reason>,
    /// The addresses that it answers for.
    #[serde(skip_serializing_if = "Addresses::is_empty", default)]
    pub owned: Addresses,
    /// How the latest of these came to it, the latest last.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub moves: Vec<Move>,
    /// The speakers that live on its LAN: it hears them, or others do.
    #[serde(default)]
    pub peers: Vec<String>,
    /// Those of them that only others hear.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub unheard: Vec<String>,
    /// The foreign hosts that use addresses of ours.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub conflicts: Vec<Conflict>,
}

/// A foreign host that uses an address of ours.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Conflict {
    /// The address.
    pub vip: IpAddr,
    /// The host's link-layer address, as text.
    pub mac: String,
    /// When it was found.
    pub phase: Phase,
}

/// When a foreign host was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Phase {
    /// Before the address was ever announced: nobody announces it.
    Probe,
    /// Afterwards; also what only a newer version knows.
    #[serde(other)]
    Watch,
}

/// Why something is not as one would wish.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Reason {
    /// The word for programs, CamelCase.
    pub reason: String,
    /// The words for people.
    pub message: String,
}

/// Addresses that are not answered for, all for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unanswered {
    /// Why.
    #[serde(flatten)]
    pub why: Reason,
    /// Which.
    pub vips: Addresses,
}

/// Addresses that came at once, all in one way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Move {
    /// When, to the second.
    pub at: Timestamp,
    /// Why.
    pub why: Cause,
    /// The node that answered before.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub from: Option<String>,
    /// Where that one is dead: for how long it had not been heard.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub unheard: Option<Unheard>,
    /// Which.
    pub vips: Addresses,
}

/// From the last sign of life of a dead owner, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Unheard {
    /// Until it was thought dead.
    pub found_dead_ms: u64,
    /// Until its addresses were claimed.
    pub claimed_ms: u64,
}

/// Why a speaker answers for an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Cause {
    /// Nobody had it.
    New,
    /// Its owner handed it over.
    HandedOver,
    /// Its owner is dead.
    Dead,
    /// Its owner started anew and had forgotten it.
    Restarted,
    /// What only a newer version knows.
    #[serde(other)]
    Unknown,
}

impl std::fmt::Display for Cause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::New => "nobody had it",
            Self::HandedOver => "its owner handed it over",
            Self::Dead => "its owner was not heard any more",
            Self::Restarted => "its owner started anew",
            Self::Unknown => "for a reason that this version does not know",
        })
    }
}

impl Default for Record {
    fn default() -> Self {
        Self {
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION").into(),
            unable: Vec::new(),
            warnings: Vec::new(),
            interfaces: BTreeMap::new(),
            unanswered: Vec::new(),
        }
    }
}

/// Why a record is not understood.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// It is no record.
    #[error("it is no record: {0}")]
    Malformed(#[from] serde_json::Error),
    /// A newer version wrote it.
    #[error("it has format {0}, and this version reads up to {FORMAT}: update the controller")]
    Newer(u32),
}

impl Record {
    /// The record that `text` says.
    ///
    /// # Errors
    /// Where it is none, or one of a format that this version does not know.
    pub fn decode(text: &str) -> Result<Self, Unreadable> {
        #[derive(Deserialize)]
        struct Head {
            #[serde(default)]
            format: u32,
        }
        let Head { format } = serde_json::from_str(text)?;
        if format > FORMAT { Err(Unreadable::Newer(format)) } else { Ok(serde_json::from_str(text)?) }
    }

    /// Its text.
    pub fn encode(&self) -> String {
        // Strings and numbers alone, and keys that are strings: nothing that JSON cannot say.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The addresses that it answers for, on any interface.
    pub fn owned(&self) -> Addresses {
        let mut all = Addresses::default();
        self.interfaces.values().for_each(|interface| all.extend(&interface.owned));
        all
    }

    /// The foreign hosts that it finds to use addresses of ours, each with the interface.
    pub fn conflicts(&self) -> impl Iterator<Item = (&str, &Conflict)> {
        self.interfaces
            .iter()
            .flat_map(|(name, interface)| interface.conflicts.iter().map(move |conflict| (name.as_str(), conflict)))
    }

    /// How `vip` came to it last.
    pub fn latest_move(&self, vip: IpAddr) -> Option<&Move> {
        let moves = self.interfaces.values().flat_map(|interface| &interface.moves);
        moves.filter(|came| came.vips.contains(vip)).max_by_key(|came| came.at)
    }

    /// Why it cannot answer for `vip`, as far as it says.
    pub fn why_not(&self, vip: IpAddr) -> Option<&Reason> {
        let group = self.unanswered.iter().find(|group| group.vips.contains(vip));
        group.map(|group| &group.why).or_else(|| self.unable.first())
    }
}

#[cfg(test)]
mod tests;
