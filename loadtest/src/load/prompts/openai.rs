//! Chat completions, in the order of members that OpenAI's examples have.

use super::conversation::{Conversation, Tool, Turn};
use super::quoted;
use crate::load::options::RequestOptions;

pub(super) fn write(request: &RequestOptions, conversation: &Conversation) -> String {
    let mut messages = vec![format!(r#"{{"role":"system","content":{}}}"#, quoted(conversation.system))];
    conversation.turns.iter().for_each(|turn| write_turn(turn, &mut messages));
    let tools = match &conversation.tools[..] {
        [] => String::new(),
        tools => format!(r#","tools":[{}],"tool_choice":"auto""#, tools.iter().map(tool).collect::<Vec<_>>().join(",")),
    };
    let stream = if request.stream { r#","stream":true,"stream_options":{"include_usage":true}"# } else { "" };
    format!(
        r#"{{"model":{},"messages":[{}],"temperature":0.2,"max_tokens":256{tools}{stream}}}"#,
        quoted(&request.model),
        messages.join(",")
    )
}

fn write_turn(turn: &Turn, messages: &mut Vec<String>) {
    match turn {
        Turn::User { text, pictures } if pictures.is_empty() => {
            messages.push(format!(r#"{{"role":"user","content":{}}}"#, quoted(text)));
        }
        Turn::User { text, pictures } => {
            let mut parts = vec![format!(r#"{{"type":"text","text":{}}}"#, quoted(text))];
            parts.extend(pictures.iter().map(|picture| {
                format!(r#"{{"type":"image_url","image_url":{{"url":"data:image/png;base64,{picture}"}}}}"#)
            }));
            messages.push(format!(r#"{{"role":"user","content":[{}]}}"#, parts.join(",")));
        }
        Turn::Assistant { text } => messages.push(format!(r#"{{"role":"assistant","content":{}}}"#, quoted(text))),
        Turn::Call { id, tool, arguments, result } => {
            let arguments = quoted(&arguments.to_string());
            messages.push(format!(
                r#"{{"role":"assistant","content":null,"tool_calls":[{{"id":"{id}","type":"function","function":{{"name":"{tool}","arguments":{arguments}}}}}]}}"#
            ));
            messages.push(format!(r#"{{"role":"tool","tool_call_id":"{id}","content":{}}}"#, quoted(result)));
        }
    }
}

fn tool(tool: &Tool) -> String {
    format!(
        r#"{{"type":"function","function":{{"name":"{}","description":{},"parameters":{}}}}}"#,
        tool.name,
        quoted(&tool.description),
        tool.parameters
    )
}
