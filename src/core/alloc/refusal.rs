//! Why a Service is not served as it asks, in words that say what to change.

use super::{Few, Request, Reserve, ServiceKey, sharing::Clash, stranger::Stranger};
use crate::{addr::Family, config::Barrier};
use std::{fmt, net::IpAddr};

/// Why a Service is not served as it asks. `Display` says what to change; [`Refusal::reason`] is the word for conditions.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no configuration with pools yet.
    #[error("no address pools are configured: add one to the ConfigMap landfall in Landfall's namespace")]
    NoPools,
    /// All pools are for those that ask for them.
    #[error("every pool has autoAssign: false: ask for one with the annotation landfall.dev/pool; there is {pools}")]
    NoAutoAssign {
        /// The pools that could be asked for.
        pools: Few<String>,
    },
    /// The requested pool, or that of the address, is for others.
    #[error(
        "pool {pool:?} does not admit this Service: {barrier}: ask for another pool, or change the labels or the pool"
    )]
    NotAdmitted {
        /// The pool.
        pool: String,
        /// What keeps the Service out.
        barrier: Barrier,
    },
    /// All pools that assign by themselves are for others.
    #[error(
        "no pool is for this Service: by their namespaces, namespaceSelectors and serviceSelectors {pools} are for others: change \
         the labels or a pool"
    )]
    NoneAdmits {
        /// The pools that were looked at.
        pools: Few<String>,
    },
    /// No pool that may be used has addresses of a family.
    #[error("there are no {family} addresses in {pools}: add a range to a pool, or ask for another family or pool")]
    NoFamily {
        /// The family.
        family: Family,
        /// The pools that were looked at.
        pools: Few<String>,
    },
    /// Every address that would do is in use.
    #[error("no address is free in {usage}: add addresses to a pool, or delete a Service that holds one")]
    Exhausted {
        /// What was looked at.
        usage: Few<Usage>,
    },
    /// Both families are required, and no pool has one of each.
    #[error(
        "no pool has both an IPv4 and an IPv6 address free: there is {usage}: add addresses, or delete a Service that holds one"
    )]
    NotBothFamilies {
        /// What was looked at.
        usage: Few<Usage>,
    },
    /// Somebody else serves it.
    #[error(
        "the status shows {shown}, not by Landfall's word, and {stranger}: another implementation serves this Service; for \
         Landfall to serve it, stop the other one and clear status.loadBalancer{}",
        stranger.remedy()
    )]
    Foreign {
        /// What the status shows.
        shown: String,
        /// What of that Landfall would not have given.
        stranger: Stranger,
    },
    /// The request cannot be understood.
    #[error("the request cannot be understood: {0}")]
    Malformed(String),
    /// The request names a pool that is not there, or the pool that the Service's addresses came from is gone.
    #[error("there is no pool {pool:?}: ask for one that there is ({known}), or add it")]
    UnknownPool {
        /// The pool.
        pool: String,
        /// Those that are there.
        known: Few<String>,
    },
    /// An address that is in no pool.
    #[error("{address} is in no pool: add it to one, or ask for an address that is in one")]
    OutsidePools {
        /// The address.
        address: IpAddr,
    },
    /// An address that a pool lists and never hands out.
    #[error(
        "pool {pool:?} does not hand out {address} (it is excluded, a subnet's edge, or IPv6's anycast address): ask for \
         another one"
    )]
    Excluded {
        /// The address.
        address: IpAddr,
        /// The pool that lists it.
        pool: String,
    },
    /// An address of a pool that is somebody else's.
    #[error("{address} is never handed out: {by}: ask for another one, and exclude it from its pool")]
    Reserved {
        /// The address.
        address: IpAddr,
        /// Whose it is.
        by: Reserve,
    },
    /// The requested address was another Service's a moment ago.
    #[error(
        "{address} was the Service {of}'s and rests after its release, so that nobody takes the new Service for the old one: \
         wait, or ask for another one"
    )]
    Resting {
        /// The address.
        address: IpAddr,
        /// Whose it was.
        of: ServiceKey,
    },
    /// The requested address belongs to another Service.
    #[error("{address} is in use by the Service {by}: ask for another one, or for none")]
    Taken {
        /// The address.
        address: IpAddr,
        /// Who has it.
        by: ServiceKey,
    },
    /// The address belongs to another Service, and the two cannot share it.
    #[error("{address} cannot be shared with the Service {by}: {clash}")]
    Unshareable {
        /// The address.
        address: IpAddr,
        /// Who has it.
        by: ServiceKey,
        /// What keeps the two from sharing.
        clash: Clash,
    },
    /// Of two families one is shared, and there is none of the other to share.
    #[error(
        "{address} is shared, and no Service of its sharing key has an address of the other family to share: of two families \
         both are shared or neither: ask for an address, or for another key"
    )]
    Unpaired {
        /// The address that is shared.
        address: IpAddr,
    },
    /// The namespace has as many addresses as the pool allows.
    #[error(
        "namespace {namespace} has {limit} addresses of pool {pool:?}, and perNamespace allows no more: delete one of its \
         Services, or raise the limit"
    )]
    NamespaceLimit {
        /// The pool.
        pool: String,
        /// The namespace.
        namespace: String,
        /// The limit.
        limit: u32,
    },
    /// The requested address is not in the requested pool.
    #[error(
        "{address} is in the pool {found:?} and not in {pool:?}: ask for one of the two, or for an address of that pool"
    )]
    WrongPool {
        /// The address.
        address: IpAddr,
        /// The requested pool.
        pool: String,
        /// The address's pool.
        found: String,
    },
    /// The requested address is of a family that the Service does not have.
    #[error(
        "{address} is no address for this Service, which has the families {families}: see spec.ipFamilies and spec.ipFamilyPolicy"
    )]
    WrongFamily {
        /// The address.
        address: IpAddr,
        /// The Service's families.
        families: Few<Family>,
    },
    /// Two requested addresses of one family.
    #[error("{first} and {second} are both {}: ask for one address of each family", Family::of(*.first))]
    TwoOfOneFamily {
        /// One.
        first: IpAddr,
        /// The other.
        second: IpAddr,
    },
}

