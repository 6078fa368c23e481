//! Example 4's parts: both families, a requested address, two protocols, local traffic.

use std::net::{IpAddr, SocketAddr};

use landfall_sandbox::echo::Reply;

use serde_json::json;

use crate::{lab::Lab, objects::service, sight::host};

/// The pod that answered.
fn pod(answer: &str) -> String {
    Reply::parse(answer).unwrap().pod
}

/// The address that the pod saw.
fn seen(answer: &str) -> IpAddr {
    Reply::parse(answer).unwrap().peer.ip()
}

#[test]
fn a_dual_stack_service_is_answered_in_both_families() {
    let lab = Lab::up();
    let start = lab.apply_example("4-dual-stack.yaml");
    let vips = lab.addresses("dual-stack");
    assert!(matches!(vips[..], [v4, v6] if v4.is_ipv4() && v6.is_ipv6()), "{vips:?}");
    for vip in vips {
        let answer = lab.first_answer("dual stack", start, &[], &format!("http://{}", host(vip)));
        assert!(pod(&answer).starts_with("dual-stack-"), "{answer}");
    }
}

#[test]
fn a_requested_address_is_given() {
    let lab = Lab::up();
    let start = lab.apply_example("5-requested-address.yaml");
    let vip = lab.address("requested");
    assert_eq!(vip.to_string(), "198.51.100.120");
    let answer = lab.first_answer("requested address", start, &[], &format!("http://{}", host(vip)));
    assert!(pod(&answer).starts_with("requested-"), "{answer}");
}

#[test]
fn tcp_and_udp_share_a_port_of_one_address() {
    let lab = Lab::up();
    let start = lab.apply_example("6-tcp-and-udp.yaml");
    let vip = lab.address("tcp-and-udp");
    let answer = lab.first_answer("TCP and UDP", start, &[], &format!("http://{}:7000/hostname", host(vip)));
    assert!(pod(&answer).starts_with("tcp-and-udp-"), "{answer}");
    let answer = lab.wait_udp(SocketAddr::new(vip, 7000), "hostname\n");
    assert!(pod(&answer).starts_with("tcp-and-udp-"), "{answer}");
}

#[test]
fn a_service_without_node_ports_is_answered_as_well() {
    let lab = Lab::up();
    lab.apply_example("2-loadbalancer.yaml");
    let mut without = service("without-node-ports");
    without["spec"]["allocateLoadBalancerNodePorts"] = json!(false);
    lab.apply(&[without]);
    let vip = lab.address("without-node-ports");
    assert!(lab.wait_answer(&[], &format!("http://{}", host(vip))).contains("nginx"));
    let port = &lab.get(&["service", "without-node-ports"])["spec"]["ports"][0];
    assert!(port["nodePort"].is_null(), "it has a node port: {port}");
}

#[test]
fn local_traffic_shows_the_pod_its_client_and_only_nodes_with_pods_answer() {
    let lab = Lab::up();
    let start = lab.apply_example("7-local-traffic.yaml");
    let vip = lab.address("local-traffic");
    let url = format!("http://{}", host(vip));
    let answer = lab.first_answer("local traffic", start, &[], &url);
    let client = lab.sandbox.client().ipv4();
    assert_eq!(seen(&answer), client, "the pod does not see its client: {answer}");

    lab.wait_available("local-traffic");
    let nodes = lab.nodes_of("local-traffic", 2);
    let owner = lab.owner(vip);
    assert!(nodes.contains(&owner), "{owner} answers, but the pods are on {nodes:?}");

    // The owner's pod goes: a node that has one takes over, and the pod there sees the client too.
    lab.sandbox.kubectl(&["scale", "deployment/local-traffic", "--replicas=1"]).unwrap();
    let left = lab.nodes_of("local-traffic", 1);
    lab.wait_owner(vip, |owner| left.contains(owner));
    let answer = lab.wait_answer(&[], &url);
    assert_eq!(seen(&answer), client, "the pod does not see its client: {answer}");

    // No pod anywhere: nobody answers.
    lab.sandbox.kubectl(&["scale", "deployment/local-traffic", "--replicas=0"]).unwrap();
    lab.wait_silence(vip);
}
