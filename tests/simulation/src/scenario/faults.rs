//! What goes wrong: crashes, pauses, loss, starvation, and cuts of the segment.

use super::Draft;
use crate::plan::{Action, Bounds, Who, ms};
use rand::Rng;

pub(super) fn crash(draft: &mut Draft) {
    draft.start();
    let (at, who) = (draft.between(4_000, 5_500), draft.owner());
    draft.at(at, Action::Crash(who));
}

pub(super) fn crash_lossy(draft: &mut Draft) {
    crash(draft);
    draft.lossy(50);
}

pub(super) fn restart(draft: &mut Draft) {
    draft.start();
    let (at, who, back) = (draft.between(4_000, 5_500), draft.owner(), draft.between(0, 1_000));
    draft.at(at, Action::Restart(who, back));
}

pub(super) fn restart_twice(draft: &mut Draft) {
    draft.start();
    let which = draft.vip();
    let (at, back) = (draft.between(4_000, 5_500), draft.between(0, 1_000));
    draft.at(at, Action::Restart(Who::OwnerOf(which), back));
    let (later, back, length) = (at + draft.between(1, 800), draft.between(0, 1_000), draft.between(300, 2_000));
    let backlog = draft.rng.random();
    let second = if draft.rng.random() {
        Action::Restart(Who::OwnerOf(which), back)
    } else {
        Action::Pause { who: Who::OwnerOf(which), length, backlog }
    };
    draft.at(later, second);
    draft.plan.bounds.silence = ms(800);
    // One goes on that does not know the new run. It hears the answer to its first frame 40 ms after that run's last beat at the
    // latest, and asks for its claims up to 20 ms later; frames and timers are late by a little.
    draft.plan.bounds.double = ms(65);
}

pub(super) fn pause(draft: &mut Draft) {
    draft.start();
    let (at, who, length) = (draft.between(4_000, 5_500), draft.owner(), draft.between(300, 6_000));
    let backlog = draft.rng.random();
    draft.at(at, Action::Pause { who, length, backlog });
    draft.plan.length = ms(16_000);
}

pub(super) fn pause_crash(draft: &mut Draft) {
    pause(draft);
    let (at, who) = (draft.between(4_000, 9_000), draft.owner());
    draft.at(at, Action::Crash(who));
    draft.plan.bounds.silence = ms(1_000);
}

pub(super) fn calm_lossy(draft: &mut Draft) {
    draft.start();
    draft.lossy(50);
    draft.plan.length = ms(60_000);
}

pub(super) fn very_lossy(draft: &mut Draft) {
    crash(draft);
    draft.lossy(200);
    draft.plan.bounds = Bounds { silence: ms(1_500), double: ms(500), needless_moves: true, ..draft.plan.bounds };
}

pub(super) fn starved(draft: &mut Draft) {
    draft.start();
    draft.at(ms(4_000), Action::Starve(ms(200)));
    draft.plan.length = ms(34_000);
    // Nothing is wrong but that everything is late: nobody is taken for dead.
    draft.plan.bounds = Bounds { silence: ms(1_000), double: ms(500), ..draft.plan.bounds };
}

pub(super) fn halves(draft: &mut Draft) {
    draft.start();
    let (at, length) = (draft.between(4_000, 5_500), draft.between(100, 6_000));
    let split = draft.rng.random_range(1..draft.plan.speakers);
    for a in 0..split {
        for b in split..draft.plan.speakers {
            draft.at(at, Action::Cut(a, b));
            draft.at(at, Action::Cut(b, a));
        }
    }
    draft.at(at + length, Action::Heal);
    draft.plan.length = at + length + ms(6_000);
    draft.plan.bounds = Bounds { silence: ms(800), double: ms(200), ..draft.plan.bounds };
}

pub(super) fn pair(draft: &mut Draft) {
    cut_first(draft, |other| vec![Action::Cut(0, other), Action::Cut(other, 0)]);
}

