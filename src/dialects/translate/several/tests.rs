use super::*;
use crate::dialects::{
    canonical::Facts,
    lanes,
    translate::Prompt,
    wire::{ClientWire, UpstreamWire},
};
use serde_json::{Value, json};

fn translation(client: ClientWire, calls: u8) -> Translation {
    Translation {
        client,
        upstream: UpstreamWire::AnthropicMessages,
        adapted: Default::default(),
        text_tools: Vec::new(),
        facts: Facts { id: "r1".into(), model: "mine".into(), created_s: 7, usage_asked: true },
        echo: None,
        in_array: false,
        prompt: Prompt { bytes: Rc::new(br#"{"p":"12345678901234567890"}"#.to_vec()), start: 0, counted: None },
        calls,
    }
}

/// A whole answer of Anthropic's.
fn answer(text: &str, input: u64, output: u64) -> Vec<u8> {
    let usage = json!({"input_tokens": input, "output_tokens": output, "cache_read_input_tokens": 1});
    json!({"id": "msg", "type": "message", "role": "assistant", "model": "m", "stop_reason": "end_turn",
        "content": [{"type": "text", "text": text}], "usage": usage})
    .to_string()
    .into_bytes()
}

/// The events of a stream of Anthropic's, each by itself.
fn events(text: &str, input: u64, output: u64) -> Vec<String> {
    let delta =
        |text: &str| json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}});
    let usage = json!({"input_tokens": input, "output_tokens": 0});
    let mut events = vec![
        json!({"type": "message_start", "message": {"id": "msg", "type": "message", "role": "assistant", "model": "m",
            "content": [], "usage": usage}}),
        json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
    ];
    events.extend(text.split_inclusive(' ').map(delta));
    events.extend([
        json!({"type": "content_block_stop", "index": 0}),
        json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": output}}),
        json!({"type": "message_stop"}),
    ]);
    let framed = |event: &Value| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap());
    events.iter().map(framed).collect()
}

/// Streams as lanes, an event of each in turn.
fn interleaved(mut streams: Vec<Vec<String>>) -> Vec<u8> {
    let mut out = Vec::new();
    while streams.iter().any(|stream| !stream.is_empty()) {
        for (lane, stream) in (0..).zip(&mut streams) {
            match stream.len() {
                0 => {}
                left => {
                    lanes::append(lane, stream.remove(0).as_bytes(), &mut out);
                    if left == 1 {
                        lanes::append(lane, &[], &mut out);
                    }
                }
            }
        }
    }
    out
}

/// What a client gets of a stream that is cut into pieces of `bytes`, and how it ended.
fn streamed(client: ClientWire, calls: u8, stream: &[u8], bytes: usize) -> (String, Verdict, Option<Usage>) {
    let mut several = translation(client, calls).streams();
    let mut out = Vec::new();
    for piece in stream.chunks(bytes) {
        let verdict = several.feed(piece, &mut out);
        if verdict != Verdict::More {
            return (String::from_utf8(out).unwrap(), verdict, several.usage());
        }
    }
    let verdict = several.end();
    (String::from_utf8(out).unwrap(), verdict, several.usage())
}

fn data(stream: &str) -> Vec<Value> {
    let value = |data: &str| serde_json::from_str(data).unwrap_or(Value::String(data.into()));
    stream.split_terminator("\n\n").map(|event| value(event.strip_prefix("data: ").unwrap())).collect()
}

#[test]
fn whole_answers_are_choices_and_usage_is_their_sum() {
    let mut out = Vec::new();
    let texts = [answer("one", 10, 3), answer("two", 10, 4)];
    let translated = translation(ClientWire::OpenAiChat, 2).whole_of(&texts, &mut out).unwrap();
    let said: Value = serde_json::from_slice(&out).unwrap();
    for (index, text) in [(0, "one"), (1, "two")] {
        let choice = &said["choices"][index];
        assert_eq!((choice["index"].as_u64(), &choice["finish_reason"]), (Some(index as u64), &json!("stop")));
        assert_eq!(choice["message"]["content"], *text);
    }
    assert_eq!(said["choices"].as_array().unwrap().len(), 2);
    assert_eq!((&said["usage"]["prompt_tokens"], &said["usage"]["completion_tokens"]), (&json!(22), &json!(7)));
    let Translated::Answer { usage: Some(usage), .. } = translated else { panic!("{translated:?}") };
    assert_eq!((usage.input(), usage.cache_read, usage.output), (22, 2, 7));
}

#[test]
fn one_that_failed_fails_them_all() {
    let error = br#"{"type":"error","error":{"type":"overloaded_error","message":"later"}}"#.to_vec();
    let whole = |texts: &[Vec<u8>]| translation(ClientWire::OpenAiChat, 2).whole_of(texts, &mut Vec::new());
    assert!(matches!(whole(&[answer("one", 1, 1), error]), Ok(Translated::Error(_))));
    assert_eq!(whole(&[answer("one", 1, 1), b"{}".to_vec()]), Err(Malformed));
}

