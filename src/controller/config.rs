//! From the ConfigMap that the user edits to the configuration in effect.
//!
//! What cannot be parsed never takes effect: what was accepted before stays, and the error is told. What is accepted is stored in
//! the ConfigMap `landfall-accepted` first and takes effect then, so that speakers and the next leader have the same one. A leader
//! that starts beside a bad edit begins with the stored one.

use crate::cluster::{
    Change,
    accepted::{Accepted, only},
    events::{Severity, Teller, Telling},
    lease::Tenure,
    names, watch,
};
use anyhow::Context;
use futures::StreamExt;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, ObjectReference};
use kube::{
    Api, Client, Error, Resource,
    api::{Patch, PatchParams, PostParams},
};
use landfall_core::config::{self, Config};
use serde_json::json;
use std::{pin::pin, sync::Arc, time::Duration};
use tokio::{
    sync::watch::Sender,
    time::{sleep, timeout},
};
use tracing::{error, info, warn};

/// After a call that failed.
const AGAIN: Duration = Duration::from_secs(1);

/// The user's ConfigMap.
struct Edited {
    about: ObjectReference,
    text: Option<String>,
}

impl Edited {
    fn new(map: ConfigMap) -> Self {
        Self { about: map.object_ref(&()), text: map.data.unwrap_or_default().remove(names::CONFIG_KEY) }
    }
}

/// Follows the ConfigMap for as long as this replica leads, and gives every accepted configuration to `effect`.
pub async fn follow(
    client: Client,
    namespace: &str,
    tenure: Tenure,
    teller: Teller,
    effect: Sender<Option<Arc<Config>>>,
) {
    let mut desk = Desk {
        api: Api::namespaced(client.clone(), namespace),
        tenure,
        teller,
        effect,
        stored: Accepted::default(),
        seen: None,
    };
    desk.open(&client).await;
    let edits: Api<_> = Api::namespaced(client, namespace);
    let mut edits = pin!(watch(edits, only(names::CONFIG), Edited::new));
    while let Some(change) = edits.next().await {
        match change {
            Change::Applied(edited) => desk.edited(edited).await,
            Change::Deleted(_) => {
                desk.seen = None;
                warn!("ConfigMap {namespace}/{} is gone: the accepted configuration stays in effect", names::CONFIG);
            }
            Change::Synced => desk.fall_back(),
        }
    }
}

struct Desk {
    api: Api<ConfigMap>,
    tenure: Tenure,
    teller: Teller,
    effect: Sender<Option<Arc<Config>>>,
    /// What the API server has.
    stored: Accepted,
    /// The edit that was judged last.
    seen: Option<Option<String>>,
}

impl Desk {
    /// Reads what is stored, and stores the cluster's id where it is missing.
    async fn open(&mut self, client: &Client) {
        let system: Api<Namespace> = Api::all(client.clone());
        let read = async || {
            let system = system.get("kube-system").await.context("reading namespace kube-system")?;
            let stored = self.api.get_opt(names::ACCEPTED).await.context("reading the accepted configuration")?;
            anyhow::Ok((system.metadata.uid.unwrap_or_default(), stored.map(Accepted::new).unwrap_or_default()))
        };
        let (uid, stored) = self.insist(read).await;
        self.stored = stored;
        if self.stored.cluster.as_ref() != Some(&uid) {
            self.store(Accepted { cluster: Some(uid), ..self.stored.clone() }).await;
        }
    }

    async fn edited(&mut self, Edited { about, text }: Edited) {
        if self.seen.as_ref() == Some(&text) {
            return;
        }
        self.seen = Some(text.clone());
        let parsed = match &text {
            None => Err(format!("the key {} is missing", names::CONFIG_KEY)),
            Some(text) => config::parse(text).map_err(|errors| errors.to_string()),
        };
        match (parsed, text) {
            (Ok(parsed), Some(text)) => {
                for warning in &parsed.warnings {
                    warn!("configuration: {warning}");
                    self.tell(&about, Severity::Warning, "ConfigurationWarning", warning.to_string());
                }
                let pools = parsed.config.pools.iter().map(|pool| &*pool.name).collect::<Vec<_>>().join(", ");
                if self.stored.config.as_ref() != Some(&text) {
                    self.store(Accepted { config: Some(text), ..self.stored.clone() }).await;
                    self.tell(
                        &about,
                        Severity::Normal,
                        "ConfigurationAccepted",
                        format!("in effect, with the pools: {pools}"),
                    );
                }
                info!(pools, "configuration accepted");
                self.effect.send_replace(Some(Arc::new(parsed.config)));
            }
            (Err(errors), _) => {
                error!("configuration refused, the accepted one stays in effect: {errors}");
                self.tell(&about, Severity::Warning, "ConfigurationRefused", errors);
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

    async fn store(&mut self, accepted: Accepted) {
        let put = async || {
            if !self.tenure.holds() {
                anyhow::bail!("the lease is running out");
            }
            let patch = Patch::Merge(json!({"data": accepted.data()}));
            let manager = Some(names::CONTROLLER.to_owned());
            let params = PatchParams { field_manager: manager.clone(), ..PatchParams::default() };
            match self.api.patch(names::ACCEPTED, &params, &patch).await {
                Err(Error::Api(status)) if status.code == 404 => {
                    let map = json!({"metadata": {"name": names::ACCEPTED}, "data": accepted.data()});
                    let params = PostParams { field_manager: manager, ..PostParams::default() };
                    self.api.create(&params, &serde_json::from_value(map)?).await
                }
                result => result,
            }
            .context("storing the accepted configuration")
        };
        self.insist(put).await;
        self.stored = accepted;
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

    fn tell(&self, about: &ObjectReference, severity: Severity, reason: &'static str, note: String) {
        self.teller.tell(about.clone(), Telling { severity, reason, note });
    }
}
