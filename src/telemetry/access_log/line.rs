//! An access record as one line of JSON.
//!
//! Every line has the same members in the same order, their units in their names; what does not apply is `null`. Names are
//! resolved by the record's generation and are escaped once per generation, not once per line; what a name contains can
//! neither end its string nor its line. An exchange that began more than `ACCESS_LOG_GENERATIONS_MAX` reloads ago leaves names `null`.
//!
//! Written by hand rather than through serde: the access log is on in every measurement of what the hop costs. Most of a line
//! repeats, so it is kept in pieces: the head up to the second, and what only the configuration and the outcome decide, once for
//! each combination that occurs. What is left of a line are its times, sizes and tokens.

use super::{AccessRecord, RequestId, hexadecimal};
use crate::{config::snapshot::Snapshot, limits::ACCESS_LOG_GENERATIONS_MAX};
use std::{collections::VecDeque, mem};

/// Turns records into lines.
#[derive(Debug)]
pub struct LineFormat {
    /// Newest last.
    generations: VecDeque<Names>,
    /// The newest of these: nearly every record's. 0 before there is one.
    newest: u64,
    /// The head of a line, right but for its last digits (`MICROS`, `ID_LOW`).
    head: [u8; HEAD_BYTES],
    /// The second that `head` shows.
    second: u64,
    /// What `head` shows of the request's id: all but its lowest 32 bits. They stay while the ids are of one shard.
    id_above: u128,
    /// Pieces that were made before, at the place that their outcome chooses. Two outcomes in use that choose the same place make
    /// each other's pieces anew every time: slower, not wrong.
    pieces: Box<[Option<Box<Pieces>>]>,
}

/// Lines that wait to be written, and room for more that is initialised already: a line is copied piece by piece, and asking a
/// vector for room each time costs more than the copying.
#[derive(Debug, Default)]
pub struct Lines {
    room: Vec<u8>,
    used: usize,
    count: u64,
}

impl Lines {
    pub fn as_bytes(&self) -> &[u8] {
        &self.room[..self.used]
    }

    /// How many lines these are.
    pub fn count(&self) -> u64 {
        self.count
    }

    pub fn clear(&mut self) {
        self.used = 0;
        self.count = 0;
    }
}

const HEAD: &[u8; HEAD_BYTES] =
    b"{\"time\":\"1970-01-01T00:00:00.000000Z\",\"request_id\":\"req_00000000000000000000000000000000";
const HEAD_BYTES: usize = 88;
/// Where in a head the parts are that change.
const SECOND: usize = 9;
const MICROS: usize = 29;
const ID: usize = 52;
const ID_LOW: usize = HEAD_BYTES - 8;

/// Combinations of names and outcomes whose pieces are kept; a power of two. Some 400 bytes each.
const PIECES_MAX: usize = 256;

/// The parts of a line that its outcome decides.
#[derive(Debug)]
struct Pieces {
    outcome: Outcome,
    /// From the endpoint to the flags.
    middle: Vec<u8>,
    /// From the shard to the line break; `end_bytes` of it.
    end: [u8; END_BYTES_MAX],
    end_bytes: usize,
}

/// `,"shard":65535,"generation":18446744073709551615}` and the line break, in whole words.
const END_BYTES_MAX: usize = 56;

/// What of a record occurs again and again, in words that are quick to compare.
#[derive(Debug, Clone, Copy)]
struct Outcome([u64; 5]);

impl Outcome {
    #[inline]
    fn of(record: &AccessRecord) -> Outcome {
        let small = u64::from(record.attempts)
            | u64::from(record.streamed) << 8
            | u64::from(record.client_gone) << 9
            | (record.endpoint as u64) << 16
            | (record.code.len() as u64) << 32;
        Outcome([
            record.generation,
            u64::from(record.key) | u64::from(record.group) << 32,
            u64::from(record.deployment) | u64::from(record.status) << 32 | u64::from(record.shard) << 48,
            small,
            // Codes are constants: the same place is the same text.
            record.code.as_ptr() as u64,
        ])
    }

    /// Without the call to `memcmp` that comparing arrays is.
    #[inline]
    fn is(&self, other: &Outcome) -> bool {
        self.0.iter().zip(other.0).fold(0, |difference, (word, other)| difference | (word ^ other)) == 0
    }

