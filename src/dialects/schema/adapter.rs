//! Writes a schema anew, keyword by keyword, as the table says.

use super::flat::Flat;
use super::keywords::{self, Form, Keyword, Rule, Values};
use super::place::Place;
use super::references::{Definition, RECURSIVE, lone_reference};
use super::types::{self, TypeSet};
use super::values::{self, Listed};
use super::{Shape, Subset, words};
use crate::dialects::canonical::Notes;
use crate::json::Kind;
use crate::json::view::Value;
use crate::json::write::Writer;
use crate::limits::{SCHEMA_BYTES_MAX, SCHEMA_DEPTH_MAX, SCHEMA_NOTES_MAX, SCHEMA_READ_BYTES_MAX};
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

/// Why a schema cannot be written.
#[derive(Debug)]
pub enum Stop<'s> {
    Refused(Cow<'static, str>),
    /// Nothing is valid with it: it may be left out where something else is.
    Nothing,
    /// It is part of itself by this reference.
    Recursive(Value<'s>),
}

impl Stop<'_> {
    pub fn refused(why: &'static str) -> Self {
        Stop::Refused(Cow::Borrowed(why))
    }

    fn why(self) -> Cow<'static, str> {
        match self {
            Stop::Refused(why) => why,
            Stop::Nothing => Cow::Borrowed("Nothing is valid with the schema."),
            Stop::Recursive(_) => Cow::Borrowed(RECURSIVE),
        }
    }
}

/// One of the schemas that hold together.
#[derive(Debug, Clone, Copy)]
pub struct Piece<'s> {
    pub value: Value<'s>,
    /// Only what constrains counts.
    pub bare: bool,
}

impl<'s> Piece<'s> {
    pub fn of(value: Value<'s>) -> Piece<'s> {
        Piece { value, bare: false }
    }
}

/// What a schema has to allow beside what it says.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    pub null: bool,
    /// These types only.
    pub only: TypeSet,
}

impl Default for Wanted {
    fn default() -> Self {
        Wanted { null: false, only: types::ALL }
    }
}

/// A schema on its way.
pub struct Adapter<'s, 'w> {
    pub root: Value<'s>,
    pub subset: Subset,
    pub shape: Shape,
    param: &'w str,
    pub notes: &'w mut Notes,
    noted: usize,
    pub out: &'w mut Vec<u8>,
    begin: usize,
    read_bytes: usize,
    pub depth: usize,
    /// Objects and arrays around the one that is written.
    pub levels: usize,
    /// Schemas that are being written, by where they begin.
    pub within: Vec<u32>,
    /// An `anyOf` whose choices are being written is no part of them.
    pub skipped: Vec<u32>,
    /// The schemas whose choices are being written.
    pub choosing: Vec<u32>,
    pub targets: HashMap<String, Value<'s>>,
    pub definitions: Vec<Definition<'s>>,
    pub definition_at: HashMap<u32, usize>,
    pub names: HashSet<String>,
    /// The definition that is being written.
    pub current: Option<usize>,
    spent: Spent,
}

/// What OpenAI limits. <https://platform.openai.com/docs/guides/structured-outputs#supported-schemas>
#[derive(Default)]
struct Spent {
    properties: usize,
    values: usize,
    text_bytes: usize,
}

const STRICT_LEVELS_MAX: usize = 10;
const STRICT_PROPERTIES_MAX: usize = 5_000;
const STRICT_VALUES_MAX: usize = 1_000;
const STRICT_TEXT_BYTES_MAX: usize = 120_000;

/// Appends the schema. After an error `out` and `notes` have to be cut back.
pub fn write(
    root: Value<'_>,
    subset: Subset,
    shape: Shape,
    param: &str,
    notes: &mut Notes,
    out: &mut Vec<u8>,
) -> Result<(), Cow<'static, str>> {
    if root.bytes().len() > SCHEMA_BYTES_MAX {
        return Err(Cow::Borrowed(TOO_LARGE));
    }
    let (noted, begin) = (notes.notes.len(), out.len());
    let mut adapter = Adapter {
        root,
        subset,
        shape,
        param,
        notes,
        noted,
        out,
        begin,
        read_bytes: 0,
        depth: 0,
        levels: 0,
        within: Vec::new(),
        skipped: Vec::new(),
        choosing: Vec::new(),
        targets: HashMap::new(),
        definitions: Vec::new(),
        definition_at: HashMap::new(),
        names: HashSet::new(),
        current: None,
        spent: Spent::default(),
    };
    adapter.whole().map_err(Stop::why)
}

