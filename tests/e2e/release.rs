//! A Service that goes, or wants no external address any more, gives it back.

use serde_json::json;

use crate::{
    lab::Lab,
    objects::{FINALIZER, RECORD, addresses, service},
    sight::host,
};

/// What is released is to be had at once.
const AT_ONCE: &str =
    "pools:\n- name: default\n  addresses: [198.51.100.100-198.51.100.150]\nquarantine: 0s\nreuse: 0s\n";

#[test]
fn a_deleted_service_is_gone_and_its_address_is_free() {
    let lab = Lab::configured(AT_ONCE);
    lab.apply_example("2-loadbalancer.yaml");
    let vip = lab.address("web");
    lab.wait_answer(&[], &format!("http://{}:30080", host(vip)));
    lab.delete(&["service", "web"]);
    lab.wait_silence(vip);

    lab.apply(&[service("next")]);
    assert_eq!(lab.address("next"), vip, "the lowest free address");
    lab.wait_answer(&[], &format!("http://{}", host(vip)));
}

#[test]
fn a_service_that_changes_its_type_keeps_nothing_of_ours() {
    let lab = Lab::configured(AT_ONCE);
    lab.apply_example("2-loadbalancer.yaml");
    let vip = lab.address("web");
    lab.wait_answer(&[], &format!("http://{}:30080", host(vip)));
    lab.sandbox.kubectl(&["patch", "service", "web", "-p", r#"{"spec": {"type": "ClusterIP"}}"#]).unwrap();
    let service = lab.wait_service("web", "to be released", |service| {
        !service["metadata"]["finalizers"].to_string().contains(FINALIZER)
    });
    assert_eq!(addresses(&service), [] as [std::net::IpAddr; 0]);
    assert_eq!(service["metadata"]["annotations"][RECORD], json!(null));
    lab.wait_silence(vip);

    lab.apply(&[crate::objects::service("next")]);
    assert_eq!(lab.address("next"), vip, "the lowest free address");
    lab.sandbox.kubectl(&["patch", "service", "web", "-p", r#"{"spec": {"type": "LoadBalancer"}}"#]).unwrap();
    assert_ne!(lab.address("web"), vip);
}
