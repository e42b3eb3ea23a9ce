//! From files to `raw`: read, parse, merge, interpolate, hold against the schema.
//!
//! Order: the main file, then `conf.d/*.toml` beside it by name; see `tree` for how they merge. All errors of these steps are
//! reported together; only a file that is not TOML ends the load early, because half of a file would bring up errors
//! that are none. File sizes and counts are bounded, and only regular files are read: a pipe could block the reload.

use super::{
    diagnostic::{Diagnostic, Places, Report},
    interpolate::{Lookup, interpolate},
    raw, schema,
    tree::{self, Node},
};
use crate::limits::{CONFIG_ERRORS_MAX, CONFIG_FILE_BYTES_MAX, CONFIG_FILES_MAX};
use std::{fs, io::Read, path::Path, sync::Arc};

/// A configuration that has the right shape.
#[derive(Debug, Clone, Default)]
pub struct Loaded {
    pub config: raw::Config,
    /// Where each key stands; empty for a configuration that was not read from files.
    pub places: Places,
}

impl From<raw::Config> for Loaded {
    fn from(config: raw::Config) -> Loaded {
        Loaded { config, places: Places::default() }
    }
}

/// One file, read.
#[derive(Clone)]
pub struct SourceFile {
    /// Name as messages show it.
    pub name: Arc<str>,
    pub text: String,
}

impl std::fmt::Debug for SourceFile {
    /// The name only: the text may hold what should have been kept out of it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SourceFile").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Reads the main file and `conf.d` beside it.
pub fn load(main: &Path, lookup: &dyn Lookup) -> Result<Loaded, Vec<Diagnostic>> {
    parse(&read(main)?, lookup)
}

/// The main file and the files of `conf.d` beside it, in the order in which they apply.
pub fn read(main: &Path) -> Result<Vec<SourceFile>, Vec<Diagnostic>> {
    let mut errors = Vec::new();
    let mut files = Vec::new();
    let mut paths = vec![main.to_owned()];
    match drop_ins(main) {
        Ok(found) => paths.extend(found),
        Err(error) => errors.push(error),
    }
    for path in paths {
        match read_bounded(&path, CONFIG_FILE_BYTES_MAX) {
            Ok(text) => files.push(SourceFile { name: path.display().to_string().into(), text }),
            Err(cause) => errors.push(Diagnostic::error("", format!("{}: {cause}", path.display()))),
        }
    }
    if errors.is_empty() { Ok(files) } else { Err(errors) }
}

fn drop_ins(main: &Path) -> Result<Vec<std::path::PathBuf>, Diagnostic> {
    let directory = main.with_file_name("conf.d");
    let refuse = |cause: String| Diagnostic::error("", format!("{}: {cause}", directory.display()));
    let entries = match fs::read_dir(&directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(refuse(error.to_string())),
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| refuse(error.to_string()))?.path();
        // Editors and package managers leave `.x.toml.swp`, `x.toml~` and `x.toml.dpkg-old` behind.
        let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if !hidden && path.extension().is_some_and(|extension| extension == "toml") {
            paths.push(path);
        }
        if paths.len() > CONFIG_FILES_MAX {
            return Err(refuse(format!("more than {CONFIG_FILES_MAX} files")));
        }
    }
    paths.sort();
    Ok(paths)
}

/// The text of a regular file, or why it cannot be used.
pub fn read_bounded(path: &Path, bytes_max: usize) -> Result<String, String> {
    let metadata = fs::metadata(path).map_err(|error| plain(&error))?;
    if !metadata.is_file() {
        return Err("not a regular file".to_owned());
    }
    let file = fs::File::open(path).map_err(|error| plain(&error))?;
    let mut bytes = Vec::new();
    // Bounded by what is read, not by what the metadata said: the file may grow meanwhile.
    file.take(bytes_max as u64 + 1).read_to_end(&mut bytes).map_err(|error| plain(&error))?;
    if bytes.len() > bytes_max {
        return Err(format!("larger than {bytes_max} bytes"));
    }
    String::from_utf8(bytes).map_err(|_| "not UTF-8 text".to_owned())
}

fn plain(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "no such file".to_owned(),
        std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    }
}

/// Parses and merges files, replaces references and checks the shape.
pub fn parse(files: &[SourceFile], lookup: &dyn Lookup) -> Result<Loaded, Vec<Diagnostic>> {
    let mut errors = Vec::new();
    let mut root = merge(files, &mut errors)?;
    interpolate(&mut root, "", lookup, &mut errors);
    shape(&root, errors)
}

/// Like `parse`, with the references as they were written: what `ringway check --print-effective` shows.
pub fn parse_as_written(files: &[SourceFile]) -> Result<Loaded, Vec<Diagnostic>> {
    let mut errors = Vec::new();
    shape(&merge(files, &mut errors)?, errors)
}

fn merge(files: &[SourceFile], errors: &mut Vec<Diagnostic>) -> Result<Node, Vec<Diagnostic>> {
    let mut root = Node::root(files.first().map_or("".into(), |file| file.name.clone()));
    let mut refused = Vec::new();
    for file in files {
        match tree::parse(&file.name, &file.text, errors) {
            Ok(node) => root.merge(node),
            Err(syntax) => refused.extend(syntax),
        }
    }
    if refused.is_empty() { Ok(root) } else { Err(refused) }
}

fn shape(root: &Node, mut errors: Vec<Diagnostic>) -> Result<Loaded, Vec<Diagnostic>> {
    let places = root.places();
    let mut report = Report::new(&places);
    schema::check(root, &mut report);
    errors.append(&mut report.errors);
    if !errors.is_empty() {
        errors.truncate(CONFIG_ERRORS_MAX);
        Diagnostic::sort(&mut errors);
        return Err(errors);
    }
    match serde_json::from_value(root.to_json()) {
        Ok(config) => Ok(Loaded { config, places }),
        // serde's own message can quote a value, so it is not passed on.
        Err(_) => Err(vec![Diagnostic::error("", "the configuration fits its schema but cannot be read")]),
    }
}

#[cfg(test)]
mod tests;
