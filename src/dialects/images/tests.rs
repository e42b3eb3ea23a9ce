use super::*;
use crate::{
    dialects::{
        canonical::{ErrorClass, Malformed, ModelTraits, Notes, Target, Usage},
        translate::Translated,
    },
    json::scan::{Members, Scanner},
};
use UpstreamForm::{Gemini, Vertex};
use proptest::prelude::*;

const NANO: &str = "gemini-3.1-flash-image";
const IMAGEN: &str = "imagen-4.0-generate-001";

fn composed(upstream: UpstreamForm, model: &str, drops: bool, body: &str) -> (String, Option<WayBack>) {
    let request = match parse(body.as_bytes()) {
        Ok(request) => request,
        Err(invalid) => return (format!("invalid {}", invalid.message), None),
    };
    let target = Target { model, traits: ModelTraits::default(), drops };
    let mut notes = Notes::default();
    let mut out = Vec::new();
    match compose(upstream, &request, 7, &target, &mut notes, &mut out) {
        Err(unsupported) => (format!("unsupported {}: {}", unsupported.param, unsupported.why), None),
        Ok(composed) => {
            let mut said = format!("{} {}", composed.path, String::from_utf8(out).expect("text"));
            for note in notes.notes {
                said.push_str(&format!(" {:?} {}", note.kind, note.param));
            }
            if composed.back.calls > 1 {
                said.push_str(&format!(" {} times", composed.back.calls));
            }
            (said, Some(composed.back))
        }
    }
}

/// A body of Gemini's for the prompt "a\u00e9", with `config` below `responseModalities`.
fn content(config: &str, rest: &str) -> String {
    format!(
        r#"/models/{NANO}:generateContent {{"contents":[{{"role":"user","parts":[{{"text":"a\u00e9"}}]}}],"generationConfig":{{"responseModalities":["IMAGE"]{config}}}}}{rest}"#
    )
}

/// The same of Imagen's.
fn predict(parameters: &str, rest: &str) -> String {
    format!(
        r#"/models/{IMAGEN}:predict {{"instances":[{{"prompt":"a\u00e9"}}],"parameters":{{{parameters},"includeRaiReason":true}}}}{rest}"#
    )
}

