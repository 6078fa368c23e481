//! An owner's node is frozen, stopped or killed; another node answers within a second. When the node is back nothing moves:
//! meanwhile the new owner answers, and nobody else.

use crate::run::{Run, Seen, TAKEN_OVER};
use anyhow::{Result, ensure};
use landfall_bench::lan::{Watch, Watched};
use landfall_kind::{
    cluster::{self, PATIENCE, kubectl, record, rolled_out},
    first::since_boot,
    load::QUESTION,
    node::Node,
    pod::Pod,
};
use landfall_sandbox::wait_for;
use std::{net::IpAddr, thread::sleep, time::Duration};

/// Its processes get no time, while its kernel goes on forwarding.
pub fn frozen(run: &mut Run) -> Result<()> {
    replaced(run, "owner's node frozen (docker pause)", "pause", "frozen node back (docker unpause)", |node| {
        node.docker("unpause")
    })
}

/// It is shut down in order, by its init system.
pub fn stopped(run: &mut Run) -> Result<()> {
    replaced(run, "owner's node stopped (docker stop)", "stop", "stopped node back (docker start)", start)
}

/// It is gone at once, as without power.
pub fn killed(run: &mut Run) -> Result<()> {
    replaced(run, "owner's node killed (docker kill)", "kill", "killed node back (docker start)", start)
}

fn replaced(
    run: &mut Run,
    goes: &'static str,
    end: &str,
    comes: &'static str,
    begin: fn(&Node) -> Result<()>,
) -> Result<()> {
    let vip = run.vips()?[0];
    let node = run.owner(vip)?;
    let seen = run.under_load(|run| {
        node.docker(end)?;
        moved(run, vip, &node)
    })?;
    run.figures.missed(goes, &seen.missed);
    mended(&seen)?;

    let owners = owners(run)?;
    hears(&owners[0].1, &node, false)?;
    let seen = run.under_load(|_| {
        begin(&node)?;
        heard_again(&node, &owners)
    })?;
    run.figures.missed(comes, &seen.missed);
    mended(&seen)?;
    for (one, (_, owner)) in seen.missed.iter().zip(&owners) {
        alone(one.vip, &one.watched, owner)?;
        let lost = one.datagrams.lost();
        ensure!(lost == 0 || seen.is_busy(), "{}: {lost} datagrams were lost, {seen:?}", one.vip);
    }
    run.look_again()?;
    same(run, &owners)
}

/// No address was silent for longer than a crash takes to be mended.
fn mended(seen: &Seen) -> Result<()> {
    for one in &seen.missed {
        let silence = one.datagrams.longest_silence.max(one.watched.unanswered);
        ensure!(silence < TAKEN_OVER + seen.beside.longest_silence, "{}: silent for {silence:?}, {seen:?}", one.vip);
    }
    Ok(())
}

/// Nobody but `owner` has answered.
fn alone(vip: IpAddr, watched: &Watched, owner: &Node) -> Result<()> {
    let strange = watched.by.iter().find(|mac| !owner.mac().eq_ignore_ascii_case(&mac.to_string()));
    ensure!(strange.is_none(), "{vip} is {owner}'s ({}), and {:?} have answered for it", owner.mac(), watched.by);
    Ok(())
}

/// Waits until another node than `from` answers.
fn moved(run: &Run, vip: IpAddr, from: &Node) -> Result<()> {
    wait_for(&format!("another node than {from} to answer for {vip}"), PATIENCE, || {
        let owner = run.owner(vip)?;
        ensure!(owner != *from, "{owner} still answers");
        Ok(())
    })
}

fn owners(run: &mut Run) -> Result<Vec<(IpAddr, Node)>> {
    let vips = run.vips()?.to_vec();
    vips.into_iter().map(|vip| Ok((vip, run.owner(vip)?))).collect()
}

