use super::*;
use crate::sse::split::Splitter;
use proptest::prelude::*;

/// An event in one line.
pub fn line(event: &Event<'_>) -> String {
    let said = |text: &Text<'_>| text.decoded().into_owned();
    match event {
        Event::Start { id, model } => format!("start {} {}", said(id), said(model)),
        Event::Text { text, .. } => format!("text {}", said(text)),
        Event::Refusal { text, .. } => format!("refusal {}", said(text)),
        Event::Thinking { text, .. } => format!("thinking {}", said(text)),
        Event::ThinkingSignature { signature, .. } => {
            format!("signed {:?} {}", signature.origin, said(&signature.value))
        }
        Event::SealedThinking { signature, .. } => format!("sealed {:?} {}", signature.origin, said(&signature.value)),
        Event::ToolCall { call, id, name, .. } => format!("call {call} {} {}", said(id), said(name)),
        Event::ToolArguments { call, fragment, .. } => format!("arguments {call} {}", said(fragment)),
        Event::Extra { name, .. } => format!("extra {name}"),
        Event::Finish { reason: Finish::StopSequence(sequence), .. } => format!("finish at {}", said(sequence)),
        Event::Finish { reason: Finish::Other(reason), .. } => format!("finish {}", said(reason)),
        Event::Finish { reason, .. } => format!("finish {reason:?}"),
        Event::Usage(usage) => format!("usage {} {} {}", usage.input(), usage.output, usage.reasoning),
        Event::Error(error) => format!("error {:?} {}", error.class, said(&error.message)),
        Event::End => "end".to_owned(),
    }
}

fn whole_lines(text: &str) -> Result<Vec<String>, Malformed> {
    let mut lines = Vec::new();
    whole(text.as_bytes(), &mut |event| lines.push(line(&event)))?;
    Ok(lines)
}

/// What a stream says that arrives in pieces of `piece` bytes.
fn stream_lines(stream: &str, piece: usize) -> (Vec<String>, Result<(), Malformed>) {
    let (mut lines, mut reader, mut splitter) = (Vec::new(), Reader::default(), Splitter::new(1 << 20));
    let mut tell = |event: Event<'_>| lines.push(line(&event));
    for piece in stream.as_bytes().chunks(piece) {
        let mut feed = splitter.feed(piece);
        while let Some(event) = feed.next().unwrap() {
            match reader.frame(event.name, event.data, &mut tell) {
                Ok(Progress::More) => {}
                Ok(Progress::Complete) => return (lines, Ok(())),
                Err(malformed) => return (lines, Err(malformed)),
            }
        }
    }
    let ended = reader.end(&mut tell);
    (lines, ended)
}

fn check_stream(stream: &str, expected: &[&str]) {
    for piece in [1, 2, 3, 7, 64, usize::MAX] {
        let (lines, ended) = stream_lines(stream, piece);
        assert_eq!(lines, expected, "pieces of {piece} bytes");
        assert_eq!(ended, Ok(()));
    }
}

/// A stream of these events, each named as its type.
fn stream(events: &[&str]) -> String {
    let named = events.iter().map(|data| {
        let name = data.split('"').nth(3).unwrap();
        format!("event: {name}\ndata: {data}\n\n")
    });
    named.collect()
}

const START: &str = r#"{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"claude","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":25,"cache_read_input_tokens":5,"output_tokens":1}}}"#;
const STOP: &str = r#"{"type":"message_stop"}"#;

#[test]
fn a_text_arrives_as_it_was_escaped() {
    check_stream(
        &stream(&[
            START,
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
            r#"{"type":"ping"}"#,
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hello"}}"#,
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":""}}"#,
            r#"{"type":"content_block_delta", "index":0, "delta":{"text":"!\n\u00e9","type":"text_delta"}}"#,
            r#"{"type":"content_block_stop","index":0}"#,
            r#"{"type":"message_delta","delta":{"stop_reason":"stop_sequence","stop_sequence":"7"},"usage":{"output_tokens":15}}"#,
            STOP,
        ]),
        &["start msg_1 claude", "usage 30 1 0", "text Hello", "text !\né", "finish at 7", "usage 30 15 0", "end"],
    );
}

const CALLS: [&str; 12] = [
    START,
    r#"{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}"#,
    r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"Hm."}}"#,
    r#"{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"c2ln"}}"#,
    r#"{"type":"content_block_stop","index":0}"#,
    r#"{"type":"content_block_start","index":1,"content_block":{"type":"redacted_thinking","data":"c2VhbA=="}}"#,
    r#"{"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"toolu_1","name":"now","input":{}}}"#,
    r#"{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":""}}"#,
    r#"{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{\"a\":"}}"#,
    r#"{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"1}"}}"#,
    r#"{"type":"content_block_stop","index":2}"#,
    r#"{"type":"content_block_start","index":3,"content_block":{"type":"tool_use","id":"toolu_2","name":"who","input":{}}}"#,
];

