//! A configuration that is wrong changes nothing that works, and says what is wrong and where.

use crate::{
    lab::{Lab, PATIENCE},
    objects::{config, service},
    sight::host,
};

const GOOD: &str = "pools:\n- name: default\n  addresses: [198.51.100.100-198.51.100.150]\n";

/// What is wrong, the text, and what the Event must say of it: place and fault.
const BAD: [(&str, &str, &[&str]); 5] = [
    (
        "an unknown key",
        "pools:\n- name: default\n  adresses: [198.51.100.100/30]\n  addresses: [198.51.100.100/30]\n",
        &["line 3", "pools[0].adresses", "unknown key"],
    ),
    (
        "an overlap",
        "pools:\n- name: a\n  addresses: [198.51.100.100-198.51.100.120]\n- name: b\n  addresses: [198.51.100.120-198.51.100.130]\n",
        &["line 5", "pools[1].addresses[0]", "198.51.100.120", "line 3"],
    ),
    (
        "a reversed range",
        "pools:\n- name: default\n  addresses: [198.51.100.150-198.51.100.100]\n",
        &["line 3", "pools[0].addresses[0]", "reversed"],
    ),
    (
        "mixed families",
        "pools:\n- name: default\n  addresses: ['198.51.100.100-2001:db8::1']\n",
        &["line 3", "pools[0].addresses[0]", "same family"],
    ),
    (
        "loopback",
        "pools:\n- name: default\n  addresses: [198.51.100.100/30, 127.0.0.0/24]\n",
        &["line 3", "pools[0].addresses[1]", "loopback"],
    ),
];

#[test]
fn a_bad_configuration_changes_nothing_and_says_what_is_wrong_and_where() {
    let lab = Lab::configured(GOOD);
    lab.apply_example("2-loadbalancer.yaml");
    let vip = lab.address("web");
    let url = format!("http://{}:30080", host(vip));
    lab.wait_answer(&[], &url);

    assert_eq!(vip.to_string(), "198.51.100.100");
    let mut next = 101..;
    let mut unchanged = |what: &str, new: &str| {
        assert_eq!(lab.address("web"), vip, "{what} has changed an address");
        // The last good configuration still serves.
        lab.apply(&[service(new)]);
        let expected = format!("198.51.100.{}", next.next().unwrap_or_default());
        assert_eq!(lab.address(new).to_string(), expected, "{what}");
        lab.wait_answer(&[], &url);
        assert_eq!(lab.accepted()["config.yaml"], GOOD, "{what} was accepted");
    };
    let wait_told = |words: &[&str]| lab.wait_event("ConfigMap", "landfall-system", "landfall", words);
    for (i, (what, text, words)) in BAD.iter().enumerate() {
        lab.apply(&[config(text)]);
        wait_told(words);
        unchanged(what, &format!("beside-{i}"));

        // Both away, so that whoever leads next knows nothing but what the API server has.
        let controllers = lab.landfall.controllers();
        controllers.iter().for_each(|controller| controller.terminate().unwrap());
        controllers.iter().for_each(|controller| assert!(controller.wait(PATIENCE).unwrap().is_some()));
        lab.delete(&["events", "--all", "-n", "landfall-system"]);
        controllers.iter().for_each(|controller| controller.start().unwrap());
        wait_told(words);
        unchanged(&format!("{what}, and a restart beside it,"), &format!("restarted-{i}"));
    }
}

#[test]
fn a_good_edit_takes_effect_and_moves_nobody() {
    let lab = Lab::configured(GOOD);
    lab.apply_example("2-loadbalancer.yaml");
    let vip = lab.address("web");
    let edited = "pools:\n- name: other\n  addresses: [198.51.100.170/31]\n";
    lab.apply(&[config(edited)]);
    lab.wait_accepted(edited);
    lab.apply(&[service("new")]);
    assert_eq!(lab.address("new").to_string(), "198.51.100.170");
    assert_eq!(lab.address("web"), vip, "an address moves only when the user says so");
    lab.wait_answer(&[], &format!("http://{}:30080", host(vip)));
}

#[test]
fn without_a_pool_a_service_waits_and_says_so() {
    let lab = Lab::configured("pools: []\n");
    lab.apply_example("2-loadbalancer.yaml");
    lab.wait_refused("web", "NoPools");
    lab.apply(&[config(GOOD)]);
    lab.address("web");
}
