//! Tokens of Entra ID for Azure OpenAI, from the places in which Azure's own libraries look, in their order.
//!
//! 1. A program's secret in the environment: `AZURE_TENANT_ID`, `AZURE_CLIENT_ID`, `AZURE_CLIENT_SECRET`.
//! 2. Workload identity (Kubernetes): the token in `AZURE_FEDERATED_TOKEN_FILE`, exchanged for the same tenant and client.
//! 3. The identity of an App Service or a Container App: `IDENTITY_ENDPOINT`, `IDENTITY_HEADER`.
//! 4. The identity of the machine, from its metadata service.
//!
//! `AZURE_CLIENT_ID` says which of several identities is meant in the last two. The first that is configured decides: what it fails with is the
//! result. Nothing is spawned.

use super::ask::{Asker, Body, Question, append_member};
use crate::{
    config::{address, cloud::CloudCredential, interpolate::Lookup as Surroundings},
    control_plane::resolver::Lookup,
};
use hyper::{Method, body::Bytes};
use serde::Deserialize;
use std::path::Path;

/// Whom the tokens are for.
const RESOURCE: &str = "https://cognitiveservices.azure.com";

/// Fetches a token.
///
/// # Errors
/// A sentence for the log.
pub async fn fetch<L: Lookup>(
    now_s: u64,
    surroundings: &(dyn Surroundings + Send + Sync),
    asker: &Asker<L>,
) -> Result<CloudCredential, String> {
    let env = |name: &str| surroundings.env(name).filter(|value| !value.is_empty());
    let program = env("AZURE_TENANT_ID").zip(env("AZURE_CLIENT_ID"));
    let answer = match (program, env("AZURE_CLIENT_SECRET"), env("AZURE_FEDERATED_TOKEN_FILE")) {
        (Some((tenant, client)), Some(secret), _) => {
            exchange(&tenant, &client, &[("client_secret", &secret)], surroundings, asker).await?
        }
        (Some((tenant, client)), None, Some(file)) => {
            let assertion = surroundings.file(Path::new(&file));
            let assertion = assertion.map_err(|why| format!("AZURE_FEDERATED_TOKEN_FILE: {why}"))?;
            let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
            let proof = [("client_assertion_type", kind), ("client_assertion", assertion.trim())];
            exchange(&tenant, &client, &proof, surroundings, asker).await?
        }
        _ => identity(surroundings, asker).await?,
    };
    token(&answer, now_s)
}

/// Proves who we are to Entra ID.
async fn exchange<L: Lookup>(
    tenant: &str,
    client: &str,
    proof: &[(&str, &str)],
    surroundings: &(dyn Surroundings + Send + Sync),
    asker: &Asker<L>,
) -> Result<Bytes, String> {
    if !tenant.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte)) {
        return Err("AZURE_TENANT_ID is not the id or the domain of a tenant".to_owned());
    }
    let host = surroundings.env("AZURE_AUTHORITY_HOST").filter(|host| !host.is_empty());
    let host = host.unwrap_or_else(|| "https://login.microsoftonline.com".to_owned());
    // A secret goes there.
    if !address::base_url(&host).is_ok_and(|url| url.tls || url.is_loopback()) {
        return Err("AZURE_AUTHORITY_HOST does not begin with https://".to_owned());
    }
    let mut form = String::new();
    append_member(&mut form, "grant_type", "client_credentials");
    append_member(&mut form, "client_id", client);
    append_member(&mut form, "scope", &format!("{RESOURCE}/.default"));
    for (name, value) in proof {
        append_member(&mut form, name, value);
    }
    let url = format!("{}/{tenant}/oauth2/v2.0/token", host.trim_end_matches('/'));
    let question = Question { method: Method::POST, url: &url, headers: &[], body: Body::Form(form) };
    asker.ask(question).await.map_err(|why| format!("Entra ID: {why}"))
}

/// Asks for the token of an identity that the place we run in has.
async fn identity<L: Lookup>(
    surroundings: &(dyn Surroundings + Send + Sync),
    asker: &Asker<L>,
) -> Result<Bytes, String> {
    let env = |name: &str| surroundings.env(name).filter(|value| !value.is_empty());
    let mut query = String::new();
    append_member(&mut query, "resource", RESOURCE);
    if let Some(client) = env("AZURE_CLIENT_ID") {
        append_member(&mut query, "client_id", &client);
    }
    if let Some((endpoint, secret)) = env("IDENTITY_ENDPOINT").zip(env("IDENTITY_HEADER")) {
        let url = format!("{endpoint}?api-version=2019-08-01&{query}");
        let headers = [("x-identity-header", secret.as_str())];
        let question = Question { method: Method::GET, url: &url, headers: &headers, body: Body::None };
        return asker.ask(question).await.map_err(|why| format!("the service's identity: {why}"));
    }
    let host = env("AZURE_POD_IDENTITY_AUTHORITY_HOST").unwrap_or_else(|| "http://169.254.169.254".to_owned());
    let url = format!("{}/metadata/identity/oauth2/token?api-version=2018-02-01&{query}", host.trim_end_matches('/'));
    // Without it the service refuses: no page in a browser can make it send.
    let headers = [("metadata", "true")];
    let question = Question { method: Method::GET, url: &url, headers: &headers, body: Body::None };
    let answer = asker.ask(question).await;
    answer
        .map_err(|why| format!("no secret or token of Entra ID in the environment, and the machine's identity: {why}"))
}

fn token(answer: &Bytes, now_s: u64) -> Result<CloudCredential, String> {
    /// Entra ID writes numbers, identities write them as texts.
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Seconds {
        Number(u64),
        Text(String),
    }
    #[derive(Deserialize)]
    struct Answer {
        access_token: String,
        expires_in: Option<Seconds>,
        /// Unix time.
        expires_on: Option<Seconds>,
    }
    let seconds = |told: Seconds| match told {
        Seconds::Number(number) => Some(number),
        Seconds::Text(text) => text.parse().ok(),
    };
    let answer: Answer = serde_json::from_slice(answer).map_err(|_| "the answer holds no token".to_owned())?;
    if answer.access_token.is_empty() || !answer.access_token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("the answer holds no token that could be sent in a header".to_owned());
    }
    let lives_s = answer.expires_in.and_then(seconds);
    let expires_at_s = lives_s.map(|lives_s| now_s.saturating_add(lives_s)).or(answer.expires_on.and_then(seconds));
    let expires_at_s = expires_at_s.ok_or("the answer does not say until when its token can be used")?;
    Ok(CloudCredential::bearer(&answer.access_token, expires_at_s))
}

#[cfg(test)]
mod tests;
