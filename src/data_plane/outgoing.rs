//! A request as it is offered to deployments, and as one deployment gets it: as the client's bytes with a few members patched, or
//! composed anew in the deployment's dialect.
//!
//! A request that has to be composed is parsed once, however many deployments are tried.

use super::upstream::{Content, Piece, RequestBody};
use crate::{
    config::snapshot::Deployment,
    dialects::{
        anthropic_messages::{
            self,
            elsewhere::{Asked, Elsewhere, Says},
        },
        canonical::{Facts, ModelTraits, Notes, Request, Target, Unsupported},
        endpoints::{Api, ApiEndpoint, EndpointEntry},
        fan_out,
        gemini::{self, path::Verb},
        multipart::ModelFinder,
        openai_chat::{request::RequestView, variant::SchemaWay},
        openai_responses::echo::Echo,
        own_names, text_tools,
        translate::{self, Prompt, Translation},
        way_back::{Form, WayBack},
        wire::{ClientWire, Dialect, UpstreamWire, Way, way},
    },
    error::{Failure, Upstream},
    json::{
        patch::{Patch, PatchError, Segment},
        view::Value,
    },
    policy::keys,
    providers::{azure, sigv4, traits},
};
use std::{
    borrow::Cow,
    cell::{Cell, OnceCell},
    ops::Range,
    rc::Rc,
};

mod beside;
mod stored;
pub use stored::Previous;

/// A body up to this is copied into one buffer with its edits; larger ones are sent in place.
const COPIED_BODY_BYTES_MAX: usize = 16 * 1024;

/// What Anthropic's API answers where its caller does not say which version of it is meant.
const ANTHROPIC_VERSION: &[u8] = b"anthropic-version: 2023-06-01\r\n";

/// A request as it is offered to deployments.
pub struct Outgoing<'r> {
    pub entry: &'static EndpointEntry,
    forward: &'r [u8],
    pub content_type: &'r [u8],
    /// The client's model name less the group's prefix.
    model: &'r str,
    /// The client's own name for the model.
    pub model_asked: &'r str,
    /// The client asked for a stream.
    pub stream: bool,
    pub asked: AskedBy<'r>,
    pub previous: Previous,
    body: Body<'r>,
}

/// What of a request's head decides how it goes on.
#[derive(Debug, Clone, Copy, Default)]
pub struct AskedBy<'r> {
    /// The query of the request's target, without its question mark.
    pub query: &'r str,
    /// It says which version of Anthropic's API it speaks.
    pub speaks_anthropic: bool,
    /// What an upstream cannot express is to be dropped: as the request says, or else the operator.
    pub drops: bool,
}

enum Body<'r> {
    Json {
        bytes: &'r Rc<Vec<u8>>,
        start: usize,
        view: &'r RequestView<'r>,
        parsed: OnceCell<Box<Request<'r>>>,
    },
    Multipart(&'r MultipartBody),
    /// The call of a stored response has none.
    Empty,
}

/// The part of a multipart body that has been read.
pub struct MultipartBody {
    pub bytes: Rc<Vec<u8>>,
    pub start: usize,
    /// Value of the `model` part, within the body; empty where a part is put.
    pub model: Range<usize>,
    /// What is put before and behind the value where the client has no such part, because the path names the model.
    pub around: [Vec<u8>; 2],
    /// True when `bytes` holds all of the body.
    pub complete: bool,
    /// Length of the whole body, where the client announced it.
    pub announced: Option<u64>,
    /// True once bytes beyond the buffered part went upstream: no other deployment can have them again.
    pub spent: std::cell::Cell<bool>,
    /// Goes on looking for a second `model` in what is streamed.
    pub watcher: std::cell::RefCell<ModelFinder>,
}

/// A request as one deployment gets it.
pub struct Prepared<'p> {
    /// Below the deployment's base path.
    pub path: Cow<'p, str>,
    /// Header lines besides the deployment's own.
    pub forward: Cow<'p, [u8]>,
    pub composed: Option<Composed>,
    /// The client's own body as a cloud takes it.
    pub adapted: Option<Adapted>,
}

/// A client's request in its own dialect, adapted to a cloud.
pub struct Adapted {
    body: Rc<Vec<u8>>,
    pub cloud: Elsewhere,
}

/// What was composed for it, and the way back.
pub struct Composed {
    body: Rc<Vec<u8>>,
    /// The bodies of further calls, where the model gives one answer at a time.
    further: Vec<Rc<Vec<u8>>>,
    /// Which of all these is sent now; 0 is the first.
    turn: Cell<usize>,
    pub back: WayBack,
    pub notes: Notes,
}

