//! The owner's speaker dies, or its node's cable is pulled: another node answers, and the client has learnt its address.

use std::time::{Duration, Instant};

use crate::{
    lab::{Lab, report},
    sight::host,
};

// The client's neighbour table is watched and not asked: it is the announcement that must change it, while the entry of
// the old owner is still fresh.
fn another_answers(lab: &Lab, what: &str, fail: impl FnOnce(&Lab, &str)) {
    let vip = lab.address("web");
    let url = format!("http://{}:30080", host(vip));
    lab.wait_answer(&[], &url);
    let owner = lab.owner(vip);
    lab.wait_neighbour(vip, |node| node == owner);
    let start = Instant::now();
    fail(lab, &owner);
    let next = lab.wait_neighbour(vip, |node| node != owner);
    report(&format!("{what}: {owner} to {next} in the client's neighbour table"), start.elapsed());
    lab.wait_answer(&["--max-time", "0.5"], &url);
    report(&format!("{what}: the next answered curl"), start.elapsed());
    assert_eq!(lab.owner(vip), next, "{next} has taken over from {owner}");
}

#[test]
fn a_killed_speaker_is_replaced_and_gets_nothing_back() {
    let lab = Lab::up();
    lab.apply_example("2-loadbalancer.yaml");
    let mut failed = String::new();
    another_answers(&lab, "speaker killed", |lab, owner| {
        lab.speaker(owner).kill();
        failed = owner.to_owned();
    });
    let vip = lab.address("web");
    let owner = lab.owner(vip);
    lab.speaker(&failed).start().unwrap();
    lab.wait_heard(&failed, &owner);
    assert_eq!(lab.owner(vip), owner, "a live owner leaves only by its own word");
}

#[test]
fn a_pulled_cable_moves_the_address_and_plugging_it_in_again_does_not() {
    let lab = Lab::up();
    lab.apply_example("2-loadbalancer.yaml");
    let mut failed = String::new();
    another_answers(&lab, "cable pulled", |lab, owner| {
        lab.sandbox.node(owner).unwrap().pull_cable().unwrap();
        failed = owner.to_owned();
    });
    let vip = lab.address("web");
    let owner = lab.owner(vip);
    lab.sandbox.node(&failed).unwrap().plug_cable().unwrap();
    lab.wait_heard(&failed, &owner);
    assert_eq!(lab.owner(vip), owner, "a live owner leaves only by its own word");
}

#[test]
fn a_speaker_that_is_told_to_leave_hands_over_first() {
    let lab = Lab::up();
    lab.apply_example("2-loadbalancer.yaml");
    another_answers(&lab, "drain", |lab, owner| {
        let speaker = lab.speaker(owner);
        speaker.terminate().unwrap();
        let status = speaker.wait(Duration::from_secs(20)).unwrap();
        assert!(status.is_some_and(|status| status.success()), "the speaker ended with {status:?}");
    });
}
