//! Token counts as OpenAI's dialect reports them.
//!
//! Figures are the provider's own words: whether `completion` includes `reasoning` differs between providers, and what a token
//! costs is not decided here. A count that is absent, negative, no whole number or beyond 2^53 (no exact number for most senders)
//! is `None`: unknown, not zero.

use crate::dialects::canonical;
use crate::json::scan::Member;
use crate::json::{Kind, value, walk};

/// Counts from a `usage` object of `chat.completion`, `text_completion`, `list` and their chunks, in tokens; also of responses,
/// pictures and transcripts, which have `input_` and `output_` where those have `prompt_` and `completion_`.
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
        (usage.kind == Kind::Object).then(|| Usage::read_object(text, usage.value.start as usize))
    }

    /// Reads the object that starts at `at` in a well-formed text.
    pub(super) fn read_object(text: &[u8], at: usize) -> Usage {
        let mut read = Usage::default();
        let at = read.usual_members(text, at + 1);
        if text.get(at) != Some(&b'}') {
            read.other_members(text, at);
        }
        read
    }

    /// The counts without overlaps, as they are priced.
    ///
    /// Cached input is part of the prompt, and reasoning of the completion, but at xAI and at Google's endpoint of this dialect, which
    /// leave thoughts out of the completion; the total tells.
    pub fn disjoint(&self) -> canonical::Usage {
        let prompt = self.prompt.unwrap_or(0);
        let completion = self.completion.unwrap_or(0);
        let cache_read = self.cached.unwrap_or(0).min(prompt);
        let cache_write_short = self.cache_write.unwrap_or(0).min(prompt - cache_read);
        let beyond = self.total.unwrap_or(0).saturating_sub(prompt + completion);
        let told = self.reasoning.unwrap_or(0);
        let (output, reasoning) = match told {
            0 => (completion + beyond, beyond),
            _ if beyond == told || told > completion => (completion + told, told),
            _ => (completion, told),
        };
        canonical::Usage {
            input_uncached: prompt - cache_read - cache_write_short,
            cache_read,
            cache_write_short,
            output,
            reasoning,
            ..canonical::Usage::default()
        }
    }

    /// Reads what nearly every sender begins with, in OpenAI's order and without white space, from `at`, the inside of the object.
    /// Answers where the first member begins that is not as expected.
    #[inline(always)]
    fn usual_members(&mut self, text: &[u8], at: usize) -> usize {
        let next = |at, value: Option<usize>, tokens: &mut Option<u64>| {
            value.and_then(|value| count(text, value, tokens)).unwrap_or(at)
        };
        let at = next(at, walk::after(text, at, br#""prompt_tokens":"#), &mut self.prompt);
        let at = next(at, walk::after(text, at, br#","completion_tokens":"#), &mut self.completion);
        let at = next(at, walk::after(text, at, br#","total_tokens":"#), &mut self.total);
        match walk::after(text, at, br#","prompt_tokens_details":"#) {
            Some(details) => self.read_prompt_details(text, details),
            None => at,
        }
    }

    /// Reads the members from `at` on, in any order and with any white space.
    #[inline(never)]
    fn other_members(&mut self, text: &[u8], at: usize) {
        // Not a `match`, which compares byte by byte.
        walk::rest_of_members(text, at, |walk::Entry { name, at, .. }| {
            if name == b"completion_tokens_details" || name == b"output_tokens_details" {
                return Some(self.read_completion_details(text, at));
            }
            if name == b"prompt_tokens_details" || name == b"input_tokens_details" {
                return Some(self.read_prompt_details(text, at));
            }
            if name == b"prompt_tokens" || name == b"input_tokens" {
                return count(text, at, &mut self.prompt);
            }
            if name == b"completion_tokens" || name == b"output_tokens" {
                return count(text, at, &mut self.completion);
            }
            if name == b"total_tokens" {
                return count(text, at, &mut self.total);
            }
            if name == b"prompt_cache_hit_tokens" {
                let mut hit = None;
                let end = count(text, at, &mut hit);
                self.cached = self.cached.or(hit);
                return end;
            }
            None
        });
    }

    /// Reads the value of `prompt_tokens_details` and answers where it ends.
    fn read_prompt_details(&mut self, text: &[u8], details: usize) -> usize {
        if text.get(details) != Some(&b'{') {
            return walk::value_end(text, details);
        }
        let mut at = details + 1;
        if let Some(value) = walk::after(text, at, br#""cached_tokens":"#)
            && let Some(end) = self.read_cached(text, value)
        {
            at = end;
            if let Some(value) = walk::after(text, at, br#","audio_tokens":"#) {
                at = walk::value_end(text, value);
            }
            if text.get(at) == Some(&b'}') {
                return at + 1;
            }
        }
        walk::rest_of_members(text, at, |walk::Entry { name, at, .. }| {
            if name == b"cached_tokens" {
                return self.read_cached(text, at);
            }
            if name == b"cache_write_tokens" { count(text, at, &mut self.cache_write) } else { None }
        })
    }

    #[inline(always)]
    fn read_cached(&mut self, text: &[u8], at: usize) -> Option<usize> {
        let mut cached = None;
        let end = count(text, at, &mut cached);
        self.cached = cached.or(self.cached);
        end
    }

    /// Reads the value of `completion_tokens_details` and answers where it ends.
    #[inline(always)]
    fn read_completion_details(&mut self, text: &[u8], details: usize) -> usize {
        walk::each_member(text, details, |walk::Entry { name, at, .. }| {
            if name == b"reasoning_tokens" { count(text, at, &mut self.reasoning) } else { None }
        })
    }
}

/// Reads the count at `at` and answers where it ends, if it is one.
#[inline(always)]
fn count(text: &[u8], at: usize, tokens: &mut Option<u64>) -> Option<usize> {
    let (number, end) = value::u64_at(text, at).unzip();
    *tokens = number.filter(|tokens| *tokens <= TOKENS_MAX);
    end
}

#[cfg(test)]
mod tests;
