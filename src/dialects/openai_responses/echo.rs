//! What of a request its answer repeats. The API's schema demands some of these members, and clients print others.
//!
//! They are written once, when the request has been read, and copied into every object of the answer: three times into a stream. A value of
//! more than [`ECHO_BYTES_MAX`] is not repeated: a prompt of megabytes is no answer.

use super::groups::joined;
use crate::dialects::gemini::compact::compacted;
use crate::json::piece::Text;
use crate::json::view::Value;
use crate::json::write::Writer;
use crate::limits::ECHO_BYTES_MAX;

/// Members of the request, as they stand in the answer.
#[derive(Debug, Clone)]
pub struct Echo {
    /// The members with their values, without braces.
    members: Vec<u8>,
    /// Names of tools whose input is a text.
    custom_tools: Vec<Box<str>>,
    groups: Vec<Grouped>,
}

/// A tool of a group.
#[derive(Debug, Clone)]
struct Grouped {
    /// What it is called where there are no groups.
    joined: Box<str>,
    namespace: Box<str>,
    name: Box<str>,
}

/// What is repeated, and what stands there if the request does not say it.
const REPEATED: &[(&str, &str)] = &[
    ("instructions", "null"),
    ("max_output_tokens", "null"),
    ("max_tool_calls", "null"),
    ("parallel_tool_calls", "true"),
    ("prompt_cache_key", "null"),
    ("reasoning", r#"{"effort":null,"summary":null}"#),
    ("safety_identifier", "null"),
    ("service_tier", "null"),
    ("temperature", "null"),
    ("text", r#"{"format":{"type":"text"}}"#),
    ("tool_choice", r#""auto""#),
    ("tools", "[]"),
    ("top_logprobs", "0"),
    ("top_p", "null"),
    ("truncation", r#""disabled""#),
    ("user", "null"),
    ("metadata", "{}"),
];

impl Default for Echo {
    fn default() -> Self {
        Echo::of(b"{}")
    }
}

impl Echo {
    /// Out of a client's request, a scanned JSON object.
    pub fn of(text: &[u8]) -> Echo {
        let mut said = [None; REPEATED.len()];
        for (name, value) in Value::root(text).members() {
            if let Some(place) = REPEATED.iter().position(|(known, _)| known.as_bytes() == &*name) {
                said[place] = Some(value).filter(|value| !value.is_null());
            }
        }
        let mut members = Vec::new();
        let mut json = Writer::new(&mut members);
        let (mut custom_tools, mut groups) = (Vec::new(), Vec::new());
        for ((name, otherwise), said) in REPEATED.iter().zip(said) {
            if let Some(tools) = said.filter(|_| *name == "tools") {
                for tool in tools.elements() {
                    custom_tools.extend(custom_name(tool));
                    if tool.get("type").is_some_and(|kind| kind.says("namespace")) {
                        group(tool, &mut groups, &mut custom_tools);
                    }
                }
            }
            // A line's end between two tokens would end the line of an event.
            let said = said.map(|said| compacted(said.bytes())).filter(|said| said.len() <= ECHO_BYTES_MAX);
            json.name(name).json(said.as_deref().unwrap_or(otherwise.as_bytes()));
        }
        Echo { members, custom_tools, groups }
    }

    /// Has the tool a text as its input?
    pub fn is_custom(&self, name: &str) -> bool {
        self.custom_tools.iter().any(|known| **known == *name)
    }

    pub fn has_custom_tools(&self) -> bool {
        !self.custom_tools.is_empty()
    }

    /// The group of a tool and its name there, if it is one of a group.
    pub fn in_group(&self, joined: &Text<'_>) -> Option<(&str, &str)> {
        let grouped = self.groups.iter().find(|grouped| joined.says(&grouped.joined))?;
        Some((&grouped.namespace, &grouped.name))
    }

    /// Appends the members to an object that has some.
    pub fn write(&self, json: &mut Writer<'_>) {
        json.json(&self.members);
    }
}

/// Notes the tools of a group.
fn group(group: Value<'_>, groups: &mut Vec<Grouped>, custom_tools: &mut Vec<Box<str>>) {
    let Some(namespace) = group.get("name").and_then(Value::text) else { return };
    for tool in group.get("tools").into_iter().flat_map(Value::elements) {
        let Some(name) = tool.get("name").and_then(Value::text) else { continue };
        let joined: Box<str> = joined(&namespace, &name).decoded().into();
        if custom_name(tool).is_some() {
            custom_tools.push(joined.clone());
        }
        groups.push(Grouped { joined, namespace: namespace.decoded().into(), name: name.decoded().into() });
    }
}

fn custom_name(tool: Value<'_>) -> Option<Box<str>> {
    let is_custom = tool.get("type").is_some_and(|kind| kind.says("custom"));
    let name = tool.get("name").and_then(Value::text)?;
    is_custom.then(|| name.decoded().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn written(echo: &Echo) -> serde_json::Value {
        let mut out = Vec::new();
        let mut json = Writer::new(&mut out);
        json.open_object().name("id").string("x");
        echo.write(&mut json);
        json.close_object();
        serde_json::from_slice(&out).unwrap()
    }

    #[test]
    fn the_request_is_repeated() {
        let request = json!({
            "model":"m", "input":"x", "instructions":"Be short.", "temperature":0.70, "metadata":{"a":"b"}, "user":null,
            "tools":[{"type":"custom","name":"apply_patch"},{"type":"function","name":"f","parameters":null,"strict":true}]
        });
        let echo = Echo::of(request.to_string().as_bytes());
        let written = written(&echo);
        for name in ["instructions", "temperature", "metadata", "tools"] {
            assert_eq!(written[name], request[name]);
        }
        assert_eq!((&written["tool_choice"], &written["user"]), (&json!("auto"), &json!(null)));
        assert_eq!((written.get("model"), written.get("input")), (None, None));
        assert!(echo.is_custom("apply_patch") && !echo.is_custom("f") && echo.has_custom_tools());
    }

    #[test]
    fn tools_of_groups_are_known_by_their_joined_names() {
        let tools = json!([
            {"type":"namespace","name":"g","tools":[{"type":"function","name":"f"},{"type":"custom","name":"c"}]},
            {"type":"function","name":"h.f"}
        ]);
        let echo = Echo::of(json!({ "tools": tools }).to_string().as_bytes());
        assert_eq!(echo.in_group(&Text::plain("g.f")), Some(("g", "f")));
        assert_eq!((echo.in_group(&Text::plain("f")), echo.in_group(&Text::plain("h.f"))), (None, None));
        assert!(echo.is_custom("g.c") && !echo.is_custom("c") && !echo.is_custom("g.f"));
    }

    #[test]
    fn what_is_repeated_is_one_line() {
        let echo = Echo::of(b"{\n  \"metadata\": {\r\n    \"a b\": \"c d\"\n  }\n}");
        assert!(!echo.members.iter().any(u8::is_ascii_control));
        assert_eq!(written(&echo)["metadata"], json!({"a b":"c d"}));
    }

    #[test]
    fn what_is_long_is_not_repeated() {
        let long = json!({"instructions": "x".repeat(ECHO_BYTES_MAX), "user": "y"});
        let written = written(&Echo::of(long.to_string().as_bytes()));
        assert_eq!((&written["instructions"], &written["user"]), (&json!(null), &json!("y")));
        assert_eq!(written.as_object().unwrap().len(), REPEATED.len() + 1);
    }
}
