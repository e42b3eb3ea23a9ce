//! The APIs' paths: which endpoint a request names, whose API it is, and how its body is treated.
//!
//! One table. OpenAI's paths are matched with and without `/v1`, and below `/openai/v1` and `/v1beta/openai`, where clients of Azure and
//! of Gemini's compatible API look for them; Azure's older form has the model in the path, or is below `/openai` alone; `/v2/rerank` is where Cohere's
//! clients look.
//! Gemini's are matched below `/v1beta`, `/v1` and without either. Whatever is not in the table is `unknown_url`.

use super::gemini::{self, path::Verb};
use crate::error::Failure;

/// Whose API a client speaks: decides how it is told of errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Api {
    #[default]
    OpenAi,
    Anthropic,
    Gemini,
}

/// An endpoint of one of the APIs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApiEndpoint {
    ChatCompletions,
    Completions,
    Embeddings,
    Moderations,
    Responses,
    /// `POST /v1/responses/input_tokens`
    ResponsesInputTokens,
    /// `POST /v1/responses/compact`
    ResponsesCompact,
    /// A response that a provider keeps, by its id: `GET /v1/responses/{id}`
    ResponsesRetrieve,
    /// `DELETE /v1/responses/{id}`
    ResponsesDelete,
    /// `POST /v1/responses/{id}/cancel`
    ResponsesCancel,
    /// `GET /v1/responses/{id}/input_items`
    ResponsesInputItems,
    ImagesGenerations,
    ImagesEdits,
    ImagesVariations,
    AudioSpeech,
    AudioTranscriptions,
    AudioTranslations,
    Rerank,
    /// Anthropic's `POST /v1/messages`
    Messages,
    /// Anthropic's `POST /v1/messages/count_tokens`
    MessagesCountTokens,
    /// Gemini's `POST /v1beta/models/{model}:generateContent`, and so on.
    GenerateContent,
    StreamGenerateContent,
    CountTokens,
    EmbedContent,
    BatchEmbedContents,
    /// What a call below `/v1/explain` would do; see [`explained`].
    Explain,
    /// `GET /v1/models`
    Models,
    /// `GET /v1/models/{id}`
    Model,
    /// No endpoint, or one that is refused: only in access records.
    None,
}

impl ApiEndpoint {
    /// Does a model write a text here, whose tokens are counted?
    pub fn is_generation(self) -> bool {
        use ApiEndpoint::*;
        matches!(self, ChatCompletions | Completions | Responses | Messages | GenerateContent | StreamGenerateContent)
    }

    /// Is it there only where the Responses API is?
    #[inline]
    pub fn is_of_responses(self) -> bool {
        use ApiEndpoint::*;
        matches!(
            self,
            Responses
                | ResponsesInputTokens
                | ResponsesCompact
                | ResponsesRetrieve
                | ResponsesDelete
                | ResponsesCancel
                | ResponsesInputItems
        )
    }

    /// Does a model read a text here, and answer with numbers?
    pub fn is_embedding(self) -> bool {
        matches!(self, ApiEndpoint::Embeddings | ApiEndpoint::EmbedContent | ApiEndpoint::BatchEmbedContents)
    }
}

/// How a request body is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyKind {
    /// No body is expected; one that is sent is drained.
    None,
    Json,
    /// `multipart/form-data` or JSON, by content type; passed through.
    JsonOrMultipart,
}

/// One row of the table.
#[derive(Debug)]
pub struct EndpointEntry {
    pub endpoint: ApiEndpoint,
    pub api: Api,
    pub method: &'static str,
    /// Path below `/v1`; of Gemini's, the verb after the model; of a stored response's, what follows its id and a slash.
    pub path: &'static str,
    pub body: BodyKind,
    /// May a request fail over to a deployment of another upstream model? Vectors of different models do not compare.
    pub other_model_on_failover: bool,
}

