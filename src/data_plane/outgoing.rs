//! A request as it is offered to deployments, and as one deployment gets it: as the client's bytes with a few members patched, or
//! composed anew in the deployment's dialect.
//!
//! A request that has to be composed is parsed once, however many deployments are tried.

use super::upstream::{Content, Piece, RequestBody};
use crate::{
    config::snapshot::Deployment,
    dialects::{
        anthropic_messages,
        canonical::{Facts, Notes, Request, Target},
        endpoints::{Api, ApiEndpoint, EndpointEntry},
        gemini::{self, path::Verb},
        multipart::ModelFinder,
        openai_chat::request::RequestView,
        openai_responses::echo::Echo,
        text_tools,
        translate::{self, Prompt, Translation},
        way_back::WayBack,
        wire::{ClientWire, Dialect, UpstreamWire, Way, way},
    },
    error::{Failure, Upstream},
    json::patch::{Patch, PatchError, Segment},
    policy::keys,
    providers::{sigv4, traits},
};
use std::{borrow::Cow, cell::OnceCell, ops::Range, rc::Rc};

mod beside;

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
    Json { bytes: &'r Rc<Vec<u8>>, start: usize, view: &'r RequestView<'r>, parsed: OnceCell<Box<Request<'r>>> },
    Multipart(&'r MultipartBody),
}

/// The part of a multipart body that has been read.
pub struct MultipartBody {
    pub bytes: Rc<Vec<u8>>,
    pub start: usize,
    /// Value of the `model` part, within the body.
    pub model: Range<usize>,
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
}

/// What was composed for it, and the way back.
pub struct Composed {
    body: Rc<Vec<u8>>,
    pub back: WayBack,
    pub notes: Notes,
}

