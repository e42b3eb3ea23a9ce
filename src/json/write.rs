//! Composes a JSON text, member by member.
//!
//! Commas are set from the byte before: after `{`, `[` and `:` there is none, after everything else that can stand there is one. So a
//! writer has no state, and pieces that were written elsewhere may be put in between. The caller closes what it opens.

use super::piece::{Raw, Text};
use super::strings;

/// Appends to a text. What begins the text must not follow other text without a line's end or another byte of its own.
pub struct Writer<'o> {
    pub out: &'o mut Vec<u8>,
}

impl<'o> Writer<'o> {
    pub fn new(out: &'o mut Vec<u8>) -> Writer<'o> {
        Writer { out }
    }

    fn comma(&mut self) {
        if !matches!(self.out.last(), None | Some(b'{' | b'[' | b':' | b' ' | b'\n')) {
            self.out.push(b',');
        }
    }

    pub fn open_object(&mut self) -> &mut Self {
        self.comma();
        self.out.push(b'{');
        self
    }

    pub fn close_object(&mut self) -> &mut Self {
        self.out.push(b'}');
        self
    }

    pub fn open_array(&mut self) -> &mut Self {
        self.comma();
        self.out.push(b'[');
        self
    }

    pub fn close_array(&mut self) -> &mut Self {
        self.out.push(b']');
        self
    }

    /// The name of the member that follows; `name` has nothing to escape.
    pub fn name(&mut self, name: &str) -> &mut Self {
        self.comma();
        self.out.push(b'"');
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
        self
    }

    /// As `name`, for one that anybody chose.
    pub fn any_name(&mut self, name: &str) -> &mut Self {
        self.comma();
        strings::write_string(self.out, name);
        self.out.push(b':');
        self
    }

    pub fn text(&mut self, text: &Text<'_>) -> &mut Self {
        self.comma();
        self.out.push(b'"');
        text.append_escaped(self.out);
        self.out.push(b'"');
        self
    }

    pub fn string(&mut self, said: &str) -> &mut Self {
        self.comma();
        strings::write_string(self.out, said);
        self
    }

    pub fn raw(&mut self, raw: &Raw<'_>) -> &mut Self {
        self.json(&raw.0)
    }

    /// A value that is JSON already.
    pub fn json(&mut self, json: &[u8]) -> &mut Self {
        self.comma();
        self.out.extend_from_slice(json);
        self
    }

    pub fn number(&mut self, number: u64) -> &mut Self {
        // Most are zero, or nearly.
        if number < 10 {
            self.comma();
            self.out.push(b'0' + number as u8);
            return self;
        }
        self.json(itoa::Buffer::new().format(number).as_bytes())
    }

    pub fn bool(&mut self, is: bool) -> &mut Self {
        self.json(if is { b"true" } else { b"false" })
    }

    pub fn null(&mut self) -> &mut Self {
        self.json(b"null")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::borrow::Cow;

    #[test]
    fn commas_stand_between_members_and_nowhere_else() {
        let mut out = b"data: ".to_vec();
        let mut json = Writer::new(&mut out);
        json.open_object().name("a").open_array().close_array().name("b").open_array().number(1).bool(true).null();
        json.open_object().close_object().string("[").string("x").close_array();
        json.name("c").text(&Text::Escaped(Cow::Borrowed(b"\\n"))).any_name("\"").raw(&Raw(Cow::Borrowed(b"0.5")));
        json.name("d").text(&Text::plain("{")).name("e").open_object().name("f").null().close_object().close_object();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            r#"data: {"a":[],"b":[1,true,null,{},"[","x"],"c":"\n","\"":0.5,"d":"{","e":{"f":null}}"#
        );
    }
}
