//! Pictures on their way back.

use super::{AnswerForm, WayBack};
use crate::{
    dialects::{
        canonical::{ErrorClass, Finish, Malformed, ProviderError, Usage},
        gemini::{
            base64, classify,
            read::{Reason, is_blocked},
            usage,
        },
        translate::{Translated, owned, plus},
    },
    json::{Kind, piece::Text, view::Value, write::Writer},
};

/// What answers come to.
#[derive(Default)]
struct Read<'a> {
    pictures: Vec<Picture<'a>>,
    usage: Option<Usage>,
    /// The parts of the counts that are pictures.
    input_image_tokens: u64,
    output_image_tokens: u64,
    /// Why there is no picture, or one fewer; the first reason counts.
    error: Option<ProviderError<'a>>,
}

struct Picture<'a> {
    base64: Text<'a>,
    media_type: Option<Text<'a>>,
    /// What the provider made of the prompt.
    prompt: Option<Text<'a>>,
}

/// OpenAI's formats by their media types.
const FORMATS: &[(&str, &str)] = &[("image/png", "png"), ("image/jpeg", "jpeg"), ("image/webp", "webp")];

impl WayBack {
    /// Appends the answer of OpenAI's form to the answers of all calls. Each text is a scanned JSON object.
    ///
    /// # Errors
    /// One is no answer.
    pub fn whole(self, texts: &[impl AsRef<[u8]>], out: &mut Vec<u8>) -> Result<Translated, Malformed> {
        let mut read = Read::default();
        for text in texts {
            let body = Value::root(text.as_ref());
            match (body.some("error"), self.form) {
                (Some(error), _) => read.fail(classify::of_error(error, None)),
                (None, AnswerForm::Content) => read.content(body)?,
                (None, AnswerForm::Predict) => read.predictions(body)?,
            }
        }
        if read.pictures.is_empty() {
            return read.error.as_ref().map(|error| Translated::Error(owned(error))).ok_or(Malformed);
        }
        read.write(self.created_s, &mut Writer::new(out));
        Ok(match read.usage {
            Some(usage) => Translated::Answer { usage: Some(usage), said_bytes: 0 },
            None => Translated::Count,
        })
    }
}

impl<'a> Read<'a> {
    /// What a model of Gemini's answers.
    fn content(&mut self, body: Value<'a>) -> Result<(), Malformed> {
        let before = self.pictures.len();
        // What the model says instead of a picture, and why it ended.
        let (mut words, mut reason, mut message) = (None, None, None);
        let candidates = body.some("candidates");
        for candidate in candidates.into_iter().flat_map(Value::elements) {
            let parts = candidate.some("content").and_then(|content| content.some("parts"));
            for part in parts.into_iter().flat_map(Value::elements) {
                // Sketches that the model made while it thought.
                if part.some("thought").and_then(Value::bool) == Some(true) {
                    continue;
                }
                if let Some(picture) = part.some("inlineData").and_then(inline) {
                    self.pictures.push(picture);
                } else if let Some(text) = part.some("text").and_then(Value::text).filter(|text| !text.is_empty()) {
                    words.get_or_insert(text);
                }
            }
            reason = reason.or(candidate.some("finishReason").and_then(Value::text));
            message = message.or(candidate.some("finishMessage").and_then(Value::text));
        }
        if let Some(metadata) = body.some("usageMetadata") {
            self.usage = plus(self.usage, usage::read(metadata));
            self.input_image_tokens += image_tokens(metadata.some("promptTokensDetails"));
            self.output_image_tokens += image_tokens(metadata.some("candidatesTokensDetails"));
        }
        if self.pictures.len() > before {
            return Ok(());
        }
        let feedback = body.some("promptFeedback").filter(|feedback| is_blocked(*feedback));
        let told = feedback.and_then(|feedback| feedback.some("blockReasonMessage")).and_then(Value::text);
        let is_filtered = feedback.is_some() || reason.as_ref().is_some_and(is_filter);
        if !is_filtered && candidates.is_none() {
            return Err(Malformed);
        }
        let class = match (is_filtered, &words) {
            (true, _) => ErrorClass::ContentPolicy,
            // It asks back, or says why it does not.
            (false, Some(_)) => ErrorClass::InvalidRequest,
            (false, None) => ErrorClass::Server,
        };
        let message = told.or(message).or(words).unwrap_or_default();
        self.fail(ProviderError { class, message, retry_after_ms: None });
        Ok(())
    }

