//! The JSON files in which Google keeps credentials: a service account's key, and what `gcloud auth application-default login` leaves.
//!
//! Reading one checks all that can be checked without asking Google, the key included, so that a broken file is refused when the
//! configuration is loaded and not an hour later. Files that name other ways (external accounts, impersonation) are refused by their type.

use crate::config::{address, snapshot::Secret};
use ring::signature::RsaKeyPair;
use rustls_pki_types::{PrivatePkcs8KeyDer, pem::PemObject};
use serde::Deserialize;
use std::fmt;

/// A credential that tokens can be had for.
pub enum GoogleFile {
    ServiceAccount(Box<ServiceAccount>),
    AuthorizedUser(AuthorizedUser),
}

/// An account of a program, which proves itself by signatures.
pub struct ServiceAccount {
    pub client_email: String,
    /// Which of the account's keys it is; empty if the file does not say.
    pub private_key_id: String,
    pub key: RsaKeyPair,
    /// Where signatures are exchanged for tokens. `https://`, or this machine.
    pub token_uri: String,
}

/// A person's account, lent to this machine.
pub struct AuthorizedUser {
    pub client_id: String,
    pub client_secret: Secret,
    pub refresh_token: Secret,
}

/// Where Google exchanges what proves an account for tokens.
pub const TOKEN_URI: &str = "https://oauth2.googleapis.com/token";

/// The members that matter. What a type needs and the file lacks is empty.
#[derive(Deserialize)]
#[serde(default)]
struct Members {
    #[serde(rename = "type")]
    kind: String,
    client_email: String,
    private_key_id: String,
    private_key: String,
    token_uri: String,
    client_id: String,
    client_secret: String,
    refresh_token: String,
}

impl Default for Members {
    fn default() -> Members {
        let empty = String::new;
        Members {
            kind: empty(),
            client_email: empty(),
            private_key_id: empty(),
            private_key: empty(),
            token_uri: TOKEN_URI.to_owned(),
            client_id: empty(),
            client_secret: empty(),
            refresh_token: empty(),
        }
    }
}

impl GoogleFile {
    /// Reads a file's text; or says what is wrong with it, and nothing of what is in it.
    pub fn parse(text: &str) -> Result<GoogleFile, String> {
        let members: Members = serde_json::from_str(text)
            .map_err(|error| format!("it is not the JSON of a credential (line {})", error.line()))?;
        match members.kind.as_str() {
            "service_account" => {
                ServiceAccount::new(members).map(|account| GoogleFile::ServiceAccount(Box::new(account)))
            }
            "authorized_user" => AuthorizedUser::new(members).map(GoogleFile::AuthorizedUser),
            "" => Err("it has no 'type', so it is no credential of Google's".to_owned()),
            _ => Err("its 'type' is neither 'service_account' nor 'authorized_user'".to_owned()),
        }
    }
}

impl ServiceAccount {
    fn new(members: Members) -> Result<ServiceAccount, String> {
        let Members { client_email, private_key_id, private_key, token_uri, .. } = members;
        required(&[("client_email", &client_email), ("private_key", &private_key)])?;
        let uri = address::base_url(&token_uri).map_err(|bad| format!("its 'token_uri' is {}", bad.message))?;
        if !uri.tls && !uri.is_loopback() {
            return Err("its 'token_uri' does not begin with https://".to_owned());
        }
        let der = PrivatePkcs8KeyDer::from_pem_slice(private_key.as_bytes())
            .map_err(|_| "its 'private_key' is not a key in PEM (-----BEGIN PRIVATE KEY-----)".to_owned())?;
        let key = RsaKeyPair::from_pkcs8(der.secret_pkcs8_der())
            .map_err(|_| "its 'private_key' is not an RSA key of 2048 to 4096 bits".to_owned())?;
        Ok(ServiceAccount { client_email, private_key_id, key, token_uri })
    }
}

impl AuthorizedUser {
    fn new(members: Members) -> Result<AuthorizedUser, String> {
        let Members { client_id, client_secret, refresh_token, .. } = members;
        required(&[("client_id", &client_id), ("client_secret", &client_secret), ("refresh_token", &refresh_token)])?;
        let secret = |text: String| Secret::new(text.into_bytes());
        Ok(AuthorizedUser { client_id, client_secret: secret(client_secret), refresh_token: secret(refresh_token) })
    }
}

fn required(members: &[(&str, &str)]) -> Result<(), String> {
    match members.iter().find(|(_, value)| value.is_empty()) {
        Some((name, _)) => Err(format!("it has no '{name}'")),
        None => Ok(()),
    }
}

impl fmt::Debug for GoogleFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GoogleFile::ServiceAccount(account) => write!(f, "ServiceAccount({})", account.client_email),
            GoogleFile::AuthorizedUser(_) => f.write_str("AuthorizedUser"),
        }
    }
}

#[cfg(test)]
mod tests;
