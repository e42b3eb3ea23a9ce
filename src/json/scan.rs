//! Finds the top-level members of a JSON object while its bytes arrive, and validates all of it.
//!
//! One forward pass, whatever the pieces it comes in: an `advance` costs what its new bytes cost (an escape or a literal cut in
//! two, at most six bytes, is looked at again). The grammar is here, byte by byte; most bytes are taken by two short cuts, which are
//! compiled for each kind of processor: `rows` for members and elements as they usually stand, [`super::string_end`] for
//! strings. UTF-8 is checked only where a byte is not ASCII. A text that is refused is gone through a second time, to say what
//! is wrong with it and where.
//! A scan is a value of fixed size; nothing is allocated.
//!
//! Validated, at every depth:
//! - the grammar of RFC 8259: structure, literals, numbers, escapes, no raw control character in a string;
//! - UTF-8 as RFC 3629 has it: no overlong form, no encoded surrogate, nothing above U+10FFFF; no byte order mark;
//! - nesting of at most [`JSON_DEPTH_MAX`] containers;
//! - the root is an object, and only white space follows it.
//!
//! And of the root's members: at most [`MEMBERS_MAX`]; with [`Members::strict`] none of interest appears twice, in whatever
//! spelling.
//!
//! Not validated, because the grammar permits it and providers accept it: the magnitude of numbers (`1e400`, `-0`), lone
//! surrogate escapes, duplicates of other members. Unknown members pass.
//!
//! Why not a tree: a gateway needs five spans out of a prompt of 100 KB. Why not a lazy lookup that stops at `model`: a second
//! `model` behind the first is the one that most providers obey, so what was authorised would not be what is served.

use super::{
    Kind, Span, is_space,
    stops::{Portable, cut_character_bytes},
    string_end::{StringEnd, string_end},
    strings,
};
use crate::limits::JSON_DEPTH_MAX;
pub(super) use rows::usual_number_end;
use rows::{closing_of, digits_end};
use std::fmt;

mod rows;

#[cfg(target_arch = "x86_64")]
use super::{
    stops::{avx2, avx512},
    string_end::{string_end_avx2, string_end_avx512},
};

/// Most members of the root object. The largest documented request has about 45, servers with many extensions double that.
/// A duplicate is found without a table of all names, so the bound guards providers, not our memory.
pub const MEMBERS_MAX: u32 = 1024;

/// Most members of interest in one table: the size of [`Scan`].
pub const NAMES_MAX: usize = 18;

/// Longest name of interest, in bytes: names are told apart by a bit set of lengths first.
const NAME_BYTES_MAX: usize = 63;

/// `nesting` holds one bit for each open container.
const _: () = assert!(JSON_DEPTH_MAX <= u128::BITS as usize);

/// The members that a scan looks for. Their ids are their places in the list.
#[derive(Debug)]
pub struct Members {
    names: &'static [&'static str],
    /// The id of the name in each bucket, or `NO_NAME`. No two names share a bucket.
    buckets: [u8; BUCKETS],
    /// What makes that so, see `bucket`.
    factor: u32,
    strict: bool,
}

const BUCKETS: usize = 64;
const NO_NAME: u8 = u8::MAX;

/// A name from the table that another name stands for.
enum Known {
    Same(usize),
    /// It differs in letter case.
    CaseVariant(&'static str),
}

impl Members {
    /// For texts that come from a client: a member of interest that appears twice is refused, and so is a spelling of it that
    /// differs only in letter case. Decoders in Go match names without regard to case, and the last one wins there:
    /// `{"model":"small","MODEL":"large"}` would be authorised and billed as `small`.
    pub const fn strict(names: &'static [&'static str]) -> Members {
        Members::new(names, true)
    }

