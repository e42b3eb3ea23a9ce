//! Cuts `application/vnd.amazon.eventstream` into messages, whatever the pieces that it arrives in.
//!
//! ```text
//! frame  = length of the frame (u32) | length of its headers (u32) | CRC-32 of these 8 bytes (u32)
//!          headers | payload | CRC-32 of everything before (u32)
//! header = length of the name (u8) | name | type (u8) | value; a text or bytes begin with their length (u16)
//! ```
//! All numbers are big-endian. A message is handed out only when both checksums hold and its headers can be read, each name
//! once. The lengths are believed only after their own checksum, so damage is found before anything is waited for.
//!
//! A message that lies within one piece is borrowed from it; only one that is cut is copied, once.
//!
//! Edges. A frame that is longer than the limit given to [`Splitter::new`], damaged, or not of this format is an error, and so is
//! the stream from then on: where the next frame begins is not known any more. At the end of the stream [`Splitter::is_between_messages`] says
//! whether it was cut.

use crate::limits::EVENT_STREAM_HEADERS_BYTES_MAX;
use std::{fmt, str};

/// One message, its headers known to be well-formed. Lives until the next is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message<'m> {
    headers: &'m [u8],
    /// What `:content-type` says it is: JSON, with Bedrock.
    pub payload: &'m [u8],
}

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind<'m> {
    /// A part of the answer, by its `:event-type`.
    Event(&'m str),
    /// The end of the answer by a failure that the API describes, by its `:exception-type`.
    Exception(&'m str),
    /// The end of the answer by any other failure: `:error-code` and `:error-message`, empty where they are missing.
    Error { code: &'m str, message: &'m str },
    /// Without a `:message-type`, or with one that nobody has described.
    Unknown,
}

/// The value of a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value<'m> {
    Bool(bool),
    Byte(i8),
    Short(i16),
    Int(i32),
    Long(i64),
    Bytes(&'m [u8]),
    Text(&'m str),
    /// Milliseconds since 1970.
    Timestamp(i64),
    Uuid([u8; 16]),
}

impl<'m> Message<'m> {
    pub fn kind(&self) -> Kind<'m> {
        match self.text(":message-type") {
            Some("event") => self.text(":event-type").map_or(Kind::Unknown, Kind::Event),
            Some("exception") => self.text(":exception-type").map_or(Kind::Unknown, Kind::Exception),
            Some("error") => Kind::Error {
                code: self.text(":error-code").unwrap_or_default(),
                message: self.text(":error-message").unwrap_or_default(),
            },
            _ => Kind::Unknown,
        }
    }

    /// The header of this name, if it is a text.
    pub fn text(&self, name: &str) -> Option<&'m str> {
        let found = self.raw_headers().find(|header| header.name == name.as_bytes())?;
        if found.kind == TEXT { str::from_utf8(found.value).ok() } else { None }
    }

    /// All headers in their order.
    pub fn headers(&self) -> impl Iterator<Item = (&'m str, Value<'m>)> + use<'m> {
        // They were read when the message was accepted, so this ends where they do.
        self.raw_headers().map_while(Header::read)
    }

    /// The same as they are written: most are only passed over.
    fn raw_headers(&self) -> impl Iterator<Item = Header<'m>> + use<'m> {
        let mut rest = self.headers;
        std::iter::from_fn(move || Header::take(&mut rest))
    }
}

/// Why a stream cannot be read any further. The upstream, or the way from it, is to blame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameError {
    TooLong {
        bytes_max: usize,
    },
    /// More headers than the format allows, than fit the frame, or a frame without room for itself.
    BadLengths,
    /// What the lengths say and what their checksum says differ: damage, or another format.
    PreludeChecksum,
    MessageChecksum,
    /// A header of an unknown type, that is cut, not UTF-8, or there twice.
    BadHeaders,
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FrameError::TooLong { bytes_max } => write!(f, "a message is longer than {bytes_max} bytes"),
            FrameError::BadLengths => f.write_str("the lengths of a message contradict each other"),
            FrameError::PreludeChecksum => f.write_str("the lengths of a message do not have their checksum"),
            FrameError::MessageChecksum => f.write_str("a message does not have its checksum"),
            FrameError::BadHeaders => f.write_str("the headers of a message cannot be read"),
        }
    }
}