    /// What a model of Imagen's answers.
    fn predictions(&mut self, body: Value<'a>) -> Result<(), Malformed> {
        let mut filtered = None;
        let predictions = body.some("predictions");
        if predictions.is_some_and(|predictions| predictions.kind() != Kind::Array) {
            return Err(Malformed);
        }
        for prediction in predictions.into_iter().flat_map(Value::elements) {
            let text = |name| prediction.some(name).and_then(Value::text).filter(|text| !text.is_empty());
            match text("bytesBase64Encoded") {
                Some(said) => self.pictures.push(Picture {
                    base64: base64::standard(said),
                    media_type: text("mimeType"),
                    prompt: text("prompt"),
                }),
                // There may be others: how safe the prompt is thought to be, for example.
                None => filtered = filtered.or_else(|| text("raiFilteredReason")),
            }
        }
        // Where all were filtered there is no list at all, unless the reasons are in it.
        let message = filtered.unwrap_or_default();
        self.fail(ProviderError { class: ErrorClass::ContentPolicy, message, retry_after_ms: None });
        Ok(())
    }

    fn fail(&mut self, error: ProviderError<'a>) {
        self.error.get_or_insert(error);
    }

    fn write(&self, created_s: u64, json: &mut Writer<'_>) {
        json.open_object().name("created").number(created_s).name("data").open_array();
        for Picture { base64, media_type: _, prompt } in &self.pictures {
            json.open_object().name("b64_json").text(base64);
            if let Some(prompt) = prompt {
                json.name("revised_prompt").text(prompt);
            }
            json.close_object();
        }
        json.close_array();
        if let Some(format) = self.format() {
            json.name("output_format").string(format);
        }
        if let Some(usage) = &self.usage {
            let (input, output) = (usage.input(), usage.output);
            json.name("usage").open_object().name("input_tokens").number(input);
            json.name("output_tokens").number(output).name("total_tokens").number(usage.total());
            for (name, all, images) in [
                ("input_tokens_details", input, self.input_image_tokens),
                ("output_tokens_details", output, self.output_image_tokens),
            ] {
                let images = images.min(all);
                json.name(name).open_object().name("text_tokens").number(all - images);
                json.name("image_tokens").number(images).close_object();
            }
            json.close_object();
        }
        json.close_object();
    }

    /// The format of all pictures.
    fn format(&self) -> Option<&'static str> {
        let mut formats = self.pictures.iter().map(|picture| {
            let said = picture.media_type.as_ref()?;
            FORMATS.iter().find(|(media_type, _)| said.says(media_type)).map(|(_, format)| *format)
        });
        let first = formats.next()??;
        formats.all(|format| format == Some(first)).then_some(first)
    }
}

/// A picture in a part; `None` for other data.
fn inline(data: Value<'_>) -> Option<Picture<'_>> {
    let media_type = data.some("mimeType")?.text()?;
    if !media_type.decoded().starts_with("image/") {
        return None;
    }
    let base64 = base64::standard(data.some("data")?.text()?);
    Some(Picture { base64, media_type: Some(media_type), prompt: None })
}

/// Is this the reason of somebody who did not want the picture? Where a model just made none, another try may.
fn is_filter(reason: &Text<'_>) -> bool {
    let is_failure = ["OTHER", "IMAGE_OTHER", "NO_IMAGE", "LANGUAGE"].iter().any(|other| reason.says(other));
    !is_failure && matches!(Reason::of(reason), Reason::Finish(Finish::ContentFilter))
}

/// Tokens of pictures among counts by modality.
fn image_tokens(details: Option<Value<'_>>) -> u64 {
    let of_images = |part: &Value<'_>| part.some("modality").is_some_and(|modality| modality.says("IMAGE"));
    let counts = details.into_iter().flat_map(Value::elements).filter(of_images);
    counts.filter_map(|part| part.some("tokenCount")?.u64()).fold(0, u64::saturating_add)
}
