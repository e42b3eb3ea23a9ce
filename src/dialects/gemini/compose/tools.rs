//! Tools, and how the model may use them.

use super::{Names, Notes, Target, Unsupported, Writer};
use crate::dialects::canonical::{FunctionTool, OutputSchema, Tool, ToolChoice};
use crate::dialects::gemini::is_spelling;
use crate::dialects::schema::{self, Subset};
use crate::json::piece::{Raw, Text};
use crate::json::view::Value;

/// The tool whose input is the answer, where a form of the answer cannot be given.
pub(super) struct AnswerTool<'s> {
    pub name: String,
    pub schema: &'s OutputSchema<'s>,
}

/// What writing tools needs.
pub(super) struct Toolbox<'w, 'o, 'r> {
    pub target: &'w Target<'w>,
    pub notes: &'w mut Notes,
    pub names: &'w mut Names<'r>,
    pub json: &'w mut Writer<'o>,
}

impl Toolbox<'_, '_, '_> {
    pub fn tools(&mut self, tools: &[Tool<'_>], answer: Option<&AnswerTool<'_>>) -> Result<(), Unsupported> {
        if tools.is_empty() {
            return Ok(());
        }
        let before = self.json.out.len();
        self.json.name("tools").open_array();
        let functions =
            || tools.iter().filter_map(|tool| if let Tool::Function(tool) = tool { Some(tool) } else { None });
        if functions().next().is_some() {
            self.json.open_object().name("functionDeclarations").open_array();
            for tool in functions() {
                self.function(tool)?;
            }
            if let Some(AnswerTool { name, schema }) = answer {
                self.json.open_object().name("name").string(name).name("description");
                match &schema.description {
                    Some(description) => self.json.text(description),
                    None => self.json.string("Gives the answer. Call it when the answer is known."),
                };
                self.parameters(&schema.schema, "response_format")?;
                self.json.close_object();
            }
            self.json.close_array().close_object();
        }
        for (index, tool) in tools.iter().enumerate() {
            if let Tool::Other { param, kind, raw } = tool {
                self.other(index, param, kind, raw)?;
            }
        }
        if self.json.out.ends_with(b"[") {
            self.json.out.truncate(before);
        } else {
            self.json.close_array();
        }
        Ok(())
    }

    fn function(&mut self, tool: &FunctionTool<'_>) -> Result<(), Unsupported> {
        // `strict` is said by the mode, and the hint is noted already.
        let FunctionTool { name, description, schema, strict: _, cache: _ } = tool;
        self.json.open_object().name("name").text(&self.names.upstream(name));
        if let Some(description) = description {
            self.json.name("description").text(description);
        }
        if let Some(schema) = schema {
            self.parameters(schema, "tools")?;
        }
        self.json.close_object();
        Ok(())
    }

    /// Keywords that the model does not know are ignored in the schema of a tool: it stays as the client wrote it.
    fn parameters(&mut self, schema: &Raw<'_>, param: &'static str) -> Result<(), Unsupported> {
        if self.target.traits.native_schema {
            self.json.name("parametersJsonSchema").raw(schema);
            return Ok(());
        }
        let google_s = schema::adapted(schema, Subset::GeminiOpenApi, param, self.notes)?;
        self.json.name("parameters").json(&google_s);
        Ok(())
    }

    /// A tool that Google runs, in Gemini's own form: from a client of this dialect, or as other gateways take it.
    fn other(&mut self, index: usize, param: &str, kind: &Text<'_>, raw: &Raw<'_>) -> Result<(), Unsupported> {
        // One of Responses' says its type itself, and is another tool: `file_search`.
        let is_foreign = Value::root(&raw.0).some("type").is_some();
        let own = OWN_TOOLS.iter().find(|own| !is_foreign && is_spelling(&kind.decoded(), own));
        if let Some(name) = own {
            self.json.open_object().name(name).raw(raw).close_object();
            return Ok(());
        }
        let whole = Value::root(&raw.0);
        let mut members = whole.members();
        if let (Some((name, _)), None) = (members.next(), members.next())
            && OWN_TOOLS.iter().any(|own| is_spelling(&String::from_utf8_lossy(&name), own))
        {
            self.json.raw(raw);
            return Ok(());
        }
        let param = if param.is_empty() { format!("tools[{index}]") } else { param.to_owned() };
        self.notes.unsupported(self.target, param, "The model's API has no such tool.")
    }

    pub fn choice(&mut self, tools: &[Tool<'_>], choice: Option<&ToolChoice<'_>>, answer: Option<&AnswerTool<'_>>) {
        let functions =
            || tools.iter().filter_map(|tool| if let Tool::Function(tool) = tool { Some(tool) } else { None });
        if functions().next().is_none() {
            return;
        }
        let is_strict = functions().any(|tool| tool.strict == Some(true));
        let (mode, names): (_, &[Text<'_>]) = match choice {
            // The answer comes by a call, so there has to be one.
            None | Some(ToolChoice::Auto | ToolChoice::Required) if answer.is_some() => ("ANY", &[]),
            None if !is_strict => return,
            None | Some(ToolChoice::Auto) if is_strict => ("VALIDATED", &[]),
            None | Some(ToolChoice::Auto) => ("AUTO", &[]),
            Some(ToolChoice::Required) => ("ANY", &[]),
            Some(ToolChoice::None) if answer.is_some() => ("ANY", &[]),
            Some(ToolChoice::None) => ("NONE", &[]),
            Some(ToolChoice::Tool(name)) => ("ANY", std::slice::from_ref(name)),
            Some(ToolChoice::Among { names, required }) if *required || answer.is_some() => ("ANY", names),
            Some(ToolChoice::Among { names, .. }) => ("VALIDATED", names),
        };
        let only_the_answer = answer.is_some() && matches!(choice, Some(ToolChoice::None));
        self.json
            .name("toolConfig")
            .open_object()
            .name("functionCallingConfig")
            .open_object()
            .name("mode")
            .string(mode);
        if !names.is_empty() || only_the_answer {
            self.json.name("allowedFunctionNames").open_array();
            for name in names {
                self.json.text(&self.names.upstream(name));
            }
            if let Some(AnswerTool { name, .. }) = answer {
                self.json.string(name);
            }
            self.json.close_array();
        }
        self.json.close_object().close_object();
    }
}

/// Tools that Google runs.
const OWN_TOOLS: &[&str] = &[
    "googleSearch",
    "googleSearchRetrieval",
    "urlContext",
    "codeExecution",
    "computerUse",
    "fileSearch",
    "googleMaps",
    "enterpriseWebSearch",
    "retrieval",
    "mcpServers",
];
