//! The requests that are offered: their target, and their bytes, built once.
//!
//! A request has the head that an SDK of its dialect sends, in its order and about its length. Variants are sent in turn; each of
//! several threads begins at another one.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{HeaderName, HeaderValue};

use super::options::{Dialect, Keys, LoadOptions};
use super::prompts;
use crate::limits::LOAD_VARIANTS_MAX;
use crate::sim::latency::Random;

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
        let base = path.trim_end_matches('/');
        if !base.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(BadTarget("the URL's path has letters that must be escaped"));
        }
        Ok(Self { tls, host: host.trim_matches(['[', ']']).to_owned(), port, base: base.to_owned() })
    }

    fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

/// One variant as it goes over the wire.
pub(super) struct Prepared {
    /// Head and body for HTTP/1.1.
    whole: Bytes,
    /// The random key's place in it.
    key_at: Range<usize>,
    /// The head for HTTP/2; the body is the same.
    head: http::Request<()>,
    body: Bytes,
}

/// A key that nobody issued: this, and 32 hexadecimal digits.
const RANDOM_KEY: &str = "sk-load-";
const RANDOM_DIGITS: usize = 32;

impl Prepared {
    /// All variants of what the options ask for.
    pub fn all(options: &LoadOptions) -> Result<Vec<Self>, http::Error> {
        let variants = options.request.variants.clamp(1, LOAD_VARIANTS_MAX);
        (0..variants)
            .map(|variant| Self::new(options, prompts::body(&options.request, options.seed, variant)))
            .collect()
    }

    pub fn len(&self) -> usize {
        self.whole.len()
    }

    fn new(options: &LoadOptions, body: String) -> Result<Self, http::Error> {
        let (request, target) = (&options.request, &options.target);
        let key = match &request.keys {
            Keys::None => None,
            Keys::One(key) => Some(key.clone()),
            Keys::Random => Some(format!("{RANDOM_KEY}{:0RANDOM_DIGITS$}", 0)),
        };
        let mut headers =
            vec![("accept", "application/json".to_owned()), ("content-type", "application/json".to_owned())];
        headers.push(("user-agent", concat!("ringway-loadtest/", env!("CARGO_PKG_VERSION")).to_owned()));
        if request.dialect == Dialect::Anthropic {
            headers.push(("anthropic-version", "2023-06-01".to_owned()));
        }
        if let Some(key) = &key {
            let (name, scheme) = credential(request.dialect);
            headers.push((name, format!("{scheme}{key}")));
        }
        headers.extend(request.headers.iter().map(|(name, value)| (name.as_str(), value.clone())));
        headers.push(("content-length", body.len().to_string()));

        let path = format!("{}{}", target.base, path(request.dialect, &request.model, request.stream));
        let scheme = if target.tls { "https" } else { "http" };
        let mut head = http::Request::post(format!("{scheme}://{}{path}", target.authority()));
        let mut text = format!("POST {path} HTTP/1.1\r\nhost: {}\r\n", target.authority());
        for (name, value) in &headers {
            text.push_str(&format!("{name}: {value}\r\n"));
            head = head.header(*name, value);
        }
        text.push_str("\r\n");
        let begin = key.as_ref().filter(|_| request.keys == Keys::Random).and_then(|key| text.find(key.as_str()));
        let key_at = begin.map_or(0..0, |begin| {
            let digits = begin + RANDOM_KEY.len();
            digits..digits + RANDOM_DIGITS
        });
        let head_bytes = text.len();
        let whole = Bytes::from(text + &body);
        Ok(Self { body: whole.slice(head_bytes..), whole, key_at, head: head.body(())? })
    }
}

fn path(dialect: Dialect, model: &str, stream: bool) -> String {
    match dialect {
        Dialect::OpenAiChat => "/chat/completions".to_owned(),
        Dialect::OpenAiEmbeddings => "/embeddings".to_owned(),
        Dialect::Anthropic => "/messages".to_owned(),
        Dialect::Gemini if stream => format!("/models/{model}:streamGenerateContent?alt=sse"),
        Dialect::Gemini => format!("/models/{model}:generateContent"),
    }
}

/// The header in which a dialect's SDK sends its key, and what stands before the key.
fn credential(dialect: Dialect) -> (&'static str, &'static str) {
    match dialect {
        Dialect::OpenAiChat | Dialect::OpenAiEmbeddings => ("authorization", "Bearer "),
        Dialect::Anthropic => ("x-api-key", ""),
        Dialect::Gemini => ("x-goog-api-key", ""),
    }
}

/// What one thread sends, one after the other.
pub(super) struct Requests {
    prepared: Arc<Vec<Prepared>>,
    next: usize,
    /// Makes keys, and says where they go.
    keys: Option<(Random, Dialect)>,
}

/// A request that is being written: a variant, or its own copy of one.
#[derive(Default)]
pub(super) struct Outgoing {
    variant: usize,
    own: Vec<u8>,
}

impl Requests {
    pub fn new(options: &LoadOptions, prepared: Arc<Vec<Prepared>>, thread: usize) -> Self {
        let keys = (options.request.keys == Keys::Random)
            .then(|| (Random::new(options.seed ^ ((thread as u64 + 1) << 40)), options.request.dialect));
        Self { prepared, next: thread, keys }
    }

    fn take(&mut self) -> usize {
        let variant = self.next % self.prepared.len();
        self.next = variant + 1;
        variant
    }

    pub fn next(&mut self, outgoing: &mut Outgoing) {
        outgoing.variant = self.take();
        if let Some((random, _)) = &mut self.keys {
            let prepared = &self.prepared[outgoing.variant];
            outgoing.own.clear();
            outgoing.own.extend_from_slice(&prepared.whole);
            outgoing.own[prepared.key_at.clone()].copy_from_slice(digits(random).as_bytes());
        }
    }

    pub fn bytes<'a>(&'a self, outgoing: &'a Outgoing) -> &'a [u8] {
        if self.keys.is_some() { &outgoing.own } else { &self.prepared[outgoing.variant].whole }
    }

    pub fn next_h2(&mut self) -> (http::Request<()>, Bytes) {
        let variant = self.take();
        let prepared = &self.prepared[variant];
        let mut head = prepared.head.clone();
        if let Some((random, dialect)) = &mut self.keys {
            let (name, scheme) = credential(*dialect);
            let value = format!("{scheme}{RANDOM_KEY}{}", digits(random));
            if let Ok(value) = HeaderValue::try_from(value) {
                head.headers_mut().insert(HeaderName::from_static(name), value);
            }
        }
        (head, prepared.body.clone())
    }
}

fn digits(random: &mut Random) -> String {
    format!("{:016x}{:016x}", random.bits(), random.bits())
}

#[cfg(test)]
mod tests;
