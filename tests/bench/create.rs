//! From a Service's creation to its address in the status, and to the first answer on the LAN.

use crate::{
    api::{PATIENCE, Services},
    lab::service,
    lan::{Asker, inside},
    stats::Samples,
};
use anyhow::{Context, Result};
use landfall_sandbox::{Client, Sandbox};
use std::{
    net::{IpAddr, SocketAddr, UdpSocket},
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// Between two questions for an address that is not answered for yet.
const AGAIN: Duration = Duration::from_millis(2);

/// What was measured.
#[derive(Debug, Default)]
pub struct Figures {
    /// The API server's own time for a create.
    pub bare_create: Samples,
    /// Its own time for a patch of a status.
    pub bare_patch: Samples,
    /// From the sending of a create to the address seen by a watch.
    pub status: Samples,
    /// From the sending of a create to the first ARP answer for the address.
    pub arp: Samples,
    /// From the sending of a create to the first datagram answered at the address.
    pub answer: Samples,
    /// The cluster's own time for that: to the first datagram answered at the port of a node.
    pub bare_answer: Samples,
}

/// Creates so many Services, one after another, and asks the first `answers` of them from the LAN. Before each, one of type
/// NodePort, whose status is patched by hand, shows the cluster's own share in the same moment.
///
/// # Errors
/// What was not answered.
pub fn measure(sandbox: &Sandbox, trials: usize, answers: usize) -> Result<Figures> {
    let mut figures = Figures::default();
    for trial in 0..trials {
        let ask = trial < answers;
        bare(sandbox, &format!("bare-{trial}"), ask, &mut figures)?;
        served(sandbox, &format!("create-{trial}"), ask, &mut figures)?;
    }
    Ok(figures)
}

/// What a Service costs without Landfall.
fn bare(sandbox: &Sandbox, name: &str, ask: bool, figures: &mut Figures) -> Result<()> {
    let mut object = service(name);
    object["spec"]["type"] = "NodePort".into();
    let node = sandbox.node("n1")?;
    inside(&sandbox.control_plane(), async || {
        let services = Services::connect(sandbox).await?;
        // For the same connections as below.
        let _changes = services.watch().await?;
        let sent = Instant::now();
        let (created, took) = services.create(object).await?;
        figures.bare_create.push(took);
        figures.bare_patch.push(services.patch_status(name).await?);
        if ask {
            let ports = created.spec.and_then(|spec| spec.ports).unwrap_or_default();
            let port = ports.first().and_then(|port| port.node_port).context("the Service has no node port")?;
            let target = SocketAddr::new(node.ipv4().into(), port.try_into()?);
            figures.bare_answer.push(join(first_datagram(&sandbox.client(), target, sent))?);
        }
        services.delete(name).await
    })
}

/// What it costs with Landfall.
fn served(sandbox: &Sandbox, name: &str, ask: bool, figures: &mut Figures) -> Result<()> {
    let client = sandbox.client();
    inside(&sandbox.control_plane(), async || {
        let services = Services::connect(sandbox).await?;
        let mut changes = services.watch().await?;
        let sent = Instant::now();
        services.create(service(name)).await?;
        let vip = changes.addressed(name).await?;
        figures.status.push(sent.elapsed());
        if ask {
            let arp = first_arp(&client, vip, sent);
            let datagram = first_datagram(&client, SocketAddr::new(vip, 7), sent);
            figures.arp.push(join(arp)?);
            figures.answer.push(join(datagram)?);
        }
        services.delete(name).await
    })
}

type Answer = JoinHandle<Result<Result<Duration>>>;

fn join(answer: Answer) -> Result<Duration> {
    answer.join().map_err(|_| anyhow::anyhow!("the client panicked"))??
}

/// Asks for the address by ARP until it is answered, and says how long after `sent` that was.
fn first_arp(client: &Client, vip: IpAddr, sent: Instant) -> Answer {
    client.spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let mut asker = Asker::open().await?;
            while sent.elapsed() < PATIENCE {
                if asker.ask(vip, AGAIN).await?.is_some() {
                    return Ok(sent.elapsed());
                }
            }
            anyhow::bail!("no ARP request was answered for {vip}")
        })
    })
}

/// Sends datagrams until one is answered, and says how long after `sent` that was.
fn first_datagram(client: &Client, target: SocketAddr, sent: Instant) -> Answer {
    client.spawn(move || {
        let socket = UdpSocket::bind("0.0.0.0:0")?;
        socket.set_read_timeout(Some(AGAIN))?;
        let mut buffer = [0; 256];
        while sent.elapsed() < PATIENCE {
            // Refused while the neighbour is unknown.
            let _ = socket.send_to(b"1\n", target);
            if socket.recv_from(&mut buffer).is_ok() {
                return Ok(sent.elapsed());
            }
        }
        anyhow::bail!("no datagram was answered at {target}")
    })
}
