//! AWS Signature Version 4, as every service but S3 wants it: how a request proves who sent it without showing the secret.
//!
//! `signature = HMAC(key, "AWS4-HMAC-SHA256" LF time LF scope LF SHA-256(canonical request))`, where the key is derived from the secret for one
//! day, region and service ([`SigningKey`]). The canonical request is fed to the hash piece by piece and never exists as a text, so
//! signing allocates nothing: 8.3k instructions for a request to Converse, and as many once a day to derive the key.
//!
//! The path is signed as it stands in the request line, encoded once more: what was `:` in a model's name is `%3A` on the wire
//! and `%253A` in the signature. [`append_segment`] makes the former, so that the two cannot disagree. A path with empty or dot
//! segments is signed as it is; services remove those before they verify and would refuse it.
//!
//! Time is an argument. A service accepts a signature for five minutes around it, so nothing signed is worth keeping.

use jiff::{Timestamp, civil::DateTime, tz::Offset};
use ring::{digest, hmac};
use std::{cmp::Ordering, fmt};

/// What is signed besides the time.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    pub method: &'a str,
    /// As it stands in the request line, without the query: begins with a slash, segments encoded once.
    pub path: &'a str,
    /// Names and values, not encoded, in any order.
    pub query: &'a [(&'a str, &'a str)],
    /// Headers that the signature covers: names in lower case, each once, in any order. `host` has to be among them;
    /// `x-amz-date` and `x-amz-security-token` must not be. At most [`HEADERS_MAX`].
    pub headers: &'a [(&'a str, &'a [u8])],
    /// SHA-256 of the body.
    pub payload_sha256: &'a [u8; 32],
}

/// Most headers of one request that can be signed. `host`, `content-type` and a content hash are what clients sign.
pub const HEADERS_MAX: usize = 6;

/// A day's key for one region and service. Not worth more than requests to that service on that day.
#[derive(Clone)]
pub struct SigningKey {
    /// Days since 1970.
    day: u64,
    key: hmac::Key,
}

impl SigningKey {
    /// The key for the day that `now_s` (Unix time in seconds) lies in.
    pub fn derive(secret: &[u8], now_s: u64, region: &str, service: &str) -> SigningKey {
        let text = TimeText::new(now_s);
        let first = hmac::Key::new(hmac::HMAC_SHA256, &[b"AWS4", secret].concat());
        let step = |key: &hmac::Key, data: &[u8]| hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(key, data).as_ref());
        let key = [region.as_bytes(), service.as_bytes(), SCOPE_END.as_bytes()]
            .iter()
            .fold(step(&first, text.date()), |key, part| step(&key, part));
        SigningKey { day: now_s / DAY_S, key }
    }

    /// True if the key can sign at this time.
    pub fn is_for(&self, now_s: u64) -> bool {
        self.day == now_s / DAY_S
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("day", &self.day).finish_non_exhaustive()
    }
}

/// Who signs, and for what. Holds a secret, so there is no debug output.
#[derive(Clone, Copy)]
pub struct Signer<'a> {
    pub access_key_id: &'a str,
    /// Of temporary credentials; sent and signed as `x-amz-security-token`.
    pub session_token: Option<&'a [u8]>,
    pub region: &'a str,
    pub service: &'a str,
    /// Derived from the secret for the same region and service, and for the day of the request.
    pub key: &'a SigningKey,
}

impl<'a> Signer<'a> {
    /// Signs a request that is sent at `now_s`, Unix time in seconds.
    ///
    /// # Errors
    /// More headers than [`HEADERS_MAX`], or a key for another day.
    pub fn sign<'r>(&self, request: &Request<'r>, now_s: u64) -> Result<Signed<'r>, SignError>
    where
        'a: 'r,
    {
        if !self.key.is_for(now_s) {
            return Err(SignError::KeyOfAnotherDay);
        }
        let time = TimeText::new(now_s);
        let names = SignedHeaders::new(request.headers, self.session_token.is_some())?;
        let mut string_to_sign = hmac::Context::with_key(&self.key.key);
        let hash = canonical_hash(request, &names, &time, self.session_token);
        for part in [b"AWS4-HMAC-SHA256\n", &time.0[..], b"\n"] {
            string_to_sign.update(part);
        }
        scope(self, &time, |part| string_to_sign.update(part));
        string_to_sign.update(b"\n");
        string_to_sign.update(&hex(hash.as_ref()));
        Ok(Signed { signer: *self, time, names, signature: hex(string_to_sign.sign().as_ref()) })
    }
}

/// Why a request could not be signed. Both are mistakes of the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignError {
    TooManyHeaders,
    KeyOfAnotherDay,
}

/// A signed request: the headers that have to be added to it.
pub struct Signed<'r> {
    signer: Signer<'r>,
    time: TimeText,
    names: SignedHeaders<'r>,
    signature: [u8; 64],
}

