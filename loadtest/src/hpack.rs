//! HPACK (RFC 7541) for the little that a simulator and a generator want to know of a head: its pseudo-header fields and its type.
//!
//! The decoder keeps the dynamic table as it must, but of most entries only their sizes. What is written needs no table: `field` writes
//! literals that are not to be indexed, so that a head can be built once and sent by any connection.

use std::collections::VecDeque;
use std::sync::LazyLock;

/// A field whose value is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Name {
    Method,
    Path,
    Status,
    ContentType,
    Other,
}

/// A block that nobody can read. The peer causes it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

#[derive(Debug)]
pub(crate) struct Decoder {
    /// The newest first.
    table: VecDeque<Entry>,
    table_bytes: usize,
    table_bytes_max: usize,
    scratch: Vec<u8>,
    /// The last compressed literal that was wanted, and what it is: paths are not indexed, and the next is mostly the same.
    last: (Vec<u8>, Vec<u8>),
}

#[derive(Debug)]
struct Entry {
    name: Name,
    name_bytes: usize,
    /// Empty where it is not wanted.
    value: Box<[u8]>,
    value_bytes: usize,
}

/// What a table has where nobody asks for another size, which we do not.
const TABLE_BYTES_MAX: usize = 4_096;

/// What an entry costs beside its letters.
const ENTRY_BYTES: usize = 32;

/// Letters of the static table's names, from its first entry.
const STATIC_NAME_BYTES: [usize; 61] = [
    10, 7, 7, 5, 5, 7, 7, 7, 7, 7, 7, 7, 7, 7, 14, 15, 15, 13, 6, 27, 3, 5, 13, 13, 19, 16, 16, 14, 16, 13, 12, 6, 4,
    4, 6, 7, 4, 4, 8, 17, 13, 8, 19, 13, 4, 8, 12, 18, 19, 5, 7, 7, 11, 6, 10, 25, 17, 10, 4, 3, 16,
];

const STATIC_CONTENT_LENGTH: usize = 28;
const STATIC_CONTENT_TYPE: usize = 31;

impl Default for Decoder {
    fn default() -> Self {
        Self {
            table: VecDeque::new(),
            table_bytes: 0,
            table_bytes_max: TABLE_BYTES_MAX,
            scratch: Vec::new(),
            last: Default::default(),
        }
    }
}

impl Decoder {
    /// Reads one whole block, and says each wanted field of it.
    pub fn decode(&mut self, mut block: &[u8], mut on_field: impl FnMut(Name, &[u8])) -> Result<(), Malformed> {
        while let Some(&first) = block.first() {
            if first & 0x80 != 0 {
                let index = integer(&mut block, 7)?;
                self.indexed(index, &mut on_field)?;
            } else if first & 0xc0 == 0x40 {
                let index = integer(&mut block, 6)?;
                self.literal(&mut block, index, true, &mut on_field)?;
            } else if first & 0xe0 == 0x20 {
                let size = integer(&mut block, 5)?;
                self.table_bytes_max = size.min(TABLE_BYTES_MAX);
                self.evict();
            } else {
                let index = integer(&mut block, 4)?;
                self.literal(&mut block, index, false, &mut on_field)?;
            }
        }
        Ok(())
    }

    fn indexed(&self, index: usize, on_field: &mut impl FnMut(Name, &[u8])) -> Result<(), Malformed> {
        if index > STATIC_NAME_BYTES.len() {
            let entry = self.entry(index)?;
            if entry.name != Name::Other {
                on_field(entry.name, &entry.value);
            }
            return Ok(());
        }
        const STATUSES: [&[u8]; 7] = [b"200", b"204", b"206", b"304", b"400", b"404", b"500"];
        match index {
            0 => return Err(Malformed),
            2 => on_field(Name::Method, b"GET"),
            3 => on_field(Name::Method, b"POST"),
            4 => on_field(Name::Path, b"/"),
            5 => on_field(Name::Path, b"/index.html"),
            8..=14 => on_field(Name::Status, STATUSES[index - 8]),
            _ => {}
        }
        Ok(())
    }

    fn entry(&self, index: usize) -> Result<&Entry, Malformed> {
        self.table.get(index - STATIC_NAME_BYTES.len() - 1).ok_or(Malformed)
    }

    fn literal(
        &mut self,
        block: &mut &[u8],
        index: usize,
        is_kept: bool,
        on_field: &mut impl FnMut(Name, &[u8]),
    ) -> Result<(), Malformed> {
        let (name, name_bytes) = match index {
            0 => {
                let text = string(block)?;
                self.scratch.clear();
                text.append_to(&mut self.scratch)?;
                let name = match &self.scratch[..] {
                    b":method" => Name::Method,
                    b":path" => Name::Path,
                    b":status" => Name::Status,
                    b"content-type" => Name::ContentType,
                    _ => Name::Other,
                };
                (name, self.scratch.len())
            }
            1..=61 => (static_name(index), STATIC_NAME_BYTES[index - 1]),
            _ => {
                let entry = self.entry(index)?;
                (entry.name, entry.name_bytes)
            }
        };
        let text = string(block)?;
        if name == Name::Other && !is_kept {
            return Ok(());
        }
        if !is_kept && self.last.0 == text.bytes && text.is_compressed {
            on_field(name, &self.last.1);
            return Ok(());
        }
        self.scratch.clear();
        text.append_to(&mut self.scratch)?;
        if name != Name::Other {
            on_field(name, &self.scratch);
        }
        if is_kept {
            let value_bytes = self.scratch.len();
            let value = if name == Name::Other { Box::default() } else { self.scratch.as_slice().into() };
            self.table_bytes += name_bytes + value_bytes + ENTRY_BYTES;
            self.table.push_front(Entry { name, name_bytes, value, value_bytes });
            self.evict();
        } else if text.is_compressed {
            self.last.0.clear();
            self.last.0.extend_from_slice(text.bytes);
            self.last.1.clone_from(&self.scratch);
        }
        Ok(())
    }

