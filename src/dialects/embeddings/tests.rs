use super::*;
use crate::{
    dialects::{
        canonical::{Malformed, ModelTraits, Notes, Target},
        translate::Translated,
    },
    json::scan::{Members, Scanner},
};
use proptest::prelude::*;

const OPENAI: ClientForm = ClientForm::OpenAi;
const ONE: ClientForm = ClientForm::GeminiOne;
const BATCH: ClientForm = ClientForm::GeminiBatch;

fn composed(
    client: ClientForm,
    upstream: UpstreamForm,
    model: &str,
    drops: bool,
    body: &str,
) -> (String, Option<WayBack>) {
    let request = match parse(client, body.as_bytes()) {
        Ok(request) => request,
        Err(invalid) => return (format!("invalid {}", invalid.message), None),
    };
    let target = Target { model, traits: ModelTraits::default(), drops };
    let mut notes = Notes::default();
    let mut out = Vec::new();
    match compose(upstream, &request, "asked", &target, &mut notes, &mut out) {
        Err(unsupported) => (format!("unsupported {}: {}", unsupported.param, unsupported.why), None),
        Ok(composed) => {
            let mut said = format!("{} {}", composed.path, String::from_utf8(out).expect("text"));
            for note in notes.notes {
                said.push_str(&format!(" {:?} {}", note.kind, note.param));
            }
            (said, Some(composed.back))
        }
    }
}

