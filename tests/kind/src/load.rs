//! A client that asks all the time while something happens to the cluster, and what it missed.

use crate::client::Host;
use anyhow::Result;
use landfall_bench::lan::{Watch, Watched};
use landfall_sandbox::{Probe, ProbeReport};
use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

/// Datagrams in a second, to all addresses together.
pub const RATE: u32 = 1000;
/// Between two questions who has an address.
pub const QUESTION: Duration = Duration::from_millis(10);
const PATIENCE: Duration = Duration::from_secs(120);

/// Questions under way, by datagrams and by ARP or NDP, to each of a few addresses; and by datagrams to the same pod on a way
/// on which Landfall has no part, which tells what the machine is too busy for.
#[derive(Debug)]
pub struct Load {
    asked: Vec<(IpAddr, Probe, Watch)>,
    beside: Probe,
}

/// What was missed at one address.
#[derive(Debug)]
pub struct Missed {
    /// The address.
    pub vip: IpAddr,
    /// The datagrams.
    pub datagrams: ProbeReport,
    /// The answers for the address by ARP or NDP.
    pub watched: Watched,
}

impl Load {
    /// Starts, and returns when each address has answered for a while.
    ///
    /// # Errors
    /// Where an address does not answer.
    pub fn start(client: &Host, vips: &[IpAddr], port: u16, beside: SocketAddr) -> Result<Self> {
        let each = RATE / u32::try_from(vips.len())?.max(1);
        let ask = |vip: &IpAddr| {
            Ok((*vip, client.probe(SocketAddr::new(*vip, port), each)?, Watch::start(client, *vip, QUESTION)))
        };
        let asked = vips.iter().map(ask).collect::<Result<_>>()?;
        let load = Self { asked, beside: client.probe(beside, each)? };
        load.settle(200)?;
        Ok(load)
    }

    /// Waits for so many more answers from each address.
    ///
    /// # Errors
    /// Where they do not come.
    pub fn settle(&self, answers: u64) -> Result<()> {
        self.asked.iter().try_for_each(|(_, probe, _)| probe.wait_answers(answers, PATIENCE))
    }

    /// Stops, and tells what was missed at each address, and beside them.
    ///
    /// # Errors
    /// What went wrong meanwhile.
    pub fn stop(self) -> Result<(Vec<Missed>, ProbeReport)> {
        let stop = |(vip, probe, watch): (IpAddr, Probe, Watch)| {
            Ok(Missed { vip, datagrams: probe.stop()?, watched: watch.stop()? })
        };
        let missed = self.asked.into_iter().map(stop).collect::<Result<_>>()?;
        Ok((missed, self.beside.stop()?))
    }
}
