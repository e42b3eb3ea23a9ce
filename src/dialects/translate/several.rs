//! The answers of several calls as one: each call's only choice is a choice of the answer, in the order of the calls.
//!
//! Whole, they follow each other; streamed, they come as they come. There is one beginning, one end when the last call has ended, and one
//! usage before it: the sum, since every call is billed, with an estimate for a call that reported none. An answer that fails fails them
//! all.

use super::{
    Frames, Reader, StreamRenderer, Told, Translated, TranslatedStream, Translation, WholeRenderer, owned, whole,
};
use crate::dialects::{
    canonical::{Event, Malformed, Usage},
    lanes::{Cutter, Part},
    openai_chat::pass_through::Verdict,
    restore::Restore,
};
use crate::error::Failure;
use std::{cell::RefCell, rc::Rc};

impl Translation {
    /// As `whole`, for the answers of several calls.
    ///
    /// # Errors
    /// One of them is no answer.
    pub fn whole_of(self, texts: &[Vec<u8>], out: &mut Vec<u8>) -> Result<Translated, Malformed> {
        let forms = self.call_forms();
        let mut renderer = WholeRenderer::new(self.client, self.facts, self.echo, forms);
        let (mut sum, mut error) = (None, None);
        let (mut all_said_bytes, mut is_counted) = (0, true);
        for (lane, text) in (0..).zip(texts) {
            let mut restore = Restore::new(self.adapted.clone()).with_text_tools(self.text_tools.clone());
            let (mut usage, mut said_bytes) = (None, 0);
            whole(self.upstream, text, &mut |event| {
                restore.event(event, &mut |event| match event {
                    Event::Usage(counted) => usage = Some(counted),
                    Event::Error(told) => error = Some(owned(&told)),
                    event => {
                        said_bytes += event.said_bytes();
                        if let Some(event) = in_lane(lane, event) {
                            renderer.event(&event);
                        }
                    }
                });
            })?;
            all_said_bytes += said_bytes;
            is_counted &= usage.is_some();
            sum = plus(sum, usage.or_else(|| Some(self.prompt.estimate(said_bytes))));
        }
        if let Some(error) = error {
            return Ok(Translated::Error(error));
        }
        if let Some(usage) = sum {
            renderer.event(&Event::Usage(usage));
        }
        if self.in_array {
            out.push(b'[');
        }
        renderer.finish(out);
        if self.in_array {
            out.push(b']');
        }
        Ok(match sum {
            Some(usage) if !is_counted => Translated::Estimated(usage),
            usage => Translated::Answer { usage, said_bytes: all_said_bytes },
        })
    }

    /// As `stream`, for the answers of several calls, which come as [`crate::dialects::lanes`].
    pub fn streams(self) -> SeveralStreams {
        let forms = self.call_forms();
        let renderer = StreamRenderer::new(self.client, self.facts, self.echo, forms);
        let merged =
            Merged { renderer, has_begun: false, open: self.calls.into(), usages: vec![None; self.calls.into()] };
        let merged = Rc::new(RefCell::new(merged));
        let lane = |lane| Lane {
            stream: TranslatedStream {
                frames: Frames::new(self.upstream),
                reader: Reader::new(self.upstream),
                restore: Restore::new(self.adapted.clone()).with_text_tools(self.text_tools.clone()),
                renderer: StreamRenderer::Lane(LaneRenderer { lane, merged: merged.clone() }),
                told: Told::of(self.prompt.clone()),
            },
            is_complete: false,
        };
        SeveralStreams { lanes: (0..self.calls.into()).map(lane).collect(), cutter: Cutter::default() }
    }
}

/// Streams of several calls on their way to one client. The same doors as a single one.
pub struct SeveralStreams {
    lanes: Vec<Lane>,
    cutter: Cutter,
}

struct Lane {
    stream: TranslatedStream,
    is_complete: bool,
}

impl SeveralStreams {
    /// The sum of what each has told so far, with an estimate for each that has not: every call is billed for its prompt.
    pub fn usage(&self) -> Option<Usage> {
        let told = self.lanes.iter().map(|lane| &lane.stream.told);
        let usages = told.map(|told| told.usage.unwrap_or_else(|| told.prompt.estimate(told.said_bytes)));
        usages.fold(None, |sum, usage| plus(sum, Some(usage)))
    }

    /// One of them has told no usage.
    pub fn is_estimated(&self) -> bool {
        self.lanes.iter().any(|lane| lane.stream.told.usage.is_none())
    }

    /// How much the model has said, in bytes.
    pub fn said_bytes(&self) -> u64 {
        self.lanes.iter().map(|lane| lane.stream.said_bytes()).sum()
    }

    /// As `TranslatedStream::fail`; all lanes end with it.
    pub fn fail(&mut self, failure: &Failure, out: &mut Vec<u8>) -> bool {
        self.lanes.first_mut().is_some_and(|lane| lane.stream.fail(failure, out))
    }

