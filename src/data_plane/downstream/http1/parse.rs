//! The head of a request over HTTP/1.1: bytes in, a [`RequestHead`] or a refusal out.
//!
//! Framing follows RFC 9112, section 6, with every ambiguity refused: two lengths, a length beside a coding, codings other than
//! `chunked`, two Hosts, a target that is no path. Lines are read by [`FieldLines`], which refuses what two parsers could read
//! differently. A head that has not come whole is read again from its beginning when there is more of it: nearly every head comes
//! in one piece, and heads are small and bounded.
//!
//! What is malformed is refused as soon as it is seen; what is well-formed and not acceptable when the head has come whole, so that
//! it does not hide a malformed line after it. Pure; a fuzz target.

use crate::{
    data_plane::{
        downstream::head::{Method, RequestHead, Span},
        field_lines::{FieldLines, Stop, is_named},
        upstream::{answer_head::digits, http1::contains_token},
    },
    error::Failure,
    limits::{HEAD_BYTES_MAX, HEADERS_MAX, TARGET_BYTES_MAX},
};

/// A whole head.
#[derive(Debug, PartialEq, Eq)]
pub struct ParsedHead {
    pub head: RequestHead,
    pub frame: Frame,
}

/// What of a head concerns its connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Frame {
    /// Bytes of the head, with the empty line at its end.
    pub bytes: usize,
    pub is_http11: bool,
    /// The client wants to go on after this exchange.
    pub keep_alive: bool,
    /// HEAD: the answer is a head only.
    pub is_head: bool,
    /// Where the digits of Content-Length are, if there is one.
    pub length_at: Option<Span>,
}

/// Reads the head that `bytes` begin with; `None` if it has not come whole.
///
/// # Errors
/// The request cannot be answered as HTTP/1.1; the connection must be closed after the refusal.
pub fn parse_head(bytes: &[u8]) -> Result<Option<ParsedHead>, Failure> {
    let mut head = RequestHead::default();
    let frame = read_head(bytes, &mut head)?;
    Ok(frame.map(|frame| ParsedHead { head, frame }))
}

/// As `parse_head`, into the place where the head will stay: it is too large to be moved about. What `head` was is forgotten, and what it
/// is counts only when it has come whole.
///
/// # Errors
/// As there.
#[inline]
pub fn read_head(bytes: &[u8], head: &mut RequestHead) -> Result<Option<Frame>, Failure> {
    let mut lines = FieldLines::new(bytes, HEADERS_MAX);
    let line = match lines.start_line() {
        Ok(line) => line,
        // What cannot become a request line has perhaps no end: a body that nobody announced, another protocol.
        Err(Stop::Partial) if begins_request_line(&bytes[lines.taken()..]) => return Ok(None),
        Err(Stop::Partial) => return Err(refused(Stop::Malformed)),
        Err(why) => return Err(refused(why)),
    };
    let (method, target, is_http11) = request_line(line)?;
    let target_start = lines.taken() - b"\r\n".len() - line.len() + method.len() + b" ".len();
    *head = RequestHead::aimed_at(Method::parse(method), target, target_start);
    // HTTP/1.0 clients that want to go on would have to be told so; they are served one request a connection.
    let mut keep_alive = is_http11;
    let mut length_at = None;
    loop {
        let line = match lines.next_line() {
            Ok(line) => line,
            Err(Stop::End) => break,
            Err(Stop::Partial) => return Ok(None),
            Err(why) => return Err(refused(why)),
        };
        let name = line.name();
        match name.len() {
            4 if is_named(name, b"host") => {
                if head.host.replace(Span::new(line.value_at())).is_some() {
                    return unless_malformed(lines, bad("There must be one Host header."));
                }
            }
            14 if is_named(name, b"content-length") => {
                if head.content_length.is_some() {
                    return unless_malformed(lines, bad("There must be at most one Content-Length."));
                }
                let Some(length) = digits(line.value()) else {
                    return unless_malformed(lines, bad("Content-Length must be a number."));
                };
                head.content_length = Some(length);
                length_at = Some(Span::new(line.value_at()));
            }
            17 if is_named(name, b"transfer-encoding") => {
                if !line.value().eq_ignore_ascii_case(b"chunked") || head.unsized_body {
                    let message = "The only transfer coding understood is chunked.";
                    return unless_malformed(lines, Failure::Http { status: 501, message });
                }
                if !is_http11 {
                    return unless_malformed(lines, bad("HTTP/1.0 has no transfer codings."));
                }
                head.unsized_body = true;
            }
            10 if is_named(name, b"connection") => keep_alive &= !contains_token(line.value(), b"close"),
            6 if is_named(name, b"expect") => {
                if !line.value().eq_ignore_ascii_case(b"100-continue") {
                    let message = "The only expectation understood is 100-continue.";
                    return unless_malformed(lines, Failure::Http { status: 417, message });
                }
                head.expects_continue = is_http11;
            }
            _ => head.line(&line),
        }
    }
    let length = lines.taken();
    if length > HEAD_BYTES_MAX {
        return Err(Failure::Http { status: 431, message: "The request's headers are too large." });
    }
    if head.repeated {
        return Err(bad("There must be at most one Authorization, API key, Content-Type and Origin."));
    }
    if head.unsized_body && head.content_length.is_some() {
        return Err(bad("Content-Length and Transfer-Encoding exclude each other."));
    }
    if is_http11 && head.host.is_none() {
        return Err(bad("The Host header is missing."));
    }
    Ok(Some(Frame { bytes: length, is_http11, keep_alive, is_head: method == b"HEAD", length_at }))
}

