//! The contents of messages: a string, or a list of parts of several kinds.

use super::expect::{extra, invalid, needed, object, text};
use super::{Invalid, Path, Request, Value, signatures};
use crate::dialects::canonical::{CacheHint, Origin, Part, PartBody, Source};
use crate::json::Kind;
use crate::json::piece::Text;
use std::borrow::Cow;

/// Appends what `content` says to `parts`. An empty string says something in a user's turn alone, as the caller decides.
pub fn content<'a>(
    content: Value<'a>,
    path: &Path<'_>,
    parts: &mut Vec<Part<'a>>,
    request: &mut Request<'a>,
) -> Result<(), Invalid> {
    match content.kind() {
        Kind::String => parts.push(PartBody::Text(text(content, path)?).into()),
        Kind::Array => {
            for (index, element) in content.elements().enumerate() {
                let part = part(element, &path.element(index), request)?;
                parts.push(part);
            }
        }
        _ => return Err(invalid(path, "a string or an array of parts")),
    }
    Ok(())
}

fn part<'a>(value: Value<'a>, path: &Path<'_>, request: &mut Request<'a>) -> Result<Part<'a>, Invalid> {
    if value.kind() == Kind::String {
        return Ok(PartBody::Text(text(value, path)?).into());
    }
    let kind = needed(object(value, path)?.some("type"), &path.member("type"))?;
    let kind = KINDS.iter().find(|(name, ..)| kind.says(name));
    let Some((_, member, read)) = kind else {
        // Also what no schema knows: the upstream that does may be the one.
        text(value.some("type").unwrap_or(value), &path.member("type"))?;
        return Ok(PartBody::Other { param: path.to_string(), raw: value.raw() }.into());
    };
    let mut cache = None;
    let mut content = None;
    let mut signature = None;
    for (name, value) in value.members() {
        match &*name {
            b"type" => {}
            name if name == member.as_bytes() => content = Some(value),
            _ if value.is_null() => {}
            b"cache_control" | b"prompt_cache_breakpoint" => cache = cache.or(cache_hint(value)),
            b"signature" if *member == "thinking" => signature = Some(text(value, &path.member("signature"))?),
            _ => request.extras.push(extra(path, &name, value, false)),
        }
    }
    let path = path.member(member);
    let mut body = read(needed(content, &path)?, &path, request)?;
    if let PartBody::Thinking { signature: place, .. } = &mut body {
        *place = signature.map(|signature| signatures::read(signature, Origin::Unknown));
    }
    Ok(Part { body, cache })
}

type Read = for<'a> fn(Value<'a>, &Path<'_>, &mut Request<'a>) -> Result<PartBody<'a>, Invalid>;

/// Kinds of parts, the member that each has its content in, and how that is read.
const KINDS: &[(&str, &str, Read)] = &[
    ("text", "text", |value, path, _| Ok(PartBody::Text(text(value, path)?))),
    ("image_url", "image_url", image),
    ("input_audio", "input_audio", audio),
    ("file", "file", file),
    ("refusal", "refusal", |value, path, _| Ok(PartBody::Refusal(text(value, path)?))),
    ("thinking", "thinking", thinking),
    ("redacted_thinking", "data", |value, path, _| {
        Ok(PartBody::SealedThinking(signatures::read(text(value, path)?, Origin::Unknown)))
    }),
    // What Responses calls them, in the wrong place often enough.
    ("input_text", "text", |value, path, _| Ok(PartBody::Text(text(value, path)?))),
    ("output_text", "text", |value, path, _| Ok(PartBody::Text(text(value, path)?))),
];

fn image<'a>(value: Value<'a>, path: &Path<'_>, request: &mut Request<'a>) -> Result<PartBody<'a>, Invalid> {
    if value.kind() == Kind::String {
        return Ok(PartBody::Image { source: source(text(value, path)?), detail: None });
    }
    let (mut url, mut detail) = (None, None);
    for (name, value) in object(value, path)?.members() {
        match &*name {
            b"url" => url = Some(text(value, &path.member("url"))?),
            _ if value.is_null() => {}
            b"detail" => detail = Some(text(value, &path.member("detail"))?),
            // LiteLLM's: the media type, which an address does not say.
            b"format" => request.extras.push(extra(path, &name, value, true)),
            _ => request.extras.push(extra(path, &name, value, false)),
        }
    }
    let url = url.ok_or_else(|| super::expect::missing(&path.member("url")))?;
    Ok(PartBody::Image { source: source(url), detail })
}

pub fn audio<'a>(value: Value<'a>, path: &Path<'_>, _: &mut Request<'a>) -> Result<PartBody<'a>, Invalid> {
    let member = |name| text(needed(object(value, path)?.some(name), &path.member(name))?, &path.member(name));
    let (base64, format) = (member("data")?, member("format")?);
    let media_type = match AUDIO_FORMATS.iter().find(|(known, _)| format.says(known)) {
        Some((_, media_type)) => Text::plain(*media_type),
        None => Text::plain(format!("audio/{}", format.decoded())),
    };
    Ok(PartBody::Audio { source: Source::Inline { media_type, base64 } })
}

