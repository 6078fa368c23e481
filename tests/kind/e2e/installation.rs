//! `kubectl apply -k manifests/`, and what the processes in the pods may do then.

use crate::run::Run;
use anyhow::{Context, Result, ensure};
use landfall_kind::{
    cluster::{install, repository},
    image::Image,
    pod::Pod,
};
use std::{env, path::Path};

/// CAP_NET_RAW is number 13.
const NET_RAW: u64 = 1 << 13;
/// `Seccomp:` of a process with a filter.
const FILTERED: &str = "2";

pub fn installs(run: &mut Run) -> Result<()> {
    install(&repository("manifests"))?;
    let (controllers, speakers) = (Pod::all("controller")?.len(), Pod::all("speaker")?.len());
    ensure!(controllers == 2, "{controllers} controllers run, not 2");
    ensure!(speakers == run.nodes().len(), "{speakers} speakers run on {} nodes", run.nodes().len());
    loaded()?.runs().context("an older image may run on a cluster that was kept: make kind-down")
}

/// The image that was loaded for this test.
pub fn loaded() -> Result<Image> {
    let archive =
        env::var_os("LANDFALL_IMAGE").context("LANDFALL_IMAGE names no archive: this runs by `make kind-e2e`")?;
    Image::of(Path::new(&archive))
}

pub fn controller_is_restricted(_: &mut Run) -> Result<()> {
    Pod::all("controller")?.iter().try_for_each(|pod| restricted(pod, "65532", 0))
}

pub fn speaker_is_restricted(_: &mut Run) -> Result<()> {
    Pod::all("speaker")?.iter().try_for_each(|pod| restricted(pod, "0", NET_RAW))
}

/// Its user is `user` alone; it has these capabilities and can get no others; a filter limits its system calls.
fn restricted(pod: &Pod, user: &str, capabilities: u64) -> Result<()> {
    let users = pod.status("Uid")?;
    ensure!(users.split_whitespace().all(|id| id == user), "{} runs as {users}, not {user}", pod.name);
    for set in ["CapEff", "CapPrm", "CapBnd"] {
        let found = u64::from_str_radix(&pod.status(set)?, 16)?;
        ensure!(found == capabilities, "{}: {set} is {found:#x}, not {capabilities:#x}", pod.name);
    }
    for set in ["CapInh", "CapAmb"] {
        let found = u64::from_str_radix(&pod.status(set)?, 16)?;
        ensure!(found & !capabilities == 0, "{}: {set} is {found:#x}", pod.name);
    }
    let (filter, fixed) = (pod.status("Seccomp")?, pod.status("NoNewPrivs")?);
    ensure!(filter == FILTERED, "{}: Seccomp is {filter}, not {FILTERED}", pod.name);
    ensure!(fixed == "1", "{}: NoNewPrivs is {fixed}", pod.name);
    Ok(())
}

pub fn nothing_listens(run: &mut Run) -> Result<()> {
    // The kubelet does, so that what looks for sockets is known to find some.
    let node = run.control_plane()?;
    let all = node.exec(&["ss", "-Hlntup"])?;
    ensure!(all.contains("kubelet"), "the kubelet's ports are not seen on {node}: {all}");
    for pod in [Pod::all("controller")?, Pod::all("speaker")?].concat() {
        let listening = pod.listening()?;
        ensure!(listening.is_empty(), "{} listens: {listening:?}", pod.name);
    }
    Ok(())
}
