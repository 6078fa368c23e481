//! `make demo`: a real cluster of three nodes on network namespaces, Landfall on it, the examples, and a pulled cable.
//!
//! One line for each step, with the seconds since the start; what kubectl and curl print is shown as it is. Afterwards it
//! stays up until Ctrl-C, unless there is no terminal, or CI=true.

mod show;

use anyhow::{Context, Result, ensure};
use landfall_sandbox::{LandfallOptions, PodSpec, Sandbox, objects::addresses, sibling, wait_for};
use serde_json::{Value, json};
use show::Show;
use std::{
    env,
    io::{IsTerminal, stdout},
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    process::ExitCode,
    thread,
    time::Duration,
};

/// Longer than anything here takes on a slow machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// The Services of the first example.
const LEFT_ALONE: [&str; 4] = ["nginx-cluster-ip", "nginx-node-port", "nginx-headless", "google"];

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("demo: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let show = Show::start();
    let sandbox = Sandbox::builder().nodes(3).up()?;
    show.step("a Kubernetes cluster is up: API server, etcd, controller manager, and three nodes with kube-proxy");

    apply_example(&sandbox, "1-left-alone.yaml")?;
    let before = versions(&sandbox)?;
    show.step("example 1 is applied: a ClusterIP, a NodePort, a headless and an ExternalName Service");

    start(&sandbox)?;
    show.step("Landfall runs: two controllers, of which one leads, and a speaker on each node");
    for example in
        ["2-loadbalancer", "3-ingress", "4-dual-stack", "5-requested-address", "6-tcp-and-udp", "7-local-traffic"]
    {
        apply_example(&sandbox, &format!("{example}.yaml"))?;
    }
    show.step("examples 2 to 7 are applied");
    let vip = address(&sandbox, "default", "web")?;
    for name in ["dual-stack", "requested", "tcp-and-udp", "local-traffic"] {
        address(&sandbox, "default", name)?;
    }
    let ingress = address(&sandbox, "traefik", "traefik")?;
    show.step("every Service of type LoadBalancer has its address");

    ensure!(versions(&sandbox)? == before, "Landfall has written to a Service that is not of type LoadBalancer");
    show.step("the four Services of example 1 are exactly as they were (same resourceVersion):");
    show.output("kubectl get services", &sandbox.kubectl(&[&["get", "services"], &LEFT_ALONE[..]].concat())?);
    show.step("and these have an EXTERNAL-IP:");
    show.output("kubectl get services --all-namespaces | grep -E 'NAMESPACE|LoadBalancer'", &load_balancers(&sandbox)?);

    let url = format!("http://{vip}:30080/");
    let page = curl(&sandbox, &[], &url)?;
    show.step("a host on the LAN asks at that address and is answered:");
    show.output(&format!("curl {url}"), page.lines().find(|line| line.contains("<title>")).unwrap_or(&page));
    let mut answers = String::new();
    for (host, path) in [("foo.bar.com", "/foos1"), ("foo.bar.com", "/bars2"), ("bar.foo.com", "/")] {
        let page = curl(&sandbox, &["-H", &format!("Host: {host}")], &format!("http://{ingress}{path}"))?;
        answers += &format!("{host}{path}: {}\n", page.lines().next().unwrap_or_default());
    }
    show.step("an ingress controller behind one such address serves two hosts:");
    show.output(&format!("curl -H 'Host: ...' http://{ingress}/..."), &answers);
    show.output("kubectl get ingress", &sandbox.kubectl(&["get", "ingress"])?);

    pull_a_cable(&sandbox, &show)?;
    if env::var("CI").is_ok_and(|ci| ci == "true") || !stdout().is_terminal() {
        drop(sandbox);
        show.step("everything is cleaned away");
        return Ok(());
    }
    show.step("it stays up for looking around; Ctrl-C cleans everything away. In another terminal:");
    let sandbox_command = sibling("sandbox")?.display().to_string();
    // Whoever is root already may have no sudo.
    let sudo = if env::var_os("SUDO_UID").is_some() { "sudo -E " } else { "" };
    for what in ["kubectl get services -A", "kubectl describe service web", "shell client", "pull n1", "plug n1"] {
        println!("           {sudo}{sandbox_command} --id {} {what}", sandbox.id());
    }
    println!("           (shell client is a shell on the LAN's host: curl {url})");
    loop {
        thread::park();
    }
}

/// Applies the manifests and the examples' pool, and starts what a kubelet would.
fn start(sandbox: &Sandbox) -> Result<()> {
    let options = LandfallOptions::new(sibling("landfall")?).manifests(&repository().join("manifests"));
    let landfall = sandbox.start_landfall(&options)?;
    apply_example(sandbox, "config.yaml")?;
    wait_for("a leading controller", PATIENCE, || landfall.leader(sandbox).map(drop))
}

