//! The table: every keyword, what it holds, and what becomes of it in each subset.
//!
//! A row without a rule for a subset does not compile. A keyword that is in no row means nothing to JSON Schema; where a schema is
//! written anew it is left out.

use super::types::{self, TypeSet};
use super::{SUBSETS, Subset, Way};
use std::fmt::Write as _;

/// What becomes of a keyword.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    Keep,
    /// Kept with such values; otherwise told in the description.
    Only(Values),
    /// Kept under another name.
    Rename(&'static str),
    /// Said in another way.
    As(Form),
    /// What it refers to, or its parts, become part of the schema that it stands in.
    Inline,
    /// Told in the description, in words.
    Describe,
    /// Left out, and noted if it constrains.
    Drop,
    /// The schema is refused, for this reason.
    Refuse(&'static str),
}

/// Values that a subset takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Values {
    Formats(&'static [&'static str]),
    ZeroOrOne,
    /// No objects and arrays.
    Scalars,
    /// Strings, numbers and null.
    StringsAndNumbers,
    /// Regular expressions without groups of special meaning, references, counts and word boundaries.
    PlainPatterns,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Google's names of types, `nullable`, an `anyOf` of several.
    GoogleTypes,
    /// `additionalProperties: false`, whatever was said.
    Closed,
    /// All properties; those that were optional may be null.
    AllRequired,
    /// An `enum` of one.
    EnumOfOne,
    /// An `enum` of strings.
    EnumOfStrings,
    /// `null` among the types.
    NullType,
    /// `items` that may be any of them, their order in words.
    AnyItem,
    /// The order of the properties, or the client's.
    Ordering,
}

/// What a keyword holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    Value,
    Schema,
    /// By name.
    Schemas,
    List,
}

/// A row.
#[derive(Debug)]
pub struct Keyword {
    pub name: &'static str,
    pub holds: Holds,
    /// It decides what is valid; without it more is.
    pub constrains: bool,
    /// Types that it concerns; for others it means nothing.
    pub about: TypeSet,
    /// How it is told, with its value for `{}`.
    pub words: &'static str,
    /// In the order of [`ADAPTED`].
    rules: [Rule; ADAPTED.len()],
}

/// Subsets that change anything.
pub const ADAPTED: [Subset; 7] = [
    Subset::OpenAiStrict,
    Subset::Anthropic,
    Subset::Bedrock,
    Subset::GeminiJson,
    Subset::GeminiOpenApi,
    Subset::Cohere,
    Subset::Mistral,
];

/// The rule for a keyword.
pub fn rule(keyword: &Keyword, subset: Subset) -> Rule {
    let place = ADAPTED.iter().position(|adapted| *adapted == subset);
    place.map_or(Rule::Keep, |place| keyword.rules[place])
}

/// The row of a keyword.
pub fn keyword(name: &[u8]) -> Option<&'static Keyword> {
    KEYWORDS.iter().find(|keyword| keyword.name.as_bytes() == name)
}

const fn row(
    name: &'static str,
    holds: Holds,
    about: TypeSet,
    words: &'static str,
    rules: [Rule; ADAPTED.len()],
) -> Keyword {
    Keyword { name, holds, constrains: true, about, words, rules }
}

/// A keyword that does not decide what is valid.
const fn hint(name: &'static str, words: &'static str, rules: [Rule; ADAPTED.len()]) -> Keyword {
    Keyword { name, holds: Holds::Value, constrains: false, about: types::ALL, words, rules }
}

// Of the same width, so that the table can be read.
const KEEP: Rule = Rule::Keep;
const SAID: Rule = Rule::Describe;
const DROP: Rule = Rule::Drop;
const INTO: Rule = Rule::Inline;
const SHUT: Rule = Rule::As(Form::Closed);
const FULL: Rule = Rule::As(Form::AllRequired);
const NULL: Rule = Rule::As(Form::NullType);
const ONE_: Rule = Rule::As(Form::EnumOfOne);
const TUPL: Rule = Rule::As(Form::AnyItem);
const ZERO: Rule = Rule::Only(Values::ZeroOrOne);
const FLAT: Rule = Rule::Only(Values::Scalars);
const SOME: Rule = Rule::Only(Values::StringsAndNumbers);
const REGX: Rule = Rule::Only(Values::PlainPatterns);
const ANY_: Rule = Rule::Rename("anyOf");
const DEFS: Rule = Rule::Rename("$defs");
const WILD: Rule = Rule::Refuse("The model takes no dynamic references in a schema.");
const TYPE: Rule = Rule::As(Form::GoogleTypes);
const TEXT: Rule = Rule::As(Form::EnumOfStrings);
const SORT: Rule = Rule::As(Form::Ordering);

