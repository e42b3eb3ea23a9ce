//! The APIs that people speak. Pure: bytes in, facts, edits and texts out; no socket, no clock, no provider's name.
//!
//! Where client and upstream speak the same one, the client's bytes pass with a few edits. Otherwise they meet in [`canonical`]. A
//! dialect is a folder; of these files it has those that it needs:
//!
//! | file | from | to | its door |
//! | --- | --- | --- | --- |
//! | `parse.rs` | a client's request | [`canonical::Request`] | `parse(text) -> Result<Request, Invalid>` |
//! | `compose.rs` | [`canonical::Request`] | an upstream's request | `compose(&Request, &Target, &mut Notes, &mut Vec<u8>) -> Result<Adapted, Unsupported>` |
//! | `read.rs` | an upstream's answer | [`canonical::Event`]s | `whole(text, &mut dyn FnMut(Event))`, `Reader::frame`, `Reader::end` |
//! | `render.rs` | [`canonical::Event`]s | a client's answer | `Whole`, `Stream`: `event(&Event, &mut Vec<u8>)` |
//! | `classify.rs` | an upstream's error | [`canonical::ProviderError`] | `classify(status, body) -> ProviderError` |
//! | `error.rs` | our [`crate::error::Failure`] | a client's error | `write_body`, `write_event` |
//!
//! [`restore`] stands between reading and rendering where composing had to rename or to wrap. [`schema`] brings a client's JSON schema
//! into the subset that an upstream takes. [`own_names`] says what became of a request in its client's words.
//!
//! Beside chat: [`embeddings`], [`images`], [`token_count`]. [`way_back`] is whichever of these an answer takes.

mod answer_tool;
pub mod anthropic_messages;
pub mod bedrock_converse;
pub mod canonical;
pub mod cohere_chat;
mod document;
pub mod embeddings;
pub mod endpoints;
pub mod estimate;
pub mod failure;
pub mod fan_out;
#[cfg(test)]
mod fixtures;
pub mod gemini;
pub mod images;
pub mod lanes;
pub mod models;
pub mod multipart;
pub mod ollama;
mod open_calls;
pub mod openai_chat;
pub mod openai_responses;
pub mod own_names;
pub mod passage;
pub mod restore;
pub mod schema;
pub mod text_tools;
pub mod token_count;
pub mod tokenizer;
pub mod tool_references;
pub mod translate;
pub mod way_back;
pub mod wire;