pub(super) fn one_way(draft: &mut Draft) {
    cut_first(draft, |other| vec![Action::Cut(0, other)]);
}

/// Cuts the first speaker off from one other: third ones hear both, so that nothing is silent.
fn cut_first(draft: &mut Draft, cuts: impl FnOnce(usize) -> Vec<Action>) {
    draft.at_least(3);
    draft.start();
    let (at, length) = (draft.between(4_000, 5_500), draft.between(1_000, 8_000));
    let other = draft.rng.random_range(1..draft.plan.speakers);
    cuts(other).into_iter().for_each(|cut| draft.at(at, cut));
    draft.at(at + length, Action::Heal);
    draft.plan.length = at + length + ms(6_000);
    draft.plan.bounds.silence = ms(0);
}

pub(super) fn deaf(draft: &mut Draft) {
    fail_owner(draft, Action::Deafen);
    draft.plan.bounds.double = ms(300);
    // Where the others own nothing they speak once a second, and it takes that much longer to tell who misses it.
    draft.plan.bounds.silence = ms(4_000);
}

pub(super) fn deaf_starved(draft: &mut Draft) {
    (draft.plan.speakers, draft.plan.vips) = (draft.rng.random_range(20..=50), 60);
    deaf(draft);
    draft.at(ms(3_000), Action::Starve(ms(100)));
    // As above, and all the lateness that is allowed for, and that of a timer and a frame.
    draft.plan.bounds.double = ms(300 + 400 + 200);
}

pub(super) fn mute(draft: &mut Draft) {
    fail_owner(draft, Action::Mute);
}

/// Something happens to an owner's ears or mouth, and is healed.
fn fail_owner(draft: &mut Draft, fault: impl FnOnce(Who) -> Action) {
    draft.at_least(3);
    draft.start();
    let (at, who, length) = (draft.between(4_000, 5_500), draft.owner(), draft.between(1_000, 8_000));
    draft.at(at, fault(who));
    draft.at(at + length, Action::Heal);
    draft.plan.length = at + length + ms(6_000);
}

/// The others are not disturbed, so that whatever leaves one of them counts as a needless move.
pub(super) fn isolated(draft: &mut Draft) {
    draft.start();
    let (at, who, length) = (draft.between(4_000, 5_500), draft.owner(), draft.between(500, 9_000));
    draft.at(at, Action::Isolate(who));
    draft.at(at + length, Action::Rejoin);
    draft.plan.length = at + length + ms(6_000);
    // The one that is apart waits for all the others to go first.
    draft.plan.bounds.silence = ms(800);
    draft.plan.bounds.double = ms(150);
}

/// Neither can show that it is not the one cut off.
pub(super) fn no_gateway(draft: &mut Draft) {
    draft.plan.speakers = 2;
    draft.plan.gateway = false;
    isolated(draft);
    // Each has what it had before, and gives back what it took.
    (draft.plan.bounds.needless_moves, draft.plan.bounds.restored) = (true, true);
}

pub(super) fn blocked(draft: &mut Draft) {
    draft.start();
    let from = if draft.rng.random() { ms(0) } else { draft.between(3_500, 7_000) };
    draft.at(from, Action::Block(true));
    let (at, who) = (draft.between(8_000, 10_000), draft.owner());
    draft.at(at, Action::Crash(who));
    draft.plan.length = ms(16_000);
}

pub(super) fn replayed(draft: &mut Draft) {
    draft.start();
    let from = draft.between(2_000, 5_000);
    draft.at(from, Action::Replay(true));
    let (at, who, back) = (draft.between(4_000, 5_500), draft.owner(), draft.between(0, 1_000));
    draft.at(at, Action::Restart(who, back));
    let (at, who) = (draft.between(9_000, 10_000), draft.owner());
    draft.at(at, Action::Drain(who, Some(ms(300))));
    let (at, who) = (draft.between(13_000, 14_000), draft.owner());
    draft.at(at, Action::Crash(who));
    draft.plan.length = ms(18_000);
}
