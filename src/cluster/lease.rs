//! Which of several replicas decides: the holder of a Lease.
//!
//! Whether somebody else's Lease has run out is judged by our own clock since we saw it change, never by the times written in
//! it (client-go's rule), and it is taken by PUT with its resourceVersion, so that of two only one can win. The holder counts
//! its own time from before it asked, and stops acting while a third of the duration is still left: what it sent by then has
//! arrived or timed out before anybody else may lead.

use crate::ops::clock::since_boot;
use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::MicroTime,
    jiff::Timestamp,
};
use kube::{Api, Client, Error, api::PostParams};
use std::{
    future::poll_fn,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::Poll,
    time::Duration,
};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

/// How often a Lease that somebody else holds is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// The right to act, as long as it lasts.
#[derive(Debug, Clone)]
pub struct Tenure {
    /// Boot time in milliseconds at which others may take over.
    until: Arc<AtomicU64>,
    duration: Duration,
}

impl Tenure {
    /// Whether there is time enough to send something: a third of the duration is left.
    pub fn holds(&self) -> bool {
        since_boot() + self.margin() < self.until()
    }

    /// What is sent must have timed out after this long.
    pub fn margin(&self) -> Duration {
        self.duration / 3
    }

    /// Makes a call for as long as there is time enough. That is looked at whenever the call could go on: what was paused between
    /// the decision to send and the sending is not sent by one who no longer leads.
    pub async fn guard<T>(&self, call: impl Future<Output = T>) -> Option<T> {
        let mut call = pin!(call);
        poll_fn(|context| if self.holds() { call.as_mut().poll(context).map(Some) } else { Poll::Ready(None) }).await
    }

    fn until(&self) -> Duration {
        Duration::from_millis(self.until.load(Ordering::Acquire))
    }

    fn extend(&self, asked: Duration) {
        let until = (asked + self.duration).as_millis();
        self.until.store(u64::try_from(until).unwrap_or(u64::MAX), Ordering::Release);
    }
}

/// A replica that would lead.
pub struct Elector {
    api: Api<Lease>,
    name: String,
    identity: String,
    duration: Duration,
}

impl Elector {
    /// Competes for the Lease `name` in `namespace`. `identity` is unique to this process; `client` is used for nothing else,
    /// so that a renewal never waits behind other calls.
    pub fn new(client: Client, namespace: &str, name: &str, identity: String, duration: Duration) -> Self {
        Self { api: Api::namespaced(client, namespace), name: name.to_owned(), identity, duration }
    }

    /// Waits until this replica leads, then works until the work is done or the Lease is lost, whichever is first; lost: `None`,
    /// and the work is dropped where it stands. When the work ends by itself, the Lease is given back at once. `shutdown` ends
    /// the waiting; the work has to heed it by itself, and may take its time.
    pub async fn lead<T>(&self, shutdown: &CancellationToken, work: impl AsyncFnOnce(Tenure) -> T) -> Option<T> {
        let (held, asked) = shutdown.run_until_cancelled(self.win()).await?;
        info!(identity = self.identity, lease = self.name, "leading");
        let tenure = Tenure { until: Arc::default(), duration: self.duration };
        tenure.extend(asked);
        // A task of its own: renewals must not wait for whatever the work waits for.
        let mut renewal = tokio::spawn(renew(self.api.clone(), held, tenure.clone(), self.identity.clone()));
        let result = tokio::select! {
            biased;
            _ = &mut renewal => None,
            result = work(tenure) => Some(result),
        };
        renewal.abort();
        match &result {
            None => warn!(lease = self.name, "no longer leading"),
            Some(_) => self.give_back().await,
        }
        result
    }

    async fn win(&self) -> (Lease, Duration) {
        let mut sighting = Sighting::default();
        loop {
            let asked = since_boot();
            match timeout(self.duration / 5, self.attempt(&mut sighting)).await {
                Ok(Ok(Some(held))) => return (held, asked),
                Ok(Ok(None)) => {}
                Ok(Err(error)) => warn!(lease = self.name, %error, "cannot compete for the Lease, will try again"),
                Err(_) => warn!(lease = self.name, "the API server does not answer, will try again"),
            }
            sleep(LOOK.min(self.duration / 5)).await;
        }
    }

    /// Takes the Lease, if it is to be had.
    async fn attempt(&self, sighting: &mut Sighting) -> Result<Option<Lease>, Error> {
        let params = PostParams::default();
        let result = match self.api.get_opt(&self.name).await? {
            None => {
                let mut lease = Lease::default();
                lease.metadata.name = Some(self.name.clone());
                lease.spec = Some(self.spec(None));
                self.api.create(&params, &lease).await
            }
            Some(mut lease) => {
                if !sighting.free(&lease, &self.identity, since_boot()) {
                    return Ok(None);
                }
                lease.spec = Some(self.spec(lease.spec.as_ref()));
                self.api.replace(&self.name, &params, &lease).await
            }
        };
        match result {
            Err(Error::Api(status)) if status.code == 409 => {
                debug!(lease = self.name, "another replica was faster");
                Ok(None)
            }
            result => result.map(Some),
        }
    }

