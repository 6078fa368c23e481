//! An owner's node is frozen, stopped or killed; another node answers within a second, and nothing moves back afterwards.

use crate::run::{Run, TAKEN_OVER};
use anyhow::{Context, Result, ensure};
use landfall_bench::lan::Watch;
use landfall_kind::{
    cluster::{self, PATIENCE, kubectl, record, rolled_out},
    load::QUESTION,
    node::Node,
};
use landfall_sandbox::wait_for;
use std::net::IpAddr;

/// Its processes get no time, while its kernel goes on forwarding.
pub fn frozen(run: &mut Run) -> Result<()> {
    replaced(run, "pause", "unpause", "owner's node frozen (docker pause)")
}

/// It is shut down in order, by its init system.
pub fn stopped(run: &mut Run) -> Result<()> {
    replaced(run, "stop", "start", "owner's node stopped (docker stop)")
}

/// It is gone at once, as without power.
pub fn killed(run: &mut Run) -> Result<()> {
    replaced(run, "kill", "start", "owner's node killed (docker kill)")
}

fn replaced(run: &mut Run, end: &str, begin: &str, name: &'static str) -> Result<()> {
    let vip = run.vips()?[0];
    let owner = run.owner(vip)?;
    let seen = run.under_load(|run| {
        owner.docker(end)?;
        moved(run, vip, &owner).map(drop)
    })?;
    run.figures.missed(name, &seen.missed);
    for one in &seen.missed {
        let silence = one.datagrams.longest_silence.max(one.watched.unanswered);
        ensure!(silence < TAKEN_OVER + seen.beside.longest_silence, "{}: silent for {silence:?}, {seen:?}", one.vip);
    }
    let owners = owners(run)?;
    owner.docker(begin)?;
    heard_again(&owner, &owners)?;
    run.look_again()?;
    same(run, &owners)
}

/// Waits until another node than `from` answers.
fn moved(run: &Run, vip: IpAddr, from: &Node) -> Result<Node> {
    wait_for(&format!("another node than {from} to answer for {vip}"), PATIENCE, || {
        let owner = run.owner(vip)?;
        ensure!(owner != *from, "{owner} still answers");
        Ok(owner)
    })
}

fn owners(run: &mut Run) -> Result<Vec<(IpAddr, Node)>> {
    let vips = run.vips()?.to_vec();
    vips.into_iter().map(|vip| Ok((vip, run.owner(vip)?))).collect()
}

/// Waits until the speaker of a node that is back is heard by an owner, and everything runs.
fn heard_again(back: &Node, owners: &[(IpAddr, Node)]) -> Result<()> {
    let (_, owner) = owners.first().context("there is no address")?;
    wait_for(&format!("{owner} to hear {back} again"), PATIENCE, || {
        let record = record(owner.name())?;
        let peers = &record["interfaces"]["eth0"]["peers"];
        let heard = peers.as_array().is_some_and(|peers| peers.iter().any(|peer| peer == back.name()));
        ensure!(heard, "it hears {peers}");
        Ok(())
    })?;
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
/// the echo Services' pod is on that node.
pub fn without_api_server(run: &mut Run) -> Result<()> {
    let vips = run.vips()?.to_vec();
    let (control_plane, owner) = (run.control_plane()?, run.owner(vips[0])?);
    let watch = |vip: &IpAddr| (*vip, Watch::start(&run.client, *vip, QUESTION));
    let watches: Vec<_> = vips.iter().map(watch).collect();
    control_plane.docker("stop")?;
    ensure!(kubectl(&["get", "--raw", "/readyz", "--request-timeout=2s"]).is_err(), "the API server still answers");
    for vip in &vips {
        run.owner(*vip)?;
    }
    owner.docker("kill")?;
    moved(run, vips[0], &owner)?;
    for (vip, watch) in watches {
        let silence = watch.stop()?.unanswered;
        run.figures.unanswered("owner's node killed while there is no API server", silence);
        ensure!(silence < TAKEN_OVER, "{vip}: nobody answered for {silence:?}");
    }
    let owners = owners(run)?;
    control_plane.docker("start")?;
    owner.docker("start")?;
    wait_for("the API server to answer again", PATIENCE, || kubectl(&["get", "--raw", "/readyz"]).map(drop))?;
    heard_again(&owner, &owners)?;
    cluster::available("default", "echo")?;
    run.look_again()?;
    same(run, &owners)?;
    run.kept()
}
