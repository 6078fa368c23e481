//! The examples of `docs/examples`, applied as their README says, and tried as it says.

use crate::run::Run;
use anyhow::{Context, Result, ensure};
use landfall_kind::cluster::{self, PATIENCE, apply, available, get, repository, vips};
use landfall_sandbox::{objects::addresses, wait_for};
use std::{
    env, fs,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

/// The Services of the first example.
const LEFT_ALONE: [&str; 4] = ["nginx-cluster-ip", "nginx-node-port", "nginx-headless", "google"];

pub fn all(run: &mut Run) -> Result<()> {
    apply(&example("1-left-alone.yaml")?)?;
    let before = versions()?;
    apply(&config()?)?;
    for file in ["2-loadbalancer", "3-ingress", "6-tcp-and-udp", "7-local-traffic"] {
        apply(&example(&format!("{file}.yaml"))?)?;
    }
    loadbalancer(run)?;
    ingress(run)?;
    dual_stack(run)?;
    requested(run)?;
    tcp_and_udp(run)?;
    local_traffic(run)?;
    left_alone(run)?;
    ensure!(versions()? == before, "Landfall has written to a Service that is not of type LoadBalancer");
    Ok(())
}

fn example(file: &str) -> Result<String> {
    let path = repository("docs/examples").join(file);
    fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))
}

/// The examples' pool, with addresses that nothing else uses on the nodes' network: what their README tells to change.
pub fn config() -> Result<String> {
    let text = example("config.yaml")?;
    let text = changed(&text, "      - 198.51.100.100-198.51.100.150\n", &format!("      - {}\n", free_ipv4()?))?;
    // A network of one family has none of the other.
    let ipv6 = env::var("LANDFALL_KIND_V6").map(|range| format!("      - {range}\n")).unwrap_or_default();
    changed(&text, "      - 2001:db8::100-2001:db8::1ff\n", &ipv6)
}

/// The range of IPv4 addresses that nothing else uses, FIRST-LAST.
fn free_ipv4() -> Result<String> {
    env::var("LANDFALL_KIND_V4").context("LANDFALL_KIND_V4 names no addresses: this runs by `make kind-e2e`")
}

fn changed(text: &str, from: &str, to: &str) -> Result<String> {
    ensure!(text.contains(from), "an example lacks {from:?}, which this test changes: {text}");
    Ok(text.replace(from, to))
}

fn host(vip: IpAddr) -> String {
    if vip.is_ipv4() { vip.to_string() } else { format!("[{vip}]") }
}

fn answers(run: &Run, vip: IpAddr, port: u16, path: &str, part: &str) -> Result<String> {
    let page = run.client.fetch(&[], &format!("http://{}:{port}{path}", host(vip)))?;
    ensure!(page.contains(part), "{vip} answers without {part:?}: {page}");
    Ok(page)
}

/// The resourceVersions of the Services that are to be left alone: any write changes them.
fn versions() -> Result<Vec<String>> {
    LEFT_ALONE.iter().map(|name| Ok(get(&["service", name])?["metadata"]["resourceVersion"].to_string())).collect()
}

fn left_alone(run: &Run) -> Result<()> {
    available("default", "nginx")?;
    let node = get(&["nodes", run.nodes()[0].name()])?;
    let address = node["status"]["addresses"][0]["address"].as_str().context("the node has no address")?;
    let page = run.client.fetch(&[], &format!("http://{address}:30000"))?;
    ensure!(page.contains("Welcome to nginx"), "{page}");
    Ok(())
}

fn loadbalancer(run: &Run) -> Result<()> {
    available("default", "web")?;
    answers(run, vips("default", "web", 1)?[0], 30080, "/", "Welcome to nginx").map(drop)
}

fn ingress(run: &Run) -> Result<()> {
    available("traefik", "traefik")?;
    available("default", "s1")?;
    available("default", "s2")?;
    let vip = vips("traefik", "traefik", 1)?[0];
    let asks = [("foo.bar.com", "/foos1", "s1-"), ("foo.bar.com", "/bars2", "s2-"), ("bar.foo.com", "/", "s2-")];
    for (scheme, port) in [("http", 80), ("https", 443)] {
        for (name, path, pods) in asks {
            let resolve = format!("{name}:{port}:{}", host(vip));
            let page = run.client.fetch(&["--insecure", "--resolve", &resolve], &format!("{scheme}://{name}{path}"))?;
            ensure!(
                page.contains(&format!("Hostname: {pods}")),
                "{scheme}://{name}{path} is not answered by {pods}: {page}"
            );
            ensure!(page.contains("GET / HTTP"), "{path} was not rewritten: {page}");
        }
    }
    wait_for("kubectl get ingress to show the external address", PATIENCE, || {
        let shown = addresses(&get(&["ingress", "hosts"])?);
        ensure!(shown == [vip], "it shows {shown:?}");
        Ok(())
    })
}

/// Both families, or, on a cluster of one, the API server's clear refusal; the policy that the example names for that case
/// takes the one there is.
fn dual_stack(run: &Run) -> Result<()> {
    let text = example("4-dual-stack.yaml")?;
    let (text, families) = if run.dual_stack {
        (text, 2)
    } else {
        let refusal = format!("{:#}", apply(&text).err().context("a cluster of one family takes RequireDualStack")?);
        ensure!(refusal.contains("not configured for dual-stack"), "{refusal}");
        (text.replace("RequireDualStack", "PreferDualStack"), 1)
    };
    apply(&text)?;
    available("default", "dual-stack")?;
    for vip in vips("default", "dual-stack", families)? {
        answers(run, vip, 80, "/", "Hostname: dual-stack-")?;
    }
    Ok(())
}

/// The address that it asks for, or where the pool here lacks that one, the pool's last.
fn requested(run: &Run) -> Result<()> {
    const ASKED: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 120);
    let range = free_ipv4()?;
    let (first, last) = range.split_once('-').with_context(|| format!("{range} is not FIRST-LAST"))?;
    let (first, last): (Ipv4Addr, Ipv4Addr) = (first.parse()?, last.parse()?);
    let wanted = if (first..=last).contains(&ASKED) { ASKED } else { last };
    apply(&changed(&example("5-requested-address.yaml")?, &ASKED.to_string(), &wanted.to_string())?)?;
    available("default", "requested")?;
    let vip = vips("default", "requested", 1)?[0];
    ensure!(vip == wanted, "the Service has {vip}, and asked for {wanted}");
    answers(run, vip, 80, "/", "Hostname: requested-").map(drop)
}

fn tcp_and_udp(run: &Run) -> Result<()> {
    available("default", "tcp-and-udp")?;
    let vip = vips("default", "tcp-and-udp", 1)?[0];
    answers(run, vip, 7000, "/hostname", "tcp-and-udp-")?;
    let said = run.client.datagram(SocketAddr::new(vip, 7000), "hostname\n")?;
    ensure!(said.starts_with("tcp-and-udp-"), "{said:?}");
    Ok(())
}

/// The pod sees who asks, and the node that answers has a pod.
fn local_traffic(run: &Run) -> Result<()> {
    available("default", "local-traffic")?;
    let vip = vips("default", "local-traffic", 1)?[0];
    let seen = format!("RemoteAddr: {}:", run.client.own(vip));
    answers(run, vip, 80, "/", &seen)?;
    let owner = run.owner(vip)?;
    let pods = cluster::list(&["pods", "-l", "app=local-traffic"])?;
    ensure!(pods.iter().any(|pod| pod["spec"]["nodeName"] == owner.name()), "{owner} answers and has no pod");
    Ok(())
}
