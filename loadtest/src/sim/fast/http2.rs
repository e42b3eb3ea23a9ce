//! HTTP/2 as far as the fast mode speaks it: frames are read and written here, and what comes in one read is answered in one write.
//!
//! Answers obey the client's windows; what does not fit waits for WINDOW_UPDATE. The client's own windows are opened generously. What
//! the standard calls an error mostly ends the connection, without a word: this is not the server under test.

use std::collections::VecDeque;
use std::time::Instant;

use bytes::Bytes;

use super::answers::Spoken;
use super::connection::{Malformed, Paced, Serving};
use super::stream_word::StreamWord;
use crate::hpack::{Decoder, Name, answer_head};
use crate::limits::{FAST_STREAMS_MAX, REQUEST_HEAD_BYTES_MAX, SCRIPT_BYTES_MAX};
use crate::sim::answer::{Body, Request};
use crate::sim::exchange::path_and_query;

pub(super) struct Http2 {
    /// What has come and could not be used yet.
    input: Vec<u8>,
    has_preface: bool,
    decoder: Decoder,
    /// A head whose end has not come: its stream, whether that ends with it, and what it begins with.
    block: Option<(u32, bool, Vec<u8>)>,
    /// In order of their numbers, in which they come.
    streams: Vec<Stream>,
    /// What we may send, on all streams together and on a new one.
    window: i64,
    stream_window: i64,
    frame_bytes_max: usize,
    /// What has been received, since the window was last opened.
    received: u32,
    path: Vec<u8>,
    method: Vec<u8>,
}

struct Stream {
    id: u32,
    spoken: Spoken,
    /// What we may send on it.
    window: i64,
    received: u32,
    word: StreamWord,
    /// Of a request for the simulator itself.
    control: Option<Box<Request>>,
    upload: Vec<u8>,
    /// What waits for the window, and whether the stream ends with it.
    unsent: VecDeque<Bytes>,
    ends: bool,
    paced: Option<Paced>,
}

impl Stream {
    /// Its request has ended: what comes on it after that is not heard.
    fn is_answered(&self) -> bool {
        self.ends || self.paced.is_some()
    }
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const FRAME_HEAD_BYTES: usize = 9;

/// The largest frame that we take, which is what everybody starts with.
const FRAME_BYTES_MAX: usize = 16_384;

/// What a client may send before we say more, and after how much of it we do.
const STREAM_WINDOW_BYTES: u32 = 1 << 20;
const CONNECTION_WINDOW_BYTES: u32 = 16 << 20;
const USUAL_WINDOW_BYTES: u32 = 65_535;

mod kind {
    pub const DATA: u8 = 0;
    pub const HEADERS: u8 = 1;
    pub const RST_STREAM: u8 = 3;
    pub const SETTINGS: u8 = 4;
    pub const PING: u8 = 6;
    pub const WINDOW_UPDATE: u8 = 8;
    pub const CONTINUATION: u8 = 9;
}

mod flag {
    pub const ACK: u8 = 1;
    pub const END_STREAM: u8 = 1;
    pub const END_HEADERS: u8 = 4;
    pub const PADDED: u8 = 8;
    pub const PRIORITY: u8 = 32;
}

const REFUSED_STREAM: u32 = 7;

impl Http2 {
    /// Says what we allow.
    pub fn open(out: &mut Vec<u8>) -> Self {
        const MAX_CONCURRENT_STREAMS: u16 = 3;
        const INITIAL_WINDOW_SIZE: u16 = 4;
        frame_head(12, kind::SETTINGS, 0, 0, out);
        for (setting, value) in
            [(MAX_CONCURRENT_STREAMS, FAST_STREAMS_MAX as u32), (INITIAL_WINDOW_SIZE, STREAM_WINDOW_BYTES)]
        {
            out.extend_from_slice(&setting.to_be_bytes());
            out.extend_from_slice(&value.to_be_bytes());
        }
        number_frame(kind::WINDOW_UPDATE, 0, CONNECTION_WINDOW_BYTES - USUAL_WINDOW_BYTES, out);
        Self {
            input: Vec::new(),
            has_preface: false,
            decoder: Decoder::default(),
            block: None,
            streams: Vec::new(),
            window: i64::from(USUAL_WINDOW_BYTES),
            stream_window: i64::from(USUAL_WINDOW_BYTES),
            frame_bytes_max: FRAME_BYTES_MAX,
            received: 0,
            path: Vec::new(),
            method: Vec::new(),
        }
    }