#[test]
fn a_request_in_every_form() {
    use UpstreamForm::*;
    let gemini = r#"{"model":"models/m","content":{"parts":[{"text":"hi"}]},"task_type":"RETRIEVAL_QUERY","title":"t","outputDimensionality":8}"#;
    for (client, upstream, model, body, expected) in [
        (
            OPENAI,
            Gemini,
            "g",
            r#"{"model":"x","input":"hi","encoding_format":"base64","user":"u"}"#,
            r#"/models/g:embedContent {"model":"models/g","content":{"parts":[{"text":"hi"}]}} Dropped user"#,
        ),
        (
            OPENAI,
            Gemini,
            "g",
            r#"{"input":["a","\u00e9"],"dimensions":8,"input_type":"query"}"#,
            r#"/models/g:batchEmbedContents {"requests":[{"model":"models/g","content":{"parts":[{"text":"a"}]},"taskType":"RETRIEVAL_QUERY","outputDimensionality":8},{"model":"models/g","content":{"parts":[{"text":"\u00e9"}]},"taskType":"RETRIEVAL_QUERY","outputDimensionality":8}]}"#,
        ),
        (
            OPENAI,
            Gemini,
            "g",
            r#"{"input":["a"],"input_type":"poem"}"#,
            r#"/models/g:embedContent {"model":"models/g","content":{"parts":[{"text":"a"}]}} Dropped input_type"#,
        ),
        (
            OPENAI,
            Gemini,
            "g",
            r#"{"input":[1,2]}"#,
            "unsupported input: The model takes texts, and no tokens of a tokenizer.",
        ),
        (
            OPENAI,
            Gemini,
            "g",
            r#"{"input":["a",[1]]}"#,
            "unsupported input[1]: The model takes texts, and no tokens of a tokenizer.",
        ),
        (
            OPENAI,
            Gemini,
            "g",
            r#"{"input":"a","normalized":true}"#,
            "unsupported normalized: The model's API has no such member.",
        ),
        (
            OPENAI,
            Vertex,
            "gemini-embedding-001",
            r#"{"input":"a","dimensions":8}"#,
            r#"/models/gemini-embedding-001:embedContent {"content":{"parts":[{"text":"a"}]},"embedContentConfig":{"outputDimensionality":8}}"#,
        ),
        (
            OPENAI,
            Vertex,
            "text-embedding-005",
            r#"{"input":["a","b"],"dimensions":8,"input_type":"search_document"}"#,
            r#"/models/text-embedding-005:predict {"instances":[{"content":"a","task_type":"RETRIEVAL_DOCUMENT"},{"content":"b","task_type":"RETRIEVAL_DOCUMENT"}],"parameters":{"outputDimensionality":8}}"#,
        ),
        (
            OPENAI,
            Cohere,
            "c",
            r#"{"input":["a","b"],"dimensions":8,"truncate":"END"}"#,
            r#"/embed {"model":"c","texts":["a","b"],"input_type":"search_document","embedding_types":["float"],"output_dimension":8,"truncate":"END"} Adapted input_type"#,
        ),
        (
            OPENAI,
            Cohere,
            "c",
            r#"{"input":"a","input_type":"search_query"}"#,
            r#"/embed {"model":"c","texts":["a"],"input_type":"search_query","embedding_types":["float"]}"#,
        ),
        (
            OPENAI,
            Ollama,
            "o",
            r#"{"input":"a","dimensions":8,"keep_alive":"5m"}"#,
            r#"/api/embed {"model":"o","input":["a"],"dimensions":8,"keep_alive":"5m"}"#,
        ),
        (
            OPENAI,
            Bedrock,
            "amazon.titan-embed-text-v2:0",
            r#"{"input":"a","dimensions":256}"#,
            r#"/model/amazon.titan-embed-text-v2%3A0/invoke {"inputText":"a","dimensions":256}"#,
        ),
        (
            OPENAI,
            Bedrock,
            "amazon.titan-embed-text-v1",
            r#"{"input":"a","dimensions":256}"#,
            "unsupported dimensions: The model has vectors of one length.",
        ),
        (
            OPENAI,
            Bedrock,
            "amazon.titan-embed-text-v2:0",
            r#"{"input":["a","b"]}"#,
            "unsupported input: The model takes one input at a time.",
        ),
        (
            OPENAI,
            Bedrock,
            "eu.cohere.embed-v4:0",
            r#"{"input":["a"],"input_type":"clustering"}"#,
            r#"/model/eu.cohere.embed-v4%3A0/invoke {"texts":["a"],"input_type":"clustering","embedding_types":["float"]}"#,
        ),
        (
            OPENAI,
            Bedrock,
            "anthropic.claude",
            r#"{"input":["a"]}"#,
            "unsupported model: Of Bedrock's models, Titan's and Cohere's are asked for vectors of texts.",
        ),
        (
            ONE,
            OpenAi,
            "e",
            gemini,
            r#"/embeddings {"model":"e","input":["hi"],"dimensions":8,"encoding_format":"float"} Dropped taskType Dropped title"#,
        ),
        (
            ONE,
            Cohere,
            "c",
            r#"{"content":{"parts":[{"text":"a"}]},"taskType":"SEMANTIC_SIMILARITY"}"#,
            r#"/embed {"model":"c","texts":["a"],"input_type":"search_document","embedding_types":["float"]}"#,
        ),
        (
            ONE,
            Gemini,
            "g",
            gemini,
            r#"/models/g:embedContent {"model":"models/g","content":{"parts":[{"text":"hi"}]},"taskType":"RETRIEVAL_QUERY","title":"t","outputDimensionality":8}"#,
        ),
        (
            ONE,
            Vertex,
            "gemini-embedding-2",
            gemini,
            r#"/models/gemini-embedding-2:embedContent {"content":{"parts":[{"text":"hi"}]},"embedContentConfig":{"taskType":"RETRIEVAL_QUERY","title":"t","outputDimensionality":8}}"#,
        ),
        (
            ONE,
            Gemini,
            "g",
            r#"{"content":{"parts":[{"text":"a"}]},"taskType":"NEW_TASK"}"#,
            r#"/models/g:embedContent {"model":"models/g","content":{"parts":[{"text":"a"}]},"taskType":"NEW_TASK"}"#,
        ),
        (
            ONE,
            Gemini,
            "g",
            r#"{"content":{"parts":[{"text":"a"},{"text":"b"}]},"embedContentConfig":{"output_dimensionality":4}}"#,
            r#"/models/g:embedContent {"model":"models/g","content":{"parts":[{"text":"a"},{"text":"b"}]},"outputDimensionality":4}"#,
        ),
        (
            ONE,
            OpenAi,
            "e",
            r#"{"content":{"parts":[{"text":"a"},{"text":"\"b"}]}}"#,
            r#"/embeddings {"model":"e","input":["a\n\"b"],"encoding_format":"float"} Adapted content.parts"#,
        ),
        (
            ONE,
            OpenAi,
            "e",
            r#"{"content":{"parts":[{"inlineData":{}}]}}"#,
            "unsupported content.parts: The model takes texts only.",
        ),
        (
            BATCH,
            OpenAi,
            "e",
            r#"{"requests":[{"model":"models/m","content":{"parts":[{"text":"a"}]}},{"content":{"parts":[{"text":"b"}]}}]}"#,
            r#"/embeddings {"model":"e","input":["a","b"],"encoding_format":"float"}"#,
        ),
        (
            BATCH,
            OpenAi,
            "e",
            r#"{"requests":[{"content":{"parts":[{"text":"a"}]}},{"content":{"parts":[{"text":"b"}]},"outputDimensionality":4}]}"#,
            "unsupported requests[1]: The model's API has no such member.",
        ),
        (
            BATCH,
            OpenAi,
            "e",
            r#"{"requests":[{"content":{"parts":[{"text":"a"}]}},{"content":{"parts":[{"text":"b"}]},"taskType":"CLUSTERING"}]}"#,
            r#"/embeddings {"model":"e","input":["a","b"],"encoding_format":"float"} Dropped requests[1]"#,
        ),
    ] {
        assert_eq!(composed(client, upstream, model, false, body).0, expected, "{upstream:?} {body}");
    }
}

