//! What the watches tell becomes tables for the LAN task; and while they tell nothing at a start, what is remembered does.
//!
//! ```text
//!  watches ──► Inputs ────────────► Desired ──► LAN task
//!                │ within seconds      ▲
//!                └─► Memory ───────────┘ at a start, while the API server says nothing
//! ```

use super::{
    Watches,
    desired::{Desired, Inputs, Seen},
    memory::Memory,
};
use futures::{FutureExt, StreamExt};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};
use tracing::{debug, warn};

/// Changes that are taken in before the table is made anew.
const BATCH: usize = 1024;
/// How long the API server may say nothing at a start before what is remembered is gone by.
const PATIENCE: Duration = Duration::from_millis(700);

/// Feeds the LAN task, for as long as there are watches. A burst of changes makes one table.
pub async fn follow(mut watches: Watches, wanted: watch::Sender<Option<Arc<Desired>>>, mut memory: Memory) {
    let mut inputs = Inputs::default();
    let mut recalled = memory.recall().await;
    let mut silent = Instant::now() + PATIENCE;
    loop {
        tokio::select! {
            seen = watches.next() => {
                let mut next = Some(seen);
                for _ in 0..BATCH {
                    let Some(seen) = next else { break };
                    let Some(seen) = seen else { return };
                    match (&seen, &mut recalled) {
                        (Seen::DataPath(verdict), Some(recalled)) => recalled.apply(Seen::DataPath(*verdict)),
                        (Seen::DataPath(_), None) => {}
                        _ => silent = Instant::now() + PATIENCE,
                    }
                    inputs.apply(seen);
                    next = watches.next().now_or_never();
                }
            }
            () = sleep_until(silent), if recalled.is_some() && silent > Instant::now() => {}
            () = memory.due() => {
                memory.write(&inputs).await;
                continue;
            }
        }
        if let Some(desired) = inputs.desired() {
            recalled = None;
            if tell(&wanted, desired) {
                memory.changed();
            }
        } else if let Some(desired) = recalled.as_ref().filter(|_| silent <= Instant::now()).and_then(Inputs::desired) {
            let vips = desired.vips.len();
            if tell(&wanted, desired) {
                warn!(vips, "the API server says nothing: what was wanted last is announced");
            }
        } else {
            debug!(missing = ?inputs.missing(), "nothing is announced yet");
        }
    }
}

/// Hands a table over, unless it is as the one before.
fn tell(wanted: &watch::Sender<Option<Arc<Desired>>>, desired: Desired) -> bool {
    wanted.send_if_modified(|old| {
        let changed = old.as_deref() != Some(&desired);
        if changed {
            *old = Some(Arc::new(desired));
        }
        changed
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::speaker::desired::tests::{POOL, all};
    use futures::stream;
    use std::{net::IpAddr, path::Path};
    use tokio::time::timeout;

    const LONG: Duration = Duration::from_secs(60);
    const KEPT: &str = "198.51.100.100";
    const NEW: &str = "198.51.100.101";

    /// Follows these, and nothing afterwards.
    fn start(seen: impl IntoIterator<Item = Seen>, folder: &Path) -> watch::Receiver<Option<Arc<Desired>>> {
        let seen: Vec<Seen> = seen.into_iter().collect();
        let (wanted, told) = watch::channel(None);
        let watches: [_; 1] = [stream::iter(seen).chain(stream::pending()).boxed()];
        tokio::spawn(follow(watches.into_iter().collect(), wanted, Memory::new(folder.to_owned())));
        told
    }

    async fn first(told: &mut watch::Receiver<Option<Arc<Desired>>>) -> Vec<IpAddr> {
        let told = timeout(LONG, told.wait_for(Option::is_some)).await.unwrap().unwrap();
        told.as_ref().unwrap().vips.keys().copied().collect()
    }

    /// Waits until a file is there.
    async fn written(folder: &Path) {
        let is_there = async {
            while !folder.join("wanted.json").exists() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(LONG, is_there).await.unwrap();
    }

    #[tokio::test]
    async fn what_was_wanted_last_is_wanted_where_the_api_server_says_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let mut before = start(all(POOL, KEPT), folder.path());
        assert_eq!(first(&mut before).await, [KEPT.parse::<IpAddr>().unwrap()]);
        written(folder.path()).await;
        let mut after = start([Seen::DataPath(Ok(()))], folder.path());
        assert_eq!(first(&mut after).await, [KEPT.parse::<IpAddr>().unwrap()]);
    }

    #[tokio::test]
    async fn what_it_says_goes_before_that() {
        let folder = tempfile::tempdir().unwrap();
        first(&mut start(all(POOL, KEPT), folder.path())).await;
        written(folder.path()).await;
        assert_eq!(first(&mut start(all(POOL, NEW), folder.path())).await, [NEW.parse::<IpAddr>().unwrap()]);
    }
}