    /// For texts that come from a provider: the last of several wins, as it does for the client that will read the same text.
    pub const fn last_wins(names: &'static [&'static str]) -> Members {
        Members::new(names, false)
    }

    /// Looks for a factor that gives each name a bucket of its own. At compile time: a table without one does not compile.
    const fn new(names: &'static [&'static str], strict: bool) -> Members {
        assert!(names.len() <= NAMES_MAX);
        let mut factor = 0x9E37_79B1;
        loop {
            let mut buckets = [NO_NAME; BUCKETS];
            let mut id = 0;
            while id < names.len() {
                let name = names[id].as_bytes();
                assert!(!name.is_empty() && name.len() <= NAME_BYTES_MAX && name.is_ascii());
                let bucket = &mut buckets[bucket(name, factor)];
                if *bucket != NO_NAME {
                    break;
                }
                *bucket = id as u8;
                id += 1;
            }
            if id == names.len() {
                return Members { names, buckets, factor, strict };
            }
            factor = factor.wrapping_mul(0x0019_660D).wrapping_add(0x3C6E_F35F) | 1;
        }
    }

    /// The id of the only name that `name` can be, in whatever case, if it is ASCII. None that is an id if there is none.
    #[inline(always)]
    fn candidate(&self, name: &[u8]) -> usize {
        usize::from(self.buckets[bucket(name, self.factor)])
    }

    /// What `name`, which is ASCII, is to this table.
    fn look_up(&self, name: &[u8]) -> Option<Known> {
        let id = self.candidate(name);
        let known = self.names.get(id)?;
        if same(known.as_bytes(), name) {
            return Some(Known::Same(id));
        }
        (self.strict && known.as_bytes().eq_ignore_ascii_case(name)).then_some(Known::CaseVariant(known))
    }

    /// The name that `name`, which is not ASCII, equals when letter case is ignored. Besides ASCII two letters fold to ASCII
    /// ones: U+017F (long s) and U+212A (kelvin sign); Go's decoder honours them.
    fn folded(&self, name: &[u8]) -> Option<Known> {
        // A letter takes at most three bytes where its ASCII form takes one.
        let name = std::str::from_utf8(name).ok().filter(|name| name.len() <= 3 * NAME_BYTES_MAX)?;
        let mut known = self.names.iter().filter(|_| self.strict);
        known.find(|of| name.chars().map(fold).eq(of.chars().map(fold))).map(|of| Known::CaseVariant(of))
    }
}

/// Where a name stands in a table: a hash of its length, its first and its last letter without regard to their case.
#[inline(always)]
const fn bucket(name: &[u8], factor: u32) -> usize {
    let (Some(first), Some(last)) = (name.first(), name.last()) else { return 0 };
    let key = name.len() as u32 ^ ((*first | 0x20) as u32) << 8 ^ ((*last | 0x20) as u32) << 16;
    (key.wrapping_mul(factor) >> (u32::BITS - BUCKETS.ilog2())) as usize
}

/// Are two names the same? Most have 8 to 16 bytes: two comparisons that overlap, and no call.
#[inline(always)]
fn same(known: &[u8], name: &[u8]) -> bool {
    fn ends<const N: usize>(name: &[u8]) -> Option<(&[u8; N], &[u8; N])> {
        Some((name.first_chunk()?, name.last_chunk()?))
    }
    known.len() == name.len()
        && match (ends::<8>(known), ends::<4>(known)) {
            (Some(known_ends), _) => Some(known_ends) == ends(name) && (known.len() <= 16 || known == name),
            (None, Some(known_ends)) => Some(known_ends) == ends(name),
            _ => known == name,
        }
}

fn fold(letter: char) -> char {
    match letter {
        '\u{17F}' => 's',
        '\u{212A}' => 'k',
        other => other.to_ascii_lowercase(),
    }
}

/// Where a member is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Member {
    /// The name with its quotes.
    pub key: Span,
    /// The value, without white space around it.
    pub value: Span,
    pub kind: Kind,
}

impl Member {
    /// The same member of a text in which the scanned one begins at `offset`.
    pub fn shifted(self, offset: u32) -> Member {
        Member { key: self.key.shifted(offset), value: self.value.shifted(offset), kind: self.kind }
    }
}

/// What a scan has found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scan {
    /// The root object, from `{` to `}` inclusive.
    pub root: Span,
    /// Members of the root, known or not.
    pub member_count: u32,
    /// Bit n is set if `members[n]` has been seen.
    seen: u32,
    members: [Found; NAMES_MAX],
}

/// A member in 16 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Found {
    value: Span,
    key: u32,
    /// A name of interest is short even if all of it is escapes: six bytes for each of `NAME_BYTES_MAX`.
    key_bytes: u16,
    kind: Kind,
}

