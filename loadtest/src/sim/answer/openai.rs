//! OpenAI's API and what servers of it have beside it (reranking): its endpoints, errors, headers and list of models. A credential is asked for where the script demands one.

mod audio;
mod chat;
mod completions;
mod embeddings;
mod images;
mod moderations;
mod multipart;
pub(super) mod rerank;
pub(super) mod responses;

use serde_json::{Value, json};

pub(super) use embeddings::vector;
pub(super) use images::PIXEL;
pub(crate) use multipart::{Form, field_in_passing};

use super::base64::encode as base64;
use super::verify::plain;
use super::{
    ApiError, Call, Dialect, Endpoint, Event, EventKind, Input, Places, Reply, Request, Route, Setting, Table, Trouble,
    invent, reply, text, token_count, verify,
};

pub(super) const DIALECT: Dialect = Dialect {
    name: "openai",
    endpoints: &[
        json("openai_chat", "chat/completions", &chat::TABLE, chat::reply),
        json("openai_completions", "completions", &completions::TABLE, completions::reply),
        json("openai_embeddings", "embeddings", &embeddings::TABLE, embeddings::reply),
        json("openai_moderations", "moderations", &moderations::TABLE, moderations::reply),
        json("openai_rerank", "rerank", &rerank::TABLE, rerank::reply),
        json(RESPONSES, "responses", &responses::TABLE, responses::reply),
        json("openai_responses_input_tokens", "responses/input_tokens", &responses::TABLE, responses::input_tokens),
        json("openai_responses_compact", "responses/compact", &responses::TABLE, responses::compact),
        get(RESPONSES, Route::Below("responses/"), responses::stored::get),
        Endpoint {
            method: "DELETE",
            ..get("openai_responses_delete", Route::Below("responses/"), responses::stored::delete)
        },
        Endpoint {
            method: "POST",
            ..get("openai_responses_cancel", Route::Below("responses/"), responses::stored::cancel)
        },
        json("openai_images", "images/generations", &images::TABLE, images::generations),
        json("openai_speech", "audio/speech", &audio::TABLE, audio::speech),
        form("openai_image_edits", "images/edits", images::edits),
        form("openai_transcriptions", "audio/transcriptions", audio::transcriptions),
        form("openai_translations", "audio/translations", audio::translations),
        get("openai_models", Route::Path("models"), models),
        get("openai_model", Route::Below("models/"), model),
    ],
    marks: |_| true,
    key: Request::bearer,
    admit: |_| Ok(()),
    member: plain,
    refuse: |error, _, _| refuse(error),
    late_error: |code, endpoint, _| match endpoint {
        Some(endpoint) if endpoint.name == RESPONSES => typed_error(code),
        _ => Event::data(EventKind::Finish, coded_error(code).to_string()),
    },
    headers,
    places: Places {
        text: &[
            "/choices/0/message/content",
            "/choices/0/delta/content",
            "/choices/0/text",
            "/output/0/content/0/text",
            "/delta",
        ],
        usage: &["/usage", "/response/usage"],
        answers: &["/choices", "/output"],
        finish: &["/choices/0/finish_reason"],
        counts: ["prompt_tokens", "completion_tokens", "total_tokens"],
    },
};

/// The endpoint whose events have types.
const RESPONSES: &str = "openai_responses";

type Answer = fn(&Call<'_>) -> Result<Reply, ApiError>;

const fn json(name: &'static str, path: &'static str, table: &'static Table, answer: Answer) -> Endpoint {
    Endpoint { name, method: "POST", route: Route::Path(path), input: Input::Json(table), answer }
}

const fn form(name: &'static str, path: &'static str, answer: Answer) -> Endpoint {
    Endpoint { name, method: "POST", route: Route::Path(path), input: Input::Form, answer }
}

const fn get(name: &'static str, route: Route, answer: Answer) -> Endpoint {
    Endpoint { name, method: "GET", route, input: Input::Nothing, answer }
}

fn models(call: &Call<'_>) -> Result<Reply, ApiError> {
    let data: Vec<Value> = call.setting.models_shown().iter().map(|id| model_object(id, call.setting)).collect();
    Ok(Reply::json(&json!({"object": "list", "data": data})))
}

fn model(call: &Call<'_>) -> Result<Reply, ApiError> {
    Ok(Reply::json(&model_object(call.listed()?, call.setting)))
}

fn model_object(id: &str, setting: &Setting<'_>) -> Value {
    json!({"id": id, "object": "model", "created": setting.created_s, "owned_by": "simulator"})
}

pub(crate) fn refuse(error: &ApiError) -> Reply {
    let (status, kind, code) = class(error);
    let value = json!({"error": {
        "message": error.said.message.clone().unwrap_or_else(|| words(error)),
        "type": error.said.kind.as_deref().unwrap_or(kind),
        "param": error.param,
        "code": error.said.code.as_deref().or(code),
    }});
    let mut headers = error.said.headers.clone();
    headers.extend(error.said.retry_after.iter().map(|seconds| ("retry-after", seconds.clone())));
    if error.said.exhausted {
        headers.push(("x-ratelimit-remaining-requests", "0".to_owned()));
    }
    Reply { status: error.said.status.unwrap_or(status), headers, ..Reply::json(&value) }
}

/// Status, type and code.
fn class(error: &ApiError) -> (u16, &'static str, Option<&'static str>) {
    const INVALID: &str = "invalid_request_error";
    match &error.trouble {
        Trouble::Missing => (400, INVALID, Some("missing_required_parameter")),
        Trouble::WrongType(_) => (400, INVALID, Some("invalid_type")),
        Trouble::BadValue(_) => (400, INVALID, Some("invalid_value")),
        Trouble::UnknownField => (400, INVALID, Some("unknown_parameter")),
        Trouble::NotJson(_) | Trouble::Broken(..) => (400, INVALID, None),
        Trouble::UnknownUrl(_) => (404, INVALID, None),
        Trouble::NoKey | Trouble::BadKey => (401, INVALID, Some("invalid_api_key")),
        Trouble::ModelNotFound(_) => (404, INVALID, Some("model_not_found")),
        Trouble::ContextLength => (400, INVALID, Some("context_length_exceeded")),
        Trouble::ContentFilter => (400, INVALID, Some("content_filter")),
        Trouble::TooLarge => (413, INVALID, None),
        Trouble::Quota => (429, "insufficient_quota", Some("insufficient_quota")),
        Trouble::RateLimited => (429, "requests", Some("rate_limit_exceeded")),
        Trouble::Told(status) => (*status, type_of(*status), code_of(*status)),
    }
}

fn type_of(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        403 => "permission_error",
        429 => "requests",
        400..=499 => "invalid_request_error",
        503 | 529 => "service_unavailable_error",
        _ => "server_error",
    }
}

