//! Hashes what is written, on its way: images name everything by its SHA-256.

use oci_spec::image::Sha256Digest;
use sha2::{Digest as _, Sha256};
use std::io::{self, Write};

/// The digest of what went through, and how long that was.
pub(crate) struct Sum {
    pub digest: Sha256Digest,
    pub size: u64,
}

pub(crate) struct Hashing<W> {
    inner: W,
    hash: Sha256,
    size: u64,
}

impl<W: Write> Hashing<W> {
    pub fn new(inner: W) -> Self {
        Self { inner, hash: Sha256::new(), size: 0 }
    }

    pub fn finish(self) -> anyhow::Result<(W, Sum)> {
        let hex: String = self.hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Ok((self.inner, Sum { digest: hex.parse()?, size: self.size }))
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hash.update(&bytes[..written]);
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
