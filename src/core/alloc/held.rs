//! An address in a Service's hands.

use super::sharing::Share;
use crate::{addr::Family, config::Pool};
use arcstr::ArcStr;
use std::{net::IpAddr, sync::Arc};

/// An address that a Service holds, and the pool that it came from. An edit may have moved the address to another pool,
/// or out of all pools, since: where the Service asks for the pool that it came from, that still counts as had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Held {
    pub address: IpAddr,
    pub pool: ArcStr,
    /// What the Service brought to it, to share it with others.
    pub share: Option<Arc<Share>>,
}

impl Held {
    pub fn family(&self) -> Family {
        Family::of(self.address)
    }

    pub fn is_of(&self, pool: &Pool) -> bool {
        self.pool == pool.name || pool.lists(self.address)
    }

    /// Whether a Service's object would say the same of both.
    pub fn is_like(&self, other: &Self) -> bool {
        (self.address, &self.pool) == (other.address, &other.pool)
    }
}
