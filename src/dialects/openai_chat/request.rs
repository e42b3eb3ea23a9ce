//! A client's request: the members that a gateway acts on, and the few that it may change.
//!
//! Checked here, because a gateway acts on it: `model` is a string of 1 to [`MODEL_BYTES_MAX`] bytes without control characters,
//! `stream` is a boolean or null, `stream_options` is an object or null, `messages` is an array. All else is the provider's to
//! judge, who knows its own limits.
//!
//! May be patched, and nothing else:
//!
//! | member | when | becomes |
//! | --- | --- | --- |
//! | `model` | the deployment's name for the model differs | that name |
//! | `model` | absent (moderations, or named in the path) | inserted |
//! | `stream_options` | usage is wanted, the request streams; absent | inserted: `{"include_usage":true}` |
//! | `stream_options` | the same; null | `{"include_usage":true}` |
//! | `stream_options.include_usage` | the same; absent | inserted: `true` |
//! | `stream_options.include_usage` | the same; anything but `true` | `true` |
//! | `previous_response_id` | it is one of ours | the id that its provider gave ([`RequestView::patch_previous`]) |

use crate::json::patch::{Patch, PatchError};
use crate::json::scan::{self, Member, Members, Scan};
use crate::json::{Kind, Span, value, walk};
use crate::limits::MODEL_BYTES_MAX;
use std::borrow::Cow;
use std::fmt;

/// Names of [`MEMBERS`] as ids.
pub mod id {
    pub const MODEL: usize = 0;
    pub const STREAM: usize = 1;
    pub const STREAM_OPTIONS: usize = 2;
    pub const MAX_TOKENS: usize = 3;
    pub const MAX_COMPLETION_TOKENS: usize = 4;
    pub const N: usize = 5;
    pub const TOOLS: usize = 6;
    pub const RESPONSE_FORMAT: usize = 7;
    pub const USER: usize = 8;
    pub const METADATA: usize = 9;
    pub const MESSAGES: usize = 10;
    pub const INPUT: usize = 11;
    pub const PROMPT: usize = 12;
    pub const SERVICE_TIER: usize = 13;
    pub const STORE: usize = 14;
    pub const MODELS: usize = 15;
    pub const PROVIDER: usize = 16;
    pub const PREVIOUS_RESPONSE_ID: usize = 17;
}

const NAMES: &[&str] = &[
    "model",
    "stream",
    "stream_options",
    "max_tokens",
    "max_completion_tokens",
    "n",
    "tools",
    "response_format",
    "user",
    "metadata",
    "messages",
    "input",
    "prompt",
    "service_tier",
    "store",
    "models",
    "provider",
    "previous_response_id",
];

/// The members to scan a request for; their places are the constants in [`id`].
pub static MEMBERS: Members = Members::strict(NAMES);

static STREAM_OPTIONS: Members = Members::strict(&["include_usage"]);
const INCLUDE_USAGE: usize = 0;

/// What OpenAI answers a moderation with if the request names no model.
pub const MODERATION_MODEL_DEFAULT: &str = "omni-moderation-latest";

/// Which of the endpoints that share this shape a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestKind {
    Chat,
    Completion,
    Embedding,
    Moderation,
    /// Anthropic's messages: the same members decide.
    Messages,
    /// Gemini's requests, whose path names the model and says whether a stream is wanted. A `model` in the body repeats the path's.
    Gemini {
        stream: bool,
    },
    /// A JSON request that is passed through to the deployment that its `model` selects.
    PassThrough,
}

