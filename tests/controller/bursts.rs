//! The leader fails in the middle of a burst of Services: no address is given twice, and none is lost.

use crate::harness::{Cluster, addresses};
use anyhow::{Context, Result, ensure};
use landfall_sandbox::{Process, Sandbox, objects::lean_service, wait_for};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

/// As many as the pool has addresses: one that is lost leaves a Service without.
const SERVICES: usize = 600;
const CONFIG: &str = "pools: [{name: exact, addresses: [198.18.0.0-198.18.2.87]}]\nquarantine: 0s\nreuse: 0s\n";
const LONG: Duration = Duration::from_secs(90);
/// An address may be shown by two Services for so long at most.
const TWICE: Duration = Duration::from_secs(1);
const LIST: &str = "/api/v1/namespaces/default/services";

fn create(sandbox: &Sandbox, names: impl Iterator<Item = String>) -> Result<()> {
    let items: Vec<Value> = names.map(|name| lean_service(&name)).collect();
    sandbox.apply(&json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string()).map(drop)
}

/// What each LoadBalancer Service shows.
fn shown(sandbox: &Sandbox) -> Result<BTreeMap<String, Vec<String>>> {
    let list = sandbox.api().get(LIST)?;
    let balanced =
        list["items"].as_array().context("no list")?.iter().filter(|it| it["spec"]["type"] == "LoadBalancer");
    Ok(balanced.map(|it| (it["metadata"]["name"].as_str().unwrap_or_default().to_owned(), addresses(it))).collect())
}

/// Looks at all Services until `stop`, and says for how long an address was seen at two of them.
fn longest_double(sandbox: &Sandbox, stop: &AtomicBool) -> Duration {
    let (mut since, mut longest) = (BTreeMap::<String, Instant>::new(), Duration::ZERO);
    while !stop.load(Ordering::Relaxed) {
        // While the API server is away nobody sees anything.
        if let Ok(shown) = shown(sandbox) {
            let (mut once, mut twice) = (BTreeSet::new(), BTreeSet::new());
            for address in shown.into_values().flatten() {
                if !once.insert(address.clone()) {
                    twice.insert(address);
                }
            }
            since.retain(|address, _| twice.contains(address));
            for address in twice {
                longest = longest.max(since.entry(address).or_insert_with(Instant::now).elapsed());
            }
        }
        thread::sleep(Duration::from_millis(50));
    }
    longest
}

/// A leader that has begun to serve many Services meets `fault`, which returns when another one has taken its place, or it
/// its own again. In the end everybody has an address, what had one has kept it, and no two had the same.
fn burst(fault: impl FnOnce(&Cluster, &Process) -> Result<()>) -> Result<()> {
    let cluster = Cluster::up()?;
    let sandbox = &cluster.sandbox;
    cluster.configure(CONFIG)?;
    create(sandbox, (0..SERVICES).map(|number| format!("s{number}")))?;
    let mut tail = sandbox.audit_tail()?;
    let first = cluster.controller("first")?;
    let mut writes = 0;
    wait_for("the burst to begin", LONG, || {
        let new = tail.read()?;
        writes += new.iter().filter(|request| request.resource == "services/status" && request.code == 200).count();
        ensure!(writes >= 20, "{writes} writes");
        Ok(())
    })?;
    first.pause()?;
    let before = shown(sandbox)?;
    let served = before.values().filter(|addresses| !addresses.is_empty()).count();
    ensure!(served < SERVICES, "the burst is over already");
    let stop = AtomicBool::new(false);
    let (result, watch) = thread::scope(|scope| {
        let watch = scope.spawn(|| longest_double(sandbox, &stop));
        let result = fault(&cluster, &first).and_then(|()| {
            wait_for("every Service to have an address of its own", LONG, || {
                let after = shown(sandbox)?;
                let all: BTreeSet<&String> = after.values().flatten().collect();
                ensure!(after.len() == SERVICES && all.len() == SERVICES, "{} of {}", all.len(), after.len());
                for (name, addresses) in before.iter().filter(|(_, addresses)| !addresses.is_empty()) {
                    let now = after.get(name);
                    ensure!(now.is_none_or(|now| now == addresses), "{name} had {addresses:?} and has {now:?}");
                }
                Ok(())
            })
        });
        stop.store(true, Ordering::Relaxed);
        (result, watch.join())
    });
    result?;
    let longest = watch.map_err(|_| anyhow::anyhow!("the watch panicked"))?;
    ensure!(longest < TWICE, "an address was shown twice for {longest:?}");
    Ok(())
}

/// Services that wait go, and others come: what was decided about the ones no longer holds for the others.
fn change_the_waiting(sandbox: &Sandbox) -> Result<()> {
    let waiting = shown(sandbox)?.into_iter().filter(|(_, addresses)| addresses.is_empty()).map(|(name, _)| name);
    let names: Vec<String> = waiting.take(20).collect();
    let arguments = ["delete", "service", "--wait=false"].into_iter().chain(names.iter().map(String::as_str));
    sandbox.kubectl(&arguments.collect::<Vec<_>>())?;
    create(sandbox, names.iter().map(|name| format!("new-{name}")))
}

fn server(cluster: &Cluster) -> Result<Process> {
    let mut processes = cluster.sandbox.processes().into_iter();
    processes.find(|process| process.name() == "kube-apiserver").context("no API server")
}

fn has_lost_its_lease(process: &Process) -> Result<()> {
    ensure!(process.log().contains("no longer leading"), "{}", process.log());
    Ok(())
}

#[test]
fn a_leader_that_is_killed() -> Result<()> {
    burst(|cluster, first| {
        first.kill();
        cluster.controller("second").map(drop)
    })
}

/// With decisions made and not yet sent, for longer than its Lease.
#[test]
fn a_leader_that_is_paused_between_decision_and_send() -> Result<()> {
    burst(|cluster, first| {
        change_the_waiting(&cluster.sandbox)?;
        let second = cluster.controller("second")?;
        wait_for("the second to lead", LONG, || {
            ensure!(second.log().contains("leading"), "{}", second.log());
            Ok(())
        })?;
        first.resume()?;
        wait_for("the first to notice", LONG, || has_lost_its_lease(first))
    })
}

#[test]
fn an_api_server_that_is_lost_for_longer_than_the_lease() -> Result<()> {
    burst(|cluster, first| {
        let server = server(cluster)?;
        cluster.controller("second")?;
        server.kill();
        first.resume()?;
        wait_for("the first to give up", LONG, || has_lost_its_lease(first))?;
        server.start()
    })
}

#[test]
fn an_api_server_and_a_leader_that_are_lost_together() -> Result<()> {
    burst(|cluster, first| {
        let server = server(cluster)?;
        cluster.controller("second")?;
        server.kill();
        first.kill();
        server.start()
    })
}
