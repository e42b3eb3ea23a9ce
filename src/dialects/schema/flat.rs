//! A schema, the parts of its `allOf` and what it refers to as one list of keywords.

use super::adapter::{Adapter, Piece, Stop};
use super::keywords::{self, Keyword};
use crate::json::Kind;
use crate::json::view::Value;
use crate::limits::{SCHEMA_DEPTH_MAX, SCHEMA_KEYWORDS_MAX};
use std::borrow::Cow;

/// A keyword, and what the parts say with it that differs. Of a hint only the first counts.
pub struct Said<'s> {
    pub keyword: &'static Keyword,
    pub values: Vec<Value<'s>>,
}

/// Keywords that hold together.
#[derive(Default)]
pub struct Flat<'s> {
    pub said: Vec<Said<'s>>,
    /// Where the schemas begin that it is made of.
    pub starts: Vec<u32>,
    /// OpenAPI's `nullable`.
    pub nullable: bool,
}

impl<'s> Flat<'s> {
    pub fn values(&self, name: &str) -> &[Value<'s>] {
        self.said.iter().find(|said| said.keyword.name == name).map_or(&[], |said| &said.values)
    }

    pub fn has(&self, name: &str) -> bool {
        !self.values(name).is_empty()
    }

    /// The first `anyOf` or `oneOf`.
    pub fn alternatives(&self) -> Option<(&'static str, Value<'s>)> {
        let said = self.said.iter().find(|said| matches!(said.keyword.name, "anyOf" | "oneOf"))?;
        Some((said.keyword.name, *said.values.first()?))
    }

    /// Does anything beside an `anyOf` or `oneOf` constrain?
    pub fn constrains_beside(&self, alternatives: Value<'s>) -> bool {
        let start = alternatives.span().start;
        self.said
            .iter()
            .any(|said| said.keyword.constrains && said.values.iter().any(|value| value.span().start != start))
    }

    fn push(&mut self, keyword: &'static Keyword, value: Value<'s>) {
        match self.said.iter_mut().find(|said| said.keyword.name == keyword.name) {
            None => self.said.push(Said { keyword, values: vec![value] }),
            Some(said) => {
                if keyword.constrains && said.values.iter().all(|known| known.bytes() != value.bytes()) {
                    said.values.push(value);
                }
            }
        }
    }
}

impl<'s> Adapter<'s, '_> {
    /// # Errors
    /// A reference leads to a schema that this one is part of, or nothing is valid, or it cannot be read.
    pub fn flatten(&mut self, pieces: &[Piece<'s>]) -> Result<Flat<'s>, Stop<'s>> {
        let mut flat = Flat::default();
        for piece in pieces {
            self.add(*piece, 0, &mut flat)?;
        }
        Ok(flat)
    }

    fn add(&mut self, piece: Piece<'s>, depth: usize, flat: &mut Flat<'s>) -> Result<(), Stop<'s>> {
        match piece.value.kind() {
            Kind::True => return Ok(()),
            Kind::False => return Err(Stop::Nothing),
            Kind::Object => {}
            _ => return Err(Stop::refused("A schema has to be an object or a boolean.")),
        }
        let start = piece.value.span().start;
        if flat.starts.contains(&start) {
            return Ok(());
        }
        if flat.starts.len() >= SCHEMA_KEYWORDS_MAX || depth > SCHEMA_DEPTH_MAX {
            return Err(Stop::refused("The schema has too many parts that hold together."));
        }
        self.look_at(piece.value)?;
        flat.starts.push(start);
        let members = members(piece.value)?;
        let get = |name: &str| members.iter().find(|(found, _)| **found == *name.as_bytes()).map(|(_, value)| *value);
        let is_tuple = get("items").is_some_and(|items| items.kind() == Kind::Array);
        for (name, value) in &members {
            let Some(row) = keywords::keyword(name) else { continue };
            // Draft 4 spells a few things in another way.
            let row = match row.name {
                "$ref" | "allOf" => continue,
                "nullable" => {
                    flat.nullable |= !piece.bare && value.kind() == Kind::True;
                    continue;
                }
                "items" if is_tuple => keywords::keyword(b"prefixItems"),
                "additionalItems" if is_tuple => keywords::keyword(b"items"),
                "additionalItems" => continue,
                "exclusiveMinimum" | "exclusiveMaximum" if value.bool().is_some() => continue,
                "minimum" if get("exclusiveMinimum").and_then(Value::bool) == Some(true) => {
                    keywords::keyword(b"exclusiveMinimum")
                }
                "maximum" if get("exclusiveMaximum").and_then(Value::bool) == Some(true) => {
                    keywords::keyword(b"exclusiveMaximum")
                }
                "anyOf" | "oneOf" if self.skipped.contains(&value.span().start) => continue,
                // Members that are null stand for none, but where null is a value.
                "const" | "default" | "example" => Some(row),
                _ if value.is_null() => continue,
                _ => Some(row),
            };
            if let Some(row) = row.filter(|row| row.constrains || !piece.bare) {
                flat.push(row, *value);
            }
        }
        // Last, so that what stands beside a reference comes first.
        for part in get("allOf").into_iter().flat_map(Value::elements) {
            self.add(Piece { value: part, ..piece }, depth + 1, flat)?;
        }
        if let Some(reference) = get("$ref").filter(|reference| !reference.is_null()) {
            let value = self.target(reference)?;
            if self.within.contains(&value.span().start) {
                return Err(Stop::Recursive(reference));
            }
            self.add(Piece { value, ..piece }, depth + 1, flat)?;
        }
        Ok(())
    }
}

type Member<'s> = (Cow<'s, [u8]>, Value<'s>);

/// The members of a schema, the last of each name.
fn members<'s>(schema: Value<'s>) -> Result<Vec<Member<'s>>, Stop<'s>> {
    let mut members: Vec<Member<'s>> = Vec::new();
    for (name, value) in schema.members() {
        if let Some((_, before)) = members.iter_mut().find(|(known, _)| *known == name) {
            *before = value;
        } else if members.len() < SCHEMA_KEYWORDS_MAX {
            members.push((name, value));
        } else {
            return Err(Stop::refused("A schema has too many keywords."));
        }
    }
    Ok(members)
}