impl Prepared<'_> {
    /// What the answer may be.
    pub fn accept(&self, stream: bool) -> &'static str {
        match &self.composed {
            Some(Composed { back: WayBack::Chat(translation), .. })
                if stream && translation.upstream == UpstreamWire::BedrockConverse =>
            {
                "application/vnd.amazon.eventstream"
            }
            Some(Composed { back: WayBack::Chat(translation), .. })
                if stream && translation.upstream == UpstreamWire::OllamaChat =>
            {
                "application/x-ndjson"
            }
            _ if stream => "text/event-stream",
            _ => "application/json",
        }
    }

    /// The header lines with those of a credential that was fetched, or of a signature by it. `now_s` is Unix time in seconds.
    ///
    /// # Errors
    /// There is none at the moment, or nothing that it could sign.
    pub fn lines_for_cloud(&self, deployment: &Deployment, now_s: u64) -> Result<Vec<u8>, Upstream> {
        let mut lines = self.forward.to_vec();
        let body = self.composed.as_ref().map_or(&[][..], |composed| &composed.body);
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
        if self.is_array() && dialect == Dialect::Gemini {
            return Way::Between { client: ClientWire::GeminiContent, upstream: UpstreamWire::GeminiContent };
        }
        // Thoughts of another provider that came through a client of Anthropic's dialect: Anthropic would refuse the signatures.
        if self.entry.endpoint == ApiEndpoint::Messages
            && dialect == Dialect::Anthropic
            && matches!(&self.body, Body::Json { bytes, start, .. } if anthropic_messages::carried::is_in(&bytes[*start..]))
        {
            return Way::Between { client: ClientWire::AnthropicMessages, upstream: UpstreamWire::AnthropicMessages };
        }
        let way = way(self.entry.endpoint, self.entry.api, dialect, deployment.quirks.responses);
        if self.entry.endpoint.is_generation() { way } else { self.way_beside_chat(way, deployment) }
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
                let path = match deployment.dialect.version_path_beside() {
                    None => self.entry.path.into(),
                    Some(version) => [version, self.entry.path].concat().into(),
                };
                Ok(Prepared { path, forward: self.forward.into(), composed: None })
            }
            Way::Same => Ok(Prepared { path: self.same_path(deployment), forward: self.same_lines(), composed: None }),
            Way::Between { client, upstream } => self.compose(deployment, client, upstream, facts()),
            Way::Embeddings { client, upstream } => self.embeddings(deployment, client, upstream),
            Way::Count { client, upstream } => self.count(deployment, client, upstream),
            Way::Estimate(client) => Err(PrepareError::Estimated(self.estimated(client)?)),
            Way::None => Err(Upstream::NoEndpoint.into()),
        }
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

    /// Header lines for a request that goes to another API: what is said to the client's own means nothing there.
    fn other_lines(&self, is_anthropic: bool) -> Vec<u8> {
        let mut lines = Vec::new();
        for line in self.forward.split_inclusive(|byte| *byte == b'\n') {
            if !line.starts_with(b"anthropic-") && !line.starts_with(b"openai-") {
                lines.extend_from_slice(line);
            }
        }
        if is_anthropic {
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
        let traits = match deployment.upstream_model {
            Some(_) => deployment.traits,
            None => traits::of_name(deployment.provider, deployment.dialect, deployment.catalog, model),
        };
        let target = Target { model, traits, drops: self.asked.drops };
        let mut notes = Notes::default();
        // What is translated has about the length that it had.
        let mut body = Vec::with_capacity(text.len() + text.len() / 8 + 256);
        let is_openai = matches!(upstream, UpstreamWire::OpenAiChat | UpstreamWire::OpenAiResponses);
        let takes_text_tools = is_openai && traits.chat.custom_tools;
        let mut own;
        let (request, text_tools) = if takes_text_tools || !text_tools::are_in(request) {
            (&**request, Vec::new())
        } else {
            own = request.as_ref().clone();
            let names = text_tools::as_functions(&mut own, &mut notes);
            (&own, names)
        };
        let adapted = translate::compose(upstream, request, &target, &mut notes, &mut body)
            .map_err(|unsupported| Upstream::Unsupported { param: unsupported.param, why: unsupported.why })?;
        let path = translate::path(upstream, model, self.stream);
        Ok(Prepared {
            path: match deployment.provider.path_prefix {
                "" => path,
                prefix => [prefix, &path].concat().into(),
            },
            forward: self.other_lines(upstream == UpstreamWire::AnthropicMessages).into(),
            composed: Some(Composed {
                body: Rc::new(body),
                back: WayBack::Chat(Translation {
                    client,
                    upstream,
                    adapted,
                    text_tools,
                    facts,
                    echo: (client == ClientWire::OpenAiResponses).then(|| Echo::of(text)),
                    in_array: self.is_array(),
                    prompt: Prompt { bytes: (*bytes).clone(), start: *start },
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
        composed: Option<&Composed>,
        patch: &'a mut Patch,
    ) -> Result<RequestBody<'a>, PatchError> {
        if let Some(composed) = composed {
            let length = composed.body.len();
            let content = Content::Pieces(vec![Piece::Shared(composed.body.clone(), 0..length)]);
            return Ok(RequestBody { content, length: Some(length as u64) });
        }
        let model = self.model_for(deployment);
        match &self.body {
            Body::Json { bytes, start, view, .. } => {
                let text = &bytes[*start..];
                view.patch(text, model, deployment.quirks.stream_usage, patch)?;
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
            Body::Multipart(body) => {
                let shared = |range: Range<usize>| {
                    Piece::Shared(body.bytes.clone(), range.start + body.start..range.end + body.start)
                };
                let held = body.bytes.len() - body.start;
                let pieces = vec![
                    shared(0..body.model.start),
                    Piece::Owned(model.as_bytes().to_vec()),
                    shared(body.model.end..held),
                ];
                let total = body.announced.or(body.complete.then_some(held as u64));
                let length = total.map(|total| total + model.len() as u64 - body.model.len() as u64);
                Ok(RequestBody { content: Content::Pieces(pieces), length })
            }
        }
    }
}

/// Why a deployment is not asked.
pub enum PrepareError {
    /// The client's request is at fault.
    Client(Failure),
    /// This deployment cannot serve it; another may.
    Upstream(Upstream),
    /// It has no part in the answer, which is an estimate of the request's tokens.
    Estimated(Vec<u8>),
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