/// All zeros: 18 of them are cleared for each text.
const NOT_FOUND: Found = Found { value: Span { start: 0, end: 0 }, key: 0, key_bytes: 0, kind: Kind::String };

impl Scan {
    /// The member with this place in the table.
    #[inline]
    pub fn member(&self, id: usize) -> Option<Member> {
        let Found { value, key, key_bytes, kind } = *self.members.get(id)?;
        let key = Span { start: key, end: key + u32::from(key_bytes) };
        (self.seen >> id & 1 == 1).then_some(Member { key, value, kind })
    }

    pub fn is_empty(&self) -> bool {
        self.member_count == 0
    }
}

/// How far a scan is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// The object is not closed yet.
    More,
    /// The object is closed. Only white space may follow.
    Complete,
}

/// Why a text is refused, and where. `Display` is made for the error message that a client sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScanError {
    /// Offset of the first byte at fault; the text's length if it ends too early.
    pub at: usize,
    pub kind: ScanErrorKind,
}

/// What is wrong with a text. Whoever sent the text is to blame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScanErrorKind {
    /// Something else had to stand here.
    Expected(&'static str),
    /// The text ends inside the object.
    EndOfText,
    /// U+0000 to U+001F inside a string.
    ControlCharacter,
    /// A backslash that starts no escape.
    Escape,
    /// Neither `true`, `false` nor `null`; also `NaN` and `Infinity`.
    Literal,
    /// A leading zero, a lone minus, a point or an exponent without digits.
    Number,
    Utf8,
    ByteOrderMark,
    /// The root is another value.
    NotAnObject,
    /// Something follows the object.
    TrailingBytes,
    /// More than [`JSON_DEPTH_MAX`] containers inside each other.
    TooDeep,
    /// More than [`MEMBERS_MAX`] members in the root.
    TooManyMembers,
    /// 4 GiB or more: spans are 32 bits wide.
    TooLong,
    /// A member of interest appears twice.
    DuplicateMember(&'static str),
    /// A member's name differs from one of interest only in letter case.
    CaseVariant(&'static str),
}

impl fmt::Display for ScanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use ScanErrorKind::*;
        let at = self.at;
        match self.kind {
            Expected(what) => write!(f, "not valid JSON: expected {what} at byte {at}"),
            EndOfText => write!(f, "not valid JSON: the text ends inside the object, at byte {at}"),
            ControlCharacter => {
                write!(f, "not valid JSON: a control character in a string has to be escaped, at byte {at}")
            }
            Escape => write!(f, "not valid JSON: unknown escape in a string at byte {at}"),
            Literal => write!(f, "not valid JSON: unknown literal at byte {at}"),
            Number => write!(f, "not valid JSON: malformed number at byte {at}"),
            Utf8 => write!(f, "not valid UTF-8 at byte {at}"),
            ByteOrderMark => write!(f, "not valid JSON: a byte order mark is not allowed"),
            NotAnObject => write!(f, "not a JSON object, at byte {at}"),
            TrailingBytes => write!(f, "not valid JSON: something follows the object at byte {at}"),
            TooDeep => write!(f, "nested deeper than {JSON_DEPTH_MAX} levels at byte {at}"),
            TooManyMembers => write!(f, "an object of more than {MEMBERS_MAX} members, at byte {at}"),
            TooLong => write!(f, "too long"),
            DuplicateMember(name) => write!(f, "ambiguous: the member '{name}' appears twice, again at byte {at}"),
            CaseVariant(name) => {
                write!(f, "ambiguous: the member at byte {at} differs from '{name}' only in letter case")
            }
        }
    }
}

impl std::error::Error for ScanError {}

/// Validates a whole text and finds the members of interest.
pub fn scan(members: &'static Members, text: &[u8]) -> Result<Scan, ScanError> {
    Scanner::new(members).finish(text).copied()
}

/// A scan under way. After an error it is spent.
#[derive(Debug, Clone)]
pub struct Scanner {
    members: &'static Members,
    scan: Scan,
    /// `text[..at]` has been taken by the grammar.
    at: usize,
    state: State,
    /// How much of the present number has been read.
    digits: Digits,
    /// One bit for each open container, the innermost lowest: 1 for an object.
    nesting: u128,
    depth: u32,
    /// The bracket that closes the innermost container.
    closing: u8,
    /// Where the key or the root's member value that is being read starts.
    token: usize,
    /// The string that is being read has an escape; a character that is not ASCII.
    escaped: bool,
    foreign: bool,
    /// The root's member whose value is being read; its id, or `OTHER`.
    member_id: usize,
}