/// <https://platform.openai.com/docs/guides/structured-outputs#supported-schemas>
const FMT1: Rule = Rule::Only(Values::Formats(&[
    "date-time",
    "time",
    "date",
    "duration",
    "email",
    "hostname",
    "ipv4",
    "ipv6",
    "uuid",
]));
/// <https://platform.claude.com/docs/en/build-with-claude/structured-outputs>
const FMT2: Rule = Rule::Only(Values::Formats(&[
    "date-time",
    "time",
    "date",
    "duration",
    "email",
    "hostname",
    "uri",
    "ipv4",
    "ipv6",
    "uuid",
]));
/// <https://ai.google.dev/api/caching#Schema>
const FMT3: Rule = Rule::Only(Values::Formats(&["date-time", "enum", "float", "double", "int32", "int64"]));
/// <https://docs.cohere.com/docs/parameter-types-in-json>
const FMT4: Rule = Rule::Only(Values::Formats(&["date-time", "date", "time", "uuid"]));

use Holds::{List, Schema, Schemas, Value};
use types::{ALL, ARRAY, NUMBER, OBJECT, STRING};

/// Every keyword of JSON Schema from draft 4 to 2020-12, and those of OpenAPI and Google that clients send.
#[rustfmt::skip]
pub const KEYWORDS: &[Keyword] = &[
    //                                                                          strict  claude bedrock gemini google cohere mistral
    hint("$schema", "", [DROP, DROP, DROP, DROP, DROP, DROP, DROP]),
    hint("$id", "", [DROP, DROP, DROP, DROP, DROP, DROP, DROP]),
    hint("id", "", [DROP, DROP, DROP, DROP, DROP, DROP, KEEP]),
    hint("$anchor", "", [DROP, DROP, DROP, DROP, DROP, DROP, KEEP]),
    hint("$vocabulary", "", [DROP, DROP, DROP, DROP, DROP, DROP, KEEP]),
    hint("$dynamicAnchor", "", [DROP, DROP, DROP, DROP, DROP, DROP, KEEP]),
    hint("$recursiveAnchor", "", [DROP, DROP, DROP, DROP, DROP, DROP, KEEP]),
    hint("$comment", "", [DROP, DROP, DROP, DROP, DROP, DROP, KEEP]),
    Keyword { holds: Schemas, ..hint("$defs", "", [KEEP, KEEP, KEEP, KEEP, INTO, KEEP, KEEP]) },
    Keyword { holds: Schemas, ..hint("definitions", "", [DEFS, DEFS, DEFS, DEFS, INTO, DEFS, KEEP]) },
    row("$ref", Value, ALL, "", [KEEP, KEEP, KEEP, KEEP, INTO, KEEP, KEEP]),
    row("$dynamicRef", Value, ALL, "", [WILD, WILD, WILD, WILD, WILD, WILD, KEEP]),
    row("$recursiveRef", Value, ALL, "", [WILD, WILD, WILD, WILD, WILD, WILD, KEEP]),
    hint("title", "titled {}", [KEEP, KEEP, KEEP, KEEP, KEEP, KEEP, KEEP]),
    hint("description", "{}", [KEEP, KEEP, KEEP, KEEP, KEEP, KEEP, KEEP]),
    hint("default", "by default {}", [SAID, KEEP, KEEP, SAID, SAID, SAID, KEEP]),
    hint("examples", "for example {}", [SAID, SAID, SAID, SAID, SAID, SAID, KEEP]),
    hint("example", "for example {}", [SAID, SAID, SAID, SAID, SAID, SAID, KEEP]),
    hint("deprecated", "deprecated", [SAID, SAID, SAID, SAID, SAID, SAID, KEEP]),
    hint("readOnly", "", [DROP, DROP, DROP, DROP, DROP, DROP, KEEP]),
    hint("writeOnly", "", [DROP, DROP, DROP, DROP, DROP, DROP, KEEP]),
    hint("discriminator", "", [DROP, DROP, DROP, DROP, DROP, DROP, KEEP]),
    hint("propertyOrdering", "", [DROP, DROP, DROP, KEEP, SORT, DROP, KEEP]),
    hint("nullable", "", [NULL, NULL, NULL, NULL, KEEP, NULL, KEEP]),
    row("type", Value, ALL, "of type {}", [KEEP, KEEP, KEEP, KEEP, TYPE, KEEP, KEEP]),
    row("enum", Value, ALL, "one of {}", [FLAT, FLAT, FLAT, SOME, TEXT, FLAT, KEEP]),
    row("const", Value, ALL, "always {}", [FLAT, FLAT, FLAT, ONE_, ONE_, FLAT, KEEP]),
    row("minLength", Value, STRING, "at least {} characters", [SAID, SAID, SAID, SAID, KEEP, SAID, KEEP]),
    row("maxLength", Value, STRING, "at most {} characters", [SAID, SAID, SAID, SAID, KEEP, SAID, KEEP]),
    row("pattern", Value, STRING, "matches the regular expression {}", [KEEP, REGX, REGX, SAID, KEEP, KEEP, KEEP]),
    row("format", Value, ALL, "in the format {}", [FMT1, FMT2, FMT2, KEEP, FMT3, FMT4, KEEP]),
    hint("contentEncoding", "encoded in {}", [SAID, SAID, SAID, SAID, SAID, SAID, KEEP]),
    hint("contentMediaType", "of the media type {}", [SAID, SAID, SAID, SAID, SAID, SAID, KEEP]),
    Keyword { holds: Schema, ..hint("contentSchema", "its content matches {}", [SAID, SAID, SAID, SAID, SAID, SAID, KEEP]) },
    row("minimum", Value, NUMBER, "not less than {}", [KEEP, SAID, SAID, KEEP, KEEP, SAID, KEEP]),
    row("maximum", Value, NUMBER, "not more than {}", [KEEP, SAID, SAID, KEEP, KEEP, SAID, KEEP]),
    row("exclusiveMinimum", Value, NUMBER, "more than {}", [KEEP, SAID, SAID, SAID, SAID, SAID, KEEP]),
    row("exclusiveMaximum", Value, NUMBER, "less than {}", [KEEP, SAID, SAID, SAID, SAID, SAID, KEEP]),
    row("multipleOf", Value, NUMBER, "a multiple of {}", [KEEP, SAID, SAID, SAID, SAID, SAID, KEEP]),
    row("items", Schema, ARRAY, "items match {}", [KEEP, KEEP, KEEP, KEEP, KEEP, KEEP, KEEP]),
    row("prefixItems", List, ARRAY, "items in this order: {}", [TUPL, TUPL, TUPL, KEEP, TUPL, TUPL, KEEP]),
    row("additionalItems", Schema, ARRAY, "further items match {}", [SAID, SAID, SAID, SAID, SAID, SAID, KEEP]),
    row("minItems", Value, ARRAY, "at least {} items", [KEEP, ZERO, ZERO, KEEP, KEEP, SAID, KEEP]),
    row("maxItems", Value, ARRAY, "at most {} items", [KEEP, SAID, SAID, KEEP, KEEP, SAID, KEEP]),
    row("uniqueItems", Value, ARRAY, "items differ from each other", [SAID, SAID, SAID, SAID, SAID, SAID, KEEP]),
    row("contains", Schema, ARRAY, "an item matches {}", [SAID, SAID, SAID, SAID, SAID, SAID, KEEP]),
    row("minContains", Value, ARRAY, "at least {} items match it", [SAID, SAID, SAID, SAID, SAID, SAID, KEEP]),
    row("maxContains", Value, ARRAY, "at most {} items match it", [SAID, SAID, SAID, SAID, SAID, SAID, KEEP]),
    row("unevaluatedItems", Schema, ARRAY, "other items match {}", [SAID, SAID, SAID, SAID, SAID, SAID, KEEP]),
    row("properties", Schemas, OBJECT, "", [KEEP, KEEP, KEEP, KEEP, KEEP, KEEP, KEEP]),
    row("required", Value, OBJECT, "these members are required: {}", [FULL, KEEP, KEEP, KEEP, KEEP, KEEP, KEEP]),
    row("additionalProperties", Schema, OBJECT, "other members match {}", [SHUT, SHUT, SHUT, KEEP, DROP, KEEP, KEEP]),
    row("unevaluatedProperties", Schema, OBJECT, "other members match {}", [SHUT, SHUT, SHUT, SAID, SAID, SAID, KEEP]),
    row("patternProperties", Schemas, OBJECT, "members by their name: {}", [DROP, DROP, DROP, SAID, SAID, SAID, KEEP]),
    row("propertyNames", Schema, OBJECT, "names of members match {}", [SAID, SAID, SAID, SAID, SAID, SAID, KEEP]),
    row("minProperties", Value, OBJECT, "at least {} members", [SAID, SAID, SAID, SAID, KEEP, SAID, KEEP]),
    row("maxProperties", Value, OBJECT, "at most {} members", [SAID, SAID, SAID, SAID, KEEP, SAID, KEEP]),
    row("dependentRequired", Value, OBJECT, "members that need others: {}", [SAID, SAID, SAID, SAID, SAID, SAID, KEEP]),
    row("dependentSchemas", Schemas, OBJECT, "with a member, more holds: {}", [SAID, SAID, SAID, SAID, SAID, SAID, KEEP]),
    row("dependencies", Schemas, OBJECT, "members that need others: {}", [SAID, SAID, SAID, SAID, SAID, SAID, KEEP]),
    row("anyOf", List, ALL, "also any of {}", [KEEP, KEEP, KEEP, KEEP, KEEP, KEEP, KEEP]),
    row("oneOf", List, ALL, "also exactly one of {}", [ANY_, ANY_, ANY_, ANY_, ANY_, ANY_, KEEP]),
    row("allOf", List, ALL, "", [INTO, INTO, INTO, INTO, INTO, INTO, KEEP]),
    row("not", Schema, ALL, "must not match {}", [SAID, SAID, SAID, SAID, SAID, SAID, KEEP]),
    row("if", Schema, ALL, "if it matches {}", [SAID, SAID, SAID, SAID, SAID, SAID, KEEP]),
    row("then", Schema, ALL, "then it matches {}", [SAID, SAID, SAID, SAID, SAID, SAID, KEEP]),
    row("else", Schema, ALL, "else it matches {}", [SAID, SAID, SAID, SAID, SAID, SAID, KEEP]),
];

