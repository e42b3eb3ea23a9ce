//! From a checked configuration to the snapshot that exchanges run under.
//!
//! Everything that an exchange would otherwise compute is computed here: header lines, lookups, TLS configurations. An
//! endpoint or cloud account that has not changed is taken from the previous snapshot, so a reload keeps its addresses, its TLS sessions, its credential and
//! the connections that the shards hold to it. System roots are read only when a new TLS endpoint needs them.

use super::{
    checked::{Account, Checked, CheckedDeployment},
    cloud::{AuthSource, CloudAccount, CloudSource, GoogleSource, google_file::GoogleFile},
    diagnostic::Report,
    load::read_bounded,
    lookup::ConfigMap,
    snapshot::{
        ClientKey, Deployment, Endpoint, EndpointKey, HttpVersions, ModelGroup, Secret, Snapshot, http1_chat_start,
    },
    tree::join,
};
use crate::{
    catalog::{self, Kind, Model},
    dialects::wire::Dialect,
    limits::{CA_FILE_BYTES_MAX, CONFIG_SECRET_BYTES_MAX},
    policy::keys,
    providers::{USER_AGENT, traits},
};
use arc_swap::ArcSwap;
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::Path,
    sync::Arc,
};

/// Builds the snapshot; `None` after an error in `report`.
pub fn snapshot(
    checked: Checked,
    generation: u64,
    previous: Option<&Snapshot>,
    report: &mut Report<'_>,
) -> Option<Snapshot> {
    let (clouds, endpoints) = (clouds(&checked, previous, report), Endpoints::build(&checked, previous, report)?);
    let clouds = clouds?;
    let mut keys = ConfigMap::with_capacity_and_hasher(checked.keys.len(), Default::default());
    let key_hashes = checked.keys.iter().map(|key| key.hash).collect();
    for (index, key) in checked.keys.into_iter().enumerate() {
        let client_key = ClientKey { index: index as u32, name: key.name.into(), expires_at_s: key.expires_at_s };
        keys.insert(key.hash, Arc::new(client_key));
    }
    let catalog: ConfigMap<Box<str>, Arc<Model>> =
        checked.catalog.into_iter().map(|(name, model)| (name.into(), Arc::new(model))).collect();
    let deployments = checked.deployments.iter().enumerate().map(|(index, deployment)| {
        let account = &checked.accounts[deployment.account];
        let endpoint = endpoints.by_account[&deployment.account];
        let own = catalog.get(deployment.name.as_str()).cloned();
        Arc::new(self::deployment(index as u32, deployment, account, endpoint, own, &catalog, &clouds))
    });
    let deployments: Vec<_> = deployments.collect();
    let mut groups = ConfigMap::default();
    let mut prefixes = Vec::new();
    for (index, group) in checked.groups.into_iter().enumerate() {
        let name: Box<str> = group.name.into();
        let model_group = Arc::new(ModelGroup {
            index: index as u32,
            name: name.clone(),
            owned_by: group.owned_by.into(),
            listed: group.listed.into_iter().map(Box::from).collect(),
            deployments: group.deployments,
            attempts_max: group.attempts_max,
            deadlines: group.deadlines,
            retry_on_timeout: group.retry_on_timeout,
            drops: group.drops,
            tokenizer: group.tokenizer,
        });
        match group.prefix {
            Some(prefix) => prefixes.push((prefix.into(), model_group)),
            None => drop(groups.insert(name, model_group)),
        }
    }
    prefixes.sort_by_key(|(prefix, _): &(Box<str>, _)| std::cmp::Reverse(prefix.len()));
    Some(Snapshot {
        generation,
        server: checked.server,
        keys,
        key_hashes,
        open_access: checked.open_access,
        groups,
        prefixes,
        deployments,
        endpoints: endpoints.all,
        catalog,
        cloud_accounts: clouds.into_values().collect(),
    })
}

/// The accounts whose credential is fetched, by their position, as far as deployments use them; `None` after an error. One that has
/// not changed is taken from the previous snapshot, with its credential.
fn clouds(
    checked: &Checked,
    previous: Option<&Snapshot>,
    report: &mut Report<'_>,
) -> Option<BTreeMap<usize, Arc<CloudAccount>>> {
    let mut accounts = BTreeMap::new();
    for index in checked.deployments.iter().map(|deployment| deployment.account).collect::<BTreeSet<_>>() {
        let account = &checked.accounts[index];
        let Some(source) = &account.cloud else { continue };
        if let CloudSource::Google(GoogleSource::File(file)) = source
            && let Err(cause) = read_bounded(file, CONFIG_SECRET_BYTES_MAX).and_then(|text| GoogleFile::parse(&text))
        {
            let path = join(&account.path, "service_account_file");
            let help = "the JSON file that Google Cloud makes for a key of a service account, readable by the user that runs ringway";
            report.error_help(&path, format!("the file cannot be used: {cause}"), help);
        }
        let is_unchanged = |known: &&Arc<CloudAccount>| *known.name == *account.path && known.source == *source;
        let known = previous.and_then(|previous| previous.cloud_accounts.iter().find(is_unchanged));
        let made = || Arc::new(CloudAccount::new(account.path.as_str(), source.clone()));
        accounts.insert(index, known.cloned().unwrap_or_else(made));
    }
    report.errors.is_empty().then_some(accounts)
}

