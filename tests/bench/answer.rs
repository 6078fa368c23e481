//! How fast an ARP request and a neighbour solicitation are answered: by Landfall for a VIP, by the kernel of the same node for
//! the node's own address, and, for what any program outside the kernel costs, a datagram by the barest of servers; in turn.

use crate::{
    api::PATIENCE,
    lan::{Asker, inside, owner},
    stats::Samples,
};
use anyhow::{Context, Result};
use landfall_sandbox::{Cluster, Node};
use std::{
    net::{IpAddr, SocketAddr},
    thread::JoinHandle,
    time::{Duration, Instant},
};
use tokio::{net::UdpSocket, time::timeout};

/// How long an answer may take.
const LONGEST: Duration = Duration::from_secs(1);

/// The answers.
#[derive(Debug, Default)]
pub struct Figures {
    /// Landfall's, for the VIP.
    pub landfall: Samples,
    /// The kernel's, for the node's own address.
    pub kernel: Samples,
    /// The bare server's.
    pub process: Samples,
}

/// Asks so many times for `vip`, and as often for its owner's own address, and there.
///
/// # Errors
/// Where a question is not answered within a second.
pub fn measure(cluster: &Cluster, vip: IpAddr, questions: usize) -> Result<Figures> {
    let owner = owner(cluster, vip)?;
    let node = cluster.node(&owner)?;
    let own: IpAddr = if vip.is_ipv4() { node.ipv4().into() } else { node.ipv6().into() };
    let (server, serving) = serve(&node, own)?;
    let figures = inside(&cluster.client(), async || {
        let mut asker = Asker::open().await?;
        let socket = UdpSocket::bind(SocketAddr::new(asker.own(vip), 0)).await?;
        socket.connect(server).await?;
        let mut figures = Figures::default();
        for _ in 0..questions {
            for (target, samples) in [(vip, &mut figures.landfall), (own, &mut figures.kernel)] {
                let answer = asker.ask(target, LONGEST).await?;
                samples.push(answer.with_context(|| format!("{owner} did not answer for {target}"))?.1);
            }
            figures.process.push(timeout(LONGEST, ask(&socket)).await.context("the bare server did not answer")??);
        }
        socket.send(&[]).await?;
        Ok(figures)
    })?;
    serving.join().map_err(|_| anyhow::anyhow!("the bare server panicked"))???;
    Ok(figures)
}

async fn ask(socket: &UdpSocket) -> Result<Duration> {
    let start = Instant::now();
    socket.send(b"?").await?;
    socket.recv(&mut [0; 8]).await?;
    Ok(start.elapsed())
}

/// A thread in the node's network that answers datagrams until an empty one comes.
fn serve(node: &Node, address: IpAddr) -> Result<(SocketAddr, JoinHandle<Result<Result<()>>>)> {
    let socket = node.enter(|| std::net::UdpSocket::bind((address, 0)))??;
    socket.set_read_timeout(Some(PATIENCE))?;
    let own = socket.local_addr()?;
    let thread = node.spawn(move || {
        let mut buffer = [0; 8];
        loop {
            let (len, peer) = socket.recv_from(&mut buffer)?;
            if len == 0 {
                return Ok(());
            }
            socket.send_to(&buffer[..len], peer)?;
        }
    });
    Ok((own, thread))
}
