//! Google's tokens: a service account's key signs for one, a person's grant is renewed, or the machine's metadata server is asked.
//!
//! Without a configured file the first of these decides: the file of `GOOGLE_APPLICATION_CREDENTIALS`, the one that `gcloud auth
//! application-default login` wrote, the metadata server. Files are read each time, so a key that was replaced is used when the
//! next token is due, or after a reload.

use super::ask::{Asker, Body, Question, append_member};
use crate::{
    config::{
        cloud::{
            CloudCredential, GoogleSource,
            google_file::{AuthorizedUser, GoogleFile, ServiceAccount, TOKEN_URI},
        },
        interpolate::Lookup as Surroundings,
    },
    control_plane::resolver::Lookup,
    policy::keys::base64url,
};
use hyper::{Method, body::Bytes};
use ring::{rand::SystemRandom, signature};
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// All that a model needs; what an account may do is decided by its roles.
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";

/// Fetches a token.
///
/// # Errors
/// A sentence for the log.
pub async fn fetch<L: Lookup>(
    source: &GoogleSource,
    now_s: u64,
    surroundings: &(dyn Surroundings + Send + Sync),
    asker: &Asker<L>,
) -> Result<CloudCredential, String> {
    let file = match source {
        GoogleSource::File(path) => Some(path.clone()),
        GoogleSource::Default => default_file(surroundings),
    };
    let answer = match file {
        None => metadata(surroundings, asker).await?,
        Some(path) => match read(&path, surroundings)? {
            GoogleFile::ServiceAccount(account) => service_account(&account, now_s, asker).await?,
            GoogleFile::AuthorizedUser(user) => authorized_user(&user, surroundings, asker).await?,
        },
    };
    token(&answer, now_s)
}

fn read(path: &Path, surroundings: &dyn Surroundings) -> Result<GoogleFile, String> {
    let text = surroundings.file(path).map_err(|why| format!("{} cannot be used: {why}", path.display()))?;
    GoogleFile::parse(&text).map_err(|why| format!("{} cannot be used: {why}", path.display()))
}

/// The file that the environment names, or else gcloud's if it is there.
fn default_file(surroundings: &dyn Surroundings) -> Option<PathBuf> {
    let env = |name: &str| surroundings.env(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(path) = env("GOOGLE_APPLICATION_CREDENTIALS") {
        return Some(path);
    }
    let folder = env("CLOUDSDK_CONFIG").or_else(|| env("HOME").map(|home| home.join(".config/gcloud")))?;
    let path = folder.join("application_default_credentials.json");
    surroundings.file(&path).is_ok().then_some(path)
}

/// RFC 7523: a signed statement of who we are for a token.
async fn service_account<L: Lookup>(account: &ServiceAccount, now_s: u64, asker: &Asker<L>) -> Result<Bytes, String> {
    let mut form = String::new();
    append_member(&mut form, "grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer");
    append_member(&mut form, "assertion", &assertion(account, now_s)?);
    let question = Question { method: Method::POST, url: &account.token_uri, headers: &[], body: Body::Form(form) };
    asker.ask(question).await.map_err(|why| format!("{}: {why}", account.client_email))
}

fn assertion(account: &ServiceAccount, now_s: u64) -> Result<String, String> {
    /// The longest that Google allows.
    const LIFETIME_S: u64 = 3600;
    let mut header = serde_json::json!({ "alg": "RS256", "typ": "JWT" });
    if !account.private_key_id.is_empty() {
        header["kid"] = account.private_key_id.as_str().into();
    }
    let claims = serde_json::json!({
        "iss": account.client_email,
        "scope": SCOPE,
        "aud": account.token_uri,
        "iat": now_s,
        "exp": now_s + LIFETIME_S,
    });
    let mut text = base64url(header.to_string().as_bytes());
    text.push('.');
    text.push_str(&base64url(claims.to_string().as_bytes()));
    let mut signed = vec![0; account.key.public().modulus_len()];
    account
        .key
        .sign(&signature::RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signed)
        .map_err(|_| format!("{}: its key does not sign", account.client_email))?;
    text.push('.');
    text.push_str(&base64url(&signed));
    Ok(text)
}

async fn authorized_user<L: Lookup>(
    user: &AuthorizedUser,
    surroundings: &(dyn Surroundings + Send + Sync),
    asker: &Asker<L>,
) -> Result<Bytes, String> {
    let mut form = String::new();
    let text = |secret: &[u8]| String::from_utf8_lossy(secret).into_owned();
    append_member(&mut form, "grant_type", "refresh_token");
    append_member(&mut form, "client_id", &user.client_id);
    append_member(&mut form, "client_secret", &text(user.client_secret.expose()));
    append_member(&mut form, "refresh_token", &text(user.refresh_token.expose()));
    // gcloud's own variable, for those who reach Google by another name.
    let url = surroundings.env("CLOUDSDK_AUTH_TOKEN_HOST").filter(|url| !url.is_empty());
    let url = url.unwrap_or_else(|| TOKEN_URI.to_owned());
    let question = Question { method: Method::POST, url: &url, headers: &[], body: Body::Form(form) };
    asker.ask(question).await.map_err(|why| format!("the user's credential: {why}"))
}

async fn metadata<L: Lookup>(
    surroundings: &(dyn Surroundings + Send + Sync),
    asker: &Asker<L>,
) -> Result<Bytes, String> {
    let host = surroundings.env("GCE_METADATA_HOST").filter(|host| !host.is_empty());
    let host = host.unwrap_or_else(|| "metadata.google.internal".to_owned());
    let url = format!("http://{host}/computeMetadata/v1/instance/service-accounts/default/token");
    // Without it the server refuses: no page in a browser can make it send.
    let headers = [("metadata-flavor", "Google")];
    let question = Question { method: Method::GET, url: &url, headers: &headers, body: Body::None };
    let answer = asker.ask(question).await;
    answer.map_err(|why| {
        format!("no service_account_file, no credentials file of Google's, and the metadata server: {why}")
    })
}

fn token(answer: &Bytes, now_s: u64) -> Result<CloudCredential, String> {
    #[derive(Deserialize)]
    struct Answer {
        access_token: String,
        /// Seconds.
        expires_in: u64,
    }
    let answer: Answer = serde_json::from_slice(answer).map_err(|_| "the answer holds no token".to_owned())?;
    if answer.access_token.is_empty() || !answer.access_token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("the answer holds no token that could be sent in a header".to_owned());
    }
    Ok(CloudCredential::bearer(&answer.access_token, now_s.saturating_add(answer.expires_in)))
}

#[cfg(test)]
mod tests;
