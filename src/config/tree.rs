//! The configuration as written: every value with the place it stands at, before it means anything.
//!
//! Files are merged here: tables merge key by key, and where two files give the same key the later file wins, except
//! that arrays of tables (`[[keys]]`, `[[models]]`) are appended, so that a file of its own can add to them.
//! Later stages look places up by the path of a key, so the types in `raw` stay free of positions.
//!
//! The toml parser bounds nesting at 80, so recursion over a tree is bounded too.

use super::diagnostic::{Diagnostic, Place, Places};
use crate::limits::CONFIG_ERRORS_MAX;
use std::{collections::BTreeMap, sync::Arc};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// One value and where it stands.
#[derive(Clone)]
pub struct Node {
    pub value: Value,
    pub place: Place,
    pub text: TextOrigin,
}

/// Where a value comes from, which decides whether a message may quote it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextOrigin {
    Written,
    /// A reference contributed to it: it may be a secret.
    Interpolated,
    /// A reference in it could not be resolved, or it cannot be represented; that has been reported, and this is not the value.
    Unresolved,
}

/// What a value is. Deliberately without `Debug`: it holds secrets after interpolation.
#[derive(Clone)]
pub enum Value {
    String(String),
    Integer(i64),
    Float(f64),
    Boolean(bool),
    /// RFC 3339 text.
    Datetime(String),
    Array(Vec<Node>),
    Table(BTreeMap<String, Entry>),
}

/// One key of a table.
#[derive(Clone)]
pub struct Entry {
    pub key_place: Place,
    pub node: Node,
}

/// Parses one file. Values that cannot be used go to `errors`; a file that is not TOML is refused with all its syntax errors.
pub fn parse(file: &Arc<str>, text: &str, errors: &mut Vec<Diagnostic>) -> Result<Node, Vec<Diagnostic>> {
    let lines = Lines::new(file.clone(), text);
    let (table, syntax_errors) = DeTable::parse_recoverable(text);
    let mut refused = Vec::new();
    for error in syntax_errors.iter().take(CONFIG_ERRORS_MAX) {
        let place = lines.place(error.span().map_or(0, |span| span.start));
        // The parser's message names what it expected; only its rendering with a source line could show a secret.
        refused.push(Diagnostic::error("", format!("not valid TOML: {}", error.message())).at(place));
    }
    if !refused.is_empty() {
        return Err(refused);
    }
    Ok(lines.table(table.get_ref(), lines.place(0), "", errors))
}

impl Node {
    /// The root of a configuration whose main file is `file`.
    pub fn root(file: Arc<str>) -> Node {
        let place = Place { file, line: 1, column: 1 };
        Node { value: Value::Table(BTreeMap::new()), place, text: TextOrigin::Written }
    }

    /// Adds what a later file says.
    pub fn merge(&mut self, later: Node) {
        match (&mut self.value, later) {
            (Value::Table(table), Node { value: Value::Table(later), .. }) => {
                for (key, entry) in later {
                    match table.get_mut(&key) {
                        Some(present) => present.node.merge(entry.node),
                        None => drop(table.insert(key, entry)),
                    }
                }
            }
            (Value::Array(items), Node { value: Value::Array(later), .. }) if tables_only(items, &later) => {
                items.extend(later);
            }
            (_, later) => *self = later,
        }
    }

