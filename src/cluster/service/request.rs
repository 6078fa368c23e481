//! What the user asked for: Landfall's annotations, MetalLB's, and `spec.loadBalancerIP`.
//!
//! All of them mean the same. Of two lists of addresses one may say more than the other; two that disagree are an error of the
//! user's to mend: none of them silently wins.

use crate::cluster::names::{
    ADDRESS_REQUESTS, ALLOCATED_FROM, ANNOUNCED_ADDRESSES, MIGRATE, OURS, POOL_REQUESTS, SETTLED_ADDRESSES,
    SHARING_KEYS,
};
use landfall_core::{alloc::Request, config::slip_of};
use std::{collections::BTreeSet, net::IpAddr};

/// Reads the request from the Service's annotations and its `spec.loadBalancerIP`.
pub(super) fn request<'a>(annotation: impl Fn(&str) -> Option<&'a str>, ip: Option<&'a str>) -> Request {
    read(annotation, ip).unwrap_or_else(|malformed| Request { malformed: Some(malformed), ..Request::default() })
}

fn read<'a>(annotation: impl Fn(&str) -> Option<&'a str>, ip: Option<&'a str>) -> Result<Request, String> {
    let pool = widest(given(&annotation, &POOL_REQUESTS), |pool, other| pool == other)?;
    let ip = ip.map(str::trim).filter(|ip| !ip.is_empty()).map(|ip| ("spec.loadBalancerIP", ip));
    let mut lists = Vec::new();
    for (name, text) in given(&annotation, &ADDRESS_REQUESTS).chain(ip) {
        lists.push((name, parse_addresses(name, text)?));
    }
    let addresses = widest(lists, BTreeSet::is_superset)?.unwrap_or_default();
    let migrate = match annotation(MIGRATE).map(str::trim) {
        Some("true") => true,
        None | Some("false" | "") => false,
        Some(text) => return Err(format!("{MIGRATE}: {text:?} is neither true nor false")),
    };
    let (pool, addresses) = (pool.map(str::to_owned), addresses.into_iter().collect());
    Ok(Request { pool, addresses, migrate, malformed: None })
}

/// What is wrong where one of the annotations is a slip of a request of ours: ignored, it would be followed by nobody without a
/// word. Others are nobody's business here, a newer controller's neither.
pub(super) fn mistyped<'a>(annotations: impl Iterator<Item = &'a str>) -> Option<String> {
    let requests = [POOL_REQUESTS[0], ADDRESS_REQUESTS[0], SHARING_KEYS[0], MIGRATE];
    let results = [ALLOCATED_FROM, ANNOUNCED_ADDRESSES, SETTLED_ADDRESSES];
    let mut unknown =
        annotations.filter(|name| name.starts_with(OURS) && !requests.iter().chain(&results).any(|it| it == name));
    // What all have in common makes none alike.
    let known = requests.map(|name| &name[OURS.len()..]);
    unknown.find_map(|name| {
        let meant = slip_of(&name[OURS.len()..], &known)?;
        Some(format!("{name} is no annotation that Landfall knows: did you mean {OURS}{meant}?"))
    })
}

/// Those of the annotations `names` that say something, with what they say.
pub(super) fn given<'a>(
    annotation: impl Fn(&str) -> Option<&'a str>,
    names: &[&'static str],
) -> impl Iterator<Item = (&'static str, &'a str)> {
    names.iter().filter_map(move |name| Some((*name, annotation(name)?.trim())).filter(|(_, text)| !text.is_empty()))
}

