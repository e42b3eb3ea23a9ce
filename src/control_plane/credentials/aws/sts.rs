//! STS: keys of a role for those who may assume it, by a signature or by a token of the cluster they run in.
//!
//! The region's own endpoint is asked. Answers are XML whose members are base64 and times, so nothing in them is ever escaped.

use super::{Fetching, Found, profile::Role};
use crate::{
    control_plane::{
        credentials::ask::{Body, FORM, Question, append_member, between, host_header},
        resolver::Lookup,
    },
    providers::sigv4::{Request, Signer, SigningKey},
};
use hyper::{Method, Uri, body::Bytes};
use ring::digest::{SHA256, digest};

/// What sessions are called in AWS's logs where a profile does not say.
const SESSION_NAME: &str = "ringway";

impl<L: Lookup> Fetching<'_, L> {
    /// Exchanges keys for a role's.
    pub(super) async fn assume_role(&self, endpoint: &str, role: &Role, with: &Found) -> Result<Found, String> {
        let called = |why: String| format!("the role {}: STS: {why}", role.arn);
        let mut form = form("AssumeRole", role);
        let duration_s = role.duration_s.map(|duration_s| duration_s.to_string());
        let more = [("ExternalId", role.external_id.as_deref()), ("DurationSeconds", duration_s.as_deref())];
        for (name, value) in more {
            if let Some(value) = value {
                append_member(&mut form, name, value);
            }
        }
        let headers = self.signed(endpoint, &form, with).map_err(called)?;
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let question = Question { method: Method::POST, url: endpoint, headers: &headers, body: Body::Form(form) };
        keys(&self.asker.ask(question).await.map_err(called)?).map_err(called)
    }

    /// Exchanges a token that the cluster gave us for a role's keys. Not signed: the token is the proof.
    pub(super) async fn web_identity(&self, endpoint: &str, role: &Role, token: &str) -> Result<Found, String> {
        let mut form = form("AssumeRoleWithWebIdentity", role);
        append_member(&mut form, "WebIdentityToken", token);
        let question = Question { method: Method::POST, url: endpoint, headers: &[], body: Body::Form(form) };
        let answer = self.asker.ask(question).await.map_err(|why| format!("STS: {why}"))?;
        keys(&answer).map_err(|why| format!("STS: {why}"))
    }

    /// The headers that say whose question this is.
    fn signed(&self, endpoint: &str, form: &str, with: &Found) -> Result<Vec<(&'static str, String)>, String> {
        const SERVICE: &str = "sts";
        with.check()?;
        let uri: Uri = endpoint.parse().map_err(|_| "its address is not a URL".to_owned())?;
        let mut payload_sha256 = [0; 32];
        payload_sha256.copy_from_slice(digest(&SHA256, form.as_bytes()).as_ref());
        let host = host_header(&uri);
        let request = Request {
            method: "POST",
            path: uri.path(),
            query: &[],
            headers: &[("content-type", FORM.as_bytes()), ("host", host.as_bytes())],
            payload_sha256: &payload_sha256,
        };
        let key = SigningKey::derive(with.secret_access_key.as_bytes(), self.now_s, self.region, SERVICE);
        let signer = Signer {
            access_key_id: &with.access_key_id,
            session_token: with.token.as_deref().filter(|token| !token.is_empty()).map(str::as_bytes),
            region: self.region,
            service: SERVICE,
            key: &key,
        };
        let signed = signer.sign(&request, self.now_s).map_err(|_| "the question cannot be signed".to_owned())?;
        let mut headers = Vec::new();
        signed.put_headers(&mut Vec::new(), |name, value| {
            headers.push((name, String::from_utf8_lossy(value).into_owned()));
        });
        Ok(headers)
    }
}

fn form(action: &str, role: &Role) -> String {
    let mut form = String::new();
    let session_name = role.session_name.as_deref().unwrap_or(SESSION_NAME);
    for (name, value) in
        [("Action", action), ("Version", "2011-06-15"), ("RoleArn", &role.arn), ("RoleSessionName", session_name)]
    {
        append_member(&mut form, name, value);
    }
    form
}

fn keys(answer: &Bytes) -> Result<Found, String> {
    let text = str::from_utf8(answer).map_err(|_| "the answer is not text".to_owned())?;
    let member = |name: &str| between(text, name).map(|inside| inside.trim().to_owned());
    Ok(Found {
        access_key_id: member("AccessKeyId").unwrap_or_default(),
        secret_access_key: member("SecretAccessKey").unwrap_or_default(),
        token: member("SessionToken"),
        expiration: member("Expiration"),
        code: None,
    })
}
