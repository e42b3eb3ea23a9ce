use super::*;
use crate::{
    dialects::openai_chat::answer::{Answer, MEMBERS},
    json::scan::scan,
};

fn answer(text: &str, tokens: u32) -> String {
    format!(
        r#"{{"id":"1","choices":[{{"index":0,"message":{{"content":"{text}"}}}}],"usage":{{"prompt_tokens":{tokens}}}}}"#
    )
}

fn learn(known: &mut KnownAnswers, deployment: u32, fill: bool, text: &str) {
    known.learn(deployment, fill, &scan(&MEMBERS, text.as_bytes()).expect("well-formed"), text.as_bytes());
}

#[track_caller]
fn check(known: &mut KnownAnswers, deployment: u32, fill: bool, text: &str, expected: bool) {
    let usage = Answer::read(text.as_bytes()).expect("well-formed").usage;
    assert_eq!(known.recognise(deployment, fill, text.as_bytes()), usage.filter(|_| expected), "{text}");
}

#[test]
fn tokens_are_those_of_each_answer() {
    let mut known = KnownAnswers::default();
    learn(&mut known, 3, false, &answer("a", 1));
    learn(&mut known, 3, false, &answer("b", 2));
    check(&mut known, 3, false, &answer("A longer text.", 345), true);
    check(&mut known, 3, false, &answer("", 0), true);
    // It is another's.
    check(&mut known, 4, false, &answer("a", 1), false);
}

#[test]
fn what_was_not_asked_to_be_complete_is_not_known_to_be() {
    let mut known = KnownAnswers::default();
    learn(&mut known, 0, false, &answer("a", 1));
    check(&mut known, 0, false, &answer("a", 1), true);
    check(&mut known, 0, true, &answer("a", 1), false);
    learn(&mut known, 0, true, &answer("a", 1));
    check(&mut known, 0, true, &answer("a", 1), true);
    check(&mut known, 0, false, &answer("a", 1), true);
}

#[test]
fn an_error_is_never_known() {
    let with = |error: &str| answer("a", 1).replace("\"usage\"", &format!("\"error\":{error},\"usage\""));
    for error in ["\"\"", "false", "0", "{}"] {
        let mut known = KnownAnswers::default();
        learn(&mut known, 0, false, &with(error));
        check(&mut known, 0, false, &with(error), false);
    }
    let mut known = KnownAnswers::default();
    learn(&mut known, 0, false, &with("null"));
    check(&mut known, 0, false, &with("null"), true);
    check(&mut known, 0, false, &with("1"), false);
    // Nor is what does not say what it cost.
    learn(&mut known, 0, false, r#"{"usage":null}"#);
    check(&mut known, 0, false, r#"{"usage":null}"#, false);
}
