//! `POST /moderations`: an input that contains `flag-me` is flagged as harassment, everything else is not.

use serde_json::{Map, Value, json};

use super::Setting;
use super::reply::{ApiError, Reply};

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

pub(super) fn reply(body: &Value, setting: &Setting<'_>) -> Result<Reply, ApiError> {
    let texts: Vec<String> = match body.get("input") {
        None | Some(Value::Null) => return Err(ApiError::missing("input")),
        Some(Value::String(one)) => vec![one.clone()],
        Some(Value::Array(items)) if items.iter().all(Value::is_string) => {
            items.iter().filter_map(Value::as_str).map(str::to_owned).collect()
        }
        // Parts of one multi-modal input.
        Some(parts @ Value::Array(_)) => vec![parts.to_string()],
        Some(_) => return Err(ApiError::wrong_type("input", "a string or an array")),
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