/// The table.
pub static ENDPOINTS: &[EndpointEntry] = &[
    entry(ApiEndpoint::ChatCompletions, "POST", "/chat/completions", BodyKind::Json, true),
    EndpointEntry { api: Api::Anthropic, ..entry(ApiEndpoint::Messages, "POST", "/messages", BodyKind::Json, true) },
    entry(ApiEndpoint::Responses, "POST", "/responses", BodyKind::Json, true),
    entry(ApiEndpoint::ResponsesInputTokens, "POST", "/responses/input_tokens", BodyKind::Json, true),
    entry(ApiEndpoint::ResponsesCompact, "POST", "/responses/compact", BodyKind::Json, true),
    entry(ApiEndpoint::Completions, "POST", "/completions", BodyKind::Json, true),
    entry(ApiEndpoint::Embeddings, "POST", "/embeddings", BodyKind::Json, false),
    entry(ApiEndpoint::Moderations, "POST", "/moderations", BodyKind::Json, true),
    entry(ApiEndpoint::ImagesGenerations, "POST", "/images/generations", BodyKind::Json, true),
    entry(ApiEndpoint::ImagesEdits, "POST", "/images/edits", BodyKind::JsonOrMultipart, true),
    entry(ApiEndpoint::ImagesVariations, "POST", "/images/variations", BodyKind::JsonOrMultipart, true),
    entry(ApiEndpoint::AudioSpeech, "POST", "/audio/speech", BodyKind::Json, true),
    entry(ApiEndpoint::AudioTranscriptions, "POST", "/audio/transcriptions", BodyKind::JsonOrMultipart, true),
    entry(ApiEndpoint::AudioTranslations, "POST", "/audio/translations", BodyKind::JsonOrMultipart, true),
    entry(ApiEndpoint::Rerank, "POST", "/rerank", BodyKind::Json, true),
    EndpointEntry {
        api: Api::Anthropic,
        ..entry(ApiEndpoint::MessagesCountTokens, "POST", "/messages/count_tokens", BodyKind::Json, true)
    },
    entry(ApiEndpoint::Models, "GET", "/models", BodyKind::None, true),
];

/// Gemini's verbs, which follow the model in the path.
pub static VERBS: &[EndpointEntry] = &[
    verb(ApiEndpoint::GenerateContent, ":generateContent", true),
    verb(ApiEndpoint::StreamGenerateContent, ":streamGenerateContent", true),
    verb(ApiEndpoint::CountTokens, ":countTokens", true),
    verb(ApiEndpoint::EmbedContent, ":embedContent", false),
    verb(ApiEndpoint::BatchEmbedContents, ":batchEmbedContents", false),
];

/// What can be done with a response that a provider keeps.
pub static STORED: &[EndpointEntry] = &[
    entry(ApiEndpoint::ResponsesRetrieve, "GET", "", BodyKind::None, true),
    entry(ApiEndpoint::ResponsesDelete, "DELETE", "", BodyKind::None, true),
    entry(ApiEndpoint::ResponsesCancel, "POST", "cancel", BodyKind::None, true),
    entry(ApiEndpoint::ResponsesInputItems, "GET", "input_items", BodyKind::None, true),
];

/// Paths whose objects live at a provider: reachable through a shared credential they would expose other tenants' objects.
static UNSUPPORTED: &[&str] = &[
    "/files",
    "/batches",
    "/responses",
    "/messages/batches",
    "/chat/completions",
    "/fine_tuning",
    "/uploads",
    "/vector_stores",
    "/assistants",
    "/threads",
    "/conversations",
    "/containers",
    "/evals",
    "/videos",
    "/realtime",
    "/organization",
    "/skills",
    "/chatkit",
];

const fn entry(
    endpoint: ApiEndpoint,
    method: &'static str,
    path: &'static str,
    body: BodyKind,
    other_model_on_failover: bool,
) -> EndpointEntry {
    EndpointEntry { endpoint, api: Api::OpenAi, method, path, body, other_model_on_failover }
}

const fn verb(endpoint: ApiEndpoint, path: &'static str, other_model_on_failover: bool) -> EndpointEntry {
    EndpointEntry { endpoint, api: Api::Gemini, method: "POST", path, body: BodyKind::Json, other_model_on_failover }
}

