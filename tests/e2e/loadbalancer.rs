//! Example 2: the least that is needed.

use crate::{
    lab::{Lab, report},
    objects::{ALLOCATED, FINALIZER, RECORD, allocated},
    sight::host,
};

#[test]
fn a_service_gets_an_address_and_the_lan_is_answered_there() {
    let lab = Lab::up();
    let start = lab.apply_example("2-loadbalancer.yaml");
    let vip = lab.address("web");
    report("loadbalancer: kubectl apply to the address in the status", start.elapsed());
    assert_eq!(vip.to_string(), "198.51.100.100", "the pool's lowest address is free");
    let page = lab.first_answer("loadbalancer", start, &[], &format!("http://{}:30080", host(vip)));
    assert!(page.contains("nginx"), "{page}");

    let service = lab.get(&["service", "web"]);
    assert_eq!(service["status"]["loadBalancer"]["ingress"][0]["ipMode"], "VIP");
    assert!(service["metadata"]["finalizers"].to_string().contains(FINALIZER));
    assert_eq!(service["metadata"]["annotations"][RECORD], "default");
    assert!(allocated(&service).is_some_and(|(yes, ..)| yes), "{ALLOCATED} is not True on {service:#}");
    lab.wait_event("Service", "default", "web", &["198.51.100.100"]);

    // The node port that a load balancer of a cloud would use is there as well.
    let port = service["spec"]["ports"][0]["nodePort"].as_u64().unwrap();
    for node in lab.sandbox.nodes() {
        assert!(lab.wait_answer(&[], &format!("http://{}:{port}", node.ipv4())).contains("nginx"));
    }

    let table = lab.sandbox.kubectl(&["get", "svc", "web"]).unwrap();
    let mut lines = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let column = lines.next().unwrap().iter().position(|title| *title == "EXTERNAL-IP").unwrap();
    assert_eq!(lines.next().unwrap()[column], "198.51.100.100", "{table}");
    assert_eq!(lab.answerers(vip).len(), 1, "one node answers for it, no other");
}
