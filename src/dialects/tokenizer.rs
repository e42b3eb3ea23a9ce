//! Tokens by a tokenizer's own tables, for who asks for that in place of [`super::estimate`]'s bytes.
//!
//! What a text comes to is exact for the models that have the tokenizer. What a request comes to is its texts, without the escapes that they
//! are written with, and what OpenAI says its chat format adds: `MESSAGE_TOKENS` for each message and `ANSWER_TOKENS` for the answer that
//! follows. That is exact for plain messages; tools and schemas are counted as they are written, which is near what providers make of them.
//! What a model reads of a body is told by the names of members, whichever API it is of: who counts has only the body, and it need not
//! be one that any dialect's parser takes.
//!
//! The first use reads the tables: [`Tokenizer::load`] does that where it may take its time. Nothing gives their memory back.
//!
//! A text without words takes time and memory that grow faster than its length, so no more than `TOKENIZER_PIECE_BYTES_MAX` of it are looked at
//! in one go. The cuts are where a word begins, which changes nothing; a text without spaces may count a token more at each.

use super::estimate::{self, INLINE_DATA_TOKENS, is_data};
use crate::{
    json::{Kind, strings, view::Value},
    limits::TOKENIZER_PIECE_BYTES_MAX,
};

/// One whose tables are built in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tokenizer {
    /// GPT-4's and GPT-3.5's.
    Cl100kBase,
    /// That of GPT-4o and everything since.
    O200kBase,
}

/// Tokens that stand around each message, by OpenAI's description of its chat format.
const MESSAGE_TOKENS: u64 = 3;

/// Tokens that begin the answer.
const ANSWER_TOKENS: u64 = 3;

impl Tokenizer {
    pub const ALL: [Tokenizer; 2] = [Tokenizer::Cl100kBase, Tokenizer::O200kBase];

    pub fn name(self) -> &'static str {
        match self {
            Tokenizer::Cl100kBase => "cl100k_base",
            Tokenizer::O200kBase => "o200k_base",
        }
    }

    /// Reads its tables, unless that has been done: some 50 ms, and 10 or 20 MiB that stay.
    pub fn load(self) {
        self.of_text("");
    }

    /// Tokens of a text.
    pub fn of_text(self, text: &str) -> u64 {
        let Some(encoding) = tiktoken::get_encoding(self.name()) else { return estimate::of_text(text.len() as u64) };
        pieces(text).map(|piece| encoding.count(piece) as u64).sum()
    }

    /// Tokens of a request, from its body, which is valid JSON.
    pub fn of_request(self, body: &[u8]) -> u64 {
        let mut reading = Reading { tokenizer: self, tokens: 0, messages: 0, said: String::new() };
        reading.request(Value::root(body));
        reading.tokens + reading.messages * MESSAGE_TOKENS + if reading.messages > 0 { ANSWER_TOKENS } else { 0 }
    }
}

/// How the model reads a member of a request.
enum Part {
    /// A list of messages, or of texts, or one text.
    Messages,
    /// One message.
    Message,
    /// As it is written.
    Written,
    /// A request of its own.
    Request,
}

/// The members that a model reads. The rest is the gateway's and the provider's.
fn part(name: &[u8]) -> Option<Part> {
    Some(match name {
        b"messages" | b"contents" | b"input" | b"prompt" | b"inputs" | b"texts" | b"requests" => Part::Messages,
        b"system" | b"systemInstruction" | b"system_instruction" | b"instructions" | b"content" => Part::Message,
        b"tools" | b"functions" | b"response_format" | b"text" => Part::Written,
        b"generateContentRequest" | b"generate_content_request" => Part::Request,
        _ => return None,
    })
}

/// A request on its way to a number.
struct Reading {
    tokenizer: Tokenizer,
    tokens: u64,
    messages: u64,
    /// Room for a string without its escapes.
    said: String,
}

impl Reading {
    fn request(&mut self, request: Value<'_>) {
        for (name, value) in request.members() {
            match part(&name) {
                Some(Part::Messages) => self.messages(value),
                Some(Part::Message) if !value.is_null() => {
                    self.messages += 1;
                    self.content(value);
                }
                Some(Part::Written) if !value.is_null() => self.written(value),
                Some(Part::Request) => self.request(value),
                _ => {}
            }
        }
    }

    fn messages(&mut self, value: Value<'_>) {
        if value.kind() != Kind::Array {
            return self.content(value);
        }
        for element in value.elements() {
            self.messages += u64::from(element.kind() == Kind::Object);
            self.content(element);
        }
    }

    /// All the texts in a value. Its depth is that of a scanned text.
    fn content(&mut self, value: Value<'_>) {
        match value.kind() {
            Kind::String => self.string(value.bytes()),
            Kind::Array => value.elements().for_each(|element| self.content(element)),
            Kind::Object => {
                for (name, value) in value.members() {
                    match &*name {
                        // What a part is and whose answer it is, which the message's own tokens stand for.
                        b"type" | b"id" | b"call_id" | b"tool_call_id" | b"tool_use_id" | b"status" => {}
                        b"cache_control" | b"media_type" | b"mime_type" | b"mimeType" | b"detail" => {}
                        // Seals, which nobody reads.
                        b"signature" | b"thoughtSignature" | b"thought_signature" | b"encrypted_content" => {}
                        b"input" | b"args" | b"response" if value.kind() == Kind::Object => self.written(value),
                        _ => self.content(value),
                    }
                }
            }
            // A prompt may be tokens already.
            Kind::Number => self.tokens += 1,
            _ => {}
        }
    }

    fn string(&mut self, literal: &[u8]) {
        if is_data(literal) {
            self.tokens += INLINE_DATA_TOKENS;
            return;
        }
        let inner = literal.get(1..literal.len().saturating_sub(1)).unwrap_or_default();
        self.said.clear();
        strings::append_decoded(inner, &mut self.said);
        self.tokens += self.tokenizer.of_text(&self.said);
    }

    fn written(&mut self, value: Value<'_>) {
        self.tokens += self.tokenizer.of_text(&String::from_utf8_lossy(value.bytes()));
    }
}

/// A text in pieces that a tokenizer takes at once.
fn pieces(mut text: &str) -> impl Iterator<Item = &str> {
    std::iter::from_fn(move || {
        if text.is_empty() {
            return None;
        }
        let (piece, rest) = text.split_at(piece_end(text));
        text = rest;
        Some(piece)
    })
}

/// Where the first piece ends.
fn piece_end(text: &str) -> usize {
    if text.len() <= TOKENIZER_PIECE_BYTES_MAX {
        return text.len();
    }
    let room = (0..=TOKENIZER_PIECE_BYTES_MAX).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
    // Both tokenizers begin a new word at a space that follows anything but white space.
    let begins_word = |at: &usize| !text[..*at].ends_with(char::is_whitespace);
    memchr::memrchr_iter(b' ', &text.as_bytes()[..room]).filter(|at| *at > 0).find(begins_word).unwrap_or(room)
}

#[cfg(test)]
mod tests;
