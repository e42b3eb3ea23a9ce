//! What an object has: its properties, which of them are required, and whether there may be others.

use super::adapter::{Adapter, Piece, Stop, Wanted};
use super::flat::Flat;
use super::keywords;
use super::place::Place;
use crate::json::Kind;
use crate::json::view::Value;
use crate::json::write::Writer;
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

impl<'s> Adapter<'s, '_> {
    /// `properties`, and which of them are required.
    pub fn members_of_object(
        &mut self,
        flat: &Flat<'s>,
        place: &Place<'_>,
        words: &mut Vec<String>,
    ) -> Result<(), Stop<'s>> {
        let mut properties: Vec<(Cow<'s, [u8]>, Vec<Piece<'s>>)> = Vec::new();
        let mut known: HashMap<Cow<'s, [u8]>, usize> = HashMap::new();
        for part in flat.values("properties") {
            for (name, value) in part.members() {
                match known.get(&name) {
                    Some(at) => properties[*at].1.push(Piece::of(value)),
                    None => {
                        known.insert(name.clone(), properties.len());
                        properties.push((name, vec![Piece::of(value)]));
                    }
                }
            }
        }
        let mut required: Vec<Cow<'s, [u8]>> = Vec::new();
        let mut seen = HashSet::new();
        for name in flat.values("required").iter().flat_map(|names| names.elements()).filter_map(Value::text) {
            let name: Cow<'s, [u8]> = Cow::Owned(name.decoded().into_owned().into_bytes());
            if seen.insert(name.clone()) {
                required.push(name);
            }
        }
        let said_of_others = || flat.values("additionalProperties").iter().chain(flat.values("unevaluatedProperties"));
        if self.shape.closed {
            let is_closed = said_of_others().any(|value| value.kind() == Kind::False);
            // No properties listed is how tools without input are written.
            let lists = is_closed || flat.has("properties") && said_of_others().next().is_none();
            if properties.is_empty() && (!lists || flat.has("patternProperties")) {
                return Err(Stop::refused("An object has to list its members for this model."));
            }
            if !is_closed && said_of_others().next().is_some() {
                self.adapted("additionalProperties", place, "is false for this model");
            }
        }

        let mut written: Vec<Cow<'s, [u8]>> = Vec::new();
        let mut has_optional = false;
        if flat.has("properties") || self.shape.all_required {
            self.enter()?;
            self.json().name("properties").open_object();
            for (name, pieces) in properties {
                let is_required = seen.contains(&name);
                let null = self.shape.all_required && !is_required;
                let text = String::from_utf8_lossy(&name).into_owned();
                self.spend_property(name.len())?;
                let bytes = self.out.len();
                self.json().any_name(&text);
                let parent = place.below("properties");
                let wanted = Wanted { null, ..Wanted::default() };
                if self.try_schema(&pieces, wanted, &parent.below(&text))? {
                    has_optional |= null;
                    written.push(name);
                } else if is_required {
                    return Err(Stop::Nothing);
                } else {
                    // A property that may not be there.
                    self.out.truncate(bytes);
                    if !self.shape.closed {
                        self.adapted("properties", &parent.below(&text), "is left out, though it may not be present");
                    }
                }
            }
            self.json().close_object();
            self.levels -= 1;
        }
        if self.shape.google && !written.is_empty() {
            self.ordering(flat, &written);
        }
        let has: HashSet<_> = written.iter().collect();
        let (named, missing): (Vec<_>, Vec<_>) = required.into_iter().partition(|name| has.contains(name));
        let names = if self.shape.all_required { written.clone() } else { named };
        if !names.is_empty() || self.shape.all_required {
            self.json().name("required").open_array();
            for name in &names {
                self.json().string(&String::from_utf8_lossy(name));
            }
            self.json().close_array();
        }
        if !missing.is_empty()
            && let Some(keyword) = keywords::keyword(b"required")
        {
            let mut text = Vec::new();
            let mut list = Writer::new(&mut text);
            list.open_array();
            for name in &missing {
                list.string(&String::from_utf8_lossy(name));
            }
            list.close_array();
            self.describe_text(keyword, &String::from_utf8_lossy(&text), place, words);
        }
        if has_optional {
            self.adapted("required", place, "names all properties: those that were optional may be null");
        }
        if self.shape.closed {
            self.json().name("additionalProperties").bool(false);
        }
        Ok(())
    }

    /// Google's `propertyOrdering`: as the client has it, then as the properties stand.
    fn ordering(&mut self, flat: &Flat<'s>, written: &[Cow<'s, [u8]>]) {
        let said = flat.values("propertyOrdering").iter().flat_map(|names| names.elements()).filter_map(Value::text);
        let said = said.map(|name| Cow::Owned(name.decoded().into_owned().into_bytes()));
        let known: HashSet<&Cow<'s, [u8]>> = written.iter().collect();
        let mut ordered = HashSet::new();
        self.json().name("propertyOrdering").open_array();
        for name in said.filter(|name| known.contains(name)).chain(written.iter().cloned()) {
            if ordered.insert(name.clone()) {
                self.json().string(&String::from_utf8_lossy(&name));
            }
        }
        self.json().close_array();
    }

    /// `additionalProperties`, where it may be anything.
    pub fn additional(&mut self, all: &[Value<'s>], place: &Place<'_>) -> Result<(), Stop<'s>> {
        if all.iter().any(|value| value.kind() == Kind::False) {
            self.json().name("additionalProperties").bool(false);
            return Ok(());
        }
        let pieces: Vec<_> =
            all.iter().filter(|value| value.kind() != Kind::True).map(|value| Piece::of(*value)).collect();
        self.json().name("additionalProperties");
        if pieces.is_empty() {
            self.json().bool(true);
        } else if !self.try_schema(&pieces, Wanted::default(), &place.below("additionalProperties"))? {
            self.json().bool(false);
        }
        Ok(())
    }
}
