//! AWS keys, from the places in which AWS's own tools look, in their order.
//!
//! 0. A key of Bedrock's own in `AWS_BEARER_TOKEN_BEDROCK`: it is shown as it is, nothing is signed.
//! 1. The environment: `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`.
//! 2. Web identity (Kubernetes): the token in `AWS_WEB_IDENTITY_TOKEN_FILE`, exchanged for the keys of `AWS_ROLE_ARN` by STS.
//! 3. The profile of `AWS_PROFILE`, or `default` ([`profile`]): static keys only, nothing is spawned and no role assumed.
//! 4. The container's agent (ECS, EKS pod identity): `AWS_CONTAINER_CREDENTIALS_RELATIVE_URI` or `..._FULL_URI`.
//! 5. The instance's metadata service, version 2 only: version 1 hands keys to whoever can make us ask.
//!
//! The first that is configured decides: what it fails with is the result, and the next is not tried. What is not configured is passed over.

use super::ask::{Asker, Question, append_member, between};
use crate::{
    config::{
        cloud::{AwsKeys, AwsSource, CloudCredential, CloudKey, aws_domain},
        interpolate::Lookup as Surroundings,
        snapshot::Secret,
    },
    control_plane::resolver::Lookup,
};
use hyper::{Method, Uri, body::Bytes};
use serde::Deserialize;
use std::{net::IpAddr, path::Path};

pub mod profile;

/// Fetches keys for a region.
///
/// # Errors
/// A sentence for the log.
pub async fn fetch<L: Lookup>(
    source: &AwsSource,
    region: &str,
    surroundings: &(dyn Surroundings + Send + Sync),
    asker: &Asker<L>,
) -> Result<CloudCredential, String> {
    let keys = match source {
        AwsSource::Keys { access_key_id, secret_access_key, session_token } => {
            let (secret, token) = (secret_access_key.clone(), session_token.clone());
            return Ok(credential(AwsKeys::new(access_key_id.clone(), secret, token, region), None));
        }
        AwsSource::Profile(name) => {
            profile::read(name, surroundings)?.ok_or_else(|| format!("there is no profile '{name}' in AWS's files"))?
        }
        AwsSource::Chain => {
            if let Some(key) = surroundings.env("AWS_BEARER_TOKEN_BEDROCK").filter(|key| !key.is_empty()) {
                return bearer(&key);
            }
            chain(region, surroundings, asker).await?
        }
    };
    keys.credential(region)
}

/// Keys as they were found.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Found {
    access_key_id: String,
    secret_access_key: String,
    #[serde(alias = "SessionToken")]
    token: Option<String>,
    /// RFC 3339.
    expiration: Option<String>,
    /// What the instance's metadata service calls a failure; elsewhere absent.
    code: Option<String>,
}

