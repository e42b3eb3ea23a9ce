use super::*;
use crate::dialects::{
    anthropic_messages::read,
    canonical::Progress,
    fixtures::{Doors, read_all},
    openai_chat::pass_through::Verdict,
    translate,
};

const MESSAGE: Asked = Asked::Message { stream: false };
const STREAM: Asked = Asked::Message { stream: true };

#[test]
fn the_model_stands_in_the_path() {
    for (cloud, model, asked, path) in [
        (Elsewhere::RawPredict, "claude-opus-5", MESSAGE, "/publishers/anthropic/models/claude-opus-5:rawPredict"),
        (
            Elsewhere::RawPredict,
            "claude-haiku-4-5@20251001",
            STREAM,
            "/publishers/anthropic/models/claude-haiku-4-5@20251001:streamRawPredict",
        ),
        (
            Elsewhere::RawPredict,
            "claude-x/../:y;z",
            MESSAGE,
            "/publishers/anthropic/models/claude-x%2F..%2F%3Ay%3Bz:rawPredict",
        ),
        (
            Elsewhere::RawPredict,
            "publishers/anthropic/models/claude-opus-5",
            MESSAGE,
            "/publishers/anthropic/models/claude-opus-5:rawPredict",
        ),
        (Elsewhere::RawPredict, "claude-opus-5", Asked::Count, "/publishers/anthropic/models/count-tokens:rawPredict"),
        (Elsewhere::Invoke, "eu.anthropic.claude-a-v1:0", MESSAGE, "/model/eu.anthropic.claude-a-v1%3A0/invoke"),
        (
            Elsewhere::Invoke,
            "arn:aws:bedrock:eu-central-1:1:inference-profile/eu.anthropic.claude-a",
            STREAM,
            "/model/arn%3Aaws%3Abedrock%3Aeu-central-1%3A1%3Ainference-profile%2Feu.anthropic.claude-a/invoke-with-response-stream",
        ),
        (Elsewhere::Invoke, "a b@é", MESSAGE, "/model/a%20b%40%C3%A9/invoke"),
    ] {
        assert_eq!(cloud.path(model, asked), path);
    }
}