    fn spec(&self, before: Option<&LeaseSpec>) -> LeaseSpec {
        let now = Some(MicroTime(Timestamp::now()));
        LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: Some(i32::try_from(self.duration.as_secs()).unwrap_or(i32::MAX).max(1)),
            acquire_time: now.clone(),
            renew_time: now,
            lease_transitions: Some(before.and_then(|spec| spec.lease_transitions).map_or(0, |n| n.saturating_add(1))),
            ..LeaseSpec::default()
        }
    }

    /// Empties the Lease, so that the next replica need not wait for its end.
    async fn give_back(&self) {
        let attempt = async {
            let mut lease = self.api.get(&self.name).await?;
            let Some(spec) = lease.spec.as_mut().filter(|spec| holder(spec) == self.identity) else { return Ok(()) };
            (spec.holder_identity, spec.renew_time) = (Some(String::new()), Some(MicroTime(Timestamp::now())));
            self.api.replace(&self.name, &PostParams::default(), &lease).await.map(drop)
        };
        match timeout(self.duration / 5, attempt).await {
            Ok(Ok(())) => info!(lease = self.name, "gave the Lease back"),
            Ok(Err(error)) => warn!(lease = self.name, %error, "could not give the Lease back, it will run out"),
            Err(_) => warn!(lease = self.name, "could not give the Lease back in time, it will run out"),
        }
    }
}

/// Renews until the Lease is lost.
async fn renew(api: Api<Lease>, mut held: Lease, tenure: Tenure, identity: String) {
    let pause = tenure.duration / 5;
    let name = held.metadata.name.clone().unwrap_or_default();
    let mut rest = pause;
    while since_boot() < tenure.until() {
        sleep(std::mem::replace(&mut rest, pause)).await;
        let asked = since_boot();
        if let Some(spec) = held.spec.as_mut() {
            spec.renew_time = Some(MicroTime(Timestamp::now()));
        }
        match timeout(pause, api.replace(&name, &PostParams::default(), &held)).await {
            // The answer may come after somebody else could have taken over: it is late, but it says that nobody did.
            Ok(Ok(lease)) => {
                held = lease;
                tenure.extend(asked);
            }
            Ok(Err(Error::Api(status))) if status.code == 404 => return,
            Ok(Err(Error::Api(status))) if status.code == 409 => match timeout(pause, api.get(&name)).await {
                // Somebody touched it, or a renewal had arrived whose answer was lost.
                Ok(Ok(lease)) if lease.spec.as_ref().map(holder) == Some(&identity) => {
                    held = lease;
                    rest = Duration::ZERO;
                }
                Ok(Ok(_)) => return,
                _ => {}
            },
            Ok(Err(error)) => warn!(lease = name, %error, "could not renew the Lease, will try again"),
            Err(_) => warn!(lease = name, "the Lease was not renewed in time, will try again"),
        }
    }
}

fn holder(spec: &LeaseSpec) -> &str {
    spec.holder_identity.as_deref().unwrap_or_default()
}

/// The state of the Lease, and since when we know it.
#[derive(Debug, Default)]
struct Sighting {
    version: Option<String>,
    since: Duration,
}

impl Sighting {
    /// Whether `lease` may be taken at `now`: nobody's, our own (a late answer to our own PUT), or unchanged for as long as
    /// its holder said.
    fn free(&mut self, lease: &Lease, identity: &str, now: Duration) -> bool {
        if self.version != lease.metadata.resource_version {
            (self.version, self.since) = (lease.metadata.resource_version.clone(), now);
        }
        let Some(spec) = &lease.spec else { return true };
        let seconds = u64::try_from(spec.lease_duration_seconds.unwrap_or(0)).unwrap_or(0);
        let holder = holder(spec);
        holder.is_empty() || holder == identity || now >= self.since + Duration::from_secs(seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease(version: &str, holder: &str) -> Lease {
        let spec = serde_json::json!({"holderIdentity": holder, "leaseDurationSeconds": 15});
        serde_json::from_value(serde_json::json!({"metadata": {"resourceVersion": version}, "spec": spec})).unwrap()
    }

    #[test]
    fn a_lease_is_free_when_it_did_not_change_for_its_duration_on_our_clock() {
        let second = Duration::from_secs;
        let mut sighting = Sighting::default();
        for (at, version, holder, free) in [
            (100, "1", "other", false),
            (114, "1", "other", false),
            (115, "2", "other", false),
            (129, "2", "other", false),
            (130, "2", "other", true),
            (131, "3", "third", false),
            (132, "4", "", true),
            (133, "5", "me", true),
        ] {
            assert_eq!(sighting.free(&lease(version, holder), "me", second(at)), free, "{at} {version} {holder}");
        }
    }

    #[tokio::test]
    async fn a_call_does_not_go_on_when_there_is_no_time_left() {
        let tenure = Tenure { until: Arc::default(), duration: Duration::from_secs(15) };
        let mut calls = 0;
        assert_eq!(tenure.guard(async { calls += 1 }).await, None);
        tenure.extend(since_boot());
        assert_eq!(tenure.guard(async { calls += 1 }).await, Some(()));
        let paused = async {
            tenure.until.store(0, Ordering::Release);
            tokio::task::yield_now().await;
            calls += 1;
        };
        assert_eq!(tenure.guard(paused).await, None);
        assert_eq!(calls, 1);
    }

    #[test]
    fn a_tenure_ends_a_third_early_and_counts_from_before_the_request() {
        let tenure = Tenure { until: Arc::default(), duration: Duration::from_secs(15) };
        assert!(!tenure.holds());
        tenure.extend(since_boot());
        assert!(tenure.holds());
        tenure.extend(since_boot().saturating_sub(Duration::from_millis(10_100)));
        assert!(!tenure.holds());
    }
}