    /// Exchanges under way.
    pub fn busy(&self) -> usize {
        self.streams.iter().filter(|stream| stream.control.is_none()).count()
    }

    pub fn feed(&mut self, data: &[u8], serving: &mut Serving) -> Result<(), Malformed> {
        if self.input.is_empty() {
            return self.frames(data, serving);
        }
        let mut joined = std::mem::take(&mut self.input);
        joined.extend_from_slice(data);
        self.frames(&joined, serving)
    }

    fn frames(&mut self, mut rest: &[u8], serving: &mut Serving) -> Result<(), Malformed> {
        if !self.has_preface && rest.len() >= PREFACE.len() {
            rest = rest.strip_prefix(PREFACE).ok_or(Malformed)?;
            self.has_preface = true;
        }
        while self.has_preface
            && let Some(head) = rest.first_chunk::<FRAME_HEAD_BYTES>()
        {
            let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
            if length > FRAME_BYTES_MAX {
                return Err(Malformed);
            }
            let Some(payload) = rest.get(FRAME_HEAD_BYTES..FRAME_HEAD_BYTES + length) else {
                break;
            };
            let id = u32::from_be_bytes([head[5], head[6], head[7], head[8]]) & (u32::MAX >> 1);
            self.frame(head[3], head[4], id, payload, serving)?;
            rest = &rest[FRAME_HEAD_BYTES + length..];
        }
        self.input.extend_from_slice(rest);
        Ok(())
    }

    fn frame(&mut self, kind: u8, flags: u8, id: u32, payload: &[u8], serving: &mut Serving) -> Result<(), Malformed> {
        match kind {
            kind::DATA => self.data(flags, id, payload, serving),
            kind::HEADERS => {
                let mut payload = unpadded(flags, payload)?;
                if flags & flag::PRIORITY != 0 {
                    payload = payload.get(5..).ok_or(Malformed)?;
                }
                let ends = flags & flag::END_STREAM != 0;
                if flags & flag::END_HEADERS != 0 {
                    return self.head(id, ends, payload, serving);
                }
                self.block = Some((id, ends, payload.to_vec()));
                Ok(())
            }
            kind::CONTINUATION => {
                let (id, ends, mut block) = self.block.take().ok_or(Malformed)?;
                block.extend_from_slice(payload);
                if flags & flag::END_HEADERS != 0 {
                    return self.head(id, ends, &block, serving);
                }
                self.block = Some((id, ends, block));
                let bytes = self.block.as_ref().map_or(0, |(_, _, block)| block.len());
                if bytes > REQUEST_HEAD_BYTES_MAX { Err(Malformed) } else { Ok(()) }
            }
            kind::RST_STREAM => {
                if let Some(at) = self.position(id)
                    && self.streams.remove(at).control.is_none()
                {
                    serving.shared.counters.exchange_ends(true);
                }
                Ok(())
            }
            kind::SETTINGS if flags & flag::ACK == 0 => self.settings(payload, serving),
            kind::PING if flags & flag::ACK == 0 => {
                frame_head(payload.len(), kind::PING, flag::ACK, 0, serving.out);
                serving.out.extend_from_slice(payload);
                Ok(())
            }
            kind::WINDOW_UPDATE => {
                let more = i64::from(u32::from_be_bytes(payload.try_into().map_err(|_| Malformed)?) & (u32::MAX >> 1));
                if id == 0 {
                    self.window += more;
                    self.send_all(serving);
                } else if let Some(at) = self.position(id) {
                    self.streams[at].window += more;
                    self.send(at, serving);
                }
                Ok(())
            }
            // Priorities, and what newer standards add.
            _ => Ok(()),
        }
    }

    fn settings(&mut self, payload: &[u8], serving: &mut Serving) -> Result<(), Malformed> {
        for setting in payload.chunks_exact(6) {
            let value = u32::from_be_bytes([setting[2], setting[3], setting[4], setting[5]]);
            match u16::from_be_bytes([setting[0], setting[1]]) {
                4 => {
                    let change = i64::from(value) - self.stream_window;
                    self.stream_window += change;
                    self.streams.iter_mut().for_each(|stream| stream.window += change);
                }
                // What we write is never larger than what everybody takes.
                5 => self.frame_bytes_max = FRAME_BYTES_MAX.min(value as usize),
                _ => {}
            }
        }
        frame_head(0, kind::SETTINGS, flag::ACK, 0, serving.out);
        self.send_all(serving);
        Ok(())
    }

