//! AWS keys, from the places in which AWS's own tools look, in their order.
//!
//! 0. A key of Bedrock's own in `AWS_BEARER_TOKEN_BEDROCK`: it is shown as it is, nothing is signed.
//! 1. The environment: `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`.
//! 2. The profile of `AWS_PROFILE`, or `default`, if it assumes a role.
//! 3. Web identity (Kubernetes): the token in `AWS_WEB_IDENTITY_TOKEN_FILE`, exchanged for the keys of `AWS_ROLE_ARN` by STS.
//! 4. The same profile's other ways: a web identity of its own, single sign-on, keys ([`profile`]). Nothing is spawned.
//! 5. The container's agent (ECS, EKS pod identity): `AWS_CONTAINER_CREDENTIALS_RELATIVE_URI` or `..._FULL_URI`.
//! 6. The instance's metadata service, version 2 only: version 1 hands keys to whoever can make us ask.
//!
//! The first that is configured decides: what it fails with is the result, and the next is not tried. What is not configured is passed over.
//!
//! Roles are assumed one after the other, by the endpoint of the region that the keys are for, in one fetch: keys in between are not kept. The
//! last ones' expiry is the credential's, so a chain is walked again before its end.

use super::ask::{Asker, Body, Question};
use crate::{
    config::{
        address,
        cloud::{AwsKeys, AwsSource, CloudCredential, CloudKey, aws_domain},
        interpolate::Lookup as Surroundings,
        snapshot::Secret,
    },
    control_plane::resolver::Lookup,
};
use hyper::{Method, Uri, body::Bytes};
use profile::{Files, First, Role, Service, Way};
use serde::Deserialize;
use std::{net::IpAddr, path::Path};

pub mod profile;
pub mod sso;
mod sts;

/// Fetches keys for a region.
///
/// # Errors
/// A sentence for the log.
pub async fn fetch<L: Lookup>(
    source: &AwsSource,
    region: &str,
    now_s: u64,
    surroundings: &(dyn Surroundings + Send + Sync),
    asker: &Asker<L>,
    renewed: &sso::Renewed,
) -> Result<CloudCredential, String> {
    let env = |name: &str| surroundings.env(name).filter(|value| !value.is_empty());
    let named = match source {
        AwsSource::Keys { access_key_id, secret_access_key, session_token } => {
            let (secret, token) = (secret_access_key.clone(), session_token.clone());
            return Ok(credential(AwsKeys::new(access_key_id.clone(), secret, token, region), None));
        }
        AwsSource::Profile(name) => Some(name.to_string()),
        AwsSource::Chain => {
            if let Some(key) = env("AWS_BEARER_TOKEN_BEDROCK") {
                return bearer(&key);
            }
            env("AWS_PROFILE")
        }
    };
    let is_chain = matches!(source, AwsSource::Chain);
    let files = Files::read(surroundings);
    let profile = named.as_deref().unwrap_or("default");
    let fetching = Fetching { region, now_s, surroundings, asker, renewed, files, profile };
    let keys = if is_chain {
        fetching.chain(named.is_some()).await?
    } else {
        fetching.profile().await?.ok_or_else(|| fetching.files.lack(profile))?
    };
    keys.credential(region)
}

/// What one fetch works with.
struct Fetching<'a, L> {
    region: &'a str,
    now_s: u64,
    surroundings: &'a (dyn Surroundings + Send + Sync),
    asker: &'a Asker<L>,
    renewed: &'a sso::Renewed,
    files: Files,
    /// The profile that was chosen. It says where services are for every profile that it leads to.
    profile: &'a str,
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

