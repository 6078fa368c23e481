//! The one layer of an image: which files it has, and where their bytes come from.
//!
//! Owner, group and time of the files are dropped, and so are devices, pipes and sockets: a container runtime makes its own
//! `/dev`.

use anyhow::{Context, bail};
use std::{
    collections::BTreeMap,
    fs::{self, File, Metadata},
    io::{self, Write},
    os::unix::fs::PermissionsExt,
    path::{Component, Path, PathBuf},
};
use tar::{EntryType, Header};
use walkdir::WalkDir;

/// Files by their path in the image, which is also the order they are written in; a later one takes an earlier one's place.
#[derive(Debug, Default)]
pub struct Layer {
    entries: BTreeMap<PathBuf, Entry>,
}

#[derive(Debug)]
enum Entry {
    Folder { mode: u32 },
    File { source: PathBuf, mode: u32 },
    Link { target: PathBuf },
}

impl Layer {
    /// Adds the file `source` as `path`, readable by all, and executable by all where its owner may execute it: the rest of
    /// its mode is the umask of whoever built it.
    pub fn add_file(&mut self, path: &Path, source: &Path) -> anyhow::Result<()> {
        let metadata = fs::metadata(source).with_context(|| format!("reading {}", source.display()))?;
        if !metadata.is_file() {
            bail!("{} is not a file: a folder's content goes in by --tree", source.display());
        }
        let mode = if metadata.permissions().mode() & 0o100 == 0 { 0o644 } else { 0o755 };
        self.insert(path, Entry::File { source: source.to_owned(), mode })
    }

    /// Adds all that is below the folder `root`, with its symbolic links and modes.
    pub fn add_tree(&mut self, root: &Path) -> anyhow::Result<()> {
        for found in WalkDir::new(root).min_depth(1) {
            let found = found.with_context(|| format!("reading the tree {}", root.display()))?;
            let (metadata, source) = (found.metadata()?, found.path());
            let mode = metadata.permissions().mode() & 0o7777;
            let entry = match kind(&metadata) {
                Some(EntryType::Directory) => Entry::Folder { mode },
                Some(EntryType::Symlink) => Entry::Link { target: fs::read_link(source)? },
                Some(_) => Entry::File { source: source.to_owned(), mode },
                None => continue,
            };
            self.insert(source.strip_prefix(root)?, entry)?;
        }
        Ok(())
    }

    fn insert(&mut self, path: &Path, entry: Entry) -> anyhow::Result<()> {
        let path = path.strip_prefix("/").unwrap_or(path);
        if path.as_os_str().is_empty() || path.components().any(|part| !matches!(part, Component::Normal(_))) {
            bail!("{} is no path in an image: it must name a file below /, without . and ..", path.display());
        }
        for parent in path.ancestors().skip(1).filter(|parent| !parent.as_os_str().is_empty()) {
            self.entries.entry(parent.to_owned()).or_insert(Entry::Folder { mode: 0o755 });
        }
        self.entries.insert(path.to_owned(), entry);
        Ok(())
    }

    /// Writes the layer as a tar archive, in which everything has the time `mtime`.
    pub(crate) fn write<W: Write>(&self, out: W, mtime: u64) -> anyhow::Result<W> {
        let mut tar = tar::Builder::new(out);
        for (path, entry) in &self.entries {
            append(&mut tar, path, entry, mtime)
                .with_context(|| format!("writing {} into the layer", path.display()))?;
        }
        Ok(tar.into_inner()?)
    }
}

fn append<W: Write>(tar: &mut tar::Builder<W>, path: &Path, entry: &Entry, mtime: u64) -> anyhow::Result<()> {
    let mut header = Header::new_gnu();
    header.set_mtime(mtime);
    header.set_uid(0);
    header.set_gid(0);
    header.set_size(0);
    match entry {
        Entry::Folder { mode } => {
            header.set_entry_type(EntryType::Directory);
            header.set_mode(*mode);
            tar.append_data(&mut header, path, io::empty())?;
        }
        Entry::Link { target } => {
            header.set_entry_type(EntryType::Symlink);
            header.set_mode(0o777);
            tar.append_link(&mut header, path, target)?;
        }
        Entry::File { source, mode } => {
            let file = File::open(source).with_context(|| format!("opening {}", source.display()))?;
            header.set_entry_type(EntryType::Regular);
            header.set_mode(*mode);
            header.set_size(file.metadata()?.len());
            tar.append_data(&mut header, path, file)?;
        }
    }
    Ok(())
}

/// What an entry of a tree becomes; nothing for devices, pipes and sockets.
fn kind(metadata: &Metadata) -> Option<EntryType> {
    let kind = metadata.file_type();
    if kind.is_dir() {
        Some(EntryType::Directory)
    } else if kind.is_symlink() {
        Some(EntryType::Symlink)
    } else {
        kind.is_file().then_some(EntryType::Regular)
    }
}
