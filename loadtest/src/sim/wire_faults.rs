//! Faults of how an answer reaches the wire: late, cut, in pieces, or framed against the rules.
//!
//! Each edits a `Play`. Faults of HTTP/1.1 framing mean nothing over HTTP/2 and are played there as a healthy answer;
//! GOAWAY and the refusal of a stream mean nothing over HTTP/1.1.

use std::time::Duration;

use bytes::Bytes;

use super::fault::{Fault, Faults, Kind};
use super::gzip;
use super::play::{After, GoAway, Play, Step};
use super::sse;
use crate::limits::FAULT_BYTES_MAX;

/// HTTP/2's code for "not processed, try again".
const REFUSED_STREAM: u32 = 7;
const INTERNAL_ERROR: u32 = 2;

/// How the faults want events to be written.
pub(crate) fn style(faults: &Faults) -> sse::Style {
    sse::Style {
        line_end: match (faults.has(Kind::CrLf), faults.has(Kind::Cr)) {
            (true, _) => "\r\n",
            (_, true) => "\r",
            _ => "\n",
        },
        space: !faults.has(Kind::NoSpace),
        comments: faults.find(Kind::Comments).map_or(0, |fault| fault.size().min(1_000)),
        two_lines: faults.has(Kind::MultiData),
    }
}

pub(crate) fn apply(play: &mut Play, faults: &Faults) {
    for fault in &faults.0 {
        edit(play, fault);
    }
}

fn edit(play: &mut Play, fault: &Fault) {
    let ms = Duration::from_millis(fault.number);
    match fault.kind {
        Kind::Slow => play.steps.insert(0, Step::Wait(ms)),
        Kind::Gap => widen_gaps(play, ms),
        Kind::Silent => play.steps = vec![Step::Hang],
        Kind::Freeze => play.steps = vec![Step::Freeze],
        Kind::Reset => play.steps = vec![Step::Reset(INTERNAL_ERROR)],
        Kind::Close => play.steps = vec![Step::Close],
        Kind::SilentAfterHead => {
            // A stream's head, so that no length tells the client how much is still to come.
            if let Some(head) = play.head_mut() {
                head.length = None;
            }
            play.steps.truncate(play.head_position() + 1);
            play.steps.push(Step::Hang);
        }
        Kind::SilentAfter => cut(play, fault.size(), Step::Hang),
        Kind::ResetAfter => cut(play, fault.size(), Step::Reset(INTERNAL_ERROR)),
        Kind::CloseAfter => cut(play, fault.size(), Step::Close),
        Kind::ShortBody => {
            let sent = body_bytes(play);
            if let Some(head) = play.head_mut() {
                head.length = Some(sent + fault.size());
            }
            play.steps.retain(|step| *step != Step::End);
            play.steps.push(Step::Close);
        }
        Kind::HeaderTrickle => play.head_byte_gap = Some(ms),
        Kind::Pieces => play.piece_bytes = Some(fault.size().max(1)),
        Kind::BigHead => {
            let mut left = fault.size().min(FAULT_BYTES_MAX);
            if let Some(head) = play.head_mut() {
                while left > 0 {
                    let line = left.min(FILLER_LINE_BYTES);
                    head.headers.push(("x-filler", "x".repeat(line)));
                    left -= line;
                }
            }
        }
        Kind::Gzip => compress(play),
        Kind::Informational => {
            let at = play.head_position();
            play.steps.insert(at, Step::Informational(fault.number.min(1_000_000)));
        }
        Kind::ClAndTe => raw_line(play, true, "content-length: 5\r\n"),
        Kind::TwoLengths => raw_line(play, false, "content-length: 5\r\n"),
        Kind::SplitHeader => raw_line(play, false, SPLIT_HEADER),
        Kind::ObsFold => raw_line(play, false, "x-folded: one\r\n two\r\n"),
        Kind::BadStatusLine => {
            if let Some(head) = play.head_mut() {
                head.first_line = Some("HTTQ/9.9 twohundred fine");
            }
        }
        Kind::BadChunk => {
            play.bad_chunk = true;
            if let Some(head) = play.head_mut() {
                head.length = None;
            }
        }
        Kind::CloseQuietly => play.after = After::CloseQuietly,
        Kind::KeepAliveRace => play.after = After::ResetOnNext,
        Kind::GoAway => play.steps.insert(0, Step::GoAway(GoAway::Graceful)),
        Kind::GoAwayAbrupt => play.steps = vec![Step::GoAway(GoAway::Abrupt), Step::Hang],
        Kind::GoAwayBelow => play.steps = vec![Step::GoAway(GoAway::Below), Step::Hang],
        Kind::RefuseStream => play.steps = vec![Step::Reset(REFUSED_STREAM)],
        Kind::LimitStreams => {
            let streams = u32::try_from(fault.number).unwrap_or(u32::MAX);
            play.steps.insert(0, Step::LimitStreams(streams));
        }
        Kind::RstStream => {
            let code = u32::try_from(fault.number).unwrap_or(INTERNAL_ERROR);
            play.steps = vec![Step::Reset(code)];
        }
        // The rest acts on the reply, on the upload, or on the way events are written.
        _ => {}
    }
}

