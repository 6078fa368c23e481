//! Two LANs, and nodes with an interface on one of them or on both: each LAN has elections of its own.

use super::Draft;
use crate::plan::{Action, Bounds, Seat, Who, ms};
use rand::Rng;

/// Three to eight nodes; the first two are on both LANs, so that each LAN has somebody to follow.
fn two_lans(draft: &mut Draft) {
    let nodes = draft.rng.random_range(3..=8);
    for node in 0..nodes {
        let lans = match draft.rng.random_range(0..3) {
            _ if node < 2 => 0..2,
            0 => 0..1,
            1 => 1..2,
            _ => 0..2,
        };
        let first = draft.plan.seats.len();
        draft.plan.seats.extend(lans.map(|lan| Seat { node, lan }));
        let at = draft.between(0, 500);
        draft.at(at, Action::Start(first));
    }
    draft.plan.speakers = draft.plan.seats.len();
}

pub(super) fn process(draft: &mut Draft) {
    two_lans(draft);
    let (at, lan, which) = (draft.between(4_000, 5_500), draft.rng.random_range(0..2), draft.vip());
    let (who, back) = (Who::OwnerOn(lan, which), draft.between(0, 1_000));
    let (length, backlog) = (draft.between(300, 6_000), draft.rng.random());
    let action = match draft.rng.random_range(0..4) {
        0 => Action::Crash(who),
        1 => Action::Restart(who, back),
        2 => Action::Pause { who, length, backlog },
        _ => {
            draft.plan.bounds = Bounds { silence: ms(0), double: ms(5), ..draft.plan.bounds };
            Action::Drain(who, Some(back))
        }
    };
    draft.at(at, action);
    draft.plan.length = ms(16_000);
}

pub(super) fn cable(draft: &mut Draft) {
    two_lans(draft);
    let (at, lan, which) = (draft.between(4_000, 5_500), draft.rng.random_range(0..2), draft.vip());
    let (who, length) = (Who::OwnerOn(lan, which), draft.between(100, 6_000));
    draft.plan.bounds.untouched = Some(1 - lan);
    match draft.rng.random_range(0..3) {
        0 => draft.at(at, Action::Pull(who, length)),
        1 => {
            draft.at(at, Action::Isolate(who));
            draft.at(at + length, Action::Rejoin);
            draft.plan.bounds = Bounds { silence: ms(800), double: ms(150), ..draft.plan.bounds };
        }
        _ => {
            let there: Vec<usize> =
                (0..draft.plan.speakers).filter(|number| draft.plan.seats[*number].lan == lan).collect();
            let (one, other) = there.split_at(draft.rng.random_range(1..there.len()));
            for (a, b) in one.iter().flat_map(|a| other.iter().map(move |b| (*a, *b))) {
                draft.at(at, Action::Cut(a, b));
                draft.at(at, Action::Cut(b, a));
            }
            draft.at(at + length, Action::Heal);
            draft.plan.bounds = Bounds { silence: ms(800), double: ms(200), ..draft.plan.bounds };
        }
    }
    draft.plan.length = at + length + ms(6_000);
}
