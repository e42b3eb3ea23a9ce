//! `multipart/form-data` as the upload endpoints receive it.

use memchr::memmem;

use super::{ApiError, Trouble};

/// A parsed form. Parts borrow nothing: bodies are small beside the cost of the test that sends them.
#[derive(Debug)]
pub(crate) struct Form {
    parts: Vec<Part>,
}

#[derive(Debug)]
pub(crate) struct Part {
    name: String,
    file_name: Option<String>,
    pub body: Vec<u8>,
}

impl Form {
    /// Nothing where the content type names no boundary, or where a part or the closing delimiter is broken.
    pub fn parse(content_type: &str, body: &[u8]) -> Option<Self> {
        let boundary =
            content_type.split(';').find_map(|parameter| parameter.trim().strip_prefix("boundary="))?.trim_matches('"');
        let delimiter = format!("\r\n--{boundary}");
        // The first delimiter has no line end before it.
        let mut rest = body.strip_prefix(&delimiter.as_bytes()[2..])?;
        let mut parts = Vec::new();
        loop {
            if rest.starts_with(b"--") {
                return Some(Self { parts });
            }
            rest = rest.strip_prefix(b"\r\n")?;
            let end = memmem::find(rest, delimiter.as_bytes())?;
            parts.push(Part::parse(&rest[..end])?);
            rest = &rest[end + delimiter.len()..];
        }
    }

    pub fn field(&self, name: &str) -> Option<&str> {
        let part = self.parts.iter().find(|part| part.name == name)?;
        std::str::from_utf8(&part.body).ok()
    }

    pub fn required(&self, name: &str) -> Result<&str, ApiError> {
        self.field(name).ok_or_else(|| Trouble::Missing.about(name))
    }

    pub fn files(&self) -> impl Iterator<Item = &Part> {
        self.parts.iter().filter(|part| part.file_name.is_some())
    }
}

impl Part {
    fn parse(text: &[u8]) -> Option<Self> {
        let split = memmem::find(text, b"\r\n\r\n")?;
        let head = std::str::from_utf8(&text[..split]).ok()?;
        let disposition = head.lines().find(|line| line.to_ascii_lowercase().starts_with("content-disposition:"))?;
        let parameter = |wanted: &str| {
            disposition.split(';').skip(1).find_map(|parameter| {
                let (name, value) = parameter.trim().split_once('=')?;
                (name == wanted).then(|| value.trim_matches('"').to_owned())
            })
        };
        Some(Self { name: parameter("name")?, file_name: parameter("filename"), body: text[split + 4..].to_vec() })
    }
}

/// The value of a text field near the beginning of a form that has not been read whole.
pub(crate) fn field_in_passing<'a>(form: &'a [u8], name: &str) -> Option<&'a str> {
    let label = format!("name=\"{name}\"\r\n\r\n");
    let start = memmem::find(form, label.as_bytes())? + label.len();
    let end = start + memmem::find(&form[start..], b"\r\n")?;
    std::str::from_utf8(&form[start..end]).ok()
}