/// Why a request is refused. The client is to blame; `param` names the member, and `Display` says what is wrong with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestError {
    pub param: &'static str,
    pub fault: Fault,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    Missing,
    /// It is of another kind than the text says.
    NotA(&'static str),
    Empty,
    TooLong {
        bytes_max: usize,
    },
    /// A control character, or half of a surrogate pair: neither can be a name in a URL, a log line or a metric label.
    Characters,
    /// The object inside has a member twice, or is refused for another reason that a scan gives.
    Object(scan::ScanErrorKind),
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let param = self.param;
        match self.fault {
            Fault::Missing => write!(f, "'{param}' is missing"),
            Fault::NotA(kind) => write!(f, "'{param}' must be {kind}"),
            Fault::Empty => write!(f, "'{param}' must not be empty"),
            Fault::TooLong { bytes_max } => write!(f, "'{param}' must not be longer than {bytes_max} bytes"),
            Fault::Characters => write!(f, "'{param}' must not contain control characters or lone surrogates"),
            Fault::Object(scan::ScanErrorKind::DuplicateMember(name)) => {
                write!(f, "'{param}' has the member '{name}' twice")
            }
            Fault::Object(scan::ScanErrorKind::CaseVariant(name)) => {
                write!(f, "'{param}' has a member that differs from '{name}' only in letter case")
            }
            Fault::Object(_) => write!(f, "'{param}' is not acceptable"),
        }
    }
}

impl std::error::Error for RequestError {}

/// A request as a gateway sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestView<'t> {
    pub kind: RequestKind,
    /// The model that the client asks for.
    pub model: Cow<'t, str>,
    /// The client wants a stream. Always false where the endpoint has none.
    pub stream: bool,
    /// There is a `response_format`, which may hold a schema.
    pub has_format: bool,
    /// The client itself asks for the usage chunk at the end of the stream.
    pub include_usage: bool,
    /// `max_completion_tokens`, else the older `max_tokens`, if it is a whole number.
    pub output_tokens_max: Option<u64>,
    /// Number of answers asked for, 1 if absent or no whole number.
    pub choices: u64,
    /// It has a list of tools, if only an empty one.
    pub has_tools: bool,
    /// The path names the model.
    is_named: bool,
    /// The text's object, and what of it may be patched.
    root: Span,
    model_member: Option<Member>,
    stream_options: Option<Member>,
    include_usage_member: Option<Member>,
    /// `previous_response_id`, if it is a string.
    previous_response: Option<Member>,
}

impl<'t> RequestView<'t> {
    /// Reads the view out of `text`, which `scan` was made from.
    ///
    /// # Errors
    /// The first member that is not acceptable.
    pub fn read(kind: RequestKind, scan: &Scan, text: &'t [u8]) -> Result<RequestView<'t>, RequestError> {
        RequestView::read_named(kind, scan, text, None)
    }

    /// The same with the model that the path names, if it does: it stands above the body's.
    ///
    /// # Errors
    /// As `read`.
    pub fn read_named(
        kind: RequestKind,
        scan: &Scan,
        text: &'t [u8],
        named: Option<&'t str>,
    ) -> Result<RequestView<'t>, RequestError> {
        let model_member = scan.member(id::MODEL);
        let model = match model_member {
            _ if named.is_some() => path_model(named.unwrap_or_default())?,
            Some(member) => model_name(text, member)?,
            None if kind == RequestKind::Moderation => Cow::Borrowed(MODERATION_MODEL_DEFAULT),
            None => return Err(RequestError { param: "model", fault: Fault::Missing }),
        };
        check_subject(kind, scan)?;
        // Images and speech have `stream` as well; embeddings and moderations know no such member and ignore it.
        let can_stream = !matches!(kind, RequestKind::Embedding | RequestKind::Moderation);
        let stream = match kind {
            RequestKind::Gemini { stream } => stream,
            _ => can_stream && is_true(scan, id::STREAM, "stream")?,
        };
        let has_options =
            stream && matches!(kind, RequestKind::Chat | RequestKind::Completion | RequestKind::PassThrough);
        let include_usage_member = if has_options { include_usage_member(scan, text)? } else { None };
        let number = |id| scan.member(id).and_then(|member| value::u64_in(text, member.value));
        Ok(RequestView {
            kind,
            model,
            stream,
            has_format: scan.member(id::RESPONSE_FORMAT).is_some_and(|member| member.kind == Kind::Object),
            include_usage: include_usage_member.is_some_and(|member| member.kind == Kind::True),
            output_tokens_max: number(id::MAX_COMPLETION_TOKENS).or_else(|| number(id::MAX_TOKENS)),
            choices: number(id::N).unwrap_or(1),
            has_tools: scan.member(id::TOOLS).is_some_and(|member| member.kind == Kind::Array),
            is_named: named.is_some(),
            root: scan.root,
            model_member,
            stream_options: scan.member(id::STREAM_OPTIONS),
            include_usage_member,
            previous_response: scan.member(id::PREVIOUS_RESPONSE_ID).filter(|member| member.kind == Kind::String),
        })
    }