#[test]
fn calls_are_counted_among_calls() {
    let rest = [
        r#"{"type":"content_block_stop","index":3}"#,
        r#"{"type":"content_block_start","index":4,"content_block":{"type":"tool_use","id":"toolu_3","name":"all","input":{"b":2}}}"#,
        r#"{"type":"content_block_stop","index":4}"#,
        r#"{"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"output_tokens":15,"output_tokens_details":{"thinking_tokens":9}}}"#,
        STOP,
    ];
    check_stream(
        &stream(&[&CALLS[..], &rest].concat()),
        &[
            "start msg_1 claude",
            "usage 30 1 0",
            "thinking Hm.",
            "signed Anthropic c2ln",
            "sealed Anthropic c2VhbA==",
            "call 0 toolu_1 now",
            "arguments 0 {\"a\":",
            "arguments 0 1}",
            "call 1 toolu_2 who",
            "arguments 1 {}",
            "call 2 toolu_3 all",
            "arguments 2 {\"b\":2}",
            "finish ToolCalls",
            "usage 30 15 9",
            "end",
        ],
    );
}

#[test]
fn a_whole_answer_says_the_same() {
    let whole = whole_lines(
        r#" {"id":"msg_1","type":"message","role":"assistant","model":"claude","content":[
            {"type":"thinking","thinking":"Hm.","signature":"c2ln"},
            {"type":"redacted_thinking","data":"c2VhbA=="},
            {"type":"text","text":"I look."},
            {"type":"server_tool_use","id":"srvtoolu_1","name":"web_search","input":{}},
            {"type":"tool_use","id":"toolu_1","name":"now","input":{"a":1}},
            {"type":"tool_use","id":"toolu_2","name":"who","input":{}}],
            "stop_reason":"tool_use","stop_sequence":null,
            "usage":{"input_tokens":25,"cache_read_input_tokens":5,"output_tokens":15}}"#,
    );
    assert_eq!(
        whole.unwrap(),
        [
            "start msg_1 claude",
            "thinking Hm.",
            "signed Anthropic c2ln",
            "sealed Anthropic c2VhbA==",
            "text I look.",
            "call 0 toolu_1 now",
            "arguments 0 {\"a\":1}",
            "call 1 toolu_2 who",
            "arguments 1 {}",
            "finish ToolCalls",
            "usage 30 15 0",
            "end",
        ]
    );
}

