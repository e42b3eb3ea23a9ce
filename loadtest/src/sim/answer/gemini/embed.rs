//! `:embedContent` and `:batchEmbedContents`: vectors of length one, the same for the same text and model.

use serde_json::{Value, json};

use super::generate::said;
use super::vector;
use super::{ApiError, Call, Reply, Trouble, at, member, order};
use crate::limits::EMBEDDING_INPUTS_MAX;

/// Numbers of a vector where the request does not say.
const DIMENSIONS: u64 = 256;

pub(super) fn one(call: &Call<'_>) -> Result<Reply, ApiError> {
    Ok(order::gemini_reply(&json!({"embedding": embedding(&call.body, call)})))
}

pub(super) fn batch(call: &Call<'_>) -> Result<Reply, ApiError> {
    let requests = member(&call.body, "requests").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    if requests.len() > EMBEDDING_INPUTS_MAX {
        return Err(Trouble::BadValue(format!("at most {EMBEDDING_INPUTS_MAX} requests")).about("requests"));
    }
    let wanted = format!("models/{}", call.target.name);
    if requests.iter().any(|request| member(request, "model").and_then(Value::as_str) != Some(wanted.as_str())) {
        let says = "* BatchEmbedContentsRequest.requests: model does not match the model in the URL\n".to_owned();
        return Err(Trouble::Broken("requests[].model is another model", says).about("requests"));
    }
    let embeddings: Vec<Value> = requests.iter().map(|request| embedding(request, call)).collect();
    Ok(order::gemini_reply(&json!({"embeddings": embeddings})))
}

fn embedding(request: &Value, call: &Call<'_>) -> Value {
    let text = member(request, "content").and_then(said).unwrap_or_default();
    // Vertex has a request's settings in an object of their own.
    let dimensions =
        at(request, &["outputDimensionality"]).or_else(|| at(request, &["embedContentConfig", "outputDimensionality"]));
    let dimensions = dimensions.and_then(Value::as_u64).unwrap_or(DIMENSIONS);
    json!({"values": vector(&format!("{}\n{text}", call.target.name), dimensions as usize, call.setting.seed)})
}
