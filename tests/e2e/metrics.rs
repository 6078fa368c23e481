//! Metrics, where the user opens an address for them; and where not, nothing listens.

use crate::{
    lab::{Lab, PATIENCE, example},
    sight::host,
};
use anyhow::{Context, Result, ensure};
use landfall_sandbox::{Netns, wait_for};
use std::net::IpAddr;

const ADDRESS: &str = "127.0.0.1:9808";

/// The value of a series, as a host's own client reads it.
fn metric(host: &Netns, series: &str) -> Result<f64> {
    let url = format!("http://{ADDRESS}/metrics");
    let page = host.exec(&["curl", "-sS", "--fail", "--max-time", "2", "--noproxy", "*", &url])?;
    let value = page.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok());
    value.with_context(|| format!("there is no {series} in {page}"))
}

/// The sockets by which a host can be reached, but for those of Kubernetes' own programs.
fn listening(host: &Netns) -> Vec<String> {
    let all = host.exec(&["ss", "-Hlntup"]).unwrap();
    let (kubernetes, others): (Vec<&str>, Vec<&str>) =
        all.lines().partition(|line| line.contains("((\"kube-") || line.contains("((\"etcd\""));
    assert!(!kubernetes.is_empty(), "{}: no sockets are seen: {all}", host.name());
    others.into_iter().map(str::to_owned).collect()
}

fn wait_metric(host: &Netns, series: &str, expected: f64) {
    wait_for(&format!("{series} to be {expected}"), PATIENCE, || {
        let value = metric(host, series)?;
        ensure!(value == expected, "it is {value}");
        Ok(())
    })
    .unwrap();
}

/// Waits until a node's record says that it answers for an address: asking the network would be counted.
fn wait_recorded_owner(lab: &Lab, vip: IpAddr) -> String {
    wait_for(&format!("a record with {vip}"), PATIENCE, || {
        let nodes = lab.sandbox.nodes();
        let owns = |node: &str| {
            let record = lab.sandbox.record(node).unwrap_or_default();
            record["interfaces"]["eth0"]["owned"].to_string().contains(&vip.to_string())
        };
        let owner = nodes.iter().map(|node| node.name()).find(|node| owns(node));
        owner.map(str::to_owned).context("there is none")
    })
    .unwrap()
}

#[test]
fn questions_are_counted_as_answered_where_they_are_and_services_where_they_have_addresses() {
    let arguments = ["--metrics-address", ADDRESS];
    let lab = Lab::started(
        |options| options.controllers(1).controller_arguments(&arguments).speaker_arguments(&arguments),
        |sandbox| sandbox.apply_file(&example("config.yaml")).map(drop),
    );
    lab.apply_example("2-loadbalancer.yaml");
    let vip = lab.address("web");
    let owner = wait_recorded_owner(&lab, vip);
    let nodes = lab.sandbox.nodes();
    let owner = nodes.iter().find(|node| node.name() == owner).unwrap();
    let answered = r#"landfall_speaker_questions_answered_total{interface="eth0"}"#;
    wait_metric(owner, r#"landfall_speaker_vips{interface="eth0",state="answered"}"#, 1.0);

    let ask = |address: &str, times: &str| {
        let asking = ["-b", "-c", times, "-w", "5", "-I", "eth0", address];
        let output = lab.sandbox.client().command("arping").args(asking).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    ask(&vip.to_string(), "1");
    let others: Vec<_> = nodes.iter().filter(|node| node.name() != owner.name()).collect();
    for other in &others {
        wait_metric(other, answered, 0.0);
    }
    // They ask, too, where the machine stands still for so long that they doubt that the owner lives.
    for other in &others {
        lab.speaker(other.name()).terminate().unwrap();
    }
    wait_metric(owner, r#"landfall_speaker_peers{interface="eth0"}"#, 0.0);
    let before = metric(owner, answered).unwrap();

    let said = ask("198.51.100.199", "2");
    assert!(said.contains("Received 0 response"), "{said}");
    let said = ask(&vip.to_string(), "3");
    assert!(said.contains("Received 3 response"), "{said}");
    // Three, or more where an answer took a second.
    let sent = said.lines().find_map(|line| line.strip_prefix("Sent ")?.split(' ').next()?.parse::<f64>().ok());
    // More, had a question for the other address been counted: it came first.
    wait_metric(owner, answered, before + sent.unwrap_or_else(|| panic!("{said}")));
    wait_metric(owner, "landfall_speaker_eligible", 1.0);

    let leader = lab.sandbox.control_plane();
    wait_metric(&leader, "landfall_controller_leader", 1.0);
    wait_metric(&leader, r#"landfall_controller_services{status="True",reason="Allocated"}"#, 1.0);
    wait_metric(&leader, r#"landfall_controller_pool_addresses_used{pool="default",family="IPv4"}"#, 1.0);

    // Loopback is the host's own.
    let sockets = listening(owner);
    assert!(sockets.len() == 1 && sockets[0].contains(ADDRESS), "{sockets:?}");
    assert!(lab.sandbox.client().curl(&format!("http://{}:9808/metrics", owner.ipv4())).is_err());
    lab.wait_answer(&[], &format!("http://{}:30080", host(vip)));
}

#[test]
fn by_default_nothing_listens() {
    let lab = Lab::up();
    lab.leader();
    for node in lab.sandbox.nodes() {
        wait_for(&format!("a record of {}", node.name()), PATIENCE, || lab.sandbox.record(node.name())).unwrap();
    }
    let hosts = lab.sandbox.nodes().into_iter().map(|node| (*node).clone()).chain([lab.sandbox.control_plane()]);
    for host in hosts {
        assert_eq!(listening(&host), [""; 0], "{}", host.name());
    }
}
