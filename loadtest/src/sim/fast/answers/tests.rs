use super::*;

const DIALECTS: [Spoken; 3] = [Spoken::Chat, Spoken::Messages, Spoken::Gemini];

#[test]
fn answers_have_the_sizes_that_are_published() {
    let answers = Answers::new(FastOptions::default());
    for spoken in DIALECTS {
        let parts = &answers.of(spoken).http2;
        assert_eq!((parts.whole.len(), parts.event(0).len()), (WHOLE_BYTES, EVENT_BYTES), "{spoken:?}");
    }
}

#[test]
fn each_event_of_a_numbered_stream_says_which_it_is() {
    let answers = Answers::new(FastOptions { chunks: 3, numbered: true, ..FastOptions::default() });
    for spoken in DIALECTS {
        let parts = &answers.of(spoken).http2;
        let marks: Vec<_> = (0..3).map(|index| mark(parts.event(index))).collect();
        let expected = [0, 1, 2].map(|number| Some(Mark { number, of: 3 }));
        assert_eq!(marks, expected, "{spoken:?}");
        assert_eq!(parts.burst.iter().filter(|&&byte| byte == b'~').count(), 6, "{spoken:?}");
    }
}

fn mark(event: &[u8]) -> Option<Mark> {
    let mut pieces = event.split(|&byte| byte == b'~');
    Mark::parse(pieces.nth(1)?)
}

#[test]
fn the_path_says_who_is_spoken_to() {
    for (head, spoken) in [
        ("POST /v1/chat/completions HTTP/1.1", Spoken::Chat),
        ("POST /openai/v1/chat/completions HTTP/1.1", Spoken::Chat),
        ("/v1/chat/completions", Spoken::Chat),
        ("POST /v1/messages?beta=true HTTP/1.1", Spoken::Messages),
        ("POST /v1beta/models/m:generateContent HTTP/1.1", Spoken::Gemini),
        ("/v1beta/models/m:streamGenerateContent", Spoken::GeminiStream),
        ("GET /sim/stats HTTP/1.1", Spoken::Control),
        ("/sim/reset", Spoken::Control),
        ("", Spoken::Chat),
    ] {
        assert_eq!(Spoken::of(head.as_bytes()), spoken, "{head}");
    }
}
