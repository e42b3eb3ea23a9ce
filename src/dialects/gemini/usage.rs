//! Token counts as Gemini reports them, normalised and back.
//!
//! `promptTokenCount` includes what was read from a cache, `candidatesTokenCount` excludes thoughts, except at some models, which
//! count them in: there prompt and candidates alone add up to the total. Prompts of tools that Google runs itself are input.

use crate::dialects::canonical::Usage;
use crate::json::view::Value;
use crate::json::write::Writer;

/// Largest count that a sender with floating-point numbers can mean exactly. What is beyond it is no count.
const TOKENS_MAX: u64 = 1 << 53;

/// Reads a `usageMetadata`; `None` for another kind of value, or where it says nothing.
pub fn read(metadata: Value<'_>) -> Option<Usage> {
    let mut said = Said::default();
    for (name, value) in metadata.members() {
        let count = match &*name {
            b"promptTokenCount" => &mut said.prompt,
            b"candidatesTokenCount" => &mut said.candidates,
            b"totalTokenCount" => &mut said.total,
            b"thoughtsTokenCount" => &mut said.thoughts,
            b"cachedContentTokenCount" => &mut said.cached,
            b"toolUsePromptTokenCount" => &mut said.tool_prompt,
            b"promptTokensDetails" => {
                said.input_audio = audio(value);
                continue;
            }
            b"candidatesTokensDetails" => {
                said.output_audio = audio(value);
                continue;
            }
            _ => continue,
        };
        *count = value.u64().filter(|count| *count <= TOKENS_MAX);
    }
    said.usage()
}

/// The counts in Google's own words.
#[derive(Default)]
struct Said {
    prompt: Option<u64>,
    candidates: Option<u64>,
    total: Option<u64>,
    thoughts: Option<u64>,
    cached: Option<u64>,
    tool_prompt: Option<u64>,
    input_audio: u64,
    output_audio: u64,
}

impl Said {
    fn usage(&self) -> Option<Usage> {
        if self.prompt.is_none() && self.candidates.is_none() && self.total.is_none() {
            return None;
        }
        let input = self.prompt.unwrap_or(0) + self.tool_prompt.unwrap_or(0);
        let (candidates, thoughts) = (self.candidates.unwrap_or(0), self.thoughts.unwrap_or(0));
        let thoughts_are_counted_in = candidates >= thoughts
            && self
                .total
                .is_some_and(|total| [input, self.prompt.unwrap_or(0)].iter().any(|all| all + candidates == total));
        let output = if thoughts_are_counted_in { candidates } else { candidates + thoughts };
        let cache_read = self.cached.unwrap_or(0).min(input);
        Some(Usage {
            input_uncached: input - cache_read,
            cache_read,
            output,
            reasoning: thoughts,
            input_audio: self.input_audio.min(input),
            output_audio: self.output_audio.min(output),
            ..Usage::default()
        })
    }
}

/// Tokens of sound among counts by modality.
fn audio(details: Value<'_>) -> u64 {
    let sounds = details.elements().filter(|part| part.get("modality").is_some_and(|modality| modality.says("AUDIO")));
    sounds
        .filter_map(|part| part.get("tokenCount")?.u64())
        .filter(|count| *count <= TOKENS_MAX)
        .fold(0, u64::saturating_add)
}

/// Writes a `usageMetadata`, the value.
pub fn write(usage: &Usage, json: &mut Writer<'_>) {
    json.open_object().name("promptTokenCount").number(usage.input());
    json.name("candidatesTokenCount").number(usage.output.saturating_sub(usage.reasoning));
    json.name("totalTokenCount").number(usage.total());
    if usage.cache_read > 0 {
        json.name("cachedContentTokenCount").number(usage.cache_read);
    }
    if usage.reasoning > 0 {
        json.name("thoughtsTokenCount").number(usage.reasoning);
    }
    for (name, all, audio) in [
        ("promptTokensDetails", usage.input(), usage.input_audio),
        ("candidatesTokensDetails", usage.output.saturating_sub(usage.reasoning), usage.output_audio),
    ] {
        if audio == 0 {
            continue;
        }
        json.name(name).open_array();
        for (modality, tokens) in [("TEXT", all.saturating_sub(audio)), ("AUDIO", audio)] {
            json.open_object().name("modality").string(modality).name("tokenCount").number(tokens).close_object();
        }
        json.close_array();
    }
    json.close_object();
}

#[cfg(test)]
mod tests;
