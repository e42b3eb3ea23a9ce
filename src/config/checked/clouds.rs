//! Checks of the keys that only `bedrock`, `vertex` and `azure` have: where they are in their cloud, and where their credentials come from.
//!
//! Nothing is guessed: a region or a project that came from the environment unseen would decide whose money is spent, and where prompts go.
//! Whoever wants that writes `region = "${env:AWS_REGION}"`.

use super::{accounts::check_credential, listeners::absolute};
use crate::{
    config::{
        cloud::{AwsSource, CloudSource, GoogleSource, aws_domain},
        diagnostic::Report,
        raw,
        snapshot::Secret,
        tree::join,
    },
    providers::{Auth, Provider, azure},
};

/// What the keys of a cloud say.
#[derive(Default)]
pub struct Cloud {
    /// Where its API is, unless the operator says otherwise; `None` for other kinds, and after an error.
    pub base_url: Option<String>,
    /// Where its credential comes from; `None` for other kinds, and where one is configured that is sent as it is.
    pub source: Option<CloudSource>,
}

/// True for kinds whose address depends on where an account is.
pub fn is_cloud(provider: &Provider) -> bool {
    matches!(provider.auth, Auth::Aws | Auth::Google)
}

pub fn cloud(raw: &raw::Provider, provider: &'static Provider, account: &str, report: &mut Report<'_>) -> Cloud {
    let keys = [
        ("region", raw.region.is_some(), Auth::Aws),
        ("profile", raw.profile.is_some(), Auth::Aws),
        ("access_key_id", raw.access_key_id.is_some(), Auth::Aws),
        ("secret_access_key", raw.secret_access_key.is_some(), Auth::Aws),
        ("session_token", raw.session_token.is_some(), Auth::Aws),
        ("project", raw.project.is_some(), Auth::Google),
        ("location", raw.location.is_some(), Auth::Google),
        ("service_account_file", raw.service_account_file.is_some(), Auth::Google),
    ];
    for (key, _, auth) in keys.into_iter().filter(|(_, is_given, auth)| *is_given && *auth != provider.auth) {
        let kind = if auth == Auth::Aws { "bedrock" } else { "vertex" };
        report.error_help(&join(account, key), format!("this key is for kind '{kind}'"), "remove it, or change 'kind'");
    }
    if raw.quirks.claude_invoke.is_some() && provider.auth != Auth::Aws {
        let path = join(&join(account, "quirks"), "claude_invoke");
        report.error_help(&path, "this key is for kind 'bedrock'", "remove it, or change 'kind'");
    }
    if raw.entra {
        return entra(raw, provider, account, report);
    }
    match provider.auth {
        Auth::Aws => bedrock(raw, account, report),
        Auth::Google => vertex(raw, account, report),
        Auth::Bearer | Auth::Header(_) | Auth::None => Cloud::default(),
    }
}

fn entra(raw: &raw::Provider, provider: &'static Provider, account: &str, report: &mut Report<'_>) -> Cloud {
    if !provider.quirks.api_versions {
        report.error_help(&join(account, "entra"), "this key is for kind 'azure'", "remove it, or change 'kind'");
        return Cloud::default();
    }
    if raw.credential.is_some() {
        report.error_help(account, "both 'credential' and 'entra' are given", "keep the one that is meant");
    }
    Cloud { base_url: None, source: Some(CloudSource::Azure) }
}

/// The version of Azure's older form, if that is to be spoken.
pub fn api_version<'r>(
    raw: &'r raw::Provider,
    provider: &'static Provider,
    account: &str,
    report: &mut Report<'_>,
) -> Option<&'r str> {
    let version = raw.api_version.as_deref()?;
    let path = join(account, "api_version");
    if !provider.quirks.api_versions {
        report.error_help(&path, "this key is for kind 'azure'", "remove it, or change 'kind'");
        return None;
    }
    if !azure::is_api_version(version) {
        let help =
            "a day such as 2024-10-21 or 2025-04-01-preview; remove it for the newer form of the API (/openai/v1)";
        report.error_help(&path, format!("{} is no version of it", report.quote(&path, version)), help);
        return None;
    }
    Some(version)
}

/// Completes the path of Azure's address, and refuses one that belongs to the other form. `path` is the address's in the configuration.
pub fn azure_path(base: &mut Box<str>, is_older: bool, path: &str, report: &mut Report<'_>) {
    let is_newer = base.ends_with("/v1");
    let deployed = base.find("/deployments/").or_else(|| base.strip_suffix("/deployments").map(str::len));
    if let Some(at) = deployed {
        let help = format!("leave out what follows {}: the model's name says which deployment", &base[..at]);
        report.error_help(path, "the address names a deployment", help);
    } else if is_older && is_newer {
        let help = format!("end the address in {}, or remove 'api_version'", azure::BASE_PATH);
        report.error_help(path, "this is the address of the newer form of the API, which has no dated versions", help);
    } else if base.is_empty() {
        *base = if is_older { azure::BASE_PATH.into() } else { format!("{}/v1", azure::BASE_PATH).into() };
    } else if !is_older && base.ends_with(azure::BASE_PATH) {
        let help = format!("end the address in {}/v1, or set api_version = \"2024-10-21\"", azure::BASE_PATH);
        report.error_help(path, "this is the address of the older form of the API, which needs a version", help);
    }
}

