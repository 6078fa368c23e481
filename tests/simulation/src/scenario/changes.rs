//! What happens in good order: starts, leaves, endpoints that come and go, and VIPs that are released.

use super::Draft;
use crate::plan::{Action, Bounds, Who, ms};
use landfall_core::elect::Tier;
use rand::Rng;
use std::time::Duration;

pub(super) fn boot(draft: &mut Draft) {
    draft.start_within(10_000);
    draft.plan.length = ms(16_000);
}

pub(super) fn drain(draft: &mut Draft) {
    draft.start();
    let (at, who) = (draft.between(4_000, 5_500), draft.owner());
    draft.at(at, Action::Drain(who, None));
    draft.plan.bounds = Bounds { silence: ms(0), double: ms(5), ..draft.plan.bounds };
}

pub(super) fn rolling(draft: &mut Draft) {
    draft.start();
    let mut at = ms(4_000);
    for number in 0..draft.plan.speakers {
        let back = draft.between(50, 2_000);
        draft.at(at, Action::Drain(Who::Speaker(number), Some(back)));
        at += back + draft.between(1_100, 3_000);
    }
    draft.plan.length = at + ms(4_000);
    draft.plan.bounds = Bounds { silence: ms(0), double: ms(5), ..draft.plan.bounds };
}

pub(super) fn drain_crash(draft: &mut Draft) {
    draft.at_least(3);
    draft.start();
    let which = draft.vip();
    let at = draft.between(4_000, 5_500);
    draft.at(at, Action::Drain(Who::OwnerOf(which), None));
    let later = at + draft.between(0, 200);
    draft.at(later, Action::Crash(Who::OwnerOf(which)));
}

pub(super) fn endpoints(draft: &mut Draft) {
    draft.start();
    let mut at = ms(4_000);
    while at < ms(10_000) {
        let (number, which) = (draft.speaker(), draft.vip());
        let action = if draft.rng.random() {
            Action::Want(number, which)
        } else if draft.rng.random() {
            Action::Unwant(Who::Speaker(number), which)
        } else {
            Action::Unwant(Who::OwnerOf(which), which)
        };
        draft.at(at, action);
        at += draft.between(0, 400);
    }
    draft.plan.bounds.double = ms(20);
}

pub(super) fn tiers(draft: &mut Draft) {
    draft.start();
    let mut at = ms(4_000);
    while at < ms(14_000) {
        let which = draft.vip();
        let who = if draft.rng.random() { Who::OwnerOf(which) } else { Who::Speaker(draft.speaker()) };
        let action = match draft.rng.random_range(0..8) {
            0..4 => Action::Place(who, which, Tier::Second),
            4..7 => Action::Place(Who::Speaker(draft.speaker()), which, Tier::First),
            _ if draft.rng.random() => Action::Drain(who, Some(draft.between(100, 1_000))),
            _ => Action::Restart(who, draft.between(100, 1_000)),
        };
        draft.at(at, action);
        at += draft.between(0, 600);
    }
    draft.plan.length = ms(18_000);
    draft.plan.bounds.double = ms(20);
    // Where only the second tier is left, it first lets all have both of their turns.
    draft.plan.bounds.silence = ms(1_000);
}

pub(super) fn preferred(draft: &mut Draft) {
    draft.start();
    draft.plan.weights = (0..draft.plan.speakers).map(|_| draft.rng.random_range(0..3)).collect();
    let mut at = ms(5_000);
    while at < ms(20_000) {
        let (who, back) = (draft.owner(), draft.between(100, 1_000));
        let action = if draft.rng.random() { Action::Drain(who, Some(back)) } else { Action::Restart(who, back) };
        draft.at(at, action);
        at += draft.between(1_500, 6_000);
    }
    draft.plan.length = ms(24_000);
}

pub(super) fn release(draft: &mut Draft) {
    draft.start();
    let (which, released, again) = released_and_allocated_again(draft);
    for number in 0..draft.plan.speakers {
        let most = if draft.rng.random_range(0..4) == 0 { 2_000 } else { 100 };
        told(draft, number, which, released, again, most);
    }
}

pub(super) fn release_lossy(draft: &mut Draft) {
    release(draft);
    draft.lossy(100);
}

pub(super) fn release_missed(draft: &mut Draft) {
    draft.start();
    let (which, released, again) = released_and_allocated_again(draft);
    let late = draft.speaker();
    for number in (0..draft.plan.speakers).filter(|number| *number != late) {
        told(draft, number, which, released, again, 100);
    }
    let (begins, ends) = (released - draft.between(0, 500), released + draft.between(200, 2_500));
    match draft.rng.random_range(0..3) {
        0 => draft.at(begins, Action::Pause { who: Who::Speaker(late), length: ends - begins, backlog: false }),
        1 => draft.at(begins, Action::Restart(Who::Speaker(late), ends - begins)),
        _ => {
            for other in (0..draft.plan.speakers).filter(|number| *number != late) {
                draft.at(begins, Action::Cut(late, other));
                draft.at(begins, Action::Cut(other, late));
            }
            draft.at(ends, Action::Heal);
        }
    }
    // Its watch is later than all that: the claim it knows by then may be the next Service's. For half a minute the
    // owner takes a word of release for the one that it was told of itself; later nothing but the claim tells.
    let late_by = if draft.rng.random() { draft.between(0, 3_000) } else { draft.between(31_000, 40_000) };
    let hears = ends.max(again) + late_by;
    draft.at(hears, Action::Withdraw(late, which));
    let wants = hears + draft.between(1, 500);
    draft.at(wants, Action::Want(late, which));
    draft.plan.length = hears + ms(5_000);
    draft.plan.bounds = Bounds { silence: ms(800), double: ms(300), ..draft.plan.bounds };
}

pub(super) fn half_told(draft: &mut Draft) {
    draft.start();
    let (which, released, again) = released_and_allocated_again(draft);
    for number in 0..draft.plan.speakers {
        let most = if draft.rng.random() { 100 } else { 3_500 };
        told(draft, number, which, released, again, most);
    }
    // One that came back would know of the next Service, and take a late word for another release: docs/election.md.
    let (at, who) = (draft.between(3_500, 9_000), draft.owner());
    draft.at(at, Action::Crash(who));
    draft.plan.length = ms(24_000);
}

/// A VIP is released and, up to 3 s later, another Service's: which, and when.
fn released_and_allocated_again(draft: &mut Draft) -> (usize, Duration, Duration) {
    let which = draft.vip();
    let released = draft.between(4_000, 5_500);
    let again = released + draft.between(0, 3_000);
    draft.at(released, Action::Release(which));
    (which, released, again)
}

/// The speaker hears of both, up to `most` milliseconds late.
fn told(draft: &mut Draft, number: usize, which: usize, released: Duration, again: Duration, most: u64) {
    let late = draft.between(0, most);
    let late_again = late + draft.between(0, 100);
    draft.at(released + late, Action::Withdraw(number, which));
    draft.at((again + late_again).max(released + late + ms(1)), Action::Want(number, which));
}
