//! The parsed head of a client's request, the same for every HTTP version.
//!
//! A head is spans into the bytes that it came in; HTTP/2 writes the values it needs into such a buffer first. The body follows in the
//! same buffer, so that a request is one piece of memory from socket to upstream.

use crate::{
    data_plane::field_lines::{FieldLine, append_line, is_named},
    dialects::endpoints::Api,
    sys::ascii_text,
};
use std::{ops::Range, rc::Rc};

/// A request as it was read: its head, and as much of its body as came along.
#[derive(Debug, Default)]
pub struct Inbound {
    pub head: RequestHead,
    /// Head bytes, then body bytes.
    pub bytes: Vec<u8>,
    /// Where the body starts in `bytes`.
    pub body_start: usize,
    /// True when all of the body is in `bytes` already.
    pub body_complete: bool,
    /// Where an exchange shares `bytes` with what sends them: one connection's requests use it one after the other.
    pub shared: Rc<Vec<u8>>,
}

/// Position of a value in `Inbound::bytes`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    pub start: u32,
    pub end: u32,
}

impl Span {
    pub fn new(range: Range<usize>) -> Span {
        // Heads are bounded to 32 KiB.
        Span { start: range.start as u32, end: range.end as u32 }
    }

    pub fn range(&self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    pub fn of<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        bytes.get(self.range()).unwrap_or_default()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Method {
    Get,
    Post,
    Options,
    Delete,
    #[default]
    Other,
}

impl Method {
    pub fn parse(method: &[u8]) -> Method {
        match method {
            b"GET" => Method::Get,
            b"POST" => Method::Post,
            b"OPTIONS" => Method::Options,
            b"DELETE" => Method::Delete,
            _ => Method::Other,
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Post => "POST",
            Method::Options => "OPTIONS",
            Method::Delete => "DELETE",
            Method::Other => "",
        }
    }
}

/// What an exchange needs of a request's head.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct RequestHead {
    pub method: Method,
    /// Path and query as sent.
    pub target: Span,
    /// The path of it.
    pub path: Span,
    pub host: Option<Span>,
    pub authorization: Option<Span>,
    /// The key as Anthropic's, Azure's and Gemini's clients send it: `x-api-key`, `api-key`, `x-goog-api-key`; the first of them that came.
    pub api_key: Option<Span>,
    /// Which of them came, a bit for each.
    key_headers: u8,
    /// What tells one API from another where both have the path: an `anthropic-version`, or a key in Google's header.
    pub speaks: Api,
    pub origin: Option<Span>,
    /// `access-control-request-headers` of a CORS preflight.
    pub cors_headers: Option<Span>,
    /// `access-control-request-method`: with OPTIONS, a CORS preflight.
    pub cors_method: Option<Span>,
    pub content_type: Option<Span>,
    /// The body has a content-encoding other than identity.
    pub encoded: bool,
    pub content_length: Option<u64>,
    /// The body has no stated length (chunked coding, or an open HTTP/2 stream).
    pub unsized_body: bool,
    /// The client waits for `100 Continue`.
    pub expects_continue: bool,
    /// A header that has one value came twice: whoever looked at this request before us may have believed the other one.
    pub repeated: bool,
    /// `x-ringway-debug: 1`
    pub debug: bool,
    /// `x-ringway-unsupported`: `drop` or `refuse`; the operator's choice holds where it says neither.
    pub drops: Option<bool>,
    /// Allowed headers as lines for the upstream: `name: value\r\n`, names in lower case.
    pub forward: Vec<u8>,
}

/// Bytes of forwarded lines at most.
const FORWARD_BYTES_MAX: usize = 4 * 1024;

/// Request headers that go upstream. Everything else, credentials and tracing of the client's network first of all, ends here.
#[inline(always)]
fn is_forwarded(name: &[u8]) -> bool {
    match name.len() {
        10 => is_named(name, b"tracestate"),
        11 => is_named(name, b"openai-beta") || is_named(name, b"traceparent"),
        14 => is_named(name, b"anthropic-beta"),
        15 => is_named(name, b"idempotency-key"),
        19 => is_named(name, b"x-client-request-id"),
        _ => false,
    }
}

impl RequestHead {
    /// A head whose target is `target`, which begins at `start`.
    pub fn aimed_at(method: Method, target: &[u8], start: usize) -> RequestHead {
        let path_end = memchr::memchr(b'?', target).unwrap_or(target.len());
        let (path, target) = (Span::new(start..start + path_end), Span::new(start..start + target.len()));
        RequestHead { method, target, path, ..RequestHead::default() }
    }