#[test]
fn a_request_to_gemini_s_models() {
    for (upstream, settings, expected) in [
        (Gemini, r#""model":"m""#, content("", "")),
        (
            Gemini,
            r#""n":1,"size":"auto","quality":"auto","background":"auto","moderation":"auto","style":null,"response_format":"b64_json","stream":false,"partial_images":0"#,
            content("", ""),
        ),
        (Gemini, r#""quality":"standard","background":"opaque","user":"u""#, content("", " Dropped user")),
        (Gemini, r#""size":"1024x1024""#, content(r#","imageConfig":{"aspectRatio":"1:1"}"#, "")),
        (Gemini, r#""size":"1536x1024""#, content(r#","imageConfig":{"aspectRatio":"3:2"}"#, " Adapted size")),
        (
            Gemini,
            r#""size":"2160x3840","n":3"#,
            content(r#","imageConfig":{"aspectRatio":"9:16","imageSize":"4K"}"#, " Adapted n Adapted size 3 times"),
        ),
        (
            Gemini,
            r#""aspectRatio":"21:9","imageSize":"2K""#,
            content(r#","imageConfig":{"aspectRatio":"21:9","imageSize":"2K"}"#, ""),
        ),
        (
            Vertex,
            r#""output_format":"jpeg","output_compression":80,"personGeneration":"ALLOW_NONE""#,
            content(
                r#","imageConfig":{"personGeneration":"ALLOW_NONE","imageOutputOptions":{"mimeType":"image/jpeg","compressionQuality":80}}"#,
                "",
            ),
        ),
        (
            Vertex,
            r#""output_format":"png""#,
            content(r#","imageConfig":{"imageOutputOptions":{"mimeType":"image/png"}}"#, ""),
        ),
    ] {
        let body = format!(r#"{{"prompt":"a\u00e9",{settings}}}"#);
        assert_eq!(composed(upstream, NANO, false, &body).0, expected, "{settings}");
    }
}

#[test]
fn a_request_to_imagen() {
    for (upstream, settings, expected) in [
        (Gemini, r#""model":"m""#, predict(r#""sampleCount":1"#, "")),
        (
            Vertex,
            r#""n":4,"size":"1536x1024","output_format":"jpeg","output_compression":0"#,
            predict(
                r#""sampleCount":4,"aspectRatio":"4:3","outputOptions":{"mimeType":"image/jpeg","compressionQuality":0}"#,
                " Adapted size",
            ),
        ),
        (
            Gemini,
            r#""size":"2048x2048","negativePrompt":"b","seed":5"#,
            predict(r#""sampleCount":1,"aspectRatio":"1:1","sampleImageSize":"2K","negativePrompt":"b","seed":5"#, ""),
        ),
        (
            Vertex,
            r#""aspectRatio":"16:9","sampleImageSize":"2K""#,
            predict(r#""sampleCount":1,"aspectRatio":"16:9","sampleImageSize":"2K""#, ""),
        ),
    ] {
        let body = format!(r#"{{"prompt":"a\u00e9",{settings}}}"#);
        assert_eq!(composed(upstream, IMAGEN, false, &body).0, expected, "{settings}");
    }
}

/// What is refused, and left out where that is allowed.
#[test]
fn what_no_model_can_do() {
    for (upstream, model, settings, param) in [
        (Gemini, NANO, r#""n":9"#, "n"),
        (Gemini, IMAGEN, r#""n":5"#, "n"),
        (Gemini, NANO, r#""size":"1000x1000""#, "size"),
        (Gemini, NANO, r#""size":"16:9""#, "size"),
        (Vertex, IMAGEN, r#""size":"4096x4096""#, "size"),
        (Gemini, NANO, r#""quality":"high""#, "quality"),
        (Gemini, NANO, r#""background":"transparent""#, "background"),
        (Vertex, IMAGEN, r#""moderation":"low""#, "moderation"),
        (Vertex, NANO, r#""style":"vivid""#, "style"),
        (Gemini, NANO, r#""output_format":"png""#, "output_format"),
        (Vertex, NANO, r#""output_format":"webp""#, "output_format"),
        (Gemini, NANO, r#""output_compression":50"#, "output_compression"),
        (Vertex, NANO, r#""output_compression":50,"output_format":"png""#, "output_compression"),
        (Vertex, IMAGEN, r#""output_compression":50"#, "output_compression"),
        (Gemini, NANO, r#""response_format":"url""#, "response_format"),
        (Gemini, NANO, r#""partial_images":2"#, "partial_images"),
        (Gemini, NANO, r#""negativePrompt":"b""#, "negativePrompt"),
        (Gemini, NANO, r#""personGeneration":"ALLOW_ALL""#, "personGeneration"),
        (Gemini, IMAGEN, r#""imageSize":"2K""#, "imageSize"),
        // It would be said twice.
        (Gemini, NANO, r#""size":"1024x1024","aspectRatio":"3:2""#, "aspectRatio"),
        (Gemini, IMAGEN, r#""size":"1024x1024","sampleImageSize":"2K""#, "sampleImageSize"),
    ] {
        let body = format!(r#"{{"prompt":"a",{settings}}}"#);
        let (said, _) = composed(upstream, model, false, &body);
        assert!(said.starts_with(&format!("unsupported {param}: ")), "{settings}: {said}");
        let (said, back) = composed(upstream, model, true, &body);
        assert!(said.ends_with(&format!(" Dropped {param}")), "{settings}: {said}");
        assert_eq!(back.expect("composed").calls, 1);
    }
    // Whoever waits for events has no use for anything else.
    for drops in [false, true] {
        let (said, _) = composed(Gemini, NANO, drops, r#"{"prompt":"a","stream":true}"#);
        assert_eq!(said, "unsupported stream: The model's API has no stream of pictures.");
    }
}

#[test]
fn sizes_are_documented() {
    let documented = include_str!("../../../docs/images.md");
    assert!(documented.ends_with(&compose::sizes_as_documented()));
}

#[test]
fn a_request_that_is_none() {
    for (body, expected) in [
        ("{}", "'prompt' must be a string that is not empty."),
        (r#"{"prompt":""}"#, "'prompt' must be a string that is not empty."),
        (r#"{"prompt":["a"]}"#, "'prompt' must be a string."),
        (r#"{"prompt":"a","n":0}"#, "'n' must be a whole number from 1 to 10."),
        (r#"{"prompt":"a","n":11}"#, "'n' must be a whole number from 1 to 10."),
        (r#"{"prompt":"a","size":1024}"#, "'size' must be a string."),
        (r#"{"prompt":"a","output_compression":101}"#, "'output_compression' must be a whole number from 0 to 100."),
        (r#"{"prompt":"a","partial_images":4}"#, "'partial_images' must be a whole number from 0 to 3."),
        (r#"{"prompt":"a","stream":1}"#, "'stream' must be true or false."),
    ] {
        assert_eq!(composed(Gemini, NANO, false, body).0, format!("invalid {expected}"), "{body}");
    }
}

fn answered(model: &str, calls: u8, texts: &[&str]) -> Result<(String, Translated), Malformed> {
    static ANY: Members = Members::last_wins(&[]);
    for text in texts {
        Scanner::new(&ANY).finish(text.as_bytes()).expect("JSON");
    }
    let (_, back) = composed(Gemini, model, false, r#"{"prompt":"a"}"#);
    let mut out = Vec::new();
    let translated = WayBack { calls, ..back.expect("composed") }.whole(texts, &mut out)?;
    Ok((String::from_utf8(out).expect("text"), translated))
}

const ONE: &str = r#"{"candidates":[{"content":{"role":"model","parts":[{"inlineData":{"mimeType":"image/jpeg","data":"c2tldGNo"},"thought":true},{"text":"Here."},{"inlineData":{"mimeType":"image/png","data":"-_8"}}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":1290,"thoughtsTokenCount":10,"totalTokenCount":1305,"promptTokensDetails":[{"modality":"TEXT","tokenCount":5}],"candidatesTokensDetails":[{"modality":"IMAGE","tokenCount":1290}]}}"#;
const FILTERED: &str = r#"{"candidates":[{"finishReason":"IMAGE_SAFETY","finishMessage":"Unable to show the picture."}],"usageMetadata":{"promptTokenCount":5}}"#;

#[test]
fn pictures_of_gemini_s_models() {
    let usage = |input_uncached, output, reasoning| {
        let usage = Usage { input_uncached, output, reasoning, ..Usage::default() };
        Translated::Answer { usage: Some(usage), said_bytes: 0 }
    };
    // What the model thought, and said beside it, is no picture; the alphabet is the standard one.
    let expected = r#"{"created":7,"data":[{"b64_json":"+/8="}],"output_format":"png","usage":{"input_tokens":5,"output_tokens":1300,"total_tokens":1305,"input_tokens_details":{"text_tokens":5,"image_tokens":0},"output_tokens_details":{"text_tokens":10,"image_tokens":1290}}}"#;
    assert_eq!(answered(NANO, 1, &[ONE]), Ok((expected.to_owned(), usage(5, 1300, 10))));
    // Of several calls one was filtered, and is billed for its prompt.
    let expected = r#"{"created":7,"data":[{"b64_json":"+/8="},{"b64_json":"+/8="}],"output_format":"png","usage":{"input_tokens":15,"output_tokens":2600,"total_tokens":2615,"input_tokens_details":{"text_tokens":15,"image_tokens":0},"output_tokens_details":{"text_tokens":20,"image_tokens":2580}}}"#;
    assert_eq!(answered(NANO, 3, &[ONE, FILTERED, ONE]), Ok((expected.to_owned(), usage(15, 2600, 20))));
    let uncounted =
        r#"{"candidates":[{"content":{"parts":[{"inlineData":{"mimeType":"image/heic","data":"AA=="}}]}}]}"#;
    let expected = r#"{"created":7,"data":[{"b64_json":"AA=="}]}"#;
    assert_eq!(answered(NANO, 1, &[uncounted]), Ok((expected.to_owned(), Translated::Count)));
}

#[test]
fn pictures_of_imagen_s() {
    let two = r#"{"predictions":[{"bytesBase64Encoded":"AAAA","mimeType":"image/png","prompt":"a \"red\" apple"},{"raiFilteredReason":"Support codes: 1"},{"bytesBase64Encoded":"BBBB","mimeType":"image/png"}]}"#;
    let expected = r#"{"created":7,"data":[{"b64_json":"AAAA","revised_prompt":"a \"red\" apple"},{"b64_json":"BBBB"}],"output_format":"png"}"#;
    assert_eq!(answered(IMAGEN, 1, &[two]), Ok((expected.to_owned(), Translated::Count)));
}

#[test]
fn an_answer_without_a_picture_is_an_error() {
    for (model, text, class, message) in [
        (NANO, FILTERED, ErrorClass::ContentPolicy, "Unable to show the picture."),
        (
            NANO,
            r#"{"promptFeedback":{"blockReason":"PROHIBITED_CONTENT","blockReasonMessage":"Not this."}}"#,
            ErrorClass::ContentPolicy,
            "Not this.",
        ),
        (
            NANO,
            r#"{"candidates":[{"content":{"parts":[{"text":"Which colour?"}]},"finishReason":"STOP"}]}"#,
            ErrorClass::InvalidRequest,
            "Which colour?",
        ),
        (NANO, r#"{"candidates":[{"content":{},"finishReason":"NO_IMAGE"}]}"#, ErrorClass::Server, ""),
        (NANO, r#"{"candidates":[{"finishReason":"MAX_TOKENS"}]}"#, ErrorClass::Server, ""),
        (NANO, r#"{"error":{"code":503,"message":"no","status":"UNAVAILABLE"}}"#, ErrorClass::Overloaded, "no"),
        (
            IMAGEN,
            r#"{"predictions":[{"raiFilteredReason":"Support codes: 39322892"}]}"#,
            ErrorClass::ContentPolicy,
            "Support codes: 39322892",
        ),
        (IMAGEN, "{}", ErrorClass::ContentPolicy, ""),
    ] {
        match answered(model, 1, &[text]) {
            Ok((said, Translated::Error(error))) => {
                assert_eq!((error.class, &*error.message.decoded(), &*said), (class, message, ""), "{text}");
            }
            other => panic!("{text}: {other:?}"),
        }
    }
    for (model, text) in [
        (NANO, "{}"),
        (NANO, r#"{"promptFeedback":{}}"#),
        (NANO, r#"{"predictions":[]}"#),
        (IMAGEN, r#"{"predictions":{}}"#),
    ] {
        assert_eq!(answered(model, 1, &[text]), Err(Malformed), "{text}");
    }
}

proptest! {
    /// Any JSON at all, made of what the forms know, is composed or refused, and read or refused, without a panic.
    #[test]
    fn noise_is_refused(asked in noise(ASKED), answer in noise(ANSWERED), drops: bool) {
        let (asked, answer) = (asked.to_string(), answer.to_string());
        for (upstream, model) in [(Gemini, NANO), (Vertex, NANO), (Gemini, IMAGEN), (Vertex, IMAGEN)] {
            let (said, back) = composed(upstream, model, drops, &asked);
            if back.is_some() {
                let body = said.split_once(' ').expect("a path and a body").1;
                let mut values = serde_json::Deserializer::from_str(body).into_iter::<serde_json::Value>();
                prop_assert!(values.next().is_some_and(|value| value.is_ok()), "{}", said);
            }
            if let Ok((said, Translated::Answer { .. } | Translated::Count)) = answered(model, 2, &[&answer, ONE]) {
                prop_assert!(serde_json::from_str::<serde_json::Value>(&said).is_ok(), "{}", said);
            }
        }
    }
}

const ASKED: &[&str] = &[
    "prompt",
    "n",
    "size",
    "quality",
    "output_format",
    "output_compression",
    "response_format",
    "aspectRatio",
    "user",
];
const ANSWERED: &[&str] = &[
    "candidates",
    "content",
    "parts",
    "inlineData",
    "mimeType",
    "data",
    "text",
    "finishReason",
    "promptFeedback",
    "blockReason",
    "usageMetadata",
    "promptTokenCount",
    "candidatesTokensDetails",
    "predictions",
    "bytesBase64Encoded",
];

/// JSON with the members of a form at any place.
fn noise(names: &'static [&'static str]) -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        prop::sample::select(vec!["1024x1024", "jpeg", "image/png", "AACAPw==", "SAFETY", "\"é\n", ""])
            .prop_map(serde_json::Value::from),
        (0u64..12).prop_map(serde_json::Value::from),
        Just(serde_json::Value::Null),
        Just(serde_json::Value::Bool(true)),
    ];
    let object = |members: Vec<(&str, serde_json::Value)>| -> serde_json::Value {
        members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<serde_json::Map<_, _>>().into()
    };
    let any = leaf.prop_recursive(6, 40, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(serde_json::Value::from),
            prop::collection::vec((prop::sample::select(names), inner), 0..4).prop_map(object),
        ]
    });
    prop::collection::vec((prop::sample::select(names), any), 0..6).prop_map(object)
}
