//! `POST /moderations`: an input that contains `flag-me` is flagged as harassment, everything else is not.

use serde_json::{Map, Value, json};

use super::reply::Reply;
use super::verify::Is::{Str, StrOrList};
use super::verify::{Table, may, need};
use super::{ApiError, Call};

const CATEGORIES: &[&str] = &[
    "harassment",
    "harassment/threatening",
    "hate",
    "hate/threatening",
    "illicit",
    "illicit/violent",
    "self-harm",
    "self-harm/instructions",
    "self-harm/intent",
    "sexual",
    "sexual/minors",
    "violence",
    "violence/graphic",
];

pub(super) const TABLE: Table = Table { fields: &[may("model", Str), need("input", StrOrList)], known: None };

pub(super) fn reply(call: &Call<'_>) -> Result<Reply, ApiError> {
    let (body, setting) = (&call.body, call.setting);
    let texts: Vec<String> = match body.get("input") {
        Some(Value::String(one)) => vec![one.clone()],
        Some(Value::Array(items)) if items.iter().all(Value::is_string) => {
            items.iter().filter_map(Value::as_str).map(str::to_owned).collect()
        }
        // Parts of one multi-modal input.
        parts => vec![parts.map(Value::to_string).unwrap_or_default()],
    };
    let model = body.get("model").and_then(Value::as_str).unwrap_or("omni-moderation-latest");
    let results: Vec<Value> = texts.iter().map(|text| result(text.contains("flag-me"))).collect();
    Ok(Reply::json(&json!({"id": setting.id("modr-"), "model": model, "results": results})))
}

fn result(flagged: bool) -> Value {
    let per_category = |value: &dyn Fn(bool) -> Value| {
        let members = CATEGORIES.iter().map(|name| ((*name).to_owned(), value(flagged && *name == "harassment")));
        Value::Object(members.collect::<Map<_, _>>())
    };
    json!({
        "flagged": flagged,
        "categories": per_category(&|hit| json!(hit)),
        "category_scores": per_category(&|hit| json!(if hit { 0.98 } else { 0.01 })),
        "category_applied_input_types": per_category(&|_| json!(["text"])),
    })
}