impl<L: Lookup> Fetching<'_, L> {
    async fn chain(&self, is_named: bool) -> Result<Found, String> {
        if let Some(found) = self.environment() {
            return Ok(found);
        }
        if !self.files.assumes_role(self.profile)
            && let (Some(file), Some(arn)) = (self.env("AWS_WEB_IDENTITY_TOKEN_FILE"), self.env("AWS_ROLE_ARN"))
        {
            let session_name = self.env("AWS_ROLE_SESSION_NAME");
            return self.token_of(&Role { arn, session_name, external_id: None, duration_s: None }, &file).await;
        }
        match self.profile().await? {
            Some(found) => return Ok(found),
            None if is_named => return Err(format!("{}; AWS_PROFILE names it", self.files.lack(self.profile))),
            None => {}
        }
        if let Some(found) = self.container().await? {
            return Ok(found);
        }
        if self.env("AWS_EC2_METADATA_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
            let message = "no AWS keys: none in the environment, in AWS's files or from a container, and AWS_EC2_METADATA_DISABLED";
            return Err(message.to_owned());
        }
        let found = self.instance().await;
        found.map_err(|why| format!("no AWS keys in the environment, in AWS's files or from a container, and {why}"))
    }

    /// The keys of the profile, if it is there and has a way to some.
    async fn profile(&self) -> Result<Option<Found>, String> {
        let Some(Way { first, roles }) = self.files.way(self.profile)? else { return Ok(None) };
        let lacks = |what: &str| format!("the credential_source of the profile '{}' has no keys: {what}", self.profile);
        let mut found = match first {
            First::Keys(found) => found,
            First::WebIdentity { role, token_file } => self.token_of(&role, &token_file).await?,
            First::SingleSignOn(sso) => self.single_sign_on(&sso).await?,
            First::Environment => self.environment().ok_or_else(|| lacks("AWS_ACCESS_KEY_ID is not set"))?,
            First::Container => {
                let found = self.container().await?;
                found.ok_or_else(|| lacks("no AWS_CONTAINER_CREDENTIALS_RELATIVE_URI and no ..._FULL_URI"))?
            }
            First::Instance => self.instance().await?,
        };
        for role in &roles {
            found = self.assume_role(&self.endpoint(Service::Sts, self.region)?, role, &found).await?;
        }
        Ok(Some(found))
    }

    fn environment(&self) -> Option<Found> {
        let (access_key_id, secret) = (self.env("AWS_ACCESS_KEY_ID")?, self.env("AWS_SECRET_ACCESS_KEY")?);
        Some(Found::new(access_key_id, secret, self.env("AWS_SESSION_TOKEN")))
    }

    async fn token_of(&self, role: &Role, file: &str) -> Result<Found, String> {
        let token = self.surroundings.file(Path::new(file)).map_err(|why| format!("the web identity token: {why}"))?;
        self.web_identity(&self.endpoint(Service::Sts, self.region)?, role, token.trim()).await
    }

    /// Where a service is: its usual place in a region, unless the operator says otherwise.
    fn endpoint(&self, service: Service, region: &str) -> Result<String, String> {
        let Some(url) = self.files.endpoint(service, self.profile, self.surroundings)? else {
            return Ok(format!("https://{}.{region}.{}", service.host(), aws_domain(region)));
        };
        // Keys come from there, and tokens go there.
        if !address::base_url(&url).is_ok_and(|url| url.tls || url.is_loopback()) {
            return Err(format!("the endpoint URL that is configured for {service:?} does not begin with https://"));
        }
        Ok(url)
    }

    /// None where nothing says that a container has an agent.
    async fn container(&self) -> Result<Option<Found>, String> {
        let url = match self.env("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") {
            Some(path) => Some(format!("http://169.254.170.2{path}")),
            None => self.env("AWS_CONTAINER_CREDENTIALS_FULL_URI"),
        };
        let Some(url) = url else { return Ok(None) };
        if !is_trusted(&url) {
            let message =
                "AWS_CONTAINER_CREDENTIALS_FULL_URI is neither https:// nor an address of the container's own agent";
            return Err(message.to_owned());
        }
        let token = match self.env("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE") {
            // EKS replaces it every so often, so it is read each time.
            Some(file) => {
                let text = self.surroundings.file(Path::new(&file));
                Some(text.map_err(|why| format!("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: {why}"))?.trim().to_owned())
            }
            None => self.env("AWS_CONTAINER_AUTHORIZATION_TOKEN"),
        };
        let headers: Vec<_> = token.iter().map(|token| ("authorization", token.as_str())).collect();
        let question = Question { method: Method::GET, url: &url, headers: &headers, body: Body::None };
        let answer = self.asker.ask(question).await.map_err(|why| format!("the container's credentials: {why}"))?;
        found(&answer, "the container's agent").map(Some)
    }

    async fn instance(&self) -> Result<Found, String> {
        const ROLES: &str = "latest/meta-data/iam/security-credentials/";
        let endpoint = self.env("AWS_EC2_METADATA_SERVICE_ENDPOINT");
        let endpoint = endpoint.unwrap_or_else(|| "http://169.254.169.254".to_owned());
        let endpoint = endpoint.trim_end_matches('/');
        let called = |why: String| format!("the instance's metadata service: {why}");
        let lifetime = [("x-aws-ec2-metadata-token-ttl-seconds", "300")];
        let url = format!("{endpoint}/latest/api/token");
        let question = Question { method: Method::PUT, url: &url, headers: &lifetime, body: Body::None };
        let token = self.asker.ask(question).await.map_err(called)?;
        let token = str::from_utf8(&token).map_err(|_| called("a token that is no text".to_owned()))?.trim();

        let session = [("x-aws-ec2-metadata-token", token)];
        let ask = async |url: &str| {
            let question = Question { method: Method::GET, url, headers: &session, body: Body::None };
            self.asker.ask(question).await.map_err(called)
        };
        let roles = ask(&format!("{endpoint}/{ROLES}")).await?;
        let role = str::from_utf8(&roles).ok().and_then(|text| text.lines().next()).map(str::trim).unwrap_or_default();
        let is_name = role.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+=,.@-_".contains(&byte));
        if role.is_empty() || !is_name {
            return Err(called("the instance has no role".to_owned()));
        }
        found(&ask(&format!("{endpoint}/{ROLES}{role}")).await?, "the instance's metadata service")
    }

    fn env(&self, name: &str) -> Option<String> {
        self.surroundings.env(name).filter(|value| !value.is_empty())
    }
}