#[test]
fn settings_of_vertex_ai_s_own_go_there_and_nowhere_else() {
    let body = r#"{"content":{"parts":[{"text":"a"}]},"embedContentConfig":{"autoTruncate":true}}"#;
    assert_eq!(
        composed(ONE, UpstreamForm::Vertex, "gemini-embedding-001", false, body).0,
        r#"/models/gemini-embedding-001:embedContent {"content":{"parts":[{"text":"a"}]},"embedContentConfig":{"autoTruncate":true}}"#
    );
    let (said, _) = composed(ONE, UpstreamForm::Gemini, "gemini-embedding-001", false, body);
    assert!(said.starts_with("unsupported embedContentConfig.autoTruncate"), "{said}");
}

#[test]
fn what_may_be_dropped_is_and_what_is_asked_about_is_not() {
    let (said, _) = composed(OPENAI, UpstreamForm::Gemini, "g", true, r#"{"input":"a","normalized":true}"#);
    assert_eq!(
        said,
        r#"/models/g:embedContent {"model":"models/g","content":{"parts":[{"text":"a"}]}} Dropped normalized"#
    );
    let (said, _) = composed(OPENAI, UpstreamForm::Gemini, "g", true, r#"{"input":[1]}"#);
    assert!(said.starts_with("unsupported input"), "{said}");
}

#[test]
fn a_request_that_is_none() {
    for (client, body, expected) in [
        (OPENAI, r#"{}"#, "'input' must be a string, an array of strings or an array of tokens, and not empty."),
        (
            OPENAI,
            r#"{"input":[]}"#,
            "'input' must be a string, an array of strings or an array of tokens, and not empty.",
        ),
        (OPENAI, r#"{"input":["a",true]}"#, "'input[1]' must be a string or an array of tokens."),
        (OPENAI, r#"{"input":"a","dimensions":0}"#, "'dimensions' must be a whole number above 0."),
        (OPENAI, r#"{"input":"a","encoding_format":"hex"}"#, "'encoding_format' must be \"float\" or \"base64\"."),
        (ONE, r#"{}"#, "'content' must be a content."),
        (ONE, r#"{"content":{}}"#, "'content.parts' must be an array of parts."),
        (BATCH, r#"{"requests":{}}"#, "'requests' must be an array."),
        (BATCH, r#"{"requests":[]}"#, "'requests' must be an array that is not empty."),
        (
            BATCH,
            r#"{"requests":[{"content":{"parts":[]}}]}"#,
            "'requests[0].content.parts' must be an array that is not empty.",
        ),
    ] {
        assert_eq!(composed(client, UpstreamForm::Ollama, "m", false, body).0, format!("invalid {expected}"), "{body}");
    }
}

fn answered(back: WayBack, text: &str) -> Result<(String, bool), Malformed> {
    static ANY: Members = Members::last_wins(&[]);
    Scanner::new(&ANY).finish(text.as_bytes()).expect("JSON");
    let mut out = Vec::new();
    let translated = back.whole(text.as_bytes(), &mut out)?;
    assert!(!matches!(translated, Translated::Count | Translated::Error(_) | Translated::Answer { usage: None, .. }));
    Ok((String::from_utf8(out).expect("text"), matches!(translated, Translated::Estimated(_))))
}

const THREE: &str = r#"{"input":["aaaa","bbbbb","c"]}"#;

#[test]
fn an_answer_in_every_form() {
    use UpstreamForm::*;
    let openai = |vectors: [&str; 3], tokens: u64| {
        let data: Vec<_> = vectors
            .iter()
            .enumerate()
            .map(|(index, vector)| format!(r#"{{"object":"embedding","index":{index},"embedding":{vector}}}"#))
            .collect();
        let data = data.join(",");
        format!(
            r#"{{"object":"list","data":[{data}],"model":"asked","usage":{{"prompt_tokens":{tokens},"total_tokens":{tokens}}}}}"#
        )
    };
    let usual = ["[1,2]", "[3.5e-1,0]", "[5,6]"];
    for (upstream, model, text, expected, estimated) in [
        (
            Gemini,
            "g",
            r#"{"embeddings":[{"values":[1,2]},{"values":[3.5e-1,0]},{"values":[5,6]}]}"#,
            openai(usual, 4),
            true,
        ),
        (
            Gemini,
            "g",
            r#"{"embeddings":[{"values":[1,2]},{"values":[3.5e-1,0]},{"values":[5,6]}],"usageMetadata":{"promptTokenCount":7}}"#,
            openai(usual, 7),
            false,
        ),
        (
            Vertex,
            "text-embedding-005",
            r#"{"predictions":[{"embeddings":{"values":[1,2],"statistics":{"token_count":2.0}}},{"embeddings":{"values":[3.5e-1,0],"statistics":{"token_count":3}}},{"embeddings":{"values":[5,6],"statistics":{"token_count":1}}}]}"#,
            openai(usual, 6),
            false,
        ),
        (
            Cohere,
            "c",
            r#"{"embeddings":{"float":[[1,2],[3.5e-1,0],[5,6]]},"meta":{"billed_units":{"input_tokens":9}}}"#,
            openai(usual, 9),
            false,
        ),
        (Bedrock, "cohere.embed-english-v3", r#"{"embeddings":[[1,2],[3.5e-1,0],[5,6]]}"#, openai(usual, 4), true),
        (Ollama, "o", r#"{"embeddings":[[1,2],[3.5e-1,0],[5,6]],"prompt_eval_count":5}"#, openai(usual, 5), false),
    ] {
        let (_, back) = composed(OPENAI, upstream, model, false, THREE);
        assert_eq!(answered(back.expect("composed"), text), Ok((expected, estimated)), "{text}");
    }
    let (_, titan) = composed(OPENAI, Bedrock, "amazon.titan-embed-text-v2:0", false, r#"{"input":"a"}"#);
    let (said, _) =
        answered(titan.expect("composed"), r#"{"embedding":[1],"inputTextTokenCount":3}"#).expect("an answer");
    assert_eq!(
        said,
        r#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":[1]}],"model":"asked","usage":{"prompt_tokens":3,"total_tokens":3}}"#
    );
}

#[test]
fn an_answer_of_openai_s_form_for_a_client_of_gemini_s() {
    let two = r#"{"requests":[{"content":{"parts":[{"text":"a"}]}},{"content":{"parts":[{"text":"b"}]}}]}"#;
    let (_, back) = composed(BATCH, UpstreamForm::OpenAi, "e", false, two);
    let back = back.expect("composed");
    // The order is the index's; a server may send base64 unasked: 1.0 and -2.5 here.
    let text = r#"{"data":[{"index":1,"embedding":"AACAPwAAIMA="},{"index":0,"embedding":[0.1, 0.2]}],"usage":{"total_tokens":4}}"#;
    let expected = r#"{"embeddings":[{"values":[0.1, 0.2]},{"values":[1,-2.5]}],"usageMetadata":{"promptTokenCount":4,"totalTokenCount":4}}"#;
    assert_eq!(answered(back.clone(), text), Ok((expected.to_owned(), false)));
    for wrong in [
        r#"{"data":[{"embedding":[1]}]}"#,
        r#"{"data":[{"embedding":[1]},{"embedding":7}]}"#,
        r#"{"data":[{"embedding":[1]},{"embedding":"AACAf"}]}"#,
        // Not a number.
        r#"{"data":[{"embedding":[1]},{"embedding":"AADAfw=="}]}"#,
        r#"{"error":{"message":"no"}}"#,
        "{}",
    ] {
        assert_eq!(answered(back.clone(), wrong), Err(Malformed), "{wrong}");
    }
    let one = r#"{"content":{"parts":[{"text":"a"}]}}"#;
    let (_, back) = composed(ONE, UpstreamForm::OpenAi, "e", false, one);
    let expected = r#"{"embedding":{"values":[1]},"usageMetadata":{"promptTokenCount":1,"totalTokenCount":1}}"#;
    assert_eq!(answered(back.expect("composed"), r#"{"data":[{"embedding":[1]}]}"#), Ok((expected.to_owned(), true)));
}

proptest! {
    /// What is packed for OpenAI's SDK is what the upstream wrote, to the last bit of an `f32`.
    #[test]
    fn base64_keeps_every_number(numbers in prop::collection::vec(prop::num::f32::NORMAL | prop::num::f32::ZERO, 1..40)) {
        let (_, back) = composed(OPENAI, UpstreamForm::Gemini, "g", false, r#"{"input":"a","encoding_format":"base64"}"#);
        let written: Vec<_> = numbers.iter().map(|number| format!("{number:e}")).collect();
        let text = format!(r#"{{"embedding":{{"values":[{}]}}}}"#, written.join(" , "));
        let (said, _) = answered(back.expect("composed"), &text).expect("an answer");
        let said: serde_json::Value = serde_json::from_str(&said).expect("JSON");
        let packed = crate::dialects::gemini::base64::decode(said["data"][0]["embedding"].as_str().expect("text").as_bytes());
        let expected: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        prop_assert_eq!(packed, Some(expected));
    }

    /// Any JSON at all, made of what the forms know, is composed or refused, and read or refused, without a panic.
    #[test]
    fn noise_is_refused(asked in noise(), answer in noise()) {
        use UpstreamForm::*;
        let (asked, answer) = (asked.to_string(), answer.to_string());
        for client in [OPENAI, ONE, BATCH] {
            for (upstream, model) in
                [(OpenAi, "m"), (Gemini, "m"), (Vertex, "m"), (Cohere, "m"), (Ollama, "m"), (Bedrock, "titan-embed-text")]
            {
                let (said, back) = composed(client, upstream, model, true, &asked);
                if let Some(back) = back {
                    let body = said.split_once(' ').expect("a path and a body").1;
                    let mut values = serde_json::Deserializer::from_str(body).into_iter::<serde_json::Value>();
                    prop_assert!(values.next().is_some_and(|value| value.is_ok()), "{}", said);
                    let _ = answered(back, &answer);
                }
            }
        }
    }
}

/// JSON with the members of all forms at any place.
fn noise() -> impl Strategy<Value = serde_json::Value> {
    const NAMES: &[&str] = &[
        "input",
        "dimensions",
        "encoding_format",
        "input_type",
        "content",
        "parts",
        "text",
        "requests",
        "taskType",
        "title",
        "embedContentConfig",
        "outputDimensionality",
        "data",
        "embedding",
        "embeddings",
        "values",
        "index",
        "usage",
        "float",
        "prompt_tokens",
        "predictions",
        "statistics",
        "token_count",
        "meta",
    ];
    let leaf = prop_oneof![
        prop::sample::select(vec!["base64", "query", "AACAPw==", "\"é\n", ""]).prop_map(serde_json::Value::from),
        (0u64..4).prop_map(serde_json::Value::from),
        prop::num::f64::NORMAL.prop_map(serde_json::Value::from),
        Just(serde_json::Value::Null),
        Just(serde_json::Value::Bool(true)),
    ];
    let any = leaf.prop_recursive(5, 40, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(serde_json::Value::from),
            prop::collection::vec((prop::sample::select(NAMES), inner), 0..4).prop_map(|members| {
                members
                    .into_iter()
                    .map(|(name, value)| (name.to_owned(), value))
                    .collect::<serde_json::Map<_, _>>()
                    .into()
            }),
        ]
    });
    prop::collection::vec((prop::sample::select(NAMES), any), 0..6).prop_map(|members| {
        members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<serde_json::Map<_, _>>().into()
    })
}
