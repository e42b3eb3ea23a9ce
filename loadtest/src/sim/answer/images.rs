//! `POST /images/generations` (JSON) and `/images/edits` (multipart): each picture is one transparent pixel.

use serde_json::{Value, json};

use super::multipart::Form;
use super::reply::{ApiError, Reply};
use super::{Setting, token_count};

/// A PNG of one pixel.
const PIXEL: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

pub(super) fn generations(body: &Value, setting: &Setting<'_>) -> Result<Reply, ApiError> {
    let prompt = body.get("prompt").and_then(Value::as_str).ok_or_else(|| ApiError::missing("prompt"))?;
    let count = body.get("n").and_then(Value::as_u64).unwrap_or(1);
    pictures(prompt, count, 0, setting)
}

pub(super) fn edits(form: &Form, setting: &Setting<'_>) -> Result<Reply, ApiError> {
    let prompt = form.required("prompt")?.to_owned();
    let images = form.files().count() as u64;
    if images == 0 {
        return Err(ApiError::missing("image"));
    }
    let count = form.field("n").and_then(|n| n.parse().ok()).unwrap_or(1);
    pictures(&prompt, count, images, setting)
}

fn pictures(prompt: &str, count: u64, images: u64, setting: &Setting<'_>) -> Result<Reply, ApiError> {
    if !(1..=10).contains(&count) {
        return Err(ApiError::bad_value("n", "'n' must be between 1 and 10."));
    }
    let data: Vec<Value> = (0..count).map(|_| json!({"b64_json": PIXEL})).collect();
    let text = token_count(prompt);
    let (input, output) = (text + images * 85, count * 64);
    Ok(Reply::json(&json!({
        "created": setting.created_s,
        "data": data,
        "usage": {
            "input_tokens": input,
            "output_tokens": output,
            "total_tokens": input + output,
            "input_tokens_details": {"text_tokens": text, "image_tokens": images * 85},
        },
    })))
}