/// May keys come from there in clear text? AWS's tools know the same addresses: ECS's and EKS's agents, and this machine.
fn is_trusted(url: &str) -> bool {
    let Ok(uri) = url.parse::<Uri>() else { return false };
    let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    let is_agent = ["169.254.170.2", "169.254.170.23", "fd00:ec2::23"].contains(&host);
    let is_loopback = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    uri.scheme_str() == Some("https") || (uri.scheme_str() == Some("http") && (is_agent || is_loopback))
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

    /// Are they fit to be signed with, and to stand in a header?
    fn check(&self) -> Result<(), String> {
        let is_plain = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        let token = self.token.as_deref().filter(|token| !token.is_empty());
        if is_plain(&self.access_key_id) && is_plain(&self.secret_access_key) && token.is_none_or(is_plain) {
            return Ok(());
        }
        Err("the keys that were found are empty, or not keys".to_owned())
    }

    fn credential(self, region: &str) -> Result<CloudCredential, String> {
        self.check()?;
        let token = self.token.filter(|token| !token.is_empty());
        let expires_at_s = match self.expiration.filter(|time| !time.is_empty()) {
            None => None,
            Some(time) => Some(parsed_s(&time).ok_or("the keys expire at no time")?),
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

/// A time as AWS writes them, in Unix seconds. Older versions of its tools write `UTC` for `Z`.
fn parsed_s(time: &str) -> Option<u64> {
    let time = time.strip_suffix("UTC").map_or(time.to_owned(), |time| format!("{time}Z"));
    let time: jiff::Timestamp = time.parse().ok()?;
    Some(u64::try_from(time.as_second()).unwrap_or(0))
}

fn credential(keys: AwsKeys, expires_at_s: Option<u64>) -> CloudCredential {
    CloudCredential { key: CloudKey::Aws(keys), expires_at_s }
}

#[cfg(test)]
mod tests;
