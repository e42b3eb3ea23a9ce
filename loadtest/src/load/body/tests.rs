use super::*;

/// Feeds a stream in pieces of every size. The content is expected to be seen with the byte at which `content` begins.
fn check(dialect: Dialect, text: &str, events: u64, content: &str, complete: bool) {
    for size in 1..=text.len() {
        let mut body = Body::new(dialect, false);
        body.set_stream();
        let (mut seen, mut first_at, mut read) = (0, None, 0);
        for piece in text.as_bytes().chunks(size) {
            let progress = body.feed(piece);
            read += piece.len();
            seen += progress.events;
            if progress.first_content {
                assert_eq!(first_at.replace(read), None, "it is the first only once");
            }
        }
        assert_eq!((seen, body.is_complete()), (events, complete), "pieces of {size}");
        let at = text.find(content).expect("there") + 1;
        assert_eq!(first_at, Some(at.next_multiple_of(size).min(text.len())), "pieces of {size}");
        assert_eq!(body.bytes, text.len() as u64);
    }
}

#[test]
fn the_role_chunk_is_no_content() {
    let role = "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\",\"tool_calls\":[]}}]}\n\n";
    let text = format!("{role}data: {{\"choices\":[{{\"delta\":{{\"content\":\"hello\"}}}}]}}\n\ndata: [DONE]\n\n");
    check(Dialect::OpenAiChat, &text, 3, "hello", true);
    check(Dialect::OpenAiChat, &text.replace("\n", "\r\n"), 3, "hello", true);
    check(Dialect::OpenAiChat, &text.replace(":", ": "), 3, "hello", false);
    check(Dialect::OpenAiChat, &text.replace("\"content\":\"h", "\"reasoning_content\":\"h"), 3, "hello", true);
    check(Dialect::OpenAiChat, text.trim_end_matches("data: [DONE]\n\n"), 2, "hello", false);
}

#[test]
fn a_tool_call_is_content() {
    let text =
        "data: {\"choices\":[{\"delta\":{\"content\":null,\"tool_calls\":[{\"index\":0}]}}]}\n\ndata: [DONE]\n\n";
    check(Dialect::OpenAiChat, text, 2, "{\"index", true);
}

#[test]
fn anthropic_content_is_the_first_delta_and_its_end_is_message_stop() {
    let text = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"content\":[],\"model\":\"text\"}}\n\n\
                event: content_block_start\ndata: {\"type\":\"content_block_start\",\"content_block\":{\"type\":\"text\",\"text\":\"early\"}}\n\n\
                event: ping\ndata: {\"type\":\"ping\"}\n\n\
                event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"delta\":{\"type\":\"text_delta\",\"text\":\"hello\"}}\n\n\
                event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";
    check(Dialect::Anthropic, text, 5, "hello", true);
    check(Dialect::Anthropic, &text.replace("\"text\":\"hello", "\"thinking\":\"hello"), 5, "hello", true);
    check(Dialect::Anthropic, &text.replace("message_stop", "message_delta"), 5, "hello", false);
}

#[test]
fn gemini_ends_with_a_reason() {
    let text = "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"\"}]}}]}\r\n\r\n\
                data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"hello\"}]}}]}\r\n\r\n\
                data: {\"candidates\":[{\"finishReason\":\"STOP\"}],\"usageMetadata\":{}}\r\n\r\n";
    check(Dialect::Gemini, text, 3, "hello", true);
    check(Dialect::Gemini, &text.replace("finishReason", "index"), 3, "hello", false);
}

#[test]
fn long_streams_keep_only_their_end() {
    let mut body = Body::new(Dialect::OpenAiChat, false);
    body.set_stream();
    for _ in 0..10_000 {
        assert_eq!(body.feed(b"data: {\"delta\":{}}\n\n").events, 1);
        assert!(body.tail.len() <= 4 * TAIL_BYTES);
    }
    body.feed(b"data: [DO");
    assert!(!body.is_complete());
    body.feed(b"NE]\n\n");
    assert!(body.is_complete());
}
