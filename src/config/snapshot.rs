//! The immutable configuration that an exchange runs under.
//!
//! A snapshot is built whole, off the data plane, and swapped in one step; exchanges that have begun finish on theirs.
//! Everything an exchange needs is precomputed here: header blocks, lookups, limits in their final units.
//! Nothing in it changes after it is published, except `Endpoint::addresses`, which the resolver replaces, and the cells of
//! `cloud_accounts`.

use super::{
    cloud::{self, AuthSource, CloudAccount},
    lookup::ConfigMap,
};
use crate::{
    catalog::{self, Model},
    dialects::{canonical::ModelTraits, tokenizer::Tokenizer, wire::Dialect},
    providers::Provider,
};
use arc_swap::ArcSwap;
use std::{fmt, net::SocketAddr, sync::Arc};

/// Everything an exchange may need to know, under one generation number.
#[derive(Debug)]
pub struct Snapshot {
    /// Rises by one with each published snapshot, starting at 1.
    pub generation: u64,
    pub server: Server,
    /// Client keys by the SHA-256 of the secret.
    pub keys: ConfigMap<[u8; 32], Arc<ClientKey>>,
    /// The same hashes by `ClientKey::index`.
    pub key_hashes: Vec<[u8; 32]>,
    /// True where requests without a key are let in (loopback only; `checked` refuses it elsewhere).
    pub open_access: bool,
    /// Model groups by the exact name that a client sends.
    pub groups: ConfigMap<Box<str>, Arc<ModelGroup>>,
    /// Groups that serve every name with a prefix, longest prefix first. The prefix `""` serves everything.
    pub prefixes: Vec<(Box<str>, Arc<ModelGroup>)>,
    /// Every deployment; `Deployment::index` is the position here.
    pub deployments: Vec<Arc<Deployment>>,
    /// Every distinct upstream address; `Deployment::endpoint` is a position here.
    pub endpoints: Vec<Arc<Endpoint>>,
    /// Every account whose credential is fetched; deployments hold theirs.
    pub cloud_accounts: Vec<Arc<CloudAccount>>,
    /// What the operator says of models, over what the built-in catalog says: by account and the name that goes upstream, with `/` between them.
    pub catalog: ConfigMap<Box<str>, Arc<Model>>,
}

/// Settings of the downstream side.
#[derive(Debug, Clone)]
pub struct Server {
    pub body_bytes_max: usize,
    pub shard_body_bytes_max: usize,
    pub shard_connections_max: usize,
    /// Time for a request head to arrive once its first byte has, in milliseconds.
    pub head_timeout_ms: u64,
    /// Time for each `BODY_PACE_BYTES` of a request body, or what is left of it, to arrive, in milliseconds.
    pub body_timeout_ms: u64,
    /// How long a keep-alive connection may be idle, in milliseconds.
    pub idle_timeout_ms: u64,
    /// Longest time a client may leave answer bytes unread before its connection is cut, in milliseconds.
    pub write_timeout_ms: u64,
    /// How long streams may go on after SIGTERM, in milliseconds.
    pub drain_timeout_ms: u64,
    /// Host names accepted besides loopback names; `None` switches the Host check off.
    pub allowed_hosts: Option<Vec<Box<str>>>,
    /// Origins that may use the API from a web page; empty: CORS off. `*` allows every origin.
    pub cors_origins: Vec<Box<str>>,
    /// Answer headers that explain what the gateway did (`x-ringway-*`, `server-timing`): always, or when the request
    /// carries `x-ringway-debug: 1`.
    pub explain_always: bool,
}

/// One client key. The secret itself is never stored.
#[derive(Debug)]
pub struct ClientKey {
    /// Position in the configuration, for records that must not carry names.
    pub index: u32,
    /// Name for logs and metrics.
    pub name: Box<str>,
    /// Unix time in seconds after which the key is refused.
    pub expires_at_s: Option<u64>,
}

/// Candidates under one client-facing model name.
#[derive(Debug)]
pub struct ModelGroup {
    /// Position among all groups, for records that must not carry names.
    pub index: u32,
    /// The name (or prefix) that clients use.
    pub name: Box<str>,
    /// `owned_by` in `GET /v1/models`.
    pub owned_by: Box<str>,
    /// Names to list for a prefix group; the group's own name otherwise.
    pub listed: Vec<Box<str>>,
    /// Indexes into `Snapshot::deployments`, in the order they are tried.
    pub deployments: Vec<u32>,
    /// Most upstream attempts for one request, first included.
    pub attempts_max: u32,
    pub deadlines: Deadlines,
    /// May a request be tried elsewhere after a deployment accepted it and stayed silent?
    pub retry_on_timeout: bool,
    /// What a deployment's API cannot say is dropped, unless the request says otherwise.
    pub drops: bool,
    /// What counts tokens that no upstream counted; `None`: their bytes.
    pub tokenizer: Option<Tokenizer>,
}

