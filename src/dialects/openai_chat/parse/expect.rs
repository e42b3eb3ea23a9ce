//! What a member has to be, and how a client is told that it is something else.

use crate::dialects::canonical::{Extra, Invalid};
use crate::json::Kind;
use crate::json::piece::{Raw, Text};
use crate::json::view::{Path, Value};
use std::borrow::Cow;

pub fn invalid(path: &Path<'_>, should: &str) -> Invalid {
    let param = path.to_string();
    let message = format!("'{param}' must be {should}.");
    Invalid { param, message: message.into() }
}

pub fn missing(path: &Path<'_>) -> Invalid {
    let param = path.to_string();
    let message = format!("'{param}' is missing.");
    Invalid { param, message: message.into() }
}

pub fn text<'a>(value: Value<'a>, path: &Path<'_>) -> Result<Text<'a>, Invalid> {
    value.text().ok_or_else(|| invalid(path, "a string"))
}

pub fn number<'a>(value: Value<'a>, path: &Path<'_>) -> Result<Raw<'a>, Invalid> {
    if value.kind() == Kind::Number { Ok(value.raw()) } else { Err(invalid(path, "a number")) }
}

pub fn whole(value: Value<'_>, path: &Path<'_>) -> Result<u64, Invalid> {
    value.u64().ok_or_else(|| invalid(path, "a whole number"))
}

pub fn flag(value: Value<'_>, path: &Path<'_>) -> Result<bool, Invalid> {
    value.bool().ok_or_else(|| invalid(path, "true or false"))
}

pub fn object<'a>(value: Value<'a>, path: &Path<'_>) -> Result<Value<'a>, Invalid> {
    if value.kind() == Kind::Object { Ok(value) } else { Err(invalid(path, "an object")) }
}

pub fn array<'a>(value: Value<'a>, path: &Path<'_>) -> Result<Value<'a>, Invalid> {
    if value.kind() == Kind::Array { Ok(value) } else { Err(invalid(path, "an array")) }
}

/// A member that is not null: for the client null is as good as nothing.
pub fn some(value: Value<'_>) -> Option<Value<'_>> {
    (!value.is_null()).then_some(value)
}

/// What may be absent, null, or as `read` wants it.
pub fn maybe<'a, T>(
    value: Option<Value<'a>>,
    path: &Path<'_>,
    read: impl FnOnce(Value<'a>, &Path<'_>) -> Result<T, Invalid>,
) -> Result<Option<T>, Invalid> {
    value.map(|value| read(value, path)).transpose()
}

/// The same of a member of the root. Most are absent, which costs nothing but the look.
#[inline(always)]
pub fn maybe_at_root<'a, T>(
    value: Option<Value<'a>>,
    name: &str,
    read: impl FnOnce(Value<'a>, &Path<'_>) -> Result<T, Invalid>,
) -> Result<Option<T>, Invalid> {
    match value {
        None => Ok(None),
        Some(value) => read(value, &Path::Root.member(name)).map(Some),
    }
}

/// What has to be there.
pub fn needed<'a>(value: Option<Value<'a>>, path: &Path<'_>) -> Result<Value<'a>, Invalid> {
    value.ok_or_else(|| missing(path))
}

/// A name of a member, as text.
pub fn name_text<'a>(name: Cow<'a, [u8]>) -> Cow<'a, str> {
    match name {
        Cow::Borrowed(name) => String::from_utf8_lossy(name),
        Cow::Owned(name) => Cow::Owned(String::from_utf8_lossy(&name).into_owned()),
    }
}

/// A member below the root that only some know.
pub fn extra<'a>(path: &Path<'_>, name: &[u8], value: Value<'a>, is_hint: bool) -> Extra<'a> {
    let name = String::from_utf8_lossy(name);
    Extra { param: path.member(&name).to_string().into(), value: value.raw(), is_hint }
}
