//! Pools: named sets of addresses, which nobody else's pool may share.

use super::{
    admission::Admission,
    diagnostic::{Fault, Position},
    fields::{Fields, Findings},
    selector::is_dns_name,
    tree::Node,
};
use crate::addr::{AddressSet, Block, Family, Range};
use arcstr::ArcStr;
use ipnet::IpNet;
use std::{collections::BTreeMap, net::IpAddr};

/// A named set of addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pool {
    /// Its name.
    pub name: ArcStr,
    /// Whether a Service that asks for no pool may get one of its addresses.
    pub auto_assign: bool,
    /// Higher ones are looked at first.
    pub priority: i32,
    /// Whom it is for.
    pub admission: Admission,
    /// Who may share one of its addresses.
    pub sharing: Sharing,
    /// How many of its addresses one namespace may hold; 0: no limit.
    pub per_namespace: u32,
    /// The addresses that may be handed out: what it lists, without what is excluded or reserved.
    pub addresses: AddressSet,
    /// What it lists, ascending.
    pub(super) listed: Vec<Range>,
}

/// Which Services with one sharing key may share an address.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Sharing {
    /// Those of one namespace.
    #[default]
    Namespace,
    /// Those of any namespace.
    All,
    /// None.
    None,
}

impl Pool {
    /// Whether the pool lists `address`, be it excluded from allocation or not.
    pub fn lists(&self, address: IpAddr) -> bool {
        self.listed.iter().any(|range| range.contains(address))
    }

    /// Whether it lists an address of `subnet`, of which only the first `prefix_len` bits count.
    pub fn lists_in(&self, subnet: IpNet) -> bool {
        let subnet = Range::network(subnet.addr(), subnet.prefix_len());
        self.listed.iter().any(|range| range.overlaps(&subnet))
    }

    /// How many addresses of a family it can hand out.
    pub fn size(&self, family: Family) -> u128 {
        self.addresses.len(family)
    }
}

const POOL: &[&str] = &[
    "name",
    "addresses",
    "exclude",
    "autoAssign",
    "avoidEdgeAddresses",
    "priority",
    "namespaces",
    "namespaceSelectors",
    "serviceSelectors",
    "sharing",
    "perNamespace",
];

const SHARING: [(&str, Sharing); 3] =
    [("namespace", Sharing::Namespace), ("all", Sharing::All), ("none", Sharing::None)];

/// More addresses in one range would have too many edges: a /8 has 131,072.
const EDGE_LIMIT: u128 = 1 << 24;

/// A block, as and where it was written.
struct Entry<'a> {
    block: Block,
    text: &'a str,
    path: String,
    at: Position,
}

/// Reads the pools. Those with an error are left out, yet their names are in the second result, so that an announcement
/// for one of them is no second error.
pub(super) fn read_pools<'a>(
    list: &[(String, &'a Node)],
    findings: &mut Findings,
) -> (Vec<Pool>, BTreeMap<&'a str, Position>) {
    let (mut pools, mut names, mut entries) = (Vec::new(), BTreeMap::new(), Vec::new());
    for (path, node) in list {
        let fields = findings.fields(node, path, POOL);
        let name = read_name(&fields, &mut names, findings);
        let auto_assign = fields.boolean(findings, "autoAssign", true);
        let priority = fields.integer(findings, "priority", "a whole number from -2147483648 to 2147483647");
        let admission = Admission::read(&fields, findings);
        let sharing = fields.choice(findings, "sharing", &SHARING);
        let per_namespace = fields.integer(findings, "perNamespace", "a whole number from 0 to 4294967295");
        let (listed, addresses) = read_addresses(&fields, &mut entries, findings);
        if let Some(name) = name {
            let name = name.into();
            pools.push(Pool { name, auto_assign, priority, admission, sharing, per_namespace, addresses, listed });
        }
    }
    find_overlaps(&entries, findings);
    (pools, names)
}

fn read_name<'a>(
    fields: &Fields<'a>,
    names: &mut BTreeMap<&'a str, Position>,
    findings: &mut Findings,
) -> Option<&'a str> {
    let (name, at) = fields.required_text(findings, "name")?;
    let path = fields.path("name");
    if !is_dns_name(name, 63) {
        findings.error(at, &path, Fault::PoolName(name.to_owned()));
    }
    match names.get(name) {
        Some(first) => findings.error(at, &path, Fault::DuplicatePool { name: name.to_owned(), first: *first }),
        None => {
            names.insert(name, at);
        }
    }
    Some(name)
}

