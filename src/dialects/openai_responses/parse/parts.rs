//! The contents of messages and of tools' results: a string, or a list of parts of several kinds.

use crate::dialects::canonical::{CacheHint, Invalid, Part, PartBody, Request, Source};
use crate::dialects::openai_chat::parse::expect::{extra, invalid, needed, object, some, text};
use crate::dialects::openai_chat::parse::parts::{audio, source};
use crate::json::Kind;
use crate::json::piece::Text;
use crate::json::view::{Path, Value};

/// Appends what `content` says to `parts`.
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
                parts.push(part(element, &path.element(index), request)?);
            }
        }
        _ => return Err(invalid(path, "a string or an array of parts")),
    }
    Ok(())
}

/// The members of a part. Those that its kind has no use for are carried as extras.
#[derive(Default)]
struct Members<'a> {
    text: Option<Value<'a>>,
    refusal: Option<Value<'a>>,
    image_url: Option<Value<'a>>,
    file_id: Option<Value<'a>>,
    file_data: Option<Value<'a>>,
    file_url: Option<Value<'a>>,
    filename: Option<Value<'a>>,
    detail: Option<Value<'a>>,
    input_audio: Option<Value<'a>>,
}

fn part<'a>(value: Value<'a>, path: &Path<'_>, request: &mut Request<'a>) -> Result<Part<'a>, Invalid> {
    let kind = needed(object(value, path)?.some("type"), &path.member("type"))?;
    let read = KINDS.iter().find(|(name, _)| kind.says(name)).map(|(_, read)| read);
    let Some(read) = read else {
        // Also what no schema knows: the upstream that does may be the one.
        text(kind, &path.member("type"))?;
        return Ok(PartBody::Other { param: path.to_string(), raw: value.raw() }.into());
    };
    let mut members = Members::default();
    let mut cache = None;
    for (name, value) in value.members() {
        let place = match &*name {
            b"type" => continue,
            b"text" => &mut members.text,
            b"refusal" => &mut members.refusal,
            b"image_url" => &mut members.image_url,
            b"file_id" => &mut members.file_id,
            b"file_data" => &mut members.file_data,
            b"file_url" => &mut members.file_url,
            b"filename" => &mut members.filename,
            b"detail" => &mut members.detail,
            b"input_audio" => &mut members.input_audio,
            b"prompt_cache_breakpoint" => {
                cache = some(value).map(cache_hint);
                continue;
            }
            // What earlier answers had beside their texts, mostly nothing.
            b"annotations" | b"logprobs" => {
                let says_something = value.elements().next().is_some();
                request.extras.extend(says_something.then(|| extra(path, &name, value, true)));
                continue;
            }
            _ => {
                request.extras.extend(some(value).map(|value| extra(path, &name, value, false)));
                continue;
            }
        };
        *place = some(value);
    }
    let body = read(&mut members, path, request)?;
    carry_unused(&members, path, request);
    Ok(Part { body, cache })
}

type Read = for<'a> fn(&mut Members<'a>, &Path<'_>, &mut Request<'a>) -> Result<PartBody<'a>, Invalid>;

const KINDS: &[(&str, Read)] = &[
    ("input_text", said),
    ("output_text", said),
    ("refusal", |members, path, _| Ok(PartBody::Refusal(take(&mut members.refusal, path, "refusal")?))),
    ("input_image", image),
    ("input_file", file),
    ("input_audio", |members, path, request| {
        let path = path.member("input_audio");
        audio(object(needed(members.input_audio.take(), &path)?, &path)?, &path, request)
    }),
    // What Chat Completions calls it, in the wrong place often enough.
    ("text", said),
];

fn said<'a>(members: &mut Members<'a>, path: &Path<'_>, _: &mut Request<'a>) -> Result<PartBody<'a>, Invalid> {
    Ok(PartBody::Text(take(&mut members.text, path, "text")?))
}

fn image<'a>(members: &mut Members<'a>, path: &Path<'_>, _: &mut Request<'a>) -> Result<PartBody<'a>, Invalid> {
    let detail = members.detail.take().map(|detail| text(detail, &path.member("detail"))).transpose()?;
    // The usual, as a rule said aloud: the schema demands the member.
    let detail = detail.filter(|detail| !detail.says("auto"));
    if members.image_url.is_none() && members.file_id.is_some() {
        return Ok(PartBody::Image { source: Source::File(take(&mut members.file_id, path, "file_id")?), detail });
    }
    Ok(PartBody::Image { source: source(take(&mut members.image_url, path, "image_url")?), detail })
}

fn file<'a>(members: &mut Members<'a>, path: &Path<'_>, _: &mut Request<'a>) -> Result<PartBody<'a>, Invalid> {
    let name = members.filename.take().map(|name| text(name, &path.member("filename"))).transpose()?;
    let source = if members.file_data.is_some() {
        match source(take(&mut members.file_data, path, "file_data")?) {
            // Not an address of data. Some clients send the bare base64 of a PDF.
            Source::Url(base64) if !base64.is_empty() && !has_scheme(&base64) => {
                Source::Inline { media_type: Text::plain("application/pdf"), base64 }
            }
            source => source,
        }
    } else if members.file_url.is_some() {
        source(take(&mut members.file_url, path, "file_url")?)
    } else if members.file_id.is_some() {
        Source::File(take(&mut members.file_id, path, "file_id")?)
    } else {
        return Err(invalid(path, "an object with file_data, file_url or file_id"));
    };
    Ok(PartBody::Document { source: source.of_document(), name })
}

fn has_scheme(url: &Text<'_>) -> bool {
    match url {
        Text::Escaped(said) => said.contains(&b':'),
        Text::Plain(said) => said.contains(':'),
    }
}

fn take<'a>(member: &mut Option<Value<'a>>, path: &Path<'_>, name: &str) -> Result<Text<'a>, Invalid> {
    text(needed(member.take(), &path.member(name))?, &path.member(name))
}

fn carry_unused<'a>(members: &Members<'a>, path: &Path<'_>, request: &mut Request<'a>) {
    let Members { text, refusal, image_url, file_id, file_data, file_url, filename, detail, input_audio } = members;
    let unused = [
        ("text", text, false),
        ("refusal", refusal, false),
        ("image_url", image_url, false),
        ("file_id", file_id, false),
        ("file_data", file_data, false),
        ("file_url", file_url, false),
        ("filename", filename, true),
        // How closely a file is looked at.
        ("detail", detail, true),
        ("input_audio", input_audio, false),
    ];
    for (name, value, is_hint) in unused {
        request.extras.extend(value.map(|value| extra(path, name.as_bytes(), value, is_hint)));
    }
}

/// Half an hour is the usual; half a day is as near to an hour as there is.
fn cache_hint(breakpoint: Value<'_>) -> CacheHint {
    match breakpoint.get("ttl") {
        Some(ttl) if ttl.says("12h") => CacheHint::Long,
        _ => CacheHint::Short,
    }
}
