//! The admin listener: health and metrics over HTTP/1.1, apart from the data plane.
//!
//! `GET /livez`, `/readyz`, `/metrics`, and nothing else. It shows no secrets and changes nothing, yet it listens on
//! loopback or a unix socket only (`listeners::bind_admin` refuses others) and answers only when the Host header names
//! this machine or an allowed host: without that, any web page could read it through a rebound DNS name. Over a unix
//! socket every host is accepted, no browser can reach it.
//!
//! At most `ADMIN_CONNECTIONS_MAX` connections; further ones are closed and counted. A head has 10 s to arrive, a
//! connection lives at most a minute. It answers until the very end of the process, so that a drain can be watched.

use super::health::Health;
use crate::{
    limits::{ADMIN_CONNECTIONS_MAX, ADMIN_HEAD_BYTES_MAX},
    node::Node,
    telemetry::{
        cells::ProcessCell,
        metrics::{self, Scrape},
        process::ProcessFigures,
    },
};
use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{self, HeaderMap, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::{
    convert::Infallible,
    io,
    net::{IpAddr, TcpListener},
    os::unix::net::UnixListener,
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::Semaphore,
};

/// A bound admin listener.
#[derive(Debug)]
pub enum AdminListener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// What the admin listener answers from.
pub struct Admin {
    pub node: Arc<Node>,
    pub health: Arc<Health>,
    /// Unix time at which the process started, in seconds.
    pub started_at_s: u64,
    /// Host names accepted besides loopback names.
    pub allowed_hosts: Vec<Box<str>>,
}

const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
const CONNECTION_AGE_MAX: Duration = Duration::from_secs(60);
/// After this a client that does not read its answer is cut.
const CONNECTION_LINGER: Duration = Duration::from_secs(10);
/// Pause after a failed accept, which means that descriptors have run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Accepts and answers until the runtime ends.
pub async fn serve(admin: Arc<Admin>, listener: AdminListener) -> io::Result<()> {
    let permits = Arc::new(Semaphore::new(ADMIN_CONNECTIONS_MAX));
    match listener {
        AdminListener::Tcp(listener) => {
            listener.set_nonblocking(true)?;
            let listener = tokio::net::TcpListener::from_std(listener)?;
            loop {
                let accepted = listener.accept().await.map(|(stream, _)| stream);
                take(&admin, &permits, accepted, Transport::Tcp).await;
            }
        }
        AdminListener::Unix(listener) => {
            listener.set_nonblocking(true)?;
            let listener = tokio::net::UnixListener::from_std(listener)?;
            loop {
                let accepted = listener.accept().await.map(|(stream, _)| stream);
                take(&admin, &permits, accepted, Transport::Unix).await;
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Transport {
    Tcp,
    Unix,
}

async fn take<S>(admin: &Arc<Admin>, permits: &Arc<Semaphore>, accepted: io::Result<S>, transport: Transport)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Ok(stream) = accepted else {
        tokio::time::sleep(ACCEPT_PAUSE).await;
        return;
    };
    let Ok(permit) = Arc::clone(permits).try_acquire_owned() else {
        admin.node.process.add(ProcessCell::AdminSheds, 1);
        return;
    };
    let admin = Arc::clone(admin);
    tokio::spawn(async move {
        converse(&admin, stream, transport).await;
        drop(permit);
    });
}

/// Serves one connection to its end.
async fn converse<S>(admin: &Admin, stream: S, transport: Transport)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(|request: Request<Incoming>| async move {
        Ok::<_, Infallible>(admin.answer(request.method(), request.uri().path(), request.headers(), transport))
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(ADMIN_HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    // What a client does wrong is answered or cut by hyper; there is nobody else to tell.
    if tokio::time::timeout(CONNECTION_AGE_MAX, connection.as_mut()).await.is_err() {
        connection.as_mut().graceful_shutdown();
        let _ = tokio::time::timeout(CONNECTION_LINGER, connection).await;
    }
}

impl Admin {
    fn answer(&self, method: &Method, path: &str, headers: &HeaderMap, transport: Transport) -> Response<Full<Bytes>> {
        let now = Instant::now();
        if transport == Transport::Tcp && !self.accepts_host(headers) {
            return plain(
                StatusCode::MISDIRECTED_REQUEST,
                "The Host header does not name this machine. Use its loopback address, or allow the host.".into(),
            );
        }
        if !matches!(path, "/livez" | "/readyz" | "/metrics") {
            return plain(StatusCode::NOT_FOUND, "Not found. There are /livez, /readyz and /metrics.".into());
        }
        if !matches!(*method, Method::GET | Method::HEAD) {
            let mut answer = plain(StatusCode::METHOD_NOT_ALLOWED, "Only GET and HEAD are answered.".into());
            answer.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
            return answer;
        }
        match path {
            "/livez" => match self.health.ailments(now) {
                ailments if ailments.is_empty() => plain(StatusCode::OK, "live".into()),
                ailments => plain(StatusCode::SERVICE_UNAVAILABLE, ailments.join("\n")),
            },
            "/readyz" => match self.health.unready() {
                None => plain(StatusCode::OK, "ready".into()),
                Some(why) => plain(StatusCode::SERVICE_UNAVAILABLE, why),
            },
            _ => self.exposition(now),
        }
    }

    fn exposition(&self, now: Instant) -> Response<Full<Bytes>> {
        let text = metrics::exposition(&Scrape {
            node: &self.node,
            heartbeat_ages_ms: &self.health.heartbeat_ages_ms(now),
            process: ProcessFigures::read(),
            started_at_s: self.started_at_s,
        });
        with_type(StatusCode::OK, text, metrics::EXPOSITION_TYPE)
    }

    /// Exactly one Host header that names loopback or an allowed host, with any port.
    fn accepts_host(&self, headers: &HeaderMap) -> bool {
        let mut hosts = headers.get_all(header::HOST).iter();
        let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
        let Some(host) = host.to_str().ok().and_then(without_port) else { return false };
        let loopback = match host.parse::<IpAddr>() {
            Ok(address) => address.is_loopback(),
            Err(_) => host.eq_ignore_ascii_case("localhost"),
        };
        loopback || self.allowed_hosts.iter().any(|allowed| allowed.eq_ignore_ascii_case(host))
    }
}

/// The host of a Host header, without port and brackets; `None` if it is malformed.
fn without_port(host: &str) -> Option<&str> {
    let (name, port) = match host.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?,
        None => host.split_at(host.find(':').unwrap_or(host.len())),
    };
    let port_ok = match port.strip_prefix(':') {
        Some(digits) => digits.bytes().all(|byte| byte.is_ascii_digit()),
        None => port.is_empty(),
    };
    (port_ok && !name.is_empty()).then_some(name)
}

fn plain(status: StatusCode, mut text: String) -> Response<Full<Bytes>> {
    text.push('\n');
    with_type(status, text, "text/plain; charset=utf-8")
}

fn with_type(status: StatusCode, text: String, content_type: &'static str) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::new(Bytes::from(text)));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    answer
}

#[cfg(test)]
mod tests;
