//! Anthropic's Messages where clouds have them: Google's `rawPredict`, AWS's `InvokeModel`.
//!
//! The API is Anthropic's; what differs is said here, and is the same for a client's own request and for one that was composed:
//!
//! | | `rawPredict` | `InvokeModel` |
//! | --- | --- | --- |
//! | the model | in the path, not in the body | in the path, not in the body |
//! | a stream | another verb, and `stream` | another verb, no `stream` |
//! | the API's version | `anthropic_version` in the body, see `version` | the same |
//! | betas | the header, as with Anthropic | `anthropic_beta` in the body |
//! | tokens are counted | by a model called `count-tokens`; the model is in the body | not by this API |
//! | a stream's events | server-sent events | in base64 in AWS's frames, see [`frames`] |
//! | errors | Anthropic's or Google's | AWS's |
//!
//! Facts are those of anthropic-sdk-python 2.12.0 (`lib/vertex`, `lib/bedrock`), of botocore 1.44.5 and of Google's pages on partner
//! models, read 2026-11-22. A body is changed by patches: every byte that is not the cloud's concern stays as it was.

pub mod frames;

use crate::{
    dialects::{anthropic_messages, canonical::ProviderError, gemini, wire::UpstreamWire},
    json::{
        patch::{Patch, PatchError},
        scan::{self, Members},
        strings,
        view::Value,
    },
};
use std::fmt::Write;

/// What a request asks of a model of Anthropic's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    Message { stream: bool },
    Count,
}

/// The clouds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Elsewhere {
    RawPredict,
    Invoke,
}

impl Elsewhere {
    /// Which it is; `None` for Anthropic itself, and for other dialects.
    pub fn of(wire: UpstreamWire) -> Option<Elsewhere> {
        match wire {
            UpstreamWire::AnthropicRawPredict => Some(Elsewhere::RawPredict),
            UpstreamWire::AnthropicInvoke => Some(Elsewhere::Invoke),
            _ => None,
        }
    }

    pub fn wire(self) -> UpstreamWire {
        match self {
            Elsewhere::RawPredict => UpstreamWire::AnthropicRawPredict,
            Elsewhere::Invoke => UpstreamWire::AnthropicInvoke,
        }
    }

    /// Below the account's base URL. A name's every byte that could end its segment is encoded; an ARN has colons and slashes.
    pub fn path(self, model: &str, asked: Asked) -> String {
        let mut path = String::with_capacity(model.len() + 64);
        path.push_str(match self {
            Elsewhere::RawPredict => "/publishers/anthropic/models/",
            Elsewhere::Invoke => "/model/",
        });
        match (self, asked) {
            (Elsewhere::RawPredict, Asked::Count) => path.push_str("count-tokens"),
            (Elsewhere::RawPredict, _) => {
                // Some write a model with the path that it has in Google's lists.
                let name = model.strip_prefix("publishers/anthropic/models/").unwrap_or(model);
                append_segment(&mut path, name, b"@");
            }
            (Elsewhere::Invoke, _) => append_segment(&mut path, model, b""),
        }
        path.push_str(match (self, asked) {
            (Elsewhere::RawPredict, Asked::Message { stream: true }) => ":streamRawPredict",
            (Elsewhere::RawPredict, _) => ":rawPredict",
            (Elsewhere::Invoke, Asked::Message { stream: true }) => "/invoke-with-response-stream",
            (Elsewhere::Invoke, _) => "/invoke",
        });
        path
    }

    /// The body of a request to Anthropic as the cloud takes it. `text` is a scanned JSON object.
    ///
    /// # Errors
    /// The client sent a member twice that the cloud has a say in.
    pub fn body(self, text: &[u8], model: &str, asked: Asked, says: &Says<'_>) -> Result<Vec<u8>, Unadapted> {
        let scan = scan::scan(&MEMBERS, text).map_err(Unadapted)?;
        let mut patch = Patch::new();
        let mut edit = || -> Result<(), PatchError> {
            match (scan.member(MODEL), asked) {
                (Some(member), Asked::Count) => patch.replace_by_string(member.value, model)?,
                (None, Asked::Count) => patch.insert_string(text, scan.root, "model", model)?,
                (Some(member), Asked::Message { .. }) => patch.remove(text, &member)?,
                (None, Asked::Message { .. }) => {}
            }
            let version = self.version(model, says.version);
            match scan.member(VERSION) {
                Some(member) => patch.replace_by_string(member.value, version)?,
                None => patch.insert_string(text, scan.root, "anthropic_version", version)?,
            }
            if self == Elsewhere::RawPredict {
                return Ok(());
            }
            if let Some(member) = scan.member(STREAM) {
                patch.remove(text, &member)?;
            }
            if !says.betas.is_empty() && scan.member(BETA).is_none() {
                patch.insert(text, scan.root, "anthropic_beta", &array(&says.betas))?;
            }
            Ok(())
        };
        edit().expect("five members of one object, each edited once, are far from a patch's limits");
        let mut body = Vec::with_capacity(patch.patched_bytes(text.len()));
        patch.append_to(text, &mut body);
        Ok(body)
    }

