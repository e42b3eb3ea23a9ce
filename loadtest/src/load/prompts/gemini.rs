//! `generateContent`: model and streaming are in the path, and not in the body.

use super::conversation::{Conversation, Tool, Turn};
use super::quoted;

pub(super) fn write(conversation: &Conversation) -> String {
    let mut contents = Vec::new();
    conversation.turns.iter().for_each(|turn| write_turn(turn, &mut contents));
    let tools = match &conversation.tools[..] {
        [] => String::new(),
        tools => {
            let declarations: Vec<_> = tools.iter().map(declaration).collect();
            format!(r#","tools":[{{"functionDeclarations":[{}]}}]"#, declarations.join(","))
        }
    };
    format!(
        r#"{{"contents":[{}],"systemInstruction":{{"parts":[{{"text":{}}}]}}{tools},"generationConfig":{{"temperature":0.2,"maxOutputTokens":256}}}}"#,
        contents.join(","),
        quoted(conversation.system)
    )
}

fn write_turn(turn: &Turn, contents: &mut Vec<String>) {
    match turn {
        Turn::User { text, pictures } => {
            let mut parts = vec![format!(r#"{{"text":{}}}"#, quoted(text))];
            parts.extend(
                pictures
                    .iter()
                    .map(|picture| format!(r#"{{"inlineData":{{"mimeType":"image/png","data":"{picture}"}}}}"#)),
            );
            contents.push(format!(r#"{{"role":"user","parts":[{}]}}"#, parts.join(",")));
        }
        Turn::Assistant { text } => {
            contents.push(format!(r#"{{"role":"model","parts":[{{"text":{}}}]}}"#, quoted(text)));
        }
        Turn::Call { tool, arguments, result, .. } => {
            contents.push(format!(
                r#"{{"role":"model","parts":[{{"functionCall":{{"name":"{tool}","args":{arguments}}}}}]}}"#
            ));
            contents.push(format!(
                r#"{{"role":"user","parts":[{{"functionResponse":{{"name":"{tool}","response":{{"result":{}}}}}}}]}}"#,
                quoted(result)
            ));
        }
    }
}

fn declaration(tool: &Tool) -> String {
    format!(
        r#"{{"name":"{}","description":{},"parameters":{}}}"#,
        tool.name,
        quoted(&tool.description),
        tool.parameters
    )
}