/// The formats of OpenAI's schema, and what they are elsewhere.
pub const AUDIO_FORMATS: &[(&str, &str)] = &[("wav", "audio/wav"), ("mp3", "audio/mp3")];

fn file<'a>(value: Value<'a>, path: &Path<'_>, request: &mut Request<'a>) -> Result<PartBody<'a>, Invalid> {
    let (mut id, mut data, mut name) = (None, None, None);
    for (member, value) in object(value, path)?.members() {
        if value.is_null() {
            continue;
        }
        match &*member {
            b"file_id" => id = Some(text(value, &path.member("file_id"))?),
            b"file_data" => data = Some(text(value, &path.member("file_data"))?),
            b"filename" => name = Some(text(value, &path.member("filename"))?),
            _ => request.extras.push(extra(path, &member, value, false)),
        }
    }
    let source = match (data, id) {
        (Some(data), _) => match source(data) {
            // Not an address of data. Some clients send the bare base64 of a PDF.
            Source::Url(base64) if !base64.is_empty() && !has_scheme(&base64) => {
                Source::Inline { media_type: Text::plain("application/pdf"), base64 }
            }
            source => source,
        },
        (None, Some(id)) => Source::File(id),
        (None, None) => return Err(invalid(path, "an object with file_data or file_id")),
    };
    Ok(PartBody::Document { source: source.of_document(), name })
}

fn has_scheme(url: &Text<'_>) -> bool {
    match url {
        Text::Escaped(said) => said.contains(&b':'),
        Text::Plain(said) => said.contains(':'),
    }
}

/// Anthropic's block has a string, Mistral's part a list of texts.
fn thinking<'a>(value: Value<'a>, path: &Path<'_>, _: &mut Request<'a>) -> Result<PartBody<'a>, Invalid> {
    let thought = match value.kind() {
        Kind::String => text(value, path)?,
        Kind::Array => {
            let mut thought = Vec::new();
            for (index, piece) in value.elements().enumerate() {
                let path = path.element(index).member("text").to_string();
                let piece = piece.get("text").and_then(Value::text);
                piece
                    .ok_or_else(|| Invalid { message: format!("'{path}' must be a string.").into(), param: path })?
                    .append_escaped(&mut thought);
            }
            Text::Escaped(Cow::Owned(thought))
        }
        _ => return Err(invalid(path, "a string or an array of texts")),
    };
    Ok(PartBody::Thinking { text: thought, signature: None })
}

/// Anthropic's `cache_control` with its time to live, or OpenAI's breakpoint, which has none of its own.
pub fn cache_hint(value: Value<'_>) -> Option<CacheHint> {
    let ttl = value.get("ttl");
    (value.kind() == Kind::Object).then(|| match ttl {
        Some(ttl) if ttl.says("1h") => CacheHint::Long,
        _ => CacheHint::Short,
    })
}

/// What an address says: data inside of it, or a place to fetch from.
pub fn source(url: Text<'_>) -> Source<'_> {
    match url {
        // No escape: the pieces are borrowed, however many megabytes they have.
        Text::Escaped(Cow::Borrowed(escaped)) if memchr::memchr(b'\\', escaped).is_none() => match inline(escaped) {
            Some((media_type, base64)) => Source::Inline {
                media_type: Text::Escaped(Cow::Borrowed(media_type)),
                base64: Text::Escaped(Cow::Borrowed(base64)),
            },
            None => Source::Url(Text::Escaped(Cow::Borrowed(escaped))),
        },
        url => {
            let said = url.decoded();
            match inline(said.as_bytes()) {
                Some((media_type, base64)) => {
                    let text = |bytes: &[u8]| Text::plain(String::from_utf8_lossy(bytes).into_owned());
                    Source::Inline { media_type: text(media_type), base64: text(base64) }
                }
                None => Source::Url(url),
            }
        }
    }
}

/// The media type, without its parameters, and the base64 of a `data:` address.
fn inline(url: &[u8]) -> Option<(&[u8], &[u8])> {
    let (scheme, rest) = url.split_at_checked(5)?;
    if !scheme.eq_ignore_ascii_case(b"data:") {
        return None;
    }
    // The head is short; a comma far behind is none of it.
    let comma = memchr::memchr(b',', rest)?;
    let (head, base64) = (&rest[..comma], &rest[comma + 1..]);
    let described = head.strip_suffix(b";base64")?;
    let media_type = described.split(|byte| *byte == b';').next().unwrap_or_default();
    Some((media_type, base64))
}
