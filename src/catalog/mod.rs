//! The catalog: what is known of each provider's models, and what they cost.
//!
//! Facts stand in `models/PROVIDER.txt`, one line per model, sorted by id; `import.py` writes them. They are part of the program, and stay text
//! there: a lookup searches the provider's lines and reads the one that it finds (`lookup.rs`, `line.rs`). Nothing is parsed at start, and a table
//! of structures would be some hundred kilobytes that the loader has to write addresses into.
//!
//! A fact that is not stated is unknown, not false: [`Model::can`] and [`Model::cannot`] are two sets. Prices are transcribed by people
//! ([`Checks`] says how many lists agree); an operator overrides what is wrong (`[catalog]` in the configuration).
//!
//! Line: `ID KIND KEY=VALUE...`, keys as follows, prices in picodollars (see [`rates`]), what is not known left out.
//!
//! | key | value |
//! |---|---|
//! | `context` `input` `output` | tokens of the window, of input where it has a bound of its own, of output |
//! | `takes` `gives` | [`Modality`] names with `+` |
//! | `can` `cannot` | [`Capability`] names with `+` |
//! | `cache_min` | tokens of the shortest prompt that is cached |
//! | `price` | `INPUT/OUTPUT` for a token |
//! | `cached` `thought` | for a cached input token, a reasoning token |
//! | `write` | `FIVE_MINUTES/ONE_HOUR` for a token written into the cache |
//! | `audio` `images` | `INPUT/OUTPUT` for a token of sound, of images |
//! | `tier` | `ABOVE:INPUT/OUTPUT/CACHED`, with commas between several |
//! | `batch` | `INPUT/OUTPUT/CACHED` in a batch |
//! | `off_peak` | `INPUT/OUTPUT/CACHED@DAYS:FROM-TO,...`; days are digits, 1 is Monday, times are hours and minutes of UTC |
//! | `image` `second` `character` `request` | for one of these |
//! | `ends` | the day on which the provider retires it |
//! | `seen` | `AGREE/COMPARED`: how many of the other lists that were looked into have this price |

mod line;
mod lookup;
pub mod rates;
mod words;

pub use words::{Capability, Kind, Modality, Set, Word};

use jiff::civil::Date;
use rates::RateCard;
use serde::{Serialize, Serializer};

/// What is known of one model at one provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Model {
    pub kind: Kind,
    /// Tokens of input and output together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context_tokens: Option<u32>,
    /// Most tokens of input, where that is less than the context.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_tokens_max: Option<u32>,
    /// Most tokens of output, reasoning included: the ceiling that a request may ask for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_tokens_max: Option<u32>,
    pub takes: Set<Modality>,
    pub gives: Set<Modality>,
    pub can: Set<Capability>,
    pub cannot: Set<Capability>,
    /// Tokens of the shortest prompt that the provider caches.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_tokens_min: Option<u32>,
    /// `None` where no price is known, which is not the same as a price of 0.
    #[serde(rename = "price", skip_serializing_if = "Option::is_none")]
    pub rates: Option<RateCard>,
    /// The day on which the provider retires it, as far as announced.
    #[serde(serialize_with = "day", skip_serializing_if = "Option::is_none")]
    pub retires_on: Option<Date>,
    pub checks: Checks,
}

/// How far a price can be trusted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Checks {
    /// Lists that were compared, and how many of them have the same price.
    pub compared: u8,
    pub agree: u8,
}

/// A model with its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub provider: &'static str,
    pub id: &'static str,
    pub model: Model,
}

/// Finds a model of a provider by the name that goes upstream; `entry.id` is what was found for it.
///
/// An id that is listed is found as it is. Otherwise the spellings that name the same model are tried, in this order:
/// 1. without the region of a Bedrock inference profile or the ARN before it (`us.anthropic...`), or the path before a Gemini or Vertex
///    model (`models/...`, `publishers/google/models/...`). Some regions cost more; the price found is that of the global profile;
/// 2. then without a date or a moving mark at its end (`-2026-03-05`, `-20260305`, `@20260305`, `-latest`, `@latest`, `@default`): a snapshot costs and
///    can what its model does, as far as nothing else is listed;
/// 3. then, for an id without a date, its latest snapshot that is listed.
///
/// Claude on Vertex AI is described where Anthropic's models are, as far as Vertex AI's part does not list it.
///
/// Short marks (`-0309`, `-2508`) are parts of a name: they mean different things at each provider. Fine-tuned models have other prices
/// and are never found by the name of what they were made from.
pub fn find(provider: &str, id: &str) -> Option<Entry> {
    let part = |provider: &str| PARTS.iter().find(|part| part.provider == provider);
    let of_anthropic = || {
        let name = id.rsplit('/').next().filter(|name| provider == "vertex" && name.starts_with("claude-"))?;
        lookup::find(part("anthropic")?, name)
    };
    lookup::find(part(provider)?, id).or_else(of_anthropic)
}

