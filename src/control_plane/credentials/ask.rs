//! One question to a server that gives out credentials, over a connection of its own.
//!
//! Nothing is kept open: questions are an hour apart. Redirects are not followed and proxies not used; a metadata server answers by itself.
//! Whom to ask in clear text is the caller's decision. No message repeats what was sent; of an answer only what names the failure is
//! shown.

use super::super::resolver::Lookup;
use crate::limits::CREDENTIAL_ANSWER_BYTES_MAX;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{Method, Request, Uri, body::Bytes, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use rustls_pki_types::ServerName;
use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, OnceLock},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};

/// Asks. Clones of what is inside are shared.
pub struct Asker<L> {
    lookup: L,
    /// Made when it is first needed: metadata servers speak no TLS.
    tls: OnceLock<Arc<ClientConfig>>,
}

/// A question.
pub struct Question<'q> {
    pub method: Method,
    pub url: &'q str,
    pub headers: &'q [(&'static str, &'q str)],
    pub body: Body,
}

/// What a question carries, which also says its content type.
pub enum Body {
    None,
    Form(String),
    Json(String),
}

/// An answer of any status.
#[derive(Debug)]
pub struct Told {
    pub status: u16,
    pub body: Bytes,
}

/// The content type of a form.
pub const FORM: &str = "application/x-www-form-urlencoded";

/// Time to connect to one address. A metadata server that is there answers within a millisecond; where there is none packets vanish.
const CONNECT: Duration = Duration::from_secs(1);
/// Time for the whole of it.
const WHOLE: Duration = Duration::from_secs(10);

impl<L: Lookup> Asker<L> {
    pub fn new(lookup: L) -> Asker<L> {
        Asker { lookup, tls: OnceLock::new() }
    }

    /// Asks a server, which has to answer with 200.
    ///
    /// # Errors
    /// A sentence for the log.
    pub async fn ask(&self, question: Question<'_>) -> Result<Bytes, String> {
        let told = self.tell(question).await?;
        if told.status == 200 { Ok(told.body) } else { Err(told.failure()) }
    }

    /// Asks a server.
    ///
    /// # Errors
    /// A sentence for the log.
    pub async fn tell(&self, question: Question<'_>) -> Result<Told, String> {
        let uri: Uri = question.url.parse().map_err(|_| "the server's address is not a URL".to_owned())?;
        let host = uri.host().ok_or("the server's address names no host")?.to_owned();
        let answer = timeout(WHOLE, self.converse(&uri, &host, question)).await;
        answer.map_err(|_| format!("{host} did not answer within {} s", WHOLE.as_secs()))?
    }

    async fn converse(&self, uri: &Uri, host: &str, question: Question<'_>) -> Result<Told, String> {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let is_tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(format!("the address of {host} is neither https:// nor http://")),
        };
        let request = request(uri, question)?;
        let port = uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let stream = self.connect(bare, port).await.map_err(|error| format!("{host} cannot be reached: {error}"))?;
        if !is_tls {
            return send(stream, request).await.map_err(|why| format!("{host}: {why}"));
        }
        let name = ServerName::try_from(bare.to_owned()).map_err(|_| format!("{host} is not a host name"))?;
        let connector = tokio_rustls::TlsConnector::from(self.tls.get_or_init(tls).clone());
        let stream = connector.connect(name, stream).await.map_err(|error| format!("{host}: TLS: {error}"))?;
        send(stream, request).await.map_err(|why| format!("{host}: {why}"))
    }

    async fn connect(&self, host: &str, port: u16) -> io::Result<TcpStream> {
        let addresses = match host.parse::<IpAddr>() {
            Ok(ip) => vec![SocketAddr::new(ip, port)],
            Err(_) => self.lookup.lookup(host, port).await?,
        };
        let mut failure = io::Error::new(io::ErrorKind::NotFound, "it has no address");
        for address in addresses {
            match timeout(CONNECT, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => failure = error,
                Err(_) => failure = io::ErrorKind::TimedOut.into(),
            }
        }
        Err(failure)
    }
}

fn request(uri: &Uri, question: Question<'_>) -> Result<Request<Full<Bytes>>, String> {
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let mut request = Request::builder()
        .method(question.method)
        .uri(path)
        .header(header::HOST, host_header(uri))
        .header(header::USER_AGENT, crate::providers::USER_AGENT);
    let (content_type, body) = match question.body {
        Body::None => (None, String::new()),
        Body::Form(form) => (Some(FORM), form),
        Body::Json(json) => (Some("application/json"), json),
    };
    if let Some(content_type) = content_type {
        request = request.header(header::CONTENT_TYPE, content_type);
    }
    for (name, value) in question.headers {
        request = request.header(*name, *value);
    }
    request.body(Full::from(body)).map_err(|_| "what has to be sent cannot be sent in a header".to_owned())
}

/// The header `host` of questions to this address.
pub fn host_header(uri: &Uri) -> String {
    // Not the authority, which may hold a password.
    let host = uri.host().unwrap_or_default();
    uri.port().map_or(host.to_owned(), |port| format!("{host}:{port}"))
}

async fn send<S>(stream: S, request: Request<Full<Bytes>>) -> Result<Told, String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
    // It ends with the answer, or when both halves are dropped by the time limit.
    let answer = async {
        let answer = sender.send_request(request).await.map_err(|error| error.to_string())?;
        let status = answer.status().as_u16();
        let body = Limited::new(answer.into_body(), CREDENTIAL_ANSWER_BYTES_MAX).collect().await;
        let body = body.map_err(|error| format!("the answer broke off or is too long: {error}"))?.to_bytes();
        Ok(Told { status, body })
    };
    tokio::pin!(answer, connection);
    tokio::select! {
        biased;
        told = &mut answer => told,
        ended = &mut connection => {
            ended.map_err(|error| error.to_string())?;
            answer.await
        }
    }
}

fn tls() -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the ring provider has suites for TLS 1.2 and 1.3");
    Arc::new(builder.with_root_certificates(roots).with_no_client_auth())
}

impl Told {
    /// The failure in the server's words, as far as they are few and where they are expected.
    pub fn failure(&self) -> String {
        const WORDS_MAX: usize = 200;
        let members = ["error", "error_description", "code", "Code", "message", "Message"];
        let words: Vec<String> = match serde_json::from_slice::<serde_json::Value>(&self.body) {
            Ok(json) => members.iter().filter_map(|name| json.get(name)?.as_str().map(str::to_owned)).collect(),
            Err(_) => {
                let text = String::from_utf8_lossy(&self.body);
                ["Code", "Message"].iter().filter_map(|name| between(&text, name).map(str::to_owned)).collect()
            }
        };
        let words: String = words.join(": ").chars().take(WORDS_MAX).collect();
        if words.is_empty() { format!("status {}", self.status) } else { format!("status {}: {words}", self.status) }
    }
}

/// What stands between `<name>` and `</name>`, the first time.
pub fn between<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    rest.split_once(&format!("</{name}>")).map(|(inside, _)| inside)
}

/// Appends a member of a form: `name=value`, behind `&` if it is not the first.
pub fn append_member(form: &mut String, name: &str, value: &str) {
    if !form.is_empty() {
        form.push('&');
    }
    form.push_str(name);
    form.push('=');
    crate::providers::sigv4::append_encoded(form, value);
}

#[cfg(test)]
mod tests;
