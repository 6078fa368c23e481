//! Asks kube-proxy every second whether it is healthy, on a connection of its own each time: a verdict when it changes.

use crate::ops::clock;
use anyhow::Context;
use futures::{Stream, StreamExt, stream};
use http_body_util::Empty;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use landfall_core::health::{Answer, Broken, DataPath, EVERY, Rules};
use std::{future::ready, time::Duration};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tracing::{info, warn};

/// Where kube-proxy answers unless it is told otherwise.
pub const HEALTHZ: &str = "http://127.0.0.1:10256/healthz";
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_millis(900);

/// The verdicts: the first after the first answer, or none in time, then each that differs from the one before. Where `healthz`
/// is empty nobody is asked, and the data path counts as sound.
///
/// # Errors
/// Where `healthz` is no URL.
pub fn verdicts(healthz: &str) -> anyhow::Result<impl Stream<Item = Result<Rules, Broken>> + Send + use<>> {
    if healthz.is_empty() {
        return Ok(stream::once(ready(Ok(Rules::Fresh))).left_stream());
    }
    let url = healthz.parse().with_context(|| format!("--kube-proxy-healthz: {healthz:?} is no URL"))?;
    let http: Client<HttpConnector, Empty<&[u8]>> =
        Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build_http();
    let ask = async move || match timeout(PATIENCE, http.get(Clone::clone(&url))).await {
        Ok(Ok(response)) if response.status() == 200 => Answer::Healthy,
        Ok(Ok(response)) if response.status() == 503 => Answer::Unhealthy,
        _ => Answer::Silent,
    };
    let mut seconds = interval(EVERY);
    seconds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let path = DataPath::new(clock::since_boot());
    Ok(stream::unfold((ask, seconds, path, None), async |(ask, mut seconds, mut path, before)| {
        loop {
            seconds.tick().await;
            let verdict = path.hear(ask().await, clock::since_boot());
            if before != Some(verdict) {
                match verdict {
                    Ok(Rules::Fresh) if before.is_none() => {}
                    Ok(Rules::Fresh) => info!("kube-proxy is healthy, or not waited for any longer"),
                    Ok(Rules::Stale) => {
                        warn!("kube-proxy is not healthy any more: the node yields to those where it is")
                    }
                    Err(why) => warn!(%why, "the node announces nothing"),
                }
                return Some((verdict, (ask, seconds, path, Some(verdict))));
            }
        }
    })
    .right_stream())
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::StreamExt;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    /// Answers one question with `status`.
    async fn answer(listener: &TcpListener, status: &str) {
        let (mut connection, _) = listener.accept().await.unwrap();
        let mut request = [0; 1024];
        let len = connection.read(&mut request).await.unwrap();
        assert!(request[..len].starts_with(b"GET /healthz HTTP/1.1\r\n"));
        let head = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
        connection.write_all(head.as_bytes()).await.unwrap();
    }

    #[tokio::test]
    async fn each_question_is_a_new_connection_and_a_verdict_comes_when_it_changes() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/healthz", listener.local_addr().unwrap());
        let mut verdicts = Box::pin(verdicts(&url).unwrap());
        let unhealthy = answer(&listener, "503 Service Unavailable");
        assert_eq!(tokio::join!(verdicts.next(), unhealthy).0, Some(Err(Broken::Unhealthy)));
        let healthy = async {
            answer(&listener, "503 Service Unavailable").await;
            answer(&listener, "200 OK").await;
        };
        assert_eq!(tokio::join!(verdicts.next(), healthy).0, Some(Ok(Rules::Fresh)));
    }

    #[tokio::test]
    async fn where_nobody_is_asked_the_data_path_counts_as_sound() {
        let all: Vec<_> = verdicts("").unwrap().collect().await;
        assert_eq!(all, [Ok(Rules::Fresh)]);
        assert!(verdicts("not a URL").err().unwrap().to_string().contains("--kube-proxy-healthz"));
    }
}