const TOO_LARGE: &str = "The schema is too large, or grows too large where its references are followed.";

impl<'s> Adapter<'s, '_> {
    fn whole(&mut self) -> Result<(), Stop<'s>> {
        let pieces = [Piece::of(self.root)];
        let flat = self.flatten(&pieces)?;
        self.json().open_object();
        let inside = self.out.len();
        self.members(&pieces, &flat, Wanted::default(), &Place::Root)?;
        if self.shape.strict && !self.out[inside..].starts_with(b"\"type\":\"object\"") {
            return Err(Stop::refused("The root of the schema has to be an object for this model."));
        }
        self.write_definitions()?;
        self.json().close_object();
        Ok(())
    }

    pub fn json(&mut self) -> Writer<'_> {
        Writer::new(self.out)
    }

    /// Counts what is read again and again where references make a schema grow.
    pub fn look_at(&mut self, value: Value<'s>) -> Result<(), Stop<'s>> {
        self.read_bytes += value.bytes().len();
        match self.read_bytes > SCHEMA_READ_BYTES_MAX || self.out.len() - self.begin > SCHEMA_BYTES_MAX {
            true => Err(Stop::refused(TOO_LARGE)),
            false => Ok(()),
        }
    }

    /// Writes the schema that the pieces are together.
    pub fn schema(&mut self, pieces: &[Piece<'s>], wanted: Wanted, place: &Place<'_>) -> Result<(), Stop<'s>> {
        if self.shape.references
            && let [Piece { value, .. }] = pieces
            && let Some(reference) = lone_reference(*value)
        {
            return self.reference(reference, wanted.null);
        }
        self.object(pieces, wanted, place)
    }

    /// The same, but never as a reference unless it is part of itself.
    pub fn object(&mut self, pieces: &[Piece<'s>], wanted: Wanted, place: &Place<'_>) -> Result<(), Stop<'s>> {
        if self.depth >= SCHEMA_DEPTH_MAX {
            return Err(Stop::refused("The schema is nested too deeply."));
        }
        let flat = match self.flatten(pieces) {
            Err(Stop::Recursive(reference)) if self.shape.references => {
                self.adapted("$ref", place, "is recursive: what stands beside it is left out");
                return self.reference(reference, wanted.null);
            }
            flat => flat?,
        };
        self.depth += 1;
        self.json().open_object();
        self.members(pieces, &flat, wanted, place)?;
        self.json().close_object();
        self.depth -= 1;
        Ok(())
    }

    /// Writes what stands between the braces of a schema.
    pub fn members(
        &mut self,
        pieces: &[Piece<'s>],
        flat: &Flat<'s>,
        wanted: Wanted,
        place: &Place<'_>,
    ) -> Result<(), Stop<'s>> {
        if let Some(choice) = flat.alternatives() {
            return self.alternatives(pieces, flat, choice, wanted, place);
        }
        let mut said: Option<TypeSet> = None;
        for value in flat.values("type") {
            let Some(types) = types::said(*value) else {
                return Err(Stop::refused("A type of the schema is unknown."));
            };
            said = Some(said.unwrap_or(types::ALL) & types);
        }
        if wanted.only != types::ALL {
            said = Some(said.unwrap_or(types::ALL) & wanted.only);
        }
        if said == Some(0) {
            return Err(Stop::Nothing);
        }
        let may_be_null = wanted.null || flat.nullable;
        let listed = Listed::of(flat, said.map(|types| types | if may_be_null { types::NULL } else { 0 }))?;
        let types = said.or_else(|| self.inferred(flat, listed.as_ref()));
        if types.is_none() && self.shape.typed {
            return Err(Stop::refused("A schema has to say its type for this model."));
        }
        let types = types.map(|types| types | if may_be_null { types::NULL } else { 0 });

        let mut words = Vec::new();
        let is_text = self.listed_as_text(listed.as_ref());
        if self.shape.google && !is_text && types.is_some_and(|types| several(types & !types::NULL)) {
            return self.each_type(pieces, types.unwrap_or_default(), place);
        }
        self.types(types, is_text);
        if let Some(listed) = &listed {
            self.listed(listed, may_be_null, place, &mut words)?;
        }

        // What is below is neither a choice of an `anyOf` above nor a part of what is being merged.
        let before = self.within.len();
        let (skipped, choosing) = (std::mem::take(&mut self.skipped), std::mem::take(&mut self.choosing));
        self.within.extend(flat.starts.iter().chain(&choosing));
        let written = self.keywords(flat, types, is_text, place, &mut words);
        self.within.truncate(before);
        (self.skipped, self.choosing) = (skipped, choosing);
        written?;
        self.description(flat, &words);
        Ok(())
    }

    /// The type that a schema means which says none: that of its values, or the one that its keywords are about.
    fn inferred(&self, flat: &Flat<'s>, listed: Option<&Listed<'s>>) -> Option<TypeSet> {
        if !self.shape.typed && !self.shape.google {
            return None;
        }
        if let Some(listed) = listed {
            return Some(listed.types());
        }
        let about = |set: TypeSet| flat.said.iter().any(|said| said.keyword.constrains && said.keyword.about == set);
        [types::OBJECT, types::ARRAY, types::STRING, types::NUMBER].into_iter().find(|set| about(*set))
    }

    /// Google's enumerations are of strings.
    fn listed_as_text(&self, listed: Option<&Listed<'s>>) -> bool {
        let Some(listed) = listed.filter(|_| self.shape.google) else { return false };
        let mut values = listed.values.iter().filter(|value| !value.is_null()).peekable();
        values.peek().is_some() && values.all(|value| Values::StringsAndNumbers.take(*value))
    }

    fn types(&mut self, types: Option<TypeSet>, is_text: bool) {
        let Some(types) = types else { return };
        if self.shape.google {
            let name = match is_text {
                true => Some("STRING"),
                false => types::each(types & !types::NULL).next().map(|(_, _, google)| google),
            };
            self.json().name("type").string(name.unwrap_or("NULL"));
            if types & types::NULL != 0 && name.is_some() {
                self.json().name("nullable").bool(true);
            }
        } else if several(types) {
            self.json().name("type").open_array();
            for (_, json, _) in types::each(types) {
                self.json().string(json);
            }
            self.json().close_array();
        } else if let Some((_, json, _)) = types::each(types).next() {
            self.json().name("type").string(json);
        }
    }

    /// Several types are choices for Google, each with what is about it.
    fn each_type(&mut self, pieces: &[Piece<'s>], types: TypeSet, place: &Place<'_>) -> Result<(), Stop<'s>> {
        self.json().name("anyOf").open_array();
        let null = types & types::NULL != 0;
        for (only, ..) in types::each(types & !types::NULL) {
            self.try_schema(pieces, Wanted { null, only }, place)?;
        }
        self.json().close_array();
        Ok(())
    }

    /// `enum` or `const`.
    fn listed(
        &mut self,
        listed: &Listed<'s>,
        may_be_null: bool,
        place: &Place<'_>,
        words: &mut Vec<String>,
    ) -> Result<(), Stop<'s>> {
        let name = if listed.is_const { "const" } else { "enum" };
        let Some(keyword) = keywords::keyword(name.as_bytes()) else { return Ok(()) };
        let rule = keywords::rule(keyword, self.subset);
        let taken = match rule {
            Rule::Only(taken) => taken,
            _ => Values::StringsAndNumbers,
        };
        if listed.values.iter().any(|value| !taken.take(*value)) {
            let text = match &listed.values[..] {
                [only] if listed.is_const => words::compact(only.bytes()),
                _ => Cow::Owned(listed.text()),
            };
            self.describe_text(keyword, &text, place, words);
            return Ok(());
        }
        self.spent.values += listed.values.len();
        if self.shape.strict && self.spent.values > STRICT_VALUES_MAX {
            return Err(Stop::refused("The schema lists too many values for this model."));
        }
        self.spend_name(listed.values.iter().map(|value| value.bytes().len()).sum())?;
        if self.shape.google {
            let values = || listed.values.iter().filter(|value| !value.is_null());
            if values().next().is_none() {
                return Ok(());
            }
            self.json().name("format").string("enum").name("enum").open_array();
            for value in values() {
                match value.text() {
                    Some(text) => drop(self.json().text(&text)),
                    None => drop(self.json().string(&String::from_utf8_lossy(value.bytes()))),
                }
            }
            self.json().close_array();
            if values().any(|value| value.kind() == Kind::Number) {
                self.adapted(name, place, "lists strings instead of numbers");
            }
            return Ok(());
        }
        let adds_null = may_be_null && !listed.values.iter().any(|value| value.is_null());
        if let ([only], true, false, Rule::Only(_)) = (&listed.values[..], listed.is_const, adds_null, rule) {
            self.json().name("const").json(only.bytes());
            return Ok(());
        }
        self.json().name("enum").open_array();
        for value in &listed.values {
            self.json().json(value.bytes());
        }
        if adds_null {
            self.json().null();
        }
        self.json().close_array();
        Ok(())
    }

    /// Every keyword but those about types and values.
    fn keywords(
        &mut self,
        flat: &Flat<'s>,
        types: Option<TypeSet>,
        is_text: bool,
        place: &Place<'_>,
        words: &mut Vec<String>,
    ) -> Result<(), Stop<'s>> {
        let concerns = |keyword: &Keyword| types.is_none_or(|types| types & keyword.about != 0);
        let mut items_written = false;
        for said in &flat.said {
            let keyword = said.keyword;
            let rule = keywords::rule(keyword, self.subset);
            if !concerns(keyword) {
                continue;
            }
            match keyword.name {
                "type" | "enum" | "const" | "description" | "$defs" | "definitions" => continue,
                "then" | "else" if !flat.has("if") => continue,
                "format" if is_text => continue,
                "items" | "prefixItems" => {
                    if !std::mem::replace(&mut items_written, true) {
                        self.items(flat, place, words)?;
                    }
                    continue;
                }
                "properties" => continue,
                _ => {}
            }
            // Of bounds the narrower one, of the rest the first; what else is said is told.
            let narrower = values::narrower(keyword.name, &said.values);
            let (value, rest) = match (narrower, &said.values[..]) {
                (Some(value), _) => (value, &[][..]),
                (None, [value, rest @ ..]) => (*value, rest),
                (None, []) => continue,
            };
            match rule {
                Rule::Refuse(why) => return Err(Stop::refused(why)),
                _ if keyword.name == "required" || rule == Rule::As(Form::Closed) => continue,
                // Behind the properties.
                Rule::Keep if keyword.name == "additionalProperties" => continue,
                Rule::As(Form::Ordering) => continue,
                Rule::Keep => drop(self.json().name(keyword.name).json(value.bytes())),
                Rule::Only(taken) if taken.take(value) => drop(self.json().name(keyword.name).json(value.bytes())),
                Rule::Rename(name) => drop(self.json().name(name).json(value.bytes())),
                // Google's form has no other members than those that are listed.
                Rule::Drop if keyword.name == "additionalProperties" && value.kind() == Kind::False => {}
                Rule::Drop if words::says_nothing(keyword, value) => {}
                Rule::Drop => self.dropped(keyword, place),
                _ => self.describe(keyword, value, place, words),
            }
            for value in rest {
                self.describe(keyword, *value, place, words);
            }
        }
        if types.is_some_and(|types| types & types::ARRAY != 0) && self.shape.strict && !items_written {
            return Err(Stop::refused("An array has to say what its items are for this model."));
        }
        let is_object =
            types.map_or(flat.has("properties") || flat.has("required"), |types| types & types::OBJECT != 0);
        if is_object {
            self.members_of_object(flat, place, words)?;
        }
        let additional = flat.said.iter().find(|said| said.keyword.name == "additionalProperties");
        if let Some(said) = additional
            && concerns(said.keyword)
            && keywords::rule(said.keyword, self.subset) == Rule::Keep
        {
            self.additional(&said.values, place)?;
        }
        Ok(())
    }

    /// One more level of objects and arrays.
    pub fn enter(&mut self) -> Result<(), Stop<'s>> {
        self.levels += 1;
        match self.shape.strict && self.levels > STRICT_LEVELS_MAX {
            true => Err(Stop::refused("The schema is nested too deeply for this model.")),
            false => Ok(()),
        }
    }

    /// What explains a schema, where its keywords are written elsewhere.
    pub fn hints(&mut self, flat: &Flat<'s>, place: &Place<'_>) {
        let mut words = Vec::new();
        for said in flat.said.iter().filter(|said| !said.keyword.constrains && said.keyword.name != "description") {
            let Some(value) = said.values.first() else { continue };
            match keywords::rule(said.keyword, self.subset) {
                _ if matches!(said.keyword.name, "$defs" | "definitions" | "propertyOrdering") => {}
                Rule::Keep => drop(self.json().name(said.keyword.name).json(value.bytes())),
                Rule::Describe => self.describe(said.keyword, *value, place, &mut words),
                _ => {}
            }
        }
        self.description(flat, &words);
    }

    fn description(&mut self, flat: &Flat<'s>, words: &[String]) {
        let own = flat.values("description").first().and_then(|value| value.text());
        match (own, words) {
            (None, []) => {}
            (Some(own), []) => drop(self.json().name("description").text(&own)),
            (own, words) => {
                let own = own.map_or(String::new(), |own| format!("{} ", own.decoded()));
                let said = format!("{own}({})", words.join("; "));
                self.json().name("description").string(&said);
            }
        }
    }

    pub fn describe(
        &mut self,
        keyword: &'static Keyword,
        value: Value<'s>,
        place: &Place<'_>,
        words: &mut Vec<String>,
    ) {
        if let Some(none) = words::none(keyword, value) {
            words.push(none);
            self.adapted(keyword.name, place, "is told in the description");
        } else if !words::says_nothing(keyword, value) {
            self.describe_text(keyword, &words::value(keyword, value), place, words);
        }
    }

    pub fn describe_text(&mut self, keyword: &'static Keyword, text: &str, place: &Place<'_>, words: &mut Vec<String>) {
        match words::told(keyword, text) {
            Some(told) => {
                words.push(told);
                if keyword.constrains {
                    self.adapted(keyword.name, place, "is told in the description");
                }
            }
            None => self.dropped(keyword, place),
        }
    }

    fn dropped(&mut self, keyword: &Keyword, place: &Place<'_>) {
        if keyword.constrains {
            self.adapted(keyword.name, place, "is left out");
        }
    }

    /// Notes what is weaker now than the client has it.
    pub fn adapted(&mut self, keyword: &str, place: &Place<'_>, what: &str) {
        let says = match self.notes.notes.len() - self.noted {
            SCHEMA_NOTES_MAX.. => return,
            count if count + 1 == SCHEMA_NOTES_MAX => "More of the schema is adapted.".to_owned(),
            _ => format!("{keyword} at {} {what}.", place.shown()),
        };
        self.notes.adapted(self.param.to_owned(), says);
    }

    /// Counts the properties that OpenAI limits.
    pub fn spend_property(&mut self, name_bytes: usize) -> Result<(), Stop<'s>> {
        self.spent.properties += 1;
        match self.shape.strict && self.spent.properties > STRICT_PROPERTIES_MAX {
            true => Err(Stop::refused("The schema has too many properties for this model.")),
            false => self.spend_name(name_bytes),
        }
    }

    /// Counts the names and values that OpenAI limits.
    pub fn spend_name(&mut self, bytes: usize) -> Result<(), Stop<'s>> {
        self.spent.text_bytes += bytes;
        match self.shape.strict && self.spent.text_bytes > STRICT_TEXT_BYTES_MAX {
            true => Err(Stop::refused("The names and values of the schema are too long for this model.")),
            false => Ok(()),
        }
    }
}

/// More than one type, a number being one.
fn several(types: TypeSet) -> bool {
    types::each(types).nth(1).is_some()
}
