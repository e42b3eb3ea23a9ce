//! `POST /rerank`, in the form that Jina, Together, vLLM and others share with Cohere: a document scores by how many of the query's words
//! it has.

use serde_json::{Value, json};

use super::reply::Reply;
use super::verify::Is::{Bool, Int, Items, Text};
use super::verify::{Table, may, need};
use super::{ApiError, Call, Trouble, token_count};

pub(in super::super) const TABLE: Table = Table {
    fields: &[
        need("model", Text),
        need("query", Text),
        need("documents", Items),
        may("top_n", Int(1, i64::MAX)),
        may("return_documents", Bool),
        may("max_tokens_per_doc", Int(1, i64::MAX)),
    ],
    known: None,
};

pub(in super::super) fn reply(call: &Call<'_>) -> Result<Reply, ApiError> {
    let body = &call.body;
    let query = body.get("query").and_then(Value::as_str).unwrap_or("").to_lowercase();
    let words: Vec<&str> = query.split_whitespace().collect();
    let documents = body.get("documents").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let mut scored = Vec::with_capacity(documents.len());
    for (index, document) in documents.iter().enumerate() {
        let text = document.as_str().or_else(|| document.get("text")?.as_str());
        let text = text.ok_or_else(|| Trouble::WrongType("a list of texts").about("documents"))?;
        let lower = text.to_lowercase();
        let found = words.iter().filter(|word| lower.contains(*word)).count();
        scored.push((index, text, found as f64 / words.len().max(1) as f64));
    }
    scored.sort_by(|one, other| other.2.total_cmp(&one.2).then(one.0.cmp(&other.0)));
    if let Some(most) = body.get("top_n").and_then(Value::as_u64) {
        scored.truncate(usize::try_from(most).unwrap_or(usize::MAX));
    }
    let shows = body.get("return_documents").and_then(Value::as_bool) == Some(true);
    let results: Vec<Value> = scored
        .iter()
        .map(|(index, text, score)| {
            let mut result = json!({"index": index, "relevance_score": score});
            if shows {
                result["document"] = json!({"text": text});
            }
            result
        })
        .collect();
    let tokens = documents.iter().map(|document| token_count(&document.to_string())).sum::<u64>() + token_count(&query);
    Ok(Reply::json(&json!({
        "id": call.setting.id("rerank-"),
        "model": body.get("model"),
        "results": results,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    })))
}
