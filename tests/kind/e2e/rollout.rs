//! A rolling update under load: an owner that is told to leave hands over before it goes.

use crate::run::Run;
use anyhow::Result;
use landfall_kind::cluster::{kubectl, rolled_out};

/// What a client misses anyway.
pub fn nothing(run: &mut Run) -> Result<()> {
    run.lossless("nothing happens", |_| Ok(()), |_| kubectl(&["get", "pods", "-A"]).map(drop))
}

pub fn speakers(run: &mut Run) -> Result<()> {
    run.lossless("rolling update of the speakers", |_| Ok(()), |_| restart("daemonset/landfall-speaker"))
}

pub fn controllers(run: &mut Run) -> Result<()> {
    run.lossless("rolling update of the controllers", |_| Ok(()), |_| restart("deployment/landfall-controller"))
}

fn restart(what: &str) -> Result<()> {
    kubectl(&["-n", "landfall-system", "rollout", "restart", what])?;
    rolled_out()
}
