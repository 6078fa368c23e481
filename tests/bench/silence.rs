//! What a client misses when the owner of an address goes: by a thousand datagrams a second, and by an ARP request every 10 ms.

use crate::{api::PATIENCE, fault::Fault, lab::Lab, lan::Watch, stats::Samples};
use anyhow::{Context, Result};
use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

/// Datagrams in a second.
const RATE: u32 = 1000;
/// Datagrams in a second while it is waited for the first answers.
const SERVED_RATE: u32 = 20;
/// Between two ARP requests.
const QUESTION: Duration = Duration::from_millis(10);

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

/// Waits until datagrams are answered: until kube-proxy has its rules they are lost. A few at a time, since the owner's kernel
/// keeps them while it asks on the LAN who has the address: the next owner's announcement would have it send all of them there
/// at once.
///
/// # Errors
/// Where they are not.
pub fn served(lab: &Lab, vip: IpAddr) -> Result<()> {
    let probe = lab.sandbox.client().probe(SocketAddr::new(vip, 7), SERVED_RATE)?;
    probe.wait_answers(20, PATIENCE)?;
    probe.stop().map(drop)
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
    fault.strike(lab, vip, &owner)?;
    probe.wait_answers(500, PATIENCE)?;
    let (report, unanswered) = (probe.stop()?, watch.stop()?.unanswered);
    figures.datagrams.push(report.longest_silence);
    figures.arp.push(unanswered);
    figures.lost = (figures.lost.0 + report.lost(), figures.lost.1 + report.sent);
    fault.mend(lab, &owner)
}
