//! Starts etcd, the API server, the controller manager and a kube-proxy per node, and creates the Nodes.

use std::{fs, path::Path, time::Duration};

use anyhow::{Context, Result};
use serde_json::json;

use crate::{
    api::{Api, Content},
    kubernetes::Release,
    netns::Netns,
    pki::Authority,
    process::{Process, Spec},
    teardown::Resources,
    topology::{self, POD_RANGES, SERVICE_RANGES},
    wait::{GiveUp, wait_for},
};

/// What the API server writes down about every request: who, what, allowed or not. No bodies.
const AUDIT_POLICY: &str = "apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
";

/// The controllers that a Service and its pods can meet.
const CONTROLLERS: [&str; 12] = [
    "daemonset-controller",
    "deployment-controller",
    "endpoints-controller",
    "endpointslice-controller",
    "garbage-collector-controller",
    "job-controller",
    "namespace-controller",
    "replicaset-controller",
    "root-ca-certificate-publisher-controller",
    "serviceaccount-controller",
    "statefulset-controller",
    "validatingadmissionpolicy-status-controller",
];

/// Starts everything; returns when the API server is ready, all Nodes are, and every kube-proxy has installed its rules, where
/// there are to be any.
pub(crate) fn start(resources: &Resources, api: &Api, release: Release, kube_proxies: bool) -> Result<()> {
    let state = &resources.state;
    let (folder, tools) = (&state.folder, &state.tools);
    let pki = folder.join("pki");
    let at = |name: &str| Netns::named(state.prefix() + name);
    let cp = at("cp");
    fs::write(folder.join("audit-policy.yaml"), AUDIT_POLICY)?;
    issue_certificates(&pki)?;
    // Once: a process that starts must not find it half written.
    fs::copy(pki.join("ca.crt"), folder.join("accounts/ca.crt"))?;

    let etcd = resources.start(Spec::new("etcd", &cp, etcd(folder, tools)))?;
    let server = resources.start(Spec::new("kube-apiserver", &cp, api_server(folder, tools, release)))?;
    alive_until("the API server to become ready", Duration::from_secs(120), &[&etcd, &server], || {
        api.get("/readyz").map(|_| ())
    })?;
    release.check(&api.get("/version")?)?;
    let manager = resources.start(Spec::new("kube-controller-manager", &cp, controller_manager(folder, tools)))?;
    for i in 1..=state.nodes {
        create_node(api, i)?;
    }
    let mut proxies = Vec::new();
    for i in (1..=state.nodes).filter(|_| kube_proxies) {
        let name = topology::node_name(i);
        let spec = Spec::new(format!("kube-proxy-{name}"), &at(&name), kube_proxy(folder, tools, release, &name));
        proxies.push((at(&name), resources.start(spec)?));
    }
    for (netns, proxy) in &proxies {
        alive_until(&format!("{} to become healthy", proxy.name()), Duration::from_secs(60), &[proxy], || {
            let healthy = Api::answers(netns, "http://127.0.0.1:10256/healthz");
            healthy.then_some(()).context("/healthz does not answer 200")
        })?;
    }
    alive_until("what each namespace has", Duration::from_secs(60), &[&manager], || {
        for object in ["serviceaccounts/default", "configmaps/kube-root-ca.crt"] {
            api.get(&format!("/api/v1/namespaces/default/{object}"))?;
        }
        Ok(())
    })
}

/// Waits for `check` to succeed, and gives up early when one of the processes it depends on has ended.
fn alive_until(what: &str, timeout: Duration, on: &[&Process], check: impl Fn() -> Result<()>) -> Result<()> {
    wait_for(what, timeout, || {
        if let Some(dead) = on.iter().find(|process| !process.is_running()) {
            return Err(GiveUp(format!("{} has ended", dead.name())).into());
        }
        check()
    })
}

fn issue_certificates(pki: &Path) -> Result<()> {
    let authority = Authority::create(pki)?;
    let names = ["198.51.100.2", "2001:db8::2", "127.0.0.1", "10.96.0.1", "fd00:10:96::1", "kubernetes.default.svc"];
    authority.server("apiserver", &names)?;
    authority.client("admin", "sandbox-admin", Some("system:masters"))?;
    authority.client("controller-manager", "system:kube-controller-manager", None)?;
    authority.client("kube-proxy", "system:kube-proxy", None)?;
    Ok(())
}

fn etcd(folder: &Path, tools: &Path) -> Vec<String> {
    vec![
        path(tools, "etcd"),
        format!("--data-dir={}", path(folder, "etcd")),
        "--unsafe-no-fsync".into(),
        "--listen-client-urls=http://127.0.0.1:2379".into(),
        "--advertise-client-urls=http://127.0.0.1:2379".into(),
        "--listen-peer-urls=http://127.0.0.1:2380".into(),
        "--log-level=error".into(),
    ]
}

