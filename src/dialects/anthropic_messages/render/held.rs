//! What has to wait because the block before it is not at its end.
//!
//! Blocks of the Messages API follow each other; calls of OpenAI's dialects may be interleaved, and nothing there says when the input of one
//! is complete. It is when its object is: so a call that follows a complete one is not held at all, and what is held goes out as
//! soon as the open call's last brace has come, at the latest with the end.

use crate::json::piece::Text;

/// A block that waits.
#[derive(Debug)]
pub struct Held {
    pub kind: HeldKind,
    /// What it says so far, escaped: a text, thoughts, the input of a call, a signature.
    pub said: Vec<u8>,
}

#[derive(Debug)]
pub enum HeldKind {
    Text,
    Thinking,
    /// Proves the thoughts before it.
    Signature,
    Sealed,
    /// Escaped, as they will be written.
    Call {
        call: u32,
        id: Vec<u8>,
        name: Vec<u8>,
        /// With its tag.
        signature: Option<Vec<u8>>,
    },
}

/// Follows the text of an object to its end.
#[derive(Debug, Clone, Copy, Default)]
pub struct Nesting {
    depth: u32,
    has_begun: bool,
    in_string: bool,
    after_backslash: bool,
}

impl Nesting {
    pub fn take(&mut self, fragment: &Text<'_>) {
        match fragment {
            Text::Plain(plain) => plain.bytes().for_each(|byte| self.step(byte)),
            Text::Escaped(escaped) => self.take_escaped(escaped),
        }
    }

    pub fn take_escaped(&mut self, escaped: &[u8]) {
        let mut rest = escaped;
        while let Some((byte, after)) = rest.split_first() {
            rest = after;
            if *byte != b'\\' {
                self.step(*byte);
                continue;
            }
            let Some((escape, after)) = rest.split_first() else { return };
            rest = after;
            match escape {
                b'u' => {
                    let digits = rest.get(..4).and_then(|digits| std::str::from_utf8(digits).ok());
                    let unit = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
                    rest = rest.get(4..).unwrap_or_default();
                    self.step(unit.unwrap_or(b'?'));
                }
                b'"' | b'\\' => self.step(*escape),
                // A slash or a control character: nothing that nests.
                _ => self.step(b' '),
            }
        }
    }

    fn step(&mut self, byte: u8) {
        if self.in_string {
            match byte {
                _ if self.after_backslash => self.after_backslash = false,
                b'\\' => self.after_backslash = true,
                b'"' => self.in_string = false,
                _ => {}
            }
            return;
        }
        match byte {
            b'"' => self.in_string = true,
            b'{' | b'[' => {
                self.depth += 1;
                self.has_begun = true;
            }
            b'}' | b']' => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
    }

    pub fn is_complete(&self) -> bool {
        self.has_begun && self.depth == 0 && !self.in_string
    }
}
