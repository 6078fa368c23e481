//! The file by which a speaker that starts while the API server is away knows what was wanted last. It outlives the process, not
//! the pod.

use super::desired::Inputs;
use anyhow::{Context, ensure};
use std::{
    future::pending,
    io,
    path::PathBuf,
    time::{Duration, SystemTime},
};
use tokio::{
    fs,
    time::{Instant, sleep_until},
};
use tracing::warn;

/// Where the manifests mount a volume for it.
pub const FOLDER: &str = "/var/lib/landfall";
const FILE: &str = "wanted.json";
/// What is older is not gone by.
const LONGEST: Duration = Duration::from_secs(24 * 3600);
/// The least time between two writes,
const PACE: Duration = Duration::from_secs(5);
/// and the longest, so that the file is hardly older than the end of the speaker that wrote it.
const REFRESH: Duration = Duration::from_secs(3600);

/// The file.
pub struct Memory {
    /// None: nothing is kept.
    file: Option<PathBuf>,
    /// From when on it may be written,
    earliest: Instant,
    /// and when it is to be.
    due: Option<Instant>,
}

impl Memory {
    /// The file in this folder; no name: nothing is kept.
    pub fn new(folder: PathBuf) -> Self {
        let file = (!folder.as_os_str().is_empty()).then(|| folder.join(FILE));
        Self { file, earliest: Instant::now(), due: None }
    }

    /// What it says; none where there is none, or it is of no use, which the log is told.
    pub async fn recall(&self) -> Option<Inputs> {
        let file = self.file.as_deref()?;
        let read = async {
            let text = match fs::read(file).await {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                text => text?,
            };
            let age = SystemTime::now().duration_since(fs::metadata(file).await?.modified()?).unwrap_or_default();
            ensure!(age <= LONGEST, "it is more than a day old");
            Ok(Some(Inputs::from_text(&text)?))
        };
        read.await.unwrap_or_else(|error: anyhow::Error| {
            warn!("{} is not used: {error:#}", file.display());
            None
        })
    }

    /// What is wanted has changed: it is to be written soon.
    pub fn changed(&mut self) {
        self.due = self.file.as_ref().map(|_| self.earliest.max(Instant::now()));
    }

    /// Waits until it is to be written.
    pub async fn due(&self) {
        match self.due {
            Some(due) => sleep_until(due).await,
            None => pending().await,
        }
    }

    /// Writes it.
    pub async fn write(&mut self, inputs: &Inputs) {
        let (Some(file), Some(text)) = (&self.file, inputs.to_text()) else { return };
        let now = Instant::now();
        (self.earliest, self.due) = (now + PACE, Some(now + REFRESH));
        let new = file.with_extension("new");
        let write = async {
            fs::write(&new, text).await?;
            fs::rename(&new, file).await
        };
        if let Err(error) = write.await.with_context(|| format!("writing {}", file.display())) {
            warn!("{error:#}: a speaker that starts here while the API server is away will not know what is wanted");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::speaker::desired::tests::{POOL, all};
    use std::fs::File;

    #[tokio::test]
    async fn what_is_written_is_recalled_for_a_day() {
        let folder = tempfile::tempdir().unwrap();
        let mut memory = Memory::new(folder.path().to_owned());
        assert!(memory.recall().await.is_none(), "there is no file");
        let mut inputs = Inputs::default();
        all(POOL, "198.51.100.100").for_each(|seen| inputs.apply(seen));
        memory.write(&inputs).await;
        assert_eq!(memory.recall().await.and_then(|recalled| recalled.to_text()), inputs.to_text());

        let file = File::options().append(true).open(folder.path().join(FILE)).unwrap();
        file.set_modified(SystemTime::now() - LONGEST - Duration::from_secs(1)).unwrap();
        assert!(memory.recall().await.is_none(), "it is too old");
        std::fs::write(folder.path().join(FILE), "nonsense").unwrap();
        assert!(memory.recall().await.is_none(), "it is damaged");
    }

    #[tokio::test]
    async fn it_is_written_soon_after_a_change_and_at_most_every_five_seconds() {
        let folder = tempfile::tempdir().unwrap();
        let mut memory = Memory::new(folder.path().to_owned());
        assert_eq!(memory.due, None);
        memory.changed();
        assert!(memory.due.is_some_and(|due| due <= Instant::now()));
        let mut inputs = Inputs::default();
        all(POOL, "198.51.100.100").for_each(|seen| inputs.apply(seen));
        let before = Instant::now();
        memory.write(&inputs).await;
        assert!(memory.due.is_some_and(|due| due >= before + REFRESH));
        memory.changed();
        assert!(memory.due.is_some_and(|due| due >= before + PACE));
        let mut nowhere = Memory::new(PathBuf::new());
        nowhere.changed();
        assert_eq!(nowhere.due, None);
    }
}
