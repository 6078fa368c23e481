//! The cluster as its user sees it: Deployments become processes, deletions end them, Services follow, rights are watched.
//! Needs root: `make test` runs it.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use anyhow::{Context, ensure};
use landfall_sandbox::{PodSpec, Privileges, Sandbox, Spec, api::Content, echo::Reply, wait_for};
use serde_json::json;

const PATIENCE: Duration = Duration::from_secs(20);
const VIP: &str = "198.51.100.100";

const WEB: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: nginx, image: 'docker.io/library/nginx:1.29', ports: [{containerPort: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  type: LoadBalancer
  selector: {app: web}
  ports: [{port: 30080, targetPort: 80}]
";

#[test]
fn a_deployment_is_served_scaled_and_deleted() {
    let sandbox = Sandbox::builder().up().unwrap();
    sandbox.apply(WEB).unwrap();
    sandbox.kubectl(&["wait", "--for=condition=Available", "--timeout=30s", "deployment/web"]).unwrap();
    let nodes = sandbox.kubectl(&["get", "pods", "-o", "jsonpath={.items[*].spec.nodeName}"]).unwrap();
    let mut nodes: Vec<&str> = nodes.split_whitespace().collect();
    nodes.sort_unstable();
    assert_eq!(nodes, ["n1", "n2", "n3"], "one on each");

    // What a load balancer's controller and speaker would do, by hand.
    let status = json!({"status": {"loadBalancer": {"ingress": [{"ip": VIP, "ipMode": "VIP"}]}}});
    let service = "/api/v1/namespaces/default/services/web/status";
    sandbox.api().patch(service, Content::StrategicMerge, &status).unwrap();
    let mac = sandbox.node("n2").unwrap().mac().unwrap();
    let client = sandbox.client();
    client.exec(&["ip", "neigh", "replace", VIP, "lladdr", &mac, "dev", "eth0"]).unwrap();
    assert_eq!(client.neigh(VIP.parse().unwrap()).unwrap().as_deref(), Some(mac.as_str()));
    let page = wait_for("the external address", PATIENCE, || client.curl(&format!("http://{VIP}:30080/"))).unwrap();
    assert!(page.contains("Welcome to nginx!") && page.contains("pod=web-"), "{page}");
    assert!(client.curl(&format!("http://{VIP}:30080/no-such-page")).is_err());

    sandbox.kubectl(&["scale", "deployment/web", "--replicas=1"]).unwrap();
    wait_for("two pods to go", PATIENCE, || {
        let pods = sandbox.get(&["pods"])?["items"].as_array().context("no list")?.len();
        ensure!(pods == 1, "there are {pods}");
        Ok(())
    })
    .unwrap();
    let nginx = || sandbox.processes().iter().filter(|process| process.name().starts_with("pod-")).count();
    wait_for("their processes to go", PATIENCE, || {
        ensure!(nginx() == 1, "there are {}", nginx());
        Ok(())
    })
    .unwrap();
    // kube-proxy hears of their end after the API server has.
    wait_for("the pod that is left", PATIENCE, || client.curl(&format!("http://{VIP}:30080/"))).unwrap();
}

#[test]
fn a_pod_that_is_not_ready_or_terminating_leaves_its_service() {
    let sandbox = Sandbox::builder().nodes(1).up().unwrap();
    let pod = sandbox.add_pod(&PodSpec::echo("web").pre_stop_sleep(25)).unwrap();
    sandbox.kubectl(&["expose", "pod", "web", "--port=8080"]).unwrap();
    let conditions = |wanted: serde_json::Value| {
        wait_for(&format!("an endpoint with {wanted}"), PATIENCE, || {
            let slices = sandbox.get(&["endpointslices", "-l", "kubernetes.io/service-name=web"])?;
            let seen = &slices["items"][0]["endpoints"][0]["conditions"];
            ensure!(*seen == wanted, "it has {seen}");
            Ok(())
        })
        .unwrap();
    };
    conditions(json!({"ready": true, "serving": true, "terminating": false}));
    pod.set_ready(false).unwrap();
    conditions(json!({"ready": false, "serving": false, "terminating": false}));
    pod.set_ready(true).unwrap();
    conditions(json!({"ready": true, "serving": true, "terminating": false}));
    pod.terminate().unwrap();
    conditions(json!({"ready": false, "serving": true, "terminating": true}));
    pod.delete().unwrap();
    wait_for("its network to be gone", PATIENCE, || {
        ensure!(!pod.netns.exists(), "{} is there", pod.netns.name());
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_probe_measures_the_silence_of_a_pulled_cable() {
    let sandbox = Sandbox::builder().nodes(1).up().unwrap();
    let node = sandbox.node("n1").unwrap();
    let pod = sandbox.add_pod(&PodSpec::echo("web").host_network()).unwrap();
    assert_eq!(pod.addresses, [IpAddr::from(node.ipv4()), IpAddr::from(node.ipv6())]);
    for address in pod.addresses {
        let probe = sandbox.client().probe(SocketAddr::new(address, 8080), 500).unwrap();
        probe.wait_answers(50, PATIENCE).unwrap();
        node.pull_cable().unwrap();
        let silence = Duration::from_millis(300);
        probe.wait_silence(silence, PATIENCE).unwrap();
        node.plug_cable().unwrap();
        probe.wait_answers(50, PATIENCE).unwrap();
        let report = probe.stop().unwrap();
        assert!(report.longest_silence >= silence, "it tells less than was waited for: {report:?}");
        assert!(report.received >= 100 && report.lost() > 0, "{report:?}");
    }
    let reply = sandbox.client().curl(&format!("http://[{}]:8080", node.ipv6())).unwrap();
    assert_eq!(Reply::parse(&reply).unwrap().peer.ip(), IpAddr::from(sandbox.client().ipv6()));
}

const ACCOUNT: &str = "
apiVersion: v1
kind: ServiceAccount
metadata: {name: reader, namespace: default}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader, namespace: default}
rules:
- {apiGroups: [''], resources: [configmaps], resourceNames: [kube-root-ca.crt], verbs: [get]}
- {apiGroups: [''], resources: [pods], verbs: [list]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: reader, namespace: default}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}
subjects: [{kind: ServiceAccount, name: reader, namespace: default}]
";

#[test]
fn rights_are_compared_with_what_was_done() {
    let sandbox = Sandbox::builder().nodes(1).up().unwrap();
    sandbox.apply(ACCOUNT).unwrap();
    let kubeconfig = sandbox.kubeconfig_for("default", "reader", Some("n1")).unwrap();
    let kubectl =
        |arguments: &[&str]| sandbox.kubectl(&[&["--kubeconfig", kubeconfig.to_str().unwrap()], arguments].concat());
    let user = kubectl(&["auth", "whoami", "-o", "json"]).unwrap();
    assert!(user.contains("authentication.kubernetes.io/node-name"), "{user}");

    kubectl(&["get", "configmap", "kube-root-ca.crt"]).unwrap();
    let rights = sandbox.rights("default", "reader").unwrap();
    let unused: Vec<String> = rights.unused.iter().map(ToString::to_string).collect();
    assert_eq!((rights.granted.len(), unused), (2, vec!["list pods in default".to_owned()]));
    assert_eq!(rights.refused, []);

    kubectl(&["get", "pods"]).unwrap();
    assert!(kubectl(&["get", "secrets"]).is_err());
    let rights = sandbox.rights("default", "reader").unwrap();
    assert_eq!(rights.unused, []);
    let refused: Vec<_> = rights.refused.iter().map(|r| (r.verb.as_str(), r.resource.as_str())).collect();
    assert_eq!(refused, [("list", "secrets")]);
}

#[test]
fn a_pods_token_names_its_node() {
    let sandbox = Sandbox::builder().nodes(2).up().unwrap();
    sandbox.apply(ACCOUNT).unwrap();
    let command = PodSpec::command("reader", &["sleep", "1000"]).account("reader");
    sandbox.add_pod(&command.on("n2")).unwrap();
    let uid = sandbox.kubectl(&["get", "pod", "reader", "-o", "jsonpath={.metadata.uid}"]).unwrap();
    let config = sandbox.folder().join("pods").join(uid).join("main/pod.kubeconfig");
    let user = sandbox.kubectl(&["--kubeconfig", config.to_str().unwrap(), "auth", "whoami", "-o", "json"]).unwrap();
    let user: serde_json::Value = serde_json::from_str(&user).unwrap();
    // What the manifests' admission policy compares a record's name with, from the kind of token that a speaker has.
    let nodes = &user["status"]["userInfo"]["extra"]["authentication.kubernetes.io/node-name"];
    assert_eq!(*nodes, json!(["n2"]), "{user}");
}

#[test]
fn a_process_has_the_privileges_that_it_is_given() {
    let sandbox = Sandbox::builder().nodes(1).up().unwrap();
    let netns = sandbox.node("n1").unwrap();
    for (privileges, user, capabilities) in
        [(Privileges::NetRaw, "0", "0000000000002000"), (Privileges::None, "65532", "0000000000000000")]
    {
        let mut spec = Spec::new(format!("{privileges:?}"), &netns, ["/bin/cat", "/proc/self/status"]);
        spec.privileges = privileges;
        let process = sandbox.start_process(spec).unwrap();
        process.wait(PATIENCE).unwrap();
        let status = process.log();
        let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next());
        assert_eq!((field("Uid:"), field("NoNewPrivs:")), (Some(user), Some("1")), "{status}");
        for set in ["CapEff:", "CapPrm:", "CapBnd:"] {
            assert_eq!(field(set), Some(capabilities), "{set} of {status}");
        }
    }
}

#[test]
fn a_process_is_paused_restarted_and_killed() {
    let sandbox = Sandbox::builder().nodes(1).up().unwrap();
    let process = sandbox.start_process(Spec::new("sleeper", &sandbox.client(), ["sleep", "1000"])).unwrap();
    let first = process.pid().unwrap();
    process.pause().unwrap();
    process.resume().unwrap();
    process.restart(PATIENCE).unwrap();
    let second = process.pid().unwrap();
    assert_ne!(first, second);
    process.pause().unwrap();
    process.kill();
    assert!(!process.is_running());
    assert!(process.terminate().is_err());
}
