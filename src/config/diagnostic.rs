//! What is wrong with a configuration, where, and what to do about it.
//!
//! A message may quote what the operator wrote in the file, never what an interpolation brought in, and never a
//! credential: diagnostics end up in journals and tickets. `Report::quote` is the only way a value enters a message.

use crate::limits::CONFIG_ERRORS_MAX;
use std::{collections::HashMap, fmt, sync::Arc};

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    pub severity: Severity,
    /// Where it stands; `None` when the value came from the command line or the environment.
    pub place: Option<Place>,
    /// The key, for example `models[2].deployments[0]`; empty when the finding is about a whole file.
    pub path: String,
    pub message: String,
    /// What is allowed, or what to write instead.
    pub help: Option<String>,
}

/// Whether a load fails for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    Error,
    /// Legal, and probably not meant.
    Warning,
}

/// A position in a file, both counted from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub file: Arc<str>,
    pub line: u32,
    pub column: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

impl Diagnostic {
    /// An error without a place.
    pub fn error(path: impl Into<String>, message: impl Into<String>) -> Diagnostic {
        Diagnostic { severity: Severity::Error, place: None, path: path.into(), message: message.into(), help: None }
    }

    pub fn at(mut self, place: Place) -> Diagnostic {
        self.place = Some(place);
        self
    }

    /// Orders findings as they stand in the files; those without a place come last, in the order found.
    pub fn sort(findings: &mut [Diagnostic]) {
        findings.sort_by(|a, b| match (&a.place, &b.place) {
            (Some(a), Some(b)) => (&*a.file, a.line, a.column).cmp(&(&*b.file, b.line, b.column)),
            (a, b) => a.is_none().cmp(&b.is_none()),
        });
    }

    pub fn help(mut self, help: impl Into<String>) -> Diagnostic {
        self.help = Some(help.into());
        self
    }
}

/// `file:line:column: error: key: message`, and the help on a line of its own.
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        f.write_str(match self.severity {
            Severity::Error => "error: ",
            Severity::Warning => "warning: ",
        })?;
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)?;
        match &self.help {
            Some(help) => write!(f, "\n  help: {help}"),
            None => Ok(()),
        }
    }
}

/// Where each key stands, and which values came from an interpolation.
#[derive(Debug, Clone, Default)]
pub struct Places {
    root: Option<Place>,
    by_path: HashMap<String, Option<Mark>>,
}

#[derive(Debug, Clone)]
struct Mark {
    place: Place,
    interpolated: bool,
}

impl Places {
    /// `root` is where to look for what is missing altogether.
    pub fn under(root: Place) -> Places {
        Places { root: Some(root), by_path: HashMap::new() }
    }

    pub fn insert(&mut self, path: String, place: Place, interpolated: bool) {
        self.by_path.insert(path, Some(Mark { place, interpolated }));
    }

    /// The place of a key, or of the closest thing around it that was written.
    pub fn find(&self, path: &str) -> Option<&Place> {
        let mut path = path;
        loop {
            if let Some(mark) = self.by_path.get(path) {
                return mark.as_ref().map(|mark| &mark.place);
            }
            match path.rfind(['.', '[']) {
                Some(end) => path = &path[..end],
                None => return self.root.as_ref(),
            }
        }
    }

    /// Notes that the value at `path` no longer comes from a file.
    pub fn forget(&mut self, path: &str) {
        self.by_path.retain(|key, _| !(key.starts_with(path) && key[path.len()..].starts_with(['.', '['])));
        self.by_path.insert(path.to_owned(), None);
    }

    fn interpolated(&self, path: &str) -> bool {
        self.by_path.get(path).and_then(Option::as_ref).is_some_and(|mark| mark.interpolated)
    }
}

/// Collects the findings of a load, at most `CONFIG_ERRORS_MAX` of them.
pub struct Report<'a> {
    places: &'a Places,
    pub errors: Vec<Diagnostic>,
    pub warnings: Vec<Diagnostic>,
}

impl<'a> Report<'a> {
    pub fn new(places: &'a Places) -> Report<'a> {
        Report { places, errors: Vec::new(), warnings: Vec::new() }
    }

    pub fn error(&mut self, path: &str, message: impl Into<String>) {
        self.push(Severity::Error, path, message.into(), None);
    }

    pub fn error_help(&mut self, path: &str, message: impl Into<String>, help: impl Into<String>) {
        self.push(Severity::Error, path, message.into(), Some(help.into()));
    }

    pub fn warn(&mut self, path: &str, message: impl Into<String>, help: impl Into<String>) {
        self.push(Severity::Warning, path, message.into(), Some(help.into()));
    }

    /// The value at `path` as a message may show it.
    pub fn quote(&self, path: &str, value: &str) -> String {
        if self.places.interpolated(path) { "the interpolated value".to_owned() } else { quote(value) }
    }

    /// True for a value that was typed into a file rather than referred to.
    pub fn written_in_file(&self, path: &str) -> bool {
        self.places.by_path.get(path).and_then(Option::as_ref).is_some_and(|mark| !mark.interpolated)
    }

    /// ` (first at FILE:LINE)`, to name the other one of two that clash.
    pub fn first_at(&self, path: &str) -> String {
        match self.places.find(path) {
            Some(place) => format!(" (first at {}:{})", place.file, place.line),
            None => String::new(),
        }
    }

    fn push(&mut self, severity: Severity, path: &str, message: String, help: Option<String>) {
        let list = match severity {
            Severity::Error => &mut self.errors,
            Severity::Warning => &mut self.warnings,
        };
        if list.len() < CONFIG_ERRORS_MAX {
            list.push(Diagnostic {
                severity,
                place: self.places.find(path).cloned(),
                path: path.to_owned(),
                message,
                help,
            });
        }
    }
}

/// A value in single quotes, cut to a readable length, with control characters escaped.
pub fn quote(value: &str) -> String {
    const CHARACTERS_MAX: usize = 80;
    let mut shown: String = value.chars().take(CHARACTERS_MAX).flat_map(char::escape_debug).collect();
    if value.chars().nth(CHARACTERS_MAX).is_some() {
        shown.push_str("...");
    }
    format!("'{}'", shown.replace("\\'", "'").replace("\\\"", "\""))
}

/// The candidate that `name` most likely meant, if one is close enough to be worth naming.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // strsim takes time in the product of the lengths; nothing we look for is longer than this.
    const NAME_BYTES_MAX: usize = 100;
    if name.len() > NAME_BYTES_MAX {
        return None;
    }
    let lower = name.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(&lower, &candidate.to_lowercase()), candidate))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}
