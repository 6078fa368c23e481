//! What a client misses when the owner of an address goes: by a thousand datagrams a second, and by an ARP request every 10 ms.

use crate::{api::PATIENCE, lab::Lab, lan::Watch, stats::Samples};
use anyhow::{Context, Result};
use landfall_sandbox::wait_for;
use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

/// Datagrams in a second.
const RATE: u32 = 1000;
/// Between two ARP requests.
const QUESTION: Duration = Duration::from_millis(10);

/// How an owner goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It stays: what the client misses anyway.
    None,
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
    pub const ALL: [Self; 5] = [Self::None, Self::Crash, Self::Cable, Self::Kill, Self::Drain];

    /// In words.
    pub fn describe(self) -> &'static str {
        match self {
            Self::None => "nothing happens",
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

/// Tries a fault so many times on the owner of `vip`, whose backends are on a node that never owns it. After each trial
/// everything is put back.
///
/// # Errors
/// Where the address is not taken over.
pub fn measure(lab: &Lab, vip: IpAddr, fault: Fault, trials: usize) -> Result<Figures> {
    let mut figures = Figures::default();
    for trial in 0..trials {
        try_once(lab, vip, fault, &mut figures).with_context(|| format!("{fault:?}, trial {trial}"))?;
    }
    Ok(figures)
}

fn try_once(lab: &Lab, vip: IpAddr, fault: Fault, figures: &mut Figures) -> Result<()> {
    let owner = lab.owner(vip)?;
    let client = lab.sandbox.client();
    let probe = client.probe(SocketAddr::new(vip, 7), RATE)?;
    let watch = Watch::start(&client, vip, QUESTION);
    probe.wait_answers(200, PATIENCE)?;
    if fault != Fault::None {
        strike(lab, fault, &owner)?;
        moved(lab, vip, &owner)?;
    }
    probe.wait_answers(500, PATIENCE)?;
    let (report, unanswered) = (probe.stop()?, watch.stop()?.unanswered);
    figures.datagrams.push(report.longest_silence);
    figures.arp.push(unanswered);
    figures.lost = (figures.lost.0 + report.lost(), figures.lost.1 + report.sent);
    if fault != Fault::None {
        mend(lab, fault, &owner)?;
    }
    Ok(())
}

fn strike(lab: &Lab, fault: Fault, owner: &str) -> Result<()> {
    let (node, speaker) = (lab.sandbox.node(owner)?, lab.landfall.speaker(owner)?);
    match fault {
        Fault::None => {}
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

/// Puts everything back. The records of all say first that the one which failed is gone, then that it is there again: what
/// they said before the fault does not count.
fn mend(lab: &Lab, fault: Fault, owner: &str) -> Result<()> {
    let speaker = lab.landfall.speaker(owner)?;
    if fault == Fault::Drain {
        speaker.wait(Duration::from_secs(10))?;
    }
    lab.gone(owner)?;
    lab.sandbox.node(owner)?.plug_cable()?;
    speaker.start()?;
    lab.calm()
}

/// Waits until another node answers.
fn moved(lab: &Lab, vip: IpAddr, from: &str) -> Result<()> {
    wait_for("another node to answer", PATIENCE, || {
        let owner = lab.owner(vip)?;
        anyhow::ensure!(owner != from, "{owner} still answers");
        Ok(())
    })
}