impl std::error::Error for FrameError {}

/// A stream that is being cut.
#[derive(Debug)]
pub struct Splitter {
    frame_bytes_max: usize,
    /// The start of a frame whose end has not arrived, or a whole frame if `carried_is_whole`.
    carried: Vec<u8>,
    /// The carried frame has been read; it only stays for the message that borrows from it.
    carried_is_whole: bool,
    failed: Option<FrameError>,
}

impl Splitter {
    /// `frame_bytes_max` bounds one frame, and so the memory that the splitter holds.
    pub fn new(frame_bytes_max: usize) -> Splitter {
        Splitter { frame_bytes_max, carried: Vec::new(), carried_is_whole: false, failed: None }
    }

    /// Takes the next piece of the stream. Ask the feed for messages until it has no more.
    pub fn feed<'s, 'p>(&'s mut self, piece: &'p [u8]) -> Feed<'s, 'p> {
        Feed { splitter: self, rest: piece }
    }

    /// True where a stream may end.
    pub fn is_between_messages(&self) -> bool {
        self.failed.is_none() && (self.carried_is_whole || self.carried.is_empty())
    }

    /// Finds the next frame, in the piece or among what is carried, which the piece fills up; none if its end has not come.
    fn find(&mut self, rest: &mut &[u8]) -> Result<Option<(Place, Lengths)>, FrameError> {
        if self.carried_is_whole {
            self.carried.clear();
            self.carried_is_whole = false;
        }
        if self.carried.is_empty()
            && let Some(lengths) = Lengths::read(rest, self.frame_bytes_max)?
            && rest.len() >= lengths.frame
        {
            return Ok(Some((Place::InPiece, lengths)));
        }
        if !self.carry(rest, PRELUDE_BYTES) {
            return Ok(None);
        }
        let Some(lengths) = Lengths::read(&self.carried, self.frame_bytes_max)? else { return Ok(None) };
        self.carried_is_whole = self.carry(rest, lengths.frame);
        Ok(self.carried_is_whole.then_some((Place::Carried, lengths)))
    }

    /// Moves bytes from `rest` until `count` are carried; false if there are too few.
    fn carry(&mut self, rest: &mut &[u8], count: usize) -> bool {
        let wanted = count.saturating_sub(self.carried.len()).min(rest.len());
        let (taken, after) = rest.split_at(wanted);
        self.carried.extend_from_slice(taken);
        *rest = after;
        self.carried.len() >= count
    }
}

/// Where a whole frame is.
enum Place {
    InPiece,
    Carried,
}

/// A piece of the stream, of which some is still to be handed out.
#[derive(Debug)]
pub struct Feed<'s, 'p> {
    splitter: &'s mut Splitter,
    rest: &'p [u8],
}

impl Feed<'_, '_> {
    /// The next message; none when the piece holds no further end of one.
    ///
    /// # Errors
    /// See [`FrameError`]. The same again from then on.
    // Not an iterator: what is handed out borrows from the feed.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Result<Option<Message<'_>>, FrameError> {
        let splitter = &mut *self.splitter;
        if let Some(failed) = splitter.failed {
            return Err(failed);
        }
        let found = match splitter.find(&mut self.rest) {
            Ok(Some(found)) => found,
            Ok(None) => return Ok(None),
            Err(error) => {
                splitter.failed = Some(error);
                return Err(error);
            }
        };
        let (frame, lengths) = match found {
            (Place::Carried, lengths) => (&splitter.carried[..], lengths),
            (Place::InPiece, lengths) => {
                let (frame, after) = self.rest.split_at(lengths.frame);
                self.rest = after;
                (frame, lengths)
            }
        };
        match Message::read(frame, &lengths) {
            Ok(message) => Ok(Some(message)),
            Err(error) => {
                splitter.failed = Some(error);
                Err(error)
            }
        }
    }
}

/// What a frame says about itself, in bytes.
struct Lengths {
    frame: usize,
    headers: usize,
}

/// Both lengths and their checksum.
const PRELUDE_BYTES: usize = 12;
const CHECKSUM_BYTES: usize = 4;

