//! How fast an ARP request and a neighbour solicitation are answered, by Landfall for a VIP and by the kernel of the same node for
//! the node's own address, in turn.

use crate::{
    lab::Lab,
    lan::{Asker, inside},
    stats::Samples,
};
use anyhow::{Context, Result};
use std::{net::IpAddr, time::Duration};

/// Landfall's and the kernel's answers to the same questions.
#[derive(Debug, Default)]
pub struct Figures {
    /// For the VIP.
    pub landfall: Samples,
    /// For the node's own address.
    pub kernel: Samples,
}

/// Asks so many times for `vip` and as often for its owner's own address.
///
/// # Errors
/// Where a question is not answered within a second.
pub fn measure(lab: &Lab, vip: IpAddr, questions: usize) -> Result<Figures> {
    let owner = lab.owner(vip)?;
    let node = lab.sandbox.node(&owner)?;
    let own: IpAddr = if vip.is_ipv4() { node.ipv4().into() } else { node.ipv6().into() };
    inside(&lab.sandbox.client(), async || {
        let mut asker = Asker::open().await?;
        let mut figures = Figures::default();
        for _ in 0..questions {
            for (target, samples) in [(vip, &mut figures.landfall), (own, &mut figures.kernel)] {
                let answer = asker.ask(target, Duration::from_secs(1)).await?;
                samples.push(answer.with_context(|| format!("{owner} did not answer for {target}"))?.1);
            }
        }
        Ok(figures)
    })
}