/// What the pool lists, and what of it may be handed out.
fn read_addresses<'a>(
    fields: &Fields<'a>,
    entries: &mut Vec<Entry<'a>>,
    findings: &mut Findings,
) -> (Vec<Range>, AddressSet) {
    let avoid_edges = fields.boolean(findings, "avoidEdgeAddresses", false);
    let before = findings.errors.len();
    let own = entries.len();
    if fields.node("addresses").is_none() {
        fields.missing(findings, "addresses");
    }
    entries.extend(read_blocks(fields, "addresses", findings).into_iter().filter(|entry| is_usable(entry, findings)));
    let own = &entries[own..];
    let mut usable = AddressSet::default();
    own.iter().for_each(|entry| usable.insert(entry.block.range));
    for entry in own {
        if avoid_edges && entry.block.range.family == Family::V4 && size(&entry.block) > EDGE_LIMIT {
            findings.error(entry.at, &entry.path, Fault::TooLargeForEdges(entry.text.to_owned()));
            continue;
        }
        entry.block.reserved(avoid_edges).into_iter().for_each(|range| usable.remove(range));
    }
    for Entry { block, text, path, at } in read_blocks(fields, "exclude", findings) {
        if !own.iter().any(|entry| entry.block.range.overlaps(&block.range)) {
            findings.warn(at, &path, Fault::ExcludesNothing(text.to_owned()));
        }
        usable.remove(block.range);
    }
    // With an error in one of its addresses nobody knows what would be left.
    if findings.errors.len() == before && usable.is_empty() {
        let at = fields.node("addresses").map_or(fields.at, |node| node.at);
        let fault = if own.is_empty() { Fault::EmptyPool } else { Fault::NothingLeft };
        findings.error(at, &fields.path("addresses"), fault);
    }
    let mut listed: Vec<Range> = own.iter().map(|entry| entry.block.range).collect();
    listed.sort();
    (listed, usable)
}

fn size(block: &Block) -> u128 {
    (block.range.last - block.range.first).saturating_add(1)
}

fn read_blocks<'a>(fields: &Fields<'a>, key: &str, findings: &mut Findings) -> Vec<Entry<'a>> {
    let mut entries = Vec::new();
    for (path, text, at) in fields.texts(findings, key) {
        match text.parse::<Block>() {
            Ok(block) => {
                if block.host_bits {
                    let range = block.range.to_string();
                    findings.warn(at, &path, Fault::HostBits { written: text.to_owned(), range });
                }
                entries.push(Entry { block, text, path, at });
            }
            Err(error) => findings.error(at, &path, error.into()),
        }
    }
    entries
}

fn is_usable(entry: &Entry<'_>, findings: &mut Findings) -> bool {
    let Some(special) = entry.block.range.special() else { return true };
    findings.error(entry.at, &entry.path, Fault::Special { block: entry.text.to_owned(), special });
    false
}

/// Reports each block that has an address in common with one that stands before it in the text.
fn find_overlaps(entries: &[Entry<'_>], findings: &mut Findings) {
    let mut order: Vec<usize> = (0..entries.len()).collect();
    order.sort_by_key(|index| (entries[*index].block.range, *index));
    // Of those that begin before it, the one that reaches farthest overlaps a block if any does.
    let mut farthest: Option<usize> = None;
    for index in order {
        let range = entries[index].block.range;
        if let Some(other) = farthest.filter(|other| entries[*other].block.range.overlaps(&range)) {
            let (first, second) = (&entries[index.min(other)], &entries[index.max(other)]);
            let fault = Fault::Overlap {
                block: second.text.to_owned(),
                other_path: first.path.clone(),
                other: first.text.to_owned(),
                other_at: first.at,
            };
            findings.error(second.at, &second.path, fault);
        }
        let reaches = |index: usize| (entries[index].block.range.family, entries[index].block.range.last);
        if farthest.is_none_or(|other| reaches(other) < reaches(index)) {
            farthest = Some(index);
        }
    }
}
