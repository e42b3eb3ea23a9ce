//! Checks of `[[keys]]`: names and hashes are unique, hashes are hashes, expiries are moments.

use crate::{
    config::{diagnostic::Report, raw, tree::join},
    policy::keys,
};
use std::collections::HashMap;

/// A client key.
pub struct CheckedKey {
    pub name: String,
    pub hash: [u8; 32],
    pub expires_at_s: Option<u64>,
}

pub(super) fn client_keys(keys: &[raw::Key], report: &mut Report<'_>) -> Vec<CheckedKey> {
    let mut by_name = HashMap::new();
    let mut by_hash = HashMap::new();
    let mut checked = Vec::with_capacity(keys.len());
    for (index, key) in keys.iter().enumerate() {
        let at = format!("keys[{index}]");
        let name_path = join(&at, "name");
        if !printable(&key.name) {
            let message = format!("{} has characters that logs could not show", report.quote(&name_path, &key.name));
            report.error_help(&name_path, message, "letters, digits, spaces and ASCII punctuation");
        }
        if let Some(first) = by_name.insert(&key.name, name_path.clone()) {
            let first = report.first_at(&first);
            let message = format!("{} is the name of another key{first}", report.quote(&name_path, &key.name));
            report.error_help(&name_path, message, "names tell keys apart in logs and metrics: choose another one");
        }
        let hash_path = join(&at, "hash");
        let hash = match keys::parse_hash(&key.hash) {
            Ok(hash) => hash,
            Err(bad) => {
                let help = "it is printed by 'ringway keys create'; the key itself must not be here";
                report.error_help(&hash_path, bad.message(), help);
                continue;
            }
        };
        if let Some(first) = by_hash.insert(hash, hash_path.clone()) {
            let first = report.first_at(&first);
            report.error_help(&hash_path, format!("another key has this hash{first}"), "remove one of the two");
        }
        let expires_at_s = key.expires_at.as_deref().and_then(|text| expiry(text, &join(&at, "expires_at"), report));
        checked.push(CheckedKey { name: key.name.clone(), hash, expires_at_s });
    }
    checked
}

fn expiry(text: &str, path: &str, report: &mut Report<'_>) -> Option<u64> {
    let timestamp = text.parse::<jiff::Timestamp>().ok();
    let seconds = timestamp.and_then(|timestamp| u64::try_from(timestamp.as_second()).ok());
    if seconds.is_none() {
        let message = format!("{} is not a time with an offset", report.quote(path, text));
        report.error_help(path, message, "for example 2027-01-31T00:00:00Z");
    }
    seconds
}

pub(super) fn printable(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ')
}
