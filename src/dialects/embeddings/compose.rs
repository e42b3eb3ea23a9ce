//! Says a request for vectors in the upstream's form.
//!
//! | asked for | OpenAI | Gemini, Vertex AI | Cohere | Ollama | Bedrock: Titan |
//! | --- | --- | --- | --- | --- | --- |
//! | dimensions | `dimensions` | `outputDimensionality` | `output_dimension` | `dimensions` | `dimensions`, from version 2 on |
//! | what it is for | left out, noted | `taskType` | `input_type`; a document where nothing is said, noted | left out, noted | left out, noted |
//! | a title | left out, noted | `title` | left out, noted | left out, noted | left out, noted |
//! | tokens | as they are | refused | refused | refused | refused |
//! | several inputs | as they are | `batchEmbedContents`, `predict` | `texts` | as they are | refused |

use super::{AnswerForm, ClientForm, Input, Request, UpstreamForm, WayBack};
use crate::{
    dialects::{
        bedrock_converse,
        canonical::{Extra, Notes, Target, Unsupported},
        estimate,
        gemini::path::{self, Verb},
    },
    json::{piece::Text, write::Writer},
};
use std::borrow::Cow;

/// A request that was composed.
#[derive(Debug)]
pub struct Composed {
    /// Below the provider's base URL.
    pub path: Cow<'static, str>,
    pub back: WayBack,
}

/// Appends the upstream's request. `model` is the client's name for the model.
///
/// # Errors
/// The upstream's form cannot express it. What was appended by then means nothing.
pub fn compose(
    upstream: UpstreamForm,
    request: &Request<'_>,
    model: &str,
    target: &Target<'_>,
    notes: &mut Notes,
    out: &mut Vec<u8>,
) -> Result<Composed, Unsupported> {
    let mut composer = Composer { request, target, notes, json: Writer::new(out) };
    let (path, form) = match upstream {
        UpstreamForm::OpenAi => composer.openai()?,
        UpstreamForm::Gemini => composer.gemini(false)?,
        UpstreamForm::Vertex if target.model.contains("gemini") => composer.gemini(true)?,
        UpstreamForm::Vertex => composer.predict()?,
        UpstreamForm::Cohere => composer.cohere("/embed".into(), true)?,
        UpstreamForm::Ollama => composer.ollama()?,
        UpstreamForm::Bedrock => composer.bedrock()?,
    };
    let back = WayBack {
        upstream,
        client: request.client,
        form,
        base64: request.base64,
        model: model.to_owned(),
        inputs: request.inputs.len(),
        tokens_estimated: request.inputs.iter().map(tokens).sum(),
    };
    Ok(Composed { path, back })
}

/// Tokens of an input, as far as they can be told from its length.
fn tokens(input: &Input<'_>) -> u64 {
    let of_text = |text: &Text<'_>| estimate::of_text(text.decoded().len() as u64);
    match input {
        Input::Text(text) => of_text(text),
        Input::Tokens(raw) => raw.0.iter().filter(|byte| **byte == b',').count() as u64 + 1,
        Input::Content { raw, texts: None } => estimate::of_request(&raw.0),
        Input::Content { texts: Some(texts), .. } => texts.iter().map(of_text).sum(),
    }
}

/// What vectors are for: Gemini's word, Cohere's, and other words that clients say.
const TASKS: &[(&str, &str, &[&str])] = &[
    ("RETRIEVAL_QUERY", "search_query", &["query"]),
    ("RETRIEVAL_DOCUMENT", "search_document", &["document", "passage"]),
    ("CLASSIFICATION", "classification", &[]),
    ("CLUSTERING", "clustering", &[]),
    // The rest are Gemini's alone; Cohere's nearest stands beside them.
    ("SEMANTIC_SIMILARITY", "search_document", &["similarity"]),
    ("QUESTION_ANSWERING", "search_query", &[]),
    ("FACT_VERIFICATION", "search_query", &[]),
    ("CODE_RETRIEVAL_QUERY", "search_query", &[]),
];

