//! The image: its configuration and manifest around the packed layer.

use crate::{
    Layer,
    archive::{self, Blob},
    digest::Hashing,
};
use anyhow::Context;
use flate2::{Compression, GzBuilder};
use oci_spec::image::{
    ANNOTATION_REF_NAME, Config, ConfigBuilder, Descriptor, DescriptorBuilder, HistoryBuilder, ImageConfiguration,
    ImageConfigurationBuilder, ImageIndexBuilder, ImageManifestBuilder, MediaType, OciLayoutBuilder, PlatformBuilder,
    RootFsBuilder,
};
use std::{
    collections::HashMap,
    fs::{File, Permissions},
    io::{self, Write},
    os::unix::fs::PermissionsExt,
    path::Path,
};

/// What an image says of itself, and its layer.
#[derive(Debug, Default)]
pub struct Image {
    /// Its name with its tag
    pub name: String,
    /// The processor it is for, in Go's words: amd64, arm64
    pub arch: String,
    /// What runs, with its first arguments
    pub entrypoint: Vec<String>,
    /// Who runs it, where the Pod does not say
    pub user: Option<String>,
    /// KEY=VALUE
    pub env: Vec<String>,
    /// Labels of the image, which are its manifest's annotations as well
    pub labels: HashMap<String, String>,
    /// When it was made, in seconds since 1970: the time of each of its files
    pub created: u64,
    /// Leaves the layer as it is: faster, for an image that stays on this machine
    pub uncompressed: bool,
    /// The files
    pub layer: Layer,
}

impl Image {
    /// Writes the image as an archive to `out`, which is there whole or not at all.
    ///
    /// It is an OCI image layout in a tar, with the manifest.json that Docker before version 25 looks for beside it.
    pub fn write(&self, out: &Path) -> anyhow::Result<()> {
        let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let temporary = || format!("writing a file into {}", folder.display());
        let (layer, unpacked) = self.pack(tempfile::tempfile_in(folder).with_context(temporary)?)?;
        let config = Blob::json(MediaType::ImageConfig, &self.configuration(&unpacked)?)?;
        let manifest = ImageManifestBuilder::default()
            .schema_version(2u32)
            .media_type(MediaType::ImageManifest)
            .config(config.descriptor.clone())
            .layers([layer.descriptor.clone()])
            .annotations(self.labels.clone())
            .build()?;
        let manifest = Blob::json(MediaType::ImageManifest, &manifest)?;
        let index = ImageIndexBuilder::default()
            .schema_version(2u32)
            .media_type(MediaType::ImageIndex)
            .manifests([self.named(&manifest.descriptor)?])
            .build()?;
        let layout = OciLayoutBuilder::default().image_layout_version("1.0.0").build()?;
        let docker = serde_json::json!([{
            "Config": archive::path(&config.descriptor),
            "RepoTags": [full_name(&self.name)],
            "Layers": [archive::path(&layer.descriptor)],
        }]);
        let mut archive = archive::Archive::new(
            tempfile::Builder::new()
                .permissions(Permissions::from_mode(0o666))
                .tempfile_in(folder)
                .with_context(temporary)?,
        );
        archive.add("oci-layout", &archive::json(&layout)?)?;
        archive.add("index.json", &archive::json(&index)?)?;
        archive.add("manifest.json", &archive::json(&docker)?)?;
        for blob in [manifest, config, layer] {
            archive.add_blob(blob)?;
        }
        archive.finish()?.persist(out).with_context(|| format!("writing {}", out.display()))?;
        Ok(())
    }

    /// The layer packed into `file`, and the digest that it has unpacked.
    fn pack(&self, file: File) -> anyhow::Result<(Blob, String)> {
        let packed = Hashing::new(io::BufWriter::new(file));
        let (media_type, packed, unpacked) = if self.uncompressed {
            let (packed, sum) = self.layer.write(Hashing::new(packed), self.created)?.finish()?;
            (MediaType::ImageLayer, packed, sum)
        } else {
            // No time and no system's name in its header.
            let gzip = GzBuilder::new().write(packed, Compression::best());
            let (gzip, sum) = self.layer.write(Hashing::new(gzip), self.created)?.finish()?;
            (MediaType::ImageLayerGzip, gzip.finish()?, sum)
        };
        let (mut file, sum) = packed.finish()?;
        file.flush()?;
        Ok((Blob::file(media_type, sum, file.into_inner()?)?, format!("sha256:{}", unpacked.digest)))
    }

    fn configuration(&self, layer: &str) -> anyhow::Result<ImageConfiguration> {
        let created = jiff::Timestamp::from_second(self.created.try_into()?)?.to_string();
        let history = HistoryBuilder::default().created(created.clone()).created_by("oci-image").build()?;
        Ok(ImageConfigurationBuilder::default()
            .created(created)
            .architecture(self.arch.as_str())
            .os("linux")
            .config(self.config()?)
            .rootfs(RootFsBuilder::default().typ("layers").diff_ids([layer.to_owned()]).build()?)
            .history([history])
            .build()?)
    }

    fn config(&self) -> anyhow::Result<Config> {
        let mut config = ConfigBuilder::default().working_dir("/").labels(self.labels.clone());
        if let Some(user) = &self.user {
            config = config.user(user.as_str());
        }
        if !self.entrypoint.is_empty() {
            config = config.entrypoint(self.entrypoint.clone());
        }
        if !self.env.is_empty() {
            config = config.env(self.env.clone());
        }
        Ok(config.build()?)
    }

    /// The manifest as the archive's index lists it: with the name that containerd gives the image, and the tag.
    fn named(&self, manifest: &Descriptor) -> anyhow::Result<Descriptor> {
        let name = full_name(&self.name);
        let tag = name.rsplit_once(':').map_or("latest", |(_, tag)| tag).to_owned();
        Ok(DescriptorBuilder::default()
            .media_type(MediaType::ImageManifest)
            .digest(manifest.digest().clone())
            .size(manifest.size())
            .platform(PlatformBuilder::default().architecture(self.arch.as_str()).os("linux").build()?)
            .annotations(HashMap::from([
                (ANNOTATION_REF_NAME.to_owned(), tag),
                ("io.containerd.image.name".to_owned(), name),
            ]))
            .build()?)
    }
}

/// The name with the registry, the user and the tag that are meant where it has none: containerd takes it literally, and a
/// kubelet asks for it so.
fn full_name(name: &str) -> String {
    let name = match name.split_once('/') {
        Some((host, _)) if host.contains(['.', ':']) || host == "localhost" => name.to_owned(),
        Some(_) => format!("docker.io/{name}"),
        None => format!("docker.io/library/{name}"),
    };
    let tagged = name.rsplit('/').next().is_some_and(|last| last.contains(':'));
    if tagged { name } else { format!("{name}:latest") }
}

#[cfg(test)]
mod tests {
    use super::full_name;

    #[test]
    fn a_name_is_completed_as_docker_does_it() {
        for (given, full) in [
            ("echo", "docker.io/library/echo:latest"),
            ("echo:1", "docker.io/library/echo:1"),
            ("someone/echo:1", "docker.io/someone/echo:1"),
            ("localhost/echo:1", "localhost/echo:1"),
            ("localhost:5000/echo", "localhost:5000/echo:latest"),
            ("ghcr.io/landfall-dev/landfall:0.1.0", "ghcr.io/landfall-dev/landfall:0.1.0"),
        ] {
            assert_eq!(full_name(given), full, "{given}");
        }
    }
}
