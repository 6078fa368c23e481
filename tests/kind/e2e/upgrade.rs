//! From the version before to this one and back, under load. `tests/kind/previous` says which commit that is, and
//! `tests/kind/previous-image` builds it.

use crate::run::Run;
use anyhow::{Context, Result};
use landfall_kind::cluster::{install, repository};
use std::{env, path::PathBuf};

pub fn there_and_back(run: &mut Run) -> Result<()> {
    let folder = env::var_os("LANDFALL_PREVIOUS").map(PathBuf::from);
    let previous = folder.context("LANDFALL_PREVIOUS names no folder: this runs by `make kind-e2e`")?.join("overlay");
    let now = repository("manifests");
    for (name, from, to) in [("upgrade", &previous, &now), ("rollback", &now, &previous)] {
        let way = || format!("{name} from {} to {}", from.display(), to.display());
        run.lossless(name, |_| install(from), |_| install(to)).with_context(way)?;
    }
    install(&now)
}
