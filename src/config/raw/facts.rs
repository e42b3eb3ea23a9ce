//! `[catalog."provider/model"]`: what the operator says about a model that the built-in catalog does not know, or knows wrongly.
//!
//! What these facts mean is told in `crate::catalog`; how they are put over the built-in ones, in `checked::facts`.

use crate::catalog::{Capability, Kind, Modality};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is known of a model. What is not given is as in the built-in catalog, or unknown.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CatalogModel {
    /// Begin with what the built-in catalog says about another model: "provider/model" as `ringway models` lists it. For a deployment
    /// whose name is your own, as on Azure.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 300))]
    pub like: Option<String>,
    /// What it is asked through; "chat" if nothing is known of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    /// Tokens of input and output together.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub context_tokens: Option<u32>,
    /// Most tokens of input, where that is less than the context.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub input_tokens_max: Option<u32>,
    /// Most tokens of output, reasoning included.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub output_tokens_max: Option<u32>,
    /// What goes in; replaces the list of the catalog.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 16))]
    pub takes: Option<Vec<Modality>>,
    /// What comes out; replaces the list of the catalog.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 16))]
    pub gives: Option<Vec<Modality>>,
    /// What requests may contain, besides what the catalog says.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub can: Vec<Capability>,
    /// What requests may not contain, whatever the catalog says.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub cannot: Vec<Capability>,
    /// Tokens of the shortest prompt that the provider caches.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1_000_000_000))]
    pub cache_tokens_min: Option<u32>,
    /// The day on which the provider retires it, for example 2027-01-31.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date"))]
    pub retires_on: Option<String>,
    /// What it costs; replaces the catalog's prices as a whole, tiers and all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price: Option<Price>,
}

/// Prices in picodollars: $1 per million tokens is 1_000_000 for a token. What has no price of its own is charged as what it is a part
/// of: a cached token as input, a reasoning token as output.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Price {
    /// For a token of input.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1_000_000_000_000_u64))]
    pub input_picousd: Option<u64>,
    /// For a token of output.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1_000_000_000_000_u64))]
    pub output_picousd: Option<u64>,
    /// For a token of input that was found in the provider's cache.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1_000_000_000_000_u64))]
    pub cached_input_picousd: Option<u64>,
    /// For a token that was written into the cache for five minutes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1_000_000_000_000_u64))]
    pub cache_write_5m_picousd: Option<u64>,
    /// For a token that was written into the cache for an hour; as for five minutes when not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1_000_000_000_000_u64))]
    pub cache_write_1h_picousd: Option<u64>,
    /// For a token of reasoning.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1_000_000_000_000_u64))]
    pub reasoning_picousd: Option<u64>,
    /// For a token of sound that goes in.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1_000_000_000_000_u64))]
    pub audio_input_picousd: Option<u64>,
    /// For a token of sound that comes out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1_000_000_000_000_u64))]
    pub audio_output_picousd: Option<u64>,
    /// For a token of an image that goes in.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1_000_000_000_000_u64))]
    pub image_input_picousd: Option<u64>,
    /// For a token of an image that comes out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1_000_000_000_000_u64))]
    pub image_output_picousd: Option<u64>,
    /// For an image that was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1_000_000_000_000_000_u64))]
    pub image_picousd: Option<u64>,
    /// For a second of sound or pictures.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1_000_000_000_000_000_u64))]
    pub second_picousd: Option<u64>,
    /// For a character of text that was spoken.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1_000_000_000_000_u64))]
    pub character_picousd: Option<u64>,
    /// For a request.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1_000_000_000_000_000_u64))]
    pub request_picousd: Option<u64>,
    /// Other prices in a batch. Those that are not given change in the ratio of input or output.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch: Option<OtherPrice>,
    /// Other prices at certain times.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub off_peak: Option<OffPeakPrice>,
    /// Other prices for requests with many tokens of input, rising.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub tiers: Vec<TierPrice>,
}

/// Prices under another condition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OtherPrice {
    /// For a token of input.
    #[schemars(range(min = 0, max = 1_000_000_000_000_u64))]
    pub input_picousd: u64,
    /// For a token of output.
    #[schemars(range(min = 0, max = 1_000_000_000_000_u64))]
    pub output_picousd: u64,
    /// For a token of input that was found in the provider's cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1_000_000_000_000_u64))]
    pub cached_input_picousd: Option<u64>,
}

/// Prices of requests with more tokens of input than a bound.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TierPrice {
    /// They hold for a whole request that has more tokens of input than this, cached ones included.
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub above_tokens: u32,
    /// For a token of input.
    #[schemars(range(min = 0, max = 1_000_000_000_000_u64))]
    pub input_picousd: u64,
    /// For a token of output.
    #[schemars(range(min = 0, max = 1_000_000_000_000_u64))]
    pub output_picousd: u64,
    /// For a token of input that was found in the provider's cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1_000_000_000_000_u64))]
    pub cached_input_picousd: Option<u64>,
}

/// Prices at certain times.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OffPeakPrice {
    /// When they hold, in UTC: "67:0000-2400" is the weekend, "12345:1000-2400" is Monday to Friday from ten in the morning.
    #[schemars(length(min = 1, max = 16))]
    pub windows: Vec<String>,
    /// For a token of input.
    #[schemars(range(min = 0, max = 1_000_000_000_000_u64))]
    pub input_picousd: u64,
    /// For a token of output.
    #[schemars(range(min = 0, max = 1_000_000_000_000_u64))]
    pub output_picousd: u64,
    /// For a token of input that was found in the provider's cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1_000_000_000_000_u64))]
    pub cached_input_picousd: Option<u64>,
}
