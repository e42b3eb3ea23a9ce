//! Between two dialects: the one table of who parses, composes, reads and renders what.
//!
//! A request is parsed once and composed for each attempt. What its answer needs on the way back, [`Translation`], is made with it.

use super::{
    anthropic_messages::{
        self,
        elsewhere::{self, Asked, Elsewhere, frames::Unframer},
        read::KnownMessage,
    },
    bedrock_converse::{
        self,
        event_stream::{self, Kind},
    },
    canonical::{
        Adapted, CallForms, ErrorClass, Event, Facts, Invalid, Malformed, Notes, PartBody, Progress, ProviderError,
        Request, Target, ToolInput, Unsupported, Usage,
    },
    cohere_chat, estimate, gemini,
    ollama::{self, lines},
    openai_chat::{self, pass_through::Verdict},
    openai_responses::{self, echo::Echo},
    restore::Restore,
    text_tools, tool_references,
    wire::{ClientWire, UpstreamWire},
};
use crate::{error::Failure, limits::SSE_EVENT_BYTES_MAX, sse::split::Splitter};
use std::{borrow::Cow, rc::Rc};

mod several;

pub use several::SeveralStreams;
pub(in crate::dialects) use several::plus;

/// Reads a client's request, a scanned JSON object.
///
/// # Errors
/// It is not what its dialect demands.
pub fn parse(client: ClientWire, text: &[u8]) -> Result<Request<'_>, Invalid> {
    match client {
        ClientWire::OpenAiChat => openai_chat::parse::parse(text),
        ClientWire::OpenAiResponses => openai_responses::parse::parse(text),
        ClientWire::AnthropicMessages => anthropic_messages::parse::parse(text),
        ClientWire::GeminiContent => gemini::parse::parse(text),
    }
}

/// Is there an earlier call whose arguments are no object? A client sends back what the model wrote.
fn has_malformed_calls(request: &Request<'_>) -> bool {
    let mut parts = request.messages.iter().flat_map(|message| &message.parts);
    parts.any(|part| matches!(&part.body, PartBody::ToolCall(call) if matches!(call.input, ToolInput::Malformed(_))))
}

/// Appends the upstream's request.
///
/// # Errors
/// The upstream's dialect cannot express it.
pub fn compose(
    upstream: UpstreamWire,
    request: &Request<'_>,
    target: &Target<'_>,
    notes: &mut Notes,
    out: &mut Vec<u8>,
) -> Result<Adapted, Unsupported> {
    let speaks_anthropic = matches!(
        upstream,
        UpstreamWire::AnthropicMessages | UpstreamWire::AnthropicRawPredict | UpstreamWire::AnthropicInvoke
    );
    let changed = if speaks_anthropic { None } else { tool_references::as_texts(request, notes) };
    let request = changed.as_ref().unwrap_or(request);
    let mut adapted = match upstream {
        UpstreamWire::OpenAiChat => openai_chat::compose::compose(request, target, notes, out),
        UpstreamWire::AnthropicMessages | UpstreamWire::AnthropicRawPredict | UpstreamWire::AnthropicInvoke => {
            anthropic_messages::compose::compose(request, target, notes, out)
        }
        UpstreamWire::GeminiContent => gemini::compose::compose(request, target, notes, out),
        UpstreamWire::BedrockConverse => bedrock_converse::compose::compose(request, target, notes, out),
        UpstreamWire::OpenAiResponses => openai_responses::compose::compose(request, target, notes, out),
        UpstreamWire::CohereChat => cohere_chat::compose::compose(request, target, notes, out),
        UpstreamWire::OllamaChat => ollama::compose::compose(request, target, notes, out),
    }?;
    if !matches!(upstream, UpstreamWire::OpenAiChat | UpstreamWire::OpenAiResponses) && has_malformed_calls(request) {
        notes.adapted("messages[].tool_calls", "Arguments that are no JSON object are sent as a text in one.");
    }
    let as_function_call = request.wants_function_calls;
    let forms = CallForms { text_tools: text_tools::names(request), as_function_call };
    adapted.call_forms = (forms != CallForms::default()).then(|| Box::new(forms));
    // The form has room for one call.
    adapted.one_call |= as_function_call;
    Ok(adapted)
}