fn code_of(status: u16) -> Option<&'static str> {
    match status {
        401 => Some("invalid_api_key"),
        404 => Some("model_not_found"),
        408 => Some("timeout"),
        429 => Some("rate_limit_exceeded"),
        503 | 529 => Some("server_is_overloaded"),
        500..=599 => Some("server_error"),
        _ => None,
    }
}

pub(super) fn words(error: &ApiError) -> String {
    let param = error.param();
    match &error.trouble {
        Trouble::NotJson(why) => format!("We could not parse the JSON body of your request. ({why})"),
        Trouble::Missing => format!("Missing required parameter: '{param}'."),
        Trouble::WrongType(expected) => format!("Invalid type for '{param}': expected {expected}."),
        Trouble::BadValue(expected) => format!("Invalid '{param}': expected {expected}."),
        Trouble::UnknownField => format!("Unknown parameter: '{param}'."),
        Trouble::Broken(_, says) => says.clone(),
        Trouble::UnknownUrl(what) => format!("Invalid URL ({what})"),
        // OpenAI repeats a masked part of the key; this one repeats nothing. The fault `echo_key` repeats all of it.
        Trouble::NoKey | Trouble::BadKey => "Incorrect API key provided.".to_owned(),
        Trouble::ModelNotFound(model) => format!("The model `{model}` does not exist or you do not have access to it."),
        Trouble::ContextLength => {
            "This model's maximum context length is 4096 tokens. However, your messages resulted in 5000 tokens."
                .to_owned()
        }
        Trouble::ContentFilter => {
            "The response was filtered due to the prompt triggering a content management policy.".to_owned()
        }
        Trouble::TooLarge => "Request too large.".to_owned(),
        Trouble::Quota => "You exceeded your current quota, please check your plan and billing details.".to_owned(),
        Trouble::RateLimited => "Rate limit reached for requests. Please try again later.".to_owned(),
        Trouble::Told(_) => "The simulated provider was told to fail.".to_owned(),
    }
}

/// An error whose code is a number, as OpenRouter and vLLM write it.
fn coded_error(code: u64) -> Value {
    json!({"error": {
        "message": "The simulated provider failed after it had said 200.",
        "type": "server_error",
        "param": null,
        "code": code,
    }})
}

/// An error as an event of the Responses API.
fn typed_error(status: u64) -> Event {
    let code = u16::try_from(status).ok().and_then(code_of);
    let message = "The simulated provider failed after it had said 200.";
    let data = json!({"type": "error", "sequence_number": 0, "code": code, "message": message, "param": null});
    Event::named(EventKind::Finish, "error", data.to_string())
}

fn headers(setting: &Setting<'_>) -> Vec<(&'static str, String)> {
    let (requests, tokens) = (setting.allowance.requests, setting.allowance.tokens);
    vec![
        ("x-request-id", setting.request_id()),
        ("openai-processing-ms", "7".to_owned()),
        ("openai-version", "2020-10-01".to_owned()),
        ("x-ratelimit-limit-requests", requests.limit.to_string()),
        ("x-ratelimit-limit-tokens", tokens.limit.to_string()),
        ("x-ratelimit-remaining-requests", requests.remaining.to_string()),
        ("x-ratelimit-remaining-tokens", tokens.remaining.to_string()),
        ("x-ratelimit-reset-requests", duration(requests.full_in_ms)),
        ("x-ratelimit-reset-tokens", duration(tokens.full_in_ms)),
    ]
}

/// A time as OpenAI writes it: `12ms`, `1.5s`, `6m0s`.
fn duration(ms: u64) -> String {
    let seconds =
        |ms: u64| if ms.is_multiple_of(1_000) { format!("{}s", ms / 1_000) } else { format!("{}s", ms as f64 / 1e3) };
    match ms {
        0..1_000 => format!("{ms}ms"),
        1_000..60_000 => seconds(ms),
        _ => format!("{}m{}", ms / 60_000, seconds(ms % 60_000)),
    }
}
