//! The API's paths: which endpoint a request names, and how its body is treated.
//!
//! One table; paths are matched with and without `/v1`. Whatever is not in it is `unknown_url`.

use crate::error::Failure;

/// An endpoint of OpenAI's API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApiEndpoint {
    ChatCompletions,
    Completions,
    Embeddings,
    Moderations,
    Responses,
    ImagesGenerations,
    ImagesEdits,
    ImagesVariations,
    AudioSpeech,
    AudioTranscriptions,
    AudioTranslations,
    /// `GET /v1/models`
    Models,
    /// `GET /v1/models/{id}`
    Model,
    /// No endpoint, or one that is refused: only in access records.
    None,
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
    pub method: &'static str,
    /// Path below `/v1`.
    pub path: &'static str,
    pub body: BodyKind,
    /// May a request fail over to a deployment of another upstream model? Vectors of different models do not compare.
    pub other_model_on_failover: bool,
}

/// The table.
pub static ENDPOINTS: &[EndpointEntry] = &[
    entry(ApiEndpoint::ChatCompletions, "POST", "/chat/completions", BodyKind::Json, true),
    entry(ApiEndpoint::Completions, "POST", "/completions", BodyKind::Json, true),
    entry(ApiEndpoint::Embeddings, "POST", "/embeddings", BodyKind::Json, false),
    entry(ApiEndpoint::Moderations, "POST", "/moderations", BodyKind::Json, true),
    entry(ApiEndpoint::Responses, "POST", "/responses", BodyKind::Json, true),
    entry(ApiEndpoint::ImagesGenerations, "POST", "/images/generations", BodyKind::Json, true),
    entry(ApiEndpoint::ImagesEdits, "POST", "/images/edits", BodyKind::JsonOrMultipart, true),
    entry(ApiEndpoint::ImagesVariations, "POST", "/images/variations", BodyKind::JsonOrMultipart, true),
    entry(ApiEndpoint::AudioSpeech, "POST", "/audio/speech", BodyKind::Json, true),
    entry(ApiEndpoint::AudioTranscriptions, "POST", "/audio/transcriptions", BodyKind::JsonOrMultipart, true),
    entry(ApiEndpoint::AudioTranslations, "POST", "/audio/translations", BodyKind::JsonOrMultipart, true),
    entry(ApiEndpoint::Models, "GET", "/models", BodyKind::None, true),
];

/// Paths whose objects live at a provider: reachable through a shared credential they would expose other tenants' objects.
static UNSUPPORTED: &[&str] = &[
    "/files",
    "/batches",
    "/responses",
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
    EndpointEntry { endpoint, method, path, body, other_model_on_failover }
}

/// What a request line asks for.
#[derive(Debug)]
pub enum Route<'a> {
    Api(&'static EndpointEntry),
    /// One model, by its id; ids contain slashes, so it is the rest of the path, still percent-encoded.
    Model(&'a str),
}

/// Finds the endpoint for a method and a path without its query.
///
/// # Errors
/// `UnknownPath`, `MethodNotAllowed` or `UnsupportedEndpoint`.
pub fn route<'a>(method: &str, path: &'a str) -> Result<Route<'a>, Failure> {
    let below = match path.strip_prefix("/v1") {
        Some(rest) if rest.starts_with('/') => rest,
        _ => path,
    };
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
    if let Some(id) = below.strip_prefix("/models/").filter(|id| !id.is_empty()) {
        return if method == "GET" { Ok(Route::Model(id)) } else { Err(Failure::MethodNotAllowed { allow: "GET" }) };
    }
    let stored =
        |prefix: &&str| below.strip_prefix(*prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    if UNSUPPORTED.iter().any(stored) {
        return Err(Failure::UnsupportedEndpoint);
    }
    Err(Failure::UnknownPath)
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
            ApiEndpoint::ImagesGenerations => "images.generations",
            ApiEndpoint::ImagesEdits => "images.edits",
            ApiEndpoint::ImagesVariations => "images.variations",
            ApiEndpoint::AudioSpeech => "audio.speech",
            ApiEndpoint::AudioTranscriptions => "audio.transcriptions",
            ApiEndpoint::AudioTranslations => "audio.translations",
            ApiEndpoint::Models | ApiEndpoint::Model => "models",
            ApiEndpoint::None => "none",
        }
    }
}
