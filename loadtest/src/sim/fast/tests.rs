use super::*;

#[test]
fn answers_have_the_sizes_that_are_published() {
    let fast = Fast::new(FastOptions::default());
    assert_eq!((fast.whole_body.len(), fast.events[0].len()), (WHOLE_BYTES, EVENT_BYTES));
}

#[test]
fn other_dialects_have_answers_of_the_same_size() {
    let fast = Fast::new(FastOptions::default());
    for spoken in [Spoken::Messages, Spoken::Gemini] {
        assert_eq!(fast.other_sizes(spoken), (WHOLE_BYTES, EVENT_BYTES), "{spoken:?}");
    }
}

#[test]
fn the_path_says_who_is_spoken_to() {
    for (head, spoken) in [
        ("POST /v1/chat/completions HTTP/1.1\r\nx: /messages", None),
        ("POST /openai/v1/chat/completions HTTP/1.1\r\nx: /messages", None),
        ("POST /v1/messages?beta=true HTTP/1.1\r\n", Some(Spoken::Messages)),
        ("POST /v1beta/models/m:generateContent HTTP/1.1\r\n", Some(Spoken::Gemini)),
        ("/v1beta/models/m:streamGenerateContent", Some(Spoken::GeminiStream)),
        ("", None),
    ] {
        assert_eq!(Spoken::of(head.as_bytes()), spoken, "{head}");
    }
}
