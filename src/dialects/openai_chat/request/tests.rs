use super::*;
use proptest::prelude::*;

fn read(kind: RequestKind, text: &str) -> Result<RequestView<'_>, RequestError> {
    // A view borrows its scan; here it may live on.
    let scan = Box::leak(Box::new(scan::scan(&MEMBERS, text.as_bytes()).unwrap()));
    RequestView::read(kind, scan, text.as_bytes())
}

fn chat(members: &str) -> String {
    format!(r#"{{"model":"m","messages":[]{members}}}"#)
}

#[test]
fn ids_name_their_members() {
    let expected = [
        (id::MODEL, "model"),
        (id::STREAM, "stream"),
        (id::STREAM_OPTIONS, "stream_options"),
        (id::MAX_TOKENS, "max_tokens"),
        (id::MAX_COMPLETION_TOKENS, "max_completion_tokens"),
        (id::N, "n"),
        (id::TOOLS, "tools"),
        (id::RESPONSE_FORMAT, "response_format"),
        (id::USER, "user"),
        (id::METADATA, "metadata"),
        (id::MESSAGES, "messages"),
        (id::INPUT, "input"),
        (id::PROMPT, "prompt"),
        (id::SERVICE_TIER, "service_tier"),
        (id::STORE, "store"),
        (id::MODELS, "models"),
        (id::PROVIDER, "provider"),
        (id::PREVIOUS_RESPONSE_ID, "previous_response_id"),
    ];
    assert_eq!(expected.len(), NAMES.len());
    for (id, name) in expected {
        assert_eq!(NAMES[id], name);
    }
}

#[test]
fn reads_a_chat_request() {
    let text = r#"{"model":"gpt\u002d4o","messages":[{}],"stream":true,"stream_options":{"include_usage":true},
        "max_tokens":7,"max_completion_tokens":9,"n":2}"#;
    let view = read(RequestKind::Chat, text).unwrap();
    assert_eq!(view.model, "gpt-4o");
    assert!(view.stream && view.include_usage);
    assert_eq!((view.output_tokens_max, view.choices), (Some(9), 2));

    let plain = chat("");
    let view = read(RequestKind::Chat, &plain).unwrap();
    assert!(!view.stream && !view.include_usage);
    assert_eq!((view.output_tokens_max, view.choices), (None, 1));
    let older = chat(r#","max_tokens":7,"max_completion_tokens":null,"stream":null,"stream_options":null"#);
    assert_eq!(read(RequestKind::Chat, &older).unwrap().output_tokens_max, Some(7));
}

#[track_caller]
fn refused(kind: RequestKind, text: &str, param: &str, message: &str) {
    let error = read(kind, text).unwrap_err();
    assert_eq!((error.param, error.to_string().as_str()), (param, message));
}

#[test]
fn refuses_what_a_gateway_cannot_act_on() {
    use RequestKind::*;
    refused(Chat, r#"{"messages":[]}"#, "model", "'model' is missing");
    refused(Chat, r#"{"model":null,"messages":[]}"#, "model", "'model' must be a string");
    refused(Chat, r#"{"model":"","messages":[]}"#, "model", "'model' must not be empty");
    refused(Chat, r#"{"model":"m"}"#, "messages", "'messages' is missing");
    refused(Chat, r#"{"model":"m","messages":{}}"#, "messages", "'messages' must be an array");
    refused(Chat, &chat(r#","stream":"yes""#), "stream", "'stream' must be a boolean");
    let options = |options: &str| chat(&format!(r#","stream":true,"stream_options":{options}"#));
    refused(Chat, &options("true"), "stream_options", "'stream_options' must be an object");
    let twice = options(r#"{"include_usage":true,"include_usage":false}"#);
    refused(Chat, &twice, "stream_options", "'stream_options' has the member 'include_usage' twice");
    refused(Embedding, r#"{"model":"m"}"#, "input", "'input' is missing");
    refused(Embedding, r#"{"model":"m","input":{}}"#, "input", "'input' must be a string or an array");
    refused(Completion, r#"{"model":"m","prompt":1}"#, "prompt", "'prompt' must be a string or an array");
    for characters in [r"a\r\nb", r"a\u0000", r"\u007f", r"\u0085", r"\ud800", "\u{9b}"] {
        let text = format!(r#"{{"model":"{characters}","messages":[]}}"#);
        refused(Chat, &text, "model", "'model' must not contain control characters or lone surrogates");
    }
}

#[test]
fn a_model_name_has_a_longest_length() {
    let named = |name: &str| format!(r#"{{"model":"{name}","messages":[]}}"#);
    assert!(read(RequestKind::Chat, &named(&"m".repeat(256))).is_ok());
    assert!(read(RequestKind::Chat, &named(&r"\u006d".repeat(256))).is_ok());
    for name in ["m".repeat(257), "é".repeat(129), r"\u006d".repeat(257), "m".repeat(10_240)] {
        refused(RequestKind::Chat, &named(&name), "model", "'model' must not be longer than 256 bytes");
    }
}

#[test]
fn what_other_endpoints_may_leave_out() {
    assert!(read(RequestKind::Completion, r#"{"model":"m"}"#).is_ok());
    assert!(read(RequestKind::PassThrough, r#"{"model":"m"}"#).is_ok());
    assert_eq!(read(RequestKind::Moderation, r#"{"input":"x"}"#).unwrap().model, MODERATION_MODEL_DEFAULT);
    assert!(!read(RequestKind::Embedding, r#"{"model":"m","input":"x","stream":true}"#).unwrap().stream);
}

#[track_caller]
fn patched(kind: RequestKind, text: &str, upstream_model: &str, usage_wanted: bool, expected: &str) {
    let view = read(kind, text).unwrap();
    let mut patch = Patch::new();
    view.patch(text.as_bytes(), upstream_model, usage_wanted, &mut patch).unwrap();
    let mut out = Vec::new();
    patch.append_to(text.as_bytes(), &mut out);
    assert_eq!(std::str::from_utf8(&out), Ok(expected));
    // The same request once more needs no edit: what we send upstream is what we would send.
    let again = read(kind, expected).unwrap();
    patch.clear();
    again.patch(expected.as_bytes(), upstream_model, usage_wanted, &mut patch).unwrap();
    assert!(patch.is_empty());
}

#[test]
fn patches_what_the_table_says_and_nothing_else() {
    use RequestKind::*;
    let text = r#"{ "x":1e400, "model" : "alias" ,"messages":[ ] }"#;
    patched(Chat, text, "alias", true, text);
    patched(Chat, text, "gpt-4o", true, r#"{ "x":1e400, "model" : "gpt-4o" ,"messages":[ ] }"#);

    let streaming = r#"{"model":"m","messages":[],"stream":true}"#;
    patched(Chat, streaming, "m", false, streaming);
    let asking = r#"{"stream_options":{"include_usage":true},"model":"m","messages":[],"stream":true}"#;
    patched(Chat, streaming, "m", true, asking);
    let images = r#"{"model":"m","stream":true}"#;
    patched(PassThrough, images, "m", true, images);
    patched(Completion, images, "n", true, r#"{"stream_options":{"include_usage":true},"model":"n","stream":true}"#);

    let options = |options: &str| format!(r#"{{"model":"m","messages":[],"stream":true,"stream_options":{options}}}"#);
    let usage = options(r#"{"include_usage":true}"#);
    patched(Chat, &options("null"), "m", true, &usage);
    patched(Chat, &options("{}"), "m", true, &usage);
    patched(Chat, &options(r#"{"include_usage":false}"#), "m", true, &usage);
    patched(Chat, &options(r#"{"include_usage":null}"#), "m", true, &usage);
    patched(Chat, &options(r#"{"include_usage": false}"#), "m", true, &options(r#"{"include_usage": true}"#));
    patched(Chat, &options(r#"{"include_usage":  false }"#), "m", true, &options(r#"{"include_usage":  true }"#));
    let more = options(r#"{"include_usage":true,"include_obfuscation":false}"#);
    patched(Chat, &options(r#"{"include_obfuscation":false}"#), "m", true, &more);

    patched(Moderation, r#"{"input":"x"}"#, "mod", true, r#"{"model":"mod","input":"x"}"#);
    patched(Moderation, r#"{"input":"x","model":"mod"}"#, "mod", true, r#"{"input":"x","model":"mod"}"#);
}

proptest! {
    /// A name that stands in JSON as it is takes a shorter way than one that is all escapes, to the same end.
    #[test]
    fn a_name_is_the_same_in_any_spelling(name in prop_oneof![r#"[ -~]{0,40}"#, r#"([a-z/:.-]|\PC|\pC|"|\\){0,40}"#, "[a-z]{250,260}"]) {
        let escaped: String = name.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
        let plain = format!(r#"{{"model":{},"messages":[]}}"#, serde_json::to_string(&name).unwrap());
        let escaped = format!(r#"{{"model":"{escaped}","messages":[]}}"#);
        let outcome = |text| read(RequestKind::Chat, text).map(|view| view.model.into_owned()).map_err(|error| error.to_string());
        prop_assert_eq!(outcome(&plain), outcome(&escaped));
        if let Ok(model) = outcome(&plain) {
            prop_assert_eq!(model, name);
        }
    }
}