    /// A place among `PIECES_MAX`.
    #[inline]
    fn place(&self) -> usize {
        let [generation, names, sent, small, code] = self.0;
        // Odd factors spread each word over the upper bits of the product; which ones does not matter.
        let mixed = (names ^ generation << 20).wrapping_mul(0x9e37_79b9_7f4a_7c15)
            ^ (sent ^ code).wrapping_mul(0xc2b2_ae3d_27d4_eb4f)
            ^ small.wrapping_mul(0x1656_67b1_9e37_79f9);
        (mixed >> 40) as usize % PIECES_MAX
    }
}

/// The names of one snapshot, each as a JSON string, by index.
#[derive(Debug)]
struct Names {
    generation: u64,
    keys: Vec<Box<[u8]>>,
    groups: Vec<Box<[u8]>>,
    deployments: Vec<Box<[u8]>>,
    /// The provider of the deployment at the same index.
    providers: Vec<Box<[u8]>>,
}

impl Default for LineFormat {
    fn default() -> LineFormat {
        LineFormat {
            generations: VecDeque::new(),
            newest: 0,
            head: *HEAD,
            second: 0,
            id_above: 0,
            pieces: (0..PIECES_MAX).map(|_| None).collect(),
        }
    }
}

impl LineFormat {
    /// True if records of this generation can be resolved.
    #[inline]
    pub fn knows(&self, generation: u64) -> bool {
        self.newest == generation || self.generations.iter().any(|names| names.generation == generation)
    }

    /// Learns the names of a snapshot, and forgets the oldest beyond the bound.
    pub fn learn(&mut self, snapshot: &Snapshot) {
        if self.knows(snapshot.generation) {
            return;
        }
        if self.generations.len() == ACCESS_LOG_GENERATIONS_MAX {
            self.generations.pop_front();
        }
        self.generations.push_back(Names::of(snapshot));
        self.newest = snapshot.generation;
        // Pieces of before may be of names that were not known, or no longer are.
        self.pieces.fill_with(|| None);
    }

    /// Appends the record's line, with its line break.
    #[inline]
    pub fn write(&mut self, lines: &mut Lines, record: &AccessRecord) {
        let second = record.at_us / 1_000_000;
        if second != self.second {
            self.show_second(second);
        }
        if record.request_id.0 >> 32 != self.id_above {
            self.show_id(record.request_id);
        }
        let outcome = Outcome::of(record);
        let place = outcome.place();
        if self.pieces[place].as_ref().is_none_or(|pieces| !pieces.outcome.is(&outcome)) {
            self.make_pieces(place, outcome, record);
        }
        let Some(pieces) = &self.pieces[place] else { return };
        let room = &mut lines.room[lines.used..];
        let offered = room.len();
        match line(room, &self.head, pieces, record) {
            Some(left) => {
                lines.used += offered - left;
                lines.count += 1;
            }
            None => self.write_with_more_room(lines, record),
        }
    }

    // Not as a loop in `write`: the digits of all numbers would be worked out ahead of it.
    #[cold]
    #[inline(never)]
    fn write_with_more_room(&mut self, lines: &mut Lines, record: &AccessRecord) {
        lines.room.resize(lines.room.len() * 2 + LINE_BYTES_USUAL, 0);
        self.write(lines, record);
    }

    #[cold]
    fn show_second(&mut self, second: u64) {
        self.second = second;
        for (shown, digit) in self.head[SECOND..].iter_mut().zip(second_text(second)) {
            *shown = digit;
        }
    }

    #[cold]
    fn show_id(&mut self, id: RequestId) {
        self.id_above = id.0 >> 32;
        self.head[ID..].copy_from_slice(&id.text());
    }

    #[cold]
    fn make_pieces(&mut self, place: usize, outcome: Outcome, record: &AccessRecord) {
        let names = self.generations.iter().rev().find(|names| names.generation == record.generation);
        self.pieces[place] = Some(Box::new(Pieces::of(outcome, record, names)));
    }
}

/// Room for a line with names of ordinary length, in bytes.
const LINE_BYTES_USUAL: usize = 1024;

