//! A record's text on several ConfigMaps, where it is too long for one: `NODE`, `NODE.part-1`, `NODE.part-2`, ...
//!
//! Each part says how many belong together, and to which text. They are read in whatever order they come, and are a text
//! again once all say the same; until then the last whole one counts. Whose they are is told by their names alone, which the
//! admission policy guards, and by nothing in them.

use crate::cluster::names;
use k8s_openapi::api::core::v1::ConfigMap;
use std::{
    collections::{BTreeMap, hash_map::DefaultHasher},
    hash::{Hash, Hasher},
};

/// No part has more bytes: an object may have a megabyte.
pub const LONGEST: usize = 512 * 1024;
/// No record has more parts. The admission policy knows this number, too.
pub const MOST: usize = 16;

/// What is between a node's name and the number of a part after the first.
const INFIX: &str = ".part-";

/// Which text a part belongs to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Whole {
    /// How many parts it has.
    pub parts: usize,
    /// Tells it from the texts before and after it.
    pub digest: u64,
}

/// One part.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Part {
    /// Whose.
    pub node: String,
    /// Its number; 0 is the first.
    pub index: usize,
    /// The order of its writing among all: `resourceVersion`. 0 where that is no number.
    pub version: u64,
    /// Which text it is of.
    pub whole: Whole,
    /// Its piece of it.
    pub text: String,
}

/// The parts of `node`'s record.
pub fn split(node: &str, text: &str, longest: usize) -> Vec<Part> {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    let mut pieces = Vec::new();
    let mut rest = text;
    while rest.len() > longest {
        let (piece, tail) = rest.split_at(rest.floor_char_boundary(longest));
        pieces.push(piece);
        rest = tail;
    }
    pieces.push(rest);
    let whole = Whole { parts: pieces.len(), digest: hasher.finish() };
    let part = |(index, piece): (usize, &&str)| Part {
        node: node.to_owned(),
        index,
        version: 0,
        whole,
        text: (*piece).to_owned(),
    };
    pieces.iter().enumerate().map(part).collect()
}

impl Part {
    /// Projects an object; none where it is no part of a record: every namespace has a ConfigMap of Kubernetes' own, too.
    pub fn new(map: ConfigMap) -> Option<Self> {
        let (node, index) = parse_name(map.metadata.name.as_deref()?)?;
        let version = map.metadata.resource_version.and_then(|version| version.parse().ok()).unwrap_or_default();
        let mut data = map.data.unwrap_or_default();
        let text = data.remove(names::RECORD_KEY)?;
        // Without the key it is all of a text.
        let whole = data.get(names::RECORD_WHOLE_KEY).map_or(Some(Whole { parts: 1, digest: 0 }), |text| {
            let (parts, digest) = text.split_once('/')?;
            Some(Whole { parts: parts.parse().ok()?, digest: u64::from_str_radix(digest, 16).ok()? })
        })?;
        Some(Self { node, index, version, whole, text })
    }

    /// The name of its object.
    pub fn name(&self) -> String {
        if self.index == 0 { self.node.clone() } else { format!("{}{INFIX}{}", self.node, self.index) }
    }

    /// The data of its object.
    pub fn data(&self) -> BTreeMap<&'static str, String> {
        let Whole { parts, digest } = self.whole;
        let whole = (names::RECORD_WHOLE_KEY, format!("{parts}/{digest:016x}"));
        BTreeMap::from([(names::RECORD_KEY, self.text.clone()), whole])
    }
}

/// The node and the number in an object's name.
pub fn parse_name(name: &str) -> Option<(String, usize)> {
    let Some((node, index)) = name.rsplit_once(INFIX) else { return Some((name.to_owned(), 0)) };
    let index = index.parse().ok().filter(|index| (1..MOST).contains(index))?;
    Some((node.to_owned(), index))
}

/// Parts that wait for the others of their text.
#[derive(Debug, Default)]
pub struct Assembly(BTreeMap<String, BTreeMap<usize, Part>>);

impl Assembly {
    /// A part was seen. Gives the whole text, and the order of its writing, once all of it is there.
    pub fn put(&mut self, part: Part) -> Option<(String, u64)> {
        if part.index == 0 && part.whole.parts == 1 {
            self.0.remove(&part.node);
            return Some((part.text, part.version));
        }
        if part.index >= part.whole.parts || part.whole.parts > MOST {
            return None;
        }
        let node = part.node.clone();
        let parts = self.0.entry(node).or_default();
        let whole = part.whole;
        parts.insert(part.index, part);
        let of_it = || (0..whole.parts).map_while(|index| parts.get(&index).filter(|part| part.whole == whole));
        let version = of_it().map(|part| part.version).max();
        version
            .filter(|_| of_it().count() == whole.parts)
            .map(|version| (of_it().map(|part| &*part.text).collect(), version))
    }

    /// The object of this name is gone. Gives the node, if its record is gone with it.
    pub fn remove(&mut self, name: &str) -> Option<String> {
        let (node, index) = parse_name(name)?;
        if index == 0 {
            self.0.remove(&node);
            return Some(node);
        }
        self.0.get_mut(&node)?.remove(&index);
        None
    }
}