impl Refusal {
    /// The condition's reason, in CamelCase.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NoPools => "NoPools",
            Self::NoAutoAssign { .. } => "NoAutoAssignPool",
            Self::NotAdmitted { .. } => "NotAdmitted",
            Self::NoneAdmits { .. } => "NoPoolAdmits",
            Self::NoFamily { .. } => "NoPoolForFamily",
            Self::Exhausted { .. } => "PoolExhausted",
            Self::NotBothFamilies { .. } => "NoDualStackPool",
            Self::Foreign { .. } => "ForeignStatus",
            Self::Malformed(_) => "MalformedRequest",
            Self::UnknownPool { .. } => "UnknownPool",
            Self::OutsidePools { .. } => "AddressOutsidePools",
            Self::Excluded { .. } => "AddressExcluded",
            Self::Reserved { by: Reserve::InUse(_), .. } => "AddressConflict",
            Self::Reserved { .. } => "AddressReserved",
            Self::Resting { .. } => "AddressResting",
            Self::Taken { .. } => "AddressInUse",
            Self::Unshareable { clash, .. } => match clash {
                Clash::Keys => "SharingKeyConflict",
                Clash::Port(_) => "SharingPortConflict",
                Clash::Policies => "SharingPolicyConflict",
                Clash::Pods => "SharingSelectorConflict",
                Clash::Namespaces | Clash::Forbidden => "SharingNotAllowed",
            },
            Self::Unpaired { .. } => "SharingIncomplete",
            Self::NamespaceLimit { .. } => "NamespaceLimit",
            Self::WrongPool { .. } => "AddressNotInPool",
            Self::WrongFamily { .. } => "AddressOfWrongFamily",
            Self::TwoOfOneFamily { .. } => "TwoAddressesOfOneFamily",
        }
    }

    /// Whether it is one of these addresses that does not fit, which a Service has from the pools in `record`, and does not ask
    /// for: another may be had in its place. Otherwise it is what the Service asks for that is not to be had.
    pub fn is_about(&self, addresses: &[IpAddr], record: &str, asked: &Request) -> bool {
        match self {
            Self::OutsidePools { address }
            | Self::Excluded { address, .. }
            | Self::Reserved { address, .. }
            | Self::Unshareable { address, .. }
            | Self::WrongPool { address, .. } => addresses.contains(address) && !asked.addresses.contains(address),
            Self::NotAdmitted { pool, .. } | Self::UnknownPool { pool, .. } => {
                let asks = asked.pool.is_some() || !asked.addresses.is_empty();
                !asks && record.split(',').any(|from| from == pool)
            }
            _ => false,
        }
    }

    /// What stays true while other Services come and go: for a condition, which is not written again whenever they do.
    pub fn lasting(&self) -> String {
        let text = self.to_string();
        match self {
            Self::Exhausted { usage } | Self::NotBothFamilies { usage } => {
                let shown = usage.shown().iter();
                shown.fold(text, |text, usage| text.replace(&usage.to_string(), &usage.lasting()))
            }
            _ => text,
        }
    }

    /// Whether a user would learn nothing from `other`: the same, be it that other Services have come and gone.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        self.reason() == other.reason() && self.lasting() == other.lasting()
    }
}

/// How full a pool is, for one family.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Usage {
    /// The pool.
    pub pool: String,
    /// The family.
    pub family: Family,
    /// Addresses in use.
    pub used: u128,
    /// Addresses that rest after their release.
    pub resting: u128,
    /// Addresses that the pool may hand out.
    pub total: u128,
}

impl Usage {
    fn lasting(&self) -> String {
        let Self { pool, family, total, .. } = self;
        format!("pool {pool} ({total} {family} addresses)")
    }
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pool, family, used, resting, total } = self;
        write!(f, "pool {pool} ({used} of {total} {family} addresses in use")?;
        if *resting > 0 {
            write!(f, ", {resting} resting after their release")?;
        }
        f.write_str(")")
    }
}