fn api_server(folder: &Path, tools: &Path, release: Release) -> Vec<String> {
    let pki = |name: &str| path(&folder.join("pki"), name);
    let mut argv = vec![
        path(tools, "kube-apiserver"),
        "--etcd-servers=http://127.0.0.1:2379".into(),
        "--bind-address=::".into(),
        "--advertise-address=198.51.100.2".into(),
        "--secure-port=6443".into(),
        format!("--tls-cert-file={}", pki("apiserver.crt")),
        format!("--tls-private-key-file={}", pki("apiserver.key")),
        format!("--client-ca-file={}", pki("ca.crt")),
        format!("--service-account-key-file={}", pki("sa.pub")),
        format!("--service-account-signing-key-file={}", pki("sa.key")),
        "--service-account-issuer=https://kubernetes.default.svc".into(),
        format!("--service-cluster-ip-range={SERVICE_RANGES}"),
        "--authorization-mode=Node,RBAC".into(),
        "--allow-privileged=true".into(),
        // Nothing mounts tokens here, and Nodes are ready by decree.
        "--disable-admission-plugins=ServiceAccount,TaintNodesByCondition".into(),
        format!("--audit-policy-file={}", path(folder, "audit-policy.yaml")),
        format!("--audit-log-path={}", path(folder, "audit.log")),
        // In megabytes: beyond 100 it would begin a new file, and who reads this one would miss the rest.
        "--audit-log-maxsize=100000".into(),
    ];
    argv.extend(release.api_server().iter().map(ToString::to_string));
    argv
}

fn controller_manager(folder: &Path, tools: &Path) -> Vec<String> {
    let pki = folder.join("pki");
    let kubeconfig = path(&pki, "controller-manager.kubeconfig");
    vec![
        path(tools, "kube-controller-manager"),
        format!("--kubeconfig={kubeconfig}"),
        format!("--root-ca-file={}", path(&pki, "ca.crt")),
        "--use-service-account-credentials".into(),
        "--leader-elect=false".into(),
        // No node-lifecycle-controller: nobody renews the Nodes' leases. Fewer controllers start faster.
        format!("--controllers={}", CONTROLLERS.join(",")),
        "--kube-api-qps=200".into(),
        "--kube-api-burst=400".into(),
        "--secure-port=0".into(),
    ]
}

fn kube_proxy(folder: &Path, tools: &Path, release: Release, node: &str) -> Vec<String> {
    let mut argv = vec![
        path(tools, "kube-proxy"),
        format!("--kubeconfig={}", path(&folder.join("pki"), "kube-proxy.kubeconfig")),
        format!("--hostname-override={node}"),
        format!("--cluster-cidr={POD_RANGES}"),
        format!("--proxy-mode={}", release.proxy_mode()),
    ];
    // Connection tracking's limits belong to the machine.
    argv.extend(
        [
            "--conntrack-max-per-core=0",
            "--conntrack-min=0",
            "--conntrack-tcp-timeout-established=0",
            "--conntrack-tcp-timeout-close-wait=0",
        ]
        .map(str::to_owned),
    );
    argv
}

fn path(folder: &Path, name: &str) -> String {
    folder.join(name).display().to_string()
}

fn create_node(api: &Api, i: u8) -> Result<()> {
    let topology::Member { name, ipv4, ipv6 } = topology::node(i);
    let ranges = [format!("10.244.{i}.0/24"), format!("fd00:10:244:{i:x}::/64")];
    api.create(
        "/api/v1/nodes",
        &json!({
            "apiVersion": "v1", "kind": "Node",
            "metadata": {"name": name, "labels": {
                "kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}},
            "spec": {"podCIDR": ranges[0], "podCIDRs": ranges},
        }),
    )?;
    let room = json!({"cpu": "8", "memory": "16Gi", "pods": "110"});
    let status = json!({"status": {
        "addresses": [
            {"type": "InternalIP", "address": ipv4}, {"type": "InternalIP", "address": ipv6},
            {"type": "Hostname", "address": name}],
        "capacity": room, "allocatable": room,
        "conditions": [{"type": "Ready", "status": "True", "reason": "Sandbox"}],
        "nodeInfo": {"kubeletVersion": "sandbox", "operatingSystem": "linux", "architecture": "amd64"},
    }});
    api.patch(&format!("/api/v1/nodes/{name}/status"), Content::Merge, &status).map(drop)
}
