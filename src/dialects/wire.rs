//! Which way a request goes: as it came, or from one dialect to another.

use super::{
    embeddings,
    endpoints::{Api, ApiEndpoint},
    images, token_count,
};

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
    /// OpenAI's HTTP API with Responses in the place of chat completions.
    OpenAiResponses,
    /// Cohere's chat, the second version of its API.
    Cohere,
    /// Ollama's own chat. The server's other endpoints are asked for in OpenAI's form.
    Ollama,
    /// Anthropic's Messages as Google's cloud has them (`rawPredict`).
    AnthropicRawPredict,
    /// Anthropic's Messages as AWS has them (`InvokeModel`).
    AnthropicInvoke,
}

/// Every dialect, and what it is called in the configuration.
pub const DIALECTS: &[(Dialect, &str)] = &[
    (Dialect::OpenAi, "openai"),
    (Dialect::OpenAiResponses, "openai-responses"),
    (Dialect::Anthropic, "anthropic"),
    (Dialect::Gemini, "gemini"),
    (Dialect::BedrockConverse, "bedrock-converse"),
    (Dialect::Cohere, "cohere"),
    (Dialect::Ollama, "ollama"),
    (Dialect::AnthropicRawPredict, "anthropic-raw-predict"),
    (Dialect::AnthropicInvoke, "anthropic-invoke"),
];

impl Dialect {
    pub fn of_name(name: &str) -> Option<Dialect> {
        DIALECTS.iter().find(|(_, known)| *known == name).map(|(dialect, _)| *dialect)
    }

