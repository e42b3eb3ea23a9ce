//! What an array has: items of one kind, or of several in order.

use super::adapter::{Adapter, Piece, Stop, Wanted};
use super::flat::Flat;
use super::keywords::{self, Rule};
use super::place::Place;
use crate::json::Kind;
use crate::json::view::Value;
use std::collections::HashSet;

impl<'s> Adapter<'s, '_> {
    pub fn items(&mut self, flat: &Flat<'s>, place: &Place<'_>, words: &mut Vec<String>) -> Result<(), Stop<'s>> {
        self.enter()?;
        let items = flat.values("items");
        if let Some((tuple, others)) = flat.values("prefixItems").split_first()
            && let Some(keyword) = keywords::keyword(b"prefixItems")
        {
            others.iter().for_each(|other| self.describe(keyword, *other, place, words));
            let is_closed = items.iter().any(|value| value.kind() == Kind::False);
            let more = items.iter().filter(|value| value.kind() == Kind::Object);
            if keywords::rule(keyword, self.subset) == Rule::Keep {
                self.json().name("prefixItems").open_array();
                for (index, item) in tuple.elements().enumerate() {
                    let parent = place.below("prefixItems");
                    self.schema(&[Piece::of(item)], Wanted::default(), &Place::At(&parent, index))?;
                }
                self.json().close_array();
                let more: Vec<_> = more.map(|value| Piece::of(*value)).collect();
                if !more.is_empty() {
                    self.json().name("items");
                    self.schema(&more, Wanted::default(), &place.below("items"))?;
                }
            } else {
                self.describe(keyword, *tuple, place, words);
                let mut kinds: Vec<Value<'s>> = Vec::new();
                let mut seen = HashSet::new();
                for item in tuple.elements().chain(more.copied()) {
                    if seen.insert(item.bytes()) {
                        kinds.push(item);
                    }
                }
                if let [only] = &kinds[..] {
                    self.json().name("items");
                    self.schema(&[Piece::of(*only)], Wanted::default(), &place.below("prefixItems"))?;
                } else if !kinds.is_empty() {
                    self.json().name("items").open_object().name("anyOf").open_array();
                    for (index, kind) in kinds.iter().enumerate() {
                        let parent = place.below("prefixItems");
                        self.schema(&[Piece::of(*kind)], Wanted::default(), &Place::At(&parent, index))?;
                    }
                    self.json().close_array().close_object();
                }
            }
            let count = tuple.elements().count() as u64;
            let takes_bound = keywords::keyword(b"maxItems")
                .is_some_and(|keyword| keywords::rule(keyword, self.subset) == Rule::Keep);
            if is_closed && takes_bound && !flat.has("maxItems") {
                self.json().name("maxItems").number(count);
            }
        } else {
            let pieces: Vec<_> = items.iter().map(|value| Piece::of(*value)).collect();
            self.json().name("items");
            self.schema(&pieces, Wanted::default(), &place.below("items"))?;
        }
        self.levels -= 1;
        Ok(())
    }
}
