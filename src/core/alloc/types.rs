//! What the allocator is told and what it answers.

use super::{Refusal, Reserved, Rest, ServiceKey, sharing::Share};
use crate::{
    addr::Family,
    config::{Config, Labels},
};
use arcstr::ArcStr;
use std::{net::IpAddr, sync::Arc};

/// `spec.ipFamilies`: one or both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Families {
    /// The first.
    pub first: Family,
    /// Whether the other one follows.
    pub both: bool,
}

/// As they are listed; none is treated as IPv4.
impl FromIterator<Family> for Families {
    fn from_iter<I: IntoIterator<Item = Family>>(families: I) -> Self {
        let mut families = families.into_iter();
        let first = families.next().unwrap_or(Family::V4);
        Self { first, both: families.any(|other| other != first) }
    }
}

/// `spec.ipFamilyPolicy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FamilyPolicy {
    /// One family: the first of `families`.
    SingleStack,
    /// Both where they are to be had, else one.
    PreferDualStack,
    /// Both or nothing.
    RequireDualStack,
}

/// What the user asked for, by annotation or `spec.loadBalancerIP`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request {
    /// A pool by name.
    pub pool: Option<String>,
    /// Addresses; at most one of each family makes sense.
    pub addresses: Vec<IpAddr>,
    /// An address that no longer fits may be exchanged for one that does.
    pub migrate: bool,
    /// The text could not be understood: what and where, in words for the user.
    pub malformed: Option<String>,
}

impl Request {
    /// As a Service has it: most ask for nothing.
    pub fn boxed(self) -> Option<Box<Rare>> {
        Rare { request: self, ..Rare::default() }.boxed()
    }
}

/// What few Services have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rare {
    /// What the user asked for.
    pub request: Request,
    /// Where our record is there and the status is empty: what was announced before, one address of each family. The API server
    /// wipes a status when the type changes.
    pub lapsed: Box<[IpAddr]>,
}

impl Rare {
    /// As a Service has it: none where there is nothing.
    pub fn boxed(self) -> Option<Box<Self>> {
        (self != Self::default()).then(|| Box::new(self))
    }
}

/// What the allocator needs to know of one Service. There are thousands: what few have is in a box.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// Namespace and name.
    pub key: ServiceKey,
    /// The object's UID: a new one under the same name is another Service.
    pub uid: ArcStr,
    /// `creationTimestamp`, in seconds since 1970.
    pub created: i64,
    /// Whether it is ours to serve: type LoadBalancer, our class, not being deleted.
    pub managed: bool,
    /// Whether another implementation is to serve it, by its class, also while it is being deleted. What we have left on it goes,
    /// and its status stays.
    pub elsewhere: bool,
    /// Its labels.
    pub labels: Labels,
    /// `spec.ipFamilies`.
    pub families: Families,
    /// `spec.ipFamilyPolicy`.
    pub policy: FamilyPolicy,
    /// What few have; none: nothing in particular.
    pub rare: Option<Box<Rare>>,
    /// With which others it would share an address; none: with nobody.
    pub share: Option<Arc<Share>>,
    /// The record annotation: the pools that its addresses came from.
    pub record: Option<ArcStr>,
    /// The addresses in its status.
    pub status: Box<[IpAddr]>,
    /// Which of these have been announced before, so that clients may know them: a bit for each, the lowest for the first; and
    /// [`Service::SETTLED`].
    pub announced: u8,
    /// The status has an entry that is no address (a hostname).
    pub foreign_status: bool,
    /// Whether it carries the finalizer, which other implementations use, too.
    pub finalizer: bool,
}

impl Service {
    /// The bit that says that our word is on the object that it leaves none of its addresses to a foreign host.
    pub const SETTLED: u8 = 1 << 7;

    /// Whether that is so.
    pub fn is_settled(&self) -> bool {
        self.announced & Self::SETTLED != 0
    }

    /// What was announced before its status was wiped.
    pub fn lapsed(&self) -> &[IpAddr] {
        self.rare.as_ref().map_or(&[], |rare| &rare.lapsed)
    }

    /// Whether clients may know `address`, which its status shows, as its own.
    pub fn was_announced(&self, address: IpAddr) -> bool {
        let shown = self.status.iter().position(|shown| *shown == address).and_then(|bit| u32::try_from(bit).ok());
        shown.and_then(|bit| (self.announced & !Self::SETTLED).checked_shr(bit)).is_some_and(|bits| bits & 1 == 1)
    }

    /// What the user asked for.
    pub fn request(&self) -> &Request {
        static NOTHING: Request = Request { pool: None, addresses: Vec::new(), migrate: false, malformed: None };
        self.rare.as_ref().map_or(&NOTHING, |rare| &rare.request)
    }
}

/// What happened.
#[derive(Debug, Clone)]
pub enum Event {
    /// A configuration was accepted.
    Configured(Arc<Config>),
    /// A Service was seen: new, changed, or the same again.
    Applied(Arc<Service>),
    /// A Service is gone from the API server: there is nothing of it left to write, and what it held is free.
    Deleted(ServiceKey),
    /// A namespace has these labels; none: it is gone.
    Namespace {
        /// Its name.
        name: String,
        /// Its labels.
        labels: Option<Labels>,
    },
    /// What was remembered of released addresses. Before that nothing is decided.
    Remembered(Vec<Rest>),
    /// The addresses that no Service can have.
    Reserved(Arc<Reserved>),
    /// The first lists of Services and namespaces are complete. Before that nothing is decided.
    Synced,
    /// Time has passed.
    Passed,
}

/// What is to be written. Every decision names the UID that it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// These addresses are the Service's: finalizer, record and status are to say so, in one write.
    Assign {
        /// The Service.
        key: ServiceKey,
        /// Its UID.
        uid: ArcStr,
        /// IPv4 first.
        addresses: Vec<IpAddr>,
        /// The record annotation's value: the pool's name (two, comma-separated, where two pools gave an address each).
        record: ArcStr,
        /// The Service keeps what it has although something no longer fits (its pool was edited, a new request cannot be
        /// had): why.
        kept: Option<Refusal>,
        /// Whether it leaves none of them to a foreign host from now on, whoever leads.
        settled: bool,
    },
    /// The Service gets nothing and shows nothing of ours: it is to be told why.
    Refuse {
        /// The Service.
        key: ServiceKey,
        /// Its UID.
        uid: ArcStr,
        /// Why, and what to change.
        refusal: Refusal,
    },
    /// The Service no longer wants or may have its addresses: status, record and finalizer go, in one write. Where it
    /// still wants some, and there are none, a `Refuse` follows once the object shows that.
    Release {
        /// The Service.
        key: ServiceKey,
        /// Its UID.
        uid: ArcStr,
        /// What it held.
        addresses: Vec<IpAddr>,
        /// The status is another implementation's to write, and stays as it is.
        leaves_status: bool,
    },
    /// The Service has lost an address, since it or an older claim to the address has changed. What becomes of it is another
    /// decision: this one is to be told, and nothing to be written.
    Lost {
        /// The Service.
        key: ServiceKey,
        /// Its UID.
        uid: ArcStr,
        /// Why, and what to change.
        refusal: Refusal,
    },
}

impl Decision {
    /// The Service that it is about, and its UID.
    pub fn about(&self) -> (&ServiceKey, &str) {
        match self {
            Self::Assign { key, uid, .. }
            | Self::Refuse { key, uid, .. }
            | Self::Release { key, uid, .. }
            | Self::Lost { key, uid, .. } => (key, uid),
        }
    }
}
