//! Snapshots for the tests of the cold threads.

use crate::{
    config::{
        cloud::AuthSource,
        lookup::ConfigMap,
        snapshot::{
            ClientKey, Deadlines, Deployment, Endpoint, EndpointKey, HttpVersions, ModelGroup, Pool, Secret, Server,
            Snapshot, http1_chat_start,
        },
    },
    dialects::{endpoints::ApiEndpoint, wire::Dialect},
    providers::{Auth, Provider, Quirks},
    telemetry::access_log::{AccessRecord, RequestId},
};
use arc_swap::ArcSwap;
use std::sync::Arc;

pub static PROVIDER: Provider = Provider {
    id: "simulated",
    title: "Simulated",
    base_url: "",
    path_prefix: "",
    credential_env: "",
    auth: Auth::None,
    dialect: Dialect::OpenAi,
    quirks: Quirks { stream_usage: true, fill_nullable: false, responses: true, claude: None, api_versions: false },
    chat: &crate::dialects::openai_chat::variant::Variant::OPENAI,
    others: &[],
    lacks: &[],
    models: &[],
};

/// A snapshot without keys, groups, deployments or endpoints.
pub fn empty(generation: u64) -> Snapshot {
    Snapshot {
        generation,
        server: Server {
            body_bytes_max: 1,
            shard_body_bytes_max: 1,
            shard_connections_max: 1,
            head_timeout_ms: 1,
            body_timeout_ms: 1,
            idle_timeout_ms: 1,
            write_timeout_ms: 1,
            drain_timeout_ms: 60_000,
            allowed_hosts: Some(Vec::new()),
            cors_origins: Vec::new(),
            explain_always: false,
        },
        keys: ConfigMap::default(),
        key_hashes: Vec::new(),
        open_access: false,
        groups: ConfigMap::default(),
        prefixes: Vec::new(),
        catalog: Default::default(),
        deployments: Vec::new(),
        endpoints: Vec::new(),
        cloud_accounts: Vec::new(),
    }
}

/// The record of an exchange of the first group.
pub fn record(number: u128, generation: u64) -> AccessRecord {
    AccessRecord {
        at_us: 0,
        request_id: RequestId(number),
        endpoint: ApiEndpoint::None,
        status: 200,
        code: "",
        shard: 0,
        streamed: false,
        client_gone: false,
        attempts: 1,
        generation,
        key: u32::MAX,
        group: 0,
        deployment: u32::MAX,
        total_us: 0,
        overhead_us: 0,
        ttft_us: 0,
        request_bytes: 0,
        answer_bytes: 0,
        input_tokens: 0,
        cached_input_tokens: 0,
        output_tokens: 0,
        reasoning_tokens: 0,
        estimated: false,
    }
}

/// Adds a client key, and returns its index.
pub fn add_key(snapshot: &mut Snapshot, name: &str) -> u32 {
    let index = snapshot.keys.len() as u32;
    let mut hash = [0; 32];
    hash[0] = index as u8;
    snapshot.key_hashes.push(hash);
    snapshot.keys.insert(hash, Arc::new(ClientKey { index, name: name.into(), expires_at_s: None }));
    index
}

/// Adds a model group, and returns its index.
pub fn add_group(snapshot: &mut Snapshot, name: &str) -> u32 {
    let index = (snapshot.groups.len() + snapshot.prefixes.len()) as u32;
    let group = ModelGroup {
        index,
        name: name.into(),
        owned_by: "tests".into(),
        listed: Vec::new(),
        deployments: Vec::new(),
        attempts_max: 1,
        deadlines: Deadlines { connect_ms: 1, headers_ms: 1, first_token_ms: 1, gap_ms: 1, total_ms: 1 },
        retry_on_timeout: false,
        drops: false,
        tokenizer: None,
    };
    snapshot.groups.insert(name.into(), Arc::new(group));
    index
}

/// Adds a deployment, and returns its index.
pub fn add_deployment(snapshot: &mut Snapshot, name: &str) -> u32 {
    let index = snapshot.deployments.len() as u32;
    snapshot.deployments.push(Arc::new(Deployment {
        index,
        name: name.into(),
        provider: &PROVIDER,
        dialect: PROVIDER.dialect,
        only_by_responses: Default::default(),
        quirks: PROVIDER.quirks,
        traits: Default::default(),
        endpoint: 0,
        host: "".into(),
        base_path: "/v1".into(),
        api_version: None,
        upstream_model: None,
        catalog: "openai",
        model: None,
        auth: AuthSource::Headers,
        headers: Vec::new(),
        http1_lines: Secret::new(Vec::new()),
        http1_chat_start: http1_chat_start("/v1", b""),
    }));
    index
}

/// Adds an endpoint in plaintext, without addresses.
pub fn add_endpoint(snapshot: &mut Snapshot, host: &str, port: u16) -> Arc<Endpoint> {
    let endpoint = Arc::new(Endpoint {
        key: EndpointKey {
            host: host.into(),
            port,
            tls: false,
            http: HttpVersions::Auto,
            ca_file: None,
            ca_digest: [0; 32],
        },
        tls: None,
        server_name: None,
        pool: Pool {
            http1_connections_max: 16,
            warm_min: 1,
            connections_max: 1,
            ping_interval_ms: 1,
            ping_timeout_ms: 1,
            age_max_ms: 1,
            idle_max_ms: 1,
        },
        addresses: ArcSwap::from_pointee(Vec::new()),
    });
    snapshot.endpoints.push(Arc::clone(&endpoint));
    endpoint
}