    /// The version of the API that is asked for. What Anthropic calls 2023-06-01 each cloud has a name of its own for; later ones have one
    /// name everywhere. Bedrock has those for models since Claude 4.7 only (platform.claude.com, API versions); they refuse what the
    /// older one takes, so the others get the older one.
    fn version<'v>(self, model: &str, asked: Option<&'v str>) -> &'v str {
        let later = asked.filter(|version| is_date(version) && *version > "2023-06-01");
        match self {
            Elsewhere::RawPredict => later.unwrap_or("vertex-2023-10-16"),
            Elsewhere::Invoke => later.filter(|_| generation(model) >= (4, 7)).unwrap_or("bedrock-2023-05-31"),
        }
    }
}

/// What a client of Anthropic's API says beside its body. Nothing for a request that was composed.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Says<'h> {
    pub version: Option<&'h str>,
    pub betas: Vec<&'h str>,
}

impl<'h> Says<'h> {
    /// Reads the lines of a request's head, names in lower case.
    pub fn of(lines: &'h [u8]) -> Says<'h> {
        let mut says = Says::default();
        for line in lines.split(|byte| *byte == b'\n') {
            let Some((name, value)) = std::str::from_utf8(line).ok().and_then(|line| line.split_once(':')) else {
                continue;
            };
            match name {
                "anthropic-version" => says.version = Some(value.trim()),
                "anthropic-beta" => {
                    says.betas.extend(value.split(',').map(str::trim).filter(|beta| !beta.is_empty()));
                }
                _ => {}
            }
        }
        says
    }
}

fn is_date(text: &str) -> bool {
    text.len() == 10
        && text
            .bytes()
            .enumerate()
            .all(|(at, byte)| if matches!(at, 4 | 7) { byte == b'-' } else { byte.is_ascii_digit() })
}

/// The generation that a name tells: 4.7 of `anthropic.claude-opus-4-7`, 3.7 of `claude-3-7-sonnet@20250219`, 5.0 of `claude-sonnet-5`. 0.0
/// where it tells none. A date is none.
fn generation(model: &str) -> (u8, u8) {
    let behind = model.split_once("claude-").map_or("", |(_, behind)| behind);
    let mut parts = behind.split(['-', '@', ':', '.']).skip_while(|part| !is_short_number(part));
    let mut next = || parts.next().filter(|part| is_short_number(part)).and_then(|part| part.parse().ok()).unwrap_or(0);
    (next(), next())
}

fn is_short_number(text: &str) -> bool {
    (1..=2).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Why a body cannot be adapted: the client is to blame.
#[derive(Debug, PartialEq, Eq)]
pub struct Unadapted(pub scan::ScanError);

static MEMBERS: Members = Members::strict(&["model", "stream", "anthropic_version", "anthropic_beta"]);
const MODEL: usize = 0;
const STREAM: usize = 1;
const VERSION: usize = 2;
const BETA: usize = 3;

fn append_segment(path: &mut String, segment: &str, plain: &[u8]) {
    for byte in segment.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || plain.contains(&byte) {
            path.push(char::from(byte));
        } else {
            // Writing to a `String` does not fail.
            let _ = write!(path, "%{byte:02X}");
        }
    }
}

fn array(texts: &[&str]) -> Vec<u8> {
    let mut json = vec![b'['];
    for (index, text) in texts.iter().enumerate() {
        if index > 0 {
            json.push(b',');
        }
        strings::write_string(&mut json, text);
    }
    json.push(b']');
    json
}

/// What an error of `rawPredict` means: Google's front answers in its own form, the model behind it in Anthropic's.
pub fn classify_raw_predict(status: u16, body: &[u8]) -> ProviderError<'_> {
    static TYPE: Members = Members::last_wins(&["type"]);
    let is_anthropic_s = scan::scan(&TYPE, body).is_ok_and(|scan| {
        scan.member(0).is_some_and(|member| Value::at(body, member.value.start as usize).says("error"))
    });
    if is_anthropic_s {
        anthropic_messages::classify::classify(status, body)
    } else {
        gemini::classify::classify(status, body)
    }
}

/// Is it a name of one of Anthropic's models, as the clouds write them: `claude-sonnet-5@20260105`, `anthropic.claude-opus-5`, either behind
/// the region of an inference profile, or behind the slash of a path or an ARN?
pub fn names_claude(model: &str) -> bool {
    let name = model.rsplit('/').next().unwrap_or(model);
    name.starts_with("claude-") || name.split('.').any(|part| part == "anthropic")
}

#[cfg(test)]
mod tests;
