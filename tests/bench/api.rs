//! The API server's end: one connection inside the cluster, so that little of what is measured is the measuring.

use anyhow::{Context, Result};
use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::Service;
use kube::{
    Api, Config,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams},
    config::{KubeConfigOptions, Kubeconfig},
};
use landfall::cluster::client;
use landfall_sandbox::Cluster;
use serde_json::{Value, json};
use std::{
    net::IpAddr,
    pin::Pin,
    time::{Duration, Instant},
};

/// Longer than anything takes.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Services of namespace `default`, as administrator.
pub struct Services(Api<Service>);

impl Services {
    /// To be called in the control plane's namespace, inside a tokio runtime.
    ///
    /// # Errors
    /// Where the API server does not answer.
    pub async fn connect(cluster: &Cluster) -> Result<Self> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let file = Kubeconfig::read_from(cluster.kubeconfig())?;
        let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await?;
        // The client of Landfall itself: kube's own waits for acknowledgements (no TCP_NODELAY).
        Ok(Self(Api::namespaced(client::connect(&config)?, "default")))
    }

    /// Creates a Service, and says how long the call took.
    ///
    /// # Errors
    /// Where it is refused.
    pub async fn create(&self, service: Value) -> Result<(Service, Duration)> {
        let start = Instant::now();
        let created = self.0.create(&PostParams::default(), &serde_json::from_value(service)?).await?;
        Ok((created, start.elapsed()))
    }

    /// Patches a Service's status, and says how long the call took: what one write costs.
    ///
    /// # Errors
    /// Where it is refused.
    pub async fn patch_status(&self, name: &str) -> Result<Duration> {
        let condition = json!({
            "type": "bench.landfall.dev/Bare", "status": "True", "reason": "Bare", "message": "",
            "lastTransitionTime": "2026-01-01T00:00:00Z"
        });
        let patch = json!({"status": {"conditions": [condition]}});
        let start = Instant::now();
        self.0.patch_status(name, &PatchParams::default(), &Patch::Strategic(&patch)).await?;
        Ok(start.elapsed())
    }

    /// Deletes a Service and waits until it is gone.
    ///
    /// # Errors
    /// Where it stays.
    pub async fn delete(&self, name: &str) -> Result<()> {
        self.0.delete(name, &DeleteParams::default()).await?;
        let gone = async {
            while self.0.get_opt(name).await?.is_some() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            anyhow::Ok(())
        };
        tokio::time::timeout(PATIENCE, gone).await.with_context(|| format!("{name} is not gone"))?
    }

    /// Hears of every change from now on. The watch keeps its connection to itself, so another one is opened here for what
    /// is measured next: no handshake falls into that.
    ///
    /// # Errors
    /// Where the watch cannot be begun.
    pub async fn watch(&self) -> Result<Changes> {
        let list = self.0.list(&ListParams::default()).await?;
        let version = list.metadata.resource_version.unwrap_or_default();
        let stream = self.0.watch(&WatchParams::default().timeout(290), &version).await?;
        self.0.list(&ListParams::default().limit(1)).await?;
        Ok(Changes(stream.map_err(Into::into).boxed()))
    }
}

/// Changes of Services.
pub struct Changes(Pin<Box<dyn futures::Stream<Item = Result<WatchEvent<Service>>> + Send>>);

impl Changes {
    /// Waits until the Service has an address.
    ///
    /// # Errors
    /// Where it has none in time.
    pub async fn addressed(&mut self, name: &str) -> Result<IpAddr> {
        let found = async {
            while let Some(event) = self.0.next().await {
                let (WatchEvent::Added(service) | WatchEvent::Modified(service)) = event? else { continue };
                if service.metadata.name.as_deref() == Some(name)
                    && let Some(ip) = first_address(&service)
                {
                    return ip.parse().context("the status has no address");
                }
            }
            anyhow::bail!("the watch ended")
        };
        tokio::time::timeout(PATIENCE, found).await.with_context(|| format!("{name} got no address"))?
    }
}

fn first_address(service: &Service) -> Option<String> {
    service.status.as_ref()?.load_balancer.as_ref()?.ingress.as_ref()?.first()?.ip.clone()
}