    /// Any of them has begun.
    pub fn has_begun(&self) -> bool {
        self.lanes.iter().any(|lane| lane.stream.has_begun())
    }

    /// Takes the next piece, cut anywhere, and appends what the client gets of it.
    pub fn feed(&mut self, mut piece: &[u8], out: &mut Vec<u8>) -> Verdict {
        while let Some((lane, part)) = self.cutter.next(&mut piece) {
            let Some(lane) = self.lanes.get_mut(lane) else { return Verdict::Malformed };
            // What follows an end marker is of no interest.
            if lane.is_complete {
                continue;
            }
            match (&part, part_of(lane, &part, out)) {
                (_, Verdict::Complete) => lane.is_complete = true,
                (Part::Bytes(_), Verdict::More) => {}
                (Part::End, Verdict::More) => return Verdict::Truncated,
                (_, verdict) => return verdict,
            }
        }
        if self.lanes.iter().all(|lane| lane.is_complete) { Verdict::Complete } else { Verdict::More }
    }

    /// All have ended, or something ended them.
    pub fn end(&mut self) -> Verdict {
        if self.lanes.iter().all(|lane| lane.is_complete) { Verdict::Complete } else { Verdict::Truncated }
    }
}

fn part_of(lane: &mut Lane, part: &Part<'_>, out: &mut Vec<u8>) -> Verdict {
    match part {
        Part::Bytes(bytes) => lane.stream.feed(bytes, out),
        Part::End => lane.stream.end(out),
    }
}

/// One lane's way to the renderer that all of them share.
pub(super) struct LaneRenderer {
    lane: u32,
    merged: Rc<RefCell<Merged>>,
}

impl LaneRenderer {
    pub(super) fn event(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        self.merged.borrow_mut().event(self.lane, event, out);
    }

    pub(super) fn fail(&mut self, failure: &Failure, out: &mut Vec<u8>) -> bool {
        self.merged.borrow_mut().renderer.fail(failure, out)
    }
}

/// What the lanes share.
struct Merged {
    renderer: StreamRenderer,
    has_begun: bool,
    /// Lanes that have not ended.
    open: usize,
    usages: Vec<Option<Usage>>,
}

impl Merged {
    fn event(&mut self, lane: u32, event: &Event<'_>, out: &mut Vec<u8>) {
        match event {
            Event::Start { .. } if self.has_begun => {}
            Event::Start { .. } => {
                self.has_begun = true;
                self.renderer.event(event, out);
            }
            Event::Usage(usage) => self.usages[lane as usize] = Some(*usage),
            Event::End => {
                self.open = self.open.saturating_sub(1);
                if self.open > 0 {
                    return;
                }
                if let Some(usage) = self.usages.iter().fold(None, |sum, usage| plus(sum, *usage)) {
                    self.renderer.event(&Event::Usage(usage), out);
                }
                self.renderer.event(event, out);
            }
            event => {
                if let Some(event) = in_lane(lane, event.clone()) {
                    self.renderer.event(&event, out);
                }
            }
        }
    }
}

/// The event as one of the lane's choice. One choice was asked for: of others, should there be any, nothing is known.
fn in_lane(lane: u32, mut event: Event<'_>) -> Option<Event<'_>> {
    let choice = match &mut event {
        Event::Text { choice, .. }
        | Event::Refusal { choice, .. }
        | Event::Thinking { choice, .. }
        | Event::ThinkingSignature { choice, .. }
        | Event::SealedThinking { choice, .. }
        | Event::ToolCall { choice, .. }
        | Event::ToolArguments { choice, .. }
        | Event::Extra { choice, .. }
        | Event::Finish { choice, .. } => choice,
        Event::Start { .. } | Event::Usage(_) | Event::Error(_) | Event::End => return Some(event),
    };
    if *choice != 0 {
        return None;
    }
    *choice = lane;
    Some(event)
}

/// The sum of what is known.
pub(in crate::dialects) fn plus(sum: Option<Usage>, usage: Option<Usage>) -> Option<Usage> {
    let (Some(one), Some(other)) = (sum, usage) else { return sum.or(usage) };
    let Usage {
        input_uncached,
        cache_read,
        cache_write_short,
        cache_write_long,
        output,
        reasoning,
        input_audio,
        output_audio,
    } = other;
    Some(Usage {
        input_uncached: one.input_uncached.saturating_add(input_uncached),
        cache_read: one.cache_read.saturating_add(cache_read),
        cache_write_short: one.cache_write_short.saturating_add(cache_write_short),
        cache_write_long: one.cache_write_long.saturating_add(cache_write_long),
        output: one.output.saturating_add(output),
        reasoning: one.reasoning.saturating_add(reasoning),
        input_audio: one.input_audio.saturating_add(input_audio),
        output_audio: one.output_audio.saturating_add(output_audio),
    })
}

#[cfg(test)]
mod tests;
