//! Keys of IAM Identity Center (single sign-on), for the token that `aws sso login` left in `~/.aws/sso/cache`.
//!
//! The file is named by the SHA-1 of the session's name, or of the start URL in profiles of the older form. A token of which less than
//! a quarter of an hour is left is renewed where the file holds what that takes; until it is over, a failure to renew it is no failure.
//! What was renewed is kept in memory and not written back, and counts until the file changes: someone has logged in again, or AWS's tools
//! have renewed it themselves. Without either, only a person can help, and the error says how.

use super::{
    Fetching, Found, parsed_s,
    profile::{Service, SingleSignOn, home},
};
use crate::{
    control_plane::{
        credentials::ask::{Body, Question, append_member},
        resolver::Lookup,
    },
    limits::AWS_SSO_TOKENS_MAX,
};
use hyper::Method;
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use serde::Deserialize;
use std::{collections::HashMap, fmt::Write, path::Path};
use tokio::sync::Mutex;

/// Tokens that were renewed, by the file they began in. Locked while one is renewed: a grant may be good for once.
#[derive(Default)]
pub struct Renewed(Mutex<HashMap<String, Successor>>);

struct Successor {
    /// The file's text whose token this one follows.
    of: String,
    token: Token,
}

/// A token as the file has it.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Token {
    access_token: String,
    expires_at: String,
    refresh_token: Option<String>,
    client_id: Option<String>,
    client_secret: Option<String>,
    registration_expires_at: Option<String>,
}

/// What is left of a token when it is renewed, in seconds.
const RENEWED_AT_S: u64 = 15 * 60;

impl<L: Lookup> Fetching<'_, L> {
    /// The keys of an account's role.
    pub(super) async fn single_sign_on(&self, sso: &SingleSignOn) -> Result<Found, String> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Answer {
            role_credentials: Keys,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Keys {
            access_key_id: String,
            secret_access_key: String,
            session_token: String,
            /// Milliseconds since 1970.
            expiration: i64,
        }
        let token = self.sso_token(sso).await?;
        let endpoint = self.endpoint(Service::Sso, &sso.region)?;
        let mut query = String::new();
        append_member(&mut query, "role_name", &sso.role_name);
        append_member(&mut query, "account_id", &sso.account_id);
        let url = format!("{}/federation/credentials?{query}", endpoint.trim_end_matches('/'));
        let headers = [("x-amz-sso_bearer_token", token.as_str())];
        let question = Question { method: Method::GET, url: &url, headers: &headers, body: Body::None };
        let called = |why: String| format!("single sign-on, role {} of {}: {why}", sso.role_name, sso.account_id);
        let told = self.asker.tell(question).await.map_err(called)?;
        match told.status {
            200 => {}
            // Before its time: someone has logged out.
            401 => return Err(called(format!("{}; {}", told.failure(), sso.log_in()))),
            _ => return Err(called(told.failure())),
        }
        let answer: Answer =
            serde_json::from_slice(&told.body).map_err(|_| called("the answer holds no keys".to_owned()))?;
        let keys = answer.role_credentials;
        let expiration = jiff::Timestamp::from_millisecond(keys.expiration);
        let expiration = expiration.map_err(|_| called("the keys expire at no time".to_owned()))?;
        Ok(Found {
            access_key_id: keys.access_key_id,
            secret_access_key: keys.secret_access_key,
            token: Some(keys.session_token),
            expiration: Some(expiration.to_string()),
            code: None,
        })
    }

    /// A token that has not expired.
    async fn sso_token(&self, sso: &SingleSignOn) -> Result<String, String> {
        let path = format!("{}/.aws/sso/cache/{}.json", home(self.surroundings), sso.file_stem());
        let text = self.surroundings.file(Path::new(&path));
        let text =
            text.map_err(|why| format!("there is no token for single sign-on: {path}: {why}; {}", sso.log_in()))?;
        let mut token: Token = serde_json::from_str(&text)
            .map_err(|_| format!("{path} holds no token for single sign-on; {}", sso.log_in()))?;

        let mut renewed = self.renewed.0.lock().await;
        if let Some(successor) = renewed.get(&path).filter(|successor| successor.of == text) {
            token = successor.token.clone();
        }
        let left_s = |token: &Token| parsed_s(&token.expires_at).unwrap_or(0).saturating_sub(self.now_s);
        if left_s(&token) >= RENEWED_AT_S {
            return Ok(token.access_token);
        }
        let why = match self.renew(sso, &token).await {
            Ok(next) => {
                if renewed.len() >= AWS_SSO_TOKENS_MAX {
                    renewed.clear();
                }
                let access_token = next.access_token.clone();
                renewed.insert(path, Successor { of: text, token: next });
                return Ok(access_token);
            }
            Err(why) => why,
        };
        if left_s(&token) > 0 {
            return Ok(token.access_token);
        }
        Err(format!("the token for single sign-on has expired and cannot be renewed: {why}; {}", sso.log_in()))
    }

    /// The token that follows, if the file holds what that takes.
    async fn renew(&self, sso: &SingleSignOn, token: &Token) -> Result<Token, String> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Answer {
            access_token: String,
            /// Seconds.
            expires_in: u64,
            refresh_token: Option<String>,
        }
        let (Some(client), Some(secret), Some(grant), Some(registered)) =
            (&token.client_id, &token.client_secret, &token.refresh_token, &token.registration_expires_at)
        else {
            return Err("it came without a grant".to_owned());
        };
        if parsed_s(registered).is_none_or(|registered_s| registered_s <= self.now_s) {
            return Err("its client's registration has expired, too".to_owned());
        }
        let form = serde_json::json!({
            "grantType": "refresh_token", "clientId": client, "clientSecret": secret, "refreshToken": grant,
        });
        let endpoint = self.endpoint(Service::SsoOidc, &sso.region)?;
        let url = format!("{}/token", endpoint.trim_end_matches('/'));
        let question = Question { method: Method::POST, url: &url, headers: &[], body: Body::Json(form.to_string()) };
        let answer = self.asker.ask(question).await?;
        let answer: Answer = serde_json::from_slice(&answer).map_err(|_| "the answer holds no token".to_owned())?;
        let expires_at_s = i64::try_from(self.now_s.saturating_add(answer.expires_in)).unwrap_or(i64::MAX);
        let expires_at = jiff::Timestamp::from_second(expires_at_s).unwrap_or(jiff::Timestamp::MAX);
        Ok(Token {
            access_token: answer.access_token,
            expires_at: expires_at.to_string(),
            // RFC 6749, 6: without a new grant the old one stays good.
            refresh_token: answer.refresh_token.or_else(|| token.refresh_token.clone()),
            ..token.clone()
        })
    }
}

impl SingleSignOn {
    /// What a person has to do.
    fn log_in(&self) -> String {
        match &self.session {
            Some(session) => format!("run `aws sso login --sso-session {session}` as the user that Ringway runs as"),
            None => format!("run `aws sso login --profile {}` as the user that Ringway runs as", self.profile),
        }
    }

    fn file_stem(&self) -> String {
        let named_by = self.session.as_ref().unwrap_or(&self.start_url);
        digest(&SHA1_FOR_LEGACY_USE_ONLY, named_by.as_bytes()).as_ref().iter().fold(String::new(), |mut text, byte| {
            // Writing to a text does not fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
    }
}