/// A member that is not of interest.
const OTHER: usize = usize::MAX;

/// What the grammar expects next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The root object.
    Root,
    /// A key, or the end of an object that has none yet.
    FirstKey,
    /// A key, after a comma.
    Key,
    /// The rest of a key.
    KeyText,
    Colon,
    /// A value, or the end of an array that has none yet.
    FirstElement,
    Value,
    /// The rest of a string value.
    Text,
    /// The rest of a number.
    Number,
    /// A comma or the end of the container.
    AfterValue,
    /// White space after the root.
    End,
}

/// What stands at a place in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    /// The quote of a key.
    Key,
    /// A value, or white space before it.
    Value,
    /// The rest of a string value.
    Text,
    /// What is behind a value.
    AfterValue,
}

/// How much of a number has been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Digits {
    Minus,
    Zero,
    Integer,
    Point,
    Fraction,
    E,
    Sign,
    Exponent,
}

impl Scanner {
    pub fn new(members: &'static Members) -> Scanner {
        let scan = Scan { root: Span::default(), member_count: 0, seen: 0, members: [NOT_FOUND; NAMES_MAX] };
        Scanner {
            members,
            scan,
            at: 0,
            state: State::Root,
            digits: Digits::Zero,
            nesting: 0,
            depth: 0,
            closing: 0,
            token: 0,
            escaped: false,
            foreign: false,
            member_id: OTHER,
        }
    }

    /// Begins with another text, and other members. Places that no member was found for are left as they are: `seen` tells which.
    pub fn begin(&mut self, members: &'static Members) -> &mut Scanner {
        self.members = members;
        (self.scan.root, self.scan.member_count, self.scan.seen) = (Span::default(), 0, 0);
        (self.at, self.state, self.digits) = (0, State::Root, Digits::Zero);
        (self.nesting, self.depth, self.closing) = (0, 0, 0);
        (self.token, self.escaped, self.foreign, self.member_id) = (0, false, false, OTHER);
        self
    }

    /// Goes on with a text that has grown at its end; what was there before must be unchanged.
    ///
    /// # Errors
    /// The first fault of the text. Which one that is does not depend on the pieces.
    pub fn advance(&mut self, text: &[u8]) -> Result<Progress, ScanError> {
        if u32::try_from(text.len()).is_err() {
            return Err(ScanError { at: text.len(), kind: ScanErrorKind::TooLong });
        }
        if crate::sys::scan_widest(self, text).is_err() {
            return self.first_fault(text);
        }
        Ok(self.progress())
    }

    /// Takes the rest and says what was found. `text` is the whole text.
    ///
    /// # Errors
    /// The first fault of the text; `EndOfText` if the object is not closed.
    pub fn finish(&mut self, text: &[u8]) -> Result<&Scan, ScanError> {
        let progress = self.advance(text)?;
        match cut_character_bytes(text) {
            0 if progress == Progress::Complete => Ok(&self.scan),
            0 => Err(ScanError { at: text.len(), kind: ScanErrorKind::EndOfText }),
            cut => Err(ScanError { at: text.len() - cut, kind: ScanErrorKind::Utf8 }),
        }
    }

    fn progress(&self) -> Progress {
        if self.state == State::End { Progress::Complete } else { Progress::More }
    }

    /// Which fault comes first in a text that has one: the grammar's, or one of its UTF-8? The grammar stumbles over every byte
    /// that is not ASCII and not in a string, without asking what it is. Goes through the text once more; a text that is cut
    /// within such a character is no fault yet.
    #[cold]
    fn first_fault(&mut self, text: &[u8]) -> Result<Progress, ScanError> {
        let whole = &text[..text.len() - cut_character_bytes(text)];
        let well_formed_bytes = std::str::from_utf8(whole).map_or_else(|error| error.valid_up_to(), str::len);
        *self = Scanner::new(self.members);
        self.run_portable(&text[..well_formed_bytes])?;
        if well_formed_bytes < whole.len() {
            return Err(ScanError { at: well_formed_bytes, kind: ScanErrorKind::Utf8 });
        }
        Ok(self.progress())
    }