/// Time limits of an attempt, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadlines {
    /// TCP connect and TLS handshake, or the wait for a free stream.
    pub connect_ms: u64,
    /// From the request's last byte to the answer's head.
    pub headers_ms: u64,
    /// From the request's last byte to the first content, reasoning or tool delta of a stream.
    pub first_token_ms: u64,
    /// Longest silence within an answer.
    pub gap_ms: u64,
    /// The whole exchange, all attempts together.
    pub total_ms: u64,
}

/// One model at one provider, endpoint and credential.
pub struct Deployment {
    /// Position in `Snapshot::deployments`, below `limits::DEPLOYMENTS_MAX`.
    pub index: u32,
    /// Name in logs, metrics and `x-ringway-deployment`.
    pub name: Box<str>,
    pub provider: &'static Provider,
    /// What it is asked in.
    pub dialect: Dialect,
    /// Models that are asked through the Responses API whatever `dialect` says, where the name of the model is the client's: the provider
    /// serves them by nothing else. Empty where the operator chose the dialect.
    pub only_by_responses: ConfigMap<Box<str>, ()>,
    pub quirks: crate::providers::Quirks,
    /// What the model can do, as far as requests in its dialect depend on it. Of a deployment that names no model they are worked out for
    /// each request that has to be composed.
    pub traits: ModelTraits,
    /// Position in `Snapshot::endpoints`.
    pub endpoint: u32,
    /// The value of Host, which signatures cover.
    pub host: Box<str>,
    /// Path before the API's own path, for example `/v1` or `/openai/v1`; no slash at the end.
    pub base_path: Box<str>,
    /// Of Azure's older form, if that is spoken.
    pub api_version: Option<Box<str>>,
    /// The model name to send. `None`: the client's name less the group's prefix.
    pub upstream_model: Option<Box<str>>,
    /// Where the credential is, beside `headers`.
    pub auth: AuthSource,
    /// Whose part of the built-in catalog describes its models.
    pub catalog: &'static str,
    /// What is known of `upstream_model`; `None` if nothing is, or if the name is the client's. [`Snapshot::model`] answers for both.
    pub model: Option<Arc<Model>>,
    /// What of the configured credential goes into each request: header name (lower case) and value. Values are secret.
    pub headers: Vec<(Box<str>, Secret)>,
    /// The constant lines of an HTTP/1.1 request head to this deployment: host, credential, user-agent, accept-encoding;
    /// each ends with CRLF. Secret.
    pub http1_lines: Secret,
    /// How the HTTP/1.1 head of a chat request with a JSON body begins, as [`http1_chat_start`] makes it: nearly all requests are such,
    /// and it is copied in one piece. Secret.
    pub http1_chat_start: Secret,
}

/// The path of chat requests, after a deployment's own.
pub const CHAT_PATH: &str = "/chat/completions";

/// Request line, the deployment's lines, content-type, and the name of the header that says what is accepted.
pub fn http1_chat_start(base_path: &str, lines: &[u8]) -> Secret {
    let line = format!("POST {base_path}{CHAT_PATH} HTTP/1.1\r\n");
    Secret::new([line.as_bytes(), lines, b"content-type: application/json\r\naccept: "].concat())
}

impl Deployment {
    /// What a model, by its name at the deployment, is asked in.
    #[inline]
    pub fn dialect_of(&self, model: &str) -> Dialect {
        if !self.only_by_responses.is_empty() && self.only_by_responses.contains_key(model) {
            return Dialect::OpenAiResponses;
        }
        self.quirks.dialect_of(model, self.dialect)
    }

    /// The provider of the configuration, `NAME` in `[providers.NAME]`: what stands before the model in the name.
    pub fn account(&self) -> &str {
        self.name.split_once('/').map_or(&self.name, |(account, _)| account)
    }

    /// The same in short, see [`account_mark`].
    pub fn account_mark(&self) -> u64 {
        account_mark(self.account())
    }

    /// True if a provider's text repeats the credential that it was shown.
    pub fn is_credential_in(&self, text: &[u8]) -> bool {
        let is_fetched = match &self.auth {
            AuthSource::Headers => false,
            AuthSource::Cloud(account) => account.is_credential_in(text),
        };
        is_fetched || self.headers.iter().any(|(_, value)| cloud::holds(text, value))
    }
}

