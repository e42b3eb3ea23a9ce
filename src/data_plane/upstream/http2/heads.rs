//! Request heads: what is the same for many requests is made once, as a template.
//!
//! Requests of one connection differ in their length and in what the client added; path, credential and the rest repeat. A template
//! is found again by comparing what it was made of, so a reload of the configuration needs no notice here, and cloning it costs a
//! few reference counts, where making it costs an allocation and a check for each field. It holds a credential, like the
//! configuration that it was made from, and goes with the connection.
//!
//! No value is marked as sensitive. HPACK compares whole values, so that a secret of 256 bits cannot be guessed piece by piece
//! (RFC 7541, 7.1.3), and one that is in the table costs a byte. `:path`, `authorization` and `content-length` h2 writes
//! out each time, of its own accord.

use crate::data_plane::upstream::{self, UpstreamRequest};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, header,
    uri::{Authority, PathAndQuery, Scheme},
};

/// Templates kept. A connection serves few paths with few credentials; the oldest makes room for one more.
const TEMPLATES_MAX: usize = 8;

/// The templates of one connection.
pub struct Heads {
    scheme: Scheme,
    authority: Authority,
    templates: Vec<Template>,
}

struct Template {
    base_path: Box<str>,
    path: Box<str>,
    content_type: Box<[u8]>,
    accept: &'static str,
    /// The deployment's.
    fields: Vec<(Box<str>, Box<[u8]>)>,
    uri: Uri,
    /// With a content-length, so that setting it needs no room.
    headers: HeaderMap,
}

impl Heads {
    pub fn new(scheme: Scheme, authority: Authority) -> Heads {
        Heads { scheme, authority, templates: Vec::new() }
    }

    /// The request's pseudo-headers and headers; `None` if the configuration has one that HTTP cannot carry.
    pub fn head(&mut self, request: &UpstreamRequest<'_>) -> Option<Request<()>> {
        let own;
        let template = match self.templates.iter().position(|template| template.is_for(request)) {
            Some(at) => &self.templates[at],
            // Its path is hardly asked for again, and would drive out one that is.
            None if request.content_type.is_empty() => {
                own = self.make(request)?;
                &own
            }
            None => {
                let template = self.make(request)?;
                if self.templates.len() == TEMPLATES_MAX {
                    self.templates.remove(0);
                }
                self.templates.push(template);
                self.templates.last()?
            }
        };
        let mut head = Request::new(());
        *head.method_mut() = match request.method {
            upstream::Method::Post => Method::POST,
            upstream::Method::Get => Method::GET,
            upstream::Method::Delete => Method::DELETE,
        };
        *head.uri_mut() = template.uri.clone();
        *head.headers_mut() = template.headers.clone();
        let headers = head.headers_mut();
        match (request.body.length, headers.get_mut(header::CONTENT_LENGTH)) {
            (Some(length), Some(value)) if request.method == upstream::Method::Post => {
                *value = HeaderValue::from_bytes(itoa::Buffer::new().format(length).as_bytes()).ok()?;
            }
            _ => drop(headers.remove(header::CONTENT_LENGTH)),
        }
        if !request.forward.is_empty() {
            template.add(request.forward, headers);
        }
        Some(head)
    }

    fn make(&self, request: &UpstreamRequest<'_>) -> Option<Template> {
        let mut uri = http::uri::Parts::default();
        uri.scheme = Some(self.scheme.clone());
        uri.authority = Some(self.authority.clone());
        uri.path_and_query = Some(PathAndQuery::try_from([request.base_path, request.path].concat()).ok()?);

        let mut headers = HeaderMap::with_capacity(8);
        if !request.content_type.is_empty() {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_bytes(request.content_type).ok()?);
        }
        headers.insert(header::ACCEPT, HeaderValue::from_static(request.accept));
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        headers.insert(header::USER_AGENT, HeaderValue::from_static(concat!("ringway/", env!("CARGO_PKG_VERSION"))));
        for (name, value) in &request.deployment.headers {
            let value = HeaderValue::from_bytes(value.expose()).ok()?;
            headers.insert(HeaderName::from_bytes(name.as_bytes()).ok()?, value);
        }
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));

        let fields = &request.deployment.headers;
        Some(Template {
            base_path: request.base_path.into(),
            path: request.path.into(),
            content_type: request.content_type.into(),
            accept: request.accept,
            fields: fields.iter().map(|(name, value)| (name.clone(), value.expose().into())).collect(),
            uri: Uri::from_parts(uri).ok()?,
            headers,
        })
    }
}

impl Template {
    fn is_for(&self, request: &UpstreamRequest<'_>) -> bool {
        let fields = &request.deployment.headers;
        *self.path == *request.path
            && *self.base_path == *request.base_path
            && *self.content_type == *request.content_type
            && self.accept == request.accept
            && self.fields.len() == fields.len()
            && self.fields.iter().zip(fields).all(|(own, other)| own.0 == other.0 && *own.1 == *other.1.expose())
    }

    /// Adds what the client sent. None of it stands in place of a credential, or beside it.
    fn add(&self, lines: &[u8], headers: &mut HeaderMap) {
        for line in lines.split(|byte| *byte == b'\n') {
            let Some((name, value)) = field(line) else { continue };
            if !self.fields.iter().any(|(own, _)| name == **own) {
                headers.append(name, value);
            }
        }
    }
}

/// A header line as HTTP/2 may carry it. What describes an HTTP/1.1 connection or framing stays behind.
fn field(line: &[u8]) -> Option<(HeaderName, HeaderValue)> {
    let colon = memchr::memchr(b':', line)?;
    let name = HeaderName::from_bytes(&line[..colon]).ok()?;
    let of_connection = [
        header::CONNECTION,
        header::TRANSFER_ENCODING,
        header::UPGRADE,
        header::TE,
        header::HOST,
        header::CONTENT_LENGTH,
        HeaderName::from_static("keep-alive"),
        HeaderName::from_static("proxy-connection"),
    ];
    if of_connection.contains(&name) {
        return None;
    }
    Some((name, HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).ok()?))
}

#[cfg(test)]
mod tests;