    /// Takes what there is, with the instructions that every processor has.
    pub(crate) fn run_portable(&mut self, text: &[u8]) -> Result<(), ScanError> {
        self.run(
            text,
            |scanner, at, next| scanner.pass_rows(Portable, text, at, next, |from| string_end(Portable, text, from)),
            |from| string_end(Portable, text, from),
        )
    }

    /// The same with AVX2.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
    pub(crate) fn run_avx2(&mut self, text: &[u8]) -> Result<(), ScanError> {
        self.run(text, |scanner, at, next| scanner.pass_rows_avx2(text, at, next), |from| string_end_avx2(text, from))
    }

    /// The same with AVX-512.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f,avx512bw,avx2,bmi1,bmi2,popcnt")]
    pub(crate) fn run_avx512(&mut self, text: &[u8]) -> Result<(), ScanError> {
        self.run(
            text,
            |scanner, at, next| scanner.pass_rows_avx512(text, at, next),
            |from| string_end_avx512(text, from),
        )
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(never)]
    #[target_feature(enable = "avx512f,avx512bw,avx2,bmi1,bmi2,popcnt")]
    fn pass_rows_avx512(&mut self, text: &[u8], at: &mut usize, next: Next) -> Next {
        self.pass_rows(avx512::look(), text, at, next, |from| string_end_avx512(text, from))
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(never)]
    #[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
    fn pass_rows_avx2(&mut self, text: &[u8], at: &mut usize, next: Next) -> Next {
        self.pass_rows(avx2::look(), text, at, next, |from| string_end_avx2(text, from))
    }

    /// Takes what there is. Of a text with faults outside strings that are not ASCII the fault may be another than the first.
    ///
    /// All of the grammar is here; `pass_rows` and `string_end` are the short cuts, compiled for the processor at hand.
    #[inline(always)]
    fn run(
        &mut self,
        text: &[u8],
        pass_rows: impl Fn(&mut Scanner, &mut usize, Next) -> Next,
        string_end: impl Fn(usize) -> Result<StringEnd, ScanError>,
    ) -> Result<(), ScanError> {
        let mut at = self.at;
        let mut state = self.state;
        loop {
            let next = match state {
                State::Value | State::FirstElement => {
                    let Some(byte) = next_solid(text, &mut at) else { break };
                    if byte == b']' && state == State::FirstElement {
                        state = self.close(text, &mut at);
                        continue;
                    }
                    if self.depth == 1 {
                        self.token = at;
                    }
                    Next::Value
                }
                State::FirstKey | State::Key => {
                    let Some(byte) = next_solid(text, &mut at) else { break };
                    match byte {
                        b'"' => Next::Key,
                        b'}' if state == State::FirstKey => {
                            state = self.close(text, &mut at);
                            continue;
                        }
                        _ if state == State::FirstKey => return Err(expected("a member name or '}'", at)),
                        _ => return Err(expected("a member name", at)),
                    }
                }
                State::KeyText | State::Text => {
                    let taken = string_end(at)?;
                    at = taken.at;
                    self.escaped |= taken.escaped;
                    self.foreign |= taken.foreign;
                    if !taken.is_whole {
                        break;
                    }
                    if state == State::KeyText {
                        if self.depth == 1 {
                            self.on_key(text, at)?;
                        }
                        state = State::Colon;
                        continue;
                    }
                    self.on_value(text, at);
                    Next::AfterValue
                }
                State::Colon => {
                    let Some(byte) = next_solid(text, &mut at) else { break };
                    if byte != b':' {
                        return Err(expected("':'", at));
                    }
                    at += 1;
                    state = State::Value;
                    continue;
                }
                State::Number => {
                    (self.digits, at) = number_end(self.digits, text, at)?;
                    if at == text.len() {
                        break;
                    }
                    self.on_value(text, at);
                    Next::AfterValue
                }
                State::AfterValue => {
                    let Some(byte) = next_solid(text, &mut at) else { break };
                    state = match byte {
                        b',' => {
                            at += 1;
                            if self.is_in_object() { State::Key } else { State::Value }
                        }
                        _ if byte == self.closing => self.close(text, &mut at),
                        _ => return Err(expected(if self.is_in_object() { "',' or '}'" } else { "',' or ']'" }, at)),
                    };
                    continue;
                }
                State::Root => {
                    let Some(byte) = next_solid(text, &mut at) else { break };
                    if byte != b'{' {
                        let marked = text.starts_with(b"\xEF\xBB\xBF");
                        let kind = if marked { ScanErrorKind::ByteOrderMark } else { ScanErrorKind::NotAnObject };
                        return Err(ScanError { at, kind });
                    }
                    self.scan.root.start = at as u32;
                    self.open(byte, at)?;
                    at += 1;
                    state = State::FirstKey;
                    continue;
                }
                State::End => {
                    if next_solid(text, &mut at).is_some() {
                        return Err(ScanError { at, kind: ScanErrorKind::TrailingBytes });
                    }
                    break;
                }
            };
            state = match pass_rows(self, &mut at, next) {
                Next::Key => {
                    if self.depth == 1 {
                        (self.token, self.escaped, self.foreign) = (at, false, false);
                    }
                    at += 1;
                    State::KeyText
                }
                Next::Value => match self.take_value_start(text, &mut at)? {
                    Some(state) => state,
                    None => {
                        state = State::Value;
                        break;
                    }
                },
                Next::Text => State::Text,
                Next::AfterValue => State::AfterValue,
            };
        }
        self.at = at;
        self.state = state;
        Ok(())
    }

