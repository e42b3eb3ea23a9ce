//! Contents of messages: a string where there is only text, a list of parts otherwise.

use super::{Composer, Once};
use crate::dialects::canonical::{CacheHint, Part, PartBody, Source, Unsupported};
use crate::dialects::openai_chat::variant::CacheWay;
use crate::json::piece::Text;
use crate::json::write::Writer;

/// What stands between texts that become one.
const PARAGRAPH: &[u8] = b"\\n\\n";

impl Composer<'_> {
    /// Writes the value of `content`. A hint on what holds the parts is on the last of them.
    pub(super) fn content(
        &mut self,
        parts: &[&Part<'_>],
        outer_cache: Option<CacheHint>,
        json: &mut Writer<'_>,
    ) -> Result<(), Unsupported> {
        let has_cache = outer_cache.is_some() || parts.iter().any(|part| part.cache.is_some());
        if has_cache && self.variant.cache == CacheWay::None {
            self.once(Once::Cache);
        }
        let keeps_cache = has_cache && self.variant.cache != CacheWay::None;
        let is_text = parts.iter().all(|part| matches!(part.body, PartBody::Text(_)));
        if is_text && !keeps_cache && (parts.len() <= 1 || self.variant.plain_content) {
            json.string("");
            json.out.pop();
            for (index, part) in parts.iter().enumerate() {
                if let PartBody::Text(text) = &part.body {
                    if index > 0 {
                        json.out.extend_from_slice(PARAGRAPH);
                    }
                    text.append_escaped(json.out);
                }
            }
            json.out.push(b'"');
            return Ok(());
        }
        json.open_array();
        for (index, part) in parts.iter().enumerate() {
            let outer = outer_cache.filter(|_| index + 1 == parts.len());
            self.part(part, part.cache.or(outer), json)?;
        }
        json.close_array();
        Ok(())
    }

    fn part(&mut self, part: &Part<'_>, cache: Option<CacheHint>, json: &mut Writer<'_>) -> Result<(), Unsupported> {
        let before = json.out.len();
        json.open_object();
        let is_said = match &part.body {
            PartBody::Text(text) => {
                json.name("type").string("text").name("text").text(text);
                true
            }
            PartBody::Image { source, detail } => self.image(source, detail.as_ref(), json)?,
            PartBody::Document { source, name } => self.document(source, name.as_ref(), json)?,
            PartBody::Audio { source } => self.audio(source, json)?,
            PartBody::Other { param, .. } => {
                self.notes.unsupported(self.target, param.clone(), "The model's API has no such part.")?;
                false
            }
            PartBody::Refusal(text) => {
                json.name("type").string("text").name("text").text(text);
                true
            }
            PartBody::ToolCall(_)
            | PartBody::ToolResult(_)
            | PartBody::Thinking { .. }
            | PartBody::SealedThinking(_) => {
                self.unsupported("messages", "A call, its result or a thought stands in a turn that cannot have it.")?;
                false
            }
        };
        if !is_said {
            json.out.truncate(before);
            return Ok(());
        }
        match (cache, self.variant.cache) {
            (None, _) | (_, CacheWay::None) => {}
            (Some(cache), CacheWay::Control) => write_cache_control(cache, json),
            (Some(cache), CacheWay::Breakpoint) => {
                json.name("prompt_cache_breakpoint").open_object().name("mode").string("explicit").close_object();
                if cache == CacheHint::Long {
                    self.once(Once::CacheTtl);
                }
            }
        }
        json.close_object();
        Ok(())
    }

    fn image(
        &mut self,
        source: &Source<'_>,
        detail: Option<&Text<'_>>,
        json: &mut Writer<'_>,
    ) -> Result<bool, Unsupported> {
        json.name("type").string("image_url").name("image_url").open_object().name("url");
        match source {
            Source::Inline { media_type, base64 } => write_data_url(media_type, base64, json),
            Source::Url(url) => drop(json.text(url)),
            Source::File(_) | Source::Plain(_) => {
                self.unsupported("messages.image", "The model takes images as data or from an address.")?;
                return Ok(false);
            }
        }
        if let Some(detail) = detail {
            match OPENAI_DETAILS.iter().any(|known| detail.says(known)) {
                true => drop(json.name("detail").text(detail)),
                false => self.once(Once::Detail),
            }
        }
        json.close_object();
        Ok(true)
    }

    fn document(
        &mut self,
        source: &Source<'_>,
        name: Option<&Text<'_>>,
        json: &mut Writer<'_>,
    ) -> Result<bool, Unsupported> {
        match source {
            Source::Plain(text) => {
                self.once(Once::PlainDocument);
                if name.is_some() {
                    self.once(Once::Title);
                }
                json.name("type").string("text").name("text").text(text);
                return Ok(true);
            }
            Source::Url(_) => {
                self.unsupported("messages.document", "The model takes no documents from an address.")?;
                return Ok(false);
            }
            _ if !self.variant.files => {
                self.unsupported("messages.document", "The model takes no documents.")?;
                return Ok(false);
            }
            Source::Inline { .. } | Source::File(_) => {}
        }
        json.name("type").string("file").name("file").open_object();
        match source {
            Source::Inline { media_type, base64 } => {
                json.name("filename");
                // It has to have a name.
                match name {
                    Some(name) => json.text(name),
                    None => json.string("document.pdf"),
                };
                write_data_url(media_type, base64, json.name("file_data"));
            }
            Source::File(id) => {
                json.name("file_id").text(id);
                if let Some(name) = name {
                    json.name("filename").text(name);
                }
            }
            Source::Plain(_) | Source::Url(_) => {}
        }
        json.close_object();
        Ok(true)
    }

    fn audio(&mut self, source: &Source<'_>, json: &mut Writer<'_>) -> Result<bool, Unsupported> {
        let Source::Inline { media_type, base64 } = source else {
            self.unsupported("messages.audio", "The model takes sound as data.")?;
            return Ok(false);
        };
        let format = AUDIO_TYPES.iter().find(|(known, _)| media_type.says(known));
        let Some((_, format)) = format.filter(|_| self.variant.audio) else {
            self.unsupported("messages.audio", "The model does not take sound in this form.")?;
            return Ok(false);
        };
        json.name("type").string("input_audio").name("input_audio").open_object();
        json.name("data").text(base64).name("format").string(format).close_object();
        Ok(true)
    }
}

const OPENAI_DETAILS: &[&str] = &["auto", "low", "high"];

/// Media types of sound that OpenAI has a format for.
const AUDIO_TYPES: &[(&str, &str)] =
    &[("audio/wav", "wav"), ("audio/x-wav", "wav"), ("audio/wave", "wav"), ("audio/mp3", "mp3"), ("audio/mpeg", "mp3")];

pub(crate) fn write_data_url(media_type: &Text<'_>, base64: &Text<'_>, json: &mut Writer<'_>) {
    json.string("data:");
    json.out.pop();
    media_type.append_escaped(json.out);
    json.out.extend_from_slice(b";base64,");
    base64.append_escaped(json.out);
    json.out.push(b'"');
}

pub fn write_cache_control(cache: CacheHint, json: &mut Writer<'_>) {
    json.name("cache_control").open_object().name("type").string("ephemeral");
    if cache == CacheHint::Long {
        json.name("ttl").string("1h");
    }
    json.close_object();
}