    /// As configurations and explanations have it.
    pub fn name(self) -> &'static str {
        DIALECTS.iter().find(|(dialect, _)| *dialect == self).map_or("", |(_, name)| name)
    }

    /// The version segment that belongs into a base URL, where SDKs of the dialect leave it out of theirs.
    pub fn version_path(self) -> Option<&'static str> {
        match self {
            // Where a cloud has an API, its own address says so.
            Dialect::BedrockConverse | Dialect::AnthropicRawPredict | Dialect::AnthropicInvoke => None,
            Dialect::OpenAi | Dialect::OpenAiResponses | Dialect::Ollama => None,
            Dialect::Anthropic => Some("/v1"),
            Dialect::Gemini => Some("/v1beta"),
            Dialect::Cohere => Some("/v2"),
        }
    }

    /// The version segment that does not belong into a base URL, because the dialect's own paths are beside it.
    pub fn version_path_beside(self) -> Option<&'static str> {
        match self {
            Dialect::Ollama => Some("/v1"),
            _ => None,
        }
    }

    /// How Anthropic's Messages are asked for; `None` for other dialects.
    pub fn anthropic_wire(self) -> Option<UpstreamWire> {
        match self {
            Dialect::Anthropic => Some(UpstreamWire::AnthropicMessages),
            Dialect::AnthropicRawPredict => Some(UpstreamWire::AnthropicRawPredict),
            Dialect::AnthropicInvoke => Some(UpstreamWire::AnthropicInvoke),
            _ => None,
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
    OpenAiResponses,
    CohereChat,
    OllamaChat,
    /// As `AnthropicMessages`, but for what [`super::anthropic_messages::elsewhere`] says.
    AnthropicRawPredict,
    AnthropicInvoke,
}

impl UpstreamWire {
    /// Its streams are AWS's binary messages, and not server-sent events.
    pub fn streams_frames(self) -> bool {
        matches!(self, UpstreamWire::BedrockConverse | UpstreamWire::AnthropicInvoke)
    }
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
    /// Vectors of texts, from one form into another.
    Embeddings {
        client: embeddings::ClientForm,
        upstream: embeddings::UpstreamForm,
    },
    /// Pictures of a text, for clients of OpenAI's form.
    Images(images::UpstreamForm),
    /// The upstream counts the tokens of a request, in another form than the client's.
    Count {
        client: ClientWire,
        upstream: token_count::UpstreamForm,
    },
    /// The upstream does not count: the tokens are estimated, and it is not asked.
    Estimate(ClientWire),
    /// The upstream has nothing of the kind.
    None,
}

/// The way from an endpoint to an upstream of `dialect`. `responses`: the upstream has OpenAI's Responses API too.
pub fn way(endpoint: ApiEndpoint, api: Api, dialect: Dialect, responses: bool) -> Way {
    let is_same = match (api, dialect) {
        (Api::OpenAi, Dialect::OpenAi) => responses || !endpoint.is_of_responses(),
        (Api::OpenAi, Dialect::OpenAiResponses) => endpoint != ApiEndpoint::ChatCompletions,
        (Api::OpenAi, Dialect::Ollama) => endpoint != ApiEndpoint::ChatCompletions && !endpoint.is_of_responses(),
        // The form that others have of Cohere.
        (Api::OpenAi, Dialect::Cohere) => endpoint == ApiEndpoint::Rerank,
        // AWS counts tokens in another way.
        (Api::Anthropic, Dialect::AnthropicInvoke) => endpoint != ApiEndpoint::MessagesCountTokens,
        (Api::Anthropic, dialect) => dialect.anthropic_wire().is_some(),
        (Api::Gemini, dialect) => dialect == Dialect::Gemini,
        _ => false,
    };
    if is_same {
        return Way::Same;
    }
    let client = match endpoint {
        ApiEndpoint::ChatCompletions => ClientWire::OpenAiChat,
        ApiEndpoint::Responses => ClientWire::OpenAiResponses,
        ApiEndpoint::Messages => ClientWire::AnthropicMessages,
        ApiEndpoint::GenerateContent | ApiEndpoint::StreamGenerateContent => ClientWire::GeminiContent,
        _ => return beside_chat(endpoint, dialect),
    };
    let upstream = match dialect {
        Dialect::OpenAi => UpstreamWire::OpenAiChat,
        Dialect::Anthropic => UpstreamWire::AnthropicMessages,
        Dialect::Gemini => UpstreamWire::GeminiContent,
        Dialect::BedrockConverse => UpstreamWire::BedrockConverse,
        Dialect::OpenAiResponses => UpstreamWire::OpenAiResponses,
        Dialect::Cohere => UpstreamWire::CohereChat,
        Dialect::Ollama => UpstreamWire::OllamaChat,
        Dialect::AnthropicRawPredict => UpstreamWire::AnthropicRawPredict,
        Dialect::AnthropicInvoke => UpstreamWire::AnthropicInvoke,
    };
    Way::Between { client, upstream }
}

/// The way from an endpoint that is no chat to an upstream of another dialect.
fn beside_chat(endpoint: ApiEndpoint, dialect: Dialect) -> Way {
    use embeddings::UpstreamForm as Vectors;
    use token_count::UpstreamForm as Counts;
    let (vectors, counts) = match dialect {
        Dialect::OpenAi | Dialect::OpenAiResponses => (Some(Vectors::OpenAi), None),
        Dialect::Anthropic => (None, Some(Counts::Anthropic)),
        Dialect::Gemini => (Some(Vectors::Gemini), Some(Counts::Gemini)),
        Dialect::BedrockConverse => (Some(Vectors::Bedrock), None),
        Dialect::Cohere => (Some(Vectors::Cohere), None),
        Dialect::Ollama => (Some(Vectors::Ollama), None),
        Dialect::AnthropicRawPredict | Dialect::AnthropicInvoke => (None, None),
    };
    let embeddings = |client| vectors.map_or(Way::None, |upstream| Way::Embeddings { client, upstream });
    let count = |client| counts.map_or(Way::Estimate(client), |upstream| Way::Count { client, upstream });
    match endpoint {
        ApiEndpoint::Embeddings => embeddings(embeddings::ClientForm::OpenAi),
        ApiEndpoint::EmbedContent => embeddings(embeddings::ClientForm::GeminiOne),
        ApiEndpoint::BatchEmbedContents => embeddings(embeddings::ClientForm::GeminiBatch),
        ApiEndpoint::ImagesGenerations if dialect == Dialect::Gemini => Way::Images(images::UpstreamForm::Gemini),
        ApiEndpoint::MessagesCountTokens => count(ClientWire::AnthropicMessages),
        ApiEndpoint::CountTokens => count(ClientWire::GeminiContent),
        _ => Way::None,
    }
}