    /// The id of the response that a request of the Responses API goes on from. `text` is what the view was read from.
    pub fn previous_response(&self, text: &[u8]) -> Option<String> {
        let said = value::string_value(self.previous_response?.value.of(text));
        // Half of a surrogate pair is no id.
        Some(said.map_or_else(String::new, Cow::into_owned))
    }

    /// Notes in `patch` that the request goes on from the response with this id.
    ///
    /// # Errors
    /// Only if `patch` already holds edits that are in the way.
    pub fn patch_previous(&self, id: &str, patch: &mut Patch) -> Result<(), PatchError> {
        self.previous_response.map_or(Ok(()), |member| patch.replace_by_string(member.value, id))
    }

    /// Notes the edits of the header's table in `patch`.
    ///
    /// `usage_wanted` says that the deployment understands `stream_options.include_usage` and that its usage is to be counted.
    ///
    /// # Errors
    /// Only if `patch` already holds edits that are in the way.
    pub fn patch(
        &self,
        text: &[u8],
        upstream_model: &str,
        usage_wanted: bool,
        patch: &mut Patch,
    ) -> Result<(), PatchError> {
        match self.model_member {
            // In Gemini's bodies it has the prefix that it has in the path.
            Some(member) if matches!(self.kind, RequestKind::Gemini { .. }) => {
                patch.replace_by_string(member.value, &format!("models/{upstream_model}"))?;
            }
            None if matches!(self.kind, RequestKind::Gemini { .. }) => {}
            // The path's name may differ from the body's.
            Some(member) if self.is_named => patch.replace_by_string(member.value, upstream_model)?,
            Some(member) if self.model != upstream_model => patch.replace_by_string(member.value, upstream_model)?,
            Some(_) => {}
            None => patch.insert_string(text, self.root, "model", upstream_model)?,
        }
        let has_usage_chunk = matches!(self.kind, RequestKind::Chat | RequestKind::Completion);
        if !(self.stream && usage_wanted && has_usage_chunk) || self.include_usage {
            return Ok(());
        }
        const ASKING: &[u8] = br#"{"include_usage":true}"#;
        match (self.stream_options, self.include_usage_member) {
            (None, _) => patch.insert(text, self.root, "stream_options", ASKING),
            (Some(options), _) if options.kind == Kind::Null => patch.replace(options.value, ASKING),
            (Some(options), None) => patch.insert(text, options.value, "include_usage", b"true"),
            (Some(_), Some(member)) => patch.replace(member.value, b"true"),
        }
    }
}

/// Reads and checks a model's name.
fn model_name(text: &[u8], member: Member) -> Result<Cow<'_, str>, RequestError> {
    let refuse = |fault| Err(RequestError { param: "model", fault });
    if member.kind != Kind::String {
        return refuse(Fault::NotA("a string"));
    }
    // An escape takes at most six times the bytes of what it says: a longer literal need not be decoded to be refused.
    if member.value.len() > 6 * MODEL_BYTES_MAX + 2 {
        return refuse(Fault::TooLong { bytes_max: MODEL_BYTES_MAX });
    }
    let literal = member.value.of(text);
    if let Some(inner) = literal.get(1..literal.len().saturating_sub(1))
        && (1..=MODEL_BYTES_MAX).contains(&inner.len())
        && let Some(name) = value::plain_text(inner)
    {
        return Ok(Cow::Borrowed(name));
    }
    let Some(name) = value::string_value(literal) else { return refuse(Fault::Characters) };
    if name.is_empty() {
        return refuse(Fault::Empty);
    }
    if name.len() > MODEL_BYTES_MAX {
        return refuse(Fault::TooLong { bytes_max: MODEL_BYTES_MAX });
    }
    let is_control = |byte: u8| (byte < 0x20) | (byte == 0x7F);
    if name.bytes().fold(false, |any, byte| any | is_control(byte) | (byte >= 0x80))
        && name.chars().any(char::is_control)
    {
        return refuse(Fault::Characters);
    }
    Ok(name)
}

