//! Which nodes may answer: the node's own state, its data path, and what announcements say of both.

use crate::{
    lab::{Lab, PATIENCE},
    objects::{config, service},
    sight::host,
};
use anyhow::ensure;
use landfall_sandbox::{PodSpec, wait_for};
use std::net::IpAddr;

const FRONT: &str = "pools:
- name: default
  addresses: [198.51.100.100-198.51.100.150]
announcements:
- serviceSelectors: [{matchLabels: {tier: front}}]
  preferredNodes: [{weight: 10, selector: {matchLabels: {kubernetes.io/hostname: n2}}}]
  ignoreExcludeLabel: true
- serviceSelectors: [{matchLabels: {tier: rear}}]
";

/// Waits until a node's speaker says in its record why the node announces nothing, or only for want of better, in words with
/// `why`; or neither of these.
fn wait_excluded(lab: &Lab, node: &str, why: Option<&str>) {
    wait_for(&format!("{node} to say {why:?}"), PATIENCE, || {
        let record = lab.sandbox.record(node)?;
        let said = [record["unable"].clone(), record["warnings"].clone()];
        let reasons = || said.iter().filter_map(serde_json::Value::as_array).flatten();
        let right = match why {
            Some(why) => reasons().filter_map(|reason| reason["message"].as_str()).any(|said| said.contains(why)),
            None => {
                let is_able = record["unable"].as_array().is_none_or(Vec::is_empty);
                is_able && reasons().all(|reason| reason["reason"] != "DataPathStale")
            }
        };
        ensure!(right, "it says {said:?}");
        Ok(())
    })
    .unwrap();
}

/// What breaks the owner moves the VIP, the owner says why, and when it is mended it gets nothing back.
fn moves_and_stays(lab: &Lab, vip: IpAddr, why: &str, fail: impl FnOnce(&str), mend: impl FnOnce(&str)) {
    let owner = lab.owner(vip);
    fail(&owner);
    let next = lab.wait_owner(vip, |node| *node != owner);
    wait_excluded(lab, &owner, Some(why));
    mend(&owner);
    wait_excluded(lab, &owner, None);
    assert_eq!(lab.owner(vip), next, "{why}: nothing moves back");
}

#[test]
fn a_node_whose_kube_proxy_is_dead_or_hangs_hands_over_and_gets_nothing_back() {
    let (lab, vip, url) = Lab::serving_web();
    let why = "kube-proxy on the node is not healthy any more";
    let (kill, start) = (|node: &str| lab.kube_proxy(node).kill(), |node: &str| lab.kube_proxy(node).start().unwrap());
    moves_and_stays(&lab, vip, why, kill, start);
    lab.wait_answer(&[], &url);
    let pause = |node: &str| lab.kube_proxy(node).pause().unwrap();
    let resume = |node: &str| lab.kube_proxy(node).resume().unwrap();
    moves_and_stays(&lab, vip, why, pause, resume);
    lab.wait_answer(&[], &url);
}

#[test]
fn where_no_kube_proxy_is_healthy_any_more_addresses_stay_and_the_first_that_is_takes_them() {
    let (lab, vip, url) = Lab::serving_web();
    let owner = lab.owner(vip);
    let nodes: Vec<&String> = lab.landfall.speakers().keys().collect();
    // The others' first: nobody is to take the address over.
    for node in nodes.iter().filter(|node| ***node != owner).chain([&&owner]) {
        lab.kube_proxy(node).kill();
        wait_excluded(&lab, node, Some("kube-proxy on the node is not healthy any more"));
    }
    assert_eq!(lab.owner(vip), owner, "its rules deliver still, and nobody's are better");
    lab.wait_answer(&[], &url);
    let mended = nodes.into_iter().find(|node| **node != owner).unwrap();
    lab.kube_proxy(mended).start().unwrap();
    lab.wait_owner(vip, |node| node == mended);
    lab.wait_answer(&[], &url);
}

