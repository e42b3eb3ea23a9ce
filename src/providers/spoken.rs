//! In which APIs the models of a kind can be asked: its usual one, which its entry in the registry names, and those that an operator may choose
//! in its place (`dialect` in the configuration).
//!
//! Most kinds have one, so the others stand in a table of their own. A row is there where the provider's documents say that it has the API;
//! servers of one's own change from version to version, and whoever runs one knows.

use super::{Auth, Provider};
use crate::dialects::wire::Dialect;

/// An API that a kind has.
#[derive(Debug, Clone, Copy)]
pub struct Spoken {
    pub dialect: Dialect,
    /// Base URL including the version segment; empty where the operator has to give it.
    pub base_url: &'static str,
    pub auth: Auth,
}

impl Spoken {
    /// What a kind is asked in where the operator does not choose.
    pub fn usual(provider: &Provider) -> Spoken {
        Spoken { dialect: provider.dialect, base_url: provider.base_url, auth: provider.auth }
    }

    /// All that a kind speaks, the usual one first.
    pub fn all(provider: &Provider) -> impl Iterator<Item = Spoken> {
        let others = OTHERS.iter().filter(|other| other.kind == provider.id).map(|other| Spoken {
            dialect: other.dialect,
            base_url: other.base_url.unwrap_or(provider.base_url),
            auth: other.auth.unwrap_or(provider.auth),
        });
        std::iter::once(Spoken::usual(provider)).chain(others)
    }

    pub fn find(provider: &Provider, dialect: Dialect) -> Option<Spoken> {
        Spoken::all(provider).find(|spoken| spoken.dialect == dialect)
    }
}

/// A dialect that a kind speaks besides its usual one.
struct Other {
    kind: &'static str,
    dialect: Dialect,
    /// `None`: where its usual API is.
    base_url: Option<&'static str>,
    /// `None`: as its usual API.
    auth: Option<Auth>,
}

static OTHERS: &[Other] = &[
    beside("openai", Dialect::OpenAiResponses),
    beside("azure", Dialect::OpenAiResponses),
    beside("xai", Dialect::OpenAiResponses),
    beside("groq", Dialect::OpenAiResponses),
    beside("openrouter", Dialect::OpenAiResponses),
    beside("openrouter", Dialect::Anthropic),
    elsewhere("cohere", Dialect::OpenAi, "https://api.cohere.ai/compatibility/v1", Auth::Bearer),
    elsewhere("deepseek", Dialect::Anthropic, "https://api.deepseek.com/anthropic/v1", Auth::Header("x-api-key")),
    elsewhere("minimax", Dialect::Anthropic, "https://api.minimax.io/anthropic/v1", Auth::Header("x-api-key")),
    elsewhere("moonshot", Dialect::Anthropic, "https://api.moonshot.ai/anthropic/v1", Auth::Bearer),
    elsewhere("zai", Dialect::Anthropic, "https://api.z.ai/api/anthropic/v1", Auth::Bearer),
    elsewhere("zhipu", Dialect::Anthropic, "https://open.bigmodel.cn/api/anthropic/v1", Auth::Bearer),
    elsewhere("ollama", Dialect::Ollama, "http://127.0.0.1:11434", Auth::None),
    beside("ollama", Dialect::OpenAiResponses),
    beside("ollama", Dialect::Anthropic),
    beside("vllm", Dialect::OpenAiResponses),
    beside("vllm", Dialect::Anthropic),
    beside("sglang", Dialect::OpenAiResponses),
    beside("sglang", Dialect::Anthropic),
    beside("llama-cpp", Dialect::OpenAiResponses),
    beside("llama-cpp", Dialect::Anthropic),
    beside("lm-studio", Dialect::OpenAiResponses),
    beside("lm-studio", Dialect::Anthropic),
    beside("openai-compatible", Dialect::OpenAiResponses),
    beside("openai-compatible", Dialect::Anthropic),
];

const fn beside(kind: &'static str, dialect: Dialect) -> Other {
    Other { kind, dialect, base_url: None, auth: None }
}

const fn elsewhere(kind: &'static str, dialect: Dialect, base_url: &'static str, auth: Auth) -> Other {
    Other { kind, dialect, base_url: Some(base_url), auth: Some(auth) }
}

#[cfg(test)]
mod tests;