/// The refusal of a line, unless a later line is malformed: then the former may not be what it seems, for example folded.
#[cold]
fn unless_malformed(mut lines: FieldLines<'_>, failure: Failure) -> Result<Option<Frame>, Failure> {
    loop {
        match lines.next_line() {
            Ok(_) => {}
            Err(Stop::End) => return Err(failure),
            Err(Stop::Partial) => return Ok(None),
            Err(why) => return Err(refused(why)),
        }
    }
}

/// True if there is nothing in `part` but a method, perhaps with more after it.
#[cold]
fn begins_request_line(part: &[u8]) -> bool {
    match part.iter().position(|byte| !is_token(*byte)) {
        None => true,
        Some(0) => part == b"\r",
        Some(end) => part[end] == b' ',
    }
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^'..=b'`' | b'|' | b'~')
}

const VERSION_BYTES: usize = b"HTTP/1.1".len();

/// Method, target and whether the version is 1.1.
fn request_line(line: &[u8]) -> Result<(&[u8], &[u8], bool), Failure> {
    let Some(end) = method_end(line) else { return Err(refused(Stop::Malformed)) };
    let (method, rest) = (&line[..end], &line[end + 1..]);
    let Some((start, version)) = rest.split_last_chunk::<VERSION_BYTES>() else { return Err(wrong_line(rest)) };
    let is_http11 = version == b"HTTP/1.1";
    let [target @ .., b' '] = start else { return Err(wrong_line(rest)) };
    if !(is_http11 || version == b"HTTP/1.0") || target.first() != Some(&b'/') || !is_visible_ascii(target) {
        return Err(wrong_line(rest));
    }
    if target.len() > TARGET_BYTES_MAX {
        return Err(Failure::Http { status: 414, message: "The request target is too long." });
    }
    Ok((method, target, is_http11))
}

/// Where the space after the method is.
fn method_end(line: &[u8]) -> Option<usize> {
    if line.starts_with(b"POST ") {
        return Some(4);
    }
    let end = memchr::memchr(b' ', line)?;
    let is_token = line[..end].iter().all(|byte| is_token(*byte));
    (end > 0 && is_token).then_some(end)
}

fn is_visible_ascii(text: &[u8]) -> bool {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let is_visible = |bytes: &[u8; 8]| {
        let word = u64::from_le_bytes(*bytes);
        // Bit 7 is set from 0x80 on, from 0x7f on, and below 0x21. A carry or a borrow comes from a byte that is refused.
        (word | word.wrapping_add(EACH) | word.wrapping_sub(EACH * 0x21)) & EACH << 7 == 0
    };
    match text.last_chunk() {
        // The last eight bytes once more instead of one by one.
        Some(last) => text.as_chunks::<8>().0.iter().all(is_visible) && is_visible(last),
        None => text.iter().all(u8::is_ascii_graphic),
    }
}

/// What is wrong with target and version, in the order in which they are read.
#[cold]
fn wrong_line(rest: &[u8]) -> Failure {
    let end = rest.iter().position(|byte| matches!(byte, b' ' | b'\t' | 0x7f)).unwrap_or(rest.len());
    let (target, version) = rest.split_at(end);
    if target.is_empty() || !version.starts_with(b" ") {
        return refused(Stop::Malformed);
    }
    if !matches!(version.get(1..=VERSION_BYTES), Some(b"HTTP/1.0" | b"HTTP/1.1")) {
        return Failure::Http { status: 505, message: "Only HTTP/1.0, HTTP/1.1 and HTTP/2 are spoken here." };
    }
    if version.len() != 1 + VERSION_BYTES {
        return refused(Stop::Malformed);
    }
    bad("The request target must be a path.")
}

#[cold]
fn bad(message: &'static str) -> Failure {
    Failure::Http { status: 400, message }
}

#[cold]
fn refused(why: Stop) -> Failure {
    match why {
        Stop::TooManyLines => Failure::Http { status: 431, message: "The request has too many headers." },
        _ => bad("The request is not well-formed HTTP."),
    }
}

#[cfg(test)]
mod tests;
