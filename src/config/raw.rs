//! The configuration file, key by key.
//!
//! These types are the one definition: the loader, the JSON Schema (`ringway schema`), the suggestions for mistyped keys
//! and the defaults all derive from them. A comment here is the text that an editor shows. Ranges stand in the schema
//! attributes; rules that relate keys to each other are in `checked`.

// The comments are what editors show to operators, who read no rustdoc markup.
#![allow(rustdoc::broken_intra_doc_links, rustdoc::bare_urls)]

mod facts;

pub use facts::{CatalogModel, OffPeakPrice, OtherPrice, Price, TierPrice};

use crate::{catalog, dialects::wire::DIALECTS, limits, providers::registry};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize, Serializer};
use std::{borrow::Cow, collections::BTreeMap, fmt};

/// Configuration of Ringway: ringway.toml and conf.d/*.toml.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(title = "Ringway configuration")]
pub struct Config {
    pub server: Server,
    pub admin: Admin,
    pub access_log: AccessLog,
    /// Keys that clients show. Create one with `ringway keys create`.
    pub keys: Vec<Key>,
    /// Who answers, by a name of your choice.
    pub providers: BTreeMap<String, Provider>,
    /// What clients may ask for, and which deployments serve it.
    pub models: Vec<Model>,
    /// What models can and cost, where the built-in catalog (`ringway models`) is wrong or silent: by "provider/model", a name from
    /// [providers] and the provider's name of the model.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub catalog: BTreeMap<String, CatalogModel>,
}

/// The side that clients connect to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Server {
    /// Where to listen: "127.0.0.1:8080", "[::1]:8080" or "unix:/run/ringway/api.sock". Anything but loopback and unix
    /// sockets needs at least one key. A change needs a restart.
    #[schemars(length(min = 1, max = 16))]
    pub listen: Vec<String>,
    /// Threads that serve requests; one per core when not given. A change needs a restart.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 256))]
    pub shards: Option<u32>,
    /// How sockets are driven. "auto" uses io_uring where the kernel allows it. A change needs a restart.
    pub driver: Driver,
    /// Certificate and key for TLS on the TCP listeners; plaintext when not given. Renewed files are picked up without
    /// a restart, other paths need one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
    /// Largest request body, in bytes.
    #[schemars(range(min = 1024, max = 1_073_741_824))]
    pub body_bytes_max: u64,
    /// Body bytes that one shard holds at most; beyond it requests are shed with 503.
    #[schemars(range(min = 1024, max = 68_719_476_736_u64))]
    pub shard_body_bytes_max: u64,
    /// Client connections of one shard.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub shard_connections_max: u64,
    /// Time for a request head to arrive once it has begun, in milliseconds.
    #[schemars(range(min = 100, max = 600_000))]
    pub head_timeout_ms: u64,
    /// Time for each 16 KiB of a request body, or what is left of it, to arrive, in milliseconds.
    #[schemars(range(min = 100, max = 600_000))]
    pub body_timeout_ms: u64,
    /// How long a connection may be idle between requests, in milliseconds.
    #[schemars(range(min = 100, max = 86_400_000))]
    pub idle_timeout_ms: u64,
    /// How long a client may leave answer bytes unread before its connection is cut, in milliseconds.
    #[schemars(range(min = 100, max = 3_600_000))]
    pub write_timeout_ms: u64,
    /// How long running answers may go on after a request to stop, in milliseconds.
    #[schemars(range(min = 0, max = 86_400_000))]
    pub drain_timeout_ms: u64,
    /// Host names that requests may carry besides loopback names. Not given: checked against loopback names while all
    /// listeners are local, unchecked otherwise. ["*"] switches the check off.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1000))]
    pub allowed_hosts: Option<Vec<String>>,
    /// Origins of web pages that may call the API ("https://app.example.com"), or ["*"]. Empty: none.
    #[schemars(length(max = 1000))]
    pub cors_origins: Vec<String>,
    /// Always send the answer headers that explain what the gateway did; otherwise they are sent to requests that carry
    /// `x-ringway-debug: 1`.
    pub explain_always: bool,
    /// What becomes of what a request says and the provider's API has no word for: "refuse" it, or try another deployment; or "drop"
    /// it and name it in the answer's x-ringway-dropped. A model's own `unsupported` stands above this, a request's
    /// x-ringway-unsupported above both.
    pub unsupported: Unsupported,
    /// How tokens are estimated where an upstream counts none: "bytes" (four to a token), or by a tokenizer of OpenAI's, "o200k_base" (GPT-4o and
    /// later) or "cl100k_base" (GPT-4, GPT-3.5). A tokenizer takes 10 or 20 MiB and a thread of its own. A model's own `tokenizer` stands above this.
    pub tokenizer: Tokenizer,
    /// Let requests in without a key. Only with loopback and unix listeners.
    pub open_access: bool,
}

