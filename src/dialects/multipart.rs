//! Finds the `model` part of a `multipart/form-data` body as it arrives (RFC 7578, RFC 2046 section 5.1).
//!
//! Only what a gateway needs: where the value of `model` lies in the body, that there is one of it, and nothing about files. The rest is
//! the provider's to parse; a second `model` part is refused, because it would be their parser's choice which one counts.
//!
//! Memory: the bytes since the last boundary that could still be the start of one, plus one part's headers (8 KiB at most).

use crate::limits::MODEL_BYTES_MAX;
use memchr::memmem;
use std::ops::Range;

/// Headers of one part, in bytes at most.
const PART_HEAD_BYTES_MAX: usize = 8 * 1024;
/// RFC 2046 allows 70 characters.
const BOUNDARY_BYTES_MAX: usize = 70;

/// Why a multipart body is refused. The client is to blame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MultipartError {
    /// The content type names no usable boundary.
    Boundary,
    /// A part's headers are too long or the delimiter is not where it has to be.
    Malformed,
    /// `model` appears twice.
    SecondModel,
    /// `model` is longer than any model's name.
    ModelTooLong,
}

impl MultipartError {
    /// For the client.
    pub fn message(self) -> &'static str {
        match self {
            MultipartError::Boundary => "The content type names no usable multipart boundary.",
            MultipartError::Malformed => "The multipart body is not well-formed.",
            MultipartError::SecondModel => "The part 'model' appears twice.",
            MultipartError::ModelTooLong => "The part 'model' is too long for a model's name.",
        }
    }
}

/// A body on its way.
pub struct ModelFinder {
    /// CRLF, two hyphens, the boundary.
    delimiter: Vec<u8>,
    /// Bytes not settled yet; `window[0]` is at `offset` of the body.
    window: Vec<u8>,
    offset: usize,
    state: State,
    model: Option<Range<usize>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before the first delimiter, or in a part's content that is of no interest.
    Content,
    /// In the content of `model`, which began here.
    Model(usize),
    /// Behind a delimiter.
    Head,
    /// Behind the closing delimiter.
    End,
}

impl ModelFinder {
    /// # Errors
    /// `Boundary`.
    pub fn new(content_type: &[u8]) -> Result<ModelFinder, MultipartError> {
        let boundary = parameter(content_type, "boundary").ok_or(MultipartError::Boundary)?;
        if boundary.is_empty() || boundary.len() > BOUNDARY_BYTES_MAX {
            return Err(MultipartError::Boundary);
        }
        // The first delimiter may stand at the very start: an imagined line end before the body makes it like the others.
        let mut finder = ModelFinder {
            delimiter: [b"\r\n--", boundary].concat(),
            window: b"\r\n".to_vec(),
            offset: 0,
            state: State::Content,
            model: None,
        };
        finder.window.reserve(1024);
        Ok(finder)
    }

    /// Where the value of `model` is in the body, once it has been seen whole.
    pub fn model(&self) -> Option<Range<usize>> {
        self.model.clone()
    }

    /// What stands around the value of a part `model` that is put before the first of `body`, which has none; `None` where something else stands
    /// there, which would become a part of it.
    pub fn model_part(&self, body: &[u8]) -> Option<[Vec<u8>; 2]> {
        let delimiter = &self.delimiter[2..];
        body.starts_with(delimiter).then(|| {
            let head = b"\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\n";
            [[delimiter, head].concat(), b"\r\n".to_vec()]
        })
    }

    /// True once the closing delimiter has been seen.
    pub fn is_ended(&self) -> bool {
        self.state == State::End
    }

    /// Takes the next piece of the body.
    ///
    /// # Errors
    /// The first fault; the body is not acceptable then.
    pub fn feed(&mut self, piece: &[u8]) -> Result<(), MultipartError> {
        self.window.extend_from_slice(piece);
        loop {
            match self.state {
                State::End => {
                    self.settle(self.window.len());
                    return Ok(());
                }
                State::Content | State::Model(_) => {
                    let Some(at) = memmem::find(&self.window, &self.delimiter) else {
                        if let State::Model(start) = self.state {
                            if self.offset + self.window.len() > start + MODEL_BYTES_MAX + self.delimiter.len() {
                                return Err(MultipartError::ModelTooLong);
                            }
                            return Ok(());
                        }
                        // The last bytes may be the start of a delimiter.
                        self.settle(self.window.len().saturating_sub(self.delimiter.len() - 1));
                        return Ok(());
                    };
                    if let State::Model(start) = self.state {
                        // A part without so much as a line end of its own has no value: the delimiter's belongs to the head.
                        let end = (self.offset + at).max(start);
                        if end - start > MODEL_BYTES_MAX {
                            return Err(MultipartError::ModelTooLong);
                        }
                        // Offsets count the imagined line end; the body does not have it.
                        self.model = Some(start - 2..end - 2);
                    }
                    self.settle(at + self.delimiter.len());
                    self.state = State::Head;
                }
                State::Head => {
                    if self.window.len() < 2 {
                        return Ok(());
                    }
                    if self.window.starts_with(b"--") {
                        self.state = State::End;
                        continue;
                    }
                    let Some(end) = memmem::find(&self.window, b"\r\n\r\n") else {
                        return if self.window.len() >= PART_HEAD_BYTES_MAX + 4 {
                            Err(MultipartError::Malformed)
                        } else {
                            Ok(())
                        };
                    };
                    if end > PART_HEAD_BYTES_MAX {
                        return Err(MultipartError::Malformed);
                    }
                    let is_model = is_model_part(&self.window[..end]);
                    if is_model && self.model.is_some() {
                        return Err(MultipartError::SecondModel);
                    }
                    // The line end before the content stays: an empty part's delimiter begins with it.
                    self.settle(end + 2);
                    self.state = if is_model { State::Model(self.offset + 2) } else { State::Content };
                }
            }
        }
    }

    fn settle(&mut self, bytes: usize) {
        self.window.drain(..bytes);
        self.offset += bytes;
    }
}

/// Does a part's head name the field `model`?
fn is_model_part(head: &[u8]) -> bool {
    head.split(|byte| *byte == b'\n').any(|line| {
        let line = line.trim_ascii();
        let name_end = memchr::memchr(b':', line).unwrap_or(0);
        line[..name_end].eq_ignore_ascii_case(b"content-disposition")
            && parameter(&line[name_end..], "name").is_some_and(|name| name.eq_ignore_ascii_case(b"model"))
    })
}

/// The value of a parameter (`; name=value` or `; name="value"`) of a header.
fn parameter<'v>(value: &'v [u8], name: &str) -> Option<&'v [u8]> {
    let mut rest = value;
    while let Some(at) = memchr::memchr(b';', rest) {
        rest = rest[at + 1..].trim_ascii_start();
        let equals = memchr::memchr2(b'=', b';', rest).filter(|at| rest[*at] == b'=')?;
        let found = rest[..equals].trim_ascii().eq_ignore_ascii_case(name.as_bytes());
        rest = &rest[equals + 1..];
        let (value, after) = match rest.strip_prefix(b"\"") {
            Some(quoted) => {
                let end = memchr::memchr(b'"', quoted)?;
                (&quoted[..end], &quoted[end + 1..])
            }
            None => {
                let end = memchr::memchr(b';', rest).unwrap_or(rest.len());
                (rest[..end].trim_ascii_end(), &rest[end..])
            }
        };
        if found {
            return Some(value);
        }
        rest = after;
    }
    None
}

#[cfg(test)]
mod tests;
