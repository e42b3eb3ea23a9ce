//! `POST /images/generations` (JSON) and `/images/edits` (multipart): each picture is one transparent pixel.

use serde_json::{Value, json};

use super::reply::Reply;
use super::verify::Is::{Int, Str};
use super::verify::{Table, may, need};
use super::{ApiError, Call, Setting, Trouble, token_count};

/// A PNG of one pixel.
pub(in crate::sim::answer) const PIXEL: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

pub(super) const TABLE: Table =
    Table { fields: &[may("model", Str), need("prompt", Str), may("n", Int(1, PICTURES_MAX as i64))], known: None };

const PICTURES_MAX: u64 = 10;

pub(super) fn generations(call: &Call<'_>) -> Result<Reply, ApiError> {
    let prompt = call.body.get("prompt").and_then(Value::as_str).unwrap_or("");
    let count = call.body.get("n").and_then(Value::as_u64).unwrap_or(1);
    Ok(pictures(prompt, count, 0, call.setting))
}

pub(super) fn edits(call: &Call<'_>) -> Result<Reply, ApiError> {
    let form = call.form()?;
    let prompt = form.required("prompt")?;
    let images = form.files().count() as u64;
    if images == 0 {
        return Err(Trouble::Missing.about("image"));
    }
    let count = form.field("n").and_then(|n| n.parse().ok()).unwrap_or(1);
    if !(1..=PICTURES_MAX).contains(&count) {
        return Err(Trouble::BadValue(format!("a value between 1 and {PICTURES_MAX}")).about("n"));
    }
    Ok(pictures(prompt, count, images, call.setting))
}

fn pictures(prompt: &str, count: u64, images: u64, setting: &Setting<'_>) -> Reply {
    let data: Vec<Value> = (0..count).map(|_| json!({"b64_json": PIXEL})).collect();
    let text = token_count(prompt);
    let (input, output) = (text + images * 85, count * 64);
    Reply::json(&json!({
        "created": setting.created_s,
        "data": data,
        "usage": {
            "input_tokens": input,
            "output_tokens": output,
            "total_tokens": input + output,
            "input_tokens_details": {"text_tokens": text, "image_tokens": images * 85},
        },
    }))
}
