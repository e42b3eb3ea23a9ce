use super::*;
use crate::providers::registry::{self, PROVIDERS};

#[test]
fn nothing_is_listed_twice() {
    for provider in PROVIDERS {
        for (at, family) in provider.lacks.iter().enumerate() {
            assert!(!provider.lacks[..at].contains(family), "{}: {family:?}", provider.id);
        }
    }
}

#[test]
fn what_is_missing_depends_on_the_api_that_is_spoken() {
    for (id, dialect, endpoint, expected) in [
        ("deepseek", Dialect::OpenAi, ApiEndpoint::ChatCompletions, false),
        ("deepseek", Dialect::OpenAi, ApiEndpoint::Embeddings, true),
        ("openai", Dialect::OpenAi, ApiEndpoint::Embeddings, false),
        ("openai", Dialect::OpenAiResponses, ApiEndpoint::Rerank, true),
        ("together", Dialect::OpenAi, ApiEndpoint::Rerank, false),
        ("vllm", Dialect::OpenAi, ApiEndpoint::Rerank, false),
        ("groq", Dialect::OpenAi, ApiEndpoint::AudioTranscriptions, false),
        ("openai-compatible", Dialect::OpenAi, ApiEndpoint::Moderations, false),
        ("cohere", Dialect::Cohere, ApiEndpoint::Rerank, false),
        ("cohere", Dialect::OpenAi, ApiEndpoint::Rerank, true),
        ("cohere", Dialect::OpenAi, ApiEndpoint::Embeddings, false),
        ("jina", Dialect::OpenAi, ApiEndpoint::Messages, true),
        ("jina", Dialect::OpenAi, ApiEndpoint::Embeddings, false),
        ("jina", Dialect::OpenAi, ApiEndpoint::Rerank, false),
    ] {
        let provider = registry::find(id).expect(id);
        assert_eq!(provider.lacks(dialect, endpoint), expected, "{id} {dialect:?} {endpoint:?}");
    }
}

/// One that can neither chat nor make vectors would be of no use.
#[test]
fn everyone_can_be_asked_something() {
    for provider in PROVIDERS {
        assert!(!(provider.lacks.contains(&Family::Generation) && provider.lacks.contains(&Family::Embeddings)));
    }
}
