//! The keys of the speakers' heartbeats, as the Secret is mounted: read at the start, and again when the files change.
//!
//! A volume's files change without a word, so they are looked at. What is wrong with them later takes nothing away: the keys that
//! were read last stay in use.

use crate::cluster::{keys, names};
use landfall_core::wire::seal::Keys;
use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::{fs, sync::watch, time::sleep};
use tracing::{info, warn};

/// Where the manifests mount the Secret.
pub const FOLDER: &str = "/etc/landfall/heartbeat-keys";
/// Between two looks while there are no keys,
const SOON: Duration = Duration::from_millis(200);
/// and otherwise. The kubelet takes a minute to change the files.
const PACE: Duration = Duration::from_secs(5);

/// What is known of the keys.
#[derive(Debug, Clone, Default)]
pub struct Keyring {
    /// The last good ones.
    pub keys: Option<Arc<Keys>>,
    /// What is wrong with the files now, and what to do.
    pub fault: Option<String>,
}

/// Follows the files in `folder`, for ever.
pub async fn follow(folder: PathBuf, keyring: watch::Sender<Keyring>) {
    let mut last = None;
    loop {
        let data = read(&folder).await.map_err(|error| error.to_string());
        if last.as_ref() != Some(&data) {
            let (keys, error) = match &data {
                Ok(data) => {
                    let (keys, fault) = keys::read(data);
                    (keys, fault.map(|fault| fault.to_string()))
                }
                Err(error) => (None, Some(error.clone())),
            };
            let fault = error.map(|error| fault(&folder, &error));
            fault.iter().for_each(|fault| warn!("{fault}"));
            keys.iter().for_each(|keys| info!(?keys, "the keys of the heartbeats were read"));
            keyring.send_modify(|keyring| {
                keyring.keys = keys.map(Arc::new).or(keyring.keys.take());
                keyring.fault = fault;
            });
            last = Some(data);
        }
        let pace = if keyring.borrow().keys.is_some() { PACE } else { SOON };
        sleep(pace).await;
    }
}

fn fault(folder: &Path, error: &str) -> String {
    format!(
        "speakers cannot hear each other without the Secret {} in {}, which the leading controller makes: it is read in {}, and {error}",
        names::KEYS,
        names::NAMESPACE,
        folder.display()
    )
}

/// The files of the Secret's keys. One that is not there is left out.
async fn read(folder: &Path) -> io::Result<BTreeMap<String, Vec<u8>>> {
    let mut data = BTreeMap::new();
    for name in [keys::CURRENT].into_iter().chain(keys::OTHERS) {
        match fs::read(folder.join(name)).await {
            Ok(bytes) => _ = data.insert(name.to_owned(), bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(io::Error::new(error.kind(), format!("{name}: {error}"))),
        }
    }
    Ok(data)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::timeout;

    const LONG: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn keys_are_waited_for_and_kept_when_their_files_go() {
        let folder = tempfile::tempdir().unwrap();
        let (keyring, mut seen) = watch::channel(Keyring::default());
        let following = tokio::spawn(follow(folder.path().to_owned(), keyring));
        let wait = timeout(LONG, seen.wait_for(|keyring| keyring.fault.is_some()));
        let fault = wait.await.unwrap().unwrap().fault.clone().unwrap();
        for part in ["Secret landfall-heartbeat-keys in landfall-system", "leading controller", "no key current"] {
            assert!(fault.contains(part), "{fault}");
        }
        std::fs::write(folder.path().join("current"), [7; 32]).unwrap();
        let wait = timeout(LONG, seen.wait_for(|keyring| keyring.keys.is_some()));
        assert_eq!(wait.await.unwrap().unwrap().fault, None);
        std::fs::write(folder.path().join("next"), [8; 5]).unwrap();
        let wait = timeout(LONG, seen.wait_for(|keyring| keyring.fault.is_some()));
        let keyring = wait.await.unwrap().unwrap().clone();
        assert!(keyring.fault.unwrap().contains("next has 5 bytes") && keyring.keys.is_some());
        following.abort();
    }
}
