//! What a document is, whatever it came as.

use super::{canonical::Source, gemini::base64};
use crate::json::piece::Text;

impl<'a> Source<'a> {
    /// The source of a document. A text that came as base64 is the text itself, which every dialect has a place for.
    pub fn of_document(self) -> Source<'a> {
        let Source::Inline { media_type, base64 } = &self else { return self };
        let kind = media_type.decoded();
        if !kind.starts_with("text/") && !kind.starts_with("application/json") {
            return self;
        }
        let text = base64::decode(base64.decoded().as_bytes()).and_then(|bytes| String::from_utf8(bytes).ok());
        match text {
            Some(text) => Source::Plain(Text::plain(text)),
            // No base64, or letters of another kind: the provider may know.
            None => self,
        }
    }
}