    /// What the value is, for a message.
    pub fn kind(&self) -> &'static str {
        match self.value {
            Value::String(_) => "a string",
            Value::Integer(_) => "an integer",
            Value::Float(_) => "a number with a fraction",
            Value::Boolean(_) => "true or false",
            Value::Datetime(_) => "a date",
            Value::Array(_) => "an array",
            Value::Table(_) => "a table",
        }
    }

    /// The JSON that serde reads into the types of `raw`.
    pub fn to_json(&self) -> serde_json::Value {
        match &self.value {
            Value::String(text) | Value::Datetime(text) => text.as_str().into(),
            Value::Integer(number) => (*number).into(),
            Value::Float(number) => (*number).into(),
            Value::Boolean(flag) => (*flag).into(),
            Value::Array(items) => items.iter().map(Node::to_json).collect(),
            Value::Table(table) => table.iter().map(|(key, entry)| (key.clone(), entry.node.to_json())).collect(),
        }
    }

    /// Where every key stands.
    pub fn places(&self) -> Places {
        let mut places = Places::under(self.place.clone());
        self.collect_places("", &mut places);
        places
    }

    fn collect_places(&self, path: &str, places: &mut Places) {
        match &self.value {
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    let path = format!("{path}[{index}]");
                    places.insert(path.clone(), item.place.clone(), item.text != TextOrigin::Written);
                    item.collect_places(&path, places);
                }
            }
            Value::Table(table) => {
                for (key, entry) in table {
                    let path = join(path, key);
                    places.insert(path.clone(), entry.key_place.clone(), entry.node.text != TextOrigin::Written);
                    entry.node.collect_places(&path, places);
                }
            }
            _ => {}
        }
    }
}

/// The path of `key` inside the table at `path`.
pub fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

fn tables_only(items: &[Node], later: &[Node]) -> bool {
    let table = |node: &Node| matches!(node.value, Value::Table(_));
    !items.is_empty() && !later.is_empty() && items.iter().chain(later).all(table)
}

/// Turns byte offsets of one file into lines and columns.
struct Lines {
    file: Arc<str>,
    /// Offset of each line's first byte.
    starts: Vec<usize>,
}

impl Lines {
    fn new(file: Arc<str>, text: &str) -> Lines {
        let starts = std::iter::once(0).chain(memchr::memchr_iter(b'\n', text.as_bytes()).map(|at| at + 1)).collect();
        Lines { file, starts }
    }

    fn place(&self, offset: usize) -> Place {
        let line = self.starts.partition_point(|start| *start <= offset);
        let start = self.starts[line - 1];
        Place { file: self.file.clone(), line: line as u32, column: (offset - start) as u32 + 1 }
    }

    fn table(&self, table: &DeTable<'_>, place: Place, path: &str, errors: &mut Vec<Diagnostic>) -> Node {
        let mut entries = BTreeMap::new();
        for (key, value) in table {
            let path = join(path, key.get_ref());
            let entry = Entry { key_place: self.place(key.span().start), node: self.node(value, &path, errors) };
            entries.insert(key.get_ref().to_string(), entry);
        }
        Node { value: Value::Table(entries), place, text: TextOrigin::Written }
    }

    fn node(&self, value: &Spanned<DeValue<'_>>, path: &str, errors: &mut Vec<Diagnostic>) -> Node {
        let place = self.place(value.span().start);
        let value = match value.get_ref() {
            DeValue::String(text) => Value::String(text.to_string()),
            DeValue::Boolean(flag) => Value::Boolean(*flag),
            DeValue::Datetime(datetime) => Value::Datetime(datetime.to_string()),
            DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
                Ok(number) => Value::Integer(number),
                Err(_) => {
                    let message = "the number does not fit into 64 bits";
                    errors.push(Diagnostic::error(path, message).at(place.clone()));
                    let text = TextOrigin::Unresolved;
                    return Node { value: Value::Integer(0), place, text };
                }
            },
            // Syntax was checked by the parser; what f64 cannot hold becomes infinite, and no key takes a fraction.
            DeValue::Float(number) => Value::Float(number.as_str().parse().unwrap_or(f64::INFINITY)),
            DeValue::Array(items) => {
                let node = |(index, item)| self.node(item, &format!("{path}[{index}]"), errors);
                Value::Array(items.iter().enumerate().map(node).collect())
            }
            DeValue::Table(table) => return self.table(table, place, path, errors),
        };
        Node { value, place, text: TextOrigin::Written }
    }
}
