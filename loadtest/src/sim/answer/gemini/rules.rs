//! What the Gemini API demands of a body: the fields, and the rules between them that no table of fields can say.

use serde_json::Value;

use super::verify::Is::{Base64, Bool, Int, Items, List, Number, Object, OneOf, Str, Text};
use super::verify::{Table, may, need};
use super::{ApiError, Trouble, at, member};
use crate::limits::EMBEDDING_DIMENSIONS_MAX;

pub(super) const GENERATE: Table = Table {
    fields: &[
        need("contents", Items),
        may("contents[]", Object),
        may("contents[].role", OneOf(&["user", "model", "function"])),
        need("contents[].parts", Items),
        may("contents[].parts[]", Object),
        may("contents[].parts[].text", Str),
        may("contents[].parts[].thought", Bool),
        may("contents[].parts[].thoughtSignature", Base64),
        may("contents[].parts[].inlineData", Object),
        need("contents[].parts[].inlineData.mimeType", Text),
        need("contents[].parts[].inlineData.data", Base64),
        may("contents[].parts[].fileData", Object),
        need("contents[].parts[].fileData.fileUri", Text),
        may("contents[].parts[].functionCall", Object),
        need("contents[].parts[].functionCall.name", Text),
        may("contents[].parts[].functionCall.args", Object),
        may("contents[].parts[].functionResponse", Object),
        need("contents[].parts[].functionResponse.name", Text),
        need("contents[].parts[].functionResponse.response", Object),
        may("systemInstruction", Object),
        need("systemInstruction.parts", Items),
        may("systemInstruction.parts[].text", Str),
        may("tools", List),
        may("tools[]", Object),
        may("tools[].functionDeclarations", List),
        need("tools[].functionDeclarations[].name", Text),
        may("tools[].functionDeclarations[].parameters", Object),
        may("tools[].functionDeclarations[].parametersJsonSchema", Object),
        may("toolConfig", Object),
        may("toolConfig.functionCallingConfig", Object),
        may("toolConfig.functionCallingConfig.mode", OneOf(&["MODE_UNSPECIFIED", "AUTO", "ANY", "NONE", "VALIDATED"])),
        may("toolConfig.functionCallingConfig.allowedFunctionNames", List),
        may("safetySettings", List),
        need("safetySettings[].category", Text),
        need("safetySettings[].threshold", Text),
        may("generationConfig", Object),
        may("generationConfig.temperature", Number(0.0, 2.0)),
        may("generationConfig.topP", Number(0.0, 1.0)),
        may("generationConfig.topK", Number(0.0, f64::MAX)),
        may("generationConfig.candidateCount", Int(1, 8)),
        may("generationConfig.maxOutputTokens", Int(1, i64::MAX)),
        may("generationConfig.stopSequences", List),
        may("generationConfig.stopSequences[]", Str),
        may("generationConfig.seed", Int(i32::MIN as i64, i32::MAX as i64)),
        may("generationConfig.responseMimeType", OneOf(&["text/plain", "application/json", "text/x.enum"])),
        may("generationConfig.responseSchema", Object),
        may("generationConfig.responseJsonSchema", Object),
        may("generationConfig.responseModalities", Items),
        may("generationConfig.responseModalities[]", OneOf(&["TEXT", "IMAGE", "AUDIO"])),
        may("generationConfig.imageConfig", Object),
        may("generationConfig.imageConfig.aspectRatio", OneOf(SHAPES)),
        may("generationConfig.imageConfig.imageSize", OneOf(&["1K", "2K", "4K"])),
        may("generationConfig.imageConfig.imageOutputOptions", Object),
        need("generationConfig.imageConfig.imageOutputOptions.mimeType", OneOf(PICTURE_TYPES)),
        may("generationConfig.imageConfig.imageOutputOptions.compressionQuality", Int(0, 100)),
        may("generationConfig.thinkingConfig", Object),
        may("generationConfig.thinkingConfig.includeThoughts", Bool),
        may("generationConfig.thinkingConfig.thinkingBudget", Int(-1, i64::MAX)),
        may(
            "generationConfig.thinkingConfig.thinkingLevel",
            OneOf(&[
                "THINKING_LEVEL_UNSPECIFIED",
                "MINIMAL",
                "LOW",
                "MEDIUM",
                "HIGH",
                "minimal",
                "low",
                "medium",
                "high",
            ]),
        ),
        may("cachedContent", Str),
    ],
    known: Some(&[
        "contents",
        "systemInstruction",
        "tools",
        "toolConfig",
        "safetySettings",
        "generationConfig",
        "cachedContent",
        "serviceTier",
        "labels",
        "model",
        "store",
    ]),
};

