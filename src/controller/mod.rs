//! The controller: watches → allocation → patches.
//!
//! Replicas compete for a Lease; the one that holds it leads ([`leader`]): it follows the configuration ([`config`]), hears of
//! Services, lets the allocator decide ([`state`]), sends one write per decision ([`plan()`]), and keeps what is to be remembered
//! of released addresses ([`memory`]). It makes the keys of the speakers' heartbeats ([`keys`]). What the speakers' records say becomes conditions and Events ([`announced`]). The others
//! wait, knowing nothing.

mod announced;
mod config;
mod hosts;
mod keys;
mod leader;
mod memory;
mod metrics;
pub mod plan;
pub mod state;

use crate::cluster::{
    client::{connect, find},
    events::Teller,
    lease::Elector,
    names,
};
use crate::ops::metrics::MetricsArgs;
use leader::Leader;
use std::{sync::Arc, time::Duration};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::info;

/// `landfall controller`.
#[derive(Debug, Clone, clap::Args)]
pub struct ControllerArgs {
    /// Namespace of the configuration and of the Lease
    #[arg(long, env = "LANDFALL_NAMESPACE", default_value = names::NAMESPACE)]
    pub namespace: String,
    /// Serve the Services of this loadBalancerClass instead of those without a class
    #[arg(long, env = "LANDFALL_LB_CLASS")]
    pub lb_class: Option<String>,
    /// After how many seconds another replica takes over from one that is silent
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u16).range(3..=600))]
    pub lease_duration: u16,
    /// Name of this replica; made unique by a random suffix
    #[arg(long, env = "HOSTNAME", default_value = names::CONTROLLER)]
    pub identity: String,
    /// Where its metrics are to be read
    #[command(flatten)]
    pub metrics: MetricsArgs,
}

/// Runs until `shutdown`.
///
/// # Errors
/// Where no API server is configured, or nothing can listen where metrics are to be read. An API server that does not answer is
/// waited for.
pub async fn run(args: ControllerArgs, shutdown: CancellationToken) -> anyhow::Result<()> {
    let config = find().await?;
    let (client, lease_client) = (connect(&config)?, connect(&config)?);
    let identity = format!("{}_{:08x}", args.identity, rand::random::<u32>());
    info!(version = env!("CARGO_PKG_VERSION"), identity, server = %config.cluster_url, "controller");
    let teller = Teller::start(client.clone(), names::CONTROLLER, identity.clone());
    let (figures, latest) = watch::channel(None);
    let writes = Arc::default();
    let latest = metrics::Latest { figures: latest, writes: Arc::clone(&writes), events: teller.counts() };
    args.metrics.serve(latest).await?;
    let duration = Duration::from_secs(args.lease_duration.into());
    let elector = Elector::new(lease_client, &args.namespace, names::LEASE, identity, duration);
    let (namespace, configuration) = (&args.namespace, watch::Sender::new(config::about(&args.namespace)));
    let leader = Leader { client, namespace, class: args.lb_class, teller, configuration, figures, writes };
    while !shutdown.is_cancelled() {
        elector.lead(&shutdown, async |tenure| leader.lead(tenure, &shutdown).await).await;
    }
    Ok(())
}
