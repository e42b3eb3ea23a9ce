use super::*;
use crate::error::Upstream;

fn body(failure: &Failure) -> String {
    let mut out = Vec::new();
    write_body(failure, &mut out);
    String::from_utf8(out).expect("UTF-8")
}

#[test]
fn body_has_the_four_members_and_a_string_code() {
    let failure = Failure::ModelNotFound { model: "gpt-\"5\"\u{1}".into() };
    let value: serde_json::Value = serde_json::from_str(&body(&failure)).expect("JSON");
    let error = &value["error"];
    assert_eq!(error["type"], "invalid_request_error");
    assert_eq!(error["param"], "model");
    assert_eq!(error["code"], "model_not_found");
    assert!(error["message"].as_str().expect("text").contains("gpt-\"5\"\u{1}"));
}

#[test]
fn param_is_null_where_no_member_is_at_fault() {
    let value: serde_json::Value = serde_json::from_str(&body(&Failure::Overloaded)).expect("JSON");
    assert!(value["error"]["param"].is_null());
    assert_eq!(value["error"]["code"], "gateway_overloaded");
}

#[test]
fn events_have_the_form_of_their_endpoint() {
    let failure = Failure::from(Upstream::Truncated);
    let event = |endpoint| {
        let mut out = Vec::new();
        write_event(endpoint, &failure, &mut out);
        String::from_utf8(out).expect("UTF-8")
    };
    let chat = event(ApiEndpoint::ChatCompletions);
    assert_eq!(chat, format!("data: {}\n\n", body(&failure)));
    let responses = event(ApiEndpoint::Responses);
    let data = responses.strip_prefix("event: error\ndata: ").expect("a named event").trim_end();
    let value: serde_json::Value = serde_json::from_str(data).expect("JSON");
    assert_eq!((&value["type"], &value["code"]), (&"error".into(), &"upstream_truncated".into()));
    assert!(value["sequence_number"].is_u64(), "clients overlook an event without a number");
}