/// The path below the provider's base URL.
pub fn path(upstream: UpstreamWire, model: &str, stream: bool) -> Cow<'static, str> {
    match upstream {
        UpstreamWire::OpenAiChat => openai_chat::compose::path(model, stream),
        UpstreamWire::AnthropicMessages => anthropic_messages::compose::path(model, stream),
        UpstreamWire::AnthropicRawPredict => Elsewhere::RawPredict.path(model, Asked::Message { stream }).into(),
        UpstreamWire::AnthropicInvoke => Elsewhere::Invoke.path(model, Asked::Message { stream }).into(),
        UpstreamWire::GeminiContent => gemini::compose::path(model, stream),
        UpstreamWire::BedrockConverse => bedrock_converse::compose::path(model, stream),
        UpstreamWire::OpenAiResponses => openai_responses::compose::path(model, stream),
        UpstreamWire::CohereChat => cohere_chat::compose::path(model, stream),
        UpstreamWire::OllamaChat => ollama::compose::path(model, stream),
    }
}

/// What an upstream's error means. `name` is what a header calls it, where one does.
pub fn classify<'b>(upstream: UpstreamWire, status: u16, name: &str, body: &'b [u8]) -> ProviderError<'b> {
    match upstream {
        UpstreamWire::OpenAiChat => openai_chat::classify::classify(status, body),
        UpstreamWire::AnthropicMessages => anthropic_messages::classify::classify(status, body),
        UpstreamWire::AnthropicRawPredict => elsewhere::classify_raw_predict(status, body),
        UpstreamWire::GeminiContent => gemini::classify::classify(status, body),
        UpstreamWire::BedrockConverse | UpstreamWire::AnthropicInvoke => {
            bedrock_converse::classify::classify_named(status, name, body)
        }
        UpstreamWire::OpenAiResponses => openai_responses::classify::classify(status, body),
        UpstreamWire::CohereChat => cohere_chat::classify::classify(status, body),
        UpstreamWire::OllamaChat => ollama::classify::classify(status, body),
    }
}

