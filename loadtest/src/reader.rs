//! Takes a TOML document apart key by key, and says where it stands what cannot be used.
//!
//! A `Section` hands out each key once, as the type that is asked for. `close` refuses what nobody asked for, and suggests the nearest of
//! the names that were: what the file may contain is therefore written down once, in the code that reads it.
//!
//! The first mistake ends the reading. Messages are `file:line: ...`; nothing in a scenario is secret.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Why a scenario cannot be used. Whoever wrote it causes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake(pub String);

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Mistake {}

/// The document, for telling a line from an offset.
struct Document {
    file: String,
    text: String,
}

impl Document {
    fn mistake(&self, offset: usize, says: &str) -> Mistake {
        let before = &self.text.as_bytes()[..offset.min(self.text.len())];
        let line = 1 + before.iter().filter(|&&byte| byte == b'\n').count();
        Mistake(format!("{}:{line}: {says}", self.file))
    }
}

/// One table.
pub struct Section<'a> {
    document: Rc<Document>,
    /// How messages name it: empty for the root, else `[latency]`.
    name: String,
    offset: usize,
    left: DeTable<'a>,
    asked: RefCell<Vec<&'static str>>,
}

/// A value that was taken out, and where it stands.
pub struct Taken<T> {
    pub value: T,
    document: Rc<Document>,
    key: &'static str,
    offset: usize,
}

impl<T> Taken<T> {
    /// A mistake in this value.
    pub fn refuse(&self, says: impl fmt::Display) -> Mistake {
        self.document.mistake(self.offset, &format!("{}: {says}", self.key))
    }

    /// The value as something else, or why it cannot be that.
    pub fn map<U, E: fmt::Display>(self, with: impl FnOnce(&T) -> Result<U, E>) -> Result<U, Mistake> {
        with(&self.value).map_err(|says| self.refuse(says))
    }
}

/// Reads a whole document with `read`, which need not close the root.
pub fn read<T>(file: &str, text: &str, with: impl FnOnce(&mut Section) -> Result<T, Mistake>) -> Result<T, Mistake> {
    let document = Rc::new(Document { file: file.to_owned(), text: text.to_owned() });
    let table = DeTable::parse(text).map_err(|error| {
        document.mistake(error.span().map_or(0, |span| span.start), &format!("not valid TOML: {}", error.message()))
    })?;
    let mut root =
        Section { document, name: String::new(), offset: 0, left: table.into_inner(), asked: RefCell::default() };
    let read = with(&mut root)?;
    root.close()?;
    Ok(read)
}

impl<'a> Section<'a> {
    /// A mistake in the table as a whole.
    pub fn refuse(&self, says: impl fmt::Display) -> Mistake {
        let name = if self.name.is_empty() { String::new() } else { format!("{}: ", self.name) };
        self.document.mistake(self.offset, &format!("{name}{says}"))
    }

    pub fn text(&mut self, key: &'static str) -> Result<Option<Taken<String>>, Mistake> {
        self.value(key, "a string", |value| value.as_str().map(str::to_owned))
    }

    pub fn flag(&mut self, key: &'static str) -> Result<Option<bool>, Mistake> {
        Ok(self.value(key, "true or false", DeValue::as_bool)?.map(|taken| taken.value))
    }

    /// A number, with or without a fraction, between two bounds that both count.
    pub fn number(&mut self, key: &'static str, least: f64, most: f64) -> Result<Option<f64>, Mistake> {
        let taken = self.value(key, "a number", |value| match value {
            DeValue::Integer(number) => {
                i64::from_str_radix(number.as_str(), number.radix()).ok().map(|number| number as f64)
            }
            DeValue::Float(number) => number.as_str().parse().ok(),
            _ => None,
        })?;
        bounded(taken, least, most)
    }

    pub fn count(&mut self, key: &'static str, least: u64, most: u64) -> Result<Option<u64>, Mistake> {
        let taken = self.value(key, "a whole number", whole)?;
        bounded(taken, least, most)
    }

    pub fn counts(&mut self, key: &'static str, least: u64, most: u64) -> Result<Option<Vec<u64>>, Mistake> {
        let taken = self.value(key, "a list of whole numbers", |value| {
            value.as_array()?.iter().map(|item| whole(item.get_ref())).collect::<Option<Vec<_>>>()
        })?;
        let Some(taken) = taken else {
            return Ok(None);
        };
        if taken.value.is_empty() || taken.value.iter().any(|count| !(least..=most).contains(count)) {
            return Err(taken.refuse(format!("at least one number, each {least} to {most}")));
        }
        Ok(Some(taken.value))
    }

    pub fn texts(&mut self, key: &'static str) -> Result<Vec<String>, Mistake> {
        let taken = self.value(key, "a list of strings", |value| {
            value.as_array()?.iter().map(|item| item.get_ref().as_str().map(str::to_owned)).collect()
        })?;
        Ok(taken.map(|taken: Taken<Vec<String>>| taken.value).unwrap_or_default())
    }

