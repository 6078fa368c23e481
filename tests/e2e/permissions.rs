//! Over a run with everything in it, each right that `manifests/` grants is used, and no request is refused.

use crate::{
    lab::Lab,
    objects::{config, service, service_at},
    sight::host,
};

#[test]
fn granted_rights_are_the_used_ones() {
    let lab = Lab::up();
    lab.apply_example("2-loadbalancer.yaml");
    let vip = lab.address("web");
    lab.wait_answer(&[], &format!("http://{}:30080", host(vip)));
    lab.apply(&[service_at("outside", "203.0.113.9")]);
    lab.wait_refused("outside", "AddressOutsidePools");
    lab.apply(&[config("pools: [{name: default}]")]);
    lab.wait_event("ConfigMap", "landfall-system", "landfall", &["addresses"]);
    let edited = "pools: [{name: default, addresses: [198.51.100.100/30, '2001:db8::100/120']}]";
    lab.apply(&[config(edited)]);
    lab.wait_accepted(edited);
    let owner = lab.owner(vip);
    lab.speaker(&owner).kill();
    lab.wait_owner(vip, |node| *node != owner);
    lab.speaker(&owner).start().unwrap();
    lab.leader().kill();
    lab.apply(&[service("next")]);
    lab.address("next");
    lab.delete(&["service", "next"]);

    for account in ["landfall-controller", "landfall-speaker"] {
        let rights = lab.sandbox.rights("landfall-system", account).unwrap();
        assert_eq!(rights.refused, [], "{account} lacks rights");
        let unused: Vec<String> = rights.unused.iter().map(ToString::to_string).collect();
        assert_eq!(unused, [] as [&str; 0], "{account} has rights that it does not use");
        assert!(!rights.granted.is_empty());
    }
}