/// Writes a line to the beginning of `room`, and returns how much room is left. `None` when it does not fit.
#[inline(always)]
fn line(room: &mut [u8], head: &[u8; HEAD_BYTES], pieces: &Pieces, record: &AccessRecord) -> Option<usize> {
    let mut room = Room(room);
    let shown = room.next::<HEAD_BYTES>()?;
    *shown = *head;
    shown[MICROS..MICROS + 6].copy_from_slice(&eight_digits((record.at_us % 1_000_000) as u32)[2..]);
    shown[ID_LOW..].copy_from_slice(&hexadecimal(record.request_id.0 as u32));
    room.put_all(&pieces.middle)?;
    room.number(b",\"total_us\":", record.total_us)?;
    room.number(b",\"overhead_us\":", record.overhead_us)?;
    if record.ttft_us == 0 {
        room.put(b",\"ttft_us\":null")?;
    } else {
        room.number(b",\"ttft_us\":", record.ttft_us)?;
    }
    room.number(b",\"input_tokens\":", record.input_tokens.into())?;
    room.number(b",\"cached_input_tokens\":", record.cached_input_tokens.into())?;
    room.number(b",\"output_tokens\":", record.output_tokens.into())?;
    room.number(b",\"reasoning_tokens\":", record.reasoning_tokens.into())?;
    if record.estimated {
        room.put(b",\"estimated\":true")?;
    }
    room.number(b",\"request_bytes\":", record.request_bytes)?;
    room.number(b",\"answer_bytes\":", record.answer_bytes)?;
    room.put_part(&pieces.end, pieces.end_bytes)?;
    Some(room.0.len())
}

/// What is left of the room for lines.
struct Room<'r>(&'r mut [u8]);

// Inlined, so that pieces of known length are copied as the constants that they are.
impl<'r> Room<'r> {
    #[inline(always)]
    fn next<const N: usize>(&mut self) -> Option<&'r mut [u8; N]> {
        let (next, left) = mem::take(&mut self.0).split_first_chunk_mut()?;
        self.0 = left;
        Some(next)
    }

    #[inline(always)]
    fn put<const N: usize>(&mut self, piece: &[u8; N]) -> Option<()> {
        *self.next()? = *piece;
        Some(())
    }

    /// Puts the first `count` bytes of a piece, by copying all of it: what follows comes over the rest.
    #[inline(always)]
    fn put_part<const N: usize>(&mut self, piece: &[u8; N], count: usize) -> Option<()> {
        *self.0.first_chunk_mut()? = *piece;
        self.0 = mem::take(&mut self.0).get_mut(count..)?;
        Some(())
    }

    #[inline(always)]
    fn put_all(&mut self, piece: &[u8]) -> Option<()> {
        let (next, left) = mem::take(&mut self.0).split_at_mut_checked(piece.len())?;
        next.copy_from_slice(piece);
        self.0 = left;
        Some(())
    }

    #[inline(always)]
    fn number<const N: usize>(&mut self, member: &[u8; N], value: u64) -> Option<()> {
        self.put(member)?;
        // About half of the numbers of a line have one digit.
        if value < 10 {
            return self.put(&[b'0' + value as u8]);
        }
        if value >= 100_000_000 {
            return self.long_number(value);
        }
        let digits = u64::from_le_bytes(eight_digits(value as u32));
        // A zero is 0x30, and the value is not 0: the lowest other bit is of its first digit.
        let zeros = (digits ^ 0x3030_3030_3030_3030).trailing_zeros() / 8;
        self.put_part(&(digits >> (8 * zeros)).to_le_bytes(), 8 - zeros as usize)
    }

    #[cold]
    fn long_number(&mut self, value: u64) -> Option<()> {
        self.put_all(itoa::Buffer::new().format(value).as_bytes())
    }
}

/// `value`, below 100,000,000, as eight digits. Halves, pairs and digits are divided side by side in one register, each by a
/// multiplication: 10486 / 2^20 is 1/100 exactly enough below 10,000, and 103 / 2^10 is 1/10 below 100.
#[inline(always)]
fn eight_digits(value: u32) -> [u8; 8] {
    let halves = u64::from(value / 10_000) | u64::from(value % 10_000) << 32;
    let hundreds = ((halves * 10_486) >> 20) & 0x0000_007f_0000_007f;
    let pairs = hundreds | (halves - hundreds * 100) << 16;
    let tens = ((pairs * 103) >> 10) & 0x000f_000f_000f_000f;
    let digits = tens | (pairs - tens * 10) << 8;
    (digits | 0x3030_3030_3030_3030).to_le_bytes()
}