/// What a request line asks for.
#[derive(Debug)]
pub enum Route<'a> {
    Api(&'static EndpointEntry),
    /// The same with the model in the path, still percent-encoded.
    Named(&'static EndpointEntry, &'a str),
    /// A stored response, by its id, still percent-encoded.
    Stored(&'static EndpointEntry, &'a str),
    /// One model, by its id; ids contain slashes, so it is the rest of the path, still percent-encoded.
    Model(&'a str),
}

/// Stands before the path of a call that is to be explained and not made.
const EXPLAIN: &str = "/v1/explain";

/// The path of the call that is to be explained: what follows `/v1/explain`, so that a client changes nothing but its base URL. Chat
/// completions are meant where nothing follows.
pub fn explained(path: &str) -> Option<&str> {
    match path.strip_prefix(EXPLAIN)? {
        "" => Some("/v1/chat/completions"),
        rest => Some(rest).filter(|rest| rest.starts_with('/')),
    }
}

/// Whose API a path belongs to. `speaks` is what a header says, for paths that several have.
pub fn api(path: &str, speaks: Api) -> Api {
    let below = below_version(path);
    if below == "/models" || below.starts_with("/models/") && !below.contains(':') {
        return if is_gemini(path, below) { Api::Gemini } else { speaks };
    }
    if below == "/messages" || below.starts_with("/messages/") {
        Api::Anthropic
    } else if is_gemini(path, below) {
        Api::Gemini
    } else {
        Api::OpenAi
    }
}

/// Gemini's own paths, and what its version has below it but for the compatible API.
fn is_gemini(path: &str, below: &str) -> bool {
    path.starts_with("/v1beta") && !path.starts_with("/v1beta/openai/")
        || below.contains(':') && gemini::path::read(path).is_some()
}

/// The path below its API's version.
fn below_version(path: &str) -> &str {
    // Cohere's clients look for what all have in one form below a version of their own.
    if path == "/v2/rerank" {
        return "/rerank";
    }
    if let Some(rest) = path.strip_prefix("/v1")
        && rest.starts_with('/')
    {
        return rest;
    }
    ["/v1beta/openai", "/openai/v1", "/v1beta", "/anthropic/v1", "/openai"]
        .into_iter()
        .find_map(|prefix| path.strip_prefix(prefix).filter(|rest| rest.starts_with('/')))
        .unwrap_or(path)
}

/// Finds the endpoint for a method and a path without its query.
///
/// # Errors
/// `UnknownPath`, `MethodNotAllowed` or `UnsupportedEndpoint`.
pub fn route<'a>(method: &str, path: &'a str) -> Result<Route<'a>, Failure> {
    let below = below_version(path);
    if let Some(entry) = ENDPOINTS.iter().find(|entry| entry.path == below) {
        if entry.method == method {
            return Ok(Route::Api(entry));
        }
        // `GET /v1/chat/completions` and the like list stored objects: not merely a wrong method.
        let stored = UNSUPPORTED.contains(&below) && matches!(method, "GET" | "DELETE");
        return Err(if stored {
            Failure::UnsupportedEndpoint
        } else {
            Failure::MethodNotAllowed { allow: entry.method }
        });
    }
    if let Some((entry, model)) = named(path, below) {
        return if method == entry.method {
            Ok(Route::Named(entry, model))
        } else {
            Err(Failure::MethodNotAllowed { allow: entry.method })
        };
    }
    if let Some(id) = below.strip_prefix("/models/").filter(|id| !id.is_empty()) {
        // A verb of Gemini's API that is none of ours.
        if method == "POST" && id.contains(':') {
            return Err(Failure::UnknownPath);
        }
        return if method == "GET" { Ok(Route::Model(id)) } else { Err(Failure::MethodNotAllowed { allow: "GET" }) };
    }
    if let Some(stored) = below.strip_prefix("/responses/").and_then(|rest| stored(method, rest)) {
        return stored;
    }
    let stored =
        |prefix: &&str| below.strip_prefix(*prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    if UNSUPPORTED.iter().any(stored) {
        return Err(Failure::UnsupportedEndpoint);
    }
    Err(Failure::UnknownPath)
}

/// What is asked for of a stored response; `None` where there is nothing of the kind.
fn stored<'a>(method: &str, path: &'a str) -> Option<Result<Route<'a>, Failure>> {
    let (id, action) = path.split_once('/').unwrap_or((path, ""));
    let mut entries = STORED.iter().filter(|entry| entry.path == action && !id.is_empty()).peekable();
    let allow = if action.is_empty() { "GET, DELETE" } else { entries.peek()?.method };
    entries.peek()?;
    let entry = entries.find(|entry| entry.method == method);
    Some(entry.map(|entry| Route::Stored(entry, id)).ok_or(Failure::MethodNotAllowed { allow }))
}

/// The endpoints that have the model in the path: Gemini's, and Azure's older ones.
fn named<'a>(path: &'a str, below: &'a str) -> Option<(&'static EndpointEntry, &'a str)> {
    if let Some(rest) = below.strip_prefix("/deployments/").filter(|_| path.starts_with("/openai/")) {
        // Azure's client leaves a slash in a model's name as it is.
        let named = ENDPOINTS.iter().filter(|entry| entry.api == Api::OpenAi && entry.body != BodyKind::None);
        let split = named.filter_map(|entry| Some((entry, rest.strip_suffix(entry.path)?)));
        return split.max_by_key(|(entry, _)| entry.path.len()).filter(|(_, model)| !model.is_empty());
    }
    let (model, verb) = gemini::path::read(path)?;
    let endpoint = match verb {
        Verb::Generate => ApiEndpoint::GenerateContent,
        Verb::Stream => ApiEndpoint::StreamGenerateContent,
        Verb::CountTokens => ApiEndpoint::CountTokens,
        Verb::Embed => ApiEndpoint::EmbedContent,
        Verb::EmbedBatch => ApiEndpoint::BatchEmbedContents,
    };
    Some((VERBS.iter().find(|entry| entry.endpoint == endpoint)?, model))
}

