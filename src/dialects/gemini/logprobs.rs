//! Log probabilities in Gemini's form and in OpenAI's, which is the one that events carry.
//!
//! Google lists the chosen tokens and, in a second list of the same length, the alternatives at each place. OpenAI has them token by
//! token, with the token's bytes.

use crate::json::piece::Raw;
use crate::json::view::Value;
use crate::json::write::Writer;
use std::borrow::Cow;

/// A `logprobsResult` as OpenAI's `logprobs` of a choice; `None` where there are none.
pub fn for_openai(result: Value<'_>) -> Option<Raw<'static>> {
    let chosen = result.some("chosenCandidates")?;
    let mut alternatives = result.some("topCandidates").into_iter().flat_map(Value::elements);
    let mut out = Vec::with_capacity(result.bytes().len() * 2);
    let mut json = Writer::new(&mut out);
    json.open_object().name("content").open_array();
    for token in chosen.elements() {
        token_for_openai(token, &mut json);
        json.name("top_logprobs").open_array();
        for other in
            alternatives.next().and_then(|place| place.some("candidates")).into_iter().flat_map(Value::elements)
        {
            token_for_openai(other, &mut json);
            json.close_object();
        }
        json.close_array().close_object();
    }
    json.close_array().name("refusal").null().close_object();
    Some(Raw(Cow::Owned(out)))
}

/// Opens the object of a token and leaves it open.
fn token_for_openai(token: Value<'_>, json: &mut Writer<'_>) {
    let said = token.some("token").and_then(Value::text).unwrap_or_default();
    json.open_object().name("token").text(&said).name("logprob");
    match token.some("logProbability") {
        Some(number) => json.raw(&number.raw()),
        None => json.number(0),
    };
    json.name("bytes").open_array();
    for byte in said.decoded().bytes() {
        json.number(u64::from(byte));
    }
    json.close_array();
}

/// OpenAI's `logprobs` of a choice as a `logprobsResult`; `None` where there are none.
pub fn for_gemini(logprobs: Value<'_>) -> Option<Raw<'static>> {
    let content = logprobs.some("content")?;
    let mut out = Vec::with_capacity(logprobs.bytes().len());
    let mut json = Writer::new(&mut out);
    json.open_object().name("topCandidates").open_array();
    for place in content.elements() {
        json.open_object().name("candidates").open_array();
        for token in place.some("top_logprobs").into_iter().flat_map(Value::elements) {
            token_for_gemini(token, &mut json);
        }
        json.close_array().close_object();
    }
    json.close_array().name("chosenCandidates").open_array();
    for token in content.elements() {
        token_for_gemini(token, &mut json);
    }
    json.close_array().close_object();
    Some(Raw(Cow::Owned(out)))
}

fn token_for_gemini(token: Value<'_>, json: &mut Writer<'_>) {
    json.open_object().name("token").text(&token.some("token").and_then(Value::text).unwrap_or_default());
    if let Some(number) = token.some("logprob") {
        json.name("logProbability").raw(&number.raw());
    }
    json.close_object();
}

#[cfg(test)]
mod tests {
    use super::*;

    const GEMINI: &str = r#"{"topCandidates":[{"candidates":[{"token":"é","logProbability":-0.1},{"token":"e","logProbability":-2.5}]},{"candidates":[]}],"chosenCandidates":[{"token":"é","logProbability":-0.1},{"token":"\"","logProbability":-1}]}"#;
    const OPENAI: &str = r#"{"content":[{"token":"é","logprob":-0.1,"bytes":[195,169],"top_logprobs":[{"token":"é","logprob":-0.1,"bytes":[195,169]},{"token":"e","logprob":-2.5,"bytes":[101]}]},{"token":"\"","logprob":-1,"bytes":[34],"top_logprobs":[]}],"refusal":null}"#;

    #[test]
    fn each_form_is_the_other_s() {
        let text = |raw: Option<Raw<'_>>| String::from_utf8(raw.unwrap().0.into_owned()).unwrap();
        assert_eq!(text(for_openai(Value::root(GEMINI.as_bytes()))), OPENAI);
        assert_eq!(text(for_gemini(Value::root(OPENAI.as_bytes()))), GEMINI);
        assert_eq!(for_openai(Value::root(br#"{"avg":1}"#)), None);
        assert_eq!(for_gemini(Value::root(br#"{"content":null,"refusal":null}"#)), None);
    }
}
