//! What becomes of open TCP connections when the owner of their address goes: each says nothing meanwhile, and asks afterwards.

use crate::{
    fault::Fault,
    lab::{Lab, service},
    report::{section, table},
};
use anyhow::{Context, Result};
use futures::future::join_all;
use landfall_sandbox::{objects::addresses, wait_for};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::{
    net::{IpAddr, SocketAddr, TcpStream},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

/// How long an answer may take.
const LONGEST: Duration = Duration::from_secs(5);
/// Longer than a connection, and a Service's address, take to come.
const PATIENCE: Duration = Duration::from_secs(60);
/// The Service's port.
const PORT: u16 = 7;
/// What befalls the owner.
const FAULTS: [Fault; 5] = [Fault::None, Fault::Drain, Fault::Exclude, Fault::Rolling, Fault::Crash];

/// How a connection went on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Answered,
    /// Its peer says that there is none.
    Reset,
    Silent,
}

/// What was seen, by fault.
#[derive(Debug, Default)]
pub struct Figures(Vec<(Fault, Vec<End>)>);

/// Lets this process and those that it starts from now on have as many files open as they may.
///
/// # Errors
/// Where the kernel does not allow that.
pub fn allow_many() -> Result<()> {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, most, most).context("cannot raise the limit of open files")
}

/// Opens so many connections before each fault and asks on all of them after it.
///
/// # Errors
/// Where a connection cannot be opened, or nobody takes over.
pub fn measure(lab: &Lab, count: usize) -> Result<Figures> {
    let mut figures = Figures::default();
    for fault in FAULTS {
        // An address of its own each time: nodes remember connections, and where packets for an address went.
        let vip = serve(lab, &name(fault))?;
        let ends = try_once(lab, vip, fault, count).with_context(|| format!("{fault:?}"))?;
        figures.0.push((fault, ends));
    }
    for fault in FAULTS {
        lab.sandbox.kubectl(&["delete", "service", &name(fault)])?;
    }
    Ok(figures)
}

fn name(fault: Fault) -> String {
    format!("connections-{fault:?}").to_lowercase()
}

/// A Service of TCP, once a connection to it is answered.
fn serve(lab: &Lab, name: &str) -> Result<IpAddr> {
    let mut object = service(name);
    object["spec"]["ports"][0]["protocol"] = "TCP".into();
    lab.sandbox.apply(&object.to_string())?;
    let vip = wait_for("an address", PATIENCE, || {
        let service = lab.sandbox.get(&["service", name])?;
        addresses(&service).first().copied().context("it has none")
    })?;
    wait_for("a connection", PATIENCE, || {
        let one = open(lab, vip, 1)?;
        anyhow::ensure!(ask_all(one)? == [End::Answered], "it is not answered");
        Ok(())
    })?;
    Ok(vip)
}

fn try_once(lab: &Lab, vip: IpAddr, fault: Fault, count: usize) -> Result<Vec<End>> {
    let owner = lab.owner(vip)?;
    let connections = open(lab, vip, count)?;
    fault.strike(lab, vip, &owner)?;
    wait_known(lab, vip)?;
    let ends = ask_all(connections)?;
    fault.mend(lab, &owner)?;
    Ok(ends)
}

/// Waits until the client's kernel knows the new owner: it heeds no announcement within a second after another one.
fn wait_known(lab: &Lab, vip: IpAddr) -> Result<()> {
    wait_for("the client to know the new owner", PATIENCE, || {
        let owner = lab.sandbox.node(&lab.owner(vip)?)?.mac()?;
        let known = lab.sandbox.client().neigh(vip)?;
        anyhow::ensure!(known.as_ref().is_none_or(|known| *known == owner), "it knows {known:?}");
        Ok(())
    })
}

/// Connections from the client; they stay in its namespace.
fn open(lab: &Lab, vip: IpAddr, count: usize) -> Result<Vec<TcpStream>> {
    let target = SocketAddr::new(vip, PORT);
    let open = || (0..count).map(|_| Ok(TcpStream::connect_timeout(&target, LONGEST)?)).collect();
    lab.sandbox.client().enter(open)?
}

fn ask_all(connections: Vec<TcpStream>) -> Result<Vec<End>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async { join_all(connections.into_iter().map(ask)).await.into_iter().collect() })
}

async fn ask(connection: TcpStream) -> Result<End> {
    connection.set_nonblocking(true)?;
    let mut connection = tokio::net::TcpStream::from_std(connection)?;
    let exchange = async {
        connection.write_all(b"1\n").await?;
        connection.read(&mut [0; 256]).await
    };
    Ok(match timeout(LONGEST, exchange).await {
        Ok(Ok(read)) if read > 0 => End::Answered,
        Ok(_) => End::Reset,
        Err(_) => End::Silent,
    })
}

impl Figures {
    /// The section of the page.
    pub fn section(&self, page: &mut String) {
        section(
            page,
            "Open TCP connections",
            "Connections from a client to a Service with `externalTrafficPolicy: Cluster` are open and say nothing while the owner of \
             the address goes; then each sends a line\nand waits for 5 s. Their pod is on a node that never owns the address. \
             The owner's kube-proxy had translated their addresses, to the pod's and to the owner's own, and only\nthe owner's kernel \
             knows how: the next owner takes a packet of theirs for the first of a new connection, sends it to the pod under its own \
             address, and the pod, which\nknows no such connection, resets it. So an address that moves breaks them, however gently \
             it moves, unless it has come back to their node when they speak again, as it\nmay in a rolling update.",
        );
        let rows = self.0.iter().map(|(fault, ends)| {
            let [answered, reset, silent] =
                [End::Answered, End::Reset, End::Silent].map(|which| ends.iter().filter(|end| **end == which).count());
            format!("{} | {} | {answered} | {reset} | {silent}", fault.describe(), ends.len())
        });
        table(page, "fault | open | answered | reset | no answer", rows);
    }
}