impl Lengths {
    /// Reads the start of a frame; none while it is not there.
    fn read(bytes: &[u8], frame_bytes_max: usize) -> Result<Option<Lengths>, FrameError> {
        let Some((prelude, _)) = bytes.split_first_chunk::<PRELUDE_BYTES>() else { return Ok(None) };
        let (lengths, checksum) = prelude.split_at(PRELUDE_BYTES - CHECKSUM_BYTES);
        if crc32fast::hash(lengths) != number(checksum) {
            return Err(FrameError::PreludeChecksum);
        }
        let (frame, headers) = lengths.split_at(4);
        let (frame, headers) = (number(frame) as usize, number(headers) as usize);
        let fits = frame.checked_sub(PRELUDE_BYTES + CHECKSUM_BYTES).is_some_and(|room| headers <= room);
        if !fits || headers > EVENT_STREAM_HEADERS_BYTES_MAX {
            Err(FrameError::BadLengths)
        } else if frame > frame_bytes_max {
            Err(FrameError::TooLong { bytes_max: frame_bytes_max })
        } else {
            Ok(Some(Lengths { frame, headers }))
        }
    }
}

impl<'m> Message<'m> {
    /// Reads a whole frame.
    fn read(frame: &'m [u8], lengths: &Lengths) -> Result<Message<'m>, FrameError> {
        let (content, checksum) = frame.split_at(lengths.frame - CHECKSUM_BYTES);
        if crc32fast::hash(content) != number(checksum) {
            return Err(FrameError::MessageChecksum);
        }
        let (headers, payload) = content[PRELUDE_BYTES..].split_at(lengths.headers);
        let message = Message { headers, payload };
        let mut rest = headers;
        let mut count = 0;
        while !rest.is_empty() {
            let header =
                Header::take(&mut rest).filter(|header| header.read().is_some()).ok_or(FrameError::BadHeaders)?;
            if message.raw_headers().take(count).any(|before| before.name == header.name) {
                return Err(FrameError::BadHeaders);
            }
            count += 1;
            if count > HEADERS_MAX {
                return Err(FrameError::BadHeaders);
            }
        }
        Ok(message)
    }
}

/// Most headers of one message. Services send three or four; each is compared with all before it.
const HEADERS_MAX: usize = 64;

/// A header as it is written. Nothing is known of it but where it ends.
#[derive(Clone, Copy)]
struct Header<'m> {
    name: &'m [u8],
    kind: u8,
    value: &'m [u8],
}

/// The kind of a header whose value is a text.
const TEXT: u8 = 7;

impl<'m> Header<'m> {
    /// Takes the next one; none at the end, or where there is none to be taken.
    fn take(rest: &mut &'m [u8]) -> Option<Header<'m>> {
        let length = usize::from(take::<1>(rest)?[0]);
        let name = take_slice(rest, length)?;
        let kind = take::<1>(rest)?[0];
        let bytes = match kind {
            0 | 1 => 0,
            2 => 1,
            3 => 2,
            4 => 4,
            5 | 8 => 8,
            6 | TEXT => u16::from_be_bytes(take(rest)?).into(),
            9 => 16,
            _ => return None,
        };
        Some(Header { name, kind, value: take_slice(rest, bytes)? })
    }

    /// Its name and what it says; none if that is not UTF-8.
    fn read(self) -> Option<(&'m str, Value<'m>)> {
        let value = match (self.kind, self.value) {
            (kind, []) if kind < 2 => Value::Bool(kind == 0),
            (2, [byte]) => Value::Byte(*byte as i8),
            (3, value) => Value::Short(i16::from_be_bytes(value.try_into().ok()?)),
            (4, value) => Value::Int(i32::from_be_bytes(value.try_into().ok()?)),
            (5, value) => Value::Long(i64::from_be_bytes(value.try_into().ok()?)),
            (6, value) => Value::Bytes(value),
            (TEXT, value) => Value::Text(str::from_utf8(value).ok()?),
            (8, value) => Value::Timestamp(i64::from_be_bytes(value.try_into().ok()?)),
            (9, value) => Value::Uuid(value.try_into().ok()?),
            _ => return None,
        };
        Some((str::from_utf8(self.name).ok()?, value))
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(*taken)
}

fn take_slice<'m>(rest: &mut &'m [u8], length: usize) -> Option<&'m [u8]> {
    let (taken, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(taken)
}

/// Four bytes as a number, the largest digit first.
fn number(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |number, byte| number << 8 | u32::from(*byte))
}

#[cfg(test)]
mod tests;