/// What Cohere's models are told where the client does not say: most texts are stored, and few are asked with.
const COHERE_TASK: &str = "search_document";

type Said = Result<(Cow<'static, str>, AnswerForm), Unsupported>;

struct Composer<'c> {
    request: &'c Request<'c>,
    target: &'c Target<'c>,
    notes: &'c mut Notes,
    json: Writer<'c>,
}

impl<'c> Composer<'c> {
    fn openai(&mut self) -> Said {
        let Request { client: _, inputs, dimensions, task, title, user, base64: _, extras } = self.request;
        self.hint(task.is_some(), self.task_param());
        self.hint(title.is_some(), "title");
        self.json.open_object().name("model").string(self.target.model);
        self.json.name("input").open_array();
        for (index, input) in inputs.iter().enumerate() {
            match input {
                Input::Tokens(tokens) => drop(self.json.raw(tokens)),
                _ => self.text(index, input)?,
            }
        }
        self.json.close_array();
        if let Some(dimensions) = dimensions {
            self.json.name("dimensions").number(*dimensions);
        }
        // Base64 is shorter, and would have to be unpacked here.
        self.json.name("encoding_format").string("float");
        if let Some(user) = user {
            self.json.name("user").text(user);
        }
        self.extras(extras, &[])?;
        self.json.close_object();
        Ok(("/embeddings".into(), AnswerForm::OpenAi))
    }

    fn gemini(&mut self, is_vertex: bool) -> Said {
        let Request { client: _, inputs, dimensions: _, task: _, title: _, user, base64: _, extras } = self.request;
        self.hint(user.is_some(), "user");
        let (own, left): (Vec<_>, Vec<_>) = extras.iter().partition(|extra| is_vertex && is_vertex_s(extra));
        self.notes.leave(self.target, left)?;
        let task = self.gemini_task()?;
        if let [input] = &inputs[..] {
            self.gemini_content(0, input, task, is_vertex.then_some(&own))?;
            return Ok((path::write(self.target.model, Verb::Embed).into(), AnswerForm::GeminiOne));
        }
        self.json.open_object().name("requests").open_array();
        for (index, input) in inputs.iter().enumerate() {
            self.gemini_content(index, input, task, is_vertex.then_some(&own))?;
        }
        self.json.close_array().close_object();
        Ok((path::write(self.target.model, Verb::EmbedBatch).into(), AnswerForm::GeminiBatch))
    }

    /// One content with its settings; `vertex` has the extras among them where they stand in an object of their own.
    fn gemini_content(
        &mut self,
        index: usize,
        input: &Input<'_>,
        task: Option<&str>,
        vertex: Option<&Vec<&Extra<'_>>>,
    ) -> Result<(), Unsupported> {
        self.json.open_object();
        if vertex.is_none() {
            // Where each content has a model, it has to be the path's.
            self.json.name("model").string(&path::resource(self.target.model));
        }
        self.json.name("content");
        match input {
            Input::Content { raw, .. } => drop(self.json.raw(raw)),
            _ => {
                self.json.open_object().name("parts").open_array().open_object().name("text");
                self.text(index, input)?;
                self.json.close_object().close_array().close_object();
            }
        }
        if vertex.is_some() {
            self.json.name("embedContentConfig").open_object();
        }
        let Request { dimensions, title, .. } = self.request;
        if let Some(task) = task {
            self.json.name("taskType").string(task);
        }
        if let Some(title) = title {
            self.json.name("title").text(title);
        }
        if let Some(dimensions) = dimensions {
            self.json.name("outputDimensionality").number(*dimensions);
        }
        if let Some(own) = vertex {
            for extra in own {
                self.json.any_name(last_name(extra)).raw(&extra.value);
            }
            self.json.close_object();
        }
        self.json.close_object();
        Ok(())
    }

