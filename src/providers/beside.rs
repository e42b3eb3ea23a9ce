//! What providers of OpenAI's API lack of what it has beside chat, so that a request is not sent where nobody answers it.
//!
//! Only what is known to be missing stands here, as of November 2026; what is not listed is asked for, and the provider's own answer
//! counts. "Lacks" includes what a provider has in another form, or at another address.

use crate::dialects::endpoints::ApiEndpoint;

/// Endpoints that come together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    Embeddings,
    Images,
    /// Transcriptions and translations.
    Hearing,
    Speech,
    Moderations,
    Rerank,
}

use Family::*;

const ALL: &[Family] = &[Embeddings, Images, Hearing, Speech, Moderations, Rerank];

/// Providers, by the ids of the registry, and what they lack.
static LACKING: &[(&str, &[Family])] = &[
    ("openai", &[Rerank]),
    ("azure", &[Moderations, Rerank]),
    ("minimax", ALL),
    ("mistral", &[Images, Rerank]),
    ("deepseek", ALL),
    ("groq", &[Embeddings, Images, Moderations, Rerank]),
    ("together", &[Moderations]),
    ("fireworks", &[Moderations]),
    ("openrouter", &[Moderations]),
    ("xai", &[Moderations, Rerank]),
    ("cerebras", ALL),
    ("perplexity", &[Images, Hearing, Speech, Moderations, Rerank]),
    ("nvidia", &[Moderations, Rerank]),
    ("moonshot", ALL),
    ("dashscope", &[Moderations, Rerank]),
    ("huggingface", ALL),
    ("sambanova", &[Images, Speech, Moderations, Rerank]),
    ("ollama", &[Hearing, Speech, Moderations, Rerank]),
    ("jina", &[Images, Hearing, Speech, Moderations]),
];

/// Is this endpoint known to be missing at the provider with this id?
pub fn lacks(provider: &str, endpoint: ApiEndpoint) -> bool {
    let family = match endpoint {
        ApiEndpoint::Embeddings => Embeddings,
        ApiEndpoint::ImagesGenerations | ApiEndpoint::ImagesEdits | ApiEndpoint::ImagesVariations => Images,
        ApiEndpoint::AudioTranscriptions | ApiEndpoint::AudioTranslations => Hearing,
        ApiEndpoint::AudioSpeech => Speech,
        ApiEndpoint::Moderations => Moderations,
        ApiEndpoint::Rerank => Rerank,
        _ => return false,
    };
    LACKING.iter().any(|(id, lacking)| *id == provider && lacking.contains(&family))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::providers::registry;
    use std::collections::HashSet;

    #[test]
    fn every_row_is_a_provider_s_and_there_is_one_for_each() {
        let mut seen = HashSet::new();
        for (id, lacking) in LACKING {
            assert!(registry::find(id).is_some() && seen.insert(id) && !lacking.is_empty(), "{id}");
        }
    }

    #[test]
    fn chat_is_never_missing() {
        for (provider, endpoint, expected) in [
            ("deepseek", ApiEndpoint::ChatCompletions, false),
            ("deepseek", ApiEndpoint::Embeddings, true),
            ("openai", ApiEndpoint::Embeddings, false),
            ("openai", ApiEndpoint::Rerank, true),
            ("together", ApiEndpoint::Rerank, false),
            ("vllm", ApiEndpoint::Rerank, false),
            ("groq", ApiEndpoint::AudioTranscriptions, false),
            ("openai-compatible", ApiEndpoint::Moderations, false),
        ] {
            assert_eq!(lacks(provider, endpoint), expected, "{provider} {endpoint:?}");
        }
    }
}
