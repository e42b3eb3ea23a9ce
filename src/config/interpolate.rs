//! References in string values: `${env:NAME}`, `${file:/path}`, `${credential:NAME}`.
//!
//! A reference is replaced by what it names, less trailing newlines; `$$` stands for one `$`. Keys are never interpolated,
//! and what a reference brings in is not looked at again, so a secret that contains `${` stays as it is. An empty value
//! is an error: an unset variable must not become an empty credential.
//!
//! No message contains a value; a name is all that is said.

use super::{
    diagnostic::{Diagnostic, quote},
    tree::{Node, TextOrigin, Value, join},
};
use crate::limits::CONFIG_SECRET_BYTES_MAX;
use std::path::{Path, PathBuf};

/// Where references are looked up: the process, or a table in a test.
pub trait Lookup {
    fn env(&self, name: &str) -> Option<String>;
    /// The text of a file of at most `CONFIG_SECRET_BYTES_MAX` bytes, or why there is none.
    fn file(&self, path: &Path) -> Result<String, String>;
}

/// The environment and the files of this process.
pub struct Process;

impl Lookup for Process {
    fn env(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn file(&self, path: &Path) -> Result<String, String> {
        super::load::read_bounded(path, CONFIG_SECRET_BYTES_MAX)
    }
}

/// Replaces every reference below `node`.
pub fn interpolate(node: &mut Node, path: &str, lookup: &dyn Lookup, errors: &mut Vec<Diagnostic>) {
    match &mut node.value {
        Value::String(text) if text.contains('$') => match expand(text, lookup) {
            Ok(Expanded { text: expanded, references }) => {
                *text = expanded;
                if references > 0 {
                    node.text = TextOrigin::Interpolated;
                }
            }
            Err(Refused { message, help }) => {
                errors.push(Diagnostic::error(path, message).at(node.place.clone()).help(help));
                node.text = TextOrigin::Unresolved;
            }
        },
        Value::Array(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                interpolate(item, &format!("{path}[{index}]"), lookup, errors);
            }
        }
        Value::Table(table) => {
            for (key, entry) in table.iter_mut() {
                interpolate(&mut entry.node, &join(path, key), lookup, errors);
            }
        }
        _ => {}
    }
}

/// A text with its references replaced.
pub struct Expanded {
    pub text: String,
    pub references: usize,
}

/// Why a text could not be expanded.
#[derive(Debug, PartialEq, Eq)]
pub struct Refused {
    pub message: String,
    pub help: String,
}

/// Replaces the references of one text.
pub fn expand(text: &str, lookup: &dyn Lookup) -> Result<Expanded, Refused> {
    let mut expanded = String::with_capacity(text.len());
    let mut references = 0;
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        expanded.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            expanded.push('$');
            rest = after;
        } else if let Some(after) = rest.strip_prefix('{') {
            let Some(end) = after.find('}') else {
                return Err(refused("'${' without '}'", "write '$$' for a dollar sign"));
            };
            expanded.push_str(&resolve(&after[..end], lookup)?);
            references += 1;
            rest = &after[end + 1..];
        } else {
            expanded.push('$');
        }
    }
    expanded.push_str(rest);
    Ok(Expanded { text: expanded, references })
}

fn resolve(reference: &str, lookup: &dyn Lookup) -> Result<String, Refused> {
    let (scheme, name) = reference.split_once(':').unwrap_or((reference, ""));
    let value = match scheme {
        "env" => lookup.env(name).ok_or_else(|| {
            // Someone may have pasted the secret instead of the variable's name.
            let a_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            let shown = if a_name { quote(name) } else { "of ${env:...}".to_owned() };
            refused(
                format!("the environment variable {shown} is not set"),
                "set it, or use ${file:/path} or ${credential:NAME}",
            )
        })?,
        "file" => {
            let path = Path::new(name);
            if !path.is_absolute() {
                return Err(refused(format!("{} is not an absolute path", quote(name)), "write ${file:/full/path}"));
            }
            lookup.file(path).map_err(|cause| {
                refused(
                    format!("the file {} cannot be used: {cause}", quote(name)),
                    "it must exist and be readable by the user that runs ringway",
                )
            })?
        }
        "credential" => credential(name, lookup)?,
        _ => {
            return Err(refused(
                "this is not a reference",
                "allowed: ${env:NAME}, ${file:/path}, ${credential:NAME}; write '$$' for a dollar sign",
            ));
        }
    };
    let value = value.trim_end_matches(['\n', '\r']);
    if value.is_empty() {
        return Err(refused(format!("what {} names is empty", quote(&format!("${{{reference}}}"))), "give it a value"));
    }
    Ok(value.to_owned())
}

/// A file that systemd placed for this service (`LoadCredential=`).
fn credential(name: &str, lookup: &dyn Lookup) -> Result<String, Refused> {
    let plain = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    if !plain || name.starts_with('.') {
        return Err(refused(
            "this is not the name of a credential",
            "letters, digits, '-', '_' and '.', as in LoadCredential=NAME:/path",
        ));
    }
    let Some(directory) = lookup.env("CREDENTIALS_DIRECTORY") else {
        return Err(refused(
            format!("there is no credential {}: CREDENTIALS_DIRECTORY is not set", quote(name)),
            "systemd sets it for units with LoadCredential=; elsewhere use ${file:/path}",
        ));
    };
    lookup.file(&PathBuf::from(directory).join(name)).map_err(|cause| {
        refused(
            format!("the credential {} cannot be used: {cause}", quote(name)),
            format!("add LoadCredential={name}:/path to the unit (systemctl edit ringway)"),
        )
    })
}

fn refused(message: impl Into<String>, help: impl Into<String>) -> Refused {
    Refused { message: message.into(), help: help.into() }
}

#[cfg(test)]
mod tests;
