//! The APIs that people speak. Pure: bytes in, facts and edits out; no socket, no clock, no provider's name.

pub mod endpoints;
pub mod multipart;
pub mod openai_chat;
