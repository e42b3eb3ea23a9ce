//! Pictures made of a text: OpenAI's `/images/generations`, towards the APIs that have them in another form.
//!
//! | form | asked at | spoken by |
//! | --- | --- | --- |
//! | OpenAI | `/images/generations` | clients; upstreams of the same API get the client's bytes |
//! | Gemini | `:generateContent` with pictures for its modality; `:predict` for Imagen's models | upstreams |
//! | Vertex AI | the same, which also says in which format a picture is written | upstreams |
//!
//! A request is parsed into a [`Request`] and composed in the upstream's form; of an answer the pictures are copied as they were written.
//! What an upstream has no word for is refused or, where that was allowed, noted. An answer without a picture is an error: a filter's, the
//! model's own words, or the provider's failure.
//!
//! Gemini's models make one picture for each call: several are as many calls, side by side, each billed for the whole prompt, and a picture
//! that was filtered is missing among the others. Imagen makes up to four at once, counts no tokens, and is billed by the picture. Google
//! had retired its own Imagen models by August 2026; what is left of them are the deployments of those whom it gave more time.

mod answer;
mod compose;
mod parse;

use crate::{
    dialects::{canonical, canonical::ProviderError, gemini},
    json::piece::Text,
};

pub use compose::{Composed, compose};
pub use parse::parse;

/// The form in which an upstream is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpstreamForm {
    Gemini,
    Vertex,
}

impl UpstreamForm {
    /// What an upstream's error means.
    pub fn classify(self, status: u16, body: &[u8]) -> ProviderError<'_> {
        match self {
            UpstreamForm::Gemini | UpstreamForm::Vertex => gemini::classify::classify(status, body),
        }
    }
}

/// What a client asks for, in OpenAI's words.
#[derive(Debug, Clone, PartialEq)]
pub struct Request<'a> {
    pub prompt: Text<'a>,
    /// Pictures wanted, from 1 to 10.
    pub n: u64,
    /// Width and height as `1024x1024`. `None` here and below: whatever the model's usual is.
    pub size: Option<Text<'a>>,
    pub quality: Option<Text<'a>>,
    pub background: Option<Text<'a>>,
    pub moderation: Option<Text<'a>>,
    pub style: Option<Text<'a>>,
    /// `png`, `jpeg` or `webp`.
    pub output_format: Option<Text<'a>>,
    /// How good a picture is that loses something by its format, from 0 to 100, the best.
    pub output_compression: Option<u64>,
    /// `b64_json` or `url`.
    pub response_format: Option<Text<'a>>,
    pub stream: bool,
    /// Pictures that are shown before they are done, in a stream.
    pub partial_images: u64,
    /// Who the end user is. A hint.
    pub user: Option<Text<'a>>,
    pub extras: Vec<canonical::Extra<'a>>,
}

/// The way back of an answer, or of those of several calls.
#[derive(Debug, Clone, Copy)]
pub struct WayBack {
    pub upstream: UpstreamForm,
    /// How many calls were made for it.
    pub calls: u8,
    form: AnswerForm,
    /// Unix time in seconds that the client is told.
    created_s: u64,
}

/// The form in which pictures come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AnswerForm {
    Content,
    Predict,
}

#[cfg(test)]
mod tests;