/// A Service whose only pods are on other nodes than its owner; the owner's cable is pulled while a client asks it a thousand
/// times a second.
fn pull_a_cable(sandbox: &Sandbox, show: &Show) -> Result<()> {
    let service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "probed"},
        "spec": {
            "type": "LoadBalancer", "selector": {"app": "probed"},
            "ports": [{"port": 7, "targetPort": 8080, "protocol": "UDP"}]
        }
    });
    sandbox.apply(&service.to_string())?;
    let vip = address(sandbox, "default", "probed")?;
    let owner = owner(sandbox, vip)?;
    for node in sandbox.nodes().iter().filter(|node| node.name() != owner) {
        let pod = PodSpec::echo(&format!("probed-{}", node.name())).label("app", "probed").on(node.name());
        sandbox.add_pod(&pod)?;
    }
    let probe = sandbox.client().probe(SocketAddr::new(vip, 7), 1000)?;
    probe.wait_answers(500, PATIENCE)?;
    show.step(&format!(
        "{owner} answers for {vip}; a client asks it a thousand times a second. Its cable is pulled ..."
    ));
    sandbox.node(&owner)?.pull_cable()?;
    probe.wait_answers(500, PATIENCE)?;
    let report = probe.stop()?;
    let next = self::owner(sandbox, vip)?;
    ensure!(next != owner, "{owner} still answers for {vip}");
    // By the record of the one that can still write it: the API server is on the same LAN.
    hears(sandbox, &next, &owner, false)?;
    sandbox.node(&owner)?.plug_cable()?;
    hears(sandbox, &next, &owner, true)?;
    ensure!(self::owner(sandbox, vip)? == next, "{vip} has moved back");
    show.step(&format!(
        "{next} took over: {} ms of silence, {} of {} probes lost. The cable is in again, and nothing moves back",
        report.longest_silence.as_millis(),
        report.lost(),
        report.sent
    ));
    Ok(())
}

/// Waits until the speaker of a node says that it hears another, or does not.
fn hears(sandbox: &Sandbox, node: &str, other: &str, does: bool) -> Result<()> {
    wait_for(&format!("{node} to hear {other}: {does}"), PATIENCE, || {
        let record = sandbox.record(node)?;
        let peers = record["interfaces"]["eth0"]["peers"].as_array();
        ensure!(peers.is_some_and(|peers| peers.iter().any(|peer| peer == other)) == does, "{record:#}");
        Ok(())
    })
}

/// The node whose interface the client's neighbour table has for `vip`, after asking.
fn owner(sandbox: &Sandbox, vip: IpAddr) -> Result<String> {
    let client = sandbox.client();
    wait_for(&format!("an answer for {vip}"), PATIENCE, || {
        client.exec(&["arping", "-q", "-f", "-w", "1", "-I", "eth0", &vip.to_string()])?;
        // Any packet makes the kernel look for the neighbour.
        let _ = client.curl(&format!("http://{vip}:9/"));
        let mac = client.neigh(vip)?.with_context(|| format!("the client has no neighbour {vip}"))?;
        Ok(sandbox.node_with_mac(&mac)?.name().to_owned())
    })
}

/// Waits for the Service's first address.
fn address(sandbox: &Sandbox, namespace: &str, name: &str) -> Result<IpAddr> {
    wait_for(&format!("an address of {name}"), PATIENCE, || {
        let service = sandbox.get(&["service", "-n", namespace, name])?;
        let first = addresses(&service).first().copied();
        first.with_context(|| format!("{name} has none; its conditions: {}", service["status"]["conditions"]))
    })
}

/// The resourceVersions of the Services that are to be left alone: any write changes them.
fn versions(sandbox: &Sandbox) -> Result<Vec<Value>> {
    let version = |name: &&str| Ok(sandbox.get(&["service", name])?["metadata"]["resourceVersion"].clone());
    LEFT_ALONE.iter().map(version).collect()
}

fn load_balancers(sandbox: &Sandbox) -> Result<String> {
    let all = sandbox.kubectl(&["get", "services", "--all-namespaces"])?;
    Ok(all
        .lines()
        .filter(|line| line.starts_with("NAMESPACE") || line.contains("LoadBalancer"))
        .collect::<Vec<_>>()
        .join("\n"))
}

fn curl(sandbox: &Sandbox, options: &[&str], url: &str) -> Result<String> {
    wait_for(&format!("an answer of {url}"), PATIENCE, || sandbox.client().curl_with(options, url))
}

fn apply_example(sandbox: &Sandbox, file: &str) -> Result<()> {
    sandbox.apply_file(&repository().join("docs/examples").join(file)).map(drop)
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