impl Signed<'_> {
    /// Puts them one by one: name and value. `scratch` is empty before, and holds the last one's value after it.
    pub fn put_headers(&self, scratch: &mut Vec<u8>, mut put: impl FnMut(&'static str, &[u8])) {
        put(DATE_NAME, self.amz_date());
        if let Some(token) = self.session_token() {
            put(TOKEN_NAME, token);
        }
        self.append_authorization(scratch);
        put("authorization", scratch);
    }

    /// Value of `x-amz-date`.
    pub fn amz_date(&self) -> &[u8] {
        &self.time.0
    }

    /// Value of `x-amz-security-token`, which has to be sent if there is one.
    pub fn session_token(&self) -> Option<&[u8]> {
        self.signer.session_token
    }

    /// Appends the value of `authorization`.
    pub fn append_authorization(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"AWS4-HMAC-SHA256 Credential=");
        out.extend_from_slice(self.signer.access_key_id.as_bytes());
        out.push(b'/');
        scope(&self.signer, &self.time, |part| out.extend_from_slice(part));
        out.extend_from_slice(b", SignedHeaders=");
        for (index, name) in self.names.sorted().enumerate() {
            if index > 0 {
                out.push(b';');
            }
            out.extend_from_slice(name.as_bytes());
        }
        out.extend_from_slice(b", Signature=");
        out.extend_from_slice(&self.signature);
    }
}

/// Appends a slash and a path segment, with every byte encoded that is not unreserved (RFC 3986, 2.3): a model's name may hold
/// colons, an ARN slashes, and both are data.
pub fn append_segment(path: &mut String, segment: &str) {
    path.push('/');
    append_encoded(path, segment);
}

/// Appends a text with every byte encoded that is not unreserved.
pub fn append_encoded(out: &mut String, text: &str) {
    encode(text.as_bytes(), false, |byte| out.push(char::from(byte)));
}

const SCOPE_END: &str = "aws4_request";
const DAY_S: u64 = 86_400;

/// Day, region, service: what a key is good for.
fn scope(signer: &Signer<'_>, time: &TimeText, mut put: impl FnMut(&[u8])) {
    let parts = [time.date(), signer.region.as_bytes(), signer.service.as_bytes()];
    for part in parts {
        put(part);
        put(b"/");
    }
    put(SCOPE_END.as_bytes());
}

/// Hash of method, path, query, headers, names and body, in the form that both sides agree on.
fn canonical_hash(
    request: &Request<'_>,
    names: &SignedHeaders<'_>,
    time: &TimeText,
    session_token: Option<&[u8]>,
) -> digest::Digest {
    let mut hash = Hasher::new();
    hash.put(request.method.as_bytes());
    hash.put(b"\n");
    encode(request.path.as_bytes(), true, |byte| hash.put_byte(byte));
    hash.put(b"\n");
    query(request.query, |byte| hash.put_byte(byte));
    hash.put(b"\n");
    for name in names.sorted() {
        hash.put(name.as_bytes());
        hash.put(b":");
        let value = match name {
            DATE_NAME => &time.0[..],
            TOKEN_NAME => session_token.unwrap_or_default(),
            _ => request.headers.iter().find(|(given, _)| *given == name).map_or(&b""[..], |(_, value)| value),
        };
        let words = value.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        for (index, word) in words.enumerate() {
            if index > 0 {
                hash.put(b" ");
            }
            hash.put(word);
        }
        hash.put(b"\n");
    }
    hash.put(b"\n");
    for (index, name) in names.sorted().enumerate() {
        if index > 0 {
            hash.put(b";");
        }
        hash.put(name.as_bytes());
    }
    hash.put(b"\n");
    hash.put(&hex(request.payload_sha256));
    hash.finish()
}

/// The query sorted by its encoded names, then values. A handful of pairs: the next one is sought each time, which needs no memory.
fn query(pairs: &[(&str, &str)], mut put: impl FnMut(u8)) {
    let mut last: Option<usize> = None;
    let after = |index: usize, last: Option<usize>| {
        last.is_none_or(|last| compare_pairs(pairs[index], pairs[last]).then(index.cmp(&last)).is_gt())
    };
    for turn in 0..pairs.len() {
        let rest = (0..pairs.len()).filter(|index| after(*index, last));
        let next = rest.min_by(|one, other| compare_pairs(pairs[*one], pairs[*other]).then(one.cmp(other)));
        let Some(next) = next else { return };
        if turn > 0 {
            put(b'&');
        }
        encode(pairs[next].0.as_bytes(), false, &mut put);
        put(b'=');
        encode(pairs[next].1.as_bytes(), false, &mut put);
        last = Some(next);
    }
}

fn compare_pairs(one: (&str, &str), other: (&str, &str)) -> Ordering {
    encoded(one.0).cmp(encoded(other.0)).then_with(|| encoded(one.1).cmp(encoded(other.1)))
}

