//! Which way a request goes: as it came, or from one dialect to another.

use super::endpoints::{Api, ApiEndpoint};

/// What an upstream speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// OpenAI's HTTP API: chat completions and its siblings.
    OpenAi,
    /// Anthropic's Messages.
    Anthropic,
    /// Google's generateContent and its siblings.
    Gemini,
    /// AWS's Converse.
    BedrockConverse,
}

impl Dialect {
    /// The version segment that belongs into a base URL, where SDKs of the dialect leave it out of theirs.
    pub fn version_path(self) -> Option<&'static str> {
        match self {
            Dialect::OpenAi | Dialect::BedrockConverse => None,
            Dialect::Anthropic => Some("/v1"),
            Dialect::Gemini => Some("/v1beta"),
        }
    }
}

/// The form that a call of a model has in a dialect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    OpenAiChat,
    AnthropicMessages,
    GeminiContent,
}

/// How a request reaches an upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Both sides speak the same: the client's bytes with a few edits.
    Same,
    Between {
        client: Wire,
        upstream: Wire,
    },
    /// The upstream has nothing of the kind.
    None,
}

/// The way from an endpoint to an upstream of `dialect`.
pub fn way(endpoint: ApiEndpoint, api: Api, dialect: Dialect) -> Way {
    let same = match api {
        Api::OpenAi => Dialect::OpenAi,
        Api::Anthropic => Dialect::Anthropic,
        Api::Gemini => Dialect::Gemini,
    };
    if same == dialect {
        return Way::Same;
    }
    let client = match endpoint {
        ApiEndpoint::ChatCompletions => Wire::OpenAiChat,
        ApiEndpoint::Messages => Wire::AnthropicMessages,
        ApiEndpoint::GenerateContent | ApiEndpoint::StreamGenerateContent => Wire::GeminiContent,
        _ => return Way::None,
    };
    let upstream = match dialect {
        Dialect::OpenAi => Wire::OpenAiChat,
        Dialect::Anthropic => Wire::AnthropicMessages,
        Dialect::Gemini => Wire::GeminiContent,
        Dialect::BedrockConverse => return Way::None,
    };
    Way::Between { client, upstream }
}