#[test]
fn where_there_never_was_a_kube_proxy_addresses_are_answered_for_all_the_same() {
    let lab = Lab::with(|sandbox| {
        let proxies = sandbox.processes().into_iter().filter(|process| process.name().starts_with("kube-proxy"));
        proxies.for_each(|proxy| proxy.kill());
        sandbox.apply(&config("pools: [{name: default, addresses: [198.51.100.100]}]").to_string()).map(drop)
    });
    lab.apply(&[service("web")]);
    let vip = lab.address("web");
    // On a machine that has just booted kube-proxy is waited for, for half a minute.
    wait_for("one node to answer", 2 * PATIENCE, || {
        let answerers = lab.answerers(vip);
        ensure!(answerers.len() == 1, "these answer: {answerers:?}");
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_label_a_taint_and_deletion_take_a_node_out_and_a_cordon_does_not() {
    let lab = Lab::up();
    lab.apply_example("2-loadbalancer.yaml");
    let vip = lab.address("web");
    let kubectl = |line: &str| drop(lab.sandbox.kubectl(&line.split_whitespace().collect::<Vec<_>>()).unwrap());
    let label = "node.kubernetes.io/exclude-from-external-load-balancers";
    let labelled =
        |value: &'static str| move |node: &str| kubectl(&format!("label node {node} --overwrite {label}{value}"));
    moves_and_stays(&lab, vip, label, labelled("="), labelled("=false"));
    let taint = "ToBeDeletedByClusterAutoscaler";
    let tainted = |what: &'static str| move |node: &str| kubectl(&format!("taint node {node} {taint}{what}"));
    moves_and_stays(&lab, vip, taint, tainted("=1:NoSchedule"), tainted("-"));

    let owner = lab.owner(vip);
    kubectl(&format!("cordon {owner}"));
    lab.wait_answer(&[], &format!("http://{}:30080", host(vip)));
    assert_eq!(lab.owner(vip), owner, "a cordon concerns new pods alone");

    kubectl(&format!("delete node {owner} --wait=false"));
    lab.wait_owner(vip, |node| *node != owner);
}

#[test]
fn an_announcement_may_be_for_some_services_only_and_ignore_the_label_that_excludes() {
    let lab = Lab::configured(FRONT);
    let of_tier = |tier: &str, name: &str| {
        let mut service = service(name);
        service["metadata"]["labels"]["tier"] = tier.into();
        service
    };
    lab.apply(&[of_tier("front", "front"), of_tier("rear", "rear"), service("back")]);
    let [seen, rear, unseen] = ["front", "rear", "back"].map(|name| lab.address(name));
    lab.owner(seen);
    lab.owner(rear);
    lab.wait_silence(unseen);
    lab.sandbox
        .kubectl(&["label", "node", "--all", "node.kubernetes.io/exclude-from-external-load-balancers="])
        .unwrap();
    // Every speaker knows, then.
    lab.wait_silence(rear);
    lab.owner(seen);
    // Labels that come later count at once.
    lab.apply(&[of_tier("front", "back")]);
    lab.owner(unseen);
}

/// Nothing comes any more over the connections to the API server that the speaker on this node has, and nobody tells it.
fn freeze_connections(lab: &Lab, node: &str) {
    let (host, pid) = (lab.sandbox.node(node).unwrap(), lab.speaker(node).pid().unwrap());
    let all = host.exec(&["ss", "-Htnp", "state", "established", "dport = :6443"]).unwrap();
    let own = all.lines().filter(|line| line.contains(&format!("pid={pid},")));
    let ports: Vec<&str> = own.filter_map(|line| line.split_whitespace().nth(2)?.rsplit(':').next()).collect();
    assert!(ports.len() >= 2, "it has fewer connections than watches: {all}");
    let chain = "type filter hook input priority -300";
    let rule = format!("tcp sport 6443 tcp dport {{ {} }} drop", ports.join(", "));
    host.exec(&["nft", &format!("table inet frozen {{\nchain input {{ {chain}; {rule}; }}\n}}")]).unwrap();
}

#[test]
fn an_owner_whose_watches_are_stuck_hands_over_since_others_have_seen_more() {
    let lab = Lab::up();
    lab.apply(&[service("web")]);
    let vip = lab.address("web");
    let owner = lab.owner(vip);
    let other = lab.landfall.speakers().keys().find(|node| **node != owner).unwrap().clone();
    lab.wait_heard(&owner, &other);
    freeze_connections(&lab, &owner);
    // From now on only a node with a pod may answer.
    lab.sandbox.add_pod(&PodSpec::nginx("web").on(&other)).unwrap();
    let local = r#"{"spec": {"externalTrafficPolicy": "Local"}}"#;
    lab.sandbox.kubectl(&["patch", "service", "web", "-p", local]).unwrap();
    lab.wait_owner(vip, |node| *node == other);
    let log = lab.speaker(&owner).log();
    assert!(log.contains("the watches are begun anew"), "{log}");
}
