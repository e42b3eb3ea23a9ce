//! Token counts as the Messages API reports them.
//!
//! `input_tokens` excludes what was read from or written to a cache; `output_tokens` includes thinking. The counts of a stream are
//! cumulative: each that comes replaces the one before, and what a later event leaves out stays. Where the server looped,
//! `iterations` says what each turn took, and the sum is what is billed.
//!
//! A count that is absent or no whole number is taken as unknown, and unknown counts as nothing.

use crate::dialects::canonical::Usage;
use crate::json::{Kind, value, walk};

/// Counts as they have come so far, in tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    input: Option<u64>,
    cache_read: Option<u64>,
    cache_write: Option<u64>,
    cache_write_short: Option<u64>,
    cache_write_long: Option<u64>,
    output: Option<u64>,
    thinking: Option<u64>,
    /// The sum of `iterations`.
    looped: Option<Usage>,
}

impl Counts {
    /// Takes over what the `usage` object at `at` in a scanned text says, and answers where it ends.
    pub fn read(&mut self, text: &[u8], at: usize) -> usize {
        if walk::kind_at(text, at) != Kind::Object {
            return walk::value_end(text, at);
        }
        let behind = self.read_usual(text, at).unwrap_or(at + 1);
        walk::rest_of_members(text, behind, |entry| self.read_member(text, entry))
    }

    /// Reads the first members, if they are those that the API writes first, and answers where the rest is.
    #[inline]
    fn read_usual(&mut self, text: &[u8], at: usize) -> Option<usize> {
        let mut at = count(text, walk::after(text, at, br#"{"input_tokens":"#)?, &mut self.input)?;
        if let Some(number) = walk::after(text, at, br#","cache_creation_input_tokens":"#) {
            at = count(text, number, &mut self.cache_write).unwrap_or(at);
        }
        if let Some(number) = walk::after(text, at, br#","cache_read_input_tokens":"#) {
            at = count(text, number, &mut self.cache_read).unwrap_or(at);
        }
        if let Some(number) = walk::after(text, at, br#","output_tokens":"#) {
            at = count(text, number, &mut self.output).unwrap_or(at);
        }
        Some(at)
    }

    fn read_member(&mut self, text: &[u8], entry: walk::Entry<'_>) -> Option<usize> {
        let walk::Entry { name, at, .. } = entry;
        match name {
            b"input_tokens" => count(text, at, &mut self.input),
            b"output_tokens" => count(text, at, &mut self.output),
            b"cache_read_input_tokens" => count(text, at, &mut self.cache_read),
            b"cache_creation_input_tokens" => count(text, at, &mut self.cache_write),
            b"cache_creation" => Some(walk::each_member(text, at, |part| match part.name {
                b"ephemeral_5m_input_tokens" => count(text, part.at, &mut self.cache_write_short),
                b"ephemeral_1h_input_tokens" => count(text, part.at, &mut self.cache_write_long),
                _ => None,
            })),
            b"output_tokens_details" => Some(walk::each_member(text, at, |part| match part.name {
                b"thinking_tokens" => count(text, part.at, &mut self.thinking),
                _ => None,
            })),
            b"iterations" => self.read_iterations(text, at),
            _ => None,
        }
    }

    fn read_iterations(&mut self, text: &[u8], at: usize) -> Option<usize> {
        if walk::kind_at(text, at) != Kind::Array {
            return None;
        }
        let mut sum: Option<Usage> = None;
        let end = walk::each_element(text, at, |iteration| {
            let mut counts = Counts::default();
            // No deeper than the scan permits, should there be iterations within.
            let end = counts.read(text, iteration);
            sum = Some(plus(sum.unwrap_or_default(), counts.usage()));
            Some(end)
        });
        self.looped = sum.or(self.looped);
        Some(end)
    }

    /// Has anything been counted?
    pub fn is_known(&self) -> bool {
        self.input.is_some() || self.output.is_some() || self.looped.is_some()
    }

    /// The counts as all dialects have them.
    pub fn usage(&self) -> Usage {
        if let Some(looped) = self.looped {
            return Usage { reasoning: self.thinking.unwrap_or_default().min(looped.output), ..looped };
        }
        let long = self.cache_write_long.unwrap_or_default();
        let written = self.cache_write.unwrap_or(long + self.cache_write_short.unwrap_or_default());
        let output = self.output.unwrap_or_default();
        Usage {
            input_uncached: self.input.unwrap_or_default(),
            cache_read: self.cache_read.unwrap_or_default(),
            cache_write_short: written.saturating_sub(long),
            cache_write_long: long.min(written),
            output,
            reasoning: self.thinking.unwrap_or_default().min(output),
            input_audio: 0,
            output_audio: 0,
        }
    }
}

fn plus(one: Usage, other: Usage) -> Usage {
    Usage {
        input_uncached: one.input_uncached.saturating_add(other.input_uncached),
        cache_read: one.cache_read.saturating_add(other.cache_read),
        cache_write_short: one.cache_write_short.saturating_add(other.cache_write_short),
        cache_write_long: one.cache_write_long.saturating_add(other.cache_write_long),
        output: one.output.saturating_add(other.output),
        reasoning: one.reasoning.saturating_add(other.reasoning),
        input_audio: 0,
        output_audio: 0,
    }
}

/// Largest count that a sender with floating-point numbers can mean exactly.
const TOKENS_MAX: u64 = 1 << 53;

/// Reads the count at `at`, if it is one, and answers where it ends. What is none says nothing.
fn count(text: &[u8], at: usize, tokens: &mut Option<u64>) -> Option<usize> {
    let (number, end) = value::u64_at(text, at)?;
    *tokens = Some(number).filter(|tokens| *tokens <= TOKENS_MAX).or(*tokens);
    Some(end)
}

#[cfg(test)]
mod tests;
