//! Client keys: made here, stored as hashes, recognised by their hash.
//!
//! A key is 256 random bits, so one SHA-256 is as good as a slow password hash: there is nothing to guess. Looking it up is one
//! map access by the hash of what was shown; no comparison of secrets happens, so none can leak by its timing, and no text of
//! the client ever reaches a query. The secret exists where it was created and at its client, and for as long as a connection is in
//! use in that connection's memory (`remembered`).

use crate::{
    config::snapshot::{ClientKey, Snapshot},
    error::Failure,
};
use ring::{digest, rand::SecureRandom};
use std::sync::Arc;

pub mod remembered;

/// Bytes of randomness in a key.
const SECRET_BYTES: usize = 32;

/// What every key of ours begins with, so that secret scanners and people recognise one.
pub const PREFIX: &str = "rw-";

/// A new secret: `rw-` and 43 characters of base64url.
pub fn generate(random: &dyn SecureRandom) -> Result<String, ring::error::Unspecified> {
    let mut bytes = [0; SECRET_BYTES];
    random.fill(&mut bytes)?;
    Ok(format!("{PREFIX}{}", base64url(&bytes)))
}

/// Base64 as URLs and tokens write it, without padding.
pub fn base64url(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let word =
            chunk.iter().enumerate().fold(0u32, |word, (place, byte)| word | u32::from(*byte) << (16 - 8 * place));
        for place in 0..=chunk.len() {
            text.push(char::from(ALPHABET[(word >> (18 - 6 * place)) as usize & 63]));
        }
    }
    text
}

/// SHA-256 of what a client shows.
pub fn hash(secret: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, secret).as_ref());
    hash
}

/// A hash as the configuration writes it: `sha256:` and 64 hexadecimal digits.
pub fn hash_text(hash: &[u8; 32]) -> String {
    use std::fmt::Write;
    hash.iter().fold(String::from("sha256:"), |mut text, byte| {
        // Writing to a String does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Parses the form that `hash_text` writes.
pub fn parse_hash(text: &str) -> Result<[u8; 32], BadHash> {
    let digits = text.strip_prefix("sha256:").ok_or(BadHash::Prefix)?.as_bytes();
    if digits.len() != 64 {
        return Err(BadHash::Length(digits.len()));
    }
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let digit = |digit: u8| (digit as char).to_digit(16).ok_or(BadHash::Digit);
        *byte = (digit(pair[0])? * 16 + digit(pair[1])?) as u8;
    }
    if bytes == hash(b"") { Err(BadHash::OfNothing) } else { Ok(bytes) }
}

/// Why a text is not the hash of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadHash {
    Prefix,
    Length(usize),
    Digit,
    /// The hash of an empty secret: every request without a key would match.
    OfNothing,
}

impl BadHash {
    pub fn message(self) -> String {
        match self {
            BadHash::Prefix => "the hash does not begin with 'sha256:'".to_owned(),
            BadHash::Length(digits) => format!("the hash has {digits} digits, not 64"),
            BadHash::Digit => "the hash has a character that is not a hexadecimal digit".to_owned(),
            BadHash::OfNothing => "this is the hash of an empty key".to_owned(),
        }
    }
}

/// The token of an `Authorization` value, if its scheme is Bearer.
pub fn bearer_token(authorization: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = authorization.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii())
}

/// Who shows this token? `now_s` is Unix time in seconds; a key is refused from its expiry on.
pub fn authenticate<'a>(snapshot: &'a Snapshot, token: &[u8], now_s: u64) -> Result<&'a Arc<ClientKey>, Failure> {
    if token.is_empty() {
        return Err(Failure::MissingKey);
    }
    match snapshot.keys.get(&hash(token)) {
        Some(key) if key.expires_at_s.is_none_or(|expires_at_s| now_s < expires_at_s) => Ok(key),
        _ => Err(Failure::InvalidKey),
    }
}

#[cfg(test)]
mod tests;