    /// A request's head, or the trailers after its body.
    fn head(&mut self, id: u32, ends: bool, block: &[u8], serving: &mut Serving) -> Result<(), Malformed> {
        let (path, method) = (&mut self.path, &mut self.method);
        let keep = |to: &mut Vec<u8>, value: &[u8]| {
            to.clear();
            to.extend_from_slice(value);
        };
        let read = self.decoder.decode(block, |name, value| match name {
            Name::Path => keep(path, value),
            Name::Method => keep(method, value),
            _ => {}
        });
        read.map_err(|_| Malformed)?;
        if let Some(at) = self.position(id) {
            return if ends && !self.streams[at].is_answered() { self.answer(at, serving) } else { Ok(()) };
        }
        if self.streams.last().is_some_and(|last| last.id >= id) || id == 0 {
            return Err(Malformed);
        }
        if self.streams.len() >= FAST_STREAMS_MAX {
            number_frame(kind::RST_STREAM, id, REFUSED_STREAM, serving.out);
            return Ok(());
        }
        let mut stream = Stream {
            id,
            spoken: Spoken::of(&self.path),
            window: self.stream_window,
            received: 0,
            word: StreamWord::default(),
            control: None,
            upload: Vec::new(),
            unsent: VecDeque::new(),
            ends: false,
            paced: None,
        };
        if stream.spoken == Spoken::Control {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let (path, query) = path_and_query(&text(&self.path));
            let method = text(&self.method);
            let request = Request { method, path, query, headers: Vec::new(), body: Bytes::new() };
            stream.control = Some(Box::new(request));
        } else {
            serving.shared.counters.exchange_begins();
        }
        self.streams.push(stream);
        if ends { self.answer(self.streams.len() - 1, serving) } else { Ok(()) }
    }

    fn data(&mut self, flags: u8, id: u32, payload: &[u8], serving: &mut Serving) -> Result<(), Malformed> {
        let ends = flags & flag::END_STREAM != 0;
        // A frame has at most 16 KiB.
        let bytes = payload.len() as u32;
        self.received += bytes;
        if self.received >= CONNECTION_WINDOW_BYTES / 4 {
            number_frame(kind::WINDOW_UPDATE, 0, std::mem::take(&mut self.received), serving.out);
        }
        let payload = unpadded(flags, payload)?;
        // Not there: it has been reset while this was on its way.
        let Some(at) = self.position(id) else { return Ok(()) };
        let stream = &mut self.streams[at];
        if stream.is_answered() {
            return Ok(());
        }
        serving.upload(payload.len());
        if stream.control.is_some() {
            stream.upload.extend_from_slice(payload);
            if stream.upload.len() > 2 * SCRIPT_BYTES_MAX {
                return Err(Malformed);
            }
        } else if ends && stream.received == 0 {
            // Most bodies come in one frame, and leave nothing to be remembered.
            stream.word.seen = StreamWord::is_in(payload);
        } else {
            stream.word.feed(payload);
        }
        stream.received += bytes;
        if ends {
            return self.answer(at, serving);
        }
        if stream.received >= STREAM_WINDOW_BYTES / 4 {
            number_frame(kind::WINDOW_UPDATE, id, stream.received, serving.out);
            // Not zero, which would say that nothing has come.
            stream.received = 1;
        }
        Ok(())
    }