/// Of what was asked for in several places the one that says all that the others say.
pub(super) fn widest<T: Clone>(
    sources: impl IntoIterator<Item = (&'static str, T)>,
    says_all_of: impl Fn(&T, &T) -> bool,
) -> Result<Option<T>, String> {
    let sources: Vec<(&str, T)> = sources.into_iter().collect();
    let is_widest = |(_, value): &&(&str, T)| sources.iter().all(|(_, other)| says_all_of(value, other));
    match sources.iter().find(is_widest) {
        Some((_, value)) => Ok(Some(value.clone())),
        None if sources.is_empty() => Ok(None),
        None => {
            let names: Vec<&str> = sources.iter().map(|(name, _)| *name).collect();
            Err(format!("{} ask for different things: keep one of them", names.join(" and ")))
        }
    }
}

fn parse_addresses(name: &str, text: &str) -> Result<BTreeSet<IpAddr>, String> {
    let parse = |part: &str| {
        let part = part.trim();
        part.parse()
            .map_err(|_| format!("{name}: \"{part}\" is not an IP address: write addresses separated by commas"))
    };
    text.split(',').map(parse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(annotations: &[(&str, &'static str)], ip: Option<&'static str>) -> Request {
        request(|name| annotations.iter().find(|(key, _)| *key == name).map(|(_, text)| *text), ip)
    }

    fn asks(pool: Option<&str>, addresses: &[&str]) -> Request {
        let addresses = addresses.iter().map(|address| address.parse().unwrap()).collect();
        Request { pool: pool.map(str::to_owned), addresses, ..Request::default() }
    }

    #[test]
    fn requests_are_read_from_every_source() {
        let (v4, v6) = ("198.51.100.7", "2001:db8::7");
        for (annotations, ip, expected) in [
            (&[][..], None, asks(None, &[])),
            (&[("landfall.dev/pool", " blue ")], None, asks(Some("blue"), &[])),
            (&[("metallb.io/address-pool", "blue")], None, asks(Some("blue"), &[])),
            (&[("metallb.universe.tf/address-pool", "blue")], None, asks(Some("blue"), &[])),
            (&[("landfall.dev/addresses", "2001:db8::7, 198.51.100.7")], None, asks(None, &[v4, v6])),
            (&[("metallb.io/loadBalancerIPs", v4)], None, asks(None, &[v4])),
            (&[("metallb.universe.tf/loadBalancerIPs", v4)], None, asks(None, &[v4])),
            (&[], Some(v4), asks(None, &[v4])),
            (&[("landfall.dev/addresses", v4)], Some(v4), asks(None, &[v4])),
            (&[("landfall.dev/addresses", "")], Some(""), asks(None, &[])),
            // One may say more than the other.
            (&[("landfall.dev/addresses", "198.51.100.7,2001:db8::7")], Some(v4), asks(None, &[v4, v6])),
            (&[("metallb.io/loadBalancerIPs", "2001:db8::7, 198.51.100.7")], Some(v6), asks(None, &[v4, v6])),
            (
                &[("landfall.dev/addresses", v6), ("metallb.universe.tf/loadBalancerIPs", "198.51.100.7,2001:db8::7")],
                None,
                asks(None, &[v4, v6]),
            ),
            (
                &[("landfall.dev/addresses", v4), ("metallb.io/loadBalancerIPs", "198.51.100.7,2001:db8::7")],
                Some(v6),
                asks(None, &[v4, v6]),
            ),
            (&[("landfall.dev/pool", "blue"), ("metallb.io/address-pool", "blue")], None, asks(Some("blue"), &[])),
            (&[("landfall.dev/migrate", "false")], None, asks(None, &[])),
            (&[("landfall.dev/migrate", "true")], None, Request { migrate: true, ..asks(None, &[]) }),
        ] {
            assert_eq!(parse(annotations, ip), expected, "{annotations:?} {ip:?}");
        }
    }

    #[test]
    fn a_slip_of_an_annotation_is_said_and_others_are_left_alone() {
        for (name, meant) in [
            ("landfall.dev/pools", Some("landfall.dev/pool")),
            ("landfall.dev/Addresses", Some("landfall.dev/addresses")),
            ("landfall.dev/adresses", Some("landfall.dev/addresses")),
            ("landfall.dev/sharing_key", Some("landfall.dev/sharing-key")),
            ("landfall.dev/migrated", Some("landfall.dev/migrate")),
            ("landfall.dev/pool", None),
            ("landfall.dev/allocated-from", None),
            ("landfall.dev/announced-addresses", None),
            ("landfall.dev/settled-addresses", None),
            ("landfall.dev/of-a-newer-version", None),
            ("landfall.dev/", None),
            ("example.org/pools", None),
        ] {
            let said = meant.map(|meant| format!("{name} is no annotation that Landfall knows: did you mean {meant}?"));
            assert_eq!(mistyped(["example.org/note", name].into_iter()), said);
        }
    }

    #[test]
    fn what_cannot_be_followed_is_said() {
        for (annotations, ip, expected) in [
            (
                &[("landfall.dev/addresses", "198.51.100.7;2001:db8::7")][..],
                None,
                "landfall.dev/addresses: \"198.51.100.7;2001:db8::7\" is not an IP address: write addresses separated by commas",
            ),
            (
                &[],
                Some("tomorrow"),
                "spec.loadBalancerIP: \"tomorrow\" is not an IP address: write addresses separated by commas",
            ),
            (
                &[("landfall.dev/addresses", "198.51.100.7")],
                Some("198.51.100.8"),
                "landfall.dev/addresses and spec.loadBalancerIP ask for different things: keep one of them",
            ),
            (
                &[("landfall.dev/addresses", "198.51.100.7")],
                Some("2001:db8::7"),
                "landfall.dev/addresses and spec.loadBalancerIP ask for different things: keep one of them",
            ),
            (&[("landfall.dev/migrate", "yes")], None, "landfall.dev/migrate: \"yes\" is neither true nor false"),
            (
                &[("landfall.dev/pool", "blue"), ("metallb.io/address-pool", "red")],
                None,
                "landfall.dev/pool and metallb.io/address-pool ask for different things: keep one of them",
            ),
        ] {
            assert_eq!(parse(annotations, ip).malformed.as_deref(), Some(expected));
        }
    }
}