fn bedrock(raw: &raw::Provider, account: &str, report: &mut Report<'_>) -> Cloud {
    const HELP: &str = "for example region = \"eu-central-1\", or \"${env:AWS_REGION}\"";
    let region = place(raw.region.as_deref(), "region", HELP, account, report);
    let base_url = region.map(|region| format!("https://bedrock-runtime.{region}.{}", aws_domain(region)));
    let keys = aws_keys(raw, account, report);
    let given = [raw.credential.is_some(), raw.profile.is_some(), keys.is_some()];
    if given.iter().filter(|is_given| **is_given).count() > 1 {
        let message = "more than one of 'credential', 'profile' and 'access_key_id' is given";
        report.error_help(account, message, "keep the one that is meant");
    }
    if let Some(profile) = raw.profile.as_deref().filter(|name| name.is_empty() || name.contains(['[', ']'])) {
        let path = join(account, "profile");
        let message = format!("{} cannot be a profile's name", report.quote(&path, profile));
        report.error_help(&path, message, "the name in brackets in ~/.aws/credentials");
    }
    let source = match (keys, raw.profile.as_deref()) {
        _ if raw.credential.is_some() => None,
        (Some(keys), _) => Some(keys),
        (None, Some(profile)) => Some(AwsSource::Profile(profile.into())),
        (None, None) => Some(AwsSource::Chain),
    };
    let region = region.unwrap_or_default();
    Cloud { base_url, source: source.map(|source| CloudSource::Aws { source, region: region.into() }) }
}

/// Keys that stand in the configuration; `None` if none of their parts is given.
fn aws_keys(raw: &raw::Provider, account: &str, report: &mut Report<'_>) -> Option<AwsSource> {
    let path = |key| join(account, key);
    let parts = [("secret_access_key", raw.secret_access_key.as_ref()), ("session_token", raw.session_token.as_ref())];
    for (key, part) in parts {
        if let Some(part) = part {
            check_credential(part.expose(), &path(key), report);
        }
    }
    if let Some(id) = raw.access_key_id.as_deref()
        && (!(16..=128).contains(&id.len()) || !id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'))
    {
        let help = "16 to 128 letters and digits, for example AKIAIOSFODNN7EXAMPLE";
        report.error_help(&path("access_key_id"), "this is not an access key's id", help);
    }
    let missing = |key: &str, beside: &str, report: &mut Report<'_>| {
        let message = format!("the key '{key}' is missing");
        report.error_help(account, message, format!("'{beside}' is only a part of AWS's keys"));
    };
    match (&raw.access_key_id, &raw.secret_access_key, &raw.session_token) {
        (Some(id), Some(secret), token) => Some(AwsSource::Keys {
            access_key_id: id.as_str().into(),
            secret_access_key: Secret::new(secret.expose().as_bytes()),
            session_token: token.as_ref().map(|token| Secret::new(token.expose().as_bytes())),
        }),
        (Some(_), None, _) => {
            missing("secret_access_key", "access_key_id", report);
            None
        }
        (None, Some(_), _) => {
            missing("access_key_id", "secret_access_key", report);
            None
        }
        (None, None, Some(_)) => {
            missing("access_key_id", "session_token", report);
            None
        }
        (None, None, None) => None,
    }
}

fn vertex(raw: &raw::Provider, account: &str, report: &mut Report<'_>) -> Cloud {
    let project =
        place(raw.project.as_deref(), "project", "for example project = \"my-project-123456\"", account, report);
    const HELP: &str = "for example location = \"europe-west4\", or \"global\" if it does not matter where prompts go";
    let location = place(raw.location.as_deref(), "location", HELP, account, report);
    let base_url = project.zip(location).map(|(project, location)| {
        let host = match location {
            "global" => "aiplatform.googleapis.com".to_owned(),
            // Multi-regions have hosts of their own.
            "eu" | "us" => format!("aiplatform.{location}.rep.googleapis.com"),
            region => format!("{region}-aiplatform.googleapis.com"),
        };
        format!("https://{host}/v1/projects/{project}/locations/{location}")
    });
    if raw.credential.is_some() {
        let help = "remove it, and set service_account_file if the machine has no account of its own";
        report.error_help(
            &join(account, "credential"),
            "Vertex AI takes no key: tokens are fetched, and last an hour",
            help,
        );
    }
    let file =
        raw.service_account_file.as_ref().map(|file| absolute(file, &join(account, "service_account_file"), report));
    let source = match file {
        None => GoogleSource::Default,
        // After an error; the rest can be checked.
        Some(None) => GoogleSource::Default,
        Some(Some(path)) => GoogleSource::File(path),
    };
    Cloud { base_url, source: Some(CloudSource::Google(source)) }
}

/// A name that becomes a part of a host or a path.
fn place<'r>(given: Option<&'r str>, key: &str, help: &str, account: &str, report: &mut Report<'_>) -> Option<&'r str> {
    let Some(text) = given else {
        report.error_help(account, format!("the key '{key}' is missing"), help);
        return None;
    };
    let is_plain = text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    let is_framed = text.starts_with('-') || text.ends_with('-');
    if text.is_empty() || text.len() > 63 || !is_plain || is_framed {
        let path = join(account, key);
        report.error_help(&path, format!("{} is not a {key}", report.quote(&path, text)), help);
        return None;
    }
    Some(text)
}
