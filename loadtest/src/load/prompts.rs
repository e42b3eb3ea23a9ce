//! Bodies as applications send them, of any size: the same conversation in each dialect.
//!
//! `conversation` makes what is said, from a seed and nothing else; `prose` and `picture` are its material; each dialect's
//! file writes it down as that provider's SDK does. The size is met by measuring what was written and making the texts longer
//! or shorter by the difference, so that it is right in every dialect, whatever its framing costs.

mod anthropic;
mod conversation;
mod embeddings;
mod gemini;
mod openai;
mod picture;
mod prose;

use conversation::Conversation;

use super::options::{Dialect, RequestOptions};
use crate::limits::LOAD_BODY_BYTES_MAX;
use crate::sim::latency::Random;

/// The body of one variant: JSON of about `body_bytes`, or the least that its kind can be said in.
pub(super) fn body(request: &RequestOptions, seed: u64, variant: usize) -> String {
    let target = request.body_bytes.min(LOAD_BODY_BYTES_MAX);
    // Mixed, so that the variants of neighbouring seeds have nothing in common.
    let seed = Random::new(seed).bits().wrapping_add(variant as u64);
    let mut text_bytes = target;
    let mut written = String::new();
    for _ in 0..4 {
        written = write(request, &mut Random::new(seed), target, text_bytes);
        let wanted = (text_bytes + target).saturating_sub(written.len());
        if wanted == text_bytes || target.abs_diff(written.len()) * 200 <= target {
            break;
        }
        text_bytes = wanted;
    }
    written
}

fn write(request: &RequestOptions, random: &mut Random, body_bytes: usize, text_bytes: usize) -> String {
    if request.dialect == Dialect::OpenAiEmbeddings {
        return embeddings::write(request, random, text_bytes);
    }
    let conversation = Conversation::new(request.kind, random, body_bytes, text_bytes);
    match request.dialect {
        Dialect::OpenAiChat | Dialect::OpenAiEmbeddings => openai::write(request, &conversation),
        Dialect::Anthropic => anthropic::write(request, &conversation),
        Dialect::Gemini => gemini::write(&conversation),
    }
}

/// A text as JSON, with its quotes.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests;
