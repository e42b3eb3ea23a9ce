//! Writes server-sent events for clients.
//!
//! Lines end with LF. A text with line breaks becomes several `data` lines, which decoders join again; a CR cannot be carried by the
//! format and counts as a line break.

/// How OpenAI's streams end.
pub const DONE: &[u8] = b"data: [DONE]\n\n";

/// Appends an event without a name.
pub fn data(out: &mut Vec<u8>, said: &[u8]) {
    lines(out, b"data: ", said);
    out.push(b'\n');
}

/// Appends an event with a name, which must not contain a line break.
pub fn event(out: &mut Vec<u8>, name: &str, said: &[u8]) {
    lines(out, b"event: ", name.as_bytes());
    data(out, said);
}

/// Appends a comment, which keeps a connection alive and says nothing to decoders.
pub fn comment(out: &mut Vec<u8>, said: &str) {
    lines(out, b": ", said.as_bytes());
    out.push(b'\n');
}

fn lines(out: &mut Vec<u8>, prefix: &[u8], said: &[u8]) {
    let mut rest = said;
    loop {
        let end = memchr::memchr2(b'\n', b'\r', rest);
        out.extend_from_slice(prefix);
        out.extend_from_slice(&rest[..end.unwrap_or(rest.len())]);
        out.push(b'\n');
        let Some(end) = end else { return };
        let is_crlf = rest[end..].starts_with(b"\r\n");
        rest = &rest[end + 1 + usize::from(is_crlf)..];
    }
}

#[cfg(test)]
mod tests;