async fn chain<L: Lookup>(
    region: &str,
    surroundings: &(dyn Surroundings + Send + Sync),
    asker: &Asker<L>,
) -> Result<Found, String> {
    let env = |name: &str| surroundings.env(name).filter(|value| !value.is_empty());
    if let (Some(access_key_id), Some(secret_access_key)) = (env("AWS_ACCESS_KEY_ID"), env("AWS_SECRET_ACCESS_KEY")) {
        return Ok(Found { access_key_id, secret_access_key, token: env("AWS_SESSION_TOKEN"), ..Found::default() });
    }
    if let (Some(file), Some(role)) = (env("AWS_WEB_IDENTITY_TOKEN_FILE"), env("AWS_ROLE_ARN")) {
        let token = surroundings.file(Path::new(&file)).map_err(|why| format!("the web identity token: {why}"))?;
        let session = env("AWS_ROLE_SESSION_NAME").unwrap_or_else(|| "ringway".to_owned());
        let endpoint =
            env("AWS_ENDPOINT_URL_STS").unwrap_or_else(|| format!("https://sts.{region}.{}", aws_domain(region)));
        return web_identity(asker, &endpoint, &role, &session, token.trim()).await;
    }
    let named = env("AWS_PROFILE");
    match profile::read(named.as_deref().unwrap_or("default"), surroundings)? {
        Some(found) => return Ok(found),
        None => {
            if let Some(name) = named {
                return Err(format!("there is no profile '{name}', which AWS_PROFILE names, in AWS's files"));
            }
        }
    }
    if let Some(path) = env("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") {
        return container(asker, &format!("http://169.254.170.2{path}"), surroundings).await;
    }
    if let Some(url) = env("AWS_CONTAINER_CREDENTIALS_FULL_URI") {
        return container(asker, &url, surroundings).await;
    }
    if env("AWS_EC2_METADATA_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
        let message =
            "no AWS keys: none in the environment, in AWS's files or from a container, and AWS_EC2_METADATA_DISABLED";
        return Err(message.to_owned());
    }
    let endpoint = env("AWS_EC2_METADATA_SERVICE_ENDPOINT").unwrap_or_else(|| "http://169.254.169.254".to_owned());
    let found = instance(asker, endpoint.trim_end_matches('/')).await;
    found.map_err(|why| format!("no AWS keys in the environment, in AWS's files or from a container, and {why}"))
}

/// Exchanges a token that Kubernetes gave us for a role's keys. Not signed: the token is the proof.
async fn web_identity<L: Lookup>(
    asker: &Asker<L>,
    endpoint: &str,
    role: &str,
    session: &str,
    token: &str,
) -> Result<Found, String> {
    let mut form = String::new();
    for (name, value) in [
        ("Action", "AssumeRoleWithWebIdentity"),
        ("Version", "2011-06-15"),
        ("RoleArn", role),
        ("RoleSessionName", session),
        ("WebIdentityToken", token),
    ] {
        append_member(&mut form, name, value);
    }
    let question = Question { method: Method::POST, url: endpoint, headers: &[], form };
    let answer = asker.ask(question).await.map_err(|why| format!("STS: {why}"))?;
    let text = str::from_utf8(&answer).map_err(|_| "STS: the answer is not text".to_owned())?;
    // Base64 and times: nothing in them is ever escaped.
    let member = |name: &str| between(text, name).map(|inside| inside.trim().to_owned());
    Ok(Found {
        access_key_id: member("AccessKeyId").unwrap_or_default(),
        secret_access_key: member("SecretAccessKey").unwrap_or_default(),
        token: member("SessionToken"),
        expiration: member("Expiration"),
        code: None,
    })
}

async fn container<L: Lookup>(
    asker: &Asker<L>,
    url: &str,
    surroundings: &(dyn Surroundings + Send + Sync),
) -> Result<Found, String> {
    if !is_trusted(url) {
        let message =
            "AWS_CONTAINER_CREDENTIALS_FULL_URI is neither https:// nor an address of the container's own agent";
        return Err(message.to_owned());
    }
    let file = surroundings.env("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE").filter(|path| !path.is_empty());
    let token = match file {
        // EKS replaces it every so often, so it is read each time.
        Some(file) => {
            let text = surroundings.file(Path::new(&file));
            Some(text.map_err(|why| format!("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: {why}"))?.trim().to_owned())
        }
        None => surroundings.env("AWS_CONTAINER_AUTHORIZATION_TOKEN").filter(|token| !token.is_empty()),
    };
    let headers: Vec<_> = token.iter().map(|token| ("authorization", token.as_str())).collect();
    let question = Question { method: Method::GET, url, headers: &headers, form: String::new() };
    let answer = asker.ask(question).await.map_err(|why| format!("the container's credentials: {why}"))?;
    found(&answer, "the container's agent")
}

