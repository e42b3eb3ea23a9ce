//! Of Ollama's own API, vectors: `/api/embed`. Chat is not simulated. No credential is asked for; errors are one string.

use serde_json::{Value, json};

use super::openai::vector;
use super::verify::Is::{Bool, Int, Object, StrOrList, Text};
use super::verify::{may, need, plain};
use super::{
    ApiError, Call, Dialect, Endpoint, Event, EventKind, Input, Places, Reply, Request, Route, Table, openai,
    token_count,
};
use crate::limits::EMBEDDING_DIMENSIONS_MAX;

/// Numbers of a vector where the request does not say.
const DIMENSIONS: u64 = 256;

const EMBED: Table = Table {
    fields: &[
        need("model", Text),
        need("input", StrOrList),
        may("dimensions", Int(1, EMBEDDING_DIMENSIONS_MAX as i64)),
        may("truncate", Bool),
        may("options", Object),
    ],
    known: None,
};

pub(super) const DIALECT: Dialect = Dialect {
    name: "ollama",
    endpoints: &[Endpoint {
        name: "ollama_embed",
        method: "POST",
        route: Route::Path("api/embed"),
        input: Input::Json(&EMBED),
        answer: embed,
    }],
    marks: |request| request.path.starts_with("/api/"),
    key: Request::bearer,
    admit: |_| Ok(()),
    member: plain,
    refuse: |error, _, _| refuse(error),
    late_error: |code, _, _| Event::data(EventKind::Finish, json!({"error": format!("error {code}")}).to_string()),
    headers: |_| Vec::new(),
    places: Places {
        text: &[],
        usage: &[],
        answers: &["/embeddings"],
        finish: &[],
        counts: ["prompt_eval_count", "eval_count", "total_duration"],
    },
};

fn embed(call: &Call<'_>) -> Result<Reply, ApiError> {
    let body = &call.body;
    let texts: Vec<&str> = match &body["input"] {
        Value::String(one) => vec![one],
        several => several.as_array().into_iter().flatten().filter_map(Value::as_str).collect(),
    };
    let model = body["model"].as_str().unwrap_or("");
    let dimensions = body["dimensions"].as_u64().unwrap_or(DIMENSIONS) as usize;
    let vectors: Vec<_> =
        texts.iter().map(|text| vector(&format!("{model}\n{text}"), dimensions, call.setting.seed)).collect();
    Ok(Reply::json(&json!({
        "model": model,
        "embeddings": vectors,
        "total_duration": 14_143_917,
        "load_duration": 1_019_500,
        "prompt_eval_count": texts.iter().map(|text| token_count(text)).sum::<u64>(),
    })))
}

fn refuse(error: &ApiError) -> Reply {
    let refusal = openai::refuse(error);
    let message = error.said.message.clone().unwrap_or_else(|| openai::words(error));
    Reply { status: refusal.status, headers: refusal.headers, ..Reply::json(&json!({"error": message})) }
}
