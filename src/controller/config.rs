//! From the ConfigMap that the user edits to the configuration in effect.
//!
//! What cannot be parsed never takes effect: what was accepted before stays, and the error is told. What is accepted is stored in
//! the ConfigMap `landfall-accepted` first and takes effect then, so that speakers and the next leader have the same one; somebody
//! else's change of that ConfigMap is undone. A leader that starts beside a bad edit begins with the stored one.

use crate::cluster::{
    Change,
    accepted::Accepted,
    config_map,
    events::{Severity, Teller, Telling},
    lease::Tenure,
    names, only, watch,
};
use anyhow::Context;
use futures::StreamExt;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, ObjectReference};
use kube::{Api, Client};
use landfall_core::config::{self, Config};
use serde_json::json;
use std::{collections::BTreeSet, net::IpAddr, pin::pin, sync::Arc, time::Duration};
use tokio::{
    sync::watch::{Receiver, Sender},
    time::{Instant, sleep, sleep_until, timeout},
};
use tracing::{error, info, warn};

/// After a call that failed.
const AGAIN: Duration = Duration::from_secs(1);

/// The user's ConfigMap.
struct Edited {
    uid: Option<String>,
    text: Option<String>,
}

impl Edited {
    fn new(map: ConfigMap) -> Self {
        Self { uid: map.metadata.uid, text: map.data.unwrap_or_default().remove(names::CONFIG_KEY) }
    }
}

/// Where what is to be said of the ConfigMap goes, and what it is about: with the UID, once that is known.
pub struct Told<'a> {
    pub about: &'a Sender<ObjectReference>,
    pub teller: &'a Teller,
}

/// Before its UID is known.
pub fn about(namespace: &str) -> ObjectReference {
    ObjectReference {
        api_version: Some("v1".into()),
        kind: Some("ConfigMap".into()),
        namespace: Some(namespace.into()),
        name: Some(names::CONFIG.into()),
        ..ObjectReference::default()
    }
}

/// Follows the ConfigMap for as long as this replica leads, and gives every accepted configuration to `effect`. What `nodes` says are
/// the nodes' own addresses is stored beside it.
pub async fn follow(
    client: Client,
    namespace: &str,
    tenure: Tenure,
    told: Told<'_>,
    mut nodes: Receiver<Option<BTreeSet<IpAddr>>>,
    effect: Sender<Option<Arc<Config>>>,
) {
    let mut desk = Desk {
        api: Api::namespaced(client.clone(), namespace),
        tenure,
        told,
        effect,
        stored: Accepted::default(),
        version: None,
        seen: None,
        refused: false,
    };
    let (stored, edits) = (Api::namespaced(client.clone(), namespace), Api::namespaced(client.clone(), namespace));
    let mut stored = pin!(watch(stored, only(names::ACCEPTED), Accepted::new));
    // What is stored comes first: edits are compared with it.
    while let Some(change) = stored.next().await {
        match change {
            Change::Applied(found) => desk.stored = found,
            Change::Deleted(_) => desk.stored = Accepted::default(),
            Change::Synced => break,
        }
    }
    desk.identify(&client).await;
    let mut edits = pin!(watch(edits, only(names::CONFIG), Edited::new));
    let mut quiet = Instant::now();
    loop {
        tokio::select! {
            Some(change) = edits.next() => match change {
                Change::Applied(edited) => desk.edited(edited).await,
                Change::Deleted(_) => {
                    desk.seen = None;
                    desk.told.about.send_modify(|about| about.uid = None);
                    warn!("ConfigMap {namespace}/{} is gone: the accepted configuration stays in effect", names::CONFIG);
                }
                Change::Synced => desk.fall_back(),
            },
            Some(change) = stored.next() => match change {
                Change::Applied(found) => desk.found(found).await,
                Change::Deleted(_) => desk.found(Accepted::default()).await,
                Change::Synced => {}
            },
            Ok(()) = async { sleep_until(quiet).await; nodes.changed().await } => {
                let nodes = nodes.borrow_and_update().clone();
                desk.know(nodes).await;
                // Every speaker reads each version: a cluster that grows is not told node by node.
                quiet = Instant::now() + AGAIN;
            }
            else => return,
        }
    }
}

struct Desk<'a> {
    api: Api<ConfigMap>,
    tenure: Tenure,
    told: Told<'a>,
    effect: Sender<Option<Arc<Config>>>,
    /// What the API server has, or is to have.
    stored: Accepted,
    /// The resourceVersion of the last write of it.
    version: Option<String>,
    /// The edit that was judged last.
    seen: Option<Option<String>>,
    /// Whether it was refused.
    refused: bool,
}

