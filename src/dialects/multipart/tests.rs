use super::*;

const TYPE: &[u8] = b"multipart/form-data; boundary=\"b-1\"";

fn find(body: &[u8], piece: usize) -> Result<(Option<Range<usize>>, bool), MultipartError> {
    let mut finder = ModelFinder::new(TYPE)?;
    for part in body.chunks(piece) {
        finder.feed(part)?;
    }
    Ok((finder.model(), finder.is_ended()))
}

/// The outcome must not depend on the pieces.
fn check(body: &[u8], expected: Result<Option<&str>, MultipartError>) {
    for piece in 1..=body.len() {
        let found = find(body, piece).map(|(model, _)| model.map(|at| std::str::from_utf8(&body[at]).expect("UTF-8")));
        assert_eq!(found, expected, "in pieces of {piece}");
    }
}

#[test]
fn finds_the_model_before_and_after_a_file() {
    check(
        b"--b-1\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nwhisper-1\r\n--b-1\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\ncontent-type: audio/wav\r\n\r\n\r\n--b-\x00\xff\r\n--b-1--\r\n",
        Ok(Some("whisper-1")),
    );
    check(
        b"--b-1\r\ncontent-disposition: form-data; name=\"file\"; filename=\"model\"\r\n\r\n\x00\x01\r\n--b-1\r\nContent-Disposition: form-data; name=model\r\n\r\ngpt-4o\r\n--b-1--\r\n",
        Ok(Some("gpt-4o")),
    );
}

#[test]
fn value_may_be_empty_and_may_be_missing() {
    check(b"--b-1\r\ncontent-disposition: form-data; name=\"model\"\r\n\r\n\r\n--b-1--\r\n", Ok(Some("")));
    check(b"--b-1\r\ncontent-disposition: form-data; name=\"other\"\r\n\r\nx\r\n--b-1--\r\n", Ok(None));
}

/// Found by fuzzing: the end of the value was taken to be before its beginning.
#[test]
fn value_without_its_own_line_end_is_empty() {
    check(b"--b-1\r\ncontent-disposition: form-data; name=\"model\"\r\n\r\n--b-1--\r\n", Ok(Some("")));
}

#[test]
fn second_model_is_refused() {
    check(
        b"--b-1\r\ncontent-disposition: form-data; name=\"model\"\r\n\r\na\r\n--b-1\r\ncontent-disposition: form-data; name=\"model\"\r\n\r\nb\r\n--b-1--\r\n",
        Err(MultipartError::SecondModel),
    );
}

#[test]
fn bounds_hold() {
    let long = [b"--b-1\r\ncontent-disposition: form-data; name=\"model\"\r\n\r\n".as_slice(), &[b'm'; 4096]].concat();
    assert_eq!(find(&long, 100), Err(MultipartError::ModelTooLong));
    let head = [b"--b-1\r\n".as_slice(), &[b'h'; 20_000]].concat();
    assert_eq!(find(&head, 100), Err(MultipartError::Malformed));
    assert!(matches!(ModelFinder::new(b"multipart/form-data"), Err(MultipartError::Boundary)));
    assert!(matches!(ModelFinder::new(b"multipart/form-data; boundary="), Err(MultipartError::Boundary)));
}

#[test]
fn file_content_is_not_kept() {
    let mut finder = ModelFinder::new(TYPE).expect("boundary");
    finder.feed(b"--b-1\r\ncontent-disposition: form-data; name=\"file\"\r\n\r\n").expect("head");
    for _ in 0..100 {
        finder.feed(&[b'-'; 10_000]).expect("content");
        assert!(finder.window.len() < 100);
    }
}

#[test]
fn a_part_can_be_put_before_the_first() {
    let body = b"--b-1\r\ncontent-disposition: form-data; name=\"other\"\r\n\r\nx\r\n--b-1--\r\n";
    let finder = ModelFinder::new(TYPE).expect("a boundary");
    let [before, behind] = finder.model_part(body).expect("a body that begins with its boundary");
    let whole = [&before[..], b"whisper-1", &behind, body].concat();
    check(&whole, Ok(Some("whisper-1")));
    assert_eq!(finder.model_part(b"a preamble\r\n--b-1--\r\n"), None);
}
