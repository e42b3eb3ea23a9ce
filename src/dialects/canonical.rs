//! The superset that all dialects meet in: what can be asked, and what can be answered.
//!
//! A client's request is parsed into a [`Request`] by its own dialect and composed by the upstream's; an upstream's answer, whole or
//! streamed, is read as a sequence of [`Event`]s and rendered by the client's dialect, whole or streamed. No pair of dialects is
//! written twice, and a whole answer and a stream give the same figures because they are the same events.
//!
//! Everything borrows from the text that it was read from. Strings stay escaped ([`Text`]) and values stay as they were written
//! ([`Raw`]) where nobody has to understand them; a streamed chunk is translated without an allocation.
//!
//! Nothing is dropped in silence. What a dialect does not know is an [`Extra`]; what the other one cannot say it refuses
//! ([`Unsupported`]) or, where that was allowed, notes ([`Notes`]). A hint, which cannot change what the answer means, is always noted.

use super::openai_chat::variant::Variant;
use crate::json::piece::{Raw, Text};
use std::borrow::Cow;

/// What a client asks for.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Request<'a> {
    /// What precedes the conversation: system and developer messages before the first turn, in order.
    pub system: Vec<Part<'a>>,
    pub messages: Vec<Message<'a>>,
    pub tools: Vec<Tool<'a>>,
    pub tool_choice: Option<ToolChoice<'a>>,
    /// The client knows OpenAI's functions of before there were tools, and wants its calls in that form. What is asked is the same.
    pub wants_function_calls: bool,
    /// Results of tools refer to tools; see [`super::tool_references`].
    pub has_tool_references: bool,
    /// May the model call several tools in one turn?
    pub parallel_tool_calls: Option<bool>,
    pub output: OutputFormat<'a>,
    pub output_tokens_max: Option<u64>,
    /// Numbers as the client wrote them: 0.7 must not become 0.69999999.
    pub temperature: Option<Raw<'a>>,
    pub top_p: Option<Raw<'a>>,
    pub top_k: Option<Raw<'a>>,
    pub frequency_penalty: Option<Raw<'a>>,
    pub presence_penalty: Option<Raw<'a>>,
    pub seed: Option<Raw<'a>>,
    pub stop: Vec<Text<'a>>,
    /// Log probabilities are wanted, and for so many alternatives of each token.
    pub logprobs: Option<u64>,
    /// Answers wanted; 1 unless said otherwise.
    pub answers: Option<u64>,
    pub reasoning: Option<Reasoning>,
    pub stream: bool,
    /// A client of OpenAI's dialect asks for the usage chunk itself.
    pub stream_usage: bool,
    /// Who the end user is. A hint.
    pub user: Option<Text<'a>>,
    /// What only some dialects know, by its path in the client's body.
    pub extras: Vec<Extra<'a>>,
}

/// One turn. A turn of tool results alone has the role `User`, as Anthropic and Gemini have it.
#[derive(Debug, Clone, PartialEq)]
pub struct Message<'a> {
    pub role: Role,
    pub parts: Vec<Part<'a>>,
    /// OpenAI's `name` of a participant. A hint.
    pub name: Option<Text<'a>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// System or developer, in the middle of a conversation.
    System,
    User,
    Assistant,
}

/// A piece of a turn.
#[derive(Debug, Clone, PartialEq)]
pub struct Part<'a> {
    pub body: PartBody<'a>,
    /// A prompt cache may end after this part. A hint.
    pub cache: Option<CacheHint>,
}

