//! From the version before to this one and back, under load. `tests/kind/previous` says which commit that is, and
//! `tests/kind/previous-image` builds it.

use crate::{installation, run::Run};
use anyhow::{Context, Result, ensure};
use landfall_kind::{
    cluster::{install, repository},
    image::Image,
};
use std::{env, path::PathBuf};

pub fn there_and_back(run: &mut Run) -> Result<()> {
    let folder = env::var_os("LANDFALL_PREVIOUS").map(PathBuf::from);
    let folder = folder.context("LANDFALL_PREVIOUS names no folder: this runs by `make kind-e2e`")?;
    let (before, after) = (Image::of(&folder.join("image.tar"))?, installation::loaded()?);
    ensure!(before.config != after.config, "{} and {} are the same", before.name, after.name);
    let (previous, now) = (folder.join("overlay"), repository("manifests"));
    for (name, from, to, image) in [("upgrade", &previous, &now, &after), ("rollback", &now, &previous, &before)] {
        let way = || format!("{name} from {} to {}", from.display(), to.display());
        run.lossless(name, |_| install(from), |_| install(to)).and_then(|()| image.runs()).with_context(way)?;
    }
    install(&now)
}