impl EndpointEntry {
    /// True where a whole (not streamed) answer is a JSON object, which is then held back until it has been validated.
    pub fn answers_json(&self) -> bool {
        !matches!(
            self.endpoint,
            ApiEndpoint::AudioSpeech | ApiEndpoint::AudioTranscriptions | ApiEndpoint::AudioTranslations
        )
    }
}

impl ApiEndpoint {
    /// Name in logs and metrics.
    pub fn label(self) -> &'static str {
        match self {
            ApiEndpoint::ChatCompletions => "chat.completions",
            ApiEndpoint::Completions => "completions",
            ApiEndpoint::Embeddings => "embeddings",
            ApiEndpoint::Moderations => "moderations",
            ApiEndpoint::Responses => "responses",
            ApiEndpoint::ResponsesInputTokens => "responses.input_tokens",
            ApiEndpoint::ResponsesCompact => "responses.compact",
            ApiEndpoint::ResponsesRetrieve => "responses.retrieve",
            ApiEndpoint::ResponsesDelete => "responses.delete",
            ApiEndpoint::ResponsesCancel => "responses.cancel",
            ApiEndpoint::ResponsesInputItems => "responses.input_items",
            ApiEndpoint::ImagesGenerations => "images.generations",
            ApiEndpoint::ImagesEdits => "images.edits",
            ApiEndpoint::ImagesVariations => "images.variations",
            ApiEndpoint::AudioSpeech => "audio.speech",
            ApiEndpoint::AudioTranscriptions => "audio.transcriptions",
            ApiEndpoint::AudioTranslations => "audio.translations",
            ApiEndpoint::Rerank => "rerank",
            ApiEndpoint::Messages => "messages",
            ApiEndpoint::MessagesCountTokens => "messages.count_tokens",
            ApiEndpoint::GenerateContent => "generate_content",
            ApiEndpoint::StreamGenerateContent => "stream_generate_content",
            ApiEndpoint::CountTokens => "count_tokens",
            ApiEndpoint::EmbedContent => "embed_content",
            ApiEndpoint::BatchEmbedContents => "batch_embed_contents",
            ApiEndpoint::Explain => "explain",
            ApiEndpoint::Models | ApiEndpoint::Model => "models",
            ApiEndpoint::None => "none",
        }
    }
}

