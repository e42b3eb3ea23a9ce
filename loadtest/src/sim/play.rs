//! An answer as a list of steps: what to send, when, and how it ends. Both wires play the same list.
//!
//! A healthy answer is `Wait, Head, Data..., End`. A fault of the wire is a different list, or a mark on how the list is
//! played; `wire_faults` makes both, so that the wires themselves know nothing of scripts.

use std::time::Duration;

use bytes::Bytes;

use super::answer::{Body, EventKind, Reply};
use super::latency::Random;
use super::script::Latency;
use super::sse;

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Step {
    Wait(Duration),
    /// So many heads with a 1xx status.
    Informational(u64),
    Head(Head),
    /// Body bytes, sent at once. `content` is true for what counts as a content event.
    Data {
        bytes: Bytes,
        content: bool,
    },
    /// The body ends as its framing demands.
    End,
    /// The connection ends with FIN, whatever was promised.
    Close,
    /// HTTP/1.1: RST. HTTP/2: RST_STREAM with this code.
    Reset(u32),
    /// Nothing any more until the client leaves.
    Hang,
    /// `Hang` for the whole connection: over HTTP/2 no other stream and no PING is served either.
    Freeze,
    /// HTTP/2 only; HTTP/1.1 plays it as nothing.
    GoAway(GoAway),
    /// HTTP/2 only: SETTINGS_MAX_CONCURRENT_STREAMS from now on.
    LimitStreams(u32),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GoAway {
    Graceful,
    Abrupt,
    /// With a last stream id below this stream's.
    Below,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Head {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    /// `Content-Length`; none means chunked over HTTP/1.1.
    pub length: Option<usize>,
    /// Header lines that go out as they are, with their line ends. HTTP/1.1 only.
    pub raw_lines: Vec<String>,
    /// In place of the status line. HTTP/1.1 only.
    pub first_line: Option<&'static str>,
}

/// What becomes of the connection after the answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum After {
    #[default]
    KeepAlive,
    /// Closed without having been announced.
    CloseQuietly,
    /// Reset at the first byte of the next request.
    ResetOnNext,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Play {
    pub steps: Vec<Step>,
    pub after: After,
    /// At most so many bytes per write.
    pub piece_bytes: Option<usize>,
    /// The head goes out byte by byte with this between. HTTP/1.1 only.
    pub head_byte_gap: Option<Duration>,
    /// The second chunk's size is no number. HTTP/1.1 only.
    pub bad_chunk: bool,
}

impl Play {
    /// The list of a healthy answer.
    pub fn of(reply: &Reply, latency: &Latency, style: &sse::Style, random: &mut Random) -> Self {
        let mut head = Head { status: reply.status, headers: reply.headers.clone(), ..Head::default() };
        head.headers.insert(0, ("content-type", reply.content_type.to_owned()));
        let mut steps = Vec::new();
        let think = latency.ttft_ms.draw(random);
        if !think.is_zero() {
            steps.push(Step::Wait(think));
        }
        match &reply.body {
            Body::Whole(body) => {
                head.length = Some(body.len());
                steps.push(Step::Head(head));
                if !body.is_empty() {
                    let bytes = Bytes::copy_from_slice(body);
                    steps.push(Step::Data { bytes, content: false });
                }
            }
            Body::Events(events) => {
                steps.push(Step::Head(head));
                let mut first = true;
                let mut frame = sse::Frame::new(style, reply.framing);
                for event in events {
                    let content = event.kind == EventKind::Content;
                    if content {
                        let gap = latency.gap_ms.draw(random);
                        if !first && !gap.is_zero() {
                            steps.push(Step::Wait(gap));
                        }
                        first = false;
                    }
                    let bytes = frame.render(event).into();
                    steps.push(Step::Data { bytes, content });
                }
                if let Some(end) = frame.end() {
                    steps.push(Step::Data { bytes: end.into(), content: false });
                }
            }
        }
        steps.push(Step::End);
        Self { steps, ..Self::default() }
    }

    pub fn head_mut(&mut self) -> Option<&mut Head> {
        self.steps.iter_mut().find_map(|step| match step {
            Step::Head(head) => Some(head),
            _ => None,
        })
    }

    /// Where the step that carries the head stands; the end of the list if there is none.
    pub fn head_position(&self) -> usize {
        let head = self.steps.iter().position(|step| matches!(step, Step::Head(_)));
        head.unwrap_or(self.steps.len())
    }
}
