//! What the watches tell becomes tables for the LAN task; and where they tell nothing at a start, what was known last does.
//!
//! ```text
//!  watches ──► Inputs ─────────────► Desired ──► LAN task
//!               │  ▲ at a start, while the API server says nothing
//!    in seconds └─► LastKnown
//! ```

use super::{
    desired::{Desired, Inputs, Seen},
    last_known::LastKnown,
    watches::Watches,
};
use futures::{FutureExt, StreamExt};
use std::{future::pending, sync::Arc, time::Duration};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};
use tracing::{debug, warn};

/// Changes that are taken in before the table is made anew.
const BATCH: usize = 1024;
/// How long the API server may say nothing at a start,
const SILENCE: Duration = Duration::from_millis(700);
/// and how long it may take to tell everything, before what was known last is gone by.
const PATIENCE: Duration = Duration::from_secs(10);

/// Feeds the LAN task with tables, and with the newest version that they are made of, for as long as there are watches. A burst of
/// changes makes one table.
pub async fn follow(
    mut watches: Watches,
    (wanted, told): (watch::Sender<Option<Arc<Desired>>>, watch::Sender<u64>),
    mut known: LastKnown,
) {
    let (mut inputs, mut newest) = (Inputs::default(), 0);
    let latest = Instant::now() + PATIENCE;
    let mut recall = Some(Instant::now() + SILENCE);
    loop {
        tokio::select! {
            next = watches.next() => {
                let mut next = Some(next);
                for _ in 0..BATCH {
                    let Some(told) = next else { break };
                    let Some((version, seen)) = told else { return };
                    newest = newest.max(version);
                    if !matches!(seen, Seen::DataPath(_)) {
                        recall = recall.map(|_| latest.min(Instant::now() + SILENCE));
                    }
                    inputs.apply(seen);
                    next = watches.next().now_or_never();
                }
                if inputs.is_told() {
                    recall = None;
                }
            }
            () = at(recall) => {
                recall = None;
                if let Some((last, age)) = known.read().await {
                    inputs.recall(last);
                    warn!(?age, missing = ?inputs.missing(), "the API server does not tell: what was known last is gone by");
                }
            }
            () = at(known.due()) => {
                known.write(&inputs);
                continue;
            }
        }
        let Some(desired) = inputs.desired() else {
            debug!(missing = ?inputs.missing(), "there is no table yet");
            continue;
        };
        let is_changed = wanted.send_if_modified(|old| {
            let is_changed = old.as_deref() != Some(&desired);
            if is_changed {
                *old = Some(Arc::new(desired));
            }
            is_changed
        });
        if is_changed {
            known.changed();
        }
        if inputs.is_told() {
            told.send_if_modified(|version| std::mem::replace(version, newest) != newest);
        }
    }
}

async fn at(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::speaker::{
        desired::tests::{POOL, all, data_path},
        last_known::tests::written,
    };
    use futures::{Stream, stream};
    use std::{net::IpAddr, path::Path};
    use tokio::time::timeout;

    const LONG: Duration = Duration::from_secs(60);
    const KEPT: &str = "198.51.100.100";
    const NEW: &str = "198.51.100.101";

    type Tables = watch::Receiver<Option<Arc<Desired>>>;

    /// Follows these.
    fn start(seen: impl Stream<Item = Seen> + Send + 'static, folder: &Path) -> (Tables, watch::Receiver<u64>) {
        let ((wanted, tables), (told, version)) = (watch::channel(None), watch::channel(0));
        let watches = [seen.map(|seen| (7, seen)).boxed()].into_iter().collect();
        let known = LastKnown::new(folder);
        tokio::spawn(follow(watches, (wanted, told), known));
        (tables, version)
    }

    /// Nothing comes afterwards.
    fn only(seen: impl IntoIterator<Item = Seen>) -> impl Stream<Item = Seen> {
        stream::iter(seen.into_iter().collect::<Vec<_>>()).chain(stream::pending())
    }

    /// Waits for a table of this VIP alone.
    async fn wait_table(tables: &mut Tables, vip: &str) {
        let vip: IpAddr = vip.parse().unwrap();
        let is_it = |table: &Option<Arc<Desired>>| table.as_ref().is_some_and(|table| table.vips.keys().eq([&vip]));
        timeout(LONG, tables.wait_for(is_it)).await.unwrap().unwrap();
    }

    /// A folder in which a speaker has written that [`KEPT`] was wanted.
    async fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let (mut tables, mut version) = start(only(all(POOL, KEPT)), folder.path());
        wait_table(&mut tables, KEPT).await;
        timeout(LONG, version.wait_for(|version| *version == 7)).await.unwrap().unwrap();
        written(folder.path()).await;
        folder
    }

    #[tokio::test]
    async fn what_was_wanted_last_is_wanted_where_the_api_server_says_nothing() {
        let folder = folder().await;
        let (mut tables, version) = start(only([data_path()]), folder.path());
        wait_table(&mut tables, KEPT).await;
        assert_eq!(*version.borrow(), 0, "nothing was seen");
    }

    #[tokio::test]
    async fn what_it_says_goes_before_that_then_and_later() {
        let folder = folder().await;
        wait_table(&mut start(only(all(POOL, NEW)), folder.path()).0, NEW).await;
        let (later, comes) = tokio::sync::mpsc::unbounded_channel();
        let comes = stream::unfold(comes, async |mut comes| Some((comes.recv().await?, comes)));
        let folder = self::folder().await;
        let (mut tables, _) = start(stream::iter([data_path()]).chain(comes), folder.path());
        wait_table(&mut tables, KEPT).await;
        all(POOL, NEW).for_each(|seen| later.send(seen).unwrap());
        wait_table(&mut tables, NEW).await;
    }
}