/// Starts a node, and waits until a speaker runs there that was started afterwards.
fn start(node: &Node) -> Result<()> {
    let before = since_boot()?;
    node.docker("start")?;
    seldom(&format!("a new speaker on {node}"), || {
        let started = Pod::speaker(node.name())?.started()?;
        ensure!(started > before, "it runs since {started:?}, before the node's start at {before:?}");
        Ok(())
    })
}

/// Waits with half a second between two looks, which cost processor time while others are measured.
fn seldom(what: &str, mut check: impl FnMut() -> Result<()>) -> Result<()> {
    wait_for(what, PATIENCE, || {
        sleep(Duration::from_millis(500));
        check()
    })
}

/// Waits until the record of `owner` says that it hears `peer`, or that it does not. The latter comes first: what a record has
/// said since before a node went is no proof that it is back.
fn hears(owner: &Node, peer: &Node, wanted: bool) -> Result<()> {
    let not = if wanted { "" } else { "not " };
    seldom(&format!("{owner} {not}to hear {peer}"), || {
        let record = record(owner.name())?;
        let peers = &record["interfaces"]["eth0"]["peers"];
        let heard = peers.as_array().is_some_and(|peers| peers.iter().any(|name| name == peer.name()));
        ensure!(heard == wanted, "it hears {peers}");
        Ok(())
    })
}

/// Waits until a node that is back is heard by an owner, and everything runs.
fn heard_again(back: &Node, owners: &[(IpAddr, Node)]) -> Result<()> {
    hears(&owners[0].1, back, true)?;
    kubectl(&["wait", "--for=condition=Ready", "--timeout=120s", "node", "--all"])?;
    rolled_out()
}

/// One node answers for each address, and it is the same as before.
fn same(run: &Run, before: &[(IpAddr, Node)]) -> Result<()> {
    for (vip, node) in before {
        let now = run.owner(*vip)?;
        ensure!(now.name() == node.name(), "{vip} has moved from {node} to {now} by itself");
    }
    Ok(())
}

/// While the API server's node is stopped, addresses are answered for, and an owner's crash is mended. Only ARP can tell:
/// the echo Services' pods are on that node. The API server comes back first, so that the new owner can say what it does not hear.
pub fn without_api_server(run: &mut Run) -> Result<()> {
    let vips = run.vips()?.to_vec();
    let (control_plane, node) = (run.control_plane()?, run.owner(vips[0])?);
    let watches = watch(run, &vips);
    control_plane.docker("stop")?;
    ensure!(kubectl(&["get", "--raw", "/readyz", "--request-timeout=2s"]).is_err(), "the API server still answers");
    for vip in &vips {
        run.owner(*vip)?;
    }
    node.docker("kill")?;
    moved(run, vips[0], &node)?;
    for (vip, watch) in watches {
        let silence = watch.stop()?.unanswered;
        run.figures.unanswered("owner's node killed while there is no API server", silence);
        ensure!(silence < TAKEN_OVER, "{vip}: nobody answered for {silence:?}");
    }

    let owners = owners(run)?;
    let watches = watch(run, &vips);
    control_plane.docker("start")?;
    wait_for("the API server to answer again", PATIENCE, || kubectl(&["get", "--raw", "/readyz"]).map(drop))?;
    hears(&owners[0].1, &node, false)?;
    start(&node)?;
    heard_again(&node, &owners)?;
    cluster::available("default", "echo")?;
    for ((vip, watch), (_, owner)) in watches.into_iter().zip(&owners) {
        let watched = watch.stop()?;
        alone(vip, &watched, owner)?;
        ensure!(watched.unanswered < TAKEN_OVER, "{vip}: nobody answered for {:?}", watched.unanswered);
    }
    run.look_again()?;
    same(run, &owners)?;
    run.kept()
}

fn watch(run: &Run, vips: &[IpAddr]) -> Vec<(IpAddr, Watch)> {
    vips.iter().map(|vip| (*vip, Watch::start(&run.client, *vip, QUESTION))).collect()
}
