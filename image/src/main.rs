//! `oci-image OUT.tar NAME:TAG ... [DEST=SRC]...`: files into an image, as `ctr images import`, `kind load image-archive`,
//! `docker load`, podman and skopeo take it.

use anyhow::Context;
use clap::Parser;
use landfall_image::{Image, Layer};
use std::path::PathBuf;

/// Writes a one-layer container image as an archive, without a container engine; the same files give the same bytes
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    /// The archive to write
    out: PathBuf,
    /// The image's name
    #[arg(value_name = "NAME:TAG")]
    name: String,
    /// Files, by their paths in the image
    #[arg(value_name = "DEST=SRC", value_parser = pair)]
    files: Vec<(String, String)>,
    /// A folder whose content goes in first, with its symbolic links and modes
    #[arg(long, value_name = "DIR")]
    tree: Vec<PathBuf>,
    /// The processor that it is for: amd64, arm64
    #[arg(long, default_value = "amd64")]
    arch: String,
    /// What runs, with its first arguments, separated by commas
    #[arg(long, value_delimiter = ',')]
    entrypoint: Vec<String>,
    /// Who runs it, where the Pod does not say
    #[arg(long)]
    user: Option<String>,
    /// A variable of its environment
    #[arg(long, value_name = "K=V")]
    env: Vec<String>,
    /// A label of the image, which is an annotation of its manifest as well
    #[arg(long, value_name = "K=V", value_parser = pair)]
    label: Vec<(String, String)>,
    /// Leaves the layer as it is: faster, for an image that stays on this machine
    #[arg(long)]
    uncompressed: bool,
    /// When it was made, in seconds since 1970: the time of each of its files
    #[arg(long, env = "SOURCE_DATE_EPOCH", value_name = "SECONDS", default_value_t = 0)]
    created: u64,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("expected two parts with a = between them")?;
    Ok((key.to_owned(), value.to_owned()))
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let mut layer = Layer::default();
    for tree in &args.tree {
        layer.add_tree(tree)?;
    }
    for (path, source) in &args.files {
        layer.add_file(path.as_ref(), source.as_ref())?;
    }
    let image = Image {
        name: args.name,
        arch: args.arch,
        entrypoint: args.entrypoint,
        user: args.user,
        env: args.env,
        labels: args.label.into_iter().collect(),
        created: args.created,
        uncompressed: args.uncompressed,
        layer,
    };
    image.write(&args.out).with_context(|| format!("making the image {}", image.name))
}