const SHAPES: &[&str] = &["1:1", "2:3", "3:2", "3:4", "4:3", "4:5", "5:4", "9:16", "16:9", "21:9"];
const PICTURE_TYPES: &[&str] = &["image/png", "image/jpeg"];

/// Imagen's.
pub(super) const PREDICT: Table = Table {
    fields: &[
        need("instances", Items),
        may("instances[]", Object),
        need("instances[].prompt", Text),
        may("parameters", Object),
        may("parameters.sampleCount", Int(1, 4)),
        may("parameters.aspectRatio", OneOf(&["1:1", "3:4", "4:3", "9:16", "16:9"])),
        may("parameters.sampleImageSize", OneOf(&["1K", "2K"])),
        may("parameters.includeRaiReason", Bool),
        may("parameters.outputOptions", Object),
        need("parameters.outputOptions.mimeType", OneOf(PICTURE_TYPES)),
        may("parameters.outputOptions.compressionQuality", Int(0, 100)),
    ],
    known: Some(&["instances", "parameters", "labels"]),
};

pub(super) const COUNT_TOKENS: Table = Table {
    fields: &[
        may("contents", Items),
        need("contents[].parts", Items),
        may("generateContentRequest", Object),
        need("generateContentRequest.model", Text),
        need("generateContentRequest.contents", Items),
    ],
    known: None,
};

pub(super) const EMBED: Table = Table {
    fields: &[
        need("content", Object),
        need("content.parts", Items),
        may("outputDimensionality", Int(1, EMBEDDING_DIMENSIONS_MAX as i64)),
        may("taskType", Str),
        may("title", Str),
    ],
    known: None,
};

pub(super) const BATCH_EMBED: Table = Table {
    fields: &[
        need("requests", Items),
        need("requests[].model", Text),
        need("requests[].content", Object),
        need("requests[].content.parts", Items),
        may("requests[].outputDimensionality", Int(1, EMBEDDING_DIMENSIONS_MAX as i64)),
    ],
    known: None,
};

fn broken(param: &str, rule: &'static str, says: impl Into<String>) -> ApiError {
    Trouble::Broken(rule, says.into()).about(param)
}

pub(super) fn check(body: &Value, model: &str) -> Result<(), ApiError> {
    check_parts(body, model)?;
    check_turns(body)?;
    let config = |names: &[&str]| at(body, &["generationConfig"]).and_then(|config| at(config, names));
    if config(&["thinkingConfig", "thinkingBudget"]).is_some() && config(&["thinkingConfig", "thinkingLevel"]).is_some()
    {
        let says = "You can only set only one of thinking budget and thinking level.";
        return Err(broken("generationConfig", "thinkingBudget with thinkingLevel", says));
    }
    let schemas = (config(&["responseSchema"]), config(&["responseJsonSchema"]));
    if schemas.0.is_some() && schemas.1.is_some() {
        let says = "Only one of response_schema and response_json_schema may be set.";
        return Err(broken("generationConfig", "responseSchema with responseJsonSchema", says));
    }
    if (schemas.0.is_some() || schemas.1.is_some())
        && matches!(config(&["responseMimeType"]).and_then(Value::as_str), None | Some("text/plain"))
    {
        let says = "Function calling with a response mime type: 'text/plain' is unsupported, a response schema needs application/json";
        return Err(broken("generationConfig", "response schema without responseMimeType", says));
    }
    if let Some(schema) = schemas.0 {
        check_schema(schema, "generation_config.response_schema")?;
    }
    for parameters in declarations(body).filter_map(|declared| member(declared, "parameters")) {
        check_schema(parameters, "tools[0].function_declarations[0].parameters")?;
    }
    Ok(())
}

pub(super) fn declarations(body: &Value) -> impl Iterator<Item = &Value> {
    let tools = at(body, &["tools"]).and_then(Value::as_array).into_iter().flatten();
    tools.filter_map(|tool| member(tool, "functionDeclarations")?.as_array()).flatten()
}