impl Composed {
    /// The body whose turn it is.
    fn body(&self) -> &Rc<Vec<u8>> {
        self.turn.get().checked_sub(1).and_then(|nth| self.further.get(nth)).unwrap_or(&self.body)
    }
}

impl Prepared<'_> {
    /// How many calls it takes.
    pub fn calls(&self) -> usize {
        1 + self.composed.as_ref().map_or(0, |composed| composed.further.len())
    }

    /// From now on it is the request of the `nth` call, counted from 0.
    pub fn turn_to(&self, nth: usize) {
        if let Some(composed) = &self.composed {
            composed.turn.set(nth);
        }
    }

    /// What the answer may be.
    pub fn accept(&self, stream: bool) -> &'static str {
        match self.other_wire() {
            Some(wire) if stream && wire.streams_frames() => "application/vnd.amazon.eventstream",
            Some(UpstreamWire::OllamaChat) if stream => "application/x-ndjson",
            _ if stream => "text/event-stream",
            _ => "application/json",
        }
    }

    /// In which form the upstream answers, where it is not just as its own API does for its own clients.
    pub fn other_wire(&self) -> Option<UpstreamWire> {
        match self.other_form() {
            Some(Form::Chat(wire)) => Some(wire),
            _ => None,
        }
    }

    /// The same, of answers beside chat too.
    pub fn other_form(&self) -> Option<Form> {
        let composed = self.composed.as_ref().map(|composed| composed.back.form());
        composed.or_else(|| self.adapted.as_ref().map(|adapted| Form::Chat(adapted.cloud.wire())))
    }

    /// The body, where it is not the client's own with a few edits.
    fn body(&self) -> Option<&Rc<Vec<u8>>> {
        let composed = self.composed.as_ref().map(Composed::body);
        composed.or_else(|| self.adapted.as_ref().map(|adapted| &adapted.body))
    }

    /// The header lines with those of a credential that was fetched, or of a signature by it. `now_s` is Unix time in seconds.
    ///
    /// # Errors
    /// There is none at the moment, or nothing that it could sign.
    pub fn lines_for_cloud(&self, deployment: &Deployment, now_s: u64) -> Result<Vec<u8>, Upstream> {
        let mut lines = self.forward.to_vec();
        let body = self.body().map_or(&[][..], |body| body);
        let payload_sha256 = if deployment.auth.signs() { keys::hash(body) } else { [0; 32] };
        let path = [&*deployment.base_path, &*self.path].concat();
        let request = sigv4::Request {
            method: "POST",
            path: &path,
            query: &[],
            headers: &[("host", deployment.host.as_bytes())],
            payload_sha256: &payload_sha256,
        };
        let put = |name: &str, value: &[u8]| {
            lines.extend_from_slice(name.as_bytes());
            lines.extend_from_slice(b": ");
            lines.extend_from_slice(value);
            lines.extend_from_slice(b"\r\n");
        };
        match deployment.auth.put_headers(&request, now_s, &mut Vec::new(), put) {
            Ok(()) => Ok(lines),
            Err(_) => Err(Upstream::Credential { status: 401 }),
        }
    }
}

