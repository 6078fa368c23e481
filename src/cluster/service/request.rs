//! What the user asked for: Landfall's annotations, MetalLB's, and `spec.loadBalancerIP`.
//!
//! All of them mean the same, so two that disagree are an error of the user's to mend: none of them silently wins.

use crate::cluster::names::{ADDRESS_REQUESTS, POOL_REQUESTS};
use landfall_core::alloc::Request;
use std::{collections::BTreeSet, net::IpAddr};

/// Reads the request from the Service's annotations and its `spec.loadBalancerIP`.
pub(super) fn request<'a>(annotation: impl Fn(&str) -> Option<&'a str>, ip: Option<&'a str>) -> Request {
    let given = |name: &&'static str| Some((*name, annotation(name)?.trim())).filter(|(_, text)| !text.is_empty());
    let pools = POOL_REQUESTS.iter().filter_map(given).map(|(name, pool)| (name, Ok(pool.to_owned())));
    let ip = ip.filter(|ip| !ip.is_empty()).map(|ip| ("spec.loadBalancerIP", ip));
    let addresses = ADDRESS_REQUESTS.iter().filter_map(given).chain(ip);
    let addresses = addresses.map(|(name, text)| (name, parse_addresses(name, text)));
    match (agree(pools), agree(addresses)) {
        (Ok(pool), Ok(addresses)) => {
            Request { pool, addresses: addresses.unwrap_or_default().into_iter().collect(), malformed: None }
        }
        (Err(malformed), _) | (_, Err(malformed)) => Request { malformed: Some(malformed), ..Request::default() },
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

/// The one value that all sources give, if any gives one.
fn agree<T: PartialEq>(
    sources: impl IntoIterator<Item = (&'static str, Result<T, String>)>,
) -> Result<Option<T>, String> {
    let mut first: Option<(&str, T)> = None;
    for (name, value) in sources {
        let value = value?;
        match &first {
            None => first = Some((name, value)),
            Some((other, same)) if *same != value => {
                return Err(format!("{other} and {name} ask for different things: keep one of them"));
            }
            Some(_) => {}
        }
    }
    Ok(first.map(|(_, value)| value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(annotations: &[(&str, &'static str)], ip: Option<&'static str>) -> Request {
        request(|name| annotations.iter().find(|(key, _)| *key == name).map(|(_, text)| *text), ip)
    }

    fn asks(pool: Option<&str>, addresses: &[&str]) -> Request {
        let addresses = addresses.iter().map(|address| address.parse().unwrap()).collect();
        Request { pool: pool.map(str::to_owned), addresses, malformed: None }
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
        ] {
            assert_eq!(parse(annotations, ip), expected, "{annotations:?} {ip:?}");
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
                &[("landfall.dev/pool", "blue"), ("metallb.io/address-pool", "red")],
                None,
                "landfall.dev/pool and metallb.io/address-pool ask for different things: keep one of them",
            ),
        ] {
            assert_eq!(parse(annotations, ip).malformed.as_deref(), Some(expected));
        }
    }
}