fn deployment(
    index: u32,
    checked: &CheckedDeployment,
    account: &Account,
    endpoint: u32,
    own: Option<Arc<Model>>,
    catalog: &ConfigMap<Box<str>, Arc<Model>>,
    clouds: &BTreeMap<usize, Arc<CloudAccount>>,
) -> Deployment {
    let mut lines = format!("host: {}\r\n", account.base.host_header()).into_bytes();
    for (name, value) in &account.headers {
        lines.extend_from_slice(name.as_bytes());
        lines.extend_from_slice(b": ");
        lines.extend_from_slice(value.expose());
        lines.extend_from_slice(b"\r\n");
    }
    // We look into answers, so none may come compressed.
    lines.extend_from_slice(format!("user-agent: {USER_AGENT}\r\naccept-encoding: identity\r\n").as_bytes());
    let model = checked.model.as_deref();
    let built_in = || Some(Arc::new(catalog::find(account.catalog, model?)?.model));
    let known = own.or_else(built_in);
    // Models without chat completions would only be refused there.
    let chooses = !account.dialect_is_chosen && account.dialect == Dialect::OpenAi && account.quirks.responses;
    let is_only_by_responses = chooses && known.as_ref().is_some_and(|model| model.kind == Kind::Responses);
    let dialect = if is_only_by_responses { Dialect::OpenAiResponses } else { account.dialect };
    let only_by_responses = match model {
        None if chooses => only_by_responses(account.catalog, checked.name.trim_end_matches('*'), catalog),
        _ => ConfigMap::default(),
    };
    Deployment {
        dialect,
        only_by_responses,
        catalog: account.catalog,
        traits: traits::of(
            account.provider,
            account.quirks,
            account.quirks.dialect_of(model.unwrap_or_default(), dialect),
            model.unwrap_or_default(),
            known.as_deref(),
        ),
        model: known,
        index,
        name: checked.name.as_str().into(),
        provider: account.provider,
        quirks: account.quirks,
        endpoint,
        host: account.base.host_header().into(),
        base_path: account.base.path.clone(),
        api_version: account.api_version.clone(),
        upstream_model: checked.model.as_deref().map(Box::from),
        auth: clouds.get(&checked.account).cloned().map_or(AuthSource::Headers, AuthSource::Cloud),
        headers: account.headers.clone(),
        http1_chat_start: http1_chat_start(&account.base.path, &lines),
        http1_lines: Secret::new(lines),
    }
}

/// Models that are served by the Responses API alone: the built-in catalog's, less and more what the operator says of the models of the
/// account, whose names begin with `account`.
fn only_by_responses(
    provider: &str,
    account: &str,
    catalog: &ConfigMap<Box<str>, Arc<Model>>,
) -> ConfigMap<Box<str>, ()> {
    let built_in = catalog::models().filter(|entry| entry.provider == provider && entry.model.kind == Kind::Responses);
    let mut names: ConfigMap<Box<str>, ()> = built_in.map(|entry| (entry.id.into(), ())).collect();
    for (name, model) in catalog {
        let Some(name) = name.strip_prefix(account) else { continue };
        match model.kind {
            Kind::Responses => drop(names.insert(name.into(), ())),
            _ => drop(names.remove(name)),
        }
    }
    names
}

/// The distinct endpoints of all accounts that deployments use.
struct Endpoints {
    all: Vec<Arc<Endpoint>>,
    by_account: HashMap<usize, u32>,
}

