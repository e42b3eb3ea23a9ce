//! Messages: the system prompt apart, calls and their results as blocks, results in the user's turn.

use super::conversation::{Conversation, Tool, Turn};
use super::quoted;
use crate::load::options::RequestOptions;

pub(super) fn write(request: &RequestOptions, conversation: &Conversation) -> String {
    let mut messages = Vec::new();
    conversation.turns.iter().for_each(|turn| write_turn(turn, &mut messages));
    let tools = match &conversation.tools[..] {
        [] => String::new(),
        tools => format!(r#","tools":[{}]"#, tools.iter().map(tool).collect::<Vec<_>>().join(",")),
    };
    let stream = if request.stream { r#","stream":true"# } else { "" };
    format!(
        r#"{{"model":{},"max_tokens":256,"system":{},"messages":[{}]{tools}{stream}}}"#,
        quoted(&request.model),
        quoted(conversation.system),
        messages.join(",")
    )
}

fn write_turn(turn: &Turn, messages: &mut Vec<String>) {
    match turn {
        Turn::User { text, pictures } if pictures.is_empty() => {
            messages.push(format!(r#"{{"role":"user","content":{}}}"#, quoted(text)));
        }
        Turn::User { text, pictures } => {
            let mut blocks: Vec<String> = pictures
                .iter()
                .map(|picture| {
                    format!(
                        r#"{{"type":"image","source":{{"type":"base64","media_type":"image/png","data":"{picture}"}}}}"#
                    )
                })
                .collect();
            blocks.push(format!(r#"{{"type":"text","text":{}}}"#, quoted(text)));
            messages.push(format!(r#"{{"role":"user","content":[{}]}}"#, blocks.join(",")));
        }
        Turn::Assistant { text } => messages.push(format!(r#"{{"role":"assistant","content":{}}}"#, quoted(text))),
        Turn::Call { id, tool, arguments, result } => {
            messages.push(format!(
                r#"{{"role":"assistant","content":[{{"type":"tool_use","id":"{id}","name":"{tool}","input":{arguments}}}]}}"#
            ));
            messages.push(format!(
                r#"{{"role":"user","content":[{{"type":"tool_result","tool_use_id":"{id}","content":{}}}]}}"#,
                quoted(result)
            ));
        }
    }
}

fn tool(tool: &Tool) -> String {
    format!(
        r#"{{"name":"{}","description":{},"input_schema":{}}}"#,
        tool.name,
        quoted(&tool.description),
        tool.parameters
    )
}