    fn evict(&mut self) {
        while self.table_bytes > self.table_bytes_max
            && let Some(oldest) = self.table.pop_back()
        {
            self.table_bytes -= oldest.name_bytes + oldest.value_bytes + ENTRY_BYTES;
        }
    }
}

fn static_name(index: usize) -> Name {
    match index {
        2 | 3 => Name::Method,
        4 | 5 => Name::Path,
        8..=14 => Name::Status,
        STATIC_CONTENT_TYPE => Name::ContentType,
        _ => Name::Other,
    }
}

/// A number whose first bits share a byte with something else.
fn integer(block: &mut &[u8], prefix_bits: u32) -> Result<usize, Malformed> {
    let (&first, mut rest) = block.split_first().ok_or(Malformed)?;
    let most = (1_usize << prefix_bits) - 1;
    let mut value = usize::from(first) & most;
    if value == most {
        let mut shift = 0;
        loop {
            let (&byte, after) = rest.split_first().ok_or(Malformed)?;
            rest = after;
            // No length of a block that is bounded needs more.
            if shift > 21 {
                return Err(Malformed);
            }
            value += usize::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
        }
    }
    *block = rest;
    Ok(value)
}

struct Text<'a> {
    bytes: &'a [u8],
    is_compressed: bool,
}

fn string<'a>(block: &mut &'a [u8]) -> Result<Text<'a>, Malformed> {
    let is_compressed = block.first().ok_or(Malformed)? & 0x80 != 0;
    let length = integer(block, 7)?;
    let (bytes, rest) = block.split_at_checked(length).ok_or(Malformed)?;
    *block = rest;
    Ok(Text { bytes, is_compressed })
}

impl Text<'_> {
    fn append_to(&self, out: &mut Vec<u8>) -> Result<(), Malformed> {
        if self.is_compressed {
            return CODE.decompress(self.bytes, out);
        }
        out.extend_from_slice(self.bytes);
        Ok(())
    }
}

/// How many bits the code of each byte has. The code is canonical (RFC 7541, appendix B: ordered by length, then by value), so the
/// lengths say all of it.
const CODE_BITS: [u8; 256] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28,
    28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12,
    10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6,
    5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22,
    22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20,
    22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28,
    27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28,
    27, 27, 27, 27, 27, 26,
];

const CODE_BITS_MAX: usize = 30;

static CODE: LazyLock<Code> = LazyLock::new(Code::new);

/// Per length: the first code of it, how many there are, and where their bytes begin in `bytes`.
struct Code {
    lengths: [(u32, u32, usize); CODE_BITS_MAX + 1],
    bytes: Vec<u8>,
}

impl Code {
    fn new() -> Self {
        let mut code = Self { lengths: [(0, 0, 0); CODE_BITS_MAX + 1], bytes: Vec::with_capacity(256) };
        let mut next = 0;
        for bits in 1..=CODE_BITS_MAX {
            next <<= 1;
            let begin = code.bytes.len();
            let of_length = (0..=255_u8).filter(|byte| usize::from(CODE_BITS[usize::from(*byte)]) == bits);
            code.bytes.extend(of_length);
            let count = (code.bytes.len() - begin) as u32;
            code.lengths[bits] = (next, count, begin);
            next += count;
        }
        code
    }

    fn decompress(&self, input: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
        let (mut bits, mut code) = (0, 0_u32);
        for byte in input {
            for shift in (0..8).rev() {
                code = code << 1 | u32::from(byte >> shift & 1);
                bits += 1;
                let (first, count, begin) = *self.lengths.get(bits).ok_or(Malformed)?;
                if let Some(at) = code.checked_sub(first)
                    && at < count
                {
                    out.push(self.bytes[begin + at as usize]);
                    (bits, code) = (0, 0);
                }
            }
        }
        // What is left is the beginning of the end's code, and shorter than a byte.
        if bits < 8 { Ok(()) } else { Err(Malformed) }
    }
}

/// Appends a field as a literal of a name in the static table that is not to be indexed.
fn field(index: usize, value: &str, out: &mut Vec<u8>) {
    put_integer(0, 4, index, out);
    put_integer(0, 7, value.len(), out);
    out.extend_from_slice(value.as_bytes());
}

fn put_integer(first: u8, prefix_bits: u32, value: usize, out: &mut Vec<u8>) {
    let most = (1_usize << prefix_bits) - 1;
    if value < most {
        out.push(first | value as u8);
        return;
    }
    out.push(first | most as u8);
    let mut rest = value - most;
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

/// The head of an answer.
pub(crate) fn answer_head(status: u16, content_type: &str, length: Option<usize>) -> Vec<u8> {
    let mut out = Vec::new();
    // 8: `:status: 200`.
    if status == 200 {
        out.push(0x80 | 8)
    } else {
        field(8, &status.to_string(), &mut out)
    }
    field(STATIC_CONTENT_TYPE, content_type, &mut out);
    if let Some(length) = length {
        field(STATIC_CONTENT_LENGTH, &length.to_string(), &mut out);
    }
    out
}

#[cfg(test)]
mod tests;
