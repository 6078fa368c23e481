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
    /// The digest of its manifest, by which a node names it where it was loaded with that.
    manifest: String,
}

impl Image {
    /// That of an archive that `image/build.sh` or `tests/kind/previous-image` has written.
    ///
    /// # Errors
    /// Where it is none.
    pub fn of(archive: &Path) -> Result<Self> {
        let path = archive.to_str().context("the archive's path is no UTF-8")?;
        let read = |file: &str| -> Result<Value> {
            serde_json::from_str(&command::run(&["tar", "-xOf", path, file])?)
                .with_context(|| format!("{file} in {path}"))
        };
        let (docker, index) = (read("manifest.json")?, read("index.json")?);
        Ok(Self {
            name: text(&docker, "/0/RepoTags/0")?.to_owned(),
            config: digits(text(&docker, "/0/Config")?),
            manifest: digits(text(&index, "/manifests/0/digest")?),
        })
    }

    /// All pods of both components run it: what is asked for has its name, and what runs its content.
    ///
    /// # Errors
    /// Which one runs what.
    pub fn runs(&self) -> Result<()> {
        for pod in [Pod::all("controller")?, Pod::all("speaker")?].concat() {
            ensure!(pod.image == self.name, "{} asks for {}, not {}", pod.name, pod.image, self.name);
            let runs = digits(&pod.image_id);
            ensure!(runs == self.config || runs == self.manifest, "{} runs {}, not {self:?}", pod.name, pod.image_id);
        }
        Ok(())
    }
}

/// Of `sha256:DIGITS`, also with a name before it, and of `blobs/sha256/DIGITS`.
fn digits(digest: &str) -> String {
    digest.rsplit([':', '/']).next().unwrap_or_default().to_owned()
}