    /// Takes a bracket, a quote, the first byte of a number or a literal. `None` if that is cut.
    #[inline(always)]
    fn take_value_start(&mut self, text: &[u8], at: &mut usize) -> Result<Option<State>, ScanError> {
        let Some(byte) = next_solid(text, at) else { return Ok(None) };
        if self.depth == 1 {
            self.token = *at;
        }
        let state = match byte {
            b'"' => State::Text,
            b'{' | b'[' => {
                self.open(byte, *at)?;
                if byte == b'{' { State::FirstKey } else { State::FirstElement }
            }
            b'-' | b'0'..=b'9' => {
                self.digits = match byte {
                    b'-' => Digits::Minus,
                    b'0' => Digits::Zero,
                    _ => Digits::Integer,
                };
                State::Number
            }
            b't' | b'f' | b'n' => {
                let Some(end) = literal_end(text, *at)? else { return Ok(None) };
                *at = end;
                self.on_value(text, end);
                return Ok(Some(State::AfterValue));
            }
            b'N' | b'I' => return Err(ScanError { at: *at, kind: ScanErrorKind::Literal }),
            _ => return Err(expected("a value", *at)),
        };
        *at += 1;
        Ok(Some(state))
    }

    #[inline(always)]
    fn is_in_object(&self) -> bool {
        self.closing == b'}'
    }

    #[inline(always)]
    fn open(&mut self, bracket: u8, at: usize) -> Result<(), ScanError> {
        if self.depth as usize == JSON_DEPTH_MAX {
            return Err(ScanError { at, kind: ScanErrorKind::TooDeep });
        }
        self.nesting = self.nesting << 1 | u128::from(bracket == b'{');
        self.depth += 1;
        // `[` and `{` are two below the brackets that close them.
        self.closing = bracket + 2;
        Ok(())
    }

    #[inline(always)]
    fn close(&mut self, text: &[u8], at: &mut usize) -> State {
        *at += 1;
        self.depth -= 1;
        if self.depth == 0 {
            self.scan.root.end = *at as u32;
            return State::End;
        }
        self.nesting >>= 1;
        self.closing = closing_of(self.nesting & 1 == 1);
        self.on_value(text, *at);
        State::AfterValue
    }

    /// A key of the root that was read in pieces, or is not plain, ends before `end`.
    #[cold]
    fn on_key(&mut self, text: &[u8], end: usize) -> Result<(), ScanError> {
        let name = &text[self.token + 1..end - 1];
        let known = if self.escaped || self.foreign { self.odd_name(name) } else { self.members.look_up(name) };
        self.note_key(self.token, end, known)
    }