impl Default for Server {
    fn default() -> Server {
        Server {
            listen: vec!["127.0.0.1:8080".into()],
            shards: None,
            driver: Driver::Auto,
            tls: None,
            body_bytes_max: limits::BODY_BYTES_MAX as u64,
            shard_body_bytes_max: limits::SHARD_BODY_BYTES_MAX as u64,
            shard_connections_max: limits::SHARD_CONNECTIONS_MAX as u64,
            // A head is one or two packets; ten seconds forgive two lost ones with backed-off retransmission.
            head_timeout_ms: 10_000,
            body_timeout_ms: 30_000,
            // Above the 60 s for which common load balancers keep connections: the client side should close first, or
            // its next request races our close.
            idle_timeout_ms: 75_000,
            write_timeout_ms: 60_000,
            drain_timeout_ms: 120_000,
            allowed_hosts: None,
            cors_origins: Vec::new(),
            explain_always: false,
            unsupported: Unsupported::Refuse,
            tokenizer: Tokenizer::Bytes,
            open_access: false,
        }
    }
}

/// How sockets are driven.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum Driver {
    #[default]
    Auto,
    IoUring,
    Epoll,
}

/// What becomes of what a provider's API has no word for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Unsupported {
    #[default]
    Refuse,
    Drop,
}

/// How tokens are estimated.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Tokenizer {
    #[default]
    #[serde(rename = "bytes")]
    Bytes,
    #[serde(rename = "cl100k_base")]
    Cl100kBase,
    #[serde(rename = "o200k_base")]
    O200kBase,
}

/// PEM files for TLS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// Certificate chain, leaf first; absolute path.
    pub cert_file: String,
    /// Private key; absolute path.
    pub key_file: String,
}

/// Health, readiness and metrics, apart from the API.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Admin {
    /// A loopback address, "unix:/path", or "none". A change needs a restart.
    pub listen: String,
}

impl Default for Admin {
    fn default() -> Admin {
        Admin { listen: "127.0.0.1:9090".into() }
    }
}

/// One JSON line per request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AccessLog {
    /// "stdout", "off", or the absolute path of a file to append to. A change needs a restart.
    pub to: String,
}

impl Default for AccessLog {
    fn default() -> AccessLog {
        AccessLog { to: "stdout".into() }
    }
}

/// A key that clients show. Only its hash is stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// Name in logs and metrics.
    #[schemars(length(min = 1, max = 64))]
    pub name: String,
    /// "sha256:" and the 64 hexadecimal digits of the key's SHA-256.
    pub hash: String,
    /// When the key stops being accepted, for example 2027-01-31T00:00:00Z. Never when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    pub expires_at: Option<String>,
}

