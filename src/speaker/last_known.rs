//! The file by which a speaker that starts while the API server is away knows what was wanted last. It outlives the process, not
//! the pod.
//!
//! Nobody waits for the disk: a task of its own writes, and a start reads only once the API server has kept silent.

use super::desired::Inputs;
use anyhow::{Context, ensure};
use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio::{
    fs,
    sync::watch,
    time::{Instant, sleep, timeout},
};
use tracing::warn;

/// Where the manifests mount a volume for it.
pub const FOLDER: &str = "/var/lib/landfall";
const FILE: &str = "last-known.json";
/// What is older is not gone by; a clock that was set back makes it young.
const OLDEST: Duration = Duration::from_secs(24 * 3600);
/// The longest text, in octets: a new one and the old one fit into the volume.
const LONGEST: usize = 16 << 20;
/// The least time between two texts,
const PACE: Duration = Duration::from_secs(5);
/// and the most, so that the file is hardly older than the end of the speaker that wrote it.
const REFRESH: Duration = Duration::from_secs(3600);
/// How long reading may take.
const PATIENCE: Duration = Duration::from_secs(1);

/// The file.
pub struct LastKnown {
    /// None: nothing is kept.
    file: Option<PathBuf>,
    /// To the task that writes.
    text: watch::Sender<Arc<[u8]>>,
    /// From when on there may be a text,
    earliest: Instant,
    /// and when there is to be one.
    due: Option<Instant>,
}

impl LastKnown {
    /// The file in this folder; no name: nothing is kept.
    pub fn new(folder: &Path) -> Self {
        let file = (!folder.as_os_str().is_empty()).then(|| folder.join(FILE));
        let (text, texts) = watch::channel(Arc::default());
        if let Some(file) = file.clone() {
            tokio::spawn(write_all(file, texts));
        }
        Self { file, text, earliest: Instant::now(), due: None }
    }

    /// What it says, and how old that is; none where there is none, or it is of no use, which the log is told.
    pub async fn read(&self) -> Option<(Inputs, Duration)> {
        let file = self.file.as_deref()?;
        let read = async {
            let text = match fs::read(file).await {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                text => text?,
            };
            let age = SystemTime::now().duration_since(fs::metadata(file).await?.modified()?).unwrap_or_default();
            ensure!(age <= OLDEST, "it is more than a day old");
            Ok(Some((Inputs::from_text(&text)?, age)))
        };
        let read = timeout(PATIENCE, read).await.unwrap_or_else(|_| Err(anyhow::anyhow!("it cannot be read in time")));
        read.unwrap_or_else(|error: anyhow::Error| {
            warn!("{} is not used: {error:#}", file.display());
            None
        })
    }

    /// What is wanted has changed: it is to be written soon.
    pub fn changed(&mut self) {
        self.due = self.file.as_ref().map(|_| self.earliest.max(Instant::now()));
    }

    /// When [`LastKnown::write`] is to be called.
    pub fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Has it written, and again within the hour.
    pub fn write(&mut self, inputs: &Inputs) {
        let now = Instant::now();
        (self.earliest, self.due) = (now + PACE, Some(now + REFRESH));
        match inputs.to_text() {
            Ok(Some(text)) if text.len() <= LONGEST => _ = self.text.send_replace(text.into()),
            Ok(Some(text)) => warn!("{} octets are too many: {LOST}", text.len()),
            Ok(None) => {}
            Err(error) => warn!("{error}: {LOST}"),
        }
    }
}

/// What follows where it is not written.
const LOST: &str = "a speaker that starts here while the API server is away will not know what is wanted";

/// Writes the latest text, and tries again where that fails.
async fn write_all(file: PathBuf, mut texts: watch::Receiver<Arc<[u8]>>) {
    while texts.changed().await.is_ok() {
        loop {
            let text = texts.borrow_and_update().clone();
            let Err(error) = write(&file, &text).await.with_context(|| format!("writing {}", file.display())) else {
                break;
            };
            warn!("{error:#}, will try again: {LOST}");
            sleep(12 * PACE).await;
        }
    }
}

/// Another file is renamed, so that what is there is whole.
async fn write(file: &Path, text: &[u8]) -> io::Result<()> {
    let new = file.with_extension("new");
    fs::write(&new, text).await?;
    fs::rename(&new, file).await
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::speaker::desired::tests::{POOL, told};
    use std::fs::File;

    const VIP: &str = "198.51.100.100";

    /// Waits until the file in this folder is there.
    pub async fn written(folder: &Path) {
        let is_there = async {
            while !folder.join(FILE).exists() {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(Duration::from_secs(60), is_there).await.unwrap();
    }

    #[tokio::test]
    async fn what_is_written_is_read_for_a_day() {
        let folder = tempfile::tempdir().unwrap();
        let mut known = LastKnown::new(folder.path());
        assert!(known.read().await.is_none(), "there is no file");
        let inputs = told(POOL, VIP);
        known.write(&inputs);
        written(folder.path()).await;
        let (read, _) = known.read().await.unwrap();
        assert_eq!(read.to_text().unwrap(), inputs.to_text().unwrap());

        let file = File::options().append(true).open(folder.path().join(FILE)).unwrap();
        file.set_modified(SystemTime::now() - OLDEST - Duration::from_secs(1)).unwrap();
        assert!(known.read().await.is_none(), "it is too old");
        std::fs::write(folder.path().join(FILE), "nonsense").unwrap();
        assert!(known.read().await.is_none(), "it is damaged");
    }

    #[tokio::test]
    async fn it_is_written_soon_after_a_change_at_most_every_five_seconds_and_every_hour() {
        let folder = tempfile::tempdir().unwrap();
        let mut known = LastKnown::new(folder.path());
        assert_eq!(known.due, None);
        known.changed();
        assert!(known.due.is_some_and(|due| due <= Instant::now()));
        let before = Instant::now();
        known.write(&told(POOL, VIP));
        assert!(known.due.is_some_and(|due| due >= before + REFRESH));
        known.changed();
        assert!(known.due.is_some_and(|due| due >= before + PACE));
        let mut nowhere = LastKnown::new(Path::new(""));
        nowhere.changed();
        assert_eq!(nowhere.due, None);
    }
}
