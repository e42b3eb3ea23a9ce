use super::*;

fn check(metadata: &str, expected: Option<Usage>) {
    assert_eq!(read(Value::root(metadata.as_bytes())), expected, "{metadata}");
}

#[test]
fn thoughts_are_output_and_the_cache_is_input() {
    let usage = Usage { input_uncached: 10, output: 5, ..Usage::default() };
    check(r#"{"promptTokenCount":10,"candidatesTokenCount":5,"totalTokenCount":15}"#, Some(usage));
    check(
        r#"{"promptTokenCount":10,"candidatesTokenCount":5,"thoughtsTokenCount":7,"totalTokenCount":22}"#,
        Some(Usage { output: 12, reasoning: 7, ..usage }),
    );
    // These count thoughts among the candidates.
    check(
        r#"{"promptTokenCount":10,"candidatesTokenCount":12,"thoughtsTokenCount":7,"totalTokenCount":22}"#,
        Some(Usage { output: 12, reasoning: 7, ..usage }),
    );
    check(
        r#"{"promptTokenCount":10,"cachedContentTokenCount":4,"toolUsePromptTokenCount":3,"candidatesTokenCount":5,"totalTokenCount":18}"#,
        Some(Usage { input_uncached: 9, cache_read: 4, ..usage }),
    );
    // All of the output limit went into thoughts.
    check(
        r#"{"promptTokenCount":10,"thoughtsTokenCount":64,"totalTokenCount":74}"#,
        Some(Usage { output: 64, reasoning: 64, ..usage }),
    );
    check(
        r#"{"promptTokenCount":10,"candidatesTokenCount":5,"totalTokenCount":15,
            "promptTokensDetails":[{"modality":"TEXT","tokenCount":4},{"modality":"AUDIO","tokenCount":6}],
            "candidatesTokensDetails":[{"modality":"AUDIO","tokenCount":5}]}"#,
        Some(Usage { input_audio: 6, output_audio: 5, ..usage }),
    );
}

#[test]
fn what_is_no_count_is_none() {
    for nothing in [
        "{}",
        "null",
        "[]",
        r#"{"promptTokenCount":"10"}"#,
        r#"{"totalTokenCount":1e99}"#,
        r#"{"trafficType":"ON_DEMAND"}"#,
    ] {
        check(nothing, None);
    }
    let absurd =
        r#"{"promptTokenCount":1,"cachedContentTokenCount":9007199254740992,"candidatesTokenCount":9007199254740993}"#;
    check(absurd, Some(Usage { cache_read: 1, ..Usage::default() }));
}

#[test]
fn what_is_written_is_read_again() {
    for usage in [
        Usage { input_uncached: 10, output: 5, ..Usage::default() },
        Usage {
            input_uncached: 6,
            cache_read: 4,
            output: 12,
            reasoning: 7,
            input_audio: 2,
            output_audio: 1,
            ..Usage::default()
        },
    ] {
        let mut out = Vec::new();
        write(&usage, &mut Writer::new(&mut out));
        assert_eq!(read(Value::root(&out)), Some(usage));
    }
}