/// Checks a name that came in a path.
fn path_model(name: &str) -> Result<Cow<'_, str>, RequestError> {
    let refuse = |fault| Err(RequestError { param: "model", fault });
    match name {
        "" => refuse(Fault::Empty),
        _ if name.len() > MODEL_BYTES_MAX => refuse(Fault::TooLong { bytes_max: MODEL_BYTES_MAX }),
        _ if name.chars().any(char::is_control) => refuse(Fault::Characters),
        _ => Ok(Cow::Borrowed(name)),
    }
}

/// What the request is about has to be there, and of a kind that a provider can read.
fn check_subject(kind: RequestKind, scan: &Scan) -> Result<(), RequestError> {
    let (param, id, required, fits): (_, _, _, fn(Kind) -> bool) = match kind {
        RequestKind::Chat | RequestKind::Messages => ("messages", id::MESSAGES, true, |kind| kind == Kind::Array),
        // OpenAI completes the empty text if there is no prompt.
        RequestKind::Completion => {
            ("prompt", id::PROMPT, false, |kind| matches!(kind, Kind::String | Kind::Array | Kind::Null))
        }
        RequestKind::Embedding | RequestKind::Moderation => {
            ("input", id::INPUT, true, |kind| matches!(kind, Kind::String | Kind::Array))
        }
        RequestKind::PassThrough | RequestKind::Gemini { .. } => return Ok(()),
    };
    match scan.member(id) {
        None if required => Err(RequestError { param, fault: Fault::Missing }),
        Some(member) if !fits(member.kind) => {
            let kind = if param == "messages" { "an array" } else { "a string or an array" };
            Err(RequestError { param, fault: Fault::NotA(kind) })
        }
        _ => Ok(()),
    }
}

fn is_true(scan: &Scan, id: usize, param: &'static str) -> Result<bool, RequestError> {
    match scan.member(id).map(|member| member.kind) {
        Some(Kind::True) => Ok(true),
        Some(Kind::False | Kind::Null) | None => Ok(false),
        Some(_) => Err(RequestError { param, fault: Fault::NotA("a boolean") }),
    }
}

/// Where `stream_options.include_usage` is.
fn include_usage_member(scan: &Scan, text: &[u8]) -> Result<Option<Member>, RequestError> {
    let param = "stream_options";
    let Some(options) = scan.member(id::STREAM_OPTIONS).filter(|options| options.kind != Kind::Null) else {
        return Ok(None);
    };
    if options.kind != Kind::Object {
        return Err(RequestError { param, fault: Fault::NotA("an object") });
    }
    // As SDKs write it, with its only member; anything else is looked at as what it is, an object of a client.
    let at = options.value.start as usize;
    if let Some(name_end) = walk::after(text, at, br#"{"include_usage":"#) {
        let start = name_end + usize::from(text.get(name_end) == Some(&b' '));
        let kind = match text.get(start..options.value.end as usize) {
            Some(b"true}") => Some(Kind::True),
            Some(b"false}") => Some(Kind::False),
            _ => None,
        };
        if let Some(kind) = kind {
            let key = Span::new(at + 1, name_end - 1);
            return Ok(Some(Member { key, value: Span::new(start, options.value.end as usize - 1), kind }));
        }
    }
    let inner = scan::scan(&STREAM_OPTIONS, options.value.of(text))
        .map_err(|error| RequestError { param, fault: Fault::Object(error.kind) })?;
    Ok(inner.member(INCLUDE_USAGE).map(|member| member.shifted(options.value.start)))
}

#[cfg(test)]
mod tests;