/// Names of all headers that are signed: the caller's and our own.
struct SignedHeaders<'a> {
    names: [&'a str; HEADERS_MAX + 2],
    count: usize,
}

const DATE_NAME: &str = "x-amz-date";
const TOKEN_NAME: &str = "x-amz-security-token";

impl<'a> SignedHeaders<'a> {
    fn new(headers: &[(&'a str, &[u8])], with_token: bool) -> Result<SignedHeaders<'a>, SignError> {
        if headers.len() > HEADERS_MAX {
            return Err(SignError::TooManyHeaders);
        }
        let mut names = [""; HEADERS_MAX + 2];
        let mut count = 0;
        let ours = std::iter::once(DATE_NAME).chain(with_token.then_some(TOKEN_NAME));
        for (slot, name) in names.iter_mut().zip(headers.iter().map(|(name, _)| *name).chain(ours)) {
            *slot = name;
            count += 1;
        }
        names[..count].sort_unstable();
        Ok(SignedHeaders { names, count })
    }

    fn sorted(&self) -> impl Iterator<Item = &'a str> {
        self.names[..self.count].iter().copied()
    }
}

/// SHA-256 that is fed in small pieces. A call for each byte would cost more than the hashing.
struct Hasher {
    context: digest::Context,
    held: [u8; 128],
    used: usize,
}

impl Hasher {
    fn new() -> Hasher {
        Hasher { context: digest::Context::new(&digest::SHA256), held: [0; 128], used: 0 }
    }

    fn put_byte(&mut self, byte: u8) {
        if self.used == self.held.len() {
            self.flush();
        }
        self.held[self.used] = byte;
        self.used += 1;
    }

    fn put(&mut self, bytes: &[u8]) {
        if bytes.len() > self.held.len() - self.used {
            self.flush();
            if bytes.len() > self.held.len() {
                return self.context.update(bytes);
            }
        }
        self.held[self.used..self.used + bytes.len()].copy_from_slice(bytes);
        self.used += bytes.len();
    }

    fn flush(&mut self) {
        self.context.update(&self.held[..self.used]);
        self.used = 0;
    }

    fn finish(mut self) -> digest::Digest {
        self.flush();
        self.context.finish()
    }
}

fn encode(bytes: &[u8], keep_slashes: bool, mut put: impl FnMut(u8)) {
    for byte in bytes {
        if is_unreserved(*byte) || (keep_slashes && *byte == b'/') {
            put(*byte);
        } else {
            escape(*byte).into_iter().for_each(&mut put);
        }
    }
}

/// The bytes that `encode` puts.
fn encoded(text: &str) -> impl Iterator<Item = u8> {
    text.bytes().flat_map(|byte| {
        let (bytes, count) = if is_unreserved(byte) { ([byte, 0, 0], 1) } else { (escape(byte), 3) };
        bytes.into_iter().take(count)
    })
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

fn escape(byte: u8) -> [u8; 3] {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    [b'%', DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]
}

/// 32 bytes as lower-case hexadecimal digits.
fn hex(bytes: &[u8]) -> [u8; 64] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = [b'0'; 64];
    for (pair, byte) in text.chunks_exact_mut(2).zip(bytes) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
    text
}

/// A time as `20251122T064500Z`.
#[derive(Debug, Clone, Copy)]
struct TimeText([u8; 16]);

impl TimeText {
    fn new(now_s: u64) -> TimeText {
        // A clock beyond the year 9999 is broken; the service refuses what is signed by it, as it refuses 1970.
        let time = i64::try_from(now_s).ok().and_then(|s| Timestamp::from_second(s).ok()).unwrap_or_default();
        let DateParts { year, month, day, hour, minute, second } = DateParts::of(Offset::UTC.to_datetime(time));
        let mut text = *b"00000000T000000Z";
        let mut write = |at: usize, digits: usize, mut number: u32| {
            for place in text[at..at + digits].iter_mut().rev() {
                *place = b'0' + (number % 10) as u8;
                number /= 10;
            }
        };
        write(0, 4, year);
        for (at, number) in [(4, month), (6, day), (9, hour), (11, minute), (13, second)] {
            write(at, 2, number);
        }
        TimeText(text)
    }

    fn date(&self) -> &[u8] {
        &self.0[..8]
    }
}

struct DateParts {
    year: u32,
    month: u32,
    day: u32,
    hour: u32,
    minute: u32,
    second: u32,
}

impl DateParts {
    fn of(time: DateTime) -> DateParts {
        // After 1970, so nothing is negative.
        let number = |part: i8| part.unsigned_abs().into();
        DateParts {
            year: time.year().unsigned_abs().into(),
            month: number(time.month()),
            day: number(time.day()),
            hour: number(time.hour()),
            minute: number(time.minute()),
            second: number(time.second()),
        }
    }
}

#[cfg(test)]
mod tests;
