//! JSON with a line for each value, as the requests of clients are written: white space is added and taken, nothing else is touched.

/// The text, two spaces deep, with a newline at its end. It is valid JSON.
pub fn indented(text: &[u8]) -> String {
    let mut out = Vec::with_capacity(2 * text.len());
    let mut depth = 0;
    let mut at = 0;
    while at < text.len() {
        let byte = text[at];
        match byte {
            b'"' => {
                let end = string_end(text, at);
                out.extend_from_slice(&text[at..end]);
                at = end;
                continue;
            }
            b' ' | b'\n' | b'\r' | b'\t' => {}
            b'{' | b'[' => {
                out.push(byte);
                let next = text[at + 1..].iter().find(|byte| !byte.is_ascii_whitespace());
                if next == Some(&(byte + 2)) {
                    out.push(byte + 2);
                    at = at + 1 + text[at + 1..].iter().position(|other| *other == byte + 2).unwrap_or_default();
                } else {
                    depth += 1;
                    newline(&mut out, depth);
                }
            }
            b'}' | b']' => {
                depth -= 1;
                newline(&mut out, depth);
                out.push(byte);
            }
            b',' => {
                out.push(byte);
                newline(&mut out, depth);
            }
            b':' => out.extend_from_slice(b": "),
            _ => out.push(byte),
        }
        at += 1;
    }
    out.push(b'\n');
    String::from_utf8(out).expect("JSON is UTF-8")
}

fn newline(out: &mut Vec<u8>, depth: usize) {
    out.push(b'\n');
    out.resize(out.len() + 2 * depth, b' ');
}

/// Behind the closing quote of the string that begins at `at`.
fn string_end(text: &[u8], at: usize) -> usize {
    let mut end = at + 1;
    while text[end] != b'"' {
        end += if text[end] == b'\\' { 2 } else { 1 };
    }
    end + 1
}

#[test]
fn white_space_alone_changes() {
    let given = br#"{"a":[1,{"b":"x\" , ]"}, [ ] ],"c":{},"d":-1.50}"#;
    let wanted = "{\n  \"a\": [\n    1,\n    {\n      \"b\": \"x\\\" , ]\"\n    },\n    []\n  ],\n  \"c\": {},\n  \"d\": -1.50\n}\n";
    assert_eq!(indented(given), wanted);
    assert_eq!(indented(wanted.as_bytes()), wanted);
}
