//! Token counts as OpenAI's dialect reports them.
//!
//! Figures are the provider's own words: whether `completion` includes `reasoning` differs between providers, and what a token
//! costs is not decided here. A count that is absent, negative, no whole number or beyond 2^53 (no exact number for most senders)
//! is `None`: unknown, not zero.

use crate::json::scan::Member;
use crate::json::{Kind, value, walk};

/// Counts from a `usage` object of `chat.completion`, `text_completion`, `list` and their chunks, in tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// `prompt_tokens`; includes cached ones.
    pub prompt: Option<u64>,
    /// `completion_tokens`
    pub completion: Option<u64>,
    /// `total_tokens`
    pub total: Option<u64>,
    /// `prompt_tokens_details.cached_tokens`, or DeepSeek's `prompt_cache_hit_tokens`
    pub cached: Option<u64>,
    /// `prompt_tokens_details.cache_write_tokens`
    pub cache_write: Option<u64>,
    /// `completion_tokens_details.reasoning_tokens`
    pub reasoning: Option<u64>,
}

/// Largest count that a sender with floating-point numbers can mean exactly.
const TOKENS_MAX: u64 = 1 << 53;

impl Usage {
    /// Reads the object at `usage` in a scanned text; `None` if it is another kind of value, such as the null of most chunks.
    pub fn read(text: &[u8], usage: Member) -> Option<Usage> {
        if usage.kind != Kind::Object {
            return None;
        }
        let mut read = Usage::default();
        walk::each_member(text, usage.value.start as usize, |member| match member.name {
            b"prompt_tokens" => count(text, member.at, &mut read.prompt),
            b"completion_tokens" => count(text, member.at, &mut read.completion),
            b"total_tokens" => count(text, member.at, &mut read.total),
            b"prompt_cache_hit_tokens" => {
                let mut hit = None;
                let end = count(text, member.at, &mut hit);
                read.cached = read.cached.or(hit);
                end
            }
            b"prompt_tokens_details" => Some(walk::each_member(text, member.at, |detail| match detail.name {
                b"cached_tokens" => {
                    let mut cached = None;
                    let end = count(text, detail.at, &mut cached);
                    read.cached = cached.or(read.cached);
                    end
                }
                b"cache_write_tokens" => count(text, detail.at, &mut read.cache_write),
                _ => None,
            })),
            b"completion_tokens_details" => Some(walk::each_member(text, member.at, |detail| match detail.name {
                b"reasoning_tokens" => count(text, detail.at, &mut read.reasoning),
                _ => None,
            })),
            _ => None,
        });
        Some(read)
    }
}

/// Reads the count at `at` and answers where it ends, if it is one.
fn count(text: &[u8], at: usize, tokens: &mut Option<u64>) -> Option<usize> {
    let (number, end) = value::u64_at(text, at).unzip();
    *tokens = number.filter(|tokens| *tokens <= TOKENS_MAX);
    end
}

#[cfg(test)]
mod tests;
