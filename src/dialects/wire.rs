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

/// The form in which a client calls a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientWire {
    OpenAiChat,
    OpenAiResponses,
    AnthropicMessages,
    GeminiContent,
}

/// The form in which an upstream is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpstreamWire {
    OpenAiChat,
    AnthropicMessages,
    GeminiContent,
    BedrockConverse,
}

/// How a request reaches an upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Both sides speak the same: the client's bytes with a few edits.
    Same,
    Between {
        client: ClientWire,
        upstream: UpstreamWire,
    },
    /// The upstream has nothing of the kind.
    None,
}

/// The way from an endpoint to an upstream of `dialect`. `responses`: the upstream has OpenAI's Responses API too.
pub fn way(endpoint: ApiEndpoint, api: Api, dialect: Dialect, responses: bool) -> Way {
    let same = match api {
        Api::OpenAi => Dialect::OpenAi,
        Api::Anthropic => Dialect::Anthropic,
        Api::Gemini => Dialect::Gemini,
    };
    if same == dialect && (endpoint != ApiEndpoint::Responses || responses) {
        return Way::Same;
    }
    let client = match endpoint {
        ApiEndpoint::ChatCompletions => ClientWire::OpenAiChat,
        ApiEndpoint::Responses => ClientWire::OpenAiResponses,
        ApiEndpoint::Messages => ClientWire::AnthropicMessages,
        ApiEndpoint::GenerateContent | ApiEndpoint::StreamGenerateContent => ClientWire::GeminiContent,
        _ => return Way::None,
    };
    let upstream = match dialect {
        Dialect::OpenAi => UpstreamWire::OpenAiChat,
        Dialect::Anthropic => UpstreamWire::AnthropicMessages,
        Dialect::Gemini => UpstreamWire::GeminiContent,
        Dialect::BedrockConverse => UpstreamWire::BedrockConverse,
    };
    Way::Between { client, upstream }
}
