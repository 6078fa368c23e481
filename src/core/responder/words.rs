//! One word for each reason, malformed packets' included: what a counter per reason is labelled with.

use super::Ignored;
use crate::{
    wire::{arp, ethernet, ndp},
    words::words,
};

impl Ignored {
    words! {
        "ethernet_truncated" => [Self::Ethernet(ethernet::Refused::Truncated)],
        "ethernet_source" => [Self::Ethernet(ethernet::Refused::Source)],
        "arp_truncated" => [Self::Arp(arp::Refused::Truncated)],
        "arp_address_space" => [Self::Arp(arp::Refused::AddressSpace)],
        "arp_operation" => [Self::Arp(arp::Refused::Operation)],
        "arp_sender_mac" => [Self::Arp(arp::Refused::SenderMac)],
        "arp_sender_ip" => [Self::Arp(arp::Refused::SenderIp)],
        "ndp_truncated" => [Self::Ndp(ndp::Refused::Truncated)],
        "ndp_not_icmpv6" => [Self::Ndp(ndp::Refused::NotIcmpv6)],
        "ndp_type" => [Self::Ndp(ndp::Refused::Type)],
        "ndp_hop_limit" => [Self::Ndp(ndp::Refused::HopLimit)],
        "ndp_code" => [Self::Ndp(ndp::Refused::Code)],
        "ndp_checksum" => [Self::Ndp(ndp::Refused::Checksum)],
        "ndp_source" => [Self::Ndp(ndp::Refused::Source)],
        "ndp_target" => [Self::Ndp(ndp::Refused::Target)],
        "ndp_option" => [Self::Ndp(ndp::Refused::Option)],
        "ndp_probe_destination" => [Self::Ndp(ndp::Refused::ProbeDestination)],
        "ndp_probe_link_layer" => [Self::Ndp(ndp::Refused::ProbeLinkLayer)],
        "ndp_advertisement_source" => [Self::Ndp(ndp::Refused::AdvertisementSource)],
        "ndp_solicited_group" => [Self::Ndp(ndp::Refused::SolicitedGroup)],
        "ethertype" => [Self::Ethertype],
        "own" => [Self::Own],
        "destination" => [Self::Destination],
        "not_owned" => [Self::NotOwned],
        "no_question" => [Self::NoQuestion],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_reason_has_a_word_of_its_own() {
        let words: BTreeSet<&str> = Ignored::ALL.iter().map(|reason| reason.word()).collect();
        assert_eq!(words.len(), Ignored::ALL.len());
        let is_plain = |word: &&str| word.bytes().all(|octet| octet.is_ascii_lowercase() || b"_6".contains(&octet));
        assert!(words.iter().all(is_plain), "{words:?}");
    }
}