    /// Vertex AI's older models.
    fn predict(&mut self) -> Said {
        let Request { client: _, inputs, dimensions, task: _, title, user, base64: _, extras } = self.request;
        self.hint(user.is_some(), "user");
        self.notes.leave(self.target, extras)?;
        let task = self.gemini_task()?;
        self.json.open_object().name("instances").open_array();
        for (index, input) in inputs.iter().enumerate() {
            self.json.open_object().name("content");
            self.text(index, input)?;
            if let Some(task) = task {
                self.json.name("task_type").string(task);
            }
            if let Some(title) = title {
                self.json.name("title").text(title);
            }
            self.json.close_object();
        }
        self.json.close_array();
        if let Some(dimensions) = dimensions {
            self.json.name("parameters").open_object().name("outputDimensionality").number(*dimensions).close_object();
        }
        self.json.close_object();
        Ok((path::write_as(self.target.model, "predict").into(), AnswerForm::Predict))
    }

    fn cohere(&mut self, path: Cow<'static, str>, names_model: bool) -> Said {
        let Request { client: _, inputs, dimensions, task, title, user, base64: _, extras } = self.request;
        self.hint(title.is_some(), "title");
        self.hint(user.is_some(), "user");
        self.json.open_object();
        if names_model {
            self.json.name("model").string(self.target.model);
        }
        self.json.name("texts").open_array();
        for (index, input) in inputs.iter().enumerate() {
            self.text(index, input)?;
        }
        self.json.close_array().name("input_type");
        match task {
            Some(task) => match row(task) {
                Some((_, cohere, _)) => drop(self.json.string(cohere)),
                // Cohere's own, such as `image`.
                None => drop(self.json.text(task)),
            },
            None => {
                self.notes.adapted(self.task_param(), "The model has to be told what the vectors are for: a document.");
                self.json.string(COHERE_TASK);
            }
        }
        self.json.name("embedding_types").open_array().string("float").close_array();
        if let Some(dimensions) = dimensions {
            self.json.name("output_dimension").number(*dimensions);
        }
        self.extras(extras, &["truncate", "max_tokens", "priority"])?;
        self.json.close_object();
        Ok((path, AnswerForm::Cohere))
    }

    fn ollama(&mut self) -> Said {
        let Request { client: _, inputs, dimensions, task, title, user, base64: _, extras } = self.request;
        self.hint(task.is_some(), self.task_param());
        self.hint(title.is_some(), "title");
        self.hint(user.is_some(), "user");
        self.json.open_object().name("model").string(self.target.model).name("input").open_array();
        for (index, input) in inputs.iter().enumerate() {
            self.text(index, input)?;
        }
        self.json.close_array();
        if let Some(dimensions) = dimensions {
            self.json.name("dimensions").number(*dimensions);
        }
        self.extras(extras, &["truncate", "options", "keep_alive"])?;
        self.json.close_object();
        Ok(("/api/embed".into(), AnswerForm::Ollama))
    }

    fn bedrock(&mut self) -> Said {
        let converse = bedrock_converse::compose::path(self.target.model, false);
        let path = format!("{}/invoke", converse.strip_suffix("/converse").unwrap_or(&converse));
        // Names of profiles have a region before the maker's name, and those of resources more.
        if self.target.model.contains("cohere.embed") {
            return self.cohere(path.into(), false);
        }
        if !self.target.model.contains("titan-embed-text") {
            let why = "Of Bedrock's models, Titan's and Cohere's are asked for vectors of texts.";
            return Err(Unsupported { param: "model".into(), why: why.into() });
        }
        let Request { client: _, inputs, dimensions, task, title, user, base64: _, extras } = self.request;
        self.hint(task.is_some(), self.task_param());
        self.hint(title.is_some(), "title");
        self.hint(user.is_some(), "user");
        let [input] = &inputs[..] else {
            let why = "The model takes one input at a time.";
            return Err(Unsupported { param: self.inputs_param().into(), why: why.into() });
        };
        self.json.open_object().name("inputText");
        self.text(0, input)?;
        if let Some(dimensions) = dimensions {
            if self.target.model.contains("titan-embed-text-v1") {
                self.notes.unsupported(self.target, self.dimensions_param(), "The model has vectors of one length.")?;
            } else {
                self.json.name("dimensions").number(*dimensions);
            }
        }
        self.extras(extras, &["normalize"])?;
        self.json.close_object();
        Ok((path.into(), AnswerForm::Titan))
    }

