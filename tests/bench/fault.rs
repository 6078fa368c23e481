//! What befalls the owner of an address, and how everything is put back.

use crate::lab::{Lab, exclude, wait_able, wait_stale};
use anyhow::{Result, ensure};
use landfall_sandbox::wait_for;
use std::{net::IpAddr, time::Duration};

/// How long another node may take to answer: kube-proxy's death is believed after 3 s.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a speaker may take to hand over and end.
const LEAVE: Duration = Duration::from_secs(10);

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
    /// Its node gets the label that keeps load balancers off it.
    Exclude,
    /// Every speaker in turn is told to leave, and started again.
    Rolling,
    /// Its node's kube-proxy is killed.
    KubeProxy,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 8] =
        [Self::None, Self::Crash, Self::Cable, Self::Kill, Self::Drain, Self::Exclude, Self::Rolling, Self::KubeProxy];

    /// In words.
    pub fn describe(self) -> &'static str {
        match self {
            Self::None => "nothing happens",
            Self::Crash => "owner's node crashes: cable pulled and speaker killed at once",
            Self::Cable => "owner's cable pulled, its speaker lives",
            Self::Kill => "owner's speaker killed (-9)",
            Self::Drain => "owner's speaker told to leave (SIGTERM)",
            Self::Exclude => "owner's node labelled `exclude-from-external-load-balancers`",
            Self::Rolling => "rolling update: SIGTERM to each speaker in turn, and a new one",
            Self::KubeProxy => "owner's kube-proxy killed",
        }
    }

    /// How often it is tried where others are so often: of what is claimed of a crash one in a hundred counts, too.
    pub fn trials(self, usual: usize) -> usize {
        match self {
            Self::Crash | Self::Kill => 5 * usual,
            _ => usual,
        }
    }

    /// Lets it befall `owner`, who answers for `vip`, and returns once another node answers; after a rolling update, once all
    /// speakers are back.
    ///
    /// # Errors
    /// Where nobody takes over.
    pub fn strike(self, lab: &Lab, vip: IpAddr, owner: &str) -> Result<()> {
        let (node, speaker) = (lab.sandbox.node(owner)?, lab.landfall.speaker(owner)?);
        match self {
            Self::None => return Ok(()),
            Self::Crash => {
                node.pull_cable()?;
                speaker.kill();
            }
            Self::Cable => node.pull_cable()?,
            Self::Kill => speaker.kill(),
            Self::Drain => speaker.terminate()?,
            Self::Exclude => exclude(&lab.sandbox, owner, true)?,
            Self::Rolling => return roll(lab),
            Self::KubeProxy => lab.kube_proxy(owner)?.kill(),
        }
        moved(lab, vip, owner)
    }

    /// Puts everything back as it was before it befell `owner`. The records say first that something is wrong, then that it is well
    /// again: what they said before the fault does not count.
    ///
    /// # Errors
    /// What does not come back.
    pub fn mend(self, lab: &Lab, owner: &str) -> Result<()> {
        match self {
            Self::None | Self::Rolling => return Ok(()),
            Self::Crash | Self::Cable | Self::Kill => return back(lab, owner),
            Self::Drain => {
                lab.landfall.speaker(owner)?.wait(LEAVE)?;
                return back(lab, owner);
            }
            Self::Exclude => {
                wait_able(&lab.sandbox, owner, false)?;
                exclude(&lab.sandbox, owner, false)?;
            }
            Self::KubeProxy => {
                wait_stale(&lab.sandbox, owner, true)?;
                lab.kube_proxy(owner)?.start()?;
                return wait_stale(&lab.sandbox, owner, false);
            }
        }
        wait_able(&lab.sandbox, owner, true)
    }
}

/// Brings a speaker back that has ended, or whose cable is out.
///
/// # Errors
/// Where it does not come back.
pub fn back(lab: &Lab, node: &str) -> Result<()> {
    let speaker = lab.landfall.speaker(node)?;
    lab.gone(node)?;
    lab.sandbox.node(node)?.plug_cable()?;
    speaker.start()?;
    lab.calm()
}

/// As a DaemonSet does it: the next one goes once the new one is there.
fn roll(lab: &Lab) -> Result<()> {
    for node in lab.announcers() {
        let speaker = lab.landfall.speaker(node.name())?;
        speaker.terminate()?;
        speaker.wait(LEAVE)?;
        back(lab, node.name())?;
    }
    Ok(())
}

/// Waits until another node answers.
///
/// # Errors
/// Where none does.
pub fn moved(lab: &Lab, vip: IpAddr, from: &str) -> Result<()> {
    wait_for("another node to answer", PATIENCE, || {
        let owner = lab.owner(vip)?;
        ensure!(owner != from, "{owner} still answers");
        Ok(())
    })
}
