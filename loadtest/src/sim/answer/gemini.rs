//! Google's Gemini API: content, pictures, token counts, embeddings, models, its errors.
//!
//! Names are taken in both spellings, `generationConfig` and `generation_config`, as the service takes them. A credential is
//! demanded of every request, whatever the script says of keys: `x-goog-api-key`, `?key=`, or a bearer as Vertex has it.
//! There are no rate-limit headers; a refusal says in its details when to come back.

mod embed;
mod generate;
mod pictures;
mod rules;

use serde_json::{Value, json};

use super::base64::encode as base64;
use super::openai::{PIXEL, vector};
use super::verify::snake;
use super::{
    ApiError, Call, Dialect, Endpoint, Event, EventKind, Framing, Input, Places, Reply, Route, Setting, Table, Target,
    Trouble, invent, order, reply, token_count, verify,
};

pub(super) const DIALECT: Dialect = Dialect {
    name: "gemini",
    endpoints: &[
        post("gemini_generate", "generateContent", &rules::GENERATE, generate::whole),
        post("gemini_generate", "streamGenerateContent", &rules::GENERATE, generate::streamed),
        post("gemini_count_tokens", "countTokens", &rules::COUNT_TOKENS, generate::count_tokens),
        post("gemini_embed", "embedContent", &rules::EMBED, embed::one),
        post("gemini_batch_embed", "batchEmbedContents", &rules::BATCH_EMBED, embed::batch),
        post("gemini_predict", "predict", &rules::PREDICT, pictures::predict),
        get("gemini_models", Route::Path("models"), models),
        get("gemini_model", Route::Below("models/"), model),
    ],
    marks: |request| {
        request.header("x-goog-api-key").is_some()
            || request.parameter("key").is_some()
            || request.path.contains("/v1beta/")
    },
    key: |request| {
        let named = request.header("x-goog-api-key").or_else(|| request.parameter("key"));
        named.unwrap_or_else(|| request.bearer())
    },
    admit: |request| if (DIALECT.key)(request).is_empty() { Err(Trouble::NoKey.into()) } else { Ok(()) },
    member,
    refuse,
    late_error: |code, _, setting| {
        let told = ApiError::from(Trouble::Told(u16::try_from(code).unwrap_or(500)));
        Event::data(EventKind::Finish, order::text(&error_value(&told, setting), order::gemini))
    },
    headers: |_| vec![("server-timing", "gfet4t7; dur=7".to_owned()), ("x-content-type-options", "nosniff".to_owned())],
    places: Places {
        text: &["/candidates/0/content/parts/0/text"],
        usage: &["/usageMetadata"],
        answers: &["/candidates"],
        finish: &["/candidates/0/finishReason"],
        counts: ["promptTokenCount", "candidatesTokenCount", "totalTokenCount"],
    },
};

type Answer = fn(&Call<'_>) -> Result<Reply, ApiError>;

const fn post(name: &'static str, action: &'static str, table: &'static Table, answer: Answer) -> Endpoint {
    Endpoint { name, method: "POST", route: Route::Action(action), input: Input::Json(table), answer }
}

const fn get(name: &'static str, route: Route, answer: Answer) -> Endpoint {
    Endpoint { name, method: "GET", route, input: Input::Nothing, answer }
}

/// A member in either spelling.
fn member<'v>(value: &'v Value, name: &str) -> Option<&'v Value> {
    value.get(name).or_else(|| value.get(snake(name)))
}

/// The member at the end of a way of names, null counting as absent.
fn at<'v>(value: &'v Value, way: &[&str]) -> Option<&'v Value> {
    way.iter().try_fold(value, |value, name| member(value, name)).filter(|found| !found.is_null())
}

fn models(call: &Call<'_>) -> Result<Reply, ApiError> {
    let shown = call.setting.models_shown();
    Ok(order::gemini_reply(&json!({"models": shown.iter().map(|id| model_object(id)).collect::<Vec<_>>()})))
}

fn model(call: &Call<'_>) -> Result<Reply, ApiError> {
    Ok(order::gemini_reply(&model_object(call.listed()?)))
}

fn model_object(id: &str) -> Value {
    json!({
        "name": format!("models/{id}"),
        "version": "001",
        "displayName": id,
        "description": "A simulated model.",
        "inputTokenLimit": 1_048_576,
        "outputTokenLimit": 65_536,
        "supportedGenerationMethods": ["generateContent", "countTokens", "embedContent"],
    })
}

