//! Addresses in a record: as ranges, so that ten thousand stay small.

use ipnet::IpNet;
use landfall_core::addr::{AddressSet, Block, Family, Range};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use std::net::IpAddr;

/// A set of addresses; its text is a list of `198.51.100.7` and `198.51.100.10-198.51.100.20`, IPv4 first, ascending.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Addresses(AddressSet);

impl Addresses {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `vip` is one of them.
    pub fn contains(&self, vip: IpAddr) -> bool {
        self.0.contains(vip)
    }

    /// Adds one. Says whether it was missing.
    pub fn insert(&mut self, vip: IpAddr) -> bool {
        self.0.give(vip)
    }

    /// Takes one out. Says whether it was there.
    pub fn remove(&mut self, vip: IpAddr) -> bool {
        self.0.take(vip)
    }

    /// Adds all of `others`.
    pub fn extend(&mut self, others: &Self) {
        others.ranges().for_each(|range| self.0.insert(range));
    }

    /// Those that `others` has not.
    pub fn without(&self, others: &Self) -> Self {
        let mut rest = self.clone();
        others.ranges().for_each(|range| rest.0.remove(range));
        rest
    }

    /// The ranges, IPv4 first, ascending.
    pub fn ranges(&self) -> impl Iterator<Item = Range> {
        let of = |family| self.0.family(family).iter().map(move |(first, last)| Range { family, first, last });
        Family::BOTH.into_iter().flat_map(of)
    }
}

impl FromIterator<IpAddr> for Addresses {
    fn from_iter<T: IntoIterator<Item = IpAddr>>(vips: T) -> Self {
        let mut all = Self::default();
        vips.into_iter().for_each(|vip| _ = all.insert(vip));
        all
    }
}

impl Serialize for Addresses {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(self.ranges().map(|range| range.to_string()))
    }
}

impl<'de> Deserialize<'de> for Addresses {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let mut all = AddressSet::default();
        for text in Vec::<String>::deserialize(from)? {
            all.insert(text.parse::<Block>().map_err(D::Error::custom)?.range);
        }
        Ok(Self(all))
    }
}

/// An interface's own addresses with their prefix lengths, `198.51.100.11/24`. One without is taken for a host's.
pub(super) mod own {
    use super::*;

    pub fn serialize<S: Serializer>(addresses: &[IpNet], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(addresses.iter().map(ToString::to_string))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<IpNet>, D::Error> {
        let parse = |text: &String| text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        let texts = Vec::<String>::deserialize(from)?;
        texts.iter().map(parse).collect::<Result<_, _>>().map_err(D::Error::custom)
    }
}