const FILLER_LINE_BYTES: usize = 8 * 1024;

/// A value that a careless proxy would copy: it ends the head early and begins an answer of its own.
const SPLIT_HEADER: &str = "x-split: a\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\nsmuggle\r\n";

fn raw_line(play: &mut Play, chunked: bool, line: &str) {
    if let Some(head) = play.head_mut() {
        if chunked {
            head.length = None;
        }
        head.raw_lines.push(line.to_owned());
    }
}

fn widen_gaps(play: &mut Play, by: Duration) {
    let mut first = true;
    let mut steps = Vec::with_capacity(play.steps.len() * 2);
    for step in play.steps.drain(..) {
        if matches!(step, Step::Data { content: true, .. }) {
            if !first {
                steps.push(Step::Wait(by));
            }
            first = false;
        }
        steps.push(step);
    }
    play.steps = steps;
}

/// Ends the list with `ending` after so many content events; a body that is no stream is cut in half.
fn cut(play: &mut Play, content_events: usize, ending: Step) {
    let is_content = |step: &Step| matches!(step, Step::Data { content: true, .. });
    let streamed = play.steps.iter().any(is_content);
    if streamed {
        let mut contents = play.steps.iter().enumerate().filter(|(_, step)| is_content(step)).map(|(at, _)| at);
        let after_last = play.steps.iter().rposition(is_content).map_or(0, |last| last + 1);
        let at = contents.nth(content_events).unwrap_or(after_last);
        play.steps.truncate(at);
    } else {
        play.steps.retain(|step| *step != Step::End);
        for step in &mut play.steps {
            if let Step::Data { bytes, .. } = step {
                bytes.truncate(bytes.len() / 2);
            }
        }
    }
    play.steps.push(ending);
}

fn body_bytes(play: &Play) -> usize {
    let data = play.steps.iter().map(|step| match step {
        Step::Data { bytes, .. } => bytes.len(),
        _ => 0,
    });
    data.sum()
}

fn compress(play: &mut Play) {
    let mut stream = gzip::Stored::default();
    for step in &mut play.steps {
        if let Step::Data { bytes, .. } = step {
            *bytes = stream.block(bytes).into();
        }
    }
    if let Some(end) = play.steps.iter().position(|step| *step == Step::End) {
        let bytes = Bytes::from(stream.finish());
        play.steps.insert(end, Step::Data { bytes, content: false });
    }
    let sent = body_bytes(play);
    if let Some(head) = play.head_mut() {
        head.headers.push(("content-encoding", "gzip".to_owned()));
        head.length = head.length.map(|_| sent);
    }
}