#[test]
fn streams_come_as_they_come_wherever_they_are_cut() {
    let stream = interleaved(vec![events("a b c", 10, 3), events("d", 10, 1), events("e f", 10, 2)]);
    let (said, verdict, usage) = streamed(ClientWire::OpenAiChat, 3, &stream, stream.len());
    assert_eq!((verdict, usage.map(|usage| (usage.input(), usage.output))), (Verdict::Complete, Some((30, 6))));
    let chunks = data(&said);
    let mut texts = [const { String::new() }; 3];
    let (mut roles, mut finishes, mut usages) = (Vec::new(), Vec::new(), Vec::new());
    for chunk in &chunks[..chunks.len() - 1] {
        usages.extend(chunk["usage"].as_object());
        for choice in chunk["choices"].as_array().unwrap() {
            let index = choice["index"].as_u64().unwrap() as usize;
            texts[index] += choice["delta"]["content"].as_str().unwrap_or("");
            roles.extend(choice["delta"]["role"].as_str().map(|_| index));
            finishes.extend(choice["finish_reason"].as_str().map(|_| index));
        }
    }
    assert_eq!(texts, ["a b c", "d", "e f"]);
    assert_eq!((roles, finishes), (vec![0, 1, 2], vec![1, 2, 0]));
    assert_eq!((usages.len(), &usages[0]["prompt_tokens"], &usages[0]["total_tokens"]), (1, &json!(30), &json!(36)));
    assert_eq!(chunks.last(), Some(&json!("[DONE]")));
    for bytes in 1..40 {
        assert_eq!(streamed(ClientWire::OpenAiChat, 3, &stream, bytes).0, said, "{bytes}");
    }
}

#[test]
fn clients_of_gemini_get_candidates() {
    let stream = interleaved(vec![events("a", 10, 3), events("b", 10, 1)]);
    let (said, verdict, _) = streamed(ClientWire::GeminiContent, 2, &stream, 7);
    assert_eq!(verdict, Verdict::Complete);
    let chunks = data(&said);
    let last = chunks.last().unwrap();
    let ended: Vec<_> = last["candidates"].as_array().unwrap().iter().map(|candidate| &candidate["index"]).collect();
    assert_eq!(ended, [&json!(0), &json!(1)]);
    assert_eq!(last["usageMetadata"]["promptTokenCount"], 20);
}

#[test]
fn a_stream_that_does_not_end_breaks_all_of_them_off() {
    let mut cut = events("a", 1, 1);
    cut.truncate(3);
    let stream = interleaved(vec![events("a b", 1, 1), cut]);
    let (said, verdict, _) = streamed(ClientWire::OpenAiChat, 2, &stream, 64);
    assert_eq!(verdict, Verdict::Truncated);
    assert!(!said.contains("[DONE]"), "{said}");
    // All of one, nothing of the other.
    let alone = interleaved(vec![events("a b", 1, 1)]);
    assert_eq!(streamed(ClientWire::OpenAiChat, 2, &alone, 64).1, Verdict::Truncated);
    // Of a lane that nobody opened.
    let mut strange = Vec::new();
    lanes::append(9, b"x", &mut strange);
    assert_eq!(streamed(ClientWire::OpenAiChat, 2, &strange, 64).1, Verdict::Malformed);
}

#[test]
fn an_error_in_one_stream_is_an_error() {
    let error =
        "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"x\"}}\n\n";
    let mut failing = events("a", 1, 1);
    failing.insert(3, error.into());
    let stream = interleaved(vec![events("a b c d", 1, 1), failing]);
    let (said, verdict, usage) = streamed(ClientWire::OpenAiChat, 2, &stream, 64);
    assert_eq!((verdict, said.contains("[DONE]")), (Verdict::Error, false));
    assert_eq!(usage.map(|usage| usage.input()), Some(2));
}

#[test]
fn a_call_that_told_no_usage_is_estimated() {
    let of_openai = || Translation { upstream: UpstreamWire::OpenAiChat, ..translation(ClientWire::OpenAiChat, 2) };
    // 28 bytes asked, 8 and 4 said: seven tokens, two and one.
    let said = |text: &str| json!({"choices": [{"index": 0, "message": {"content": text}, "finish_reason": "stop"}]});
    let counted = json!({"prompt_tokens": 5, "completion_tokens": 6, "total_tokens": 11});
    let mut known = said("12345678");
    let whole = |texts: [&Value; 2]| {
        let mut out = Vec::new();
        let translated = of_openai().whole_of(&texts.map(|text| text.to_string().into_bytes()), &mut out).unwrap();
        let said: Value = serde_json::from_slice(&out).unwrap();
        let Translated::Estimated(usage) = translated else { panic!("{translated:?}") };
        assert_eq!(said["usage"]["total_tokens"], usage.total());
        (usage.input(), usage.output)
    };
    assert_eq!(whole([&known, &said("1234")]), (14, 3));
    known["usage"] = counted.clone();
    assert_eq!(whole([&known, &said("1234")]), (12, 7));

    let chunk = |choices: Value, usage: &Value| format!("data: {}\n\n", json!({"choices": choices, "usage": usage}));
    let stream = |text: &str, usage: &Value| {
        let delta = json!([{"index": 0, "delta": {"content": text}, "finish_reason": null}]);
        let finish = json!([{"index": 0, "delta": {}, "finish_reason": "stop"}]);
        vec![
            chunk(delta, &Value::Null),
            chunk(finish, &Value::Null),
            chunk(json!([]), usage),
            "data: [DONE]\n\n".into(),
        ]
    };
    let bytes = interleaved(vec![stream("12345678", &counted), stream("1234", &Value::Null)]);
    let mut several = of_openai().streams();
    let mut out = Vec::new();
    assert_eq!(several.feed(&bytes, &mut out), Verdict::Complete);
    assert_eq!(several.usage().map(|usage| (usage.input(), usage.output)), Some((12, 7)));
    assert!(several.is_estimated() && several.said_bytes() == 12);
    let chunks = data(&String::from_utf8(out).unwrap());
    assert_eq!(chunks[chunks.len() - 2]["usage"]["total_tokens"], 19);
}