impl<'r> Outgoing<'r> {
    pub fn json(
        entry: &'static EndpointEntry,
        forward: &'r [u8],
        bytes: &'r Rc<Vec<u8>>,
        start: usize,
        view: &'r RequestView<'r>,
        model: &'r str,
        asked: AskedBy<'r>,
    ) -> Outgoing<'r> {
        let body = Body::Json { bytes, start, view, parsed: OnceCell::new() };
        Outgoing {
            entry,
            forward,
            content_type: b"application/json",
            model,
            model_asked: &view.model,
            stream: view.stream,
            asked,
            previous: Previous::None,
            body,
        }
    }

    pub fn multipart(
        entry: &'static EndpointEntry,
        forward: &'r [u8],
        content_type: &'r [u8],
        body: &'r MultipartBody,
        model: &'r str,
    ) -> Outgoing<'r> {
        let asked = AskedBy::default();
        Outgoing {
            entry,
            forward,
            content_type,
            model,
            model_asked: model,
            stream: false,
            asked,
            previous: Previous::None,
            body: Body::Multipart(body),
        }
    }

    /// True when the request cannot be sent a second time.
    pub fn is_spent(&self) -> bool {
        matches!(&self.body, Body::Multipart(body) if body.spent.get())
    }

    /// The part of a multipart body whose rest has to follow.
    pub fn unfinished(&self) -> Option<&'r MultipartBody> {
        match &self.body {
            Body::Multipart(body) if !body.complete => Some(body),
            _ => None,
        }
    }

    /// A client of OpenAI's dialect asks for the usage chunk itself.
    pub fn usage_asked(&self) -> bool {
        matches!(&self.body, Body::Json { view, .. } if view.include_usage)
    }

    /// The model's name at a deployment.
    pub fn model_for<'a>(&'a self, deployment: &'a Deployment) -> &'a str {
        deployment.upstream_model.as_deref().unwrap_or(self.model)
    }

    /// How the request reaches a deployment. A client of Gemini's that takes its stream as an array, and not as events, gets an array of
    /// one whole answer.
    pub fn way(&self, deployment: &Deployment) -> Way {
        let dialect = deployment.dialect_of(self.model_for(deployment));
        if self.entry.endpoint.is_generation() && deployment.provider.lacks(dialect, self.entry.endpoint) {
            return Way::None;
        }
        if self.is_array() && dialect == Dialect::Gemini {
            return Way::Between { client: ClientWire::GeminiContent, upstream: UpstreamWire::GeminiContent };
        }
        // Thoughts of another provider that came through a client of Anthropic's dialect: Anthropic would refuse the signatures.
        if self.entry.endpoint == ApiEndpoint::Messages
            && let Some(upstream) = dialect.anthropic_wire()
            && matches!(&self.body, Body::Json { bytes, start, .. } if anthropic_messages::carried::is_in(&bytes[*start..]))
        {
            return Way::Between { client: ClientWire::AnthropicMessages, upstream };
        }
        // Its model gives one answer at a time and the client wants more, or its API takes no tools.
        if let Body::Json { view, .. } = &self.body
            && (view.choices > 1 && !deployment.traits.several_answers
                || view.has_tools && !deployment.traits.chat.tools)
            && self.entry.endpoint == ApiEndpoint::ChatCompletions
            && dialect == Dialect::OpenAi
        {
            return Way::Between { client: ClientWire::OpenAiChat, upstream: UpstreamWire::OpenAiChat };
        }
        if let Some(way) = self.way_of_schema(deployment, dialect) {
            return way;
        }
        let way = way(self.entry.endpoint, self.entry.api, dialect, deployment.quirks.responses);
        if self.entry.endpoint.is_generation() { way } else { self.way_beside_chat(way, deployment) }
    }

    /// The way of a client's schema to an upstream of its own dialect that has none, or whose model has none: sent as it came it would be
    /// refused, or worse, passed over.
    fn way_of_schema(&self, deployment: &Deployment, dialect: Dialect) -> Option<Way> {
        let Body::Json { bytes, start, view, .. } = &self.body else { return None };
        let text = &bytes[*start..];
        let (client, upstream, may_ask) = match self.entry.endpoint {
            ApiEndpoint::ChatCompletions if dialect == Dialect::OpenAi => {
                (ClientWire::OpenAiChat, UpstreamWire::OpenAiChat, view.has_format)
            }
            ApiEndpoint::Messages => {
                let may_ask = memchr::memmem::find(text, b"\"output_config\"").is_some();
                (ClientWire::AnthropicMessages, dialect.anthropic_wire()?, may_ask)
            }
            _ => return None,
        };
        if !may_ask {
            return None;
        }
        let traits = self.traits_at(deployment);
        let is_known = upstream != UpstreamWire::OpenAiChat || traits.chat.schema == SchemaWay::Native;
        if traits.native_schema && is_known {
            return None;
        }
        let format = match client {
            ClientWire::OpenAiChat => Value::root(text).some("response_format"),
            _ => Value::root(text).some("output_config").and_then(|config| config.some("format")),
        };
        format.and_then(|format| format.get("type")).filter(|kind| kind.says("json_schema"))?;
        Some(Way::Between { client, upstream })
    }

    /// What the model at a deployment takes.
    fn traits_at(&self, deployment: &Deployment) -> ModelTraits {
        match deployment.upstream_model {
            Some(_) => deployment.traits,
            None => {
                let dialect = deployment.dialect_of(self.model);
                traits::of_name(deployment.provider, deployment.quirks, dialect, deployment.catalog, self.model)
            }
        }
    }

    /// A client of Gemini's takes its stream as an array.
    fn is_array(&self) -> bool {
        self.entry.endpoint == ApiEndpoint::StreamGenerateContent && !self.stream
    }

    /// The request for one deployment. `facts` are asked for where an answer has to be rendered.
    ///
    /// # Errors
    /// The deployment cannot be asked this, or the request is not what its dialect demands.
    pub fn prepare<'a>(
        &'a self,
        deployment: &'a Deployment,
        facts: impl FnOnce() -> Facts,
    ) -> Result<Prepared<'a>, PrepareError> {
        match self.way(deployment) {
            Way::Same if self.entry.api == Api::OpenAi => {
                if !matches!(self.previous, Previous::None) {
                    return self.goes_on(deployment);
                }
                let path = match deployment.dialect.version_path_beside() {
                    None => self.entry.path.into(),
                    Some(version) => [version, self.entry.path].concat().into(),
                };
                Ok(Prepared {
                    path: versioned(path, deployment, self.model_for(deployment)),
                    forward: self.forward.into(),
                    composed: None,
                    adapted: None,
                })
            }
            Way::Same => match self.elsewhere(deployment) {
                Some(cloud) => self.adapt(deployment, cloud),
                None => Ok(Prepared {
                    path: self.same_path(deployment),
                    forward: self.same_lines(),
                    composed: None,
                    adapted: None,
                }),
            },
            Way::Between { client, upstream } => self.compose(deployment, client, upstream, facts()),
            Way::Embeddings { client, upstream } => self.embeddings(deployment, client, upstream),
            Way::Images(upstream) => self.images(deployment, upstream, facts().created_s),
            Way::Count { client, upstream } => self.count(deployment, client, upstream),
            Way::Estimate(client) => Err(self.estimated(client)),
            Way::None => Err(Upstream::NoEndpoint.into()),
        }
    }

    /// The cloud that has Anthropic's API in its own way, if it is one.
    fn elsewhere(&self, deployment: &Deployment) -> Option<Elsewhere> {
        deployment.dialect_of(self.model_for(deployment)).anthropic_wire().and_then(Elsewhere::of)
    }

    /// The request as a cloud takes it that has the client's own API.
    fn adapt<'a>(&'a self, deployment: &'a Deployment, cloud: Elsewhere) -> Result<Prepared<'a>, PrepareError> {
        let Body::Json { bytes, start, .. } = &self.body else { return Err(Upstream::NoEndpoint.into()) };
        let asked = match self.entry.endpoint {
            ApiEndpoint::MessagesCountTokens => Asked::Count,
            _ => Asked::Message { stream: self.stream },
        };
        let model = self.model_for(deployment);
        let body = adapted_body(cloud, &bytes[*start..], model, asked, &Says::of(self.forward))?;
        Ok(Prepared {
            path: cloud.path(model, asked).into(),
            forward: self.other_lines(Some(cloud.wire())).into(),
            composed: None,
            adapted: Some(Adapted { body: Rc::new(body), cloud }),
        })
    }

    /// The path of a request that goes to its own API.
    fn same_path(&self, deployment: &Deployment) -> Cow<'r, str> {
        match self.entry.api {
            Api::Gemini => {
                let verb = match self.entry.endpoint {
                    ApiEndpoint::StreamGenerateContent => Verb::Stream,
                    ApiEndpoint::CountTokens => Verb::CountTokens,
                    ApiEndpoint::EmbedContent => Verb::Embed,
                    ApiEndpoint::BatchEmbedContents => Verb::EmbedBatch,
                    _ => Verb::Generate,
                };
                let path = gemini::path::write(self.model_for(deployment), verb);
                match deployment.provider.path_prefix {
                    "" => path.into(),
                    prefix => [prefix, &path].concat().into(),
                }
            }
            // Agents ask for features of a beta by the query.
            Api::Anthropic if self.asked.query.split('&').any(|pair| pair == "beta=true") => {
                format!("{}?beta=true", self.entry.path).into()
            }
            _ => self.entry.path.into(),
        }
    }

    /// Header lines for a request that goes to its own API.
    fn same_lines(&self) -> Cow<'r, [u8]> {
        if self.entry.api == Api::Anthropic && !self.asked.speaks_anthropic {
            return [ANTHROPIC_VERSION, self.forward].concat().into();
        }
        self.forward.into()
    }

    /// Header lines for a request that goes to another API, or another form of its own: what is said to the client's own means nothing
    /// there, but for betas, which are a model's wherever it is.
    fn other_lines(&self, upstream: Option<UpstreamWire>) -> Vec<u8> {
        let takes_betas = self.entry.endpoint == ApiEndpoint::Messages
            && matches!(upstream, Some(UpstreamWire::AnthropicMessages | UpstreamWire::AnthropicRawPredict));
        let mut lines = Vec::with_capacity(self.forward.len() + ANTHROPIC_VERSION.len());
        for line in self.forward.split_inclusive(|byte| *byte == b'\n') {
            let is_theirs = line.starts_with(b"anthropic-") || line.starts_with(b"openai-");
            if !is_theirs || takes_betas && line.starts_with(b"anthropic-beta:") {
                lines.extend_from_slice(line);
            }
        }
        if upstream == Some(UpstreamWire::AnthropicMessages) {
            lines.extend_from_slice(ANTHROPIC_VERSION);
        }
        lines
    }

    fn compose<'a>(
        &'a self,
        deployment: &'a Deployment,
        client: ClientWire,
        upstream: UpstreamWire,
        facts: Facts,
    ) -> Result<Prepared<'a>, PrepareError> {
        let Body::Json { bytes, start, parsed, .. } = &self.body else { return Err(Upstream::NoEndpoint.into()) };
        let text = &bytes[*start..];
        let request = match parsed.get() {
            Some(request) => request,
            None => {
                let mut request = translate::parse(client, text).map_err(|invalid| Failure::InvalidRequest {
                    param: Some(invalid.param.into()),
                    code: "invalid_request",
                    message: invalid.message,
                })?;
                request.stream = self.stream;
                parsed.get_or_init(|| Box::new(request))
            }
        };
        let model = self.model_for(deployment);
        let traits = self.traits_at(deployment);
        let target = Target { model, traits, drops: self.asked.drops };
        let mut notes = Notes::default();
        // What is translated has about the length that it had.
        let mut body = Vec::with_capacity(text.len() + text.len() / 8 + 256);
        let is_openai = matches!(upstream, UpstreamWire::OpenAiChat | UpstreamWire::OpenAiResponses);
        let takes_text_tools = is_openai && traits.chat.custom_tools;
        let unsupported = |refusal: Unsupported| {
            let Unsupported { param, why } = own_names::of_refusal(client, refusal);
            Upstream::Unsupported { param, why }
        };
        let wraps_tools = !takes_text_tools && text_tools::are_in(request);
        let calls = fan_out::calls(request, &target, (client, upstream), &mut notes).map_err(unsupported)?;
        let own;
        let (mut request, mut text_tools) = (&**request, Vec::new());
        if wraps_tools || calls.is_some() {
            let mut changed = request.clone();
            if wraps_tools {
                text_tools = text_tools::as_functions(&mut changed, &mut notes);
            }
            if calls.is_some() {
                changed.answers = None;
            }
            own = changed;
            request = &own;
        }
        let adapted = translate::compose(upstream, request, &target, &mut notes, &mut body).map_err(unsupported)?;
        let cloud = Elsewhere::of(upstream);
        let in_cloud_form = |body: Vec<u8>| -> Result<Rc<Vec<u8>>, PrepareError> {
            let Some(cloud) = cloud else { return Ok(Rc::new(body)) };
            let betas = match client {
                ClientWire::AnthropicMessages => Says::of(self.forward).betas,
                _ => Vec::new(),
            };
            // What was composed says what the older version of the API takes.
            let says = Says { version: None, betas };
            adapted_body(cloud, &body, model, Asked::Message { stream: self.stream }, &says)
                .map(Rc::new)
                .map_err(PrepareError::from)
        };
        let calls = calls.unwrap_or(1);
        let body = in_cloud_form(body)?;
        let mut further = Vec::new();
        for nth in 1..calls {
            further.push(match fan_out::further(request, nth) {
                None => body.clone(),
                Some(request) => {
                    let mut other = Vec::with_capacity(body.len() + 8);
                    translate::compose(upstream, &request, &target, &mut Notes::default(), &mut other)
                        .map_err(unsupported)?;
                    in_cloud_form(other)?
                }
            });
        }
        let path = translate::path(upstream, model, self.stream);
        Ok(Prepared {
            path: match deployment.provider.path_prefix {
                prefix if cloud.is_none() && !prefix.is_empty() => [prefix, &path].concat().into(),
                _ => versioned(path, deployment, model),
            },
            forward: self.other_lines(Some(upstream)).into(),
            adapted: None,
            composed: Some(Composed {
                body,
                further,
                turn: Cell::new(0),
                back: WayBack::Chat(Translation {
                    client,
                    upstream,
                    adapted,
                    text_tools,
                    facts,
                    echo: (client == ClientWire::OpenAiResponses).then(|| Echo::of(text)),
                    in_array: self.is_array(),
                    prompt: Prompt { bytes: (*bytes).clone(), start: *start, counted: None },
                    calls,
                }),
                notes,
            }),
        })
    }

    /// The body for one deployment: what was composed for it, or the client's bytes with the permitted members patched, by `patch`,
    /// which is empty before.
    ///
    /// # Errors
    /// The edits overlap or are too many, which those of one request never do: another model than the operator's must not be asked.
    pub fn body_for<'a>(
        &'a self,
        deployment: &Deployment,
        prepared: &Prepared<'_>,
        patch: &'a mut Patch,
    ) -> Result<RequestBody<'a>, PatchError> {
        if let Some(body) = prepared.body() {
            let length = body.len();
            let content = Content::Pieces(vec![Piece::Shared(body.clone(), 0..length)]);
            return Ok(RequestBody { content, length: Some(length as u64) });
        }
        let model = self.model_for(deployment);
        match &self.body {
            Body::Json { bytes, start, view, .. } => {
                let text = &bytes[*start..];
                view.patch(text, model, deployment.quirks.stream_usage, patch)?;
                if let Previous::Kept(kept, _) = &self.previous {
                    view.patch_previous(&kept.id, patch)?;
                }
                let length = patch.patched_bytes(text.len());
                let content = if length <= COPIED_BODY_BYTES_MAX {
                    Content::Patched { patch, text }
                } else {
                    let piece = |segment| match segment {
                        Segment::Original(range) => {
                            Piece::Shared((*bytes).clone(), range.start + start..range.end + start)
                        }
                        Segment::New(new) => Piece::Owned(new.to_vec()),
                    };
                    Content::Pieces(patch.segments(text.len()).map(piece).collect())
                };
                Ok(RequestBody { content, length: Some(length as u64) })
            }
            Body::Empty => Ok(RequestBody { content: Content::Pieces(Vec::new()), length: Some(0) }),
            Body::Multipart(body) => {
                let shared = |range: Range<usize>| {
                    Piece::Shared(body.bytes.clone(), range.start + body.start..range.end + body.start)
                };
                let held = body.bytes.len() - body.start;
                let [before, behind] = &body.around;
                let put = [before, model.as_bytes(), behind].concat();
                let total = body.announced.or(body.complete.then_some(held as u64));
                let length = total.map(|total| total + put.len() as u64 - body.model.len() as u64);
                let pieces = vec![shared(0..body.model.start), Piece::Owned(put), shared(body.model.end..held)];
                Ok(RequestBody { content: Content::Pieces(pieces), length })
            }
        }
    }
}

