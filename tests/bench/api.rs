//! The API server's end: one connection inside the cluster, so that little of what is measured is the measuring.

use anyhow::{Context, Result};
use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::{api::core::v1::Service, jiff::Timestamp};
use kube::{
    Api, Config, ResourceExt,
    api::{DeleteParams, ListParams, PostParams, WatchEvent, WatchParams},
    config::{KubeConfigOptions, Kubeconfig},
};
use landfall::{
    cluster::{
        client,
        service::{self, ServiceObject},
    },
    controller::plan::plan,
};
use landfall_core::alloc::{Decision, ServiceKey};
use landfall_sandbox::Cluster;
use serde_json::{Value, json};
use std::{
    net::IpAddr,
    path::Path,
    pin::{Pin, pin},
    time::{Duration, Instant},
};

/// Longer than anything takes.
pub const PATIENCE: Duration = Duration::from_secs(30);
const FEW: usize = 4;

/// Services of namespace `default`.
pub struct Services(Api<Service>);

impl Services {
    /// As administrator. To be called in the control plane's namespace, inside a tokio runtime.
    ///
    /// # Errors
    /// Where there is no kubeconfig.
    pub async fn connect(cluster: &Cluster) -> Result<Self> {
        Self::connect_by(&cluster.kubeconfig()).await
    }

    /// As whom a kubeconfig says. To be called as [`Services::connect`].
    ///
    /// # Errors
    /// As there.
    pub async fn connect_by(kubeconfig: &Path) -> Result<Self> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let file = Kubeconfig::read_from(kubeconfig)?;
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

    /// Calls for each of `items`, so many at once.
    ///
    /// # Errors
    /// The first call that failed.
    async fn each<T>(
        &self,
        items: Vec<T>,
        at_once: usize,
        call: impl AsyncFn(&Api<Service>, T) -> Result<()>,
    ) -> Result<()> {
        stream::iter(items).map(|item| call(&self.0, item)).buffer_unordered(at_once).try_collect().await
    }

    /// Creates them all.
    ///
    /// # Errors
    /// Where one is refused.
    pub async fn create_all(&self, services: Vec<Value>) -> Result<()> {
        self.each(services, FEW, async |api, service| {
            api.create(&PostParams::default(), &serde_json::from_value(service)?).await?;
            Ok(())
        })
        .await
    }

    /// Deletes these. Those with a finalizer are there until it is gone.
    ///
    /// # Errors
    /// Where one is refused.
    pub async fn delete_all(&self, names: Vec<String>) -> Result<()> {
        self.each(names, FEW, async |api, name| {
            api.delete(&name, &DeleteParams::default()).await?;
            Ok(())
        })
        .await
    }

    /// All that there are, as Landfall's controller sees them.
    ///
    /// # Errors
    /// Where the list fails.
    pub async fn projected(&self) -> Result<Vec<service::Service>> {
        let api: Api<ServiceObject> = Api::namespaced(self.0.clone().into_client(), "default");
        let list = api.list(&ListParams::default()).await?;
        Ok(list.items.into_iter().map(|object| service::Service::new(object, None)).collect())
    }

    /// Sends what Landfall's controller would send for these decisions about Services that look like this, so many at once:
    /// the least that it costs.
    ///
    /// # Errors
    /// Where one is refused.
    pub async fn carry_out(&self, decisions: &[(service::Service, Decision)], at_once: usize) -> Result<()> {
        let patch = |(service, decision): &(service::Service, Decision)| {
            let plan = plan(service, Some(decision), Timestamp::now());
            Some((service.alloc.key.clone(), plan?.patch))
        };
        let patches: Vec<(ServiceKey, Value)> = decisions.iter().filter_map(patch).collect();
        let client = self.0.clone().into_client();
        self.each(patches, at_once, async |_, (key, patch)| {
            service::patch_status(&client, &key, &patch).await?;
            Ok(())
        })
        .await
    }

    /// The same beside a watch of the Services, whose events are read as Landfall's controller reads them, and dropped: what it costs
    /// to follow them, whoever does.
    ///
    /// # Errors
    /// Where a write or the watch is refused.
    pub async fn carry_out_watching(&self, decisions: &[(service::Service, Decision)], at_once: usize) -> Result<()> {
        let api: Api<ServiceObject> = Api::namespaced(self.0.clone().into_client(), "default");
        let mut version =
            self.0.list(&ListParams::default().limit(1)).await?.metadata.resource_version.unwrap_or_default();
        let follow = async {
            loop {
                let mut changes = pin!(api.watch(&WatchParams::default().timeout(290), &version).await?);
                // A watch ends where the API server finds that its reader is behind.
                while let Some(event) = changes.next().await {
                    match event? {
                        WatchEvent::Added(service) | WatchEvent::Modified(service) => {
                            version = service.resource_version().unwrap_or_default();
                        }
                        WatchEvent::Error(status) => anyhow::bail!("the watch: {}", status.message),
                        WatchEvent::Deleted(_) | WatchEvent::Bookmark(_) => {}
                    }
                }
            }
        };
        tokio::select! {
            done = self.carry_out(decisions, at_once) => done,
            end = follow => end,
        }
    }

    /// Patches a Service's status as Landfall does, and says how long the call took: what one write costs.
    ///
    /// # Errors
    /// Where it is refused.
    pub async fn patch_status(&self, name: &str) -> Result<Duration> {
        let condition = json!({
            "type": "bench.landfall.dev/Bare", "status": "True", "reason": "Bare", "message": "",
            "lastTransitionTime": "2026-01-01T00:00:00Z"
        });
        let patch = json!({"status": {"conditions": [condition]}});
        let (client, key) = (self.0.clone().into_client(), ServiceKey::new("default", name));
        let start = Instant::now();
        service::patch_status(&client, &key, &patch).await?;
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
        self.until(name, |service| {
            let address = first_address(service).map(|ip| ip.parse().context("the status has no address"));
            address.transpose()
        })
        .await
    }

    /// Waits until the Service is such that `check` finds something in it.
    ///
    /// # Errors
    /// Where it is not in time; and those of `check`.
    pub async fn until<T>(&mut self, name: &str, mut check: impl FnMut(&Service) -> Result<Option<T>>) -> Result<T> {
        let found = async {
            while let Some(event) = self.0.next().await {
                let (WatchEvent::Added(service) | WatchEvent::Modified(service)) = event? else { continue };
                if service.metadata.name.as_deref() == Some(name)
                    && let Some(found) = check(&service)?
                {
                    return Ok(found);
                }
            }
            anyhow::bail!("the watch ended")
        };
        tokio::time::timeout(PATIENCE, found).await.with_context(|| format!("{name} does not change as it should"))?
    }
}

fn first_address(service: &Service) -> Option<String> {
    service.status.as_ref()?.load_balancer.as_ref()?.ingress.as_ref()?.first()?.ip.clone()
}