impl Endpoints {
    fn build(checked: &Checked, previous: Option<&Snapshot>, report: &mut Report<'_>) -> Option<Endpoints> {
        let mut system_roots = None;
        let mut endpoints = Endpoints { all: Vec::new(), by_account: HashMap::new() };
        // Which account an endpoint was made for, to name both when two disagree.
        let mut made_for: Vec<&Account> = Vec::new();
        for deployment in &checked.deployments {
            if endpoints.by_account.contains_key(&deployment.account) {
                continue;
            }
            let account = &checked.accounts[deployment.account];
            let Some(authorities) = Authorities::read(account, report) else { continue };
            let key = endpoint_key(account, authorities.digest);
            let position = match endpoints.all.iter().position(|endpoint| endpoint.key == key) {
                Some(position) => {
                    if endpoints.all[position].pool != account.pool {
                        let message = format!("the pool differs from that of {}", made_for[position].path);
                        let help =
                            "both use the same connections (same host, port and trust), so they need the same pool";
                        report.error_help(&join(&account.path, "pool"), message, help);
                    }
                    position
                }
                None => {
                    let unchanged = |endpoint: &&Arc<Endpoint>| endpoint.key == key && endpoint.pool == account.pool;
                    let endpoint = match previous.and_then(|previous| previous.endpoints.iter().find(unchanged)) {
                        Some(endpoint) => endpoint.clone(),
                        None => match endpoint(account, key, &authorities, &mut system_roots, report) {
                            Some(endpoint) => Arc::new(endpoint),
                            None => continue,
                        },
                    };
                    endpoints.all.push(endpoint);
                    made_for.push(account);
                    endpoints.all.len() - 1
                }
            };
            endpoints.by_account.insert(deployment.account, position as u32);
        }
        report.errors.is_empty().then_some(endpoints)
    }
}

fn endpoint_key(account: &Account, ca_digest: [u8; 32]) -> EndpointKey {
    EndpointKey {
        host: account.base.host.clone(),
        port: account.base.port,
        tls: account.base.tls,
        http: account.http,
        ca_file: account.ca_file.as_deref().filter(|_| account.base.tls).map(Box::from),
        ca_digest,
    }
}

fn endpoint(
    account: &Account,
    key: EndpointKey,
    authorities: &Authorities,
    system_roots: &mut Option<RootCertStore>,
    report: &mut Report<'_>,
) -> Option<Endpoint> {
    let tls = match key.tls {
        true => Some(tls(account, key.http, authorities, system_roots, report)?),
        false => None,
    };
    let server_name = match ServerName::try_from(key.host.to_string()) {
        Ok(name) => Some(name).filter(|_| key.tls),
        Err(_) => {
            report.error(&join(&account.path, "base_url"), "not a host name");
            return None;
        }
    };
    let addresses = ArcSwap::from_pointee(account.base.literal().into_iter().collect());
    Some(Endpoint { key, tls, server_name, pool: account.pool, addresses })
}

fn tls(
    account: &Account,
    http: HttpVersions,
    authorities: &Authorities,
    system_roots: &mut Option<RootCertStore>,
    report: &mut Report<'_>,
) -> Option<Arc<ClientConfig>> {
    let mut roots = system_roots.get_or_insert_with(self::system_roots).clone();
    for certificate in &authorities.certificates {
        if roots.add(certificate.clone()).is_err() {
            report.error(&join(&account.path, "ca_file"), "a certificate in the file cannot be used as an authority");
            return None;
        }
    }
    if roots.is_empty() {
        let help = "install the system's authorities (Debian: apt install ca-certificates), or set ca_file";
        report.error_help(&account.path, "no certificate authority is known, so no TLS peer could be trusted", help);
        return None;
    }
    let versions = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the ring provider has suites for TLS 1.2 and 1.3");
    // Sessions are resumed by default; early data stays off, because a replayed prompt costs money.
    let mut config = versions.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = match http {
        HttpVersions::Auto => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
        HttpVersions::Http1 => vec![b"http/1.1".to_vec()],
        HttpVersions::Http2 => vec![b"h2".to_vec()],
    };
    Some(Arc::new(config))
}

/// The certificate authorities of this machine. Some distributions ship a few that webpki cannot read; those are left out.
fn system_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

/// What an account's `ca_file` holds.
struct Authorities {
    certificates: Vec<CertificateDer<'static>>,
    digest: [u8; 32],
}

impl Authorities {
    /// Reads the file, if one is named and TLS is used; `None` after an error.
    fn read(account: &Account, report: &mut Report<'_>) -> Option<Authorities> {
        let Some(file) = account.ca_file.as_deref().filter(|_| account.base.tls) else {
            return Some(Authorities { certificates: Vec::new(), digest: [0; 32] });
        };
        let path = join(&account.path, "ca_file");
        let pem = match read_bounded(Path::new(file), CA_FILE_BYTES_MAX) {
            Ok(pem) => pem,
            Err(cause) => {
                report.error(&path, format!("the file cannot be used: {cause}"));
                return None;
            }
        };
        match CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<Vec<_>, _>>() {
            Ok(certificates) if !certificates.is_empty() => {
                Some(Authorities { certificates, digest: keys::hash(pem.as_bytes()) })
            }
            _ => {
                let help = "PEM: -----BEGIN CERTIFICATE----- and so on";
                report.error_help(&path, "the file holds no certificate, or a broken one", help);
                None
            }
        }
    }
}
