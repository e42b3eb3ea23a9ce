//! Vectors of texts, between the APIs that have them.
//!
//! | form | asked at | spoken by |
//! | --- | --- | --- |
//! | OpenAI | `/embeddings` | clients, upstreams |
//! | Gemini | `:embedContent` for one input, `:batchEmbedContents` for several | clients, upstreams |
//! | Vertex AI | the same for Gemini's models, whose settings stand in `embedContentConfig`; `:predict` for the others | upstreams |
//! | Cohere | `/embed`, in version 2 of its API | upstreams |
//! | Ollama | `/api/embed` | upstreams |
//! | Bedrock | `/model/{id}/invoke` in the form of the model's maker: Titan, which takes one input, or Cohere | upstreams |
//!
//! A request is parsed into a [`Request`] and composed in the upstream's form. An answer has nothing to be understood: its vectors are
//! copied as they were written, or packed for a client of OpenAI's form that asked for base64 (little-endian `f32`), as its SDK does
//! unless told otherwise. What an upstream has no word for is refused or, where that was allowed, noted; what only says what the vectors
//! are for, or who asks, is a hint.

mod answer;
mod compose;
mod parse;

use crate::{
    dialects::{bedrock_converse, canonical, canonical::ProviderError, cohere_chat, gemini, ollama, openai_chat},
    json::piece::{Raw, Text},
};

pub use compose::{Composed, compose};
pub use parse::parse;

/// The form in which a client asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientForm {
    OpenAi,
    /// Gemini's `embedContent`.
    GeminiOne,
    /// Gemini's `batchEmbedContents`.
    GeminiBatch,
}

/// The form in which an upstream is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpstreamForm {
    OpenAi,
    Gemini,
    Vertex,
    Cohere,
    Ollama,
    Bedrock,
}

impl UpstreamForm {
    /// What an upstream's error means.
    pub fn classify(self, status: u16, body: &[u8]) -> ProviderError<'_> {
        match self {
            UpstreamForm::OpenAi => openai_chat::classify::classify(status, body),
            UpstreamForm::Gemini | UpstreamForm::Vertex => gemini::classify::classify(status, body),
            UpstreamForm::Cohere => cohere_chat::classify::classify(status, body),
            UpstreamForm::Ollama => ollama::classify::classify(status, body),
            UpstreamForm::Bedrock => bedrock_converse::classify::classify(status, body),
        }
    }
}

/// What a client asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct Request<'a> {
    pub client: ClientForm,
    pub inputs: Vec<Input<'a>>,
    /// Numbers of each vector.
    pub dimensions: Option<u64>,
    /// What the vectors are for: Gemini's `taskType`; `input_type`, where clients of OpenAI's form send it for models that want it. A hint.
    pub task: Option<Text<'a>>,
    /// Of a document. A hint.
    pub title: Option<Text<'a>>,
    /// Who the end user is. A hint.
    pub user: Option<Text<'a>>,
    /// The vectors are wanted as base64.
    pub base64: bool,
    pub extras: Vec<canonical::Extra<'a>>,
}

/// What becomes one vector.
#[derive(Debug, Clone, PartialEq)]
pub enum Input<'a> {
    Text(Text<'a>),
    /// Token ids of the model's own tokenizer, as an array.
    Tokens(Raw<'a>),
    /// A content of Gemini's that is not one text alone, and its texts, where it is nothing else.
    Content {
        raw: Raw<'a>,
        texts: Option<Vec<Text<'a>>>,
    },
}

/// The way back of an answer.
#[derive(Debug, Clone)]
pub struct WayBack {
    pub upstream: UpstreamForm,
    client: ClientForm,
    form: AnswerForm,
    base64: bool,
    /// The model's name as the client asked for it.
    model: String,
    inputs: usize,
    /// Tokens of the inputs, where the upstream does not count them.
    tokens_estimated: u64,
}

/// The form in which vectors come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AnswerForm {
    OpenAi,
    GeminiOne,
    GeminiBatch,
    Predict,
    Cohere,
    Ollama,
    Titan,
}

#[cfg(test)]
mod tests;