impl<'a> From<PartBody<'a>> for Part<'a> {
    fn from(body: PartBody<'a>) -> Part<'a> {
        Part { body, cache: None }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub enum PartBody<'a> {
    Text(Text<'a>),
    /// `detail` is OpenAI's low, high, auto. A hint.
    Image {
        source: Source<'a>,
        detail: Option<Text<'a>>,
    },
    /// A PDF or a text. `name` is its file name or title.
    Document {
        source: Source<'a>,
        name: Option<Text<'a>>,
    },
    /// `format` is `wav` or `mp3`.
    Audio {
        source: Source<'a>,
    },
    ToolCall(ToolCall<'a>),
    ToolResult(ToolResult<'a>),
    /// What the model thought, as it was shown. The signature proves it to the provider that made it.
    Thinking {
        text: Text<'a>,
        signature: Option<Signature<'a>>,
    },
    /// Thoughts that only their provider can read.
    SealedThinking(Signature<'a>),
    /// The model declined, in its own words.
    Refusal(Text<'a>),
    /// What only the client's dialect knows: its path in the client's body, and as it is written.
    Other {
        param: String,
        raw: Raw<'a>,
    },
}

/// Where the bytes of an image, a document or a sound are.
#[derive(Debug, Clone, PartialEq)]
pub enum Source<'a> {
    /// Base64, standard alphabet. `media_type` is for example `image/png`.
    Inline { media_type: Text<'a>, base64: Text<'a> },
    /// A text as it is: a document's body.
    Plain(Text<'a>),
    /// An address that the provider fetches from.
    Url(Text<'a>),
    /// An object that lives at a provider, by its id there.
    File(Text<'a>),
}

/// How long a cached prefix should be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheHint {
    /// Five minutes, or whatever the provider's usual is.
    Short,
    /// An hour.
    Long,
}

#[derive(Debug, Clone, PartialEq)]
pub struct ToolCall<'a> {
    /// Empty where the client's dialect has none; composers that need one make it from the place in the conversation.
    pub id: Text<'a>,
    pub name: Text<'a>,
    pub input: ToolInput<'a>,
    /// Gemini's thought signature of the call.
    pub signature: Option<Signature<'a>>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum ToolInput<'a> {
    /// An object, validated.
    Object(Raw<'a>),
    /// OpenAI's custom tools take a text.
    Text(Text<'a>),
    /// What a model wrote in place of an object; OpenAI's APIs take it back.
    Malformed(Text<'a>),
}

#[derive(Debug, Clone, PartialEq)]
pub struct ToolResult<'a> {
    pub call_id: Text<'a>,
    /// The tool's name, where the dialect says it with the result (Gemini) or the parser found the call.
    pub name: Option<Text<'a>>,
    /// Texts, images, documents.
    pub content: Vec<Part<'a>>,
    /// The result as an object, where the dialect has those (Gemini); `content` is empty then.
    pub object: Option<Raw<'a>>,
    pub is_error: bool,
}

/// A provider's proof of its own thoughts. It is worth something to that provider alone, and is carried through clients of other
/// dialects in their extension fields.
#[derive(Debug, Clone, PartialEq)]
pub struct Signature<'a> {
    pub origin: Origin,
    pub value: Text<'a>,
}

/// Whose signature it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Anthropic's models, by whichever way they are reached.
    Anthropic,
    /// Google's.
    Gemini,
    /// OpenAI's `encrypted_content`.
    OpenAi,
    /// As the client sent it, who did not say.
    Unknown,
}

impl Origin {
    /// How it is written where a signature crosses another dialect.
    pub fn tag(self) -> &'static str {
        match self {
            Origin::Anthropic => "anthropic",
            Origin::Gemini => "gemini",
            Origin::OpenAi => "openai",
            Origin::Unknown => "",
        }
    }

    pub fn of_tag(tag: &str) -> Option<Origin> {
        [Origin::Anthropic, Origin::Gemini, Origin::OpenAi].into_iter().find(|origin| origin.tag() == tag)
    }
}

#[derive(Debug, Clone, PartialEq)]
pub enum Tool<'a> {
    Function(FunctionTool<'a>),
    /// A tool that the provider runs itself, or of a kind that only the client's dialect knows: its path, its type, and as it is written.
    Other {
        param: String,
        kind: Text<'a>,
        raw: Raw<'a>,
    },
}

#[derive(Debug, Clone, PartialEq)]
pub struct FunctionTool<'a> {
    pub name: Text<'a>,
    pub description: Option<Text<'a>>,
    /// JSON Schema of the input; `None`: no input.
    pub schema: Option<Raw<'a>>,
    /// The provider has to keep to the schema.
    pub strict: Option<bool>,
    pub cache: Option<CacheHint>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum ToolChoice<'a> {
    Auto,
    /// Some tool.
    Required,
    None,
    Tool(Text<'a>),
    /// One of these; `required` says whether some tool has to be called.
    Among {
        names: Vec<Text<'a>>,
        required: bool,
    },
}

/// The form of the answer's text.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum OutputFormat<'a> {
    #[default]
    Text,
    JsonObject,
    Schema(OutputSchema<'a>),
}

#[derive(Debug, Clone, PartialEq)]
pub struct OutputSchema<'a> {
    pub name: Option<Text<'a>>,
    pub description: Option<Text<'a>>,
    pub schema: Raw<'a>,
    pub strict: Option<bool>,
}

/// How much thinking is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reasoning {
    pub effort: Option<Effort>,
    /// Thinking tokens at most. Zero: none.
    pub budget_tokens: Option<u64>,
    /// The client wants to read the thoughts, or their summary; `None`: the dialect's usual.
    pub show: Option<bool>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effort {
    None,
    Minimal,
    Low,
    Medium,
    High,
    XHigh,
    Max,
}

/// Every effort and how OpenAI's and Anthropic's dialects spell it.
pub const EFFORTS: &[(Effort, &str)] = &[
    (Effort::None, "none"),
    (Effort::Minimal, "minimal"),
    (Effort::Low, "low"),
    (Effort::Medium, "medium"),
    (Effort::High, "high"),
    (Effort::XHigh, "xhigh"),
    (Effort::Max, "max"),
];

impl Effort {
    pub fn of_name(name: &Text<'_>) -> Option<Effort> {
        EFFORTS.iter().find(|(_, known)| name.says(known)).map(|(effort, _)| *effort)
    }

    pub fn name(self) -> &'static str {
        EFFORTS[self as usize].1
    }

    /// Thinking tokens for models that take a budget, as other gateways have it, so that a change of gateway changes nothing.
    pub fn budget_tokens(self) -> u64 {
        match self {
            Effort::None => 0,
            Effort::Minimal | Effort::Low => 1_024,
            Effort::Medium => 2_048,
            Effort::High => 4_096,
            Effort::XHigh => 8_192,
            Effort::Max => 16_384,
        }
    }

    /// The least effort whose budget is enough, for models that take an effort.
    pub fn of_budget(tokens: u64) -> Effort {
        match tokens {
            0 => Effort::None,
            1..=1_024 => Effort::Low,
            1_025..=2_048 => Effort::Medium,
            2_049..=4_096 => Effort::High,
            4_097..=8_192 => Effort::XHigh,
            _ => Effort::Max,
        }
    }
}

/// A member that only some dialects know.
#[derive(Debug, Clone, PartialEq)]
pub struct Extra<'a> {
    /// Its path in the client's body, for example `generationConfig.speechConfig` or `logit_bias`.
    pub param: Cow<'a, str>,
    pub value: Raw<'a>,
    /// It cannot change what the answer means (tracing, storage, caching, billing class).
    pub is_hint: bool,
}

// ---- what composing needs beside the request, and what it says ----

/// Whom a request is composed for.
#[derive(Debug, Clone, Copy)]
pub struct Target<'t> {
    /// The model's name at the provider.
    pub model: &'t str,
    pub traits: ModelTraits,
    /// The client or the operator lets what cannot be said be dropped.
    pub drops: bool,
}

/// What a model can do, as far as composing depends on it. The default is a current model of its provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModelTraits {
    /// Output limit, where the dialect demands one and the client gave none.
    pub output_tokens_max: u64,
    /// Takes a JSON schema for its answer; otherwise a tool is forced whose input is the answer.
    pub native_schema: bool,
    /// Takes `temperature`, `top_p`, `top_k`.
    pub sampling: bool,
    /// Thinks, or may, where the request does not say.
    pub thinks: bool,
    /// Anthropic: takes adaptive thinking and an effort. Gemini: takes a level. Otherwise a budget.
    pub effort: bool,
    /// Gemini 3 and later: calls have ids.
    pub call_ids: bool,
    /// Gives several answers to one request; otherwise it is asked several times, see [`super::fan_out`].
    pub several_answers: bool,
    /// How a server of OpenAI's chat dialect differs from OpenAI.
    pub chat: Variant,
}

impl Default for ModelTraits {
    fn default() -> Self {
        ModelTraits {
            output_tokens_max: 8_192,
            native_schema: true,
            sampling: true,
            thinks: true,
            effort: true,
            call_ids: true,
            several_answers: true,
            chat: Variant::OPENAI,
        }
    }
}

/// What became of members that could not be carried as they were. Bounded by the request, each at most once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Notes {
    pub notes: Vec<Note>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    pub kind: NoteKind,
    /// Path in the client's body.
    pub param: Cow<'static, str>,
    pub says: Cow<'static, str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoteKind {
    /// It is said in another way, and means the same.
    Mapped,
    /// What is asked for is near to it: a schema in the subset of the upstream, an effort for a budget.
    Adapted,
    Dropped,
}