    /// The text of an input.
    fn text(&mut self, index: usize, input: &Input<'_>) -> Result<(), Unsupported> {
        let why = match input {
            Input::Text(text) => {
                self.json.text(text);
                return Ok(());
            }
            Input::Content { texts: Some(texts), .. } => {
                let joined: Vec<_> = texts.iter().map(Text::decoded).collect();
                self.notes.adapted(self.input_param(index), "Its texts are lines of one.");
                self.json.string(&joined.join("\n"));
                return Ok(());
            }
            Input::Content { texts: None, .. } => "The model takes texts only.",
            Input::Tokens(_) => "The model takes texts, and no tokens of a tokenizer.",
        };
        // Without it nothing would be left: it cannot be dropped.
        Err(Unsupported { param: self.input_param(index).into(), why: why.into() })
    }

    fn gemini_task(&mut self) -> Result<Option<&'c str>, Unsupported> {
        let Some(task) = &self.request.task else { return Ok(None) };
        if let Some((gemini, _, _)) = row(task) {
            return Ok(Some(gemini));
        }
        // One that Gemini's clients know before this table does.
        if let (true, Text::Escaped(Cow::Borrowed(said))) = (self.request.client != ClientForm::OpenAi, task)
            && let Ok(said) = std::str::from_utf8(said)
            && said.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')
        {
            return Ok(Some(said));
        }
        self.notes.hint(self.task_param());
        Ok(None)
    }

    /// Members of the upstream's own, which go as they came; the others are refused or noted.
    fn extras(&mut self, extras: &[Extra<'_>], own: &[&str]) -> Result<(), Unsupported> {
        let (carried, left): (Vec<_>, Vec<_>) = extras.iter().partition(|extra| own.contains(&&*extra.param));
        for extra in carried {
            self.json.any_name(&extra.param).raw(&extra.value);
        }
        self.notes.leave(self.target, left)
    }

    fn hint(&mut self, is_given: bool, param: &'static str) {
        if is_given {
            self.notes.hint(param);
        }
    }

    fn task_param(&self) -> &'static str {
        if self.request.client == ClientForm::OpenAi { "input_type" } else { "taskType" }
    }

    fn dimensions_param(&self) -> &'static str {
        if self.request.client == ClientForm::OpenAi { "dimensions" } else { "outputDimensionality" }
    }

    fn inputs_param(&self) -> &'static str {
        match self.request.client {
            ClientForm::OpenAi => "input",
            ClientForm::GeminiOne => "content",
            ClientForm::GeminiBatch => "requests",
        }
    }

    fn input_param(&self, index: usize) -> String {
        match self.request.client {
            ClientForm::OpenAi if self.request.inputs.len() == 1 => "input".to_owned(),
            ClientForm::OpenAi => format!("input[{index}]"),
            ClientForm::GeminiOne => "content.parts".to_owned(),
            ClientForm::GeminiBatch => format!("requests[{index}].content.parts"),
        }
    }
}

/// Is this a setting that Vertex AI alone has? A batch has one set of them, its first request's.
fn is_vertex_s(extra: &Extra<'_>) -> bool {
    let is_first = !extra.param.starts_with("requests[") || extra.param.starts_with("requests[0]");
    is_first && ["autoTruncate", "mimeType", "documentOcr", "audioTrackExtraction"].contains(&last_name(extra))
}

fn last_name<'e>(extra: &'e Extra<'_>) -> &'e str {
    extra.param.rsplit('.').next().unwrap_or_default()
}

/// What is known of a task.
fn row(task: &Text<'_>) -> Option<&'static (&'static str, &'static str, &'static [&'static str])> {
    let said = task.decoded();
    TASKS.iter().find(|(gemini, cohere, others)| {
        said == *gemini || said == *cohere && *gemini != "SEMANTIC_SIMILARITY" || others.contains(&&*said)
    })
}