    /// Takes note of one header; `value` is `bytes[at]`. Framing headers are the caller's business.
    pub fn header(&mut self, name: &str, value: &[u8], at: Range<usize>) {
        let name = name.as_bytes();
        if !self.note(name, || value, || Span::new(at)) {
            return;
        }
        let is_clean = value.iter().all(|byte| *byte == b'\t' || (*byte >= b' ' && *byte != 0x7f));
        if is_clean && self.has_room(name.len() + value.len()) {
            append_line(&mut self.forward, b"", name, value);
        }
    }

    /// As `header`, for a line of HTTP/1.1.
    #[inline(always)]
    pub fn line(&mut self, line: &FieldLine<'_>) {
        if self.note(line.name(), || line.value(), || Span::new(line.value_at())) && self.has_room(line.line_bytes()) {
            line.append_to(&mut self.forward, b"", 0);
        }
    }

    /// True if it is a header that goes upstream.
    #[inline(always)]
    fn note<'v>(&mut self, name: &[u8], value: impl Fn() -> &'v [u8], span: impl FnOnce() -> Span) -> bool {
        match name.len() {
            13 if is_named(name, b"authorization") => self.repeated |= self.authorization.replace(span()).is_some(),
            12 if is_named(name, b"content-type") => self.repeated |= self.content_type.replace(span()).is_some(),
            9 if is_named(name, b"x-api-key") => self.note_key(1, span()),
            7 if is_named(name, b"api-key") => self.note_key(2, span()),
            14 if is_named(name, b"x-goog-api-key") => {
                self.speaks = Api::Gemini;
                self.note_key(4, span());
            }
            17 if is_named(name, b"anthropic-version") => {
                self.speaks = Api::Anthropic;
                return true;
            }
            6 if is_named(name, b"origin") => self.repeated |= self.origin.replace(span()).is_some(),
            16 if is_named(name, b"content-encoding") => self.encoded |= !value().eq_ignore_ascii_case(b"identity"),
            15 if is_named(name, b"x-ringway-debug") => {
                self.debug = value() == b"1" || value().eq_ignore_ascii_case(b"true");
            }
            21 if is_named(name, b"x-ringway-unsupported") => {
                let says = |word: &[u8]| value().eq_ignore_ascii_case(word);
                self.drops = if says(b"drop") { Some(true) } else { says(b"refuse").then_some(false) };
            }
            29 if is_named(name, b"access-control-request-method") => self.cors_method = Some(span()),
            30 if is_named(name, b"access-control-request-headers") => self.cors_headers = Some(span()),
            _ => return is_forwarded(name),
        }
        false
    }

    /// Takes note of a key in a header of its own. Several headers may carry one, each once.
    fn note_key(&mut self, header: u8, span: Span) {
        self.repeated |= self.key_headers & header != 0;
        self.key_headers |= header;
        self.api_key.get_or_insert(span);
    }

    /// The query of the request's target, without its question mark; empty if there is none. `bytes` are those of the head.
    pub fn query<'b>(&self, bytes: &'b [u8]) -> &'b str {
        let query = Span { start: self.path.end, end: self.target.end };
        ascii_text(query.of(bytes)).and_then(|query| query.strip_prefix('?')).unwrap_or("")
    }

    fn has_room(&self, line_bytes: usize) -> bool {
        self.forward.len() + line_bytes + 4 <= FORWARD_BYTES_MAX
    }
}

impl Inbound {
    /// The path of the request's target, without its query. Targets are ASCII (checked when parsed).
    pub fn path(&self) -> &str {
        ascii_text(self.head.path.of(&self.bytes)).unwrap_or("")
    }

    /// As [`RequestHead::query`].
    pub fn query(&self) -> &str {
        self.head.query(&self.bytes)
    }

    /// The body as far as it has come.
    pub fn body(&self) -> &[u8] {
        &self.bytes[self.body_start..]
    }

    /// Gives up what there is of the request but its head: also what an exchange that failed early has left.
    #[inline]
    pub fn let_go(&mut self) {
        self.bytes = Vec::new();
        match Rc::get_mut(&mut self.shared) {
            Some(shared) => *shared = Vec::new(),
            None => self.shared = Rc::default(),
        }
    }

    /// A header's value.
    pub fn value(&self, span: Option<Span>) -> Option<&[u8]> {
        span.map(|span| span.of(&self.bytes))
    }
}