fn refuse(error: &ApiError, target: &Target, setting: &Setting<'_>) -> Reply {
    if error.trouble == Trouble::ContentFilter
        && let Some(endpoint) = target.endpoint
    {
        return match endpoint.route {
            Route::Action("predict") => pictures::filtered(),
            _ => generate::blocked(target, setting),
        };
    }
    let value = error_value(error, setting);
    // A stream that was asked for as an array fails as an array.
    let is_stream =
        target.endpoint.is_some_and(|endpoint| matches!(endpoint.route, Route::Action("streamGenerateContent")));
    let value = if is_stream && !target.asks_for_events { json!([value]) } else { value };
    let status = error.said.status.unwrap_or_else(|| status(error));
    Reply { status, headers: error.said.headers.clone(), ..order::gemini_reply(&value) }
}

fn error_value(error: &ApiError, setting: &Setting<'_>) -> Value {
    let code = error.said.status.unwrap_or_else(|| status(error));
    let mut value = json!({"error": {
        "code": code,
        "message": error.said.message.clone().unwrap_or_else(|| words(error)),
        "status": error.said.kind.as_deref().or(error.said.code.as_deref()).unwrap_or(status_name(code)),
    }});
    let details = details(error, setting);
    if !details.is_empty() {
        value["error"]["details"] = details.into();
    }
    value
}

fn status(error: &ApiError) -> u16 {
    match &error.trouble {
        Trouble::NoKey => 403,
        Trouble::UnknownUrl(_) | Trouble::ModelNotFound(_) => 404,
        Trouble::TooLarge => 413,
        Trouble::Quota | Trouble::RateLimited => 429,
        Trouble::Told(status) => *status,
        // A key that is no key is an invalid argument here.
        _ => 400,
    }
}

fn status_name(code: u16) -> &'static str {
    match code {
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        409 => "ABORTED",
        429 => "RESOURCE_EXHAUSTED",
        499 => "CANCELLED",
        400..=498 => "INVALID_ARGUMENT",
        501 => "UNIMPLEMENTED",
        503 | 529 => "UNAVAILABLE",
        504 => "DEADLINE_EXCEEDED",
        _ => "INTERNAL",
    }
}

const TYPES: &str = "type.googleapis.com/google.rpc.";

fn details(error: &ApiError, setting: &Setting<'_>) -> Vec<Value> {
    let quota = |id: &str, value: u64| {
        json!({"@type": format!("{TYPES}QuotaFailure"), "violations": [{
            "quotaMetric": "generativelanguage.googleapis.com/generate_content_requests",
            "quotaId": id,
            "quotaValue": value.to_string(),
        }]})
    };
    let mut details = match error.trouble {
        Trouble::BadKey => vec![json!({
            "@type": format!("{TYPES}ErrorInfo"),
            "reason": "API_KEY_INVALID",
            "domain": "googleapis.com",
            "metadata": {"service": "generativelanguage.googleapis.com"},
        })],
        Trouble::Quota => vec![quota("GenerateRequestsPerDayPerProjectPerModel", 0)],
        Trouble::RateLimited => {
            vec![quota("GenerateRequestsPerMinutePerProjectPerModel", setting.allowance.requests.limit)]
        }
        _ => Vec::new(),
    };
    details.extend(
        error
            .said
            .retry_after
            .iter()
            .map(|seconds| json!({"@type": format!("{TYPES}RetryInfo"), "retryDelay": format!("{seconds}s")})),
    );
    details
}

fn words(error: &ApiError) -> String {
    let param = error.param();
    match &error.trouble {
        Trouble::NotJson(why) => format!("Invalid JSON payload received. {why}"),
        Trouble::Missing => format!("* {param}: {param} is not specified\n"),
        Trouble::WrongType(expected) => format!("Invalid value at '{}': expected {expected}.", snake(param)),
        Trouble::BadValue(expected) => format!("* {param}: expected {expected}\n"),
        Trouble::UnknownField => {
            format!("Invalid JSON payload received. Unknown name \"{param}\": Cannot find field.")
        }
        Trouble::Broken(_, says) => says.clone(),
        Trouble::UnknownUrl(_) => "The requested URL was not found on this server.".to_owned(),
        Trouble::NoKey => "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or other form of API consumer identity to call this API.".to_owned(),
        Trouble::BadKey => "API key not valid. Please pass a valid API key.".to_owned(),
        Trouble::ModelNotFound(model) => {
            format!("models/{model} is not found for API version v1beta, or is not supported for generateContent.")
        }
        Trouble::ContextLength => {
            "The input token count (1500000) exceeds the maximum number of tokens allowed (1048575).".to_owned()
        }
        Trouble::ContentFilter => "The prompt was blocked.".to_owned(),
        Trouble::TooLarge => "Request payload size exceeds the limit: 20971520 bytes.".to_owned(),
        Trouble::Quota | Trouble::RateLimited => {
            "You exceeded your current quota, please check your plan and billing details.".to_owned()
        }
        Trouble::Told(503 | 529) => "The model is overloaded. Please try again later.".to_owned(),
        Trouble::Told(_) => "The simulated provider was told to fail.".to_owned(),
    }
}