/// May keys come from there in clear text? AWS's tools know the same addresses: ECS's and EKS's agents, and this machine.
fn is_trusted(url: &str) -> bool {
    let Ok(uri) = url.parse::<Uri>() else { return false };
    let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    let is_agent = ["169.254.170.2", "169.254.170.23", "fd00:ec2::23"].contains(&host);
    let is_loopback = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    uri.scheme_str() == Some("https") || (uri.scheme_str() == Some("http") && (is_agent || is_loopback))
}

async fn instance<L: Lookup>(asker: &Asker<L>, endpoint: &str) -> Result<Found, String> {
    const ROLES: &str = "latest/meta-data/iam/security-credentials/";
    let called = |why: String| format!("the instance's metadata service: {why}");
    let lifetime = [("x-aws-ec2-metadata-token-ttl-seconds", "300")];
    let url = format!("{endpoint}/latest/api/token");
    let question = Question { method: Method::PUT, url: &url, headers: &lifetime, form: String::new() };
    let token = asker.ask(question).await.map_err(called)?;
    let token = str::from_utf8(&token).map_err(|_| called("a token that is no text".to_owned()))?.trim();

    let session = [("x-aws-ec2-metadata-token", token)];
    let ask = async |url: &str| {
        let question = Question { method: Method::GET, url, headers: &session, form: String::new() };
        asker.ask(question).await.map_err(called)
    };
    let roles = ask(&format!("{endpoint}/{ROLES}")).await?;
    let role = str::from_utf8(&roles).ok().and_then(|text| text.lines().next()).map(str::trim).unwrap_or_default();
    let is_name = role.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+=,.@-_".contains(&byte));
    if role.is_empty() || !is_name {
        return Err(called("the instance has no role".to_owned()));
    }
    found(&ask(&format!("{endpoint}/{ROLES}{role}")).await?, "the instance's metadata service")
}

fn found(answer: &Bytes, whose: &str) -> Result<Found, String> {
    let found: Found = serde_json::from_slice(answer).map_err(|_| format!("{whose} gave no keys in JSON"))?;
    match found.code.as_deref() {
        None | Some("Success") => Ok(found),
        Some(code) => Err(format!("{whose}: {code}")),
    }
}

impl Found {
    /// Keys that do not expire.
    fn new(access_key_id: String, secret_access_key: String, token: Option<String>) -> Found {
        Found { access_key_id, secret_access_key, token, ..Found::default() }
    }

    fn credential(self, region: &str) -> Result<CloudCredential, String> {
        let is_plain = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        let token = self.token.filter(|token| !token.is_empty());
        // They become a header.
        if !is_plain(&self.access_key_id)
            || !is_plain(&self.secret_access_key)
            || !token.as_deref().is_none_or(is_plain)
        {
            return Err("the keys that were found are empty, or not keys".to_owned());
        }
        let expires_at_s = match self.expiration.filter(|time| !time.is_empty()) {
            None => None,
            Some(time) => {
                let time: jiff::Timestamp = time.parse().map_err(|_| "the keys expire at no time".to_owned())?;
                Some(u64::try_from(time.as_second()).unwrap_or(0))
            }
        };
        let secret = |text: String| Secret::new(text.into_bytes());
        let keys = AwsKeys::new(self.access_key_id.into(), secret(self.secret_access_key), token.map(secret), region);
        Ok(credential(keys, expires_at_s))
    }
}

/// A key of Bedrock's own. Those that last some hours only do not say until when.
fn bearer(key: &str) -> Result<CloudCredential, String> {
    if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("AWS_BEARER_TOKEN_BEDROCK cannot be sent in a header".to_owned());
    }
    let value = Secret::new(format!("Bearer {key}").into_bytes());
    Ok(CloudCredential { key: CloudKey::Bearer(value), expires_at_s: None })
}

fn credential(keys: AwsKeys, expires_at_s: Option<u64>) -> CloudCredential {
    CloudCredential { key: CloudKey::Aws(keys), expires_at_s }
}

#[cfg(test)]
mod tests;
