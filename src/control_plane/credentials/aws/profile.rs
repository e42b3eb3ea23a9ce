//! Profiles in the files that AWS's own tools share: `~/.aws/credentials` and `~/.aws/config`.
//!
//! A profile with static keys is used. One that asks for more (another program, a role, single sign-on) is refused by name, because keys
//! of another profile would be someone else's. The credentials file wins where both have keys, as with AWS's tools.

use super::Found;
use crate::config::interpolate::Lookup as Surroundings;
use std::{collections::BTreeMap, path::Path};

/// Ways to keys that are not taken, as the profile names them.
const NOT_TAKEN: [&str; 5] = ["credential_process", "role_arn", "source_profile", "sso_session", "sso_start_url"];

/// The keys of a profile; none if no file knows it, or it has neither keys nor another way to them.
///
/// # Errors
/// A sentence for the log.
pub fn read(name: &str, surroundings: &dyn Surroundings) -> Result<Option<Found>, String> {
    let home = surroundings.env("HOME").unwrap_or_default();
    let file = |variable: &str, usual: &str| {
        let path = surroundings.env(variable).filter(|path| !path.is_empty());
        let path = path.unwrap_or_else(|| format!("{home}/.aws/{usual}"));
        surroundings.file(Path::new(&path)).ok()
    };
    let credentials = file("AWS_SHARED_CREDENTIALS_FILE", "credentials").unwrap_or_default();
    let config = file("AWS_CONFIG_FILE", "config").unwrap_or_default();
    // The default profile's section has no prefix there, but may have.
    let prefixed = format!("profile {name}");
    let bare = (name == "default").then(|| section(&config, name)).flatten();
    let sections = [section(&credentials, name), section(&config, &prefixed), bare];

    let mut is_known = false;
    for section in sections.iter().flatten() {
        is_known = true;
        if let Some(found) = keys(section) {
            return Ok(Some(found));
        }
    }
    for section in sections.iter().flatten() {
        if let Some(way) = NOT_TAKEN.iter().find(|way| section.contains_key(**way)) {
            return Err(format!(
                "the profile '{name}' has '{way}' and no keys, and only profiles with keys can be used"
            ));
        }
    }
    if is_known && name != "default" { Err(format!("the profile '{name}' has no keys")) } else { Ok(None) }
}

fn keys(section: &BTreeMap<&str, &str>) -> Option<Found> {
    let member = |name: &str| section.get(name).map(|value| (*value).to_owned());
    let (id, secret) = (member("aws_access_key_id")?, member("aws_secret_access_key")?);
    Some(Found::new(id, secret, member("aws_session_token")))
}

/// The members of a section, if there is one. Members of members, which are indented, are left out.
fn section<'t>(text: &'t str, name: &str) -> Option<BTreeMap<&'t str, &'t str>> {
    let mut members = None;
    let mut is_ours = false;
    for line in text.lines() {
        if let Some(header) = line.trim().strip_prefix('[').and_then(|rest| rest.split(']').next()) {
            // Any number of blanks between the words.
            is_ours = header.split_whitespace().eq(name.split_whitespace());
            if is_ours {
                members.get_or_insert_with(BTreeMap::new);
            }
            continue;
        }
        let is_nested = line.starts_with(char::is_whitespace);
        if let Some((key, value)) =
            line.split_once('=').filter(|_| is_ours && !is_nested && !line.starts_with(['#', ';']))
        {
            // A blank and a mark begin a comment. Keys are base64, so a mark without a blank is theirs.
            let value = [" #", " ;"].iter().fold(value, |value, mark| value.split(mark).next().unwrap_or(value));
            members.get_or_insert_with(BTreeMap::new).insert(key.trim(), value.trim());
        }
    }
    members
}

#[cfg(test)]
mod tests;