/// All models, ordered by provider and id.
pub fn models() -> impl Iterator<Item = Entry> {
    PARTS.iter().flat_map(|part| part.lines.lines().filter_map(|text| line::entry(part.provider, text)))
}

/// The providers whose models are listed, sorted. Those that are in the registry have the same id there.
pub fn providers() -> impl Iterator<Item = &'static str> {
    PARTS.iter().map(|part| part.provider)
}

impl Model {
    /// A model of which nothing is known.
    pub fn unknown(kind: Kind) -> Model {
        Model {
            kind,
            context_tokens: None,
            input_tokens_max: None,
            output_tokens_max: None,
            takes: Set::EMPTY,
            gives: Set::EMPTY,
            can: Set::EMPTY,
            cannot: Set::EMPTY,
            cache_tokens_min: None,
            rates: None,
            retires_on: None,
            checks: Checks::default(),
        }
    }

    /// Whether a request may contain it; `None` if that is not known.
    pub fn has(&self, capability: Capability) -> Option<bool> {
        if self.can.contains(capability) {
            return Some(true);
        }
        self.cannot.contains(capability).then_some(false)
    }
}

fn day<S: Serializer>(date: &Option<Date>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&date.map_or_else(String::new, |date| date.to_string()))
}

/// The models of one provider.
struct Part {
    provider: &'static str,
    /// Sorted by id.
    lines: &'static str,
}

/// Sorted by provider.
static PARTS: &[Part] = &[
    Part { provider: "ai21", lines: include_str!("models/ai21.txt") },
    Part { provider: "anthropic", lines: include_str!("models/anthropic.txt") },
    Part { provider: "azure", lines: include_str!("models/azure.txt") },
    Part { provider: "bedrock", lines: include_str!("models/bedrock.txt") },
    Part { provider: "cerebras", lines: include_str!("models/cerebras.txt") },
    Part { provider: "cohere", lines: include_str!("models/cohere.txt") },
    Part { provider: "dashscope", lines: include_str!("models/dashscope.txt") },
    Part { provider: "databricks", lines: include_str!("models/databricks.txt") },
    Part { provider: "deepinfra", lines: include_str!("models/deepinfra.txt") },
    Part { provider: "deepseek", lines: include_str!("models/deepseek.txt") },
    Part { provider: "fireworks", lines: include_str!("models/fireworks.txt") },
    Part { provider: "gemini", lines: include_str!("models/gemini.txt") },
    Part { provider: "groq", lines: include_str!("models/groq.txt") },
    Part { provider: "meta", lines: include_str!("models/meta.txt") },
    Part { provider: "minimax", lines: include_str!("models/minimax.txt") },
    Part { provider: "mistral", lines: include_str!("models/mistral.txt") },
    Part { provider: "moonshot", lines: include_str!("models/moonshot.txt") },
    Part { provider: "nebius", lines: include_str!("models/nebius.txt") },
    Part { provider: "nova", lines: include_str!("models/nova.txt") },
    Part { provider: "novita", lines: include_str!("models/novita.txt") },
    Part { provider: "openai", lines: include_str!("models/openai.txt") },
    Part { provider: "perplexity", lines: include_str!("models/perplexity.txt") },
    Part { provider: "sambanova", lines: include_str!("models/sambanova.txt") },
    Part { provider: "together", lines: include_str!("models/together.txt") },
    Part { provider: "vertex", lines: include_str!("models/vertex.txt") },
    Part { provider: "voyage", lines: include_str!("models/voyage.txt") },
    Part { provider: "xai", lines: include_str!("models/xai.txt") },
    Part { provider: "zai", lines: include_str!("models/zai.txt") },
];

#[cfg(test)]
mod tests;
