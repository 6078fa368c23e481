//! Reads and writes the ConfigMap `landfall-memory`, for as long as this replica leads.

use crate::cluster::{
    config_map,
    lease::Tenure,
    memory::{decode, encode},
    names,
};
use anyhow::Context;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, Client};
use landfall_core::alloc::Rest;
use serde_json::json;
use std::time::Duration;
use tokio::time::{sleep, timeout};
use tracing::warn;

/// After a call that failed.
const AGAIN: Duration = Duration::from_secs(1);

/// It is written at most so often.
const PACE: Duration = Duration::from_secs(5);

/// When it is to be written: soon after a change, one write at a time.
#[derive(Debug, Default)]
pub struct Schedule {
    /// The number of the last change that was written.
    written: u64,
    /// The number of the change that is being written.
    writing: Option<u64>,
    not_before: Duration,
}

impl Schedule {
    /// Whether there are changes that were not written.
    pub fn is_behind(&self, changes: u64) -> bool {
        self.written != changes
    }

    /// From when on the changes up to this one may be written; none: there is nothing to write now.
    pub fn due(&self, changes: u64) -> Option<Duration> {
        (self.is_behind(changes) && self.writing.is_none()).then_some(self.not_before)
    }

    /// They are being written.
    pub fn begin(&mut self, changes: u64, now: Duration) {
        (self.writing, self.not_before) = (Some(changes), now + PACE);
    }

    /// They were, or were not.
    pub fn end(&mut self, is_written: bool) {
        let writing = self.writing.take().filter(|_| is_written);
        self.written = writing.unwrap_or(self.written);
    }
}

/// The ConfigMap.
pub struct Keeper {
    api: Api<ConfigMap>,
    tenure: Tenure,
}

impl Keeper {
    pub fn new(client: Client, namespace: &str, tenure: Tenure) -> Self {
        Self { api: Api::namespaced(client, namespace), tenure }
    }

    /// What is stored. Repeated until it succeeds: without it an address could be given before it has rested.
    pub async fn read(&self) -> Vec<Rest> {
        loop {
            match timeout(self.tenure.margin(), self.api.get_opt(names::MEMORY)).await {
                Ok(Ok(map)) => {
                    let text = map.and_then(|map| map.data?.remove(names::MEMORY_KEY)).unwrap_or_default();
                    return decode(&text);
                }
                Ok(Err(error)) => warn!(%error, "reading the ConfigMap {}, will try again", names::MEMORY),
                Err(_) => warn!("the API server does not answer, will try again"),
            }
            sleep(AGAIN).await;
        }
    }

    /// Stores these. Says whether that succeeded.
    pub async fn write(&self, rests: Vec<Rest>) -> bool {
        let text = encode(rests);
        match timeout(self.tenure.margin(), self.tenure.guard(self.put(&text))).await {
            Ok(Some(Ok(()))) => return true,
            Ok(Some(Err(error))) => warn!("{error:#}"),
            Ok(None) => warn!("the lease is running out, the ConfigMap {} is not written", names::MEMORY),
            Err(_) => warn!("the API server did not take the ConfigMap {} in time", names::MEMORY),
        }
        false
    }

    async fn put(&self, text: &str) -> anyhow::Result<()> {
        let map = json!({"metadata": {"name": names::MEMORY}, "data": {names::MEMORY_KEY: text}});
        let put = config_map::put(&self.api, names::MEMORY, map, names::CONTROLLER).await;
        put.map(drop).context("storing what is remembered of released addresses")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_change_is_written_at_once_and_then_at_most_every_five_seconds() {
        let mut schedule = Schedule::default();
        assert_eq!(schedule.due(0), None);
        assert_eq!(schedule.due(3), Some(s(0)));
        schedule.begin(3, s(100));
        assert_eq!(schedule.due(4), None, "one write at a time");
        schedule.end(true);
        assert_eq!((schedule.due(3), schedule.due(4)), (None, Some(s(105))));
    }

    #[test]
    fn what_was_not_written_is_written_later() {
        let mut schedule = Schedule::default();
        schedule.begin(3, s(100));
        schedule.end(false);
        assert!(schedule.is_behind(3));
        assert_eq!(schedule.due(3), Some(s(105)));
    }
}