impl Pieces {
    fn of(outcome: Outcome, record: &AccessRecord, names: Option<&Names>) -> Pieces {
        let name = |list: fn(&Names) -> &Vec<Box<[u8]>>, index: u32| {
            names.and_then(|names| list(names).get(index as usize)).map_or(&b"null"[..], |name| name)
        };
        let flag = |flag: bool| if flag { &b"true"[..] } else { b"false" };
        let (mut status, mut attempts) = (itoa::Buffer::new(), itoa::Buffer::new());
        let status = if record.status == 0 { "null" } else { status.format(record.status) };
        let mut code = b"null".to_vec();
        if !record.code.is_empty() {
            code.clear();
            write_string(&mut code, record.code);
        }
        let middle = [
            b"\",\"endpoint\":\"",
            record.endpoint.label().as_bytes(),
            b"\",\"model\":",
            name(|names| &names.groups, record.group),
            b",\"key\":",
            name(|names| &names.keys, record.key),
            b",\"deployment\":",
            name(|names| &names.deployments, record.deployment),
            b",\"provider\":",
            name(|names| &names.providers, record.deployment),
            b",\"status\":",
            status.as_bytes(),
            b",\"code\":",
            &code,
            b",\"attempts\":",
            attempts.format(record.attempts).as_bytes(),
            b",\"streamed\":",
            flag(record.streamed),
            b",\"client_gone\":",
            flag(record.client_gone),
        ];
        let text = format!(",\"shard\":{},\"generation\":{}}}\n", record.shard, record.generation);
        let mut end = [0; END_BYTES_MAX];
        end[..text.len()].copy_from_slice(text.as_bytes());
        Pieces { outcome, middle: middle.concat(), end, end_bytes: text.len() }
    }
}

impl Names {
    fn of(snapshot: &Snapshot) -> Names {
        let groups = snapshot.groups.values().chain(snapshot.prefixes.iter().map(|(_, group)| group));
        Names {
            generation: snapshot.generation,
            keys: by_index(snapshot.keys.values().map(|key| (key.index, &*key.name))),
            groups: by_index(groups.map(|group| (group.index, &*group.name))),
            deployments: by_index(snapshot.deployments.iter().map(|it| (it.index, &*it.name))),
            providers: by_index(snapshot.deployments.iter().map(|it| (it.index, it.provider.id))),
        }
    }
}

/// Places each name at its index, as a JSON string; gaps are `null`.
fn by_index<'a>(names: impl Iterator<Item = (u32, &'a str)>) -> Vec<Box<[u8]>> {
    let mut placed: Vec<Box<[u8]>> = Vec::new();
    for (index, name) in names {
        let index = index as usize;
        if placed.len() <= index {
            placed.resize(index + 1, Box::from(&b"null"[..]));
        }
        let mut text = Vec::with_capacity(name.len() + 2);
        write_string(&mut text, name);
        placed[index] = text.into();
    }
    placed
}

/// A JSON string. Escapes what JSON requires, and DEL and the C1 controls as well: a terminal acts on them.
fn write_string(out: &mut Vec<u8>, text: &str) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.push(b'"');
    for char in text.chars() {
        match char {
            '"' => out.extend_from_slice(b"\\\""),
            '\\' => out.extend_from_slice(b"\\\\"),
            // All control characters are below U+00A0: two digits suffice.
            char if char.is_control() => {
                let code = char as usize;
                out.extend_from_slice(&[b'\\', b'u', b'0', b'0', HEX[code >> 4 & 15], HEX[code & 15]]);
            }
            char => out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    out.push(b'"');
}

/// `2026-11-21T21:15:01`; times beyond year 9999 are shown as the epoch.
fn second_text(second: u64) -> Vec<u8> {
    let at =
        i64::try_from(second).ok().and_then(|second| jiff::Timestamp::from_second(second).ok()).unwrap_or_default();
    let mut text = at.to_string().into_bytes();
    text.truncate("2026-11-21T21:15:01".len());
    text
}

#[cfg(test)]
mod tests;
