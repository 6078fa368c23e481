//! A Service that cannot be served says why, on itself; the others go on.

use crate::{
    lab::Lab,
    objects::{service, service_at},
    sight::host,
};

const TWO: &str = "pools:\n- name: default\n  addresses: [198.51.100.100/31]\nquarantine: 0s\n";

#[test]
fn an_exhausted_pool_says_so_and_serves_the_next_when_an_address_is_free() {
    let lab = Lab::configured(TWO);
    lab.apply_example("2-loadbalancer.yaml");
    let vip = lab.address("web");
    lab.apply(&[service("second")]);
    let second = lab.address("second");
    lab.apply(&[service("third")]);
    lab.wait_refused("third", "PoolExhausted");
    lab.wait_answer(&[], &format!("http://{}:30080", host(vip)));

    lab.delete(&["service", "second"]);
    assert_eq!(lab.address("third"), second);
    lab.wait_answer(&[], &format!("http://{}", host(second)));
}

#[test]
fn a_request_outside_every_pool_is_refused_and_others_go_on() {
    let lab = Lab::configured(TWO);
    lab.apply(&[service_at("outside", "203.0.113.9")]);
    lab.wait_refused("outside", "AddressOutsidePools");
    lab.apply_example("2-loadbalancer.yaml");
    lab.wait_answer(&[], &format!("http://{}:30080", host(lab.address("web"))));
}

#[test]
fn a_taken_address_is_refused_until_it_is_free() {
    let lab = Lab::configured(TWO);
    lab.apply_example("2-loadbalancer.yaml");
    let vip = lab.address("web");
    lab.apply(&[service_at("late", &vip.to_string())]);
    lab.wait_refused("late", "AddressInUse");
    lab.wait_answer(&[], &format!("http://{}:30080", host(vip)));

    lab.apply(&[service("other")]);
    assert_ne!(lab.address("other"), vip);
    lab.delete(&["service", "web"]);
    assert_eq!(lab.address("late"), vip);
}