/// The page of the documentation.
pub fn page() -> String {
    let mut page = String::from(PAGE_HEAD);
    page.push_str("| Keyword | Constrains |");
    for subset in ADAPTED {
        let _ = write!(page, " {} |", name(subset));
    }
    page.push_str("\n| --- | --- |");
    page.push_str(&" --- |".repeat(ADAPTED.len()));
    page.push('\n');
    for keyword in KEYWORDS {
        let _ = write!(page, "| `{}` | {} |", keyword.name, if keyword.constrains { "yes" } else { "no" });
        for rule in keyword.rules {
            let _ = write!(page, " {} |", cell(rule));
        }
        page.push('\n');
    }
    page.push_str("\nAs they are: ");
    let as_is = SUBSETS.iter().filter(|subset| matches!(subset.way(), Way::AsIs)).map(|subset| name(*subset));
    page.push_str(&as_is.collect::<Vec<_>>().join("; "));
    page.push_str(".\n");
    page
}

fn name(subset: Subset) -> &'static str {
    match subset {
        Subset::OpenAi => "OpenAI and compatible servers without `strict`",
        Subset::OpenAiStrict => "OpenAI `strict`",
        Subset::Anthropic => "Anthropic",
        Subset::Bedrock => "Bedrock Converse",
        Subset::GeminiJson => "Gemini `responseJsonSchema`",
        Subset::GeminiOpenApi => "Gemini `responseSchema`",
        Subset::Cohere => "Cohere",
        Subset::Mistral => "Mistral",
        Subset::Ollama => "Ollama and llama.cpp",
        Subset::JsonObjectOnly => "models that take no schema, as part of the system prompt",
    }
}

