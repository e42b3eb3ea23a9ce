//! May a web page of this origin read our answers?
//!
//! Off unless origins are configured. Credentials mode is never allowed: our keys travel in a header that the page sets
//! itself, so cookies have no business here, and `*` stays harmless to other sites' sessions. A refused origin gets no CORS
//! header at all, which is how the browser learns it.

use std::borrow::Cow;

/// What a cross-origin request is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision<'a> {
    /// No CORS headers: the request has no origin, or CORS is off, or the origin is not allowed.
    Nothing,
    /// Add `headers` to the answer of an actual request.
    Actual { headers: Headers<'a> },
    /// Answer 204 with `headers` and do nothing else: this is a preflight.
    Preflight { headers: Headers<'a> },
}

/// Header names (lower case) and values.
pub type Headers<'a> = Vec<(&'static str, Cow<'a, str>)>;

/// The facts of a request that matter here.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    pub method: &'a [u8],
    pub origin: Option<&'a [u8]>,
    /// `access-control-request-method`: makes an OPTIONS request a preflight.
    pub requested_method: Option<&'a [u8]>,
    /// `access-control-request-headers`
    pub requested_headers: Option<&'a [u8]>,
}

/// Decides by the configured origins (exact, or `*`).
pub fn decide<'a>(origins: &'a [Box<str>], facts: Facts<'a>) -> Decision<'a> {
    let Some(allow_origin) = allow_origin(origins, facts.origin) else { return Decision::Nothing };
    let mut headers: Headers<'a> = vec![("access-control-allow-origin", allow_origin.into())];
    if allow_origin != "*" {
        // The answer differs by origin; a cache between us must know.
        headers.push(("vary", "Origin".into()));
    }
    if facts.method != b"OPTIONS" || facts.requested_method.is_none() {
        headers.push(("access-control-expose-headers", EXPOSED.into()));
        return Decision::Actual { headers };
    }
    headers.push(("access-control-allow-methods", "GET, POST, DELETE, OPTIONS".into()));
    // `*` would not cover Authorization, and SDKs add headers of their own with each release: echo what is well-formed.
    if let Some(names) = facts.requested_headers.and_then(header_names) {
        headers.push(("access-control-allow-headers", names.into()));
    }
    headers.push(("access-control-max-age", "600".into()));
    Decision::Preflight { headers }
}

/// What scripts may read besides the body.
const EXPOSED: &str = "x-request-id, request-id, x-upstream-request-id, retry-after, retry-after-ms, x-should-retry, server-timing, \
                       x-ratelimit-limit-requests, x-ratelimit-limit-tokens, x-ratelimit-remaining-requests, \
                       x-ratelimit-remaining-tokens, x-ratelimit-reset-requests, x-ratelimit-reset-tokens, x-ringway-attempts, \
                       x-ringway-deployment, x-ringway-overhead-us, x-ringway-estimated, x-ringway-dropped, x-ringway-adapted";

fn allow_origin<'a>(origins: &'a [Box<str>], origin: Option<&[u8]>) -> Option<&'a str> {
    let origin = origin?;
    let matches = |allowed: &&str| *allowed == "*" || allowed.as_bytes().eq_ignore_ascii_case(origin);
    origins.iter().map(|allowed| &**allowed).find(matches)
}

/// A list of header names, if it is nothing else.
fn header_names(value: &[u8]) -> Option<&str> {
    const BYTES_MAX: usize = 1024;
    let listed = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_, ".contains(byte);
    if value.is_empty() || value.len() > BYTES_MAX || !value.iter().all(listed) {
        return None;
    }
    std::str::from_utf8(value).ok()
}

#[cfg(test)]
mod tests;
