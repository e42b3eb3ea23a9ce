//! Checks of `[providers.NAME]`: where a provider is, and what we show it.

use super::{clouds, listeners::absolute};
use crate::{
    catalog,
    config::{
        address::{self, BaseUrl},
        cloud::CloudSource,
        diagnostic::{Report, quote},
        raw,
        settings::{Listen, Settings},
        snapshot::{HttpVersions, Pool, Secret},
        tree::join,
    },
    dialects::wire::Dialect,
    providers::{Auth, Provider, Quirks, azure, registry, spoken::Spoken},
};

/// One `[providers.NAME]`.
pub struct Account {
    /// Its path in the configuration, for errors.
    pub path: String,
    pub provider: &'static Provider,
    pub dialect: Dialect,
    /// The operator chose the dialect.
    pub dialect_is_chosen: bool,
    /// Whose part of the built-in catalog describes its models.
    pub catalog: &'static str,
    pub base: BaseUrl,
    pub http: HttpVersions,
    pub ca_file: Option<String>,
    pub quirks: Quirks,
    pub pool: Pool,
    /// Lower-case names; the credential's header first.
    pub headers: Vec<(Box<str>, Secret)>,
    /// Where a credential that is fetched comes from.
    pub cloud: Option<CloudSource>,
    /// Of Azure's older form.
    pub api_version: Option<Box<str>>,
}

pub(super) fn accounts(config: &raw::Config, settings: &Settings, report: &mut Report<'_>) -> Vec<Account> {
    if config.providers.is_empty() {
        let help = "add one: [providers.openai] with kind = \"openai\" and credential = \"${env:OPENAI_API_KEY}\"";
        report.error_help("providers", "there is no provider", help);
    }
    config.providers.iter().map(|(name, raw)| account(name, raw, settings, report)).collect()
}

fn account(name: &str, raw: &raw::Provider, settings: &Settings, report: &mut Report<'_>) -> Account {
    let path = join("providers", name);
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if name.is_empty() || name.len() > 64 || !plain {
        let help = "at most 64 letters, digits, '-' and '_'";
        report.error_help(&path, format!("{} cannot be a provider's name", quote(name)), help);
    }
    // The schema lists the kinds, so only a configuration made by code can miss.
    let provider = registry::find(&raw.kind).unwrap_or_else(|| {
        report.error(&join(&path, "kind"), format!("{} is not a known kind", quote(&raw.kind)));
        &registry::PROVIDERS[0]
    });
    let spoken = spoken(raw, provider, &path, report);
    let cloud = clouds::cloud(raw, provider, &path, report);
    let api_version = clouds::api_version(raw, provider, &path, report);
    // As with the kinds, only the schema refuses another name.
    let catalog = raw.catalog.as_deref().and_then(|name| catalog::providers().find(|listed| *listed == name));
    Account {
        catalog: catalog.unwrap_or(provider.id),
        base: base_url(raw, provider, spoken, cloud.base_url.as_deref(), settings, &path, report),
        http: match raw.http {
            raw::Http::Auto => HttpVersions::Auto,
            raw::Http::Http1 => HttpVersions::Http1,
            raw::Http::Http2 => HttpVersions::Http2,
        },
        ca_file: raw.ca_file.as_ref().filter(|file| absolute(file, &join(&path, "ca_file"), report).is_some()).cloned(),
        quirks: Quirks {
            stream_usage: raw.quirks.stream_usage.unwrap_or(provider.quirks.stream_usage),
            fill_nullable: raw.quirks.fill_nullable.unwrap_or(provider.quirks.fill_nullable),
            responses: raw
                .quirks
                .responses
                .unwrap_or(provider.quirks.responses && api_version.is_none_or(azure::has_responses)),
            claude: provider.quirks.claude.filter(|_| raw.quirks.claude_invoke != Some(false)),
            api_versions: provider.quirks.api_versions,
        },
        pool: pool(&raw.pool, &path, report),
        headers: upstream_headers(raw, provider, spoken.auth, &path, report),
        cloud: cloud.source,
        dialect: spoken.dialect,
        dialect_is_chosen: raw.dialect.is_some(),
        api_version: api_version.map(Box::from),
        provider,
        path,
    }
}