/// A path of OpenAI's API as it is in Azure's older form, where that is spoken.
#[inline]
fn versioned<'p>(path: Cow<'p, str>, deployment: &Deployment, model: &str) -> Cow<'p, str> {
    match &deployment.api_version {
        None => path,
        Some(version) => azure::path(version, model, &path).into(),
    }
}

/// A body of Anthropic's API as a cloud takes it.
///
/// # Errors
/// The client sent a member twice that the cloud has a say in.
fn adapted_body(cloud: Elsewhere, text: &[u8], model: &str, asked: Asked, says: &Says<'_>) -> Result<Vec<u8>, Failure> {
    cloud.body(text, model, asked, says).map_err(|unadapted| Failure::InvalidRequest {
        param: None,
        code: "invalid_request",
        message: format!("The request body is {}.", unadapted.0).into(),
    })
}

/// Why a deployment is not asked.
pub enum PrepareError {
    /// The client's request is at fault.
    Client(Failure),
    /// This deployment cannot serve it; another may.
    Upstream(Upstream),
    /// It has no part in the answer, which is an estimate of the request's tokens in this client's form.
    Estimated(ClientWire),
}

impl From<Failure> for PrepareError {
    fn from(failure: Failure) -> PrepareError {
        PrepareError::Client(failure)
    }
}

impl From<Upstream> for PrepareError {
    fn from(failure: Upstream) -> PrepareError {
        PrepareError::Upstream(failure)
    }
}