pub(super) fn parts(content: &Value) -> &[Value] {
    member(content, "parts").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The names that hold a part's data; each part has one of them.
const DATA: &[&str] = &[
    "text",
    "inlineData",
    "fileData",
    "functionCall",
    "functionResponse",
    "executableCode",
    "codeExecutionResult",
    "toolCall",
    "toolResponse",
];

fn check_parts(body: &Value, model: &str) -> Result<(), ApiError> {
    let contents = at(body, &["contents"]).and_then(Value::as_array).into_iter().flatten();
    for (index, content) in contents.enumerate() {
        let mut calls_before = 0;
        for (nth, part) in parts(content).iter().enumerate() {
            let place = format!("contents[{index}].parts[{nth}]");
            if DATA.iter().filter(|name| at(part, &[name]).is_some()).count() != 1 {
                let says = format!("* {place}.data: required oneof field 'data' must have one initialized field\n");
                return Err(broken(&place, "contents[].parts[] without exactly one kind of data", says));
            }
            let called = at(part, &["functionCall"]);
            let id = called.or_else(|| at(part, &["functionResponse"])).and_then(|call| at(call, &["id"]));
            if id.is_some() && is_before_ids(model) {
                let says = "Invalid JSON payload received. Unknown name \"id\" at 'contents.parts.function_call': Cannot find field.";
                return Err(broken(&place, "call id for a model without them", says));
            }
            if called.is_some() {
                if calls_before == 0 && signs_calls(model) && at(part, &["thoughtSignature"]).is_none() {
                    let says = "Function call is missing a thought_signature in functionCall parts.";
                    return Err(broken(&place, "functionCall without its thoughtSignature", says));
                }
                calls_before += 1;
            }
        }
    }
    Ok(())
}

fn is_before_ids(model: &str) -> bool {
    ["gemini-1", "gemini-2"].iter().any(|family| model.starts_with(family))
}

/// Families from the third on give calls an id and sign the first call of a turn.
pub(super) fn signs_calls(model: &str) -> bool {
    model.strip_prefix("gemini-").is_some_and(|rest| rest.starts_with(|digit: char| ('3'..='9').contains(&digit)))
}

/// Responses follow their calls directly, as many as there were calls.
fn check_turns(body: &Value) -> Result<(), ApiError> {
    let count = |content: &Value, name: &str| parts(content).iter().filter(|part| at(part, &[name]).is_some()).count();
    let contents = at(body, &["contents"]).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    for (index, content) in contents.iter().enumerate() {
        let responses = count(content, "functionResponse");
        let calls = index.checked_sub(1).map_or(0, |before| count(&contents[before], "functionCall"));
        if responses > 0 && calls == 0 {
            let says = "Please ensure that function response turn comes immediately after a function call turn.";
            return Err(broken("contents", "functionResponse without its functionCall", says));
        }
        if calls != responses {
            let says = "Please ensure that the number of function response parts is equal to the number of function call parts of the function call turn.";
            return Err(broken("contents", "functionCall without its functionResponse", says));
        }
    }
    Ok(())
}

/// What the schema language of `parameters` and `responseSchema` does not know; the `...JsonSchema` members know it.
const UNKNOWN_IN_SCHEMA: &[&str] =
    &["$schema", "$id", "$ref", "$defs", "definitions", "const", "oneOf", "allOf", "not", "if", "then", "else"];

fn check_schema(schema: &Value, place: &str) -> Result<(), ApiError> {
    let Some(members) = schema.as_object() else {
        return Ok(());
    };
    if let Some(name) = UNKNOWN_IN_SCHEMA.iter().find(|name| members.contains_key(**name)) {
        let says = format!("Invalid JSON payload received. Unknown name \"{name}\" at '{place}': Cannot find field.");
        return Err(broken(place, "schema keyword is unknown", says));
    }
    if members.get("type").is_some_and(Value::is_array) {
        let says = format!(
            "Invalid JSON payload received. Proto field is not repeating, cannot start list at '{place}.type'."
        );
        return Err(broken(place, "schema type is a list", says));
    }
    let properties = members.get("properties").and_then(Value::as_object).into_iter().flatten();
    properties.map(|(_, inner)| inner).try_for_each(|inner| check_schema(inner, place))?;
    let branches = member(schema, "anyOf").and_then(Value::as_array).into_iter().flatten();
    branches.chain(members.get("items")).try_for_each(|inner| check_schema(inner, place))
}