impl Notes {
    pub fn mapped(&mut self, param: impl Into<Cow<'static, str>>, says: impl Into<Cow<'static, str>>) {
        self.notes.push(Note { kind: NoteKind::Mapped, param: param.into(), says: says.into() });
    }

    pub fn adapted(&mut self, param: impl Into<Cow<'static, str>>, says: impl Into<Cow<'static, str>>) {
        self.notes.push(Note { kind: NoteKind::Adapted, param: param.into(), says: says.into() });
    }

    pub fn dropped(&mut self, param: impl Into<Cow<'static, str>>, says: impl Into<Cow<'static, str>>) {
        self.notes.push(Note { kind: NoteKind::Dropped, param: param.into(), says: says.into() });
    }

    /// A hint that the upstream has no word for.
    pub fn hint(&mut self, param: impl Into<Cow<'static, str>>) {
        self.dropped(param, "The upstream has no such hint.");
    }

    /// A member that the upstream cannot express: dropped where that is allowed.
    ///
    /// # Errors
    /// It is not allowed.
    pub fn unsupported(
        &mut self,
        target: &Target<'_>,
        param: impl Into<Cow<'static, str>>,
        why: impl Into<Cow<'static, str>>,
    ) -> Result<(), Unsupported> {
        if !target.drops {
            return Err(Unsupported { param: param.into(), why: why.into() });
        }
        self.dropped(param, why);
        Ok(())
    }

