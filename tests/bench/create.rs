//! From a Service's creation to its address in the status, and to the first answer on the LAN.

use crate::{
    api::Services,
    lab::{Lab, service},
    lan::{Asker, inside},
    stats::Samples,
};
use anyhow::Result;
use std::{
    net::{IpAddr, UdpSocket},
    sync::mpsc,
    time::{Duration, Instant},
};

/// What was measured.
#[derive(Debug, Default)]
pub struct Figures {
    /// The API server's own time for a create.
    pub bare_create: Samples,
    /// Its own time for a patch of a status.
    pub bare_patch: Samples,
    /// From the create's sending to the address seen by a watch.
    pub status: Samples,
    /// From the create's sending to the first ARP answer for the address.
    pub arp: Samples,
    /// From the create's sending to the first datagram answered at the address.
    pub answer: Samples,
}

/// Creates so many Services, one after another. A second one without an address, whose status is patched by hand, shows the API
/// server's own share in the same moment.
///
/// # Errors
/// What was not answered.
pub fn measure(lab: &Lab, trials: usize) -> Result<Figures> {
    let mut figures = Figures::default();
    let client = lab.sandbox.client();
    for trial in 0..trials {
        let name = format!("create-{trial}");
        let (bare_name, bare) = (format!("bare-{trial}"), service(&format!("bare-{trial}"), "echo"));
        let mut bare = bare;
        bare["spec"]["type"] = "ClusterIP".into();
        let (found, address) = mpsc::sync_channel::<(IpAddr, Instant)>(1);
        let asking = client.spawn(move || first_answers(&address));
        let (sent, seen) = inside(&lab.sandbox.control_plane(), async || {
            let services = Services::connect(&lab.sandbox).await?;
            figures.bare_create.push(services.create(bare).await?.1);
            figures.bare_patch.push(services.patch_status(&bare_name).await?);
            let mut changes = services.watch().await?;
            let sent = Instant::now();
            services.create(service(&name, "echo")).await?;
            let address = changes.addressed(&name).await?;
            found.send((address, sent))?;
            Ok((sent, Instant::now()))
        })?;
        figures.status.push(seen - sent);
        let (arp, answer) = asking.join().map_err(|_| anyhow::anyhow!("the client panicked"))???;
        figures.arp.push(arp);
        figures.answer.push(answer);
        inside(&lab.sandbox.control_plane(), async || {
            let services = Services::connect(&lab.sandbox).await?;
            services.delete(&bare_name).await?;
            services.delete(&name).await
        })?;
    }
    Ok(figures)
}

/// Waits for an address, then asks for it by ARP, and by datagrams in the kernel's own way, until both were answered.
fn first_answers(address: &mpsc::Receiver<(IpAddr, Instant)>) -> Result<(Duration, Duration)> {
    let (vip, sent) = address.recv()?;
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    socket.set_read_timeout(Some(Duration::from_millis(2)))?;
    let datagrams = std::thread::spawn(move || -> Result<Duration> {
        let mut buffer = [0; 256];
        while sent.elapsed() < crate::api::PATIENCE {
            // Refused while the neighbour is unknown.
            let _ = socket.send_to(b"1\n", (vip, 7));
            if socket.recv_from(&mut buffer).is_ok() {
                return Ok(sent.elapsed());
            }
        }
        anyhow::bail!("no datagram was answered at {vip}")
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let arp = runtime.block_on(async {
        let mut asker = Asker::open().await?;
        while sent.elapsed() < crate::api::PATIENCE {
            if asker.ask(vip, Duration::from_millis(2)).await?.is_some() {
                return Ok(sent.elapsed());
            }
        }
        anyhow::bail!("no ARP request was answered for {vip}")
    })?;
    Ok((arp, datagrams.join().map_err(|_| anyhow::anyhow!("the client panicked"))??))
}