/// What a part of a path says; `None` if its escapes are broken or it is no UTF-8.
pub fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        if first == b'%' {
            let digits = after.get(..2)?;
            bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
            rest = &after[2..];
        } else {
            bytes.push(first);
            rest = after;
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routed(method: &str, path: &str) -> String {
        let api = api(path, Api::OpenAi);
        match route(method, path) {
            Ok(Route::Api(entry)) => format!("{api:?} {:?}", entry.endpoint),
            Ok(Route::Named(entry, model)) => format!("{api:?} {:?} {model}", entry.endpoint),
            Ok(Route::Model(id)) => format!("{api:?} Model {id}"),
            Ok(Route::Stored(entry, id)) => format!("{api:?} {:?} {id}", entry.endpoint),
            Err(failure) => format!("{api:?} {}", failure.code()),
        }
    }

    #[test]
    fn paths_of_every_api() {
        for (request, expected) in [
            ("POST /v1/chat/completions", "OpenAi ChatCompletions"),
            ("POST /chat/completions", "OpenAi ChatCompletions"),
            ("POST /openai/v1/chat/completions", "OpenAi ChatCompletions"),
            ("POST /v1beta/openai/chat/completions", "OpenAi ChatCompletions"),
            ("POST /openai/deployments/gpt%2D5/chat/completions", "OpenAi ChatCompletions gpt%2D5"),
            ("POST /openai/deployments//chat/completions", "OpenAi unknown_url"),
            ("POST /openai/deployments/gpt-5", "OpenAi unknown_url"),
            ("POST /openai/deployments/own/gpt-5/chat/completions", "OpenAi ChatCompletions own/gpt-5"),
            ("POST /openai/deployments/whisper/audio/transcriptions", "OpenAi AudioTranscriptions whisper"),
            ("POST /openai/deployments/gpt-5/messages", "OpenAi unknown_url"),
            ("POST /deployments/gpt-5/chat/completions", "OpenAi unknown_url"),
            ("POST /openai/responses", "OpenAi Responses"),
            ("GET /openai/models", "OpenAi Models"),
            ("GET /openai/files", "OpenAi unsupported_endpoint"),
            ("POST /v1beta/models/gemini-3:generateNothing", "Gemini unknown_url"),
            ("GET /v1/models", "OpenAi Models"),
            ("GET /v1/models/org/name", "OpenAi Model org/name"),
            ("GET /v1beta/models", "Gemini Models"),
            ("GET /v1beta/models/gemini-3", "Gemini Model gemini-3"),
            ("POST /v1/messages", "Anthropic Messages"),
            ("POST /anthropic/v1/messages", "Anthropic Messages"),
            ("GET /v1/messages", "Anthropic method_not_allowed"),
            ("POST /v1/messages/count_tokens", "Anthropic MessagesCountTokens"),
            ("POST /v1/messages/batches", "Anthropic unsupported_endpoint"),
            ("POST /v1beta/models/gemini-3:generateContent", "Gemini GenerateContent gemini-3"),
            ("POST /v1/models/gemini-3:streamGenerateContent", "Gemini StreamGenerateContent gemini-3"),
            ("POST /models/tunedModels/x:countTokens", "Gemini CountTokens tunedModels/x"),
            ("POST /v1beta/models/:countTokens", "Gemini unknown_url"),
            ("GET /v1beta/models/gemini-3:embedContent", "Gemini method_not_allowed"),
            ("POST /v1beta/models/gemini-3:batchEmbedContents", "Gemini BatchEmbedContents gemini-3"),
            ("POST /v1beta/models/gemini-3:predict", "Gemini unknown_url"),
            ("POST /v1beta/cachedContents", "Gemini unknown_url"),
            ("POST /v1/rerank", "OpenAi Rerank"),
            ("POST /v2/rerank", "OpenAi Rerank"),
            ("POST /v2/chat", "OpenAi unknown_url"),
            ("POST /v1chat/completions", "OpenAi unknown_url"),
            ("POST /v1/responses/input_tokens", "OpenAi ResponsesInputTokens"),
            ("POST /v1/responses/compact", "OpenAi ResponsesCompact"),
            ("GET /v1/responses/resp_1", "OpenAi ResponsesRetrieve resp_1"),
            ("GET /openai/v1/responses/resp%5F1", "OpenAi ResponsesRetrieve resp%5F1"),
            ("DELETE /responses/resp_1", "OpenAi ResponsesDelete resp_1"),
            ("POST /v1beta/openai/responses/resp_1/cancel", "OpenAi ResponsesCancel resp_1"),
            ("GET /v1/responses/resp_1/input_items", "OpenAi ResponsesInputItems resp_1"),
            ("POST /v1/responses/resp_1", "OpenAi method_not_allowed"),
            ("GET /v1/responses/resp_1/cancel", "OpenAi method_not_allowed"),
            ("DELETE /v1/responses/resp_1/input_items", "OpenAi method_not_allowed"),
            ("GET /v1/responses", "OpenAi unsupported_endpoint"),
            ("GET /v1/responses/", "OpenAi unsupported_endpoint"),
            ("POST /v1/responses//cancel", "OpenAi unsupported_endpoint"),
            ("POST /v1/responses/resp_1/cancel/x", "OpenAi unsupported_endpoint"),
            ("GET /v1/conversations/conv_1", "OpenAi unsupported_endpoint"),
        ] {
            let (method, path) = request.split_once(' ').expect("a method and a path");
            assert_eq!(routed(method, path), expected, "{request}");
        }
    }

    #[test]
    fn a_call_is_explained_below_a_prefix() {
        for (path, expected) in [
            ("/v1/explain", Some("/v1/chat/completions")),
            ("/v1/explain/v1/messages", Some("/v1/messages")),
            ("/v1/explain/chat/completions", Some("/chat/completions")),
            ("/v1/explain/v1beta/models/m:generateContent", Some("/v1beta/models/m:generateContent")),
            ("/v1/explained", None),
            ("/v1/messages", None),
        ] {
            assert_eq!(explained(path), expected, "{path}");
        }
    }

    #[test]
    fn a_header_tells_whose_models_are_meant() {
        assert_eq!(api("/v1/models", Api::Anthropic), Api::Anthropic);
        assert_eq!(api("/v1/models/x", Api::Gemini), Api::Gemini);
        // The path says more.
        assert_eq!(api("/v1/chat/completions", Api::Gemini), Api::OpenAi);
    }
}