/// What ids of stored responses say instead of the name of a provider of the configuration: FNV-1a. Ids outlive processes, so this must never
/// change. It needs no more than to tell the providers of one configuration apart: nobody but the operator chooses it.
pub fn account_mark(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |mark, byte| (mark ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

impl fmt::Debug for Deployment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deployment").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Bytes that no log, error or debug output may show.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Box<[u8]>);

impl Secret {
    pub fn new(bytes: impl Into<Box<[u8]>>) -> Secret {
        Secret(bytes.into())
    }

    /// The bytes, for the one place that writes them to an upstream.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// What identifies a pool of upstream connections. Deployments that agree in all of it share connections.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EndpointKey {
    pub host: Box<str>,
    pub port: u16,
    pub tls: bool,
    pub http: HttpVersions,
    /// PEM file of extra roots, if the operator named one; distinguishes trust domains.
    pub ca_file: Option<Box<str>>,
    /// SHA-256 of that file's content when it was read: a replaced file is another trust domain and gets a pool of its
    /// own. All zero without a file.
    pub ca_digest: [u8; 32],
}

/// Which HTTP versions may be spoken to an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HttpVersions {
    /// TLS: whatever ALPN selects, HTTP/2 preferred. Plaintext: HTTP/1.1.
    Auto,
    Http1,
    /// TLS: refuse a peer without `h2`. Plaintext: prior knowledge.
    Http2,
}

/// One upstream host and port with the way to reach it.
pub struct Endpoint {
    pub key: EndpointKey,
    /// Client configuration with ALPN set for `key.http`; `None` for plaintext. Sessions are resumed through it.
    pub tls: Option<Arc<rustls::ClientConfig>>,
    /// The name that the peer's certificate must carry.
    pub server_name: Option<rustls_pki_types::ServerName<'static>>,
    pub pool: Pool,
    /// Resolved addresses, best first; empty until the first resolution succeeds. The last good ones stay when a refresh fails.
    pub addresses: ArcSwap<Vec<SocketAddr>>,
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint").field("key", &self.key).finish_non_exhaustive()
    }
}

/// Bounds of one endpoint's pool on one shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pool {
    /// HTTP/2 connections (or HTTP/1.1 sockets) kept established when nothing is asked for.
    pub warm_min: usize,
    /// Most HTTP/2 connections of this shard to this endpoint.
    pub connections_max: usize,
    /// Most HTTP/1.1 connections; each carries one exchange at a time, so there have to be many more.
    pub http1_connections_max: usize,
    /// Silence after which an HTTP/2 connection is probed with PING, in milliseconds.
    pub ping_interval_ms: u64,
    /// An unanswered PING closes the connection after this, in milliseconds.
    pub ping_timeout_ms: u64,
    /// Age at which a connection is replaced, in milliseconds (jittered by a tenth).
    pub age_max_ms: u64,
    /// Idle time after which an HTTP/1.1 socket beyond `warm_min` is closed, in milliseconds.
    pub idle_max_ms: u64,
}

impl Default for Pool {
    fn default() -> Pool {
        Pool::from(&super::raw::Pool::default())
    }
}

impl From<&super::raw::Pool> for Pool {
    fn from(raw: &super::raw::Pool) -> Pool {
        Pool {
            warm_min: raw.warm_min as usize,
            connections_max: raw.connections_max as usize,
            http1_connections_max: raw.http1_connections_max as usize,
            ping_interval_ms: raw.ping_interval_ms,
            ping_timeout_ms: raw.ping_timeout_ms,
            age_max_ms: raw.age_max_ms,
            idle_max_ms: raw.idle_max_ms,
        }
    }
}

impl Default for Deadlines {
    fn default() -> Deadlines {
        Deadlines::from(&super::raw::Deadlines::default())
    }
}

impl From<&super::raw::Deadlines> for Deadlines {
    fn from(raw: &super::raw::Deadlines) -> Deadlines {
        Deadlines {
            connect_ms: raw.connect_ms,
            headers_ms: raw.headers_ms,
            first_token_ms: raw.first_token_ms,
            gap_ms: raw.gap_ms,
            total_ms: raw.total_ms,
        }
    }
}

/// What a model name resolves to.
#[derive(Debug, Clone, Copy)]
pub struct Resolved<'a> {
    pub group: &'a Arc<ModelGroup>,
    /// The client's name less the group's prefix: what goes upstream when a deployment names no model.
    pub rest: usize,
}

impl Snapshot {
    /// What groups want tokens counted by, in no order and as often as they want it.
    pub fn tokenizers(&self) -> impl Iterator<Item = Tokenizer> + '_ {
        let groups = self.groups.values().chain(self.prefixes.iter().map(|(_, group)| group));
        groups.filter_map(|group| group.tokenizer)
    }

    /// The group that serves `model`: an exact name first, then the longest prefix.
    pub fn resolve(&self, model: &str) -> Option<Resolved<'_>> {
        if let Some(group) = self.groups.get(model) {
            return Some(Resolved { group, rest: 0 });
        }
        self.prefixes
            .iter()
            .find(|(prefix, _)| model.len() > prefix.len() && model.starts_with(&**prefix))
            .map(|(prefix, group)| Resolved { group, rest: prefix.len() })
    }

    /// What is known of the model `name` at a deployment. Nothing is computed where the deployment names its model; where the name is the
    /// client's, the catalog is searched and one of its lines read, with an allocation for the result and one for a name to look up.
    pub fn model(&self, deployment: &Deployment, name: &str) -> Option<Arc<Model>> {
        if deployment.upstream_model.is_some() {
            return deployment.model.clone();
        }
        // Such a deployment is called `account/*`.
        let account = deployment.name.trim_end_matches('*');
        let own = || self.catalog.get(format!("{account}{name}").as_str()).cloned();
        let own = if self.catalog.is_empty() { None } else { own() };
        own.or_else(|| Some(Arc::new(catalog::find(deployment.catalog, name)?.model)))
    }
}
