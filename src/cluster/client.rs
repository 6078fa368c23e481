//! A client for the API server whose every wait is bounded.
//!
//! kube's own client sets no TCP_NODELAY and no keepalive, waits for an answer for ever, and retries a busy server up to
//! fifteen times inside a call. Here a dead connection is noticed within 20 s, an answer that does not begin within 15 s is
//! an error, and nothing is retried: whoever calls knows better when and whether.

use hyper_util::{
    client::legacy::{Client as Http, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use kube::{
    Client, Config,
    client::{Body, ClientBuilder, ConfigExt},
};
use std::time::Duration;
use tower::{BoxError, ServiceBuilder};

/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(5);
/// How long an idle connection is trusted before it is probed.
const KEEPALIVE: Duration = Duration::from_secs(15);
/// How long sent data may stay unacknowledged.
const UNACKNOWLEDGED: Duration = Duration::from_secs(20);
/// How long the beginning of an answer may take. A watch answers at once and then streams.
const ANSWER: Duration = Duration::from_secs(15);

/// Finds the API server by `KUBECONFIG`, `~/.kube/config`, or the Pod's ServiceAccount, in this order.
pub async fn find() -> anyhow::Result<Config> {
    use anyhow::Context;
    Config::infer()
        .await
        .context("no API server: neither a kubeconfig (KUBECONFIG) nor a Pod's ServiceAccount was found")
}

/// A client with its own connections: make another where calls must not queue behind these (the Lease's).
pub fn connect(config: &Config) -> anyhow::Result<Client> {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(CONNECT));
    tcp.set_keepalive(Some(KEEPALIVE));
    tcp.set_keepalive_interval(Some(Duration::from_secs(2)));
    tcp.set_keepalive_retries(Some(3));
    #[cfg(target_os = "linux")]
    tcp.set_tcp_user_timeout(Some(UNACKNOWLEDGED));
    let http: Http<_, Body> = Http::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .build(config.rustls_https_connector_with_connector(tcp)?);
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(config.auth_layer()?)
        .timeout(ANSWER)
        .map_err(BoxError::from)
        .service(http);
    Ok(ClientBuilder::new(service, config.default_namespace.clone()).build())
}