    /// The request is whole.
    fn answer(&mut self, at: usize, serving: &mut Serving) -> Result<(), Malformed> {
        let stream = &mut self.streams[at];
        if let Some(request) = &mut stream.control {
            request.body = std::mem::take(&mut stream.upload).into();
            let Some(reply) = serving.shared.control(request) else { return Err(Malformed) };
            // Control answers are whole.
            let Body::Whole(body) = reply.body else { return Err(Malformed) };
            let head = answer_head(reply.status, reply.content_type, Some(body.len()));
            write_head(stream.id, &head, serving.out);
            stream.unsent.push_back(body.into());
            stream.ends = true;
            self.send(at, serving);
            return Ok(());
        }
        let (options, parts) = (serving.fast.options, &serving.fast.answers.of(stream.spoken).http2);
        let streams = stream.word.seen || stream.spoken == Spoken::GeminiStream;
        write_head(stream.id, if streams { &parts.stream_head } else { &parts.whole_head }, serving.out);
        if !streams {
            stream.unsent.push_back(parts.whole.clone());
            stream.ends = true;
        } else if options.gap.is_zero() {
            // A frame for each event, as servers do it.
            stream.unsent.extend(parts.opening());
            stream.unsent.extend((0..options.chunks).map(|index| parts.event(index).clone()));
            stream.unsent.push_back(parts.ending.clone());
            stream.ends = true;
            serving.events(options.chunks);
        } else {
            stream.unsent.extend(parts.opening());
            let now = Instant::now();
            stream.paced = Some(Paced::new(now));
            self.on_due(self.streams[at].id, now, serving);
            return Ok(());
        }
        self.send(at, serving);
        Ok(())
    }

    /// Sends the events of a stream that are due by now.
    pub fn on_due(&mut self, id: u32, now: Instant, serving: &mut Serving) {
        // Not there: it has been reset.
        let Some(at) = self.position(id) else { return };
        let stream = &mut self.streams[at];
        let Some(paced) = &mut stream.paced else { return };
        let (options, parts) = (serving.fast.options, &serving.fast.answers.of(stream.spoken).http2);
        let due = paced.take(now, options);
        serving.events(due.len());
        stream.unsent.extend(due.map(|index| parts.event(index).clone()));
        match paced.next(options) {
            Some(next) => serving.wait(next, id),
            None => {
                stream.unsent.push_back(parts.ending.clone());
                stream.ends = true;
            }
        }
        self.send(at, serving);
    }

    /// All streams that wait for the connection's window.
    fn send_all(&mut self, serving: &mut Serving) {
        // From the back: a stream that ends is taken out.
        for at in (0..self.streams.len()).rev() {
            if !self.streams[at].unsent.is_empty() {
                self.send(at, serving);
            }
        }
    }

    /// As much of a stream as its windows allow.
    fn send(&mut self, at: usize, serving: &mut Serving) {
        let stream = &mut self.streams[at];
        while let Some(piece) = stream.unsent.front_mut() {
            let room = usize::try_from(self.window.min(stream.window)).unwrap_or(0);
            let count = piece.len().min(room).min(self.frame_bytes_max);
            if count == 0 {
                return;
            }
            (self.window, stream.window) = (self.window - count as i64, stream.window - count as i64);
            let data = piece.split_to(count);
            if piece.is_empty() {
                stream.unsent.pop_front();
            }
            let ends = stream.ends && stream.unsent.is_empty();
            frame_head(count, kind::DATA, if ends { flag::END_STREAM } else { 0 }, stream.id, serving.out);
            serving.out.extend_from_slice(&data);
        }
        if stream.ends {
            let stream = self.streams.remove(at);
            *serving.ended += usize::from(stream.control.is_none());
        }
    }

    fn position(&self, id: u32) -> Option<usize> {
        // Mostly the newest is meant.
        let last = self.streams.len().checked_sub(1)?;
        if self.streams[last].id == id {
            return Some(last);
        }
        self.streams.binary_search_by_key(&id, |stream| stream.id).ok()
    }
}

fn unpadded(flags: u8, payload: &[u8]) -> Result<&[u8], Malformed> {
    if flags & flag::PADDED == 0 {
        return Ok(payload);
    }
    let (&padding, rest) = payload.split_first().ok_or(Malformed)?;
    rest.get(..rest.len().checked_sub(usize::from(padding)).ok_or(Malformed)?).ok_or(Malformed)
}

fn frame_head(length: usize, kind: u8, flags: u8, id: u32, out: &mut Vec<u8>) {
    let [_, high, middle, low] = (length as u32).to_be_bytes();
    let [a, b, c, d] = id.to_be_bytes();
    out.extend_from_slice(&[high, middle, low, kind, flags, a, b, c, d]);
}

fn number_frame(kind: u8, id: u32, number: u32, out: &mut Vec<u8>) {
    frame_head(4, kind, 0, id, out);
    out.extend_from_slice(&number.to_be_bytes());
}

fn write_head(id: u32, head: &[u8], out: &mut Vec<u8>) {
    frame_head(head.len(), kind::HEADERS, flag::END_HEADERS, id, out);
    out.extend_from_slice(head);
}