    /// A table of strings, by any names.
    pub fn named_texts(&mut self, key: &'static str) -> Result<Vec<(String, String)>, Mistake> {
        let taken = self.value(key, "a table of strings", |value| {
            let pairs = value.as_table()?.iter();
            pairs
                .map(|(name, value)| Some((name.get_ref().to_string(), value.get_ref().as_str()?.to_owned())))
                .collect()
        })?;
        Ok(taken.map(|taken: Taken<Vec<_>>| taken.value).unwrap_or_default())
    }

    /// One of several words.
    pub fn word<T: Copy>(&mut self, key: &'static str, words: &[(&str, T)]) -> Result<Option<T>, Mistake> {
        let Some(taken) = self.text(key)? else {
            return Ok(None);
        };
        match words.iter().find(|(word, _)| *word == taken.value) {
            Some((_, means)) => Ok(Some(*means)),
            None => Err(taken.refuse(unknown(&taken.value, words.iter().map(|(word, _)| *word)))),
        }
    }

    /// A table of its own.
    pub fn section(&mut self, key: &'static str) -> Result<Option<Section<'a>>, Mistake> {
        let Some((offset, value)) = self.take(key) else {
            return Ok(None);
        };
        let name = format!("[{key}]");
        match value {
            DeValue::Table(table) => Ok(Some(self.inner(name, offset, table))),
            _ => Err(self.document.mistake(offset, &format!("{key}: a table is expected: {name}"))),
        }
    }

    /// The tables of `[[key]]`, in order.
    pub fn sections(&mut self, key: &'static str) -> Result<Vec<Section<'a>>, Mistake> {
        let Some((offset, value)) = self.take(key) else {
            return Ok(Vec::new());
        };
        let name = format!("[[{key}]]");
        let wrong = || self.document.mistake(offset, &format!("{key}: tables are expected: {name}"));
        let DeValue::Array(items) = value else {
            return Err(wrong());
        };
        let tables = items.into_iter().map(|item| {
            let offset = item.span().start;
            match item.into_inner() {
                DeValue::Table(table) => Ok(self.inner(name.clone(), offset, table)),
                _ => Err(wrong()),
            }
        });
        tables.collect()
    }

    /// Refuses what nobody has asked for.
    pub fn close(self) -> Result<(), Mistake> {
        // The first in the file, whatever the order of the table.
        let Some(key) = self.left.keys().min_by_key(|key| key.span().start) else {
            return Ok(());
        };
        let place = if self.name.is_empty() { String::new() } else { format!(" in {}", self.name) };
        let says = unknown(key.get_ref(), self.asked.borrow().iter().copied());
        Err(self.document.mistake(key.span().start, &format!("unknown key{place}: {says}")))
    }

    fn inner(&self, name: String, offset: usize, left: DeTable<'a>) -> Section<'a> {
        Section { document: Rc::clone(&self.document), name, offset, left, asked: RefCell::default() }
    }

    fn take(&mut self, key: &'static str) -> Option<(usize, DeValue<'a>)> {
        self.asked.borrow_mut().push(key);
        let (name, value) = self.left.remove_entry(key)?;
        Some((Spanned::span(&name).start, value.into_inner()))
    }

    fn value<T>(
        &mut self,
        key: &'static str,
        expected: &str,
        with: impl FnOnce(&DeValue<'a>) -> Option<T>,
    ) -> Result<Option<Taken<T>>, Mistake> {
        let Some((offset, value)) = self.take(key) else {
            return Ok(None);
        };
        match with(&value) {
            Some(value) => Ok(Some(Taken { value, document: Rc::clone(&self.document), key, offset })),
            None => Err(self.document.mistake(offset, &format!("{key}: {expected} is expected"))),
        }
    }
}

fn whole(value: &DeValue) -> Option<u64> {
    let number = value.as_integer()?;
    u64::from_str_radix(number.as_str(), number.radix()).ok()
}

fn bounded<T: PartialOrd + Copy + fmt::Display>(
    taken: Option<Taken<T>>,
    least: T,
    most: T,
) -> Result<Option<T>, Mistake> {
    match taken {
        Some(taken) if least <= taken.value && taken.value <= most => Ok(Some(taken.value)),
        Some(taken) => Err(taken.refuse(format!("{} is not between {least} and {most}", taken.value))),
        None => Ok(None),
    }
}

/// What is said about a word that is none of `known`.
fn unknown<'k>(word: &str, known: impl Iterator<Item = &'k str> + Clone) -> String {
    let near = known.clone().map(|name| (strsim::damerau_levenshtein(word, name), name)).min();
    match near {
        Some((distance, name)) if distance <= 1 + word.len() / 4 => format!("{word:?}; did you mean {name:?}?"),
        _ => format!("{word:?}; known are {}", known.collect::<Vec<_>>().join(", ")),
    }
}
