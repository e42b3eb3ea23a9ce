//! HTTP/1.1 as far as the fast mode reads it: heads with a `content-length`, bodies, one prebuilt answer for each.
//!
//! What a client sends ahead is answered in one write with what it waits for. While a paced stream runs, nothing more is read.

use std::time::Instant;

use bytes::Bytes;
use memchr::memchr_iter;

use super::answers::Spoken;
use super::connection::{Malformed, Paced, Serving};
use super::stream_word::StreamWord;
use crate::limits::{FAST_UNSENT_BYTES_MAX, REQUEST_HEAD_BYTES_MAX, REQUEST_HEADERS_MAX, SCRIPT_BYTES_MAX};
use crate::sim::answer::{Body, Reply, Request};
use crate::sim::exchange::path_and_query;

#[derive(Debug, Default)]
pub(super) struct Http1 {
    /// What has come and could not be used yet.
    input: Vec<u8>,
    state: State,
    word: StreamWord,
    /// There is input that could have been used, but for what is to be sent first.
    is_held: bool,
    /// The connection ends when all has been sent.
    pub closes: bool,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Head,
    Body {
        spoken: Spoken,
        left: usize,
    },
    Stream {
        spoken: Spoken,
        paced: Paced,
    },
}

/// The little that is read of a head.
struct Head {
    bytes: usize,
    body_bytes: usize,
    spoken: Spoken,
    is_chunked: bool,
}

impl Http1 {
    /// Whether the client waits for an answer, or sends a request.
    pub fn is_busy(&self) -> bool {
        !matches!(self.state, State::Head)
    }

    /// A paced stream is running.
    pub fn is_streaming(&self) -> bool {
        matches!(self.state, State::Stream { .. })
    }

    /// Whether `feed` would go on without any more input.
    pub fn has_backlog(&self) -> bool {
        self.is_held && !self.is_streaming()
    }

    pub fn feed(&mut self, data: &[u8], serving: &mut Serving) -> Result<(), Malformed> {
        if self.input.is_empty() {
            return self.go_on(data, serving);
        }
        let mut joined = std::mem::take(&mut self.input);
        joined.extend_from_slice(data);
        self.go_on(&joined, serving)
    }

    fn go_on(&mut self, mut rest: &[u8], serving: &mut Serving) -> Result<(), Malformed> {
        self.is_held = false;
        while !rest.is_empty() && !self.closes {
            if self.is_streaming() || serving.out.len() >= FAST_UNSENT_BYTES_MAX {
                self.is_held = true;
                break;
            }
            match self.state {
                State::Head => match Head::parse(rest)? {
                    None if rest.len() > REQUEST_HEAD_BYTES_MAX => return Err(Malformed),
                    None => break,
                    Some(head) if head.spoken == Spoken::Control => match self.control(rest, &head, serving)? {
                        None => break,
                        Some(length) => rest = &rest[length..],
                    },
                    Some(head) if head.is_chunked => {
                        serving.out.extend_from_slice(LENGTH_REQUIRED);
                        self.closes = true;
                    }
                    Some(head) => {
                        rest = &rest[head.bytes..];
                        serving.shared.counters.exchange_begins();
                        serving.upload(head.body_bytes);
                        // Most bodies have come whole with their heads, and leave nothing to be remembered.
                        match rest.split_at_checked(head.body_bytes) {
                            Some((body, after)) => {
                                rest = after;
                                self.answer(head.spoken, StreamWord::is_in(body), serving);
                            }
                            None => {
                                self.word = StreamWord::default();
                                self.state = State::Body { spoken: head.spoken, left: head.body_bytes };
                            }
                        }
                    }
                },
                State::Body { spoken, left } => {
                    let (piece, after) = rest.split_at(left.min(rest.len()));
                    rest = after;
                    self.word.feed(piece);
                    match left - piece.len() {
                        0 => self.answer(spoken, self.word.seen, serving),
                        left => self.state = State::Body { spoken, left },
                    }
                }
                State::Stream { .. } => break,
            }
        }
        self.input.extend_from_slice(rest);
        Ok(())
    }

    fn answer(&mut self, spoken: Spoken, asks_for_stream: bool, serving: &mut Serving) {
        let (options, parts) = (serving.fast.options, &serving.fast.answers.of(spoken).http1);
        self.state = State::Head;
        if !asks_for_stream && spoken != Spoken::GeminiStream {
            serving.out.extend_from_slice(&parts.whole_head);
            serving.out.extend_from_slice(&parts.whole);
        } else if options.gap.is_zero() {
            serving.out.extend_from_slice(&parts.stream_head);
            serving.out.extend_from_slice(&parts.burst);
            serving.events(options.chunks);
        } else {
            serving.out.extend_from_slice(&parts.stream_head);
            serving.out.extend_from_slice(&parts.opening);
            let now = Instant::now();
            self.state = State::Stream { spoken, paced: Paced::new(now) };
            return self.on_due(now, serving);
        }
        *serving.ended += 1;
    }