    /// All the extras that the composer did not take.
    ///
    /// # Errors
    /// One that is no hint, where dropping is not allowed.
    pub fn leave<'a>(
        &mut self,
        target: &Target<'_>,
        extras: impl IntoIterator<Item = &'a Extra<'a>>,
    ) -> Result<(), Unsupported> {
        for extra in extras {
            let param = extra.param.clone().into_owned();
            if extra.is_hint {
                self.hint(param);
            } else {
                self.unsupported(target, param, "The model's API has no such member.")?;
            }
        }
        Ok(())
    }
}

/// The upstream cannot express what is asked for; another deployment may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsupported {
    /// Path in the client's body.
    pub param: Cow<'static, str>,
    pub why: Cow<'static, str>,
}

/// What composing changed that the answer has to be brought back from; see [`super::restore`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Adapted {
    /// The input of the tool with this name is the answer's text: how a schema is had from a model that takes none.
    pub answer_tool: Option<Box<str>>,
    /// Tools that had to be renamed: the upstream's name, the client's name.
    pub names: Vec<(Box<str>, Box<str>)>,
    /// Of each answer's calls only the first is passed on: the upstream cannot be told to make one at a time.
    pub one_call: bool,
    /// In which form the client gets its calls, if not in the usual one. Boxed, as few requests have it.
    pub call_forms: Option<Box<CallForms>>,
}

/// How calls are written for a client of OpenAI's Chat Completions, which knows more than one form.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CallForms {
    /// The client's names of tools whose input is a text: their calls are `custom`.
    pub text_tools: Vec<Box<str>>,
    /// A choice has one call at most, and it is a `function_call`, of before there were tools.
    pub as_function_call: bool,
}

/// The client's request is not what its dialect demands. The client is to blame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    /// Path in the client's body, for example `messages[2].content[0].type`.
    pub param: String,
    /// What is wrong, and what it should be.
    pub message: Cow<'static, str>,
}

// ---- what is answered ----

/// A step of an answer. A whole answer is the same steps in one go; a text may come in any number of pieces.
///
/// Order: `Start` first; then contents; `Finish` once for each choice; `Usage` any time, each replacing the one before; `End` last, if
/// the answer is complete. `ToolArguments` follow their `ToolCall`, and may be interleaved with those of other calls.
#[derive(Debug, Clone, PartialEq)]
pub enum Event<'e> {
    /// What the upstream does not say is empty.
    Start {
        id: Text<'e>,
        model: Text<'e>,
    },
    Text {
        choice: u32,
        text: Text<'e>,
    },
    Refusal {
        choice: u32,
        text: Text<'e>,
    },
    Thinking {
        choice: u32,
        text: Text<'e>,
    },
    /// Proves the thoughts before it, and ends their block.
    ThinkingSignature {
        choice: u32,
        signature: Signature<'e>,
    },
    SealedThinking {
        choice: u32,
        signature: Signature<'e>,
    },
    /// A call begins. `call` counts the calls of the choice from 0.
    ToolCall {
        choice: u32,
        call: u32,
        id: Text<'e>,
        name: Text<'e>,
        signature: Option<Signature<'e>>,
    },
    /// More of the text of the call's input, which is an object once it is complete.
    ToolArguments {
        choice: u32,
        call: u32,
        fragment: Text<'e>,
    },
    /// What a choice carries that only OpenAI's dialects have a place for, by its name there: `logprobs`, `annotations`, `audio`.
    Extra {
        choice: u32,
        name: &'static str,
        raw: Raw<'e>,
    },
    Finish {
        choice: u32,
        reason: Finish<'e>,
    },
    Usage(Usage),
    /// The provider failed in the middle.
    Error(ProviderError<'e>),
    End,
}

