//! A failure in the shape of the Responses API. The body of a refusal is that of all of OpenAI's endpoints.

use crate::dialects::openai_chat;
use crate::error::Failure;
use crate::json::write::Writer;

/// Appends the body: `{"error":{"message","type","param","code"}}`.
pub fn write_body(failure: &Failure, out: &mut Vec<u8>) {
    openai_chat::error::write_body(failure, out);
}

/// Appends the failure as the first and last event of a stream. One that has begun fails by [`super::render::Stream::fail`] or
/// [`super::pass_through::PassThrough::fail`], which know the number of the event.
pub fn write_event(failure: &Failure, out: &mut Vec<u8>) {
    write_numbered(failure, 0, out);
}

/// Appends the failure as the event with this number. Clients overlook one without, and numbers have to rise.
pub fn write_numbered(failure: &Failure, number: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(b"event: error\ndata: ");
    let mut json = Writer::new(out);
    json.open_object().name("type").string("error").name("sequence_number").number(number);
    json.name("code").string(failure.code()).name("message").string(&failure.message()).name("param");
    match failure.param() {
        Some(param) => json.string(param),
        None => json.null(),
    };
    json.close_object();
    out.extend_from_slice(b"\n\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Upstream;

    fn written(write: fn(&Failure, &mut Vec<u8>), failure: &Failure) -> String {
        let mut out = Vec::new();
        write(failure, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_failure_has_the_api_s_shape() {
        let failure = Failure::Upstream(Upstream::Truncated);
        let body = written(write_body, &failure);
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!(
            (body["error"]["code"].as_str(), &body["error"]["param"]),
            (Some("upstream_truncated"), &serde_json::Value::Null)
        );
        assert_eq!(
            written(write_event, &failure),
            "event: error\ndata: {\"type\":\"error\",\"sequence_number\":0,\"code\":\"upstream_truncated\",\"message\":\"The model's \
             provider broke off in the middle; the answer is incomplete.\",\"param\":null}\n\n"
        );
        let failure = Failure::InvalidRequest { param: Some("input".into()), code: "x", message: "Hm.".into() };
        assert!(written(write_event, &failure).contains(r#""message":"Hm.","param":"input"}"#));
    }
}
