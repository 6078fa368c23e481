//! What a client misses when the owner of an address goes: by a thousand datagrams a second, and by an ARP request every 10 ms.

use crate::{
    api::Services,
    lab::{Lab, service},
    lan::{Watch, inside},
    stats::Samples,
};
use anyhow::{Context, Result};
use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

/// How an owner goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Its node crashes: cable out and speaker killed at once.
    Crash,
    /// Its cable is pulled; its speaker lives.
    Cable,
    /// Its speaker is killed; the node goes on forwarding.
    Kill,
    /// Its speaker is told to leave (SIGTERM).
    Drain,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Crash, Self::Cable, Self::Kill, Self::Drain];

    /// In words.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Crash => "owner's node crashes: cable pulled and speaker killed at once",
            Self::Cable => "owner's cable pulled, its speaker lives",
            Self::Kill => "owner's speaker killed (-9)",
            Self::Drain => "owner's speaker told to leave (SIGTERM)",
        }
    }
}

/// What clients saw.
#[derive(Debug, Default)]
pub struct Figures {
    /// The longest time between two answered datagrams.
    pub datagrams: Samples,
    /// The longest time in which ARP requests were not answered.
    pub arp: Samples,
    /// Datagrams lost in all trials, and sent.
    pub lost: (u64, u64),
}

/// Tries a fault so many times. The backends are on the other nodes. After each trial everything is put back.
///
/// # Errors
/// Where the address is not taken over.
pub fn measure(lab: &Lab, fault: Fault, trials: usize) -> Result<Figures> {
    let mut figures = Figures::default();
    for trial in 0..trials {
        try_once(lab, fault, trial, &mut figures).with_context(|| format!("{fault:?}, trial {trial}"))?;
    }
    Ok(figures)
}

fn try_once(lab: &Lab, fault: Fault, trial: usize, figures: &mut Figures) -> Result<()> {
    let name = format!("{fault:?}-{trial}").to_lowercase();
    let cp = lab.sandbox.control_plane();
    // No pod matches yet: which ones are to serve is known with the owner.
    let vip = inside(&cp, async || {
        let services = Services::connect(&lab.sandbox).await?;
        let mut changes = services.watch().await?;
        services.create(service(&name, "nobody")).await?;
        changes.addressed(&name).await
    })?;
    let owner = lab.owner(vip)?;
    inside(&cp, async || {
        let services = Services::connect(&lab.sandbox).await?;
        let selector = serde_json::json!({"nobody": null, format!("not-{owner}"): "yes"});
        services.patch_spec(&name, serde_json::json!({"selector": selector})).await
    })?;
    let client = lab.sandbox.client();
    let target = SocketAddr::new(vip, 7);
    // Once kube-proxy has its rules nothing is lost but by the fault.
    let warm = client.probe(target, 100)?;
    warm.wait_answers(50, crate::api::PATIENCE)?;
    warm.stop()?;
    let probe = client.probe(target, 1000)?;
    let watch = Watch::start(&client, vip, Duration::from_millis(10));
    probe.wait_answers(500, crate::api::PATIENCE)?;
    strike(lab, fault, &owner)?;
    moved(lab, vip, &owner)?;
    probe.wait_answers(1000, crate::api::PATIENCE)?;
    let (report, unanswered) = (probe.stop()?, watch.stop()?);
    figures.datagrams.push(report.longest_silence);
    figures.arp.push(unanswered);
    figures.lost = (figures.lost.0 + report.lost(), figures.lost.1 + report.sent);
    lab.sandbox.node(&owner)?.plug_cable()?;
    let speaker = lab.landfall.speaker(&owner)?;
    if fault == Fault::Drain {
        speaker.wait(Duration::from_secs(10))?;
    }
    speaker.start()?;
    lab.calm()?;
    inside(&cp, async || Services::connect(&lab.sandbox).await?.delete(&name).await)
}

fn strike(lab: &Lab, fault: Fault, owner: &str) -> Result<()> {
    let (node, speaker) = (lab.sandbox.node(owner)?, lab.landfall.speaker(owner)?);
    match fault {
        Fault::Crash => {
            node.pull_cable()?;
            speaker.kill();
        }
        Fault::Cable => node.pull_cable()?,
        Fault::Kill => speaker.kill(),
        Fault::Drain => speaker.terminate()?,
    }
    Ok(())
}

/// Waits until another node answers.
fn moved(lab: &Lab, vip: IpAddr, from: &str) -> Result<()> {
    landfall_sandbox::wait_for("another node to answer", crate::api::PATIENCE, || {
        let owner = lab.owner(vip)?;
        anyhow::ensure!(owner != from, "{owner} still answers");
        Ok(())
    })
}