fn cell(rule: Rule) -> String {
    let said = match rule {
        Rule::Keep => "keep",
        Rule::Only(Values::Formats(formats)) => {
            let formats: Vec<_> = formats.iter().map(|format| format!("`{format}`")).collect();
            return format!("keep {}; describe others", formats.join(", "));
        }
        Rule::Only(Values::ZeroOrOne) => "keep 0 and 1; describe others",
        Rule::Only(Values::Scalars) => "keep, of scalars; describe others",
        Rule::Only(Values::StringsAndNumbers) => "keep, of strings and numbers; describe others",
        Rule::Only(Values::PlainPatterns) => "keep the simple ones; describe others",
        Rule::Rename(name) => return format!("`{name}`"),
        Rule::As(Form::GoogleTypes) => "capitals, `nullable`, `anyOf` of several",
        Rule::As(Form::Closed) => "`additionalProperties: false`",
        Rule::As(Form::AllRequired) => "all; optional ones may be null",
        Rule::As(Form::EnumOfOne) => "`enum` of one",
        Rule::As(Form::EnumOfStrings) => "strings, noted",
        Rule::As(Form::NullType) => "`null` among the types",
        Rule::As(Form::AnyItem) => "`items` of any of them; describe the order",
        Rule::As(Form::Ordering) => "always said",
        Rule::Inline => "inline",
        Rule::Describe => "describe",
        Rule::Drop => "drop",
        Rule::Refuse(_) => "refuse",
    };
    said.to_owned()
}

const PAGE_HEAD: &str = "\
# Schemas

What becomes of each keyword of a client's JSON schema (of an answer, or of a tool's input) at an upstream that takes only a
subset. *Describe*: it is told in the `description`, in words. *Inline*: what it refers to, or its parts, are merged into the
schema that it stands in. *Refuse*: the upstream is not asked; another deployment, or another way to the same answer, is
tried. What is described, dropped or widened is named in the answer's notes if it constrains. Written from the table in
`src/dialects/schema/keywords.rs`; a test compares the two.

";
