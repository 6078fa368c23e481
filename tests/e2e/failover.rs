//! The owner's speaker dies or leaves, or its node's cable is pulled: another node answers, the client has learnt its hardware
//! address, and nothing moves back.

use std::{
    net::IpAddr,
    time::{Duration, Instant},
};

use crate::{
    lab::{Lab, report},
    sight::host,
};

// The client's neighbour table is watched and not asked: it is the announcement that must change it, while the entry of
// the old owner is still fresh.
fn another_answers(lab: &Lab, what: &str, vip: IpAddr, fail: impl FnOnce(&str)) {
    let url = format!("http://{}", host(vip));
    lab.wait_answer(&[], &url);
    let owner = lab.owner(vip);
    lab.wait_answer(&[], &url);
    lab.wait_neighbour(vip, |node| node == owner);
    let start = Instant::now();
    fail(&owner);
    let next = lab.wait_neighbour(vip, |node| node != owner);
    report(&format!("{what}: {vip} from {owner} to {next} in the client's neighbour table"), start.elapsed());
    lab.wait_answer(&["--max-time", "0.5"], &url);
    report(&format!("{what}: {vip}: the next answered curl"), start.elapsed());
    assert_eq!(lab.owner(vip), next, "{next} has taken over from {owner}");
}

/// Both families' addresses, and what happens when the owner of each fails and is mended.
fn moves_and_stays(what: &str, fail: impl Fn(&Lab, &str), mend: impl Fn(&Lab, &str)) {
    let lab = Lab::up();
    lab.apply_example("4-dual-stack.yaml");
    for vip in lab.addresses("dual-stack") {
        let mut failed = String::new();
        another_answers(&lab, what, vip, |owner| {
            fail(&lab, owner);
            failed = owner.to_owned();
        });
        let owner = lab.owner(vip);
        mend(&lab, &failed);
        lab.wait_heard(&failed, &owner);
        assert_eq!(lab.owner(vip), owner, "a live owner leaves only by its own word");
    }
}

#[test]
fn a_killed_speaker_is_replaced_and_gets_nothing_back() {
    moves_and_stays(
        "speaker killed",
        |lab, owner| lab.speaker(owner).kill(),
        |lab, failed| lab.speaker(failed).start().unwrap(),
    );
}

#[test]
fn a_pulled_cable_moves_the_address_and_plugging_it_in_again_does_not() {
    moves_and_stays(
        // Its pods are endpoints still, so some curls of the next owner end there.
        "cable pulled",
        |lab, owner| lab.sandbox.node(owner).unwrap().pull_cable().unwrap(),
        |lab, failed| lab.sandbox.node(failed).unwrap().plug_cable().unwrap(),
    );
}

#[test]
fn a_speaker_that_is_told_to_leave_hands_over_first() {
    moves_and_stays(
        "drain",
        |lab, owner| {
            let speaker = lab.speaker(owner);
            speaker.terminate().unwrap();
            let status = speaker.wait(Duration::from_secs(20)).unwrap();
            assert!(status.is_some_and(|status| status.success()), "the speaker ended with {status:?}");
        },
        |lab, failed| lab.speaker(failed).start().unwrap(),
    );
}