/// An account at a provider, or a server of your own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Provider {
    /// What it is; `ringway providers` lists the choices. "openai-compatible" fits every other server of that API.
    #[schemars(schema_with = "provider_kinds")]
    pub kind: String,
    /// Which API its models are asked in, where the kind has several: "openai" (chat completions) or "openai-responses", "anthropic", "cohere",
    /// "ollama". The kind's usual one when not given; then OpenAI's, Azure's and xAI's models that are known to be served by
    /// the Responses API alone are asked through that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "dialects")]
    pub dialect: Option<String>,
    /// Where its API is, including the version segment. The address of the kind and dialect when not given. For kinds "vertex" and "azure" an address
    /// without a path is followed by the usual one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// What we show the provider. Keep it out of the file: "${env:NAME}", "${file:/path}" or "${credential:NAME}".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<SecretText>,
    /// For kind "bedrock": AWS's name of the region, for example "eu-central-1".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// For kind "bedrock": a profile in ~/.aws/credentials or ~/.aws/config, or in the files that AWS_SHARED_CREDENTIALS_FILE and
    /// AWS_CONFIG_FILE name: one with keys, with a role and the profile or source whose keys assume it, with a web identity, or with single
    /// sign-on ("aws sso login"). Without a profile and keys: the environment, web identity, the default profile, the container's or the
    /// instance's credentials, whichever comes first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// For kind "bedrock": access key, together with secret_access_key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_key_id: Option<String>,
    /// For kind "bedrock". Keep it out of the file: "${env:NAME}", "${file:/path}" or "${credential:NAME}".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_access_key: Option<SecretText>,
    /// For kind "bedrock": the third part of temporary keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_token: Option<SecretText>,
    /// For kind "vertex": id of the Google Cloud project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// For kind "vertex": a region such as "europe-west4", "eu", "us" or "global".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// For kind "vertex": JSON key of a service account; absolute path, with LoadCredential=vertex.json:/path in systemd's unit
    /// "${env:CREDENTIALS_DIRECTORY}/vertex.json". Without it: GOOGLE_APPLICATION_CREDENTIALS, gcloud's own
    /// file or the metadata server, whichever comes first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_account_file: Option<String>,
    /// For kind "azure": show tokens of Entra ID instead of a key. They are had by AZURE_TENANT_ID and AZURE_CLIENT_ID with AZURE_CLIENT_SECRET
    /// or AZURE_FEDERATED_TOKEN_FILE from the environment, or by the identity of the service or the machine, whichever comes first.
    #[serde(default)]
    pub entra: bool,
    /// For kind "azure": a day such as "2024-10-21" or "2025-04-01-preview", to speak the older form of its API, which has deployments in its
    /// paths. Without it the newer one is spoken (/openai/v1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// PEM file with certificate authorities to trust besides the system's; absolute path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<String>,
    /// Which HTTP versions to speak. "auto": HTTP/2 where TLS negotiates it.
    #[serde(default)]
    pub http: Http,
    /// Allow http:// to a host that is neither local nor private. The credential then travels unprotected.
    #[serde(default)]
    pub allow_plaintext: bool,
    /// Whose part of the built-in catalog describes its models; that of its kind when not given. `ringway models` lists the choices.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "catalog_providers")]
    pub catalog: Option<String>,
    /// Headers to add to every request.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, SecretText>,
    #[serde(default)]
    pub quirks: Quirks,
    #[serde(default)]
    pub pool: Pool,
}

impl Provider {
    /// A provider of `kind` with everything else at its default.
    pub fn of_kind(kind: &str) -> Provider {
        Provider {
            kind: kind.to_owned(),
            dialect: None,
            base_url: None,
            credential: None,
            region: None,
            profile: None,
            access_key_id: None,
            secret_access_key: None,
            session_token: None,
            project: None,
            location: None,
            service_account_file: None,
            entra: false,
            api_version: None,
            ca_file: None,
            http: Http::Auto,
            allow_plaintext: false,
            catalog: None,
            headers: BTreeMap::new(),
            quirks: Quirks::default(),
            pool: Pool::default(),
        }
    }
}

fn provider_kinds(_: &mut SchemaGenerator) -> Schema {
    let ids: Vec<_> = registry::PROVIDERS.iter().map(|provider| provider.id).collect();
    json_schema!({ "type": "string", "enum": ids })
}

fn dialects(_: &mut SchemaGenerator) -> Schema {
    let names: Vec<_> = DIALECTS.iter().map(|(_, name)| *name).collect();
    json_schema!({ "type": "string", "enum": names })
}

fn catalog_providers(_: &mut SchemaGenerator) -> Schema {
    let ids: Vec<_> = catalog::providers().collect();
    json_schema!({ "type": "string", "enum": ids })
}

/// Which HTTP versions may be spoken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Http {
    #[default]
    Auto,
    Http1,
    Http2,
}

/// Where a server differs from what its kind says.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Quirks {
    /// It understands `stream_options.include_usage`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream_usage: Option<bool>,
    /// Its whole answers may lack `refusal` and `logprobs`; fill them with null.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fill_nullable: Option<bool>,
    /// The provider has the Responses API. Where it has not, clients of that are served by its chat completions.
    pub responses: Option<bool>,
    /// For kind "bedrock": ask Anthropic's models in Anthropic's own API (InvokeModel), which loses nothing of what clients of that API
    /// say and hear. With false they are asked like all others, by Converse.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claude_invoke: Option<bool>,
}

/// Bounds of each shard's connections to a provider.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Pool {
    /// Connections kept open when nothing is asked for.
    #[schemars(range(min = 0, max = 64))]
    pub warm_min: u64,
    /// Most HTTP/2 connections.
    #[schemars(range(min = 1, max = 1024))]
    pub connections_max: u64,
    /// Most HTTP/1.1 connections.
    #[schemars(range(min = 1, max = 16_384))]
    pub http1_connections_max: u64,
    /// Silence after which a connection is probed, in milliseconds.
    #[schemars(range(min = 1000, max = 3_600_000))]
    pub ping_interval_ms: u64,
    /// How long a probe may go unanswered, in milliseconds.
    #[schemars(range(min = 100, max = 60_000))]
    pub ping_timeout_ms: u64,
    /// Age at which a connection is replaced, in milliseconds.
    #[schemars(range(min = 1000, max = 86_400_000))]
    pub age_max_ms: u64,
    /// Idle time after which an HTTP/1.1 connection beyond `warm_min` is closed, in milliseconds.
    #[schemars(range(min = 100, max = 3_600_000))]
    pub idle_max_ms: u64,
}

