//! Landfall's image, as its archive tells it, and that pods run that one and no other of the same name.

use crate::{cluster::text, command, pod::Pod};
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::path::Path;

/// An image.
#[derive(Debug)]
pub struct Image {
    /// Its name, with its tag.
    pub name: String,
    /// The digest of its configuration, in hexadecimal digits: any other content has another.
    pub config: String,
    /// By which of its parts nodes name it: the archive's index, which containerd does after an import, the manifest, or the
    /// configuration. All three depend on all content.
    digests: [String; 3],
}

impl Image {
    /// That of an archive that `image/build.sh` or `tests/kind/previous-image` has written.
    ///
    /// # Errors
    /// Where it is none.
    pub fn of(archive: &Path) -> Result<Self> {
        let path = archive.to_str().context("the archive's path is no UTF-8")?;
        let read = |file: &str| command::run(&["tar", "-xOf", path, file]);
        let parse = |text: &str| -> Result<Value> { serde_json::from_str(text).with_context(|| format!("in {path}")) };
        let (docker, index) = (parse(&read("manifest.json")?)?, read("index.json")?);
        let config = digits(text(&docker, "/0/Config")?);
        let manifest = digits(text(&parse(&index)?, "/manifests/0/digest")?);
        let sum = command::run_with(&["sha256sum"], &index)?;
        let index = sum.split_whitespace().next().context("sha256sum says nothing")?.to_owned();
        let name = text(&docker, "/0/RepoTags/0")?.to_owned();
        Ok(Self { name, digests: [index, manifest, config.clone()], config })
    }

    /// All pods of both components run it: what is asked for has its name, and what runs its content.
    ///
    /// # Errors
    /// Which one runs what.
    pub fn runs(&self) -> Result<()> {
        for pod in [Pod::all("controller")?, Pod::all("speaker")?].concat() {
            ensure!(pod.image == self.name, "{} asks for {}, not {}", pod.name, pod.image, self.name);
            let runs = digits(&pod.image_id);
            ensure!(self.digests.contains(&runs), "{} runs {}, not {self:?}", pod.name, pod.image_id);
        }
        Ok(())
    }
}

/// Of `sha256:DIGITS`, also with a name before it, and of `blobs/sha256/DIGITS`.
fn digits(digest: &str) -> String {
    digest.rsplit([':', '/']).next().unwrap_or_default().to_owned()
}
