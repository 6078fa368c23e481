//! Where fuzzing begins: what happens to speakers, each in a few steps.

use super::step::*;

/// Lists of steps, by what happens in them.
pub fn seeds() -> Vec<(String, Vec<u8>)> {
    let second = |who| step(PASS, who, [3, 232]);
    let both = |what, args: &[u8]| [step(what, 0, args), step(what, 1, args)].concat();
    let start = [both(WANT, &[0]), both(WANT, &[1]), both(WANT, &[2]), second(0), second(0)].concat();
    // Claims of the first one's run, and of another run of its.
    let runs = [step(CLAIM, 1, [0, 2, 0, 0x05]), step(CLAIM, 1, [1, 2, 0, 0x06]), forge(1, 2, 0)].concat();
    let claim_again = [step(WANT, 1, [0]), step(PASS, 1, [0, 100])].concat();
    let release = [step(CLAIM, 1, [0, 5, 4]), forge(1, 2, 0)].concat();
    let then = |steps: &[Vec<u8>]| [&start[..], &steps.concat()].concat();
    let seeds = [
        ("pair", start.clone()),
        ("drain", then(&[step(DRAIN, 0, []), second(0), step(DRAIN, 1, []), both(WANT, &[3]), second(0)])),
        ("restart", then(&[step(RESTART, 0, []), step(WANT, 0, [0]), second(0)])),
        ("restart-replayed", then(&[both(RESTART, &[]), second(0), replay(5), replay(20), both(WANT, &[0])])),
        ("cut", then(&[both(CABLES, &[4]), second(0), second(0), both(WANT, &[3]), second(0), both(CABLES, &[7])])),
        ("no-gateway", then(&[both(CABLES, &[0]), second(0), second(0), both(CABLES, &[3]), second(0)])),
        ("one-way", then(&[step(CABLES, 0, [0]), second(0), step(CABLES, 1, [10]), second(0)])),
        ("frozen", then(&[step(FREEZE, 0, [1]), second(0), step(UNWANT, 0, [0]), step(FREEZE, 0, [0]), second(0)])),
        ("stall", then(&[step(STALL, 0, [200, 0]), step(TIMER, 1, []), second(0)])),
        ("unwant", then(&[both(UNWANT, &[0]), second(0), step(UNWANT, 0, [1]), second(0), step(WANT, 0, [1])])),
        ("withdraw", then(&[step(WITHDRAW, 0, [0, 1]), both(WANT, &[0]), step(WITHDRAW, 1, [1, 0]), second(0)])),
        (
            "released",
            then(&[step(WITHDRAW, 1, [0]), claim_again, step(UNWANT, 1, [0]), release, step(WITHDRAW, 1, [0])]),
        ),
        ("tiers", then(&[both(WANT, &[0, 1]), second(0), step(WANT, 1, [0, 0]), second(0)])),
        ("weights", [both(WEIGH, &[5, 0]), both(WANT, &[0, 0, 0]), step(WEIGH, 0, [0, 3]), start.clone()].concat()),
        ("clocks", then(&[step(WALL, 0, [4]), step(WALL, 1, [2]), both(WITHDRAW, &[0]), both(WANT, &[0]), second(0)])),
        ("clocks-back", then(&[both(WALL, &[4]), both(UNWANT, &[0]), both(WANT, &[0]), second(0)])),
        ("many", [step(WANT_MANY, 0, []), second(0), second(0), step(RESTART, 1, []), second(0)].concat()),
        (
            "signs",
            then(&[
                both(SIGN, &[0]),
                both(SIGN, &[1]),
                both(SIGN, &[2, 1]),
                both(SIGN, &[3, 5]),
                both(SIGN, &[4]),
                second(0),
            ]),
        ),
        ("claimed", then(&[step(CLAIM, 0, [0, 5, 0, 0]), forge(0, 2, 0), second(0), step(WITHDRAW, 0, [0, 1])])),
        (
            "hearsay",
            then(&[step(CLAIM, 1, [0, 5, 0, 0x1c]), forge(1, 3, 0), step(CLAIM, 1, [0, 2, 4]), forge(1, 3, 0)]),
        ),
        ("runs", then(&[step(CABLES, 0, [4]), step(RESTART, 1, []), step(PASS, 1, [0, 50]), runs, second(0)])),
        ("untrue", then(&[step(WANT, 1, [3]), second(0), step(CLAIM, 1, [3, 2, 0, 0x05]), forge(1, 2, 0)])),
        ("nobodys", then(&[step(CLAIM, 1, [3, 5, 0, 0x2c]), step(CLAIM, 1, [3, 1]), forge(1, 2, 0), second(0)])),
        ("questions", then(&[1, 2, 3, 4].map(|kind| forge(kind % 2, 2, kind)))),
        ("crowd", [step(CROWD, 0, [0]), forge(0, 2, 0), step(CROWD, 0, [1]), forge(0, 3, 0), second(0)].concat()),
    ];
    seeds.map(|(name, steps)| (name.to_owned(), steps)).into()
}

fn step(what: u8, who: u8, args: impl AsRef<[u8]>) -> Vec<u8> {
    let mut octets = Octets::from([what, who, 0, 0, 0, 0, 0, 0]);
    octets[2..2 + args.as_ref().len()].copy_from_slice(args.as_ref());
    octets.into()
}

/// A frame of that kind, by a speaker that has read the challenge.
fn forge(to: u8, from: u8, kind: u8) -> Vec<u8> {
    step(FORGE, to, [from, 0, kind, 0b111, 1, from])
}

fn replay(number: u8) -> Vec<u8> {
    step(REPLAY, 1, [number])
}
