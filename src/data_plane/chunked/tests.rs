use super::*;

/// Decodes `input` in pieces of `piece` bytes; gives the data and what was left over, or `None` where it is refused.
fn decode(input: &[u8], piece: usize) -> Option<(Vec<u8>, usize)> {
    let mut decoder = ChunkedDecoder::default();
    let mut data = Vec::new();
    for (index, part) in input.chunks(piece).enumerate() {
        let mut rest = part;
        loop {
            let step = decoder.step(rest).ok()?;
            data.extend_from_slice(&rest[step.data.clone()]);
            rest = &rest[step.consumed..];
            if step.done {
                return Some((data, input.len() - index * piece - (part.len() - rest.len())));
            }
            if rest.is_empty() {
                break;
            }
        }
    }
    None
}

fn check(input: &[u8], expected: Option<(&[u8], usize)>) {
    for piece in 1..=input.len().max(1) {
        let got = decode(input, piece);
        assert_eq!(
            got.as_ref().map(|(data, left)| (&data[..], *left)),
            expected,
            "in pieces of {piece}: {:?}",
            input.escape_ascii().to_string()
        );
    }
}

#[test]
fn accepts_what_the_rfc_writes() {
    check(b"0\r\n\r\n", Some((b"", 0)));
    check(b"5\r\nhello\r\n0\r\n\r\n", Some((b"hello", 0)));
    check(b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\nGET /", Some((b"hello world", 5)));
    check(b"A;name=value\r\n0123456789\r\n000\r\nx-trailer: 1\r\ncontent-length: 3\r\n\r\n", Some((b"0123456789", 0)));
    check(b"a\r\n\r\n\r\n\r\n\r\n\r\n\r\n0\r\n\r\n", Some((b"\r\n\r\n\r\n\r\n\r\n", 0)));
}

#[test]
fn refuses_what_two_parsers_could_read_differently() {
    for input in [
        &b"\r\nhello"[..],
        b" 5\r\nhello\r\n0\r\n\r\n",
        b"5 \r\nhello\r\n0\r\n\r\n",
        b"0x5\r\nhello\r\n0\r\n\r\n",
        b"+5\r\nhello\r\n0\r\n\r\n",
        b"5_0\r\nhello\r\n0\r\n\r\n",
        b"-5\r\nhello\r\n0\r\n\r\n",
        b"5\nhello\r\n0\r\n\r\n",
        b"5\r\nhello0\r\n\r\n",
        b"5\r\nhello\n0\r\n\r\n",
        b"5\r\nhello\r0\r\n\r\n",
        b";ext\r\n\r\n",
        b"5;a\rb\r\nhello\r\n0\r\n\r\n",
        b"5;a\nb\r\nhello\r\n0\r\n\r\n",
        b"10000000000000000\r\n",
        b"ffffffffffffffff1\r\n",
        b"0\r\nx: 1\n\r\n",
        b"0\r\n\rx",
    ] {
        check(input, None);
    }
    let long = [b"5;".as_slice(), &[b'x'; 1024], b"\r\nhello\r\n0\r\n\r\n"].concat();
    assert_eq!(decode(&long, long.len()), None);
    let trailers = [b"0\r\n".as_slice(), &b"x: y\r\n".repeat(4096), b"\r\n"].concat();
    assert_eq!(decode(&trailers, trailers.len()), None);
}
