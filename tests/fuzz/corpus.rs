//! The rules of every fuzz target, for its seeds and what is near them: without libFuzzer, in every `cargo test`.

use landfall_core::config;
use landfall_fuzz::{TARGETS, Target};

#[test]
fn seeds_keep_the_rules() {
    for Target { name, check, seeds } in TARGETS {
        let seeds = seeds();
        assert!(seeds.len() > 3, "{name} has {} seeds", seeds.len());
        for (seed, octets) in seeds {
            println!("{name}: {seed}");
            check(&octets);
        }
    }
}

/// Else fuzzing would begin with texts that reach nothing.
#[test]
fn seeds_of_the_configuration_are_accepted_but_for_those_with_errors() {
    for (seed, octets) in landfall_fuzz::config::seeds() {
        let parsed = config::parse(std::str::from_utf8(&octets).unwrap());
        assert_eq!(parsed.is_ok(), !["anchors", "overlap", "unknown"].contains(&&*seed), "{seed}: {parsed:?}");
    }
}

/// Each cut short at every place, and with every octet's lowest and highest bit turned over: what fuzzing tries first.
#[test]
fn damaged_seeds_keep_the_rules() {
    for Target { name, check, seeds } in TARGETS {
        for (seed, octets) in seeds() {
            println!("{name}: {seed}");
            for at in 0..octets.len() {
                check(&octets[..at]);
                for bit in [0x01, 0x80] {
                    let mut damaged = octets.clone();
                    damaged[at] ^= bit;
                    check(&damaged);
                }
            }
        }
    }
}
