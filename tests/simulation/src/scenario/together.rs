//! Much at once: clocks that jump while owners restart, many speakers and VIPs, and all of it at random.

use super::Draft;
use crate::plan::{Action, Bounds, ms};
use rand::Rng;

pub(super) fn clocks(draft: &mut Draft) {
    draft.start();
    let mut at = ms(4_000);
    while at < ms(12_000) {
        let number = draft.speaker();
        let by = draft.rng.random_range(-3_600_000..3_600_000);
        draft.at(at, Action::Jump(number, by));
        let (who, back) = (draft.owner(), draft.between(0, 1_500));
        draft.at(at + ms(500), Action::Restart(who, back));
        at += draft.between(3_000, 4_000);
    }
    draft.plan.length = ms(18_000);
    draft.plan.bounds.silence = ms(800);
}

pub(super) fn many(draft: &mut Draft) {
    draft.plan.speakers = 50;
    draft.plan.vips = 300;
    draft.start();
    let (at, who) = (draft.between(3_500, 4_000), draft.owner());
    draft.at(at, Action::Crash(who));
    let (at, who) = (draft.between(4_500, 5_000), draft.owner());
    draft.at(at, Action::Drain(who, None));
    draft.plan.length = ms(7_000);
}

pub(super) fn mixed(draft: &mut Draft) {
    draft.start();
    let mut at = ms(4_000);
    while at < ms(24_000) {
        let (who, length, backlog) = (draft.owner(), draft.between(300, 3_000), draft.rng.random());
        let (number, which) = (draft.speaker(), draft.vip());
        let action = match draft.rng.random_range(0..8) {
            0 | 1 => Action::Restart(who, length),
            2 => Action::Pause { who, length, backlog },
            3 => Action::Drain(who, Some(length)),
            4 => Action::Unwant(who, which),
            5 => Action::Want(number, which),
            6 => Action::Jump(number, draft.rng.random_range(-10_000..10_000)),
            _ => Action::Deafen(who),
        };
        if matches!(action, Action::Deafen(_)) {
            draft.at(at + length, Action::Heal);
        }
        draft.at(at, action);
        at += draft.between(500, 4_000);
    }
    draft.lossy(30);
    draft.plan.length = ms(32_000);
    draft.plan.bounds = Bounds { silence: ms(4_000), double: ms(500), needless_moves: true, ..draft.plan.bounds };
}
