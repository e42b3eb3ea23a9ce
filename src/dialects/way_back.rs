//! The way back of one attempt's answer that does not go to its client as it came.

use super::{
    anthropic_messages::read::KnownMessage,
    canonical::{Malformed, ProviderError},
    embeddings, images, token_count,
    translate::{self, Translated, Translation},
    wire::UpstreamWire,
};

#[derive(Debug, Clone)]
pub enum WayBack {
    /// An answer of a model, whole or streamed.
    Chat(Translation),
    Embeddings(embeddings::WayBack),
    Images(images::WayBack),
    Count(token_count::WayBack),
}

/// The form in which an upstream answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Chat(UpstreamWire),
    Embeddings(embeddings::UpstreamForm),
    Images(images::UpstreamForm),
    Count(token_count::UpstreamForm),
}

impl WayBack {
    pub fn form(&self) -> Form {
        match self {
            WayBack::Chat(translation) => Form::Chat(translation.upstream),
            WayBack::Embeddings(back) => Form::Embeddings(back.upstream),
            WayBack::Images(back) => Form::Images(back.upstream),
            WayBack::Count(back) => Form::Count(back.upstream),
        }
    }

    /// Appends a whole answer in the client's form. `text` is a scanned JSON object, that of a chat any text. `known` is what is
    /// known of its deployment's.
    ///
    /// # Errors
    /// It is no answer.
    pub fn whole(self, known: &mut KnownMessage, text: &[u8], out: &mut Vec<u8>) -> Result<Translated, Malformed> {
        match self {
            WayBack::Chat(translation) => translation.whole_like(Some(known), text, out),
            WayBack::Embeddings(back) => back.whole(text, out),
            WayBack::Images(back) => back.whole(&[text], out),
            WayBack::Count(back) => back.whole(text, out),
        }
    }

    /// How many calls were made for the answer.
    pub fn calls(&self) -> u8 {
        match self {
            WayBack::Chat(translation) => translation.calls,
            WayBack::Images(back) => back.calls,
            WayBack::Embeddings(_) | WayBack::Count(_) => 1,
        }
    }

    /// As `whole`, for the answers of several calls.
    ///
    /// # Errors
    /// One of them is no answer.
    pub fn whole_of(self, texts: &[Vec<u8>], out: &mut Vec<u8>) -> Result<Translated, Malformed> {
        match self {
            WayBack::Chat(translation) => translation.whole_of(texts, out),
            WayBack::Images(back) => back.whole(texts, out),
            // They are one call each.
            WayBack::Embeddings(_) | WayBack::Count(_) => Err(Malformed),
        }
    }

    /// The translation of a stream; the others have none.
    pub fn chat(self) -> Option<Translation> {
        match self {
            WayBack::Chat(translation) => Some(translation),
            WayBack::Embeddings(_) | WayBack::Images(_) | WayBack::Count(_) => None,
        }
    }
}

impl Form {
    /// What an upstream's error means.
    /// `name` is what AWS calls it, beside the body.
    pub fn classify<'b>(self, status: u16, name: &str, body: &'b [u8]) -> ProviderError<'b> {
        match self {
            Form::Chat(wire) => translate::classify(wire, status, name, body),
            Form::Embeddings(form) => form.classify(status, body),
            Form::Images(form) => form.classify(status, body),
            Form::Count(form) => form.classify(status, body),
        }
    }
}
