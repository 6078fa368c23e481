//! What a Service needs from a cluster, against the real binaries. Needs root: `make test` runs it.

use std::time::Duration;

use landfall_sandbox::{PodSpec, Sandbox, echo::Reply, wait_for};

const SERVICES: &str = r#"
{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": {
  "type": "NodePort", "ipFamilyPolicy": "RequireDualStack", "selector": {"app": "web"}, "ports": [
  {"name": "tcp", "port": 80, "targetPort": 8080, "nodePort": 30080, "protocol": "TCP"},
  {"name": "udp", "port": 80, "targetPort": 8080, "nodePort": 30080, "protocol": "UDP"}]}}
"#;

#[test]
fn pods_and_services_are_reached_from_where_they_should_be() {
    let sandbox = Sandbox::builder().up().unwrap();
    let pods = ["n1", "n2", "n3"]
        .map(|node| sandbox.add_pod(&PodSpec::echo(&format!("echo-{node}")).label("app", "web").on(node)).unwrap());
    sandbox.apply(SERVICES).unwrap();
    let service = sandbox.get(&["service", "web"]).unwrap();
    let second = Duration::from_secs(10);

    // Pod to pod, across nodes, in both families.
    for address in &pods[1].addresses {
        let reply = pods[0].exec(&["curl", "-sS", "-g", &format!("http://{}:8080", host(*address))]).unwrap();
        let reply = Reply::parse(&reply).unwrap();
        assert_eq!((reply.pod.as_str(), reply.node.as_str()), ("echo-n2", "n2"));
        assert!(pods[0].addresses.contains(&reply.peer.ip()), "seen as {}", reply.peer);
    }
    // The cluster address from a pod, also when the pod that answers is the asker's neighbour or itself.
    for ip in service["spec"]["clusterIPs"].as_array().unwrap() {
        let url = format!("http://{}", host(ip.as_str().unwrap().parse().unwrap()));
        let mut seen = std::collections::BTreeSet::new();
        wait_for("all three pods to answer at the cluster address", second, || {
            let reply = pods[0].exec(&["curl", "-sS", "-g", "--max-time", "1", &url])?;
            seen.insert(Reply::parse(&reply)?.node);
            anyhow::ensure!(seen.len() == 3, "so far {seen:?}");
            Ok(())
        })
        .unwrap();
    }
    // The node port from the LAN, at every node.
    for node in sandbox.nodes() {
        wait_for("the node port", second, || sandbox.client().curl(&format!("http://{}:30080", node.ipv4()))).unwrap();
    }
}

fn host(address: std::net::IpAddr) -> String {
    if address.is_ipv6() { format!("[{address}]") } else { address.to_string() }
}