#[test]
fn every_stop_reason() {
    for (reason, expected) in [
        ("end_turn", "finish Stop"),
        ("stop_sequence", "finish Stop"),
        ("max_tokens", "finish Length"),
        ("model_context_window_exceeded", "finish ContextFull"),
        ("tool_use", "finish ToolCalls"),
        ("refusal", "finish ContentFilter"),
        ("pause_turn", "finish Pause"),
        ("compaction", "finish compaction"),
    ] {
        let whole = whole_lines(&format!(r#"{{"content":[],"stop_reason":"{reason}"}}"#)).unwrap();
        assert_eq!(whole, ["start  ", expected, "end"]);
        let delta = format!(r#"{{"type":"message_delta","delta":{{"stop_reason":"{reason}"}}}}"#);
        check_stream(&stream(&[&delta, STOP]), &[expected, "end"]);
    }
}

#[test]
fn a_message_that_does_not_stop_is_broken() {
    let delta = r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":1}}"#;
    for events in [&[START][..], &[START, STOP], &[START, delta], &[]] {
        assert_eq!(stream_lines(&stream(events), 64).1, Err(Malformed), "{events:?}");
    }
    for whole in
        ["", "[]", "{", "{}", r#"{"content":"Hi","stop_reason":"end_turn"}"#, r#"{"content":[],"stop_reason":null}"#]
    {
        assert_eq!(whole_lines(whole), Err(Malformed), "{whole}");
    }
    for data in ["{", "[DONE]", r#"{"type":"content_block_delta","index":0}"#, r#"{"type":"message_start"}"#] {
        let frame = Reader::default().frame(b"content_block_delta", data.as_bytes(), &mut |_| {});
        assert_eq!(frame, Err(Malformed), "{data}");
    }
}

#[test]
fn errors_in_an_answer_are_classified() {
    let error = r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
    let (lines, ended) = stream_lines(&stream(&[START, error]), 5);
    assert_eq!(lines[2..], ["error Overloaded Overloaded"]);
    assert_eq!(ended, Err(Malformed));
    assert_eq!(whole_lines(error).unwrap(), ["error Overloaded Overloaded"]);
}

#[test]
fn a_type_that_is_not_known_says_nothing() {
    check_stream(
        &stream(&[
            r#"{"type":"of_tomorrow","delta":7}"#,
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"web_search_tool_result","content":[]}}"#,
            r#"{"type":"content_block_start","index":1,"content_block":{"type":"server_tool_use","id":"s","name":"web_search","input":{}}}"#,
            r#"{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{}"}}"#,
            r#"{"type":"content_block_delta","index":1,"delta":{"type":"citations_delta","citation":{}}}"#,
            r#"{"type":"content_block_delta","index":1,"delta":[7]}"#,
            r#"{"type":"content_block_stop","index":1}"#,
            r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"}}"#,
            STOP,
        ]),
        &["finish Stop", "end"],
    );
}

#[test]
fn no_more_calls_are_open_than_allowed() {
    let mut reader = Reader::default();
    let mut begin = |index: usize| {
        let data = format!(r#"{{"type":"content_block_start","index":{index},"content_block":{{"type":"tool_use"}}}}"#);
        reader.frame(b"", data.as_bytes(), &mut |_| {})
    };
    for index in 0..OPEN_BLOCKS_MAX {
        assert_eq!(begin(index), Ok(Progress::More));
    }
    assert_eq!(begin(OPEN_BLOCKS_MAX), Err(Malformed));
}

proptest! {
    #[test]
    fn noise_never_panics(
        places in prop::collection::vec((0..2_000usize, any::<u8>()), 0..8),
        piece in 1..90usize,
    ) {
        let mut noisy = stream(&CALLS).into_bytes();
        for (place, byte) in places {
            let place = place % noisy.len();
            noisy[place] = byte;
        }
        let (mut reader, mut splitter) = (Reader::default(), Splitter::new(1 << 20));
        'pieces: for piece in noisy.chunks(piece) {
            let mut feed = splitter.feed(piece);
            while let Ok(Some(event)) = feed.next() {
                let _ = whole(event.data, &mut |_| {});
                if reader.frame(event.name, event.data, &mut |_| {}).is_err() {
                    break 'pieces;
                }
            }
        }
    }
}

/// Values of members, some of them wrong.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![6 => "[a-z\\\\\"0-9 é]{0,6}", 1 => Just("\\u00e9".to_owned()), 1 => "[-0-9.e,}\\]]{1,4}"]
}

proptest! {
    /// What one remembers of earlier answers changes nothing about what a later one says.
    #[test]
    fn a_message_says_the_same_whatever_came_before(
        answers in prop::collection::vec(
            (piece(), piece(), prop::sample::select(vec!["end_turn", "tool_use", "max_tokens", "x"]), 0u32..2000, 0..12u8, any::<prop::sample::Index>()),
            1..8,
        ),
    ) {
        let mut known = KnownMessage::default();
        for (id, said, reason, tokens, broken, place) in answers {
            let mut text = format!(
                "{{\"id\":\"{id}\",\"type\":\"message\",\"content\":[{{\"type\":\"text\",\"text\":\"{said}\"}}],\"stop_reason\":\"{reason}\",\
                 \"stop_sequence\":null,\"usage\":{{\"input_tokens\":{tokens},\"output_tokens\":7}}}}"
            )
            .into_bytes();
            let place = place.index(text.len());
            match broken {
                0 => text.truncate(place),
                1 => text[place] = b'"',
                2 => text[place] = b'1',
                3 => text.insert(place, b'}'),
                4 => text[place] = 0xFF,
                _ => {}
            }
            let (mut expected, mut told) = (Vec::new(), Vec::new());
            let ended = whole(&text, &mut |event| expected.push(line(&event)));
            prop_assert_eq!(whole_like(&mut known, &text, &mut |event| told.push(line(&event))), ended);
            prop_assert_eq!(told, expected);
        }
    }
}

proptest! {
    /// White space before an event, which nobody writes, keeps it from being read at a stretch.
    #[test]
    fn a_piece_of_text_says_the_same_however_it_is_read(said in piece(), index in "[0-9]{0,3}", broken in 0..8u8, place: prop::sample::Index) {
        let delta = format!("{{\"type\":\"text_delta\",\"text\":\"{said}\"}}");
        let mut data = format!("{{\"type\":\"content_block_delta\",\"index\":{index},\"delta\":{delta}}}").into_bytes();
        let place = place.index(data.len());
        match broken {
            0 => data.truncate(place),
            1 => data[place] = b'"',
            2 => data.insert(place, b'}'),
            3 => data[place] = 0xFF,
            _ => {}
        }
        let read = |data: &[u8]| {
            let mut lines = Vec::new();
            Reader::default().frame(b"content_block_delta", data, &mut |event| lines.push(line(&event))).map(|_| lines)
        };
        prop_assert_eq!(read(&data), read(&[b" ", &data[..]].concat()));
    }
}

#[test]
fn a_message_that_is_like_the_last_is_not_scanned() {
    let answer = |text: &str, tokens: u32| {
        format!(
            r#"{{"content":[{{"type":"text","text":"{text}"}}],"stop_reason":"end_turn","usage":{{"output_tokens":{tokens}}}}}"#
        )
    };
    let mut known = KnownMessages::default();
    for (text, tokens) in [("a", 1), ("b", 2)] {
        whole_like(known.of(3), answer(text, tokens).as_bytes(), &mut |_| {}).unwrap();
    }
    let third = answer("A longer text.", 345);
    assert_eq!(known.of(3).0.recognise(third.as_bytes()), Some(places(third.as_bytes()).unwrap()));
    // It is another's.
    assert_eq!(known.of(4).0.recognise(third.as_bytes()), None);
}
