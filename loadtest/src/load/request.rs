//! The request that is offered: its target, and its bytes, built once.
//!
//! The body is a conversation of `body_bytes` as SDKs write it: a system prompt, turns of prose with quotes, digits,
//! line ends and letters beyond ASCII, and a question. The same options give the same bytes.

use std::fmt;

use serde_json::json;

use super::options::{Keys, LoadOptions, RequestOptions};

/// Where to, from `http://host[:port]/v1` or `https://...`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    pub tls: bool,
    pub host: String,
    pub port: u16,
    /// The base path without a slash at its end.
    pub base: String,
}

/// A URL that the driver cannot offer load to. The caller causes it.
#[derive(Debug, PartialEq, Eq)]
pub struct BadTarget(pub &'static str);

impl fmt::Display for BadTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for BadTarget {}

impl Target {
    pub fn parse(url: &str) -> Result<Self, BadTarget> {
        let (tls, rest) = match (url.strip_prefix("http://"), url.strip_prefix("https://")) {
            (Some(rest), _) => (false, rest),
            (_, Some(rest)) => (true, rest),
            _ => return Err(BadTarget("the URL begins with http:// or https://")),
        };
        let (authority, path) = match rest.find('/') {
            Some(slash) => rest.split_at(slash),
            None => (rest, ""),
        };
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => {
                let port = port.parse().map_err(|_| BadTarget("the URL's port is not a number"))?;
                (host, port)
            }
            _ => (authority, if tls { 443 } else { 80 }),
        };
        if host.is_empty() {
            return Err(BadTarget("the URL has no host"));
        }
        Ok(Self {
            tls,
            host: host.trim_matches(['[', ']']).to_owned(),
            port,
            base: path.trim_end_matches('/').to_owned(),
        })
    }
}

/// A request as it goes over the wire.
pub(super) struct Prepared {
    pub bytes: Vec<u8>,
}

impl Prepared {
    /// All variants of what the options ask for.
    pub fn all(options: &LoadOptions) -> Vec<Self> {
        vec![Self { bytes: options.request.bytes(&options.target) }]
    }

    pub fn len(&self) -> usize {
        self.bytes.len()
    }
}

impl RequestOptions {
    /// The whole request, head and body.
    pub fn bytes(&self, target: &Target) -> Vec<u8> {
        let body = self.body();
        let key = match &self.keys {
            Keys::One(key) => format!("authorization: Bearer {key}\r\n"),
            Keys::None | Keys::Random => String::new(),
        };
        // The head that an SDK sends, in its order and about its length.
        let mut bytes = format!(
            "POST {}/chat/completions HTTP/1.1\r\nhost: {}:{}\r\naccept: application/json\r\n\
             content-type: application/json\r\nuser-agent: ringway-loadtest/{}\r\n{key}content-length: {}\r\n\r\n",
            target.base,
            target.host,
            target.port,
            env!("CARGO_PKG_VERSION"),
            body.len(),
        )
        .into_bytes();
        bytes.extend_from_slice(body.as_bytes());
        bytes
    }

    fn body(&self) -> String {
        const PROSE: &str = "She said \"the bridge opens at 7.45\", and nobody knew whether 3 or 30 boats were waiting.\n\
                             Überall standen Leute; 桥很长 — so they walked, counted the lamps, and wrote it all down. ";
        let question = json!({"role": "user", "content": "What happened, in one sentence?"});
        let mut messages = vec![json!({"role": "system", "content": "Answer briefly, from the text alone."})];
        let fixed = self.json(&messages, &question).len();
        let mut left = self.body_bytes.saturating_sub(fixed);
        let mut turn = 0;
        while left > 60 {
            let role = if turn % 2 == 0 { "user" } else { "assistant" };
            // Long bodies are long messages, not thousands of short ones.
            let want = left.min(if self.body_bytes > 16 * 1024 { 4_096 } else { 512 });
            let content = text(PROSE, want.saturating_sub(40));
            let message = json!({"role": role, "content": content});
            left = left.saturating_sub(message.to_string().len() + 1);
            messages.push(message);
            turn += 1;
        }
        self.json(&messages, &question)
    }

    fn json(&self, messages: &[serde_json::Value], question: &serde_json::Value) -> String {
        let messages: Vec<String> = messages.iter().chain([question]).map(|message| message.to_string()).collect();
        let stream = if self.stream { r#","stream":true,"stream_options":{"include_usage":true}"# } else { "" };
        format!(
            r#"{{"model":{},"messages":[{}],"temperature":0.2,"max_tokens":256{stream}}}"#,
            json!(self.model),
            messages.join(",")
        )
    }
}

/// So much of the prose, repeated, that its JSON form has about `bytes` bytes.
fn text(prose: &str, bytes: usize) -> String {
    let mut text = String::new();
    let mut written = 0;
    for character in prose.chars().cycle() {
        if written >= bytes {
            return text;
        }
        text.push(character);
        written += if matches!(character, '"' | '\n') { 2 } else { character.len_utf8() };
    }
    text
}
