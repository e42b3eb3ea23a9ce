//! A message in one piece.
//!
//! The input of a call has to be an object here. What is none (a model may write anything) becomes the text `arguments` of one, so
//! that whoever runs the tool sees what was wrong with it.

use super::{Ending, write_error, write_identity, write_usage};
use crate::{
    dialects::{
        anthropic_messages::carried::{self, UNSIGNED},
        canonical::{Event, Facts, Signature, Usage},
    },
    json::{
        piece::Text,
        scan::{Members, Scanner},
        write::Writer,
    },
};
use std::borrow::Cow;

static NONE: Members = Members::last_wins(&[]);

/// An answer that is being put together. As large as the answer, which its reader bounds.
pub struct Whole {
    facts: Facts,
    blocks: Vec<Block>,
    ending: Ending,
    usage: Usage,
    /// The body of an error, which is the answer then.
    error: Option<Vec<u8>>,
}

/// A block; all that it says is escaped.
enum Block {
    Text(Vec<u8>),
    Thinking { text: Vec<u8>, signature: Option<Vec<u8>> },
    Sealed(Vec<u8>),
    Call { call: u32, id: Vec<u8>, name: Vec<u8>, input: Vec<u8> },
}

impl Whole {
    pub fn new(facts: Facts) -> Whole {
        Whole { facts, blocks: Vec::new(), ending: Ending::default(), usage: Usage::default(), error: None }
    }

    pub fn event(&mut self, event: &Event<'_>) {
        if event.choice().is_some_and(|choice| choice != 0) {
            return;
        }
        match event {
            Event::Start { .. } | Event::Extra { .. } | Event::End => {}
            Event::Text { text, .. } | Event::Refusal { text, .. } => match self.blocks.last_mut() {
                Some(Block::Text(said)) => text.append_escaped(said),
                _ if text.is_empty() => {}
                _ => self.blocks.push(Block::Text(escaped(text))),
            },
            Event::Thinking { text, .. } => match self.blocks.last_mut() {
                Some(Block::Thinking { text: said, signature: None }) => text.append_escaped(said),
                _ if text.is_empty() => {}
                _ => self.blocks.push(Block::Thinking { text: escaped(text), signature: None }),
            },
            Event::ThinkingSignature { signature, .. } => self.sign(tagged(signature, false)),
            Event::SealedThinking { signature, .. } => self.blocks.push(Block::Sealed(tagged(signature, false))),
            Event::ToolCall { call, id, name, signature, .. } => {
                self.ending.has_calls = true;
                if let Some(signature) = signature {
                    self.blocks.push(Block::Thinking { text: Vec::new(), signature: Some(tagged(signature, true)) });
                }
                let (id, name) = (escaped(id), escaped(name));
                self.blocks.push(Block::Call { call: *call, id, name, input: Vec::new() });
            }
            Event::ToolArguments { call, fragment, .. } => {
                let input = self.blocks.iter_mut().rev().find_map(|block| match block {
                    Block::Call { call: its, input, .. } if its == call => Some(input),
                    _ => None,
                });
                if let Some(input) = input {
                    fragment.append_escaped(input);
                }
            }
            Event::Finish { reason, .. } => self.ending.take(reason),
            Event::Usage(usage) => self.usage = *usage,
            Event::Error(error) => {
                let mut body = Vec::new();
                write_error(&mut Writer::new(&mut body), error);
                self.error = Some(body);
            }
        }
    }

    fn sign(&mut self, proof: Vec<u8>) {
        match self.blocks.last_mut() {
            Some(Block::Thinking { signature: unsigned @ None, .. }) => *unsigned = Some(proof),
            _ => self.blocks.push(Block::Thinking { text: Vec::new(), signature: Some(proof) }),
        }
    }

    /// Appends the answer.
    pub fn finish(self, out: &mut Vec<u8>) {
        if let Some(error) = self.error {
            return out.extend_from_slice(&error);
        }
        let mut json = Writer::new(out);
        json.open_object();
        write_identity(&mut json, &self.facts);
        json.name("content").open_array();
        for block in &self.blocks {
            write_block(&mut json, block);
        }
        json.close_array();
        self.ending.write(&mut json);
        json.name("usage");
        write_usage(&mut json, &self.usage, true);
        json.close_object();
    }
}

fn write_block(json: &mut Writer<'_>, block: &Block) {
    json.open_object().name("type");
    match block {
        Block::Text(said) => json.string("text").name("text").text(&said_as(said)),
        Block::Thinking { text: said, signature } => {
            let signature = signature.as_deref().unwrap_or(UNSIGNED.as_bytes());
            json.string("thinking").name("thinking").text(&said_as(said)).name("signature").text(&said_as(signature))
        }
        Block::Sealed(data) => json.string("redacted_thinking").name("data").text(&said_as(data)),
        Block::Call { call: _, id, name, input } => {
            json.string("tool_use").name("id").text(&said_as(id)).name("name").text(&said_as(name)).name("input");
            let said = said_as(input);
            let said = said.decoded();
            if said.trim().is_empty() {
                json.json(b"{}")
            } else if Scanner::new(&NONE).finish(said.as_bytes()).is_ok() {
                json.json(said.trim().as_bytes())
            } else {
                json.open_object().name("arguments").text(&said_as(input)).close_object()
            }
        }
    };
    json.close_object();
}

fn escaped(text: &Text<'_>) -> Vec<u8> {
    let mut escaped = Vec::new();
    text.append_escaped(&mut escaped);
    escaped
}

fn tagged(signature: &Signature<'_>, is_call: bool) -> Vec<u8> {
    let mut tagged = Vec::new();
    carried::append(signature, is_call, &mut tagged);
    tagged
}

fn said_as(escaped: &[u8]) -> Text<'_> {
    Text::Escaped(Cow::Borrowed(escaped))
}