    #[inline(always)]
    fn note_key(&mut self, at: usize, end: usize, known: Option<Known>) -> Result<(), ScanError> {
        if self.scan.member_count == MEMBERS_MAX {
            return Err(ScanError { at, kind: ScanErrorKind::TooManyMembers });
        }
        self.member_id = match known {
            None => OTHER,
            Some(Known::Same(id)) => {
                if self.members.strict && self.scan.seen >> id & 1 == 1 {
                    return Err(ScanError { at, kind: ScanErrorKind::DuplicateMember(self.members.names[id]) });
                }
                let member = &mut self.scan.members[id];
                (member.key, member.key_bytes) = (at as u32, (end - at) as u16);
                id
            }
            Some(Known::CaseVariant(of)) => return Err(ScanError { at, kind: ScanErrorKind::CaseVariant(of) }),
        };
        self.scan.member_count += 1;
        Ok(())
    }

    /// A name with escapes, or with characters that are not ASCII.
    #[cold]
    fn odd_name(&self, written: &[u8]) -> Option<Known> {
        let mut room = [0; 3 * NAME_BYTES_MAX];
        // A name that does not fit, or has a lone surrogate, is none of interest.
        let name = if self.escaped { strings::decode_into(written, &mut room)? } else { written };
        if name.is_ascii() { self.members.look_up(name) } else { self.members.folded(name) }
    }

    /// A value ends before `end`; if it is a member of the root it is noted.
    #[inline(always)]
    fn on_value(&mut self, text: &[u8], end: usize) {
        if self.depth == 1 {
            self.note_value(text, end);
        }
    }

    /// The value of the present member of the root ends before `end`.
    #[inline(always)]
    fn note_value(&mut self, text: &[u8], end: usize) {
        if let Some(member) = self.scan.members.get_mut(self.member_id) {
            member.value = Span::new(self.token, end);
            member.kind = Kind::of_first_byte(text[self.token]);
            self.scan.seen |= 1 << self.member_id;
        }
    }
}

fn expected(what: &'static str, at: usize) -> ScanError {
    ScanError { at, kind: ScanErrorKind::Expected(what) }
}

/// Moves `at` to the next byte that is no white space, and takes a look at it.
#[inline(always)]
fn next_solid(text: &[u8], at: &mut usize) -> Option<u8> {
    loop {
        let byte = *text.get(*at)?;
        if !is_space(byte) {
            return Some(byte);
        }
        *at += 1;
    }
}

/// Index after the literal at `at`; `None` if it is cut.
#[inline]
fn literal_end(text: &[u8], at: usize) -> Result<Option<usize>, ScanError> {
    let literal: &[u8] = match text[at] {
        b't' => b"true",
        b'f' => b"false",
        _ => b"null",
    };
    let there = &text[at..text.len().min(at + literal.len())];
    match literal.starts_with(there) {
        true => Ok((there.len() == literal.len()).then_some(at + literal.len())),
        false => Err(ScanError { at, kind: ScanErrorKind::Literal }),
    }
}

/// Takes digits until the number ends or the text does. That a number has ended only shows in the byte that follows.
#[inline]
fn number_end(mut digits: Digits, text: &[u8], mut at: usize) -> Result<(Digits, usize), ScanError> {
    loop {
        if let Digits::Integer | Digits::Fraction | Digits::Exponent = digits {
            at = digits_end(text, at);
        }
        let Some(&byte) = text.get(at) else { return Ok((digits, at)) };
        digits = match (digits, byte) {
            (Digits::Minus, b'0') => Digits::Zero,
            (Digits::Minus, b'1'..=b'9') => Digits::Integer,
            (Digits::Zero | Digits::Integer, b'.') => Digits::Point,
            (Digits::Point, b'0'..=b'9') => Digits::Fraction,
            (Digits::Zero | Digits::Integer | Digits::Fraction, b'e' | b'E') => Digits::E,
            (Digits::E, b'+' | b'-') => Digits::Sign,
            (Digits::E | Digits::Sign, b'0'..=b'9') => Digits::Exponent,
            (Digits::Minus | Digits::Point | Digits::E | Digits::Sign, _) | (Digits::Zero, b'0'..=b'9') => {
                return Err(ScanError { at, kind: ScanErrorKind::Number });
            }
            _ => return Ok((digits, at)),
        };
        at += 1;
    }
}

#[cfg(test)]
mod tests;
