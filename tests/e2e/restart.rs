//! Restarts change no address, and a controller that dies is replaced.

use std::{collections::BTreeMap, net::IpAddr, time::Duration};

use crate::{
    lab::{Lab, PATIENCE},
    objects::service,
    sight::host,
};

const SERVICES: [&str; 4] = ["web", "first", "second", "requested"];

fn addresses(lab: &Lab) -> BTreeMap<&'static str, IpAddr> {
    SERVICES.into_iter().map(|name| (name, lab.address(name))).collect()
}

fn serve(lab: &Lab) -> BTreeMap<&'static str, IpAddr> {
    lab.apply_example("2-loadbalancer.yaml");
    lab.apply_example("5-requested-address.yaml");
    lab.apply(&[service("first"), service("second")]);
    // A gap in the pool: an address that a restart could hand out by mistake, or a Service could move to.
    lab.apply(&[service("gone")]);
    let gone = lab.address("gone");
    let before = addresses(lab);
    lab.delete(&["service", "gone"]);
    assert!(!before.values().any(|address| *address == gone));
    before
}

fn assert_served(lab: &Lab, before: &BTreeMap<&'static str, IpAddr>) {
    assert_eq!(&addresses(lab), before);
    for (name, vip) in before {
        let port = if *name == "web" { 30080 } else { 80 };
        lab.wait_answer(&[], &format!("http://{}:{port}", host(*vip)));
    }
}

/// A Service that is made now gets an address: the controller is at work, and has seen all others.
fn assert_allocates(lab: &Lab, name: &str) {
    lab.apply(&[service(name)]);
    lab.address(name);
}

#[test]
fn controllers_may_be_killed_and_started_again() {
    let lab = Lab::up();
    let before = serve(&lab);
    lab.landfall.controllers().iter().for_each(|controller| controller.kill());
    assert_served(&lab, &before);
    lab.landfall.controllers().iter().for_each(|controller| controller.start().unwrap());
    assert_allocates(&lab, "after");
    assert_served(&lab, &before);
}

#[test]
fn the_second_controller_takes_over_from_a_killed_leader() {
    let lab = Lab::up();
    let before = serve(&lab);
    lab.leader().kill();
    assert_allocates(&lab, "after");
    assert_served(&lab, &before);
}

#[test]
fn all_speakers_may_be_restarted() {
    let lab = Lab::up();
    let before = serve(&lab);
    for speaker in lab.landfall.speakers().values() {
        speaker.restart(PATIENCE).unwrap();
    }
    assert_served(&lab, &before);
    // At once, and without a farewell.
    lab.landfall.speakers().values().for_each(|speaker| speaker.kill());
    lab.landfall.speakers().values().for_each(|speaker| speaker.start().unwrap());
    assert_served(&lab, &before);
    for vip in before.values() {
        lab.owner(*vip);
    }
}

#[test]
fn an_address_is_held_while_the_api_server_is_away() {
    let (lab, vip, url) = Lab::serving_web();
    let owner = lab.owner(vip);
    lab.api_server().pause().unwrap();
    lab.speaker(&owner).kill();
    let next = lab.wait_owner(vip, |node| *node != owner);
    lab.wait_answer(&[], &url);
    lab.api_server().resume().unwrap();
    lab.speaker(&owner).start().unwrap();
    lab.speaker(&next).terminate().unwrap();
    lab.speaker(&next).wait(Duration::from_secs(20)).unwrap();
    lab.wait_owner(vip, |node| *node != next);
    lab.wait_answer(&[], &url);
}

#[test]
fn speakers_that_start_while_the_api_server_is_away_answer_for_what_was_wanted_last() {
    let lab = Lab::up();
    let before = serve(&lab);
    lab.apply(&[service("gone")]);
    let gone = lab.address("gone");
    lab.wait_owner(gone, |_| true);
    lab.wait_known(gone);
    lab.landfall.speakers().values().for_each(|speaker| speaker.kill());
    lab.delete(&["service", "gone"]);
    lab.api_server().kill();
    lab.landfall.speakers().values().for_each(|speaker| speaker.start().unwrap());
    for vip in before.values().chain([&gone]) {
        lab.wait_owner(*vip, |_| true);
    }
    // What was released meanwhile is let go as soon as that is known.
    lab.api_server().start().unwrap();
    lab.wait_silence(gone);
    // And what is new is answered for.
    lab.apply(&[service("after")]);
    lab.owner(lab.address("after"));
    assert_served(&lab, &before);
}
