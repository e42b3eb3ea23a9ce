//! What a healthy provider answers: request in, `Reply` out, without clock, socket or randomness of its own.
//!
//! Written from OpenAI's published API description, never from the gateway's code. A request is checked for what
//! the endpoint requires and refused as OpenAI refuses it (status, `type`, `param`, `code`); members that are not known are
//! accepted. The same seed and the same request give the same content, whole or streamed.
//!
//! Endpoints are found with or without `/v1` in front. Bodies are parsed into a JSON tree: the fast path (`fast.rs`)
//! is for load, this one is for truth.

mod audio;
mod chat;
mod completions;
mod embeddings;
mod images;
mod moderations;
mod multipart;
mod reply;
mod responses;
mod schema;
mod text;

use serde_json::{Value, json};

pub(crate) use multipart::field_in_passing;
pub(crate) use reply::{ApiError, Body, Event, EventKind, Reply};

use super::latency::Random;
use super::script::AnswerShape;

/// A request that has been read whole.
#[derive(Debug)]
pub(crate) struct Request {
    pub method: String,
    /// Without the query.
    pub path: String,
    /// Names in lower case, in the order of arrival.
    pub headers: Vec<(String, String)>,
    pub body: bytes::Bytes,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(have, _)| have == name).map(|(_, value)| value.as_str())
    }

    /// The bearer credential, or what stands in the header if it is no bearer.
    pub fn key(&self) -> &str {
        let value = self.header("authorization").unwrap_or("");
        value.strip_prefix("Bearer ").unwrap_or(value)
    }

    /// The path below the API's base: `/v1/chat/completions` and `/chat/completions` are one.
    fn endpoint(&self) -> &str {
        match self.path.split_once("/v1/") {
            Some((_, rest)) => rest,
            None => self.path.trim_start_matches('/'),
        }
    }
}

/// What an answer depends on beside the request.
pub(crate) struct Setting<'a> {
    pub seed: u64,
    /// Serial number of the exchange: makes ids differ.
    pub serial: u64,
    pub created_s: u64,
    pub models: &'a [String],
    pub omit_nullable: bool,
    pub shape: AnswerShape,
}

impl Setting<'_> {
    /// An id such as `chatcmpl-...`: 24 letters and digits from the seed and the serial number.
    pub fn id(&self, prefix: &str) -> String {
        const LETTERS: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789";
        let mut random = Random::of_text(self.seed ^ self.serial.rotate_left(32), prefix.as_bytes());
        let letters = (0..24).map(|_| char::from(LETTERS[random.below(LETTERS.len())]));
        prefix.chars().chain(letters).collect()
    }
}

/// Models that are listed where the script names none.
const MODELS_SHOWN: &[&str] = &["sim-small", "sim-large", "sim-embedding"];

pub(crate) fn reply(request: &Request, setting: &Setting<'_>) -> Reply {
    route(request, setting).unwrap_or_else(|error| error.reply())
}

fn route(request: &Request, setting: &Setting<'_>) -> Result<Reply, ApiError> {
    let endpoint = request.endpoint();
    if request.method == "GET" || request.method == "HEAD" {
        return match endpoint.split_once('/') {
            None if endpoint == "models" => Ok(models(setting)),
            Some(("models", id)) => model(id, setting),
            _ => Err(ApiError::unknown_url(&request.method, &request.path)),
        };
    }
    if request.method != "POST" {
        return Err(ApiError::unknown_url(&request.method, &request.path));
    }
    match endpoint {
        "chat/completions" => chat::reply(&json_body(request, setting)?, setting),
        "completions" => completions::reply(&json_body(request, setting)?, setting),
        "embeddings" => embeddings::reply(&json_body(request, setting)?, setting),
        "moderations" => moderations::reply(&json_body(request, setting)?, setting),
        "responses" => responses::reply(&json_body(request, setting)?, setting),
        "images/generations" => images::generations(&json_body(request, setting)?, setting),
        "images/edits" => images::edits(&form_body(request, setting)?, setting),
        "audio/speech" => audio::speech(&json_body(request, setting)?, setting),
        "audio/transcriptions" => audio::transcriptions(&form_body(request, setting)?),
        "audio/translations" => audio::translations(&form_body(request, setting)?),
        _ => Err(ApiError::unknown_url(&request.method, &request.path)),
    }
}

/// The body as a JSON object whose `model`, where it has one, exists.
fn json_body(request: &Request, setting: &Setting<'_>) -> Result<Value, ApiError> {
    let body: Value = serde_json::from_slice(&request.body)
        .map_err(|error| ApiError::invalid(format!("We could not parse the JSON body of your request. ({error})")))?;
    if !body.is_object() {
        return Err(ApiError::invalid("The request body must be a JSON object."));
    }
    let required = !request.path.ends_with("moderations") && !request.path.ends_with("images/generations");
    match body.get("model") {
        Some(Value::String(model)) => known(model, setting)?,
        Some(Value::Null) | None if required => return Err(ApiError::missing("model")),
        Some(Value::Null) | None => {}
        Some(_) => return Err(ApiError::wrong_type("model", "a string")),
    }
    Ok(body)
}

fn form_body(request: &Request, setting: &Setting<'_>) -> Result<multipart::Form, ApiError> {
    let content_type = request.header("content-type").unwrap_or("");
    let form = multipart::Form::parse(content_type, &request.body)
        .ok_or_else(|| ApiError::invalid("The request body is not valid multipart/form-data."))?;
    known(form.required("model")?, setting)?;
    Ok(form)
}

fn known(model: &str, setting: &Setting<'_>) -> Result<(), ApiError> {
    if setting.models.is_empty() || setting.models.iter().any(|have| have == model) {
        Ok(())
    } else {
        Err(ApiError::model_not_found(model))
    }
}

fn models(setting: &Setting<'_>) -> Reply {
    let shown: Vec<&str> = if setting.models.is_empty() {
        MODELS_SHOWN.to_vec()
    } else {
        setting.models.iter().map(String::as_str).collect()
    };
    let data: Vec<Value> = shown.iter().map(|id| model_object(id, setting)).collect();
    Reply::json(&json!({"object": "list", "data": data}))
}

fn model(id: &str, setting: &Setting<'_>) -> Result<Reply, ApiError> {
    // Ids contain `/`, which some clients send encoded.
    let id = id.replace("%2F", "/").replace("%2f", "/");
    let exists =
        if setting.models.is_empty() { MODELS_SHOWN.contains(&id.as_str()) } else { setting.models.contains(&id) };
    if exists { Ok(Reply::json(&model_object(&id, setting))) } else { Err(ApiError::model_not_found(&id)) }
}

fn model_object(id: &str, setting: &Setting<'_>) -> Value {
    json!({"id": id, "object": "model", "created": setting.created_s, "owned_by": "simulator"})
}

/// Tokens of a text as this simulator counts them: four bytes each, as a rule of thumb for English says.
fn token_count(text: &str) -> u64 {
    text.len().div_ceil(4) as u64
}