/// Which of its APIs a kind is asked in.
fn spoken(raw: &raw::Provider, provider: &'static Provider, account: &str, report: &mut Report<'_>) -> Spoken {
    let usual = Spoken::usual(provider);
    // As with the kinds, only the schema refuses another name.
    let Some(dialect) = raw.dialect.as_deref().and_then(Dialect::of_name) else { return usual };
    let path = join(account, "dialect");
    let Some(spoken) = Spoken::find(provider, dialect) else {
        let message = format!("'{}' does not speak {}", provider.id, quote(dialect.name()));
        let names: Vec<_> = Spoken::all(provider).map(|spoken| quote(spoken.dialect.name())).collect();
        let help = format!("remove it, or change 'kind'; this one speaks {}", names.join(", "));
        report.error_help(&path, message, help);
        return usual;
    };
    if dialect == Dialect::OpenAiResponses && raw.quirks.responses == Some(false) {
        let message = "quirks.responses says that the provider has no such API";
        report.error_help(&path, message, "remove one of the two");
    }
    spoken
}

/// `usual` is the address of a kind whose address depends on other keys.
fn base_url(
    raw: &raw::Provider,
    provider: &'static Provider,
    spoken: Spoken,
    usual: Option<&str>,
    settings: &Settings,
    account: &str,
    report: &mut Report<'_>,
) -> BaseUrl {
    let path = join(account, "base_url");
    // Stands in after an error, so that the rest can be checked.
    let nowhere = || BaseUrl { tls: true, host: "localhost".into(), port: 443, path: "".into() };
    let text = match raw.base_url.as_deref().or(usual) {
        Some(text) => text,
        // That what it depends on is missing has been said.
        None if clouds::is_cloud(provider) => return nowhere(),
        None if spoken.base_url.is_empty() => {
            let help = match provider.quirks.api_versions {
                true => "the resource's address, for example https://my-resource.openai.azure.com",
                false => "give the server's address with its version segment, for example http://10.0.0.5:8000/v1",
            };
            report.error_help(
                account,
                format!("the key 'base_url' is missing: '{}' has no usual address", raw.kind),
                help,
            );
            return nowhere();
        }
        None => spoken.base_url,
    };
    let mut base = match address::base_url(text) {
        Ok(base) => base,
        Err(bad) => {
            // Passwords and keys in URLs stand before an '@' or after a '?'.
            let shown = if text.contains(['@', '?']) { "the URL".to_owned() } else { report.quote(&path, text) };
            report.error_help(&path, format!("{shown}: {}", bad.message), bad.help);
            return nowhere();
        }
    };
    if !base.tls && !base.is_private() && !raw.allow_plaintext {
        let help = "use https://, or set allow_plaintext = true if the network in between is yours";
        report.error_help(&path, "the credential and all prompts would cross a public network in clear text", help);
    }
    if names_ourselves(&base, settings) {
        let message = "this is the address that Ringway itself listens on: requests would go in circles";
        let help = "give the provider's own address (or change server.listen); is an SDK's BASE_URL variable set for this process?";
        report.error_help(&path, message, help);
    }
    if clouds::is_cloud(provider) {
        if let Some(usual) = usual.and_then(|usual| address::base_url(usual).ok()).filter(|_| base.path.is_empty()) {
            base.path = usual.path;
        }
    } else if provider.quirks.api_versions {
        clouds::azure_path(&mut base.path, raw.api_version.is_some(), &path, report);
    } else if let Some(version) = spoken.dialect.version_path().filter(|_| base.path.is_empty()) {
        base.path = version.into();
    } else if let Some(version) = spoken.dialect.version_path_beside() {
        if let Some(beside) = base.path.strip_suffix(version) {
            base.path = beside.into();
        }
    } else if raw.base_url.is_some() && base.path.is_empty() && !provider_at_root(provider) {
        report.warn(&path, "the address has no version segment", "most servers need one, usually /v1");
    }
    if !base.tls && raw.ca_file.is_some() {
        report.warn(&join(account, "ca_file"), "it has no effect on http://", "use https://, or remove it");
    }
    base
}

/// True for kinds whose own address has no path either.
fn provider_at_root(provider: &Provider) -> bool {
    address::base_url(provider.base_url).is_ok_and(|base| base.path.is_empty())
}

fn names_ourselves(base: &BaseUrl, settings: &Settings) -> bool {
    settings.listen.iter().any(|listener| match listener {
        Listen::Tcp(address) if address.port() == base.port && base.port != 0 => match base.literal() {
            Some(literal) => {
                literal.ip().to_canonical() == address.ip().to_canonical()
                    || (base.is_loopback() && address.ip().is_unspecified())
            }
            None => base.is_loopback() && (address.ip().is_unspecified() || listener.is_local()),
        },
        _ => false,
    })
}

