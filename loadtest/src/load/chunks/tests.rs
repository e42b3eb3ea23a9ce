use super::*;

const OF: u64 = 6;

fn chunk(number: u64) -> String {
    format!("data: {{\"delta\":{{\"content\":\"{}\"}}}}\n\n", Mark { number, of: OF }.text(60))
}

/// `lost repeated out_of_order altered` of the chunks in this order, in pieces of every size.
fn check(text: &str, expected: [u64; 4]) {
    for size in 1..=text.len() {
        let mut chunks = Chunks::default();
        for piece in text.as_bytes().chunks(size) {
            chunks.feed(piece);
        }
        let found = chunks.finish();
        assert_eq!([found.lost, found.repeated, found.out_of_order, found.altered], expected, "pieces of {size}");
        assert_eq!(found.streams, 1);
    }
}

fn order(numbers: &[u64]) -> String {
    numbers.iter().map(|number| chunk(*number)).collect()
}

#[test]
fn what_arrives_as_it_was_sent_is_faithful() {
    check(&order(&[0, 1, 2, 3, 4, 5]), [0, 0, 0, 0]);
    let merged = order(&[0, 1, 2, 3, 4, 5]).replace("\"}}\n\ndata: {\"delta\":{\"content\":\"", "");
    assert_eq!(merged.matches("data:").count(), 1);
    check(&merged, [0, 0, 0, 0]);
}

#[test]
fn what_is_missing_is_lost() {
    check(&order(&[0, 1, 3, 4, 5]), [1, 0, 0, 0]);
    check(&order(&[2, 3]), [4, 0, 0, 0]);
    check("data: nothing\n\n", [1, 0, 0, 0]);
}

#[test]
fn what_comes_twice_is_repeated() {
    check(&order(&[0, 1, 1, 2, 3, 4, 5, 0]), [0, 2, 0, 0]);
}

#[test]
fn what_comes_late_is_out_of_order() {
    check(&order(&[0, 2, 3, 1, 5, 4]), [0, 0, 2, 0]);
}

#[test]
fn what_is_not_as_it_was_sent_is_altered_and_not_also_lost() {
    let whole = order(&[0, 1, 2, 3, 4, 5]);
    let at = whole.find("~2/6").expect("there");
    let mut wrong = whole.clone().into_bytes();
    // A letter of the filler.
    wrong[at + 20] = b'Z';
    check(&String::from_utf8(wrong).expect("text"), [0, 0, 0, 1]);
    // Its number: the sum does not match.
    check(&whole.replacen("~2/6", "~3/6", 1), [0, 0, 0, 1]);
}

#[test]
fn a_stream_that_ends_within_a_mark_has_altered_it() {
    let text = order(&[0, 1, 2, 3, 4, 5]);
    let cut = text.rfind('~').expect("there");
    check(&text[..cut], [0, 0, 0, 1]);
}

#[test]
fn marks_have_the_length_that_was_asked_for() {
    for number in [0, 9, 10, 999] {
        let text = Mark { number, of: 1_000 }.text(80);
        assert_eq!(text.len(), 80);
        assert_eq!(Mark::parse(&text.as_bytes()[1..79]), Some(Mark { number, of: 1_000 }));
    }
}
