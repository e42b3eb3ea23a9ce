//! Schemas with an `anyOf` or `oneOf`.

use super::adapter::{Adapter, Piece, Stop, Wanted};
use super::flat::Flat;
use super::place::Place;
use crate::json::Kind;
use crate::json::view::Value;

impl<'s> Adapter<'s, '_> {
    /// Writes the members of a schema that is one of several.
    pub fn alternatives(
        &mut self,
        pieces: &[Piece<'s>],
        flat: &Flat<'s>,
        (name, choices): (&'static str, Value<'s>),
        wanted: Wanted,
        place: &Place<'_>,
    ) -> Result<(), Stop<'s>> {
        let google = self.shape.google;
        let mut null = wanted.null || flat.nullable;
        let mut others = Vec::new();
        for (index, choice) in choices.elements().enumerate() {
            match google && is_null(choice) {
                true => null = true,
                false => {
                    null &= google || !is_null(choice);
                    others.push((index, choice));
                }
            }
        }
        let base: Vec<Piece<'s>> = match (google, flat.constrains_beside(choices)) {
            (true, _) => pieces.to_vec(),
            // What only explains stays outside.
            (false, true) => pieces.iter().map(|piece| Piece { bare: true, ..*piece }).collect(),
            (false, false) => Vec::new(),
        };
        let choosing = self.choosing.len();
        self.choosing.extend_from_slice(&flat.starts);
        self.skipped.push(choices.span().start);
        let parent = place.below(name);
        if others.is_empty() {
            match null && google {
                true => drop(self.json().name("type").string("NULL")),
                false => return Err(Stop::Nothing),
            }
        } else if let Some((all, whole, index)) = self.only_choice(pieces, &others, google || !null)? {
            self.members(&all, &whole, Wanted { null, ..wanted }, &Place::At(&parent, index))?;
        } else {
            if name == "oneOf" && others.len() > 1 {
                self.adapted(name, place, "lets more than one match");
            }
            self.json().name("anyOf").open_array();
            let mut is_empty = true;
            for (index, choice) in &others {
                let all: Vec<_> = [Piece::of(*choice)].into_iter().chain(base.iter().copied()).collect();
                let inner = Wanted { null: google && null, ..wanted };
                is_empty &= !self.try_schema(&all, inner, &Place::At(&parent, *index))?;
            }
            if null && !google {
                self.json().open_object().name("type").string("null").close_object();
            } else if is_empty {
                return Err(Stop::Nothing);
            }
            self.json().close_array();
            if !google {
                self.hints(flat, place);
            }
        }
        self.skipped.pop();
        self.choosing.truncate(choosing);
        Ok(())
    }

    /// A single choice and the rest of the schema, as one: it need not be a choice, unless it is part of itself.
    fn only_choice(
        &mut self,
        pieces: &[Piece<'s>],
        choices: &[(usize, Value<'s>)],
        may_merge: bool,
    ) -> Result<Option<Merged<'s>>, Stop<'s>> {
        let [(index, only)] = choices else { return Ok(None) };
        if !may_merge {
            return Ok(None);
        }
        let all: Vec<_> = pieces.iter().copied().chain([Piece::of(*only)]).collect();
        match self.flatten(&all) {
            Err(Stop::Recursive(_)) if self.shape.references => Ok(None),
            whole => Ok(Some((all, whole?, *index))),
        }
    }

    /// Writes a schema unless nothing is valid with it; says whether it did.
    pub fn try_schema(&mut self, pieces: &[Piece<'s>], wanted: Wanted, place: &Place<'_>) -> Result<bool, Stop<'s>> {
        let (bytes, depth, levels) = (self.json().out.len(), self.depth, self.levels);
        let (within, skipped, choosing) = (self.within.len(), self.skipped.len(), self.choosing.len());
        let noted = self.notes.notes.len();
        match self.schema(pieces, wanted, place) {
            Err(Stop::Nothing) => {
                self.json().out.truncate(bytes);
                (self.depth, self.levels) = (depth, levels);
                self.within.truncate(within);
                self.skipped.truncate(skipped);
                self.choosing.truncate(choosing);
                self.notes.notes.truncate(noted);
                Ok(false)
            }
            written => written.map(|()| true),
        }
    }
}

/// Schemas as one, and which of the choices is among them.
type Merged<'s> = (Vec<Piece<'s>>, Flat<'s>, usize);

/// Does a schema allow null alone?
fn is_null(schema: Value<'_>) -> bool {
    let only_null = |value: Value<'_>| match value.kind() {
        Kind::Array => {
            value.elements().next().is_some() && value.elements().all(|value| value.is_null() || value.says("null"))
        }
        _ => value.says("null"),
    };
    schema.get("type").is_some_and(only_null)
        || schema.get("const").is_some_and(Value::is_null)
        || schema
            .get("enum")
            .is_some_and(|values| values.elements().next().is_some() && values.elements().all(Value::is_null))
}
