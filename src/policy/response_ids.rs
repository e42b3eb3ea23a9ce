//! The ids of responses that a provider keeps, as one client has them.
//!
//! `resp_` and, in base64url: a nonce, then sealed (ChaCha20-Poly1305) which provider of the configuration keeps the response, and its id
//! there. The key of the seal is made of the hash of the client's key, which the configuration has. So an id says all that is needed to
//! find the response again, after a restart and from any node, and nothing is stored here. It is a client's own: whoever shows
//! another key, or an id that was not made here, cannot be told from one who guesses.
//!
//! Sealed, and not only signed: a client knows its own key, and so all that its ids are made with. If another client's id that leaked
//! showed the provider's, it could be wrapped anew. Providers' ids are as good as random, so nobody has to wrap one that he cannot read.
//!
//! The nonce is a hash of what is sealed, keyed: a response has one id, whoever writes it, so the id in a later answer's
//! `previous_response_id` is the one that its client knows. Ids end with the client's key and with the name of the provider. Where there
//! is no key (`open_access`), all clients are one.

use super::keys;
use crate::{dialects::gemini::base64, limits::RESPONSE_ID_BYTES_MAX};
use ring::{aead, hmac};

/// What the ids of responses begin with in OpenAI's API.
const PREFIX: &str = "resp_";

const ACCOUNT_BYTES: usize = size_of::<u64>();

/// Makes and reads the ids of one client.
pub struct ResponseIds {
    seal: aead::LessSafeKey,
    nonces: hmac::Key,
}

/// What an id stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptResponse {
    /// The provider of the configuration, see [`crate::config::snapshot::account_mark`].
    pub account: u64,
    /// The id that it gave.
    pub id: String,
}

impl ResponseIds {
    /// Those of the client whose key has this hash.
    pub fn of(key_hash: &[u8; 32]) -> ResponseIds {
        let root = hmac::Key::new(hmac::HMAC_SHA256, key_hash);
        let derived = |purpose: &[u8]| hmac::sign(&root, purpose);
        let seal = aead::UnboundKey::new(&aead::CHACHA20_POLY1305, derived(b"ringway response ids 1: seal").as_ref())
            .expect("the key has 32 bytes, as many as a SHA-256");
        ResponseIds {
            seal: aead::LessSafeKey::new(seal),
            nonces: hmac::Key::new(hmac::HMAC_SHA256, derived(b"ringway response ids 1: nonce").as_ref()),
        }
    }

    /// The client's id for a response; `None` for what cannot be a provider's id.
    pub fn seal(&self, account: u64, id: &str) -> Option<String> {
        // It will be a segment of a path, where dots alone lead elsewhere.
        let is_id = id.bytes().all(|byte| byte.is_ascii_graphic()) && id.bytes().any(|byte| byte != b'.');
        if !is_id || id.len() > RESPONSE_ID_BYTES_MAX {
            return None;
        }
        let mut bytes = Vec::with_capacity(aead::NONCE_LEN + ACCOUNT_BYTES + id.len() + SEAL_BYTES);
        bytes.extend_from_slice(&[0; aead::NONCE_LEN]);
        bytes.extend_from_slice(&account.to_be_bytes());
        bytes.extend_from_slice(id.as_bytes());
        let hash = hmac::sign(&self.nonces, &bytes[aead::NONCE_LEN..]);
        let nonce: [u8; aead::NONCE_LEN] = *hash.as_ref().first_chunk()?;
        bytes[..aead::NONCE_LEN].copy_from_slice(&nonce);
        let nonce = aead::Nonce::assume_unique_for_key(nonce);
        let said = &mut bytes[aead::NONCE_LEN..];
        let tag = self.seal.seal_in_place_separate_tag(nonce, aead::Aad::empty(), said).ok()?;
        bytes.extend_from_slice(tag.as_ref());
        Some([PREFIX, &keys::base64url(&bytes)].concat())
    }

    /// What an id stands for; `None` if it is not one of this client's.
    pub fn open(&self, id: &str) -> Option<KeptResponse> {
        let text = id.strip_prefix(PREFIX).filter(|text| text.len() <= TEXT_BYTES_MAX)?;
        let mut bytes = base64::decode(text.as_bytes())?;
        // One id, one spelling.
        if keys::base64url(&bytes) != text {
            return None;
        }
        let (nonce, sealed) = bytes.split_at_mut_checked(aead::NONCE_LEN)?;
        let nonce = aead::Nonce::try_assume_unique_for_key(nonce).ok()?;
        let said = self.seal.open_in_place(nonce, aead::Aad::empty(), sealed).ok()?;
        let (account, id) = said.split_first_chunk::<ACCOUNT_BYTES>()?;
        Some(KeptResponse { account: u64::from_be_bytes(*account), id: String::from_utf8(id.to_vec()).ok()? })
    }
}

/// What shows that a text was sealed.
const SEAL_BYTES: usize = 16;

/// The longest text behind the prefix.
const TEXT_BYTES_MAX: usize = ((aead::NONCE_LEN + ACCOUNT_BYTES + RESPONSE_ID_BYTES_MAX + SEAL_BYTES) * 4).div_ceil(3);

#[cfg(test)]
mod tests;
