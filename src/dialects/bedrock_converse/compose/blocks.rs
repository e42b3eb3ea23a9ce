//! Texts, pictures, documents and sounds, in turns of the user and in results of tools.
//!
//! Bytes come inline. What is in S3 is said by its address; anything else Bedrock cannot fetch. A document has a name of letters, digits,
//! single blanks, `-`, `(`, `)`, `[` and `]`, and no other of the request has the same.

use super::{Composer, is_blank};
use crate::dialects::canonical::{Part, PartBody, Source, Unsupported};
use crate::dialects::gemini::base64;
use crate::json::piece::Text;

const IMAGES: &[(&str, &str)] = &[
    ("image/png", "png"),
    ("image/jpeg", "jpeg"),
    ("image/jpg", "jpeg"),
    ("image/gif", "gif"),
    ("image/webp", "webp"),
];

const DOCUMENTS: &[(&str, &str)] = &[
    ("application/pdf", "pdf"),
    ("text/plain", "txt"),
    ("text/csv", "csv"),
    ("text/html", "html"),
    ("text/markdown", "md"),
    ("application/msword", "doc"),
    ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", "docx"),
    ("application/vnd.ms-excel", "xls"),
    ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "xlsx"),
];

const SOUNDS: &[(&str, &str)] = &[
    ("audio/wav", "wav"),
    ("audio/x-wav", "wav"),
    ("audio/mp3", "mp3"),
    ("audio/mpeg", "mp3"),
    ("audio/flac", "flac"),
    ("audio/aac", "aac"),
    ("audio/ogg", "ogg"),
    ("audio/opus", "opus"),
    ("audio/webm", "webm"),
    ("audio/mp4", "mp4"),
];

/// Longest name of a document, in characters, with room for a number behind it.
const DOCUMENT_NAME_CHARS_MAX: usize = 190;

impl Composer<'_> {
    /// Writes a part that is neither a call nor a result.
    pub fn block(&mut self, part: &Part<'_>) -> Result<(), Unsupported> {
        match &part.body {
            PartBody::Text(text) => {
                if !is_blank(text) {
                    self.text_block(text);
                }
                Ok(())
            }
            PartBody::Image { source, detail } => {
                if detail.as_ref().is_some_and(|detail| !detail.says("auto")) {
                    self.dropped_once("messages[].content[].image_url.detail", "The upstream has no such hint.");
                }
                let Some(format) = self.format(source, IMAGES, "Converse takes PNG, JPEG, GIF and WebP images.")?
                else {
                    return Ok(());
                };
                self.json.open_object().name("image").open_object().name("format").string(format);
                self.source(source);
                Ok(())
            }
            PartBody::Document { source, name } => self.document(source, name.as_ref()),
            PartBody::Audio { source } => {
                let Some(format) = self.format(source, SOUNDS, "Converse takes no sound of this type.")? else {
                    return Ok(());
                };
                self.json.open_object().name("audio").open_object().name("format").string(format);
                self.source(source);
                Ok(())
            }
            PartBody::Other { param, .. } => self.unsupported(param.clone(), "Converse has no content of this type."),
            PartBody::Thinking { .. } | PartBody::SealedThinking(_) => {
                self.dropped_once("messages[].reasoning_content", "Thoughts are the assistant's.");
                Ok(())
            }
            PartBody::ToolCall(_) | PartBody::ToolResult(_) | PartBody::Refusal(_) => {
                self.unsupported("messages", "Converse does not take it in a turn of this role.")
            }
        }
    }

    fn document(&mut self, source: &Source<'_>, name: Option<&Text<'_>>) -> Result<(), Unsupported> {
        let Some(format) = self.format(source, DOCUMENTS, "Converse takes no documents of this type.")? else {
            return Ok(());
        };
        let name = name.map(Text::decoded);
        let name = document_name(name.as_deref().unwrap_or_default(), format);
        let numbered = (2..).map(|number| format!("{name} {number}"));
        // There are fewer documents than numbers.
        let name = std::iter::once(name.clone()).chain(numbered).find(|name| !self.documents.contains(name));
        let name = name.unwrap_or_default();
        let json = self.json.open_object().name("document").open_object();
        json.name("format").string(format).name("name").string(&name);
        self.documents.insert(name);
        self.source(source);
        Ok(())
    }

    /// What Converse calls the type of the bytes; `None` where they cannot be sent and may be left out.
    fn format(
        &mut self,
        source: &Source<'_>,
        formats: &'static [(&'static str, &'static str)],
        why: &'static str,
    ) -> Result<Option<&'static str>, Unsupported> {
        let format = match source {
            Source::Inline { media_type, .. } => formats.iter().find(|(name, _)| media_type.says(name)),
            Source::Plain(_) => formats.iter().find(|(name, _)| *name == "text/plain"),
            Source::Url(url) => {
                let url = url.decoded();
                if !url.starts_with("s3://") {
                    self.unsupported("messages", "Bedrock fetches from S3 only; send the bytes.")?;
                    return Ok(None);
                }
                let extension = url.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
                let extension = if extension == "jpg" { "jpeg" } else { extension.as_str() };
                formats.iter().find(|(_, format)| *format == extension)
            }
            Source::File(_) => {
                self.unsupported("messages", "The file lives at another provider.")?;
                return Ok(None);
            }
        };
        if format.is_none() {
            self.unsupported("messages", why)?;
        }
        Ok(format.map(|(_, format)| *format))
    }

    /// Writes `source`, and ends the block.
    fn source(&mut self, source: &Source<'_>) {
        let json = self.json.name("source").open_object();
        match source {
            Source::Inline { base64, .. } => json.name("bytes").text(base64),
            // As bytes: a source of `text` is for citations, which not every model has.
            Source::Plain(text) => {
                let mut bytes = String::new();
                base64::encode(text.decoded().as_bytes(), &mut bytes);
                json.name("bytes").string(&bytes)
            }
            Source::Url(url) | Source::File(url) => {
                json.name("s3Location").open_object().name("uri").text(url).close_object()
            }
        };
        json.close_object().close_object().close_object();
    }
}

fn document_name(name: &str, format: &str) -> String {
    let name = match name.rsplit_once('.') {
        Some((stem, extension)) if extension.eq_ignore_ascii_case(format) => stem,
        _ => name,
    };
    let mut fitting = String::new();
    for c in name.chars().take(DOCUMENT_NAME_CHARS_MAX) {
        match c {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '(' | ')' | '[' | ']' => fitting.push(c),
            c if c.is_whitespace() => {
                if !fitting.is_empty() && !fitting.ends_with(' ') {
                    fitting.push(' ');
                }
            }
            _ => fitting.push('-'),
        }
    }
    let fitting = fitting.trim_end();
    if fitting.is_empty() { "document".to_owned() } else { fitting.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_documents_have_only_what_is_taken() {
        for (name, expected) in [
            ("paper.pdf", "paper"),
            ("a_b  c\u{a0}\td.PDF", "a-b c d"),
            (" Größe (2) [x]-1.txt", "Gr--e (2) [x]-1-txt"),
            ("", "document"),
            (" \n", "document"),
            (".pdf", "document"),
        ] {
            assert_eq!(document_name(name, "pdf"), expected, "{name:?}");
        }
        assert_eq!(document_name(&"x".repeat(500), "pdf").len(), DOCUMENT_NAME_CHARS_MAX);
    }
}
