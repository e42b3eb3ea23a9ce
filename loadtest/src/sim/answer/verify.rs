//! The fields that a body must have and may have, and their types, as a table per endpoint.
//!
//! A path is written `messages[role=tool].content[].text`: `[]` goes into each element, `[role=tool]` into those whose member
//! has this value; of what is no list, `[type=x]` asks the thing itself. A field below something that is absent is not asked
//! for: `need` means "wherever its parent is". Null counts as absent. The fields are looked at in the order of the table, and
//! the first breach is the answer.
//!
//! Members that no table names are passed over, except where `known` lists all that there are at the top.

use serde_json::Value;

use super::base64;
use super::error::{ApiError, Trouble};

pub(crate) struct Table {
    pub fields: &'static [Field],
    /// Top-level members; others are refused. None: they are passed over.
    pub known: Option<&'static [&'static str]>,
}

pub(crate) struct Field {
    path: &'static str,
    is: Is,
    required: bool,
}

pub(super) const fn need(path: &'static str, is: Is) -> Field {
    Field { path, is, required: true }
}

pub(super) const fn may(path: &'static str, is: Is) -> Field {
    Field { path, is, required: false }
}

/// What a value must be.
#[derive(Clone, Copy)]
pub(crate) enum Is {
    Bool,
    Str,
    /// A string that is not empty.
    Text,
    Base64,
    /// Both ends are allowed.
    Int(i64, i64),
    Number(f64, f64),
    Object,
    List,
    /// A list that is not empty.
    Items,
    StrOrList,
    StrOrObject,
    /// A string, or a list of strings.
    Strs,
    OneOf(&'static [&'static str]),
}

type Member = for<'v> fn(&'v Value, &str) -> Option<&'v Value>;

/// Where it is looked for, for providers that accept one spelling only.
pub(super) fn plain<'v>(value: &'v Value, name: &str) -> Option<&'v Value> {
    value.get(name)
}

impl Table {
    pub fn check(&self, body: &Value, member: Member) -> Result<(), ApiError> {
        let Some(members) = body.as_object() else {
            return Err(Trouble::WrongType("an object").about("body"));
        };
        if let Some(known) = self.known
            && let Some(unknown) = members.keys().find(|name| !known.iter().any(|known| same_name(known, name)))
        {
            return Err(Trouble::UnknownField.about(unknown));
        }
        self.fields.iter().try_for_each(|field| field.walk(body, field.path, member))
    }
}

/// `generationConfig` and `generation_config` are one; only a provider that takes both lists names with capitals.
fn same_name(known: &str, name: &str) -> bool {
    known == name || (known.contains(|letter: char| letter.is_ascii_uppercase()) && snake(known) == name)
}

pub(super) fn snake(name: &str) -> String {
    let mut text = String::with_capacity(name.len() + 4);
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            text.push('_');
        }
        text.push(letter.to_ascii_lowercase());
    }
    text
}

impl Field {
    /// Follows the rest of the path from `value`. The place of a breach is put together on the way back, so that a good body
    /// costs no text.
    fn walk(&self, value: &Value, path: &str, member: Member) -> Result<(), ApiError> {
        if path.is_empty() {
            return self.is.check(value).map_err(ApiError::from);
        }
        if let Some(rest) = path.strip_prefix('[') {
            let (filter, rest) = rest.split_once(']').unwrap_or((rest, ""));
            let filter = filter.split_once('=');
            let passes = |element: &Value| match filter {
                Some((name, wanted)) => member(element, name).and_then(Value::as_str) == Some(wanted),
                None => true,
            };
            return match value {
                Value::Array(elements) => {
                    let passing = elements.iter().enumerate().filter(|(_, element)| passes(element));
                    passing.into_iter().try_for_each(|(index, element)| {
                        self.walk(element, rest, member).map_err(|error| error.below(&format!("[{index}]")))
                    })
                }
                one if filter.is_some() && passes(one) => self.walk(one, rest, member),
                _ => Ok(()),
            };
        }
        let path = path.strip_prefix('.').unwrap_or(path);
        let end = path.bytes().position(|byte| byte == b'.' || byte == b'[').unwrap_or(path.len());
        let (name, rest) = path.split_at(end);
        match member(value, name).filter(|found| !found.is_null()) {
            Some(found) => self.walk(found, rest, member).map_err(|error| error.below(name)),
            // What is no object is the business of the field that says it must be one.
            None if self.required && rest.is_empty() && value.is_object() => Err(Trouble::Missing.about(name)),
            None => Ok(()),
        }
    }
}

impl Is {
    fn check(self, value: &Value) -> Result<(), Trouble> {
        let is_type = match self {
            Is::Bool => value.is_boolean(),
            Is::Str | Is::Text | Is::Base64 | Is::OneOf(_) => value.is_string(),
            Is::Int(..) => {
                value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|number| number.fract() == 0.0)
            }
            Is::Number(..) => value.is_number(),
            Is::Object => value.is_object(),
            Is::List | Is::Items => value.is_array(),
            Is::StrOrList => value.is_string() || value.is_array(),
            Is::StrOrObject => value.is_string() || value.is_object(),
            Is::Strs => value.is_string() || value.as_array().is_some_and(|all| all.iter().all(Value::is_string)),
        };
        if !is_type {
            return Err(Trouble::WrongType(self.name()));
        }
        let text = value.as_str().unwrap_or("");
        let within = |low: f64, high: f64| match value.as_f64() {
            Some(number) if (low..=high).contains(&number) => Ok(()),
            _ => Err(Trouble::BadValue(format!("a value between {low} and {high}, but got {value} instead"))),
        };
        match self {
            Is::Text if text.is_empty() => Err(Trouble::BadValue("a string that is not empty".to_owned())),
            Is::Base64 if !base64::is_encoded(text) => Err(Trouble::BadValue("base64 data".to_owned())),
            Is::Items if value.as_array().is_some_and(Vec::is_empty) => {
                Err(Trouble::BadValue("an array with minimum length 1, but got an empty array instead".to_owned()))
            }
            Is::OneOf(names) if !names.contains(&text) => {
                let names: Vec<String> = names.iter().map(|name| format!("'{name}'")).collect();
                Err(Trouble::BadValue(format!("one of {}, but got '{text}' instead", names.join(", "))))
            }
            Is::Int(low, high) => within(low as f64, high as f64),
            Is::Number(low, high) => within(low, high),
            _ => Ok(()),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Is::Bool => "a boolean",
            Is::Str | Is::Text | Is::Base64 | Is::OneOf(_) => "a string",
            Is::Int(..) => "an integer",
            Is::Number(..) => "a number",
            Is::Object => "an object",
            Is::List | Is::Items => "an array",
            Is::StrOrList => "a string or an array of objects",
            Is::StrOrObject => "a string or an object",
            Is::Strs => "a string or an array of strings",
        }
    }
}
