use super::*;

fn fields(decoder: &mut Decoder, block: &[u8]) -> Vec<(Name, String)> {
    let mut fields = Vec::new();
    let outcome = decoder.decode(block, |name, value| fields.push((name, String::from_utf8_lossy(value).into_owned())));
    assert_eq!(outcome, Ok(()));
    fields
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).expect("digits"), 16).expect("digits");
    digits.chunks(2).map(byte).collect()
}

/// The three requests of RFC 7541, appendix C.4: compressed, with a table that the later ones use.
#[test]
fn the_requests_of_the_standard_are_read() {
    let mut decoder = Decoder::default();
    let plain = |name, value: &str| (name, value.to_owned());
    let first = fields(&mut decoder, &hex("8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff"));
    assert_eq!(first, [plain(Name::Method, "GET"), plain(Name::Path, "/")]);
    assert_eq!(decoder.table_bytes, 57);
    fields(&mut decoder, &hex("8286 84be 5886 a8eb 1064 9cbf"));
    assert_eq!(decoder.table_bytes, 110);
    let third = fields(&mut decoder, &hex("8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf"));
    assert_eq!(third, [plain(Name::Method, "GET"), plain(Name::Path, "/index.html")]);
    assert_eq!((decoder.table_bytes, decoder.table.len()), (164, 3));
}

#[test]
fn what_h2_writes_is_read_at_every_turn() {
    // A path that is not indexed, twice, and then a type that is.
    let mut decoder = Decoder::default();
    let path = hex("0489 61 05 f1 e3 c2 e5 f2 3a 6b");
    let once = fields(&mut decoder, &path);
    assert_eq!(fields(&mut decoder, &path), once);
    assert_eq!(decoder.table.len(), 0);
    let kept = hex("5f 04 74 65 78 74");
    assert_eq!(fields(&mut decoder, &kept), [(Name::ContentType, "text".to_owned())]);
    assert_eq!(fields(&mut decoder, &[0xbe]), [(Name::ContentType, "text".to_owned())]);
}

#[test]
fn the_table_forgets_what_does_not_fit() {
    let mut decoder = Decoder::default();
    let mut block = Vec::new();
    put_integer(0x40, 6, STATIC_CONTENT_TYPE, &mut block);
    put_integer(0, 7, 2_000, &mut block);
    block.extend([b'x'; 2_000]);
    for _ in 0..3 {
        fields(&mut decoder, &block);
    }
    assert_eq!((decoder.table.len(), decoder.table_bytes), (2, 2 * (12 + 2_000 + 32)));
    fields(&mut decoder, &[0x20]);
    assert_eq!((decoder.table.len(), decoder.table_bytes), (0, 0));
}

#[test]
fn what_is_written_can_be_read() {
    let head = answer_head(404, "text/event-stream", Some(300));
    let expected = [(Name::Status, "404".to_owned()), (Name::ContentType, "text/event-stream".to_owned())];
    assert_eq!(fields(&mut Decoder::default(), &head), expected);
    let head = answer_head(200, "application/json", None);
    assert_eq!(fields(&mut Decoder::default(), &head)[0], (Name::Status, "200".to_owned()));
}

#[test]
fn what_nobody_can_read_is_refused() {
    for block in ["80", "be", "41", "4105", "0f ff ff ff ff ff 0f", "0084 ffff ffff"] {
        let outcome = Decoder::default().decode(&hex(block), |_, _| {});
        assert_eq!(outcome, Err(Malformed), "{block}");
    }
}