impl Default for Pool {
    fn default() -> Pool {
        Pool {
            warm_min: 1,
            // Providers allow about 100 streams on each: 1,600 exchanges at a time from one shard.
            connections_max: 16,
            http1_connections_max: 1024,
            ping_interval_ms: 20_000,
            ping_timeout_ms: 5_000,
            age_max_ms: 30 * 60_000,
            idle_max_ms: 60_000,
        }
    }
}

/// A name that clients may ask for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// A name ("gpt-4o"), every name below a prefix ("openai/*"), or every other name ("*").
    #[schemars(length(min = 1, max = 256))]
    pub name: String,
    /// Who serves it, in the order they are tried: "provider/model", "provider/*" (the client's name, less the prefix),
    /// or { provider = "...", model = "..." }.
    #[schemars(length(min = 1, max = 64))]
    pub deployments: Vec<Deployment>,
    /// Most deployments that one request may try.
    #[serde(default = "attempts_max")]
    #[schemars(range(min = 1, max = 4))]
    pub attempts_max: u32,
    #[serde(default)]
    pub deadlines: Deadlines,
    /// Try the next deployment also when one accepted the request and then stayed silent. The first one may have worked
    /// on it, so this can cost twice.
    #[serde(default)]
    pub retry_on_timeout: bool,
    /// "refuse" or "drop": what becomes of what a deployment's API has no word for. As [server] says when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unsupported: Option<Unsupported>,
    /// "bytes", "o200k_base" or "cl100k_base": how tokens are estimated where an upstream counts none. As [server] says when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokenizer: Option<Tokenizer>,
    /// `owned_by` in the list of models; the first deployment's provider when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub owned_by: Option<String>,
    /// For names that end in "*": the names to show in the list of models.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1000))]
    pub list: Vec<String>,
}

fn attempts_max() -> u32 {
    limits::ATTEMPTS_MAX as u32
}

/// One model at one provider.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Deployment {
    /// "provider/model" or "provider/*".
    Short(String),
    Long(DeploymentTable),
}

/// One model at one provider, spelled out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeploymentTable {
    /// A name from [providers].
    pub provider: String,
    /// The provider's name of the model. Not given: the name the client used, less the prefix.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub model: Option<String>,
}

/// Time limits, in milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Deadlines {
    /// TCP connect and TLS handshake, or the wait for a free stream.
    #[schemars(range(min = 10, max = 60_000))]
    pub connect_ms: u64,
    /// From the whole request sent to the answer's head.
    #[schemars(range(min = 10, max = 3_600_000))]
    pub headers_ms: u64,
    /// From the whole request sent to a stream's first content.
    #[schemars(range(min = 10, max = 3_600_000))]
    pub first_token_ms: u64,
    /// Longest silence within an answer.
    #[schemars(range(min = 10, max = 3_600_000))]
    pub gap_ms: u64,
    /// The whole exchange, all attempts together.
    #[schemars(range(min = 10, max = 86_400_000))]
    pub total_ms: u64,
}

impl Default for Deadlines {
    fn default() -> Deadlines {
        Deadlines {
            // Two SYN retransmissions; a healthy provider answers the first within 300 ms from anywhere.
            connect_ms: 2_000,
            // A whole answer's head comes only when its last token is ready, which takes reasoning models minutes.
            // Streams are held to `first_token_ms` instead.
            headers_ms: 600_000,
            // Reasoning models think for up to a minute before the first delta, queues come on top.
            first_token_ms: 120_000,
            gap_ms: 90_000,
            // What the official SDKs wait by default: nobody is listening after that.
            total_ms: 600_000,
        }
    }
}

/// A text that is not shown. It serialises as itself only while it is nothing but a reference such as `${env:NAME}`.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct SecretText(String);

impl SecretText {
    pub fn new(text: impl Into<String>) -> SecretText {
        SecretText(text.into())
    }

    /// The text, for the place that turns it into a header.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl Serialize for SecretText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let reference = self.0.starts_with("${") && self.0.find('}') == Some(self.0.len() - 1);
        serializer.serialize_str(if reference { &self.0 } else { "[secret]" })
    }
}

impl JsonSchema for SecretText {
    fn schema_name() -> Cow<'static, str> {
        "SecretText".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string" })
    }
}
