//! `POST /embeddings`: vectors of length one, the same for the same input and model, as floats or as base64 of
//! little-endian `f32`, which is what the official Python SDK asks for.

use serde_json::{Value, json};

use super::reply::Reply;
use super::verify::Is::{Int, OneOf, Str, StrOrList};
use super::verify::{Table, may, need};
use super::{ApiError, Call, Trouble, base64, token_count};
use crate::limits::{EMBEDDING_DIMENSIONS_MAX, EMBEDDING_INPUTS_MAX};
use crate::sim::latency::Random;

/// Numbers of a vector where the request does not say.
const DIMENSIONS: u64 = 256;

pub(super) const TABLE: Table = Table {
    fields: &[
        need("model", Str),
        need("input", StrOrList),
        may("dimensions", Int(1, EMBEDDING_DIMENSIONS_MAX as i64)),
        may("encoding_format", OneOf(&["float", "base64"])),
    ],
    known: None,
};

pub(super) fn reply(call: &Call<'_>) -> Result<Reply, ApiError> {
    let (body, setting) = (&call.body, call.setting);
    let inputs = inputs(body.get("input").unwrap_or(&Value::Null))
        .ok_or_else(|| Trouble::WrongType("a string, an array of strings or an array of integers").about("input"))?;
    if inputs.is_empty() || inputs.len() > EMBEDDING_INPUTS_MAX || inputs.iter().any(String::is_empty) {
        return Err(Trouble::BadValue("1 to 2048 inputs, none of them empty".to_owned()).about("input"));
    }
    let dimensions = body.get("dimensions").and_then(Value::as_u64).unwrap_or(DIMENSIONS);
    let as_base64 = body.get("encoding_format").and_then(Value::as_str) == Some("base64");
    let model = body.get("model").and_then(Value::as_str).unwrap_or("");
    let data: Vec<Value> = inputs
        .iter()
        .enumerate()
        .map(|(index, input)| {
            let numbers = vector(&format!("{model}\n{input}"), dimensions as usize, setting.seed);
            let embedding = if as_base64 {
                let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
                Value::from(base64(&bytes))
            } else {
                json!(numbers)
            };
            json!({"object": "embedding", "index": index, "embedding": embedding})
        })
        .collect();
    let tokens: u64 = inputs.iter().map(|input| token_count(input)).sum();
    Ok(Reply::json(&json!({
        "object": "list",
        "data": data,
        "model": model,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    })))
}

/// The inputs of `string | [string] | [int] | [[int]]`, or nothing if it is none of them.
pub(super) fn inputs(value: &Value) -> Option<Vec<String>> {
    let ids = |ids: &Vec<Value>| {
        let numbers: Option<Vec<String>> = ids.iter().map(|id| id.as_u64().map(|id| id.to_string())).collect();
        numbers.map(|numbers| numbers.join(" "))
    };
    match value {
        Value::String(one) => Some(vec![one.clone()]),
        Value::Array(items) if items.first().is_some_and(Value::is_number) => Some(vec![ids(items)?]),
        Value::Array(items) => items
            .iter()
            .map(|item| match item {
                Value::String(text) => Some(text.clone()),
                Value::Array(numbers) => ids(numbers),
                _ => None,
            })
            .collect(),
        _ => None,
    }
}

/// Numbers that depend on the text and the seed, of length one.
pub(in super::super) fn vector(text: &str, dimensions: usize, seed: u64) -> Vec<f32> {
    let mut random = Random::of_text(seed, text.as_bytes());
    let numbers: Vec<f64> = (0..dimensions).map(|_| random.unit() * 2.0 - 1.0).collect();
    let length = numbers.iter().map(|number| number * number).sum::<f64>().sqrt().max(1e-9);
    numbers.iter().map(|number| (number / length) as f32).collect()
}
