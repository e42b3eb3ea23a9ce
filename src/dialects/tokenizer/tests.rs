use super::*;
use crate::fuzzing;
use proptest::prelude::*;

/// Text, and how many tokens OpenAI's own library makes of it: by cl100k_base, by o200k_base.
const KNOWN: &[(&str, u64, u64)] = &[
    ("", 0, 0),
    ("Hello, world!", 4, 4),
    ("tiktoken is great!", 6, 6),
    ("don't WON'T I'LL", 7, 5),
    ("1234567890 3.14159", 9, 9),
    ("Привет, как дела? Сегодня хорошая погода.", 21, 12),
    ("你好，世界", 6, 3),
    ("こんにちは世界、お元気ですか", 10, 7),
    ("안녕하세요 세계", 9, 3),
    ("مرحبا بالعالم", 10, 4),
    ("नमस्ते दुनिया", 13, 5),
    ("🦀🎉👨\u{200d}👩\u{200d}👧\u{200d}👦", 24, 16),
    ("fn main() { println!(\"{}\", 1 + 1); }\n\n\t// x", 16, 16),
    ("  \n\n  spaces   \t end  ", 6, 6),
    ("a/b/c.\n/x", 5, 5),
    ("\u{85}\u{a0}\u{200b}x\u{2028} y", 8, 7),
];

#[test]
fn texts_count_as_much_as_by_openai_s_own_library() {
    for (text, cl100k, o200k) in KNOWN {
        assert_eq!(
            (Tokenizer::Cl100kBase.of_text(text), Tokenizer::O200kBase.of_text(text)),
            (*cl100k, *o200k),
            "{text}"
        );
    }
}

#[test]
fn a_request_counts_what_the_model_reads_of_it() {
    let data = "A".repeat(4_000);
    for (body, expected) in [
        // Four for the text, one for the role, three around the message, three for the answer.
        (r#"{"model":"m","messages":[{"role":"user","content":"Hello, world!"}]}"#, 4 + 1 + 3 + 3),
        // The same as Anthropic's and Gemini's clients say it.
        (r#"{"messages":[{"role":"user","content":[{"type":"text","text":"Hello, world!"}]}]}"#, 4 + 1 + 3 + 3),
        (r#"{"contents":[{"role":"user","parts":[{"text":"Hello, world!"}]}]}"#, 4 + 1 + 3 + 3),
        (r#"{"generateContentRequest":{"contents":[{"parts":[{"text":"Hello, world!"}]}]}}"#, 4 + 3 + 3),
        // Who instructs is a message more.
        (r#"{"system":"Hello, world!","messages":[{"role":"user","content":"Hello, world!"}]}"#, 2 * (4 + 3) + 1 + 3),
        // Escapes are how a text is written, not what it says.
        (r#"{"input":"\u4f60\u597d\uff0c\u4e16\u754c"}"#, 3),
        (r#"{"input":["fn main() { println!(\"{}\", 1 + 1); }\n\n\t// x","Hello, world!"]}"#, 16 + 4),
        // Tokens already.
        (r#"{"input":[[9906,11,1917],[0]]}"#, 4),
        // What is not read counts nothing, names of tools and their input do.
        (r#"{"metadata":{"x":"Hello, world!"},"max_tokens":5,"stream":true,"system":null,"messages":[]}"#, 0),
        (
            r#"{"messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1","content":"Hello, world!"}]}]}"#,
            4 + 1 + 3 + 3,
        ),
        (
            r#"{"messages":[{"role":"user","content":[{"type":"tool_use","id":"t","name":"Hello, world!","input":{}}]}]}"#,
            4 + 1 + 1 + 3 + 3,
        ),
        (
            &format!(r#"{{"messages":[{{"role":"user","content":[{{"image_url":{{"url":"data:{data}"}}}}]}}]}}"#),
            INLINE_DATA_TOKENS + 1 + 3 + 3,
        ),
    ] {
        assert_eq!(Tokenizer::O200kBase.of_request(body.as_bytes()), expected, "{body:.120}");
    }
}

#[test]
fn tools_count_as_they_are_written() {
    let tools = r#"[{"type":"function","function":{"name":"weather","parameters":{"type":"object"}}}]"#;
    let body = format!(r#"{{"tools":{tools}}}"#);
    assert_eq!(Tokenizer::O200kBase.of_request(body.as_bytes()), Tokenizer::O200kBase.of_text(tools));
}

#[test]
fn a_long_text_counts_the_same_in_pieces() {
    let text = KNOWN.iter().map(|(text, ..)| *text).collect::<Vec<_>>().join(" and, ").repeat(200);
    assert!(pieces(&text).count() > 3 && pieces(&text).collect::<String>() == text);
    let whole = tiktoken::get_encoding("o200k_base").expect("built in").count(&text) as u64;
    assert_eq!(Tokenizer::O200kBase.of_text(&text), whole);
}

#[test]
fn hostile_texts_are_cut_to_what_a_tokenizer_takes() {
    for unit in ["a", " ", "\n", " \n", "!", "0", "你", "\u{301}", "\u{200d}", "a\u{301}", "AAAA "] {
        let text = unit.repeat(8 * TOKENIZER_PIECE_BYTES_MAX / unit.len());
        let mut longest = 0;
        for piece in pieces(&text) {
            assert!(!piece.is_empty(), "{unit:?}");
            longest = longest.max(piece.len());
        }
        assert!(longest <= TOKENIZER_PIECE_BYTES_MAX, "{unit:?}");
        let tokens = Tokenizer::Cl100kBase.of_text(&text);
        assert!(tokens > 0 && tokens <= text.len() as u64, "{unit:?}: {tokens}");
    }
}

proptest! {
    #[test]
    fn any_text_is_counted(text in any::<String>(), times in 1_usize..600) {
        fuzzing::tokens(text.repeat(times).as_bytes());
    }

    #[test]
    fn any_body_is_counted(text in "[\\[\\]{}:,\"\\\\a-z0-9 ]{0,80}") {
        fuzzing::tokens(text.as_bytes());
    }

    #[test]
    fn any_content_is_counted(content in any::<String>()) {
        let body = format!(r#"{{"messages":[{{"role":"user","content":{}}}]}}"#, serde_json::to_string(&content).expect("text"));
        let expected = if is_data(serde_json::to_string(&content).expect("text").as_bytes()) {
            INLINE_DATA_TOKENS
        } else {
            Tokenizer::O200kBase.of_text(&content)
        };
        prop_assert_eq!(Tokenizer::O200kBase.of_request(body.as_bytes()), expected + 1 + 3 + 3);
    }
}