#[test]
fn a_body_is_changed_where_the_cloud_has_a_say() {
    let says =
        Says::of(b"anthropic-version: 2023-06-01\r\nanthropic-beta: a-1, b-2\r\nx-other: c\r\nanthropic-beta: d\"\r\n");
    assert_eq!(says.betas, ["a-1", "b-2", "d\""]);
    let check = |cloud: Elsewhere, asked: Asked, text: &str, expected: &str| {
        let body = cloud.body(text.as_bytes(), "claude-b", asked, &says).unwrap();
        assert_eq!(String::from_utf8(body).unwrap(), expected, "{cloud:?} {asked:?} {text}");
    };
    let all = r#"{"model":"m", "max_tokens" : 5,"stream":true,"messages":[ "\u0041" ]}"#;
    check(
        Elsewhere::RawPredict,
        STREAM,
        all,
        r#"{"anthropic_version":"vertex-2023-10-16", "max_tokens" : 5,"stream":true,"messages":[ "\u0041" ]}"#,
    );
    check(
        Elsewhere::Invoke,
        STREAM,
        all,
        r#"{"anthropic_version":"bedrock-2023-05-31","anthropic_beta":["a-1","b-2","d\""], "max_tokens" : 5,"messages":[ "\u0041" ]}"#,
    );
    check(
        Elsewhere::RawPredict,
        Asked::Count,
        r#"{"messages":[],"model":"m"}"#,
        r#"{"anthropic_version":"vertex-2023-10-16","messages":[],"model":"claude-b"}"#,
    );
    check(Elsewhere::RawPredict, Asked::Count, "{}", r#"{"model":"claude-b","anthropic_version":"vertex-2023-10-16"}"#);
    // What the clouds' own clients put there; another cloud's version means nothing here.
    check(
        Elsewhere::Invoke,
        MESSAGE,
        r#"{"anthropic_version":"vertex-2023-10-16","anthropic_beta":["mine"],"messages":[],"stream":false}"#,
        r#"{"anthropic_version":"bedrock-2023-05-31","anthropic_beta":["mine"],"messages":[]}"#,
    );
    check(Elsewhere::RawPredict, MESSAGE, r#"{"model":"m"}"#, r#"{"anthropic_version":"vertex-2023-10-16"}"#);
    check(
        Elsewhere::Invoke,
        MESSAGE,
        r#"{"model":"m","stream":null}"#,
        r#"{"anthropic_version":"bedrock-2023-05-31","anthropic_beta":["a-1","b-2","d\""]}"#,
    );
    for twice in
        [r#"{"anthropic_version":"a","anthropic_version":"b"}"#, r#"{"anthropic_beta":[],"Anthropic_Beta":[]}"#]
    {
        assert!(Elsewhere::Invoke.body(twice.as_bytes(), "m", MESSAGE, &Says::default()).is_err(), "{twice}");
    }
}

#[test]
fn versions_are_asked_for_as_each_cloud_has_them() {
    let check = |model: &str, asked: Option<&str>, at_google: &str, at_aws: &str| {
        assert_eq!(Elsewhere::RawPredict.version(model, asked), at_google, "{model} {asked:?}");
        assert_eq!(Elsewhere::Invoke.version(model, asked), at_aws, "{model} {asked:?}");
    };
    const GOOGLE: &str = "vertex-2023-10-16";
    const AWS: &str = "bedrock-2023-05-31";
    const LATER: &str = "2026-10-21";
    for asked in [None, Some("2023-06-01"), Some("2023-01-01"), Some("latest"), Some("2026-1-0-21")] {
        check("anthropic.claude-opus-5", asked, GOOGLE, AWS);
    }
    for (model, has_later) in [
        ("anthropic.claude-opus-5", true),
        ("us.anthropic.claude-opus-4-7", true),
        ("global.anthropic.claude-opus-4-8-v1:0", true),
        ("anthropic.claude-fable-5-1", true),
        ("anthropic.claude-opus-4-6-v1", false),
        ("eu.anthropic.claude-sonnet-4-5-20250929-v1:0", false),
        ("anthropic.claude-opus-4-20250514-v1:0", false),
        ("anthropic.claude-3-7-sonnet-20250219-v1:0", false),
        ("anthropic.claude-v2:1", false),
    ] {
        check(model, Some(LATER), LATER, if has_later { LATER } else { AWS });
    }
}

#[test]
fn names_of_claude() {
    for (model, expected) in [
        ("claude-opus-5", true),
        ("claude-haiku-4-5@20251001", true),
        ("anthropic.claude-3-7-sonnet-20250219-v1:0", true),
        ("us-gov.anthropic.claude-sonnet-5", true),
        ("arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-opus-5", true),
        ("arn:aws:bedrock:us-east-1:1:inference-profile/global.anthropic.claude-opus-5", true),
        ("publishers/anthropic/models/claude-opus-5", true),
        // A profile of the account's own says nothing of its model.
        ("arn:aws:bedrock:us-east-1:1:application-inference-profile/claude", false),
        ("amazon.nova-2-lite-v1:0", false),
        ("gemini-3.8-flash", false),
        ("tuned-like-claude-opus", false),
        ("misanthropic.x", false),
    ] {
        assert_eq!(names_claude(model), expected, "{model}");
    }
}

/// A stream by the door that its file's name tells.
fn stream(
    bytes: &[u8],
    piece: usize,
    tell: &mut dyn FnMut(crate::dialects::canonical::Event<'_>),
) -> Result<(), crate::dialects::canonical::Malformed> {
    let mut reader = read::Reader::default();
    if bytes.starts_with(b"event:") {
        let mut splitter = crate::sse::split::Splitter::new(1 << 20);
        for piece in bytes.chunks(piece) {
            let mut feed = splitter.feed(piece);
            while let Some(event) = feed.next().unwrap() {
                if reader.frame(event.name, event.data, tell)? == Progress::Complete {
                    return Ok(());
                }
            }
        }
    } else {
        let mut frames = frames::Unframer::default();
        for piece in bytes.chunks(piece) {
            let verdict = frames.feed(piece, |name, data| match reader.frame(name.as_bytes(), data, tell) {
                Ok(Progress::More) => Verdict::More,
                Ok(Progress::Complete) => Verdict::Complete,
                Err(_) => Verdict::Malformed,
            });
            match verdict {
                Verdict::More => {}
                Verdict::Complete => return Ok(()),
                _ => return Err(crate::dialects::canonical::Malformed),
            }
        }
        if !frames.is_between_frames() {
            return Err(crate::dialects::canonical::Malformed);
        }
    }
    reader.end(tell)
}

/// Every golden answer says what its row says, in pieces of every size.
#[test]
fn golden_answers() {
    let all = read_all(&Doors {
        dialect: "anthropic_elsewhere",
        whole: |text, tell| translate::whole(UpstreamWire::AnthropicInvoke, text, tell),
        stream,
        classify: |status, headers, body| match headers.get("x-amzn-errortype").and_then(|name| name.as_str()) {
            Some(name) => translate::classify(UpstreamWire::AnthropicInvoke, status, name, body),
            None => translate::classify(UpstreamWire::AnthropicRawPredict, status, "", body),
        },
    });
    assert_eq!(all.len(), 6);
}

/// What other clients ask is composed as for Anthropic, then adapted. The judges look at it, too.
#[test]
fn golden_requests() {
    use crate::dialects::{
        canonical::{Adapted, Notes, Request, Target, Unsupported},
        fixtures::compose_all,
    };

    fn compose(
        cloud: Elsewhere,
        request: &Request<'_>,
        target: &Target<'_>,
        notes: &mut Notes,
        out: &mut Vec<u8>,
    ) -> Result<Adapted, Unsupported> {
        let adapted = translate::compose(cloud.wire(), request, target, notes, out)?;
        let asked = Asked::Message { stream: request.stream };
        *out = cloud.body(out, target.model, asked, &Says::default()).unwrap();
        let text = std::str::from_utf8(out).unwrap();
        assert!(!text.contains(r#""model":"#), "{text}");
        Ok(adapted)
    }

    compose_all(
        "anthropic_elsewhere",
        |model, stream| translate::path(UpstreamWire::AnthropicRawPredict, model, stream),
        "claude-golden",
        |request, target, notes, out| compose(Elsewhere::RawPredict, request, target, notes, out),
    );
    compose_all(
        "anthropic_elsewhere",
        |model, stream| translate::path(UpstreamWire::AnthropicInvoke, model, stream),
        "anthropic.claude-golden-v1:0",
        |request, target, notes, out| compose(Elsewhere::Invoke, request, target, notes, out),
    );
}