impl Desk<'_> {
    /// Stores the cluster's id where it is missing.
    async fn identify(&mut self, client: &Client) {
        let system: Api<Namespace> = Api::all(client.clone());
        let read = async || {
            let system = system.get("kube-system").await.context("reading namespace kube-system")?;
            anyhow::Ok(system.metadata.uid.unwrap_or_default())
        };
        let uid = self.insist(read).await;
        if self.stored.cluster.as_ref() != Some(&uid) {
            self.store(Accepted { cluster: Some(uid), ..self.stored.clone() }).await;
        }
    }

    /// These are the nodes' own addresses.
    async fn know(&mut self, nodes: Option<BTreeSet<IpAddr>>) {
        if self.stored.nodes != nodes {
            self.store(Accepted { nodes, ..self.stored.clone() }).await;
        }
    }

    /// The watch found this stored: what we wrote, an echo of what we wrote before, or somebody else's word, which is undone.
    async fn found(&mut self, found: Accepted) {
        if found != self.stored && self.store(self.stored.clone()).await {
            warn!("ConfigMap {} was changed or deleted: stored again", names::ACCEPTED);
            // Whoever insists is not fought at full speed.
            sleep(AGAIN).await;
        }
    }

    async fn edited(&mut self, Edited { uid, text }: Edited) {
        self.told.about.send_modify(|about| about.uid = uid);
        if self.seen.as_ref() == Some(&text) {
            return;
        }
        self.seen = Some(text.clone());
        let parsed = match &text {
            None => Err(format!("the key {} is missing: put the configuration's text under it", names::CONFIG_KEY)),
            Some(text) => config::parse(text).map_err(|errors| format!("in {}: {errors}", names::CONFIG_KEY)),
        };
        match (parsed, text) {
            (Ok(parsed), Some(text)) => {
                for warning in &parsed.warnings {
                    warn!("configuration: {warning}");
                    self.tell(Severity::Warning, "ConfigurationWarning", warning.to_string());
                }
                let summary = parsed.config.summary();
                let is_new = self.stored.config.as_ref() != Some(&text);
                if is_new {
                    self.store(Accepted { config: Some(text), ..self.stored.clone() }).await;
                }
                // The way back from a refused edit is no change, but it is news.
                if std::mem::take(&mut self.refused) || is_new {
                    self.tell(Severity::Normal, "ConfigurationAccepted", format!("in effect, {summary}"));
                }
                info!("configuration accepted, {summary}");
                self.effect.send_replace(Some(Arc::new(parsed.config)));
            }
            (Err(errors), _) => {
                error!("configuration refused, the accepted one stays in effect: {errors}");
                self.refused = true;
                self.tell(Severity::Warning, "ConfigurationRefused", errors);
            }
            (Ok(_), None) => {}
        }
    }

    /// With no edit that could be accepted, what was accepted before is in effect; without that, nothing is configured.
    fn fall_back(&self) {
        if self.effect.borrow().is_some() {
            return;
        }
        let config = match self.stored.config.as_deref().map(config::parse) {
            Some(Ok(parsed)) => {
                warn!("starting with the configuration that was accepted before");
                parsed.config
            }
            Some(Err(errors)) => {
                error!("the stored configuration is not understood by this version, starting without pools: {errors}");
                Config::default()
            }
            None => {
                info!("no configuration yet: waiting for the ConfigMap {}", names::CONFIG);
                Config::default()
            }
        };
        self.effect.send_replace(Some(Arc::new(config)));
    }

    /// Says whether there was anything to write.
    async fn store(&mut self, accepted: Accepted) -> bool {
        let put = async || self.tenure.guard(self.put(&accepted)).await.context("the lease is running out")?;
        let version = self.insist(put).await.metadata.resource_version;
        self.stored = accepted;
        // A patch that changes nothing makes no new version.
        std::mem::replace(&mut self.version, version.clone()) != version
    }

    async fn put(&self, accepted: &Accepted) -> anyhow::Result<ConfigMap> {
        let map = json!({"metadata": {"name": names::ACCEPTED}, "data": accepted.data()});
        let put = config_map::put(&self.api, names::ACCEPTED, map, names::CONTROLLER).await;
        put.context("storing the accepted configuration")
    }

    /// Repeats a call until it succeeds. It ends at the latest with this replica's lead, which drops the whole task.
    async fn insist<T>(&self, call: impl AsyncFn() -> anyhow::Result<T>) -> T {
        loop {
            match timeout(self.tenure.margin(), call()).await {
                Ok(Ok(value)) => return value,
                Ok(Err(error)) => warn!("{error:#}, will try again"),
                Err(_) => warn!("the API server does not answer, will try again"),
            }
            sleep(AGAIN).await;
        }
    }

    fn tell(&self, severity: Severity, reason: &'static str, note: String) {
        let about = self.told.about.borrow().clone();
        self.told.teller.tell(about, Telling { severity, reason, note });
    }
}