impl Event<'_> {
    /// How much the model says in it, as it is written, in bytes.
    pub fn said_bytes(&self) -> u64 {
        match self {
            Event::Text { text, .. } | Event::Thinking { text, .. } | Event::Refusal { text, .. } => text.len() as u64,
            Event::ToolCall { name, .. } => name.len() as u64,
            Event::ToolArguments { fragment, .. } => fragment.len() as u64,
            _ => 0,
        }
    }

    /// The choice that it is about; `None` for what is about the whole answer.
    pub fn choice(&self) -> Option<u32> {
        match self {
            Event::Text { choice, .. }
            | Event::Refusal { choice, .. }
            | Event::Thinking { choice, .. }
            | Event::ThinkingSignature { choice, .. }
            | Event::SealedThinking { choice, .. }
            | Event::ToolCall { choice, .. }
            | Event::ToolArguments { choice, .. }
            | Event::Extra { choice, .. }
            | Event::Finish { choice, .. } => Some(*choice),
            Event::Start { .. } | Event::Usage(_) | Event::Error(_) | Event::End => None,
        }
    }

    /// Appends what the model says in it.
    pub fn append_said(&self, said: &mut String) {
        match self {
            Event::Text { text, .. } | Event::Thinking { text, .. } | Event::Refusal { text, .. } => {
                said.push_str(&text.decoded());
            }
            Event::ToolCall { name, .. } => said.push_str(&name.decoded()),
            Event::ToolArguments { fragment, .. } => said.push_str(&fragment.decoded()),
            _ => {}
        }
    }
}

/// Why a choice ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Finish<'e> {
    Stop,
    /// One of the client's stop sequences, where the provider says which.
    StopSequence(Text<'e>),
    /// The output limit was reached.
    Length,
    /// Input and output together filled the context.
    ContextFull,
    ToolCalls,
    /// The provider's filter, or the model itself, declined.
    ContentFilter,
    /// The provider paused a long turn, to be sent again.
    Pause,
    /// One that no table knows, carried.
    Other(Text<'e>),
}

/// Token counts, normalised before anything is priced. All are disjoint but for `reasoning` and the audio counts, which are parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Input that was neither read from nor written to a cache.
    pub input_uncached: u64,
    pub cache_read: u64,
    /// Written to a cache for five minutes, or for as long as the provider's usual is.
    pub cache_write_short: u64,
    /// Written for an hour.
    pub cache_write_long: u64,
    /// All output, reasoning included.
    pub output: u64,
    /// The part of `output` that was thinking.
    pub reasoning: u64,
    /// The part of the input that was sound.
    pub input_audio: u64,
    /// The part of `output` that is sound.
    pub output_audio: u64,
}

impl Usage {
    /// All input.
    pub fn input(&self) -> u64 {
        self.input_uncached + self.cache_read + self.cache_write()
    }

    pub fn cache_write(&self) -> u64 {
        self.cache_write_short + self.cache_write_long
    }

    pub fn total(&self) -> u64 {
        self.input() + self.output
    }
}

/// A provider's refusal or failure, classified by its own dialect.
#[derive(Debug, Clone, PartialEq)]
pub struct ProviderError<'e> {
    pub class: ErrorClass,
    /// The provider's words, carried; never matched against but by the classifier. Empty where it has none.
    pub message: Text<'e>,
    /// How long it asks to wait, where the body says so.
    pub retry_after_ms: Option<u64>,
}

/// What an upstream's error means to the plan and to the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorClass {
    /// The client's fault; another deployment would say the same.
    InvalidRequest,
    /// Our credential is not accepted, or may not do this.
    Credential,
    /// The model is not there.
    NotFound,
    RateLimited,
    /// Out of credit or over a spending limit: waiting does not help.
    Quota,
    Overloaded,
    Timeout,
    ContentPolicy,
    /// The prompt is longer than the model's context.
    ContextLength,
    TooLarge,
    /// The model or endpoint does not know something that was asked for.
    Unsupported,
    Server,
}

/// What an answer says beside what the upstream does.
#[derive(Debug, Clone)]
pub struct Facts {
    /// Our id of the request.
    pub id: String,
    /// The model's name as the client asked for it.
    pub model: String,
    pub created_s: u64,
    /// The client of a stream of OpenAI's dialect asked for the usage chunk.
    pub usage_asked: bool,
}

/// An upstream's answer is not what its dialect says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed;

/// How the reader of a stream stands after a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    More,
    /// `Event::End` was told; what follows is of no interest.
    Complete,
}

#[cfg(test)]
mod tests;
