//! Pictures: in `:generateContent`, where they are among the modalities, and Imagen's `:predict`. Each is one transparent pixel.

use serde_json::{Value, json};

use super::{ApiError, Call, PIXEL, Reply, at, order};

/// Tokens of a picture.
const PICTURE_TOKENS: u64 = 1290;

pub(super) fn are_wanted(body: &Value) -> bool {
    let wanted = at(body, &["generationConfig", "responseModalities"]).and_then(Value::as_array);
    wanted.is_some_and(|wanted| wanted.iter().any(|modality| modality == "IMAGE"))
}

/// An answer with one picture.
pub(super) fn content(call: &Call<'_>, prompt_tokens: u64) -> Value {
    let options = ["generationConfig", "imageConfig", "imageOutputOptions", "mimeType"];
    let media_type = at(&call.body, &options).and_then(Value::as_str).unwrap_or("image/png");
    let by = |modality: &str, count: u64| json!([{"modality": modality, "tokenCount": count}]);
    json!({
        "candidates": [{
            "content": {"parts": [{"inlineData": {"mimeType": media_type, "data": PIXEL}}], "role": "model"},
            "finishReason": "STOP",
            "index": 0,
        }],
        "usageMetadata": {
            "promptTokenCount": prompt_tokens,
            "candidatesTokenCount": PICTURE_TOKENS,
            "totalTokenCount": prompt_tokens + PICTURE_TOKENS,
            "promptTokensDetails": by("TEXT", prompt_tokens),
            "candidatesTokensDetails": by("IMAGE", PICTURE_TOKENS),
        },
        "modelVersion": call.target.name,
        "responseId": call.setting.id(""),
    })
}

/// Four, unless it is told how many.
pub(super) fn predict(call: &Call<'_>) -> Result<Reply, ApiError> {
    let parameter = |way: &[&str]| at(&call.body, &["parameters"]).and_then(|parameters| at(parameters, way));
    let count = parameter(&["sampleCount"]).and_then(Value::as_u64).unwrap_or(4);
    let media_type = parameter(&["outputOptions", "mimeType"]).and_then(Value::as_str).unwrap_or("image/png");
    let picture = json!({"mimeType": media_type, "bytesBase64Encoded": PIXEL});
    Ok(order::gemini_reply(&json!({"predictions": (0..count).map(|_| &picture).collect::<Vec<_>>()})))
}

/// All of them were filtered.
pub(super) fn filtered() -> Reply {
    let reason = "Unable to show generated images. The prompt was blocked. Support codes: 39322892";
    order::gemini_reply(&json!({"predictions": [{"raiFilteredReason": reason}]}))
}
