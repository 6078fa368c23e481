//! A page over HTTP: `GET /metrics` and nothing else, to a few at once, none of whom may take long.

use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{ALLOW, CONTENT_TYPE, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::{convert::Infallible, future::ready, io, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{sleep, timeout},
};
use tracing::{debug, warn};

/// What is served.
pub const PATH: &str = "/metrics";
/// So many connections at once; others wait in the kernel.
const MOST: usize = 4;
/// How long a request's header may take.
const HEADER: Duration = Duration::from_secs(2);
/// How long a connection may take, which carries one request.
const WHOLE: Duration = Duration::from_secs(10);
/// After a connection that could not be taken, such as for want of file descriptors.
const RETRY: Duration = Duration::from_secs(1);

const OPEN_METRICS: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
const PLAIN: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// Listens at `HOST:PORT`.
///
/// # Errors
/// Where that is no address, none of this host's, or taken.
pub async fn listen(address: &str) -> io::Result<TcpListener> {
    TcpListener::bind(address).await
}

/// Serves what `page` makes for each request, for ever.
pub async fn serve(listener: TcpListener, page: impl Fn() -> String + Clone + Send + Sync + 'static) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Some(_) = connections.join_next() => {}
            accepted = listener.accept(), if connections.len() < MOST => match accepted {
                Ok((stream, _)) => _ = connections.spawn(converse(stream, page.clone())),
                Err(error) => {
                    warn!(%error, "a connection for metrics could not be taken");
                    sleep(RETRY).await;
                }
            }
        }
    }
}

async fn converse(stream: TcpStream, page: impl Fn() -> String + Send + Sync) {
    let service = service_fn(|request: Request<Incoming>| {
        ready(Ok::<_, Infallible>(answer(request.method(), request.uri().path(), &page)))
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEADER).keep_alive(false);
    match timeout(WHOLE, http.serve_connection(TokioIo::new(stream), service)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => debug!(%error, "a connection for metrics ended early"),
        Err(_) => debug!("a connection for metrics took too long"),
    }
}

fn answer(method: &Method, path: &str, page: impl Fn() -> String) -> Response<Full<Bytes>> {
    if path != PATH {
        return response(StatusCode::NOT_FOUND, PLAIN, format!("there is {PATH}, and nothing else\n"));
    }
    if method != Method::GET {
        let mut refusal = response(StatusCode::METHOD_NOT_ALLOWED, PLAIN, "it can be read by GET alone\n".into());
        refusal.headers_mut().insert(ALLOW, HeaderValue::from_static("GET"));
        return refusal;
    }
    response(StatusCode::OK, OPEN_METRICS, page())
}

fn response(status: StatusCode, kind: HeaderValue, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::SocketAddr;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    /// A server of one line; its address.
    async fn server() -> SocketAddr {
        let listener = listen("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(serve(listener, || "things_total 7\n# EOF\n".to_owned()));
        address
    }

    /// All that comes back for the first line of a request.
    async fn ask(address: SocketAddr, line: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(format!("{line} HTTP/1.1\r\nHost: {address}\r\n\r\n").as_bytes()).await.unwrap();
        let mut said = String::new();
        stream.read_to_string(&mut said).await.unwrap();
        said.to_lowercase()
    }

    #[tokio::test]
    async fn the_page_can_be_read_and_nothing_else_done() {
        let address = server().await;
        let page = ask(address, "GET /metrics?x=1").await;
        assert!(page.starts_with("http/1.1 200 "), "{page}");
        assert!(
            page.contains("\r\ncontent-type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n"),
            "{page}"
        );
        assert!(page.ends_with("\r\n\r\nthings_total 7\n# eof\n"), "{page}");
        for (line, status) in [
            ("GET /", "404"),
            ("GET /metrics/", "404"),
            ("POST /debug", "404"),
            ("POST /metrics", "405"),
            ("DELETE /metrics", "405"),
            ("nonsense", "400"),
        ] {
            let refusal = ask(address, line).await;
            assert!(
                refusal.starts_with(&format!("http/1.1 {status} ")) && !refusal.contains("things"),
                "{line}: {refusal}"
            );
            assert_eq!(refusal.contains("\r\nallow: get\r\n"), status == "405", "{line}: {refusal}");
        }
    }

    #[tokio::test]
    async fn those_who_say_nothing_keep_nobody_out_for_long() {
        let address = server().await;
        let mut silent = Vec::new();
        for _ in 0..MOST {
            silent.push(TcpStream::connect(address).await.unwrap());
        }
        assert!(ask(address, "GET /metrics").await.starts_with("http/1.1 200 "));
        for mut stream in silent {
            let mut said = Vec::new();
            stream.read_to_end(&mut said).await.unwrap();
            assert_eq!(String::from_utf8_lossy(&said), "", "a silent connection is closed");
        }
    }
}
