//! What providers lack of what OpenAI's API has, so that a request is not sent where nobody answers it.
//!
//! Only what is known to be missing stands in the registry, as of November 2026; what is not listed is asked for, and the provider's own answer
//! counts. "Lacks" includes what a provider has in another form, or at another address.

use super::Provider;
use crate::dialects::{endpoints::ApiEndpoint, wire::Dialect};

/// Endpoints that come together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// Chat in every client's API, and completions.
    Generation,
    Embeddings,
    Images,
    /// Transcriptions and translations.
    Hearing,
    Speech,
    Moderations,
    Rerank,
}

impl Provider {
    /// Is this endpoint known to be missing where the provider is asked in `dialect`?
    #[inline]
    pub fn lacks(&self, dialect: Dialect, endpoint: ApiEndpoint) -> bool {
        let family = match endpoint {
            ApiEndpoint::Embeddings => Family::Embeddings,
            ApiEndpoint::ImagesGenerations | ApiEndpoint::ImagesEdits | ApiEndpoint::ImagesVariations => Family::Images,
            ApiEndpoint::AudioTranscriptions | ApiEndpoint::AudioTranslations => Family::Hearing,
            ApiEndpoint::AudioSpeech => Family::Speech,
            ApiEndpoint::Moderations => Family::Moderations,
            ApiEndpoint::Rerank => Family::Rerank,
            endpoint if endpoint.is_generation() => Family::Generation,
            _ => return false,
        };
        // Cohere's own API is another than its one of OpenAI's form, which the entry is about.
        dialect != Dialect::Cohere && self.lacks.contains(&family)
    }
}

#[cfg(test)]
mod tests;