    /// Sends the events that are due by now.
    pub fn on_due(&mut self, now: Instant, serving: &mut Serving) {
        let State::Stream { spoken, paced } = &mut self.state else {
            return;
        };
        let parts = &serving.fast.answers.of(*spoken).http1;
        let due = paced.take(now, serving.fast.options);
        for index in due.clone() {
            serving.out.extend_from_slice(parts.event(index));
        }
        serving.events(due.len());
        match paced.next(serving.fast.options) {
            Some(next) => serving.wait(next, 0),
            None => {
                serving.out.extend_from_slice(&parts.ending);
                *serving.ended += 1;
                self.state = State::Head;
            }
        }
    }

    /// Answers a request for the simulator itself, if it has come whole. How long it is.
    fn control(&mut self, input: &[u8], head: &Head, serving: &mut Serving) -> Result<Option<usize>, Malformed> {
        if head.is_chunked || head.body_bytes > 2 * SCRIPT_BYTES_MAX {
            return Err(Malformed);
        }
        let end = head.bytes + head.body_bytes;
        let Some(body) = input.get(head.bytes..end) else {
            return Ok(None);
        };
        let mut lines = [httparse::EMPTY_HEADER; REQUEST_HEADERS_MAX];
        let mut parsed = httparse::Request::new(&mut lines);
        parsed.parse(&input[..head.bytes]).map_err(|_| Malformed)?;
        let closes = parsed.headers.iter().any(|line| {
            line.name.eq_ignore_ascii_case("connection") && line.value.to_ascii_lowercase().starts_with(b"close")
        });
        let (path, query) = path_and_query(parsed.path.unwrap_or(""));
        let method = parsed.method.unwrap_or("").to_owned();
        let request = Request { method, path, query, headers: Vec::new(), body: Bytes::copy_from_slice(body) };
        if let Some(reply) = serving.shared.control(&request) {
            write(&reply, serving.out);
        }
        self.closes = closes;
        Ok(Some(end))
    }
}

const LENGTH_REQUIRED: &[u8] = b"HTTP/1.1 411 Length Required\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

fn write(reply: &Reply, out: &mut Vec<u8>) {
    // Control answers are whole.
    let Body::Whole(body) = &reply.body else { return };
    let reason = if reply.status == 200 { "OK" } else { "Refused" };
    let (status, kind, length) = (reply.status, reply.content_type, body.len());
    out.extend_from_slice(
        format!("HTTP/1.1 {status} {reason}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\r\n").as_bytes(),
    );
    out.extend_from_slice(body);
}

impl Head {
    /// Nothing until its end has come.
    fn parse(input: &[u8]) -> Result<Option<Self>, Malformed> {
        let mut head = Self { bytes: 0, body_bytes: 0, spoken: Spoken::Chat, is_chunked: false };
        let mut begin = 0;
        for end in memchr_iter(b'\n', input) {
            let line = &input[begin..end];
            if begin == 0 {
                head.spoken = Spoken::of(line);
            } else {
                match line.first() {
                    // Few lines matter, and few have names of these letters.
                    Some(b'c' | b'C') => {
                        if let Some(value) = value(line, b"content-length:") {
                            head.body_bytes = number(value).ok_or(Malformed)?;
                        }
                    }
                    Some(b't' | b'T') => head.is_chunked |= value(line, b"transfer-encoding:").is_some(),
                    Some(b'\r') | None => {
                        head.bytes = end + 1;
                        return Ok(Some(head));
                    }
                    _ => {}
                }
            }
            begin = end + 1;
        }
        Ok(None)
    }
}

fn value<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (have, value) = line.split_at_checked(name.len())?;
    have.eq_ignore_ascii_case(name).then(|| value.trim_ascii())
}

/// A decimal number, and nothing else.
fn number(digits: &[u8]) -> Option<usize> {
    let add = |sum: usize, digit: &u8| {
        let digit = digit.is_ascii_digit().then(|| usize::from(digit - b'0'))?;
        sum.checked_mul(10)?.checked_add(digit)
    };
    digits.iter().try_fold(0, add).filter(|_| !digits.is_empty())
}