fn pool(raw: &raw::Pool, account: &str, report: &mut Report<'_>) -> Pool {
    let path = |key| join(&join(account, "pool"), key);
    if raw.warm_min > raw.connections_max.min(raw.http1_connections_max) {
        let message = "more connections are kept warm than there may be";
        report.error_help(&path("warm_min"), message, "lower it, or raise connections_max");
    }
    if raw.ping_timeout_ms >= raw.ping_interval_ms {
        let message = format!("not shorter than ping_interval_ms ({})", raw.ping_interval_ms);
        report.error_help(&path("ping_timeout_ms"), message, "a probe must be decided before the next one is due");
    }
    Pool::from(raw)
}

/// The credential's header, then the operator's own.
fn upstream_headers(
    raw: &raw::Provider,
    provider: &'static Provider,
    auth: Auth,
    account: &str,
    report: &mut Report<'_>,
) -> Vec<(Box<str>, Secret)> {
    let mut headers: Vec<(Box<str>, Secret)> = Vec::new();
    let path = join(account, "credential");
    match &raw.credential {
        Some(credential) => {
            check_credential(credential.expose(), &path, report);
            let (name, value) = match auth {
                Auth::Bearer | Auth::None | Auth::Aws | Auth::Google => {
                    ("authorization", format!("Bearer {}", credential.expose()))
                }
                Auth::Header(name) => (name, credential.expose().to_owned()),
            };
            headers.push((name.into(), Secret::new(value.into_bytes())));
        }
        None if raw.entra => {}
        None if matches!(auth, Auth::Bearer | Auth::Header(_)) => {
            let help = format!("credential = \"${{env:{}}}\" takes it from the environment", provider.credential_env);
            report.error_help(account, "the key 'credential' is missing", help);
        }
        None => {}
    }
    for (name, value) in &raw.headers {
        let path = join(&join(account, "headers"), name);
        let lower = name.to_ascii_lowercase();
        if let Err((message, help)) = check_header_name(&lower, auth) {
            report.error_help(&path, message, help);
        }
        let value = value.expose();
        let field_value = value.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        if value.is_empty() || !field_value || value.trim() != value || value.len() > HEADER_VALUE_BYTES_MAX {
            let help = format!("1 to {HEADER_VALUE_BYTES_MAX} printable ASCII characters, no space at either end");
            report.error_help(&path, "the value cannot be sent in a header", help);
        }
        if headers.iter().any(|(present, _)| **present == *lower) {
            report.error(&path, format!("the header {} is given twice", quote(&lower)));
        }
        headers.push((lower.into(), Secret::new(value.as_bytes())));
    }
    headers
}

/// No message shows the credential, not even its length.
pub(super) fn check_credential(credential: &str, path: &str, report: &mut Report<'_>) {
    const BYTES_MIN: usize = 8;
    const PLACEHOLDERS: [&str; 6] = ["changeme", "password", "your-api-key", "your_api_key", "placeholder", "xxxxxxxx"];
    if credential.len() < BYTES_MIN {
        let help = "leave 'credential' out for a server that asks for none";
        report.error_help(path, format!("the credential is shorter than {BYTES_MIN} characters"), help);
    } else if PLACEHOLDERS.iter().any(|placeholder| credential.to_ascii_lowercase().contains(placeholder)) {
        report.error_help(path, "the credential is a placeholder", "put the real one in its place");
    } else if credential.len() > HEADER_VALUE_BYTES_MAX || !credential.bytes().all(|byte| byte.is_ascii_graphic()) {
        let help = format!("at most {HEADER_VALUE_BYTES_MAX} printable ASCII characters without spaces");
        report.error_help(path, "the credential cannot be sent in a header", help);
    } else if report.written_in_file(path) {
        let help = "use \"${env:NAME}\", \"${file:/path}\" or \"${credential:NAME}\"";
        report.warn(path, "the credential stands in the configuration file", help);
    }
}

const HEADER_VALUE_BYTES_MAX: usize = 8 * 1024;

fn check_header_name(name: &str, auth: Auth) -> Result<(), (&'static str, &'static str)> {
    const OURS: [&str; 17] = [
        "accept",
        "accept-encoding",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "expect",
        "host",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
        "x-request-id",
    ];
    if name == "authorization" || matches!(auth, Auth::Header(own) if own == name) {
        return Err(("this header carries the credential", "set 'credential' instead"));
    }
    if name == "x-amz-date" || name == "x-amz-security-token" {
        return Err(("this header is a part of a signature", "remove it"));
    }
    if OURS.contains(&name) {
        return Err(("Ringway sets or forwards this header itself", "remove it"));
    }
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)) {
        return Err(("not the name of a header", "letters, digits and '-'"));
    }
    Ok(())
}