/// Reads a whole answer, and validates it as JSON.
///
/// # Errors
/// It is none.
pub fn whole(upstream: UpstreamWire, text: &[u8], tell: &mut dyn FnMut(Event<'_>)) -> Result<(), Malformed> {
    match upstream {
        UpstreamWire::OpenAiChat => openai_chat::read::whole(text, tell),
        UpstreamWire::AnthropicMessages | UpstreamWire::AnthropicRawPredict | UpstreamWire::AnthropicInvoke => {
            anthropic_messages::read::whole(text, tell)
        }
        UpstreamWire::GeminiContent => gemini::read::whole(text, tell),
        UpstreamWire::BedrockConverse => bedrock_converse::read::whole(text, tell),
        UpstreamWire::OpenAiResponses => openai_responses::read::whole(text, tell),
        UpstreamWire::CohereChat => cohere_chat::read::whole(text, tell),
        UpstreamWire::OllamaChat => ollama::read::whole(text, tell),
    }
}

/// The same of an answer that may be like those that are known of its deployment.
///
/// # Errors
/// As `whole`.
fn whole_like(
    upstream: UpstreamWire,
    known: Option<&mut KnownMessage>,
    text: &[u8],
    tell: &mut dyn FnMut(Event<'_>),
) -> Result<(), Malformed> {
    match (upstream, known) {
        (
            UpstreamWire::AnthropicMessages | UpstreamWire::AnthropicRawPredict | UpstreamWire::AnthropicInvoke,
            Some(known),
        ) => anthropic_messages::read::whole_like(known, text, tell),
        _ => whole(upstream, text, tell),
    }
}

enum Reader {
    OpenAiChat(openai_chat::read::Reader),
    AnthropicMessages(anthropic_messages::read::Reader),
    GeminiContent(gemini::read::Reader),
    BedrockConverse(bedrock_converse::read::Reader),
    OpenAiResponses(openai_responses::read::Reader),
    CohereChat(cohere_chat::read::Reader),
    OllamaChat(ollama::read::Reader),
}

impl Reader {
    fn new(upstream: UpstreamWire) -> Reader {
        match upstream {
            UpstreamWire::OpenAiChat => Reader::OpenAiChat(Default::default()),
            UpstreamWire::AnthropicMessages | UpstreamWire::AnthropicRawPredict | UpstreamWire::AnthropicInvoke => {
                Reader::AnthropicMessages(Default::default())
            }
            UpstreamWire::GeminiContent => Reader::GeminiContent(Default::default()),
            UpstreamWire::BedrockConverse => Reader::BedrockConverse(Default::default()),
            UpstreamWire::OpenAiResponses => Reader::OpenAiResponses(Default::default()),
            UpstreamWire::CohereChat => Reader::CohereChat(Default::default()),
            UpstreamWire::OllamaChat => Reader::OllamaChat(Default::default()),
        }
    }

    fn frame(&mut self, name: &[u8], data: &[u8], tell: &mut dyn FnMut(Event<'_>)) -> Result<Progress, Malformed> {
        match self {
            Reader::OpenAiChat(reader) => reader.frame(name, data, tell),
            Reader::AnthropicMessages(reader) => reader.frame(name, data, tell),
            Reader::GeminiContent(reader) => reader.frame(name, data, tell),
            Reader::BedrockConverse(reader) => reader.frame(name, data, tell),
            Reader::OpenAiResponses(reader) => reader.frame(name, data, tell),
            Reader::CohereChat(reader) => reader.frame(name, data, tell),
            Reader::OllamaChat(reader) => reader.frame(name, data, tell),
        }
    }

    fn end(&mut self, tell: &mut dyn FnMut(Event<'_>)) -> Result<(), Malformed> {
        match self {
            Reader::OpenAiChat(reader) => reader.end(tell),
            Reader::AnthropicMessages(reader) => reader.end(tell),
            Reader::GeminiContent(reader) => reader.end(tell),
            Reader::BedrockConverse(reader) => reader.end(tell),
            Reader::OpenAiResponses(reader) => reader.end(tell),
            Reader::CohereChat(reader) => reader.end(tell),
            Reader::OllamaChat(reader) => reader.end(tell),
        }
    }
}

enum StreamRenderer {
    OpenAiChat(openai_chat::render::Stream),
    OpenAiResponses(openai_responses::render::Stream),
    AnthropicMessages(anthropic_messages::render::Stream),
    GeminiContent(gemini::render::Stream),
    /// One of those that share a renderer.
    Lane(several::LaneRenderer),
}

impl StreamRenderer {
    fn new(client: ClientWire, facts: Facts, echo: Option<Echo>, forms: CallForms) -> StreamRenderer {
        match client {
            ClientWire::OpenAiChat => {
                StreamRenderer::OpenAiChat(openai_chat::render::Stream::with_calls_as(forms, facts))
            }
            ClientWire::OpenAiResponses => {
                let echo = echo.unwrap_or_default();
                StreamRenderer::OpenAiResponses(openai_responses::render::Stream::repeating(facts, echo))
            }
            ClientWire::AnthropicMessages => {
                StreamRenderer::AnthropicMessages(anthropic_messages::render::Stream::new(facts))
            }
            ClientWire::GeminiContent => StreamRenderer::GeminiContent(gemini::render::Stream::new(facts)),
        }
    }

    fn event(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        match self {
            StreamRenderer::OpenAiChat(stream) => stream.event(event, out),
            StreamRenderer::OpenAiResponses(stream) => stream.event(event, out),
            StreamRenderer::AnthropicMessages(stream) => stream.event(event, out),
            StreamRenderer::GeminiContent(stream) => stream.event(event, out),
            StreamRenderer::Lane(lane) => lane.event(event, out),
        }
    }
}

impl StreamRenderer {
    fn fail(&mut self, failure: &Failure, out: &mut Vec<u8>) -> bool {
        match self {
            StreamRenderer::OpenAiResponses(stream) => stream.fail(failure, out),
            StreamRenderer::GeminiContent(stream) => stream.fail(failure, out),
            StreamRenderer::OpenAiChat(_) | StreamRenderer::AnthropicMessages(_) => return false,
            StreamRenderer::Lane(lane) => return lane.fail(failure, out),
        }
        true
    }
}

enum WholeRenderer {
    OpenAiChat(openai_chat::render::Whole),
    OpenAiResponses(openai_responses::render::Whole),
    AnthropicMessages(anthropic_messages::render::Whole),
    GeminiContent(gemini::render::Whole),
}

impl WholeRenderer {
    fn new(client: ClientWire, facts: Facts, echo: Option<Echo>, forms: CallForms) -> WholeRenderer {
        match client {
            ClientWire::OpenAiChat => {
                WholeRenderer::OpenAiChat(openai_chat::render::Whole::with_calls_as(forms, facts))
            }
            ClientWire::OpenAiResponses => {
                let echo = echo.unwrap_or_default();
                WholeRenderer::OpenAiResponses(openai_responses::render::Whole::repeating(facts, echo))
            }
            ClientWire::AnthropicMessages => {
                WholeRenderer::AnthropicMessages(anthropic_messages::render::Whole::new(facts))
            }
            ClientWire::GeminiContent => WholeRenderer::GeminiContent(gemini::render::Whole::new(facts)),
        }
    }

    fn event(&mut self, event: &Event<'_>) {
        match self {
            WholeRenderer::OpenAiChat(whole) => whole.event(event),
            WholeRenderer::OpenAiResponses(whole) => whole.event(event),
            WholeRenderer::AnthropicMessages(whole) => whole.event(event),
            WholeRenderer::GeminiContent(whole) => whole.event(event),
        }
    }

    fn finish(self, out: &mut Vec<u8>) {
        match self {
            WholeRenderer::OpenAiChat(whole) => whole.finish(out),
            WholeRenderer::OpenAiResponses(whole) => whole.finish(out),
            WholeRenderer::AnthropicMessages(whole) => whole.finish(out),
            WholeRenderer::GeminiContent(whole) => whole.finish(out),
        }
    }
}

/// The way back of one attempt's answer.
#[derive(Debug, Clone)]
pub struct Translation {
    pub client: ClientWire,
    pub upstream: UpstreamWire,
    pub adapted: Adapted,
    /// Tools whose input is a text, which went as functions.
    pub text_tools: Vec<Box<str>>,
    pub facts: Facts,
    /// What an answer of the Responses API repeats of its request.
    pub echo: Option<Echo>,
    /// The client takes a whole answer as the only element of an array.
    pub in_array: bool,
    /// What was asked, for an estimate of its tokens where the upstream counts none.
    pub prompt: Prompt,
    /// The answer is that of so many calls, each of which has one choice of it.
    pub calls: u8,
}

/// The body of a client's request.
#[derive(Debug, Clone)]
pub struct Prompt {
    pub bytes: Rc<Vec<u8>>,
    /// Where the body begins.
    pub start: usize,
    /// What a tokenizer made of it and of the answer.
    pub counted: Option<Box<Usage>>,
}

impl Prompt {
    /// The usage that an upstream did not report, of an answer that says so many bytes.
    fn estimate(&self, said_bytes: u64) -> Usage {
        if let Some(counted) = &self.counted {
            return **counted;
        }
        let input_uncached = estimate::of_request(&self.bytes[self.start..]);
        Usage { input_uncached, output: estimate::of_text(said_bytes), ..Usage::default() }
    }
}

/// What a whole answer comes to.
#[derive(Debug, Clone, PartialEq)]
pub enum Translated {
    Answer {
        /// As the provider reported it. The client gets an estimate where it did not.
        usage: Option<Usage>,
        /// How much the model said, in bytes.
        said_bytes: u64,
    },
    /// An answer whose tokens the provider did not count: these are estimated, and the client is told them.
    Estimated(Usage),
    /// A count of tokens, which uses none, or pictures that are not paid for by the token.
    Count,
    /// The provider reported an error inside a good status.
    Error(ProviderError<'static>),
}

impl Translation {
    /// Appends a whole answer in the client's form. `text` is validated as JSON.
    ///
    /// # Errors
    /// It is no answer.
    pub fn whole(self, text: &[u8], out: &mut Vec<u8>) -> Result<Translated, Malformed> {
        self.whole_like(None, text, out)
    }

    /// The same of an answer that may be like those that are known of its deployment.
    ///
    /// # Errors
    /// As `whole`.
    pub fn whole_like(
        self,
        known: Option<&mut KnownMessage>,
        text: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<Translated, Malformed> {
        let forms = self.call_forms();
        let mut renderer = WholeRenderer::new(self.client, self.facts, self.echo, forms);
        let mut restore = Restore::new(self.adapted).with_text_tools(self.text_tools);
        let (mut usage, mut error, mut said_bytes) = (None, None, 0);
        whole_like(self.upstream, known, text, &mut |event| {
            restore.event(event, &mut |event| {
                match &event {
                    Event::Usage(counted) => usage = Some(*counted),
                    Event::Error(told) => error = Some(owned(told)),
                    event => said_bytes += event.said_bytes(),
                }
                renderer.event(&event);
            });
        })?;
        if let Some(error) = error {
            return Ok(Translated::Error(error));
        }
        if usage.is_none() {
            renderer.event(&Event::Usage(self.prompt.estimate(said_bytes)));
        }
        if self.in_array {
            out.push(b'[');
        }
        renderer.finish(out);
        if self.in_array {
            out.push(b']');
        }
        Ok(Translated::Answer { usage, said_bytes })
    }

    /// In which form the client gets its calls: a tool that takes a text is one whatever it went upstream as.
    fn call_forms(&self) -> CallForms {
        let mut forms = self.adapted.call_forms.as_deref().cloned().unwrap_or_default();
        forms.text_tools.extend(self.text_tools.iter().cloned());
        forms
    }

    /// A stream in the client's form.
    pub fn stream(self) -> TranslatedStream {
        let forms = self.call_forms();
        TranslatedStream {
            frames: Frames::new(self.upstream),
            reader: Reader::new(self.upstream),
            restore: Restore::new(self.adapted).with_text_tools(self.text_tools),
            renderer: StreamRenderer::new(self.client, self.facts, self.echo, forms),
            told: Told::of(self.prompt),
        }
    }
}

pub(in crate::dialects) fn owned(error: &ProviderError<'_>) -> ProviderError<'static> {
    let message = error.message.clone().into_owned();
    ProviderError { class: error.class, message, retry_after_ms: error.retry_after_ms }
}

/// A stream on its way from one dialect into another. The same doors as a pass-through.
pub struct TranslatedStream {
    frames: Frames,
    reader: Reader,
    restore: Restore,
    renderer: StreamRenderer,
    told: Told,
}

/// What has been told of a stream.
struct Told {
    usage: Option<Usage>,
    said_bytes: u64,
    has_begun: bool,
    has_failed: bool,
    error: Option<ErrorClass>,
    prompt: Prompt,
}

impl TranslatedStream {
    /// As the last usage that came said.
    pub fn usage(&self) -> Option<Usage> {
        self.told.usage
    }

    /// What the provider's error means, if it told of one.
    pub fn error(&self) -> Option<ErrorClass> {
        self.told.error
    }

    /// How much the model has said, in bytes.
    pub fn said_bytes(&self) -> u64 {
        self.told.said_bytes
    }

    /// Appends a failure that ends the stream, where the client's dialect ties it to what was said before; false where it does not.
    pub fn fail(&mut self, failure: &Failure, out: &mut Vec<u8>) -> bool {
        self.renderer.fail(failure, out)
    }

    /// Content, reasoning, a tool call, or an end has been seen.
    pub fn has_begun(&self) -> bool {
        self.told.has_begun
    }

    /// Takes the next piece, cut anywhere, and appends what the client gets of it.
    pub fn feed(&mut self, piece: &[u8], out: &mut Vec<u8>) -> Verdict {
        let TranslatedStream { frames, reader, restore, renderer, told } = self;
        let mut take = |name: &[u8], data: &[u8]| {
            let read = reader.frame(name, data, &mut |event| {
                restore.event(event, &mut |event| told.pass(&event, renderer, out));
            });
            match read {
                Err(Malformed) => Verdict::Malformed,
                Ok(_) if told.has_failed => Verdict::Error,
                Ok(Progress::Complete) => Verdict::Complete,
                Ok(Progress::More) => Verdict::More,
            }
        };
        match frames {
            Frames::Events(splitter) => {
                let mut feed = splitter.feed(piece);
                loop {
                    let verdict = match feed.next() {
                        Err(_) => Verdict::Malformed,
                        Ok(None) => return Verdict::More,
                        Ok(Some(event)) => take(event.name, event.data),
                    };
                    if verdict != Verdict::More {
                        return verdict;
                    }
                }
            }
            Frames::Messages(splitter) => {
                let mut feed = splitter.feed(piece);
                loop {
                    let verdict = match feed.next() {
                        Err(_) => Verdict::Malformed,
                        Ok(None) => return Verdict::More,
                        Ok(Some(message)) => match message.kind() {
                            Kind::Event(name) | Kind::Exception(name) => take(name.as_bytes(), message.payload),
                            Kind::Error { .. } => Verdict::Error,
                            Kind::Unknown => Verdict::More,
                        },
                    };
                    if verdict != Verdict::More {
                        return verdict;
                    }
                }
            }
            Frames::Lines(splitter) => {
                let mut feed = splitter.feed(piece);
                loop {
                    let verdict = match feed.next() {
                        Err(_) => Verdict::Malformed,
                        Ok(None) => return Verdict::More,
                        Ok(Some(line)) => take(b"", line),
                    };
                    if verdict != Verdict::More {
                        return verdict;
                    }
                }
            }
            Frames::Chunks(unframer) => unframer.feed(piece, |name, data| take(name.as_bytes(), data)),
        }
    }

    /// The upstream ended its stream cleanly.
    pub fn end(&mut self, out: &mut Vec<u8>) -> Verdict {
        let TranslatedStream { frames, reader, restore, renderer, told } = self;
        // Some servers leave the last blank line, or line end, out.
        let unfinished = match frames {
            Frames::Events(splitter) => splitter.unfinished_event().map(|event| (event.name, event.data)),
            Frames::Lines(splitter) => splitter.unfinished_line().map(|line| (&b""[..], line)),
            Frames::Messages(_) | Frames::Chunks(_) => None,
        };
        if let Some((name, data)) = unfinished {
            let read = reader.frame(name, data, &mut |event| {
                restore.event(event, &mut |event| told.pass(&event, renderer, out));
            });
            match read {
                Err(Malformed) => return Verdict::Truncated,
                Ok(Progress::Complete) if !told.has_failed => return Verdict::Complete,
                Ok(_) => {}
            }
        }
        let is_cut = match frames {
            Frames::Events(_) | Frames::Lines(_) => false,
            Frames::Messages(splitter) => !splitter.is_between_messages(),
            Frames::Chunks(unframer) => !unframer.is_between_frames(),
        };
        if is_cut {
            return Verdict::Truncated;
        }
        let ended = reader.end(&mut |event| restore.event(event, &mut |event| told.pass(&event, renderer, out)));
        match ended {
            _ if told.has_failed => Verdict::Error,
            Ok(()) => Verdict::Complete,
            Err(Malformed) => Verdict::Truncated,
        }
    }
}

/// How an upstream cuts its stream into frames.
enum Frames {
    /// Server-sent events.
    Events(Splitter),
    /// AWS's binary messages.
    Messages(event_stream::Splitter),
    /// A line of JSON for each.
    Lines(lines::Splitter),
    /// Events of Anthropic's in those.
    Chunks(Unframer),
}

impl Frames {
    fn new(upstream: UpstreamWire) -> Frames {
        match upstream {
            UpstreamWire::BedrockConverse => Frames::Messages(event_stream::Splitter::new(SSE_EVENT_BYTES_MAX)),
            UpstreamWire::OllamaChat => Frames::Lines(lines::Splitter::new(SSE_EVENT_BYTES_MAX)),
            UpstreamWire::AnthropicInvoke => Frames::Chunks(Unframer::default()),
            _ => Frames::Events(Splitter::new(SSE_EVENT_BYTES_MAX)),
        }
    }
}

impl Told {
    fn of(prompt: Prompt) -> Told {
        Told { usage: None, said_bytes: 0, has_begun: false, has_failed: false, error: None, prompt }
    }

    /// Takes note of an event and renders it. An error is not rendered: whoever relays the stream tells of it.
    fn pass(&mut self, event: &Event<'_>, renderer: &mut StreamRenderer, out: &mut Vec<u8>) {
        match event {
            Event::Error(error) => {
                self.has_failed = true;
                self.error = Some(error.class);
                return;
            }
            Event::Usage(usage) => self.usage = Some(*usage),
            Event::End if self.usage.is_none() => {
                renderer.event(&Event::Usage(self.prompt.estimate(self.said_bytes)), out);
            }
            Event::Start { .. } | Event::End | Event::Extra { .. } => {}
            Event::Text { text, .. } | Event::Thinking { text, .. } | Event::Refusal { text, .. } => {
                self.has_begun |= !text.is_empty();
            }
            _ => self.has_begun = true,
        }
        self.said_bytes += event.said_bytes();
        renderer.event(event, out);
    }
}
