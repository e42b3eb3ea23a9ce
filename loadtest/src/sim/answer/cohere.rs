//! Of Cohere's API, version 2, what is no chat: vectors and reranking. Chat is not simulated.
//!
//! A credential is demanded of every request, as a bearer. Errors are a message and nothing else.

use serde_json::{Value, json};

use super::openai::{rerank, vector};
use super::verify::Is::{Int, Items, OneOf, Str, Text};
use super::verify::{may, need, plain};
use super::{
    ApiError, Call, Dialect, Endpoint, Event, EventKind, Input, Places, Reply, Request, Route, Table, Trouble, openai,
    token_count,
};
use crate::limits::EMBEDDING_DIMENSIONS_MAX;

/// Texts of one request, as the API bounds them.
const TEXTS_MAX: usize = 96;

/// Numbers of a vector where the request does not say.
const DIMENSIONS: u64 = 256;

const EMBED: Table = Table {
    fields: &[
        need("model", Text),
        need("texts", Items),
        may("texts[]", Str),
        need("input_type", OneOf(&["search_document", "search_query", "classification", "clustering", "image"])),
        need("embedding_types", Items),
        may("embedding_types[]", OneOf(&["float", "int8", "uint8", "binary", "ubinary", "base64"])),
        may("output_dimension", Int(1, EMBEDDING_DIMENSIONS_MAX as i64)),
        may("truncate", OneOf(&["NONE", "START", "END"])),
        may("max_tokens", Int(1, i64::MAX)),
        may("priority", Int(0, 999)),
    ],
    known: Some(&[
        "model",
        "texts",
        "input_type",
        "embedding_types",
        "output_dimension",
        "truncate",
        "max_tokens",
        "priority",
        "images",
        "inputs",
    ]),
};

pub(super) const DIALECT: Dialect = Dialect {
    name: "cohere",
    endpoints: &[
        post("cohere_embed", "v2/embed", &EMBED, embed),
        post("cohere_rerank", "v2/rerank", &rerank::TABLE, rerank),
    ],
    marks: |request| request.path.starts_with("/v2/"),
    key: Request::bearer,
    admit: |request| if request.bearer().is_empty() { Err(Trouble::NoKey.into()) } else { Ok(()) },
    member: plain,
    refuse: |error, _, _| refuse(error),
    late_error: |code, _, _| Event::data(EventKind::Finish, json!({"message": format!("error {code}")}).to_string()),
    headers: |setting| vec![("x-debug-trace-id", setting.request_id())],
    places: Places {
        text: &[],
        usage: &["/meta/billed_units"],
        answers: &["/embeddings/float", "/results"],
        finish: &[],
        counts: ["input_tokens", "output_tokens", "search_units"],
    },
};

const fn post(
    name: &'static str,
    path: &'static str,
    table: &'static Table,
    answer: fn(&Call<'_>) -> Result<Reply, ApiError>,
) -> Endpoint {
    Endpoint { name, method: "POST", route: Route::Path(path), input: Input::Json(table), answer }
}

fn embed(call: &Call<'_>) -> Result<Reply, ApiError> {
    let body = &call.body;
    let texts: Vec<&str> = body["texts"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if texts.len() > TEXTS_MAX {
        return Err(Trouble::BadValue(format!("at most {TEXTS_MAX} texts")).about("texts"));
    }
    let model = body["model"].as_str().unwrap_or("");
    let dimensions = body["output_dimension"].as_u64().unwrap_or(DIMENSIONS) as usize;
    let vectors: Vec<_> =
        texts.iter().map(|text| vector(&format!("{model}\n{text}"), dimensions, call.setting.seed)).collect();
    let tokens: u64 = texts.iter().map(|text| token_count(text)).sum();
    Ok(Reply::json(&json!({
        "id": call.setting.id(""),
        "embeddings": {"float": vectors},
        "texts": texts,
        "meta": {"api_version": {"version": "2"}, "billed_units": {"input_tokens": tokens}},
        "response_type": "embeddings_by_type",
    })))
}

fn rerank(call: &Call<'_>) -> Result<Reply, ApiError> {
    rerank::reply(call)
}

/// The status of OpenAI's, with Cohere's words around the message.
fn refuse(error: &ApiError) -> Reply {
    let refusal = openai::refuse(error);
    let message = error.said.message.clone().unwrap_or_else(|| openai::words(error));
    Reply { status: refusal.status, headers: refusal.headers, ..Reply::json(&json!({"message": message})) }
}
