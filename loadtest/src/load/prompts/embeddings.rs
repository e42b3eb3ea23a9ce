//! Embeddings: passages of a document, many in one request.

use super::prose::text;
use super::quoted;
use crate::load::options::RequestOptions;
use crate::sim::latency::Random;

/// As long as passages are usually cut.
const PASSAGE_BYTES: usize = 1_024;

/// Inputs of one request, as OpenAI bounds them.
const PASSAGES_MAX: usize = 2_048;

pub(super) fn write(request: &RequestOptions, random: &mut Random, text_bytes: usize) -> String {
    let count = (text_bytes / PASSAGE_BYTES).clamp(1, PASSAGES_MAX);
    let passages: Vec<_> = (0..count).map(|_| quoted(&text(random, text_bytes / count))).collect();
    format!(r#"{{"model":{},"input":[{}],"encoding_format":"float"}}"#, quoted(&request.model), passages.join(","))
}
