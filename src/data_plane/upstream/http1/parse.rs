//! The head of an answer over HTTP/1.1: bytes in, an [`AnswerHead`] and where its body ends out.
//!
//! Framing follows RFC 9112, section 6.3, and is refused where two parsers could read it differently: lengths that differ, a length
//! beside a coding, codings other than `chunked`, codings in HTTP/1.0. Lines are read as those of requests are, by [`FieldLines`]: a
//! bare LF ends no line here either, for it is how one answer is made to look like two. The one leniency is a missing reason.
//!
//! Pure; a fuzz target.

use super::contains_token;
use crate::{
    data_plane::{
        field_lines::{FieldLines, Stop, is_named},
        upstream::answer_head::{AnswerHead, digits},
    },
    limits::UPSTREAM_HEADERS_MAX,
};

/// A whole head.
#[derive(Debug, PartialEq, Eq)]
pub struct ParsedHead {
    pub head: AnswerHead,
    pub frame: Frame,
}

/// What of a head concerns its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    /// Bytes of the head, with the empty line at its end.
    pub bytes: usize,
    pub body: Body,
    /// The peer means to go on after this answer.
    pub keep_alive: bool,
}

/// Where the body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    /// There is none, whatever the head says.
    Never,
    Length(u64),
    Chunked,
    UntilClose,
}

/// The connection is of no use after this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadAnswer;

/// Reads the head that `bytes` begin with; `None` if it has not come whole. Of an interim answer (1xx) only status and length count.
///
/// # Errors
/// It is no HTTP, or its framing is ambiguous.
pub fn parse_head(bytes: &[u8]) -> Result<Option<ParsedHead>, BadAnswer> {
    let mut head = AnswerHead::default();
    let frame = read_head(bytes, &mut head)?;
    Ok(frame.map(|frame| ParsedHead { head, frame }))
}

/// As `parse_head`, into the place where the head will stay. What `head` was is forgotten, and what it is counts only when it has come
/// whole.
///
/// # Errors
/// As there.
#[inline]
pub fn read_head(bytes: &[u8], head: &mut AnswerHead) -> Result<Option<Frame>, BadAnswer> {
    let mut lines = FieldLines::new(bytes, UPSTREAM_HEADERS_MAX);
    let line = match lines.start_line() {
        Ok(line) => line,
        // What is not HTTP has perhaps no end of a line.
        Err(Stop::Partial) if begins_status_line(&bytes[lines.taken()..]) => return Ok(None),
        Err(_) => return Err(BadAnswer),
    };
    let (status, is_http11) = status_line(line).ok_or(BadAnswer)?;
    let is_interim = (100..200).contains(&status);
    head.begin(status);
    let mut is_chunked = false;
    let mut keep_alive = is_http11;
    loop {
        let line = match lines.next_line() {
            Ok(_) if is_interim => continue,
            Ok(line) => line,
            Err(Stop::End) => break,
            Err(Stop::Partial) => return Ok(None),
            Err(_) => return Err(BadAnswer),
        };
        let name = line.name();
        match name.len() {
            14 if is_named(name, b"content-length") => {
                let length = digits(line.value()).ok_or(BadAnswer)?;
                // The same length twice is what some proxies do; two lengths are an attack.
                if head.content_length.is_some_and(|before| before != length) {
                    return Err(BadAnswer);
                }
                head.content_length = Some(length);
            }
            17 if is_named(name, b"transfer-encoding") => {
                if is_chunked || !is_http11 || !line.value().eq_ignore_ascii_case(b"chunked") {
                    return Err(BadAnswer);
                }
                is_chunked = true;
            }
            10 if is_named(name, b"connection") => {
                keep_alive &= !contains_token(line.value(), b"close");
                keep_alive |= !is_http11 && contains_token(line.value(), b"keep-alive");
            }
            _ => head.line(&line),
        }
    }
    let body = match (is_chunked, head.content_length) {
        (true, Some(_)) => return Err(BadAnswer),
        _ if is_interim || status == 204 || status == 304 => Body::Never,
        (true, None) => Body::Chunked,
        (false, Some(length)) => Body::Length(length),
        (false, None) => Body::UntilClose,
    };
    Ok(Some(Frame { bytes: lines.taken(), body, keep_alive }))
}

#[cold]
fn begins_status_line(part: &[u8]) -> bool {
    const BEGIN: &[u8] = b"HTTP/1.";
    part == b"\r" || part.iter().zip(BEGIN).all(|(byte, expected)| byte == expected)
}

/// Status, and whether the version is 1.1. The reason is for people, and some leave it out together with its space.
fn status_line(line: &[u8]) -> Option<(u16, bool)> {
    let (version, rest) = line.split_first_chunk::<8>()?;
    let is_http11 = version == b"HTTP/1.1";
    match rest {
        [b' ', code @ ..] if code.len() == 3 || code.get(3) == Some(&b' ') => {
            let digits = code[..3]
                .iter()
                .try_fold(0, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + u16::from(byte - b'0')))?;
            (is_http11 || version == b"HTTP/1.0").then_some((digits, is_http11))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
