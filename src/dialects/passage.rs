//! A stream on its way to a client, whichever way it goes: as it came, or from one dialect into another.

use super::{
    anthropic_messages,
    canonical::Usage,
    gemini, openai_chat,
    openai_chat::pass_through::Verdict,
    openai_responses,
    translate::{SeveralStreams, TranslatedStream},
};
use crate::error::Failure;

pub enum Passage {
    OpenAi(openai_chat::pass_through::PassThrough),
    Responses(Box<openai_responses::pass_through::PassThrough>),
    Anthropic(anthropic_messages::pass_through::PassThrough),
    /// The same out of AWS's frames.
    AnthropicFrames(Box<anthropic_messages::elsewhere::frames::PassThrough>),
    Gemini(gemini::pass_through::PassThrough),
    Translated(Box<TranslatedStream>),
    /// The streams of several calls as one.
    Several(Box<SeveralStreams>),
}

impl Passage {
    /// Takes the next piece, cut anywhere, and appends what the client gets of it.
    pub fn feed(&mut self, piece: &[u8], out: &mut Vec<u8>) -> Verdict {
        match self {
            Passage::OpenAi(pass) => pass.feed(piece, out),
            Passage::Responses(pass) => pass.feed(piece, out),
            Passage::Anthropic(pass) => pass.feed(piece, out),
            Passage::AnthropicFrames(pass) => pass.feed(piece, out),
            Passage::Gemini(pass) => pass.feed(piece, out),
            Passage::Translated(stream) => stream.feed(piece, out),
            Passage::Several(streams) => streams.feed(piece, out),
        }
    }

    /// The upstream ended its stream cleanly.
    pub fn end(&mut self, out: &mut Vec<u8>) -> Verdict {
        match self {
            Passage::OpenAi(pass) => pass.end(out),
            Passage::Responses(pass) => pass.end(out),
            Passage::Anthropic(pass) => pass.end(out),
            Passage::AnthropicFrames(pass) => pass.end(out),
            Passage::Gemini(pass) => pass.end(out),
            Passage::Translated(stream) => stream.end(out),
            Passage::Several(streams) => streams.end(),
        }
    }

    /// Content, reasoning, a tool call, or an end has been seen: from here on the answer belongs to this upstream.
    pub fn has_begun(&self) -> bool {
        match self {
            Passage::OpenAi(pass) => pass.has_begun,
            Passage::Responses(pass) => pass.has_begun,
            Passage::Anthropic(pass) => pass.has_begun,
            Passage::AnthropicFrames(pass) => pass.has_begun(),
            Passage::Gemini(pass) => pass.has_begun,
            Passage::Translated(stream) => stream.has_begun(),
            Passage::Several(streams) => streams.has_begun(),
        }
    }

    /// How much the model has said, as it is written, in bytes.
    pub fn said_bytes(&self) -> u64 {
        match self {
            Passage::OpenAi(pass) => pass.said_bytes,
            Passage::Responses(pass) => pass.said_bytes,
            Passage::Anthropic(pass) => pass.said_bytes,
            Passage::AnthropicFrames(pass) => pass.said_bytes(),
            Passage::Gemini(pass) => pass.said_bytes,
            Passage::Translated(stream) => stream.said_bytes(),
            Passage::Several(streams) => streams.said_bytes(),
        }
    }

    /// Some of its usage is an estimate.
    pub fn is_estimated(&self) -> bool {
        matches!(self, Passage::Several(streams) if streams.is_estimated())
    }

    /// Appends a failure that ends the stream; false where the client's dialect has one event for it, whatever was said before.
    pub fn fail(&mut self, failure: &Failure, out: &mut Vec<u8>) -> bool {
        match self {
            Passage::Translated(stream) => stream.fail(failure, out),
            Passage::Responses(pass) => {
                pass.fail(failure, out);
                true
            }
            Passage::Several(streams) => streams.fail(failure, out),
            _ => false,
        }
    }

    /// Token counts, as far as they have been told.
    pub fn usage(&self) -> Option<Usage> {
        match self {
            Passage::OpenAi(pass) => pass.usage.as_ref().map(openai_chat::usage::Usage::disjoint),
            Passage::Responses(pass) => pass.usage,
            Passage::Anthropic(pass) => pass.usage,
            Passage::AnthropicFrames(pass) => pass.usage(),
            Passage::Gemini(pass) => pass.usage,
            Passage::Translated(stream) => stream.usage(),
            Passage::Several(streams) => streams.usage(),
        }
    }
}
