//! The archive that holds an image: a tar of blobs, each named by its digest, and the files that say which is which.

use crate::digest::{Hashing, Sum};
use oci_spec::image::{Descriptor, MediaType};
use std::{
    fs::File,
    io::{self, Read, Seek, Write},
};
use tar::Header;

/// Something that images name by its digest.
pub(crate) struct Blob {
    pub descriptor: Descriptor,
    content: Box<dyn Read>,
}

impl Blob {
    pub fn json(media_type: MediaType, value: &impl serde::Serialize) -> anyhow::Result<Self> {
        let bytes = json(value)?;
        let mut hashing = Hashing::new(io::sink());
        hashing.write_all(&bytes)?;
        let (_, sum) = hashing.finish()?;
        Ok(Self { descriptor: describe(media_type, sum), content: Box::new(io::Cursor::new(bytes)) })
    }

    /// What was written into `file`, with its sum.
    pub fn file(media_type: MediaType, sum: Sum, mut file: File) -> anyhow::Result<Self> {
        file.rewind()?;
        Ok(Self { descriptor: describe(media_type, sum), content: Box::new(file) })
    }
}

fn describe(media_type: MediaType, sum: Sum) -> Descriptor {
    Descriptor::new(media_type, sum.size, sum.digest)
}

/// The value in the one form of JSON that the same value always has: maps of oci-spec have another order in each process.
pub(crate) fn json(value: &impl serde::Serialize) -> anyhow::Result<Vec<u8>> {
    let mut value = serde_json::to_value(value)?;
    value.sort_all_objects();
    Ok(serde_json::to_vec(&value)?)
}

/// Where a blob is in the archive.
pub(crate) fn path(descriptor: &Descriptor) -> String {
    format!("blobs/sha256/{}", descriptor.digest().digest())
}

pub(crate) struct Archive<W: Write> {
    tar: tar::Builder<W>,
}

impl<W: Write> Archive<W> {
    pub fn new(out: W) -> Self {
        Self { tar: tar::Builder::new(out) }
    }

    pub fn add(&mut self, path: &str, content: &[u8]) -> anyhow::Result<()> {
        self.append(path, content.len() as u64, content)
    }

    pub fn add_blob(&mut self, blob: Blob) -> anyhow::Result<()> {
        self.append(&path(&blob.descriptor), blob.descriptor.size(), blob.content)
    }

    fn append(&mut self, path: &str, size: u64, content: impl Read) -> anyhow::Result<()> {
        let mut header = Header::new_gnu();
        header.set_mode(0o644);
        header.set_mtime(0);
        header.set_uid(0);
        header.set_gid(0);
        header.set_size(size);
        Ok(self.tar.append_data(&mut header, path, content)?)
    }

    pub fn finish(self) -> anyhow::Result<W> {
        Ok(self.tar.into_inner()?)
    }
}
