//! References: what they lead to, and the definitions that an adapted schema ends with.

use super::adapter::{Adapter, Piece, Stop, Wanted};
use super::place::Place;
use crate::json::Kind;
use crate::json::view::Value;
use std::borrow::Cow;

/// A schema that is referred to.
pub struct Definition<'s> {
    name: String,
    value: Value<'s>,
    /// Definitions that it refers to.
    refers: Vec<usize>,
}

impl<'s> Adapter<'s, '_> {
    /// The schema that a reference leads to.
    pub fn target(&mut self, reference: Value<'s>) -> Result<Value<'s>, Stop<'s>> {
        let Some(text) = reference.text() else { return Err(Stop::refused("A reference has to be a string.")) };
        let text = text.decoded();
        if let Some(target) = self.targets.get(&*text) {
            return Ok(*target);
        }
        let Some(pointer) = text.strip_prefix('#') else {
            return Err(Stop::refused("The schema refers to another document."));
        };
        if !pointer.is_empty() && !pointer.starts_with('/') {
            return Err(Stop::refused("The schema refers to an anchor; only references by path are followed."));
        }
        let mut at = self.root;
        for step in pointer.split('/').skip(1) {
            self.look_at(at)?;
            let step = step_name(step);
            let next = match at.kind() {
                Kind::Array => step.parse().ok().and_then(|index| at.elements().nth(index)),
                _ => at.get(&step),
            };
            let Some(next) = next else { return Err(Stop::refused("A reference of the schema leads nowhere.")) };
            at = next;
        }
        self.targets.insert(text.into_owned(), at);
        Ok(at)
    }

    /// Writes a reference as an object of its own.
    pub fn reference(&mut self, reference: Value<'s>, null: bool) -> Result<(), Stop<'s>> {
        let target = self.target(reference)?;
        let path = if target.span().start == self.root.span().start {
            if !self.shape.recursion {
                return Err(Stop::refused(RECURSIVE));
            }
            "#".to_owned()
        } else {
            let definition = self.definition(target, reference);
            if let Some(current) = self.current {
                self.definitions[current].refers.push(definition);
            }
            format!("#/$defs/{}", self.definitions[definition].name)
        };
        if null {
            self.json().open_object().name("anyOf").open_array();
        }
        self.json().open_object().name("$ref").string(&path).close_object();
        if null {
            self.json().open_object().name("type").string("null").close_object().close_array().close_object();
        }
        Ok(())
    }

    fn definition(&mut self, target: Value<'s>, reference: Value<'s>) -> usize {
        let start = target.span().start;
        if let Some(place) = self.definition_at.get(&start) {
            return *place;
        }
        let text = reference.text().unwrap_or_default();
        let text = text.decoded();
        let last = step_name(text.rsplit('/').next().unwrap_or_default());
        let fitting = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-' | '.');
        let base: String = last.chars().map(|letter| if fitting(letter) { letter } else { '_' }).take(64).collect();
        let mut name = base.clone();
        let mut number = 1;
        while !self.names.insert(name.clone()) {
            number += 1;
            name = format!("{base}_{number}");
        }
        let place = self.definitions.len();
        self.definitions.push(Definition { name, value: target, refers: Vec::new() });
        self.definition_at.insert(start, place);
        place
    }

    /// Writes `$defs`: all that was referred to, and what that refers to.
    pub fn write_definitions(&mut self) -> Result<(), Stop<'s>> {
        if self.definitions.is_empty() {
            return Ok(());
        }
        self.json().name("$defs").open_object();
        let mut place = 0;
        while place < self.definitions.len() {
            let Definition { name, value, .. } = &self.definitions[place];
            let (name, value) = (name.clone(), *value);
            self.spend_name(name.len())?;
            self.current = Some(place);
            self.json().any_name(&name);
            // As a schema of its own: a definition that is a reference is followed.
            self.within.clear();
            self.object(&[Piece::of(value)], Wanted::default(), &Place::Root.below("$defs").below(&name))?;
            place += 1;
        }
        self.json().close_object();
        if !self.shape.recursion && self.is_recursive() {
            return Err(Stop::refused(RECURSIVE));
        }
        Ok(())
    }

    /// Does a definition lead to itself? Those that lead nowhere else are taken away until none is left.
    fn is_recursive(&self) -> bool {
        let mut leads: Vec<usize> = self.definitions.iter().map(|definition| definition.refers.len()).collect();
        let mut from: Vec<Vec<usize>> = vec![Vec::new(); leads.len()];
        for (place, definition) in self.definitions.iter().enumerate() {
            definition.refers.iter().for_each(|target| from[*target].push(place));
        }
        let mut free: Vec<usize> = (0..leads.len()).filter(|place| leads[*place] == 0).collect();
        let mut taken = 0;
        while let Some(place) = free.pop() {
            taken += 1;
            for before in &from[place] {
                leads[*before] -= 1;
                if leads[*before] == 0 {
                    free.push(*before);
                }
            }
        }
        taken < leads.len()
    }
}

pub const RECURSIVE: &str = "The model takes no recursive schema.";

/// The reference of a schema that is nothing else.
pub fn lone_reference(schema: Value<'_>) -> Option<Value<'_>> {
    let mut reference = None;
    for (name, value) in schema.members() {
        match &*name {
            b"$ref" => reference = Some(value),
            b"$defs" | b"definitions" | b"$schema" | b"$id" | b"id" | b"$comment" | b"$anchor" => {}
            _ => return None,
        }
    }
    reference.filter(|reference| !reference.is_null())
}

/// What a step of a pointer names: `~1` is a slash, `%20` a blank in the fragment of a URL.
fn step_name(step: &str) -> Cow<'_, str> {
    if !step.contains(['~', '%']) {
        return Cow::Borrowed(step);
    }
    let mut bytes = Vec::with_capacity(step.len());
    let mut rest = step.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = |at: usize| after.get(at).and_then(|digit| char::from(*digit).to_digit(16));
        match (first, hex(0), hex(1)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push((high * 16 + low) as u8);
                rest = &after[2..];
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    Cow::Owned(String::from_utf8_lossy(&bytes).replace("~1", "/").replace("~0", "~"))
}
