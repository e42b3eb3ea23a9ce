//! Says a request for pictures in the upstream's form.
//!
//! | asked for | Gemini's models | at Vertex AI | Imagen |
//! | --- | --- | --- | --- |
//! | `n` | as many calls | as many calls | `sampleCount`, up to 4 |
//! | `size` | `aspectRatio` and `imageSize`, by [`SIZES`] | the same | `aspectRatio` and `sampleImageSize`, by [`SIZES`] |
//! | `output_format`, `output_compression` | refused | `imageOutputOptions` | `outputOptions` |
//! | `quality: standard`, `background: opaque` | what they are anyway | the same | the same |
//! | other `quality`, `background`, `moderation`, `style` | refused | refused | refused |
//! | `response_format: url` | refused: the pictures come themselves | refused | refused |
//! | `stream` | refused | refused | refused |
//! | `user` | left out, noted | left out, noted | left out, noted |
//!
//! Members of Google's own, in its spelling, are carried: shapes and sizes that OpenAI has no word for among them.

use super::{AnswerForm, Request, UpstreamForm, WayBack};
use crate::{
    dialects::{
        canonical::{Extra, Notes, Target, Unsupported},
        gemini::path,
    },
    json::{piece::Text, write::Writer},
    limits::FAN_OUT_MAX,
};
use std::borrow::Cow;

/// A request that was composed.
#[derive(Debug)]
pub struct Composed {
    /// Below the provider's base URL.
    pub path: Cow<'static, str>,
    /// With the number of calls that are made, all with this body.
    pub back: WayBack,
}

/// Appends the upstream's request. `created_s` is what the client is told.
///
/// # Errors
/// The upstream's form cannot express it. What was appended by then means nothing.
pub fn compose(
    upstream: UpstreamForm,
    request: &Request<'_>,
    created_s: u64,
    target: &Target<'_>,
    notes: &mut Notes,
    out: &mut Vec<u8>,
) -> Result<Composed, Unsupported> {
    let mut composer = Composer { request, upstream, target, notes, json: Writer::new(out) };
    let form = if target.model.contains("imagen") { AnswerForm::Predict } else { AnswerForm::Content };
    composer.common()?;
    let (verb, calls) = match form {
        AnswerForm::Content => ("generateContent", composer.content()?),
        AnswerForm::Predict => ("predict", composer.predict()?),
    };
    let back = WayBack { upstream, calls, form, created_s };
    Ok(Composed { path: path::write_as(target.model, verb).into(), back })
}

/// A size that clients of OpenAI's API ask for, and what Google has for it.
struct Size {
    /// Width and height in pixels.
    asked: &'static str,
    /// Gemini's models.
    shape: &'static str,
    /// Imagen has five shapes.
    imagen_shape: &'static str,
    resolution: &'static str,
    /// The picture has just these pixels.
    is_exact: bool,
}

const fn size(
    asked: &'static str,
    shape: &'static str,
    imagen_shape: &'static str,
    resolution: &'static str,
    is_exact: bool,
) -> Size {
    Size { asked, shape, imagen_shape, resolution, is_exact }
}

/// What is not said, since it is what all models make unless told otherwise, and some know nothing else.
const USUAL_RESOLUTION: &str = "1K";

/// The sizes of OpenAI's models, those that other gateways have for Google's, and the usual ones of screens. How many pixels a shape has
/// differs from model to model by some percent, but for squares.
const SIZES: &[Size] = &[
    size("256x256", "1:1", "1:1", "1K", false),
    size("512x512", "1:1", "1:1", "1K", false),
    size("1024x1024", "1:1", "1:1", "1K", true),
    size("1536x1024", "3:2", "4:3", "1K", false),
    size("1024x1536", "2:3", "3:4", "1K", false),
    size("1280x896", "4:3", "4:3", "1K", false),
    size("896x1280", "3:4", "3:4", "1K", false),
    size("1792x1024", "16:9", "16:9", "1K", false),
    size("1024x1792", "9:16", "9:16", "1K", false),
    size("1536x864", "16:9", "16:9", "1K", false),
    size("864x1536", "9:16", "9:16", "1K", false),
    size("2048x2048", "1:1", "1:1", "2K", true),
    size("2048x1152", "16:9", "16:9", "2K", false),
    size("1152x2048", "9:16", "9:16", "2K", false),
    size("2560x1440", "16:9", "16:9", "2K", false),
    size("1440x2560", "9:16", "9:16", "2K", false),
    size("3840x2160", "16:9", "16:9", "4K", false),
    size("2160x3840", "9:16", "9:16", "4K", false),
    size("4096x4096", "1:1", "1:1", "4K", true),
];

/// Most pictures of one call of Imagen's.
const IMAGEN_IMAGES_MAX: u64 = 4;
/// Imagen has no larger ones.
const IMAGEN_RESOLUTIONS: &[&str] = &["1K", "2K"];

/// Members of Google's `imageConfig`, as clients may give them beside OpenAI's.
const SHAPES: &[&str] = &["aspectRatio", "imageSize"];
/// The same, which Vertex AI alone has.
const VERTEX_CONFIG: &[&str] = &["personGeneration", "prominentPeople"];
/// Members of Imagen's `parameters`.
const IMAGEN_SHAPES: &[&str] = &["aspectRatio", "sampleImageSize"];
const IMAGEN_PARAMETERS: &[&str] = &[
    "addWatermark",
    "enhancePrompt",
    "guidanceScale",
    "language",
    "negativePrompt",
    "personGeneration",
    "safetySetting",
    "seed",
];

struct Composer<'c> {
    request: &'c Request<'c>,
    upstream: UpstreamForm,
    target: &'c Target<'c>,
    notes: &'c mut Notes,
    json: Writer<'c>,
}

impl<'c> Composer<'c> {
    /// What none of the models has a word for.
    fn common(&mut self) -> Result<(), Unsupported> {
        let Request {
            prompt: _,
            n: _,
            size: _,
            quality,
            background,
            moderation,
            style,
            output_format: _,
            output_compression: _,
            response_format,
            stream,
            partial_images,
            user,
            extras: _,
        } = self.request;
        if *stream {
            // Whoever waits for events could do nothing with another answer: it cannot be dropped.
            let why = "The model's API has no stream of pictures.";
            return Err(Unsupported { param: "stream".into(), why: why.into() });
        }
        self.refuse("partial_images", *partial_images > 0, "The model's API has no stream of pictures.")?;
        let is_other = |said: &Option<Text<'_>>, usual: &str| said.as_ref().is_some_and(|said| !said.says(usual));
        self.refuse("quality", is_other(quality, "standard"), "The model makes pictures of one quality.")?;
        self.refuse("background", is_other(background, "opaque"), "The model's pictures are opaque.")?;
        self.refuse("moderation", moderation.is_some(), "The provider has no such levels.")?;
        self.refuse("style", style.is_some(), "The model has no styles. The prompt can name one.")?;
        let why = "The model's provider sends pictures themselves and keeps none.";
        self.refuse("response_format", is_other(response_format, "b64_json"), why)?;
        if user.is_some() {
            self.notes.hint("user");
        }
        Ok(())
    }

    /// A model of Gemini's; returns the number of calls.
    fn content(&mut self) -> Result<u8, Unsupported> {
        let Request { prompt, n, size, output_format, output_compression, extras, .. } = self.request;
        let calls = match *n {
            1 => 1,
            n if n > FAN_OUT_MAX => {
                let why = format!(
                    "The model makes one picture for a request; up to {FAN_OUT_MAX} are asked for in calls of their own."
                );
                self.notes.unsupported(self.target, "n", why)?;
                1
            }
            n => {
                self.notes
                    .adapted("n", format!("Asked for in {n} calls, each of which is billed for the whole prompt."));
                n as u8
            }
        };
        let size = self.size(size.as_ref(), |size| size.shape)?;
        let is_vertex = self.upstream == UpstreamForm::Vertex;
        let (format, compression) = match is_vertex {
            true => self.format()?,
            false => {
                let why = "The model's API writes pictures in a format of its own choice.";
                self.refuse("output_format", output_format.is_some(), why)?;
                self.refuse("output_compression", output_compression.is_some(), why)?;
                (None, None)
            }
        };
        let is_own = |extra: &Extra<'_>| {
            size.is_none() && SHAPES.contains(&&*extra.param) || is_vertex && VERTEX_CONFIG.contains(&&*extra.param)
        };
        let (own, left): (Vec<_>, Vec<_>) = extras.iter().partition(|extra| is_own(extra));
        self.notes.leave(self.target, left)?;
        let json = &mut self.json;
        json.open_object().name("contents").open_array().open_object().name("role").string("user");
        json.name("parts").open_array().open_object().name("text").text(prompt);
        json.close_object().close_array().close_object().close_array();
        json.name("generationConfig").open_object();
        json.name("responseModalities").open_array().string("IMAGE").close_array();
        if size.is_some() || format.is_some() || !own.is_empty() {
            json.name("imageConfig").open_object();
            if let Some(size) = size {
                json.name("aspectRatio").string(size.shape);
                if size.resolution != USUAL_RESOLUTION {
                    json.name("imageSize").string(size.resolution);
                }
            }
            for extra in own {
                json.any_name(&extra.param).raw(&extra.value);
            }
            output_options(json, "imageOutputOptions", format, compression);
            json.close_object();
        }
        json.close_object().close_object();
        Ok(calls)
    }

    /// A model of Imagen's.
    fn predict(&mut self) -> Result<u8, Unsupported> {
        let Request { prompt, n, size, extras, .. } = self.request;
        let is_too_many = *n > IMAGEN_IMAGES_MAX;
        self.refuse("n", is_too_many, "The model makes up to four pictures for a request.")?;
        let mut size = self.size(size.as_ref(), |size| size.imagen_shape)?;
        let is_too_large = size.is_some_and(|size| !IMAGEN_RESOLUTIONS.contains(&size.resolution));
        self.refuse("size", is_too_large, "The model's pictures are smaller.")?;
        size = size.filter(|_| !is_too_large);
        let (format, compression) = self.format()?;
        let is_own = |extra: &Extra<'_>| {
            let name = &&*extra.param;
            size.is_none() && IMAGEN_SHAPES.contains(name) || IMAGEN_PARAMETERS.contains(name)
        };
        let (own, left): (Vec<_>, Vec<_>) = extras.iter().partition(|extra| is_own(extra));
        self.notes.leave(self.target, left)?;
        let json = &mut self.json;
        json.open_object().name("instances").open_array().open_object().name("prompt").text(prompt);
        json.close_object().close_array().name("parameters").open_object();
        // Unless it is told how many, it makes four.
        json.name("sampleCount").number(if is_too_many { 1 } else { *n });
        if let Some(size) = size {
            json.name("aspectRatio").string(size.imagen_shape);
            if size.resolution != USUAL_RESOLUTION {
                json.name("sampleImageSize").string(size.resolution);
            }
        }
        for extra in own {
            json.any_name(&extra.param).raw(&extra.value);
        }
        output_options(json, "outputOptions", format, compression);
        // Without it a picture that was filtered is missing without a word.
        json.name("includeRaiReason").bool(true);
        json.close_object().close_object();
        Ok(1)
    }

    /// What Google has for the size that was asked for; `shape` is what the model has of it.
    fn size(
        &mut self,
        asked: Option<&Text<'_>>,
        shape: fn(&Size) -> &'static str,
    ) -> Result<Option<&'static Size>, Unsupported> {
        let Some(asked) = asked else { return Ok(None) };
        let Some(size) = SIZES.iter().find(|size| asked.says(size.asked)) else {
            let known: Vec<_> = SIZES.iter().map(|size| size.asked).collect();
            let why = format!("Sizes that the model has something near to: {}.", known.join(", "));
            self.notes.unsupported(self.target, "size", why)?;
            return Ok(None);
        };
        if !size.is_exact {
            let Size { resolution, .. } = size;
            self.notes.adapted("size", format!("A picture of {} in the model's own size, {resolution}.", shape(size)));
        }
        Ok(Some(size))
    }

    /// The media type in which pictures are written, and how good one that loses something by it.
    fn format(&mut self) -> Result<(Option<&'static str>, Option<u64>), Unsupported> {
        let Request { output_format, output_compression, .. } = self.request;
        let format = match output_format {
            None => None,
            Some(format) if format.says("png") => Some("image/png"),
            Some(format) if format.says("jpeg") => Some("image/jpeg"),
            Some(_) => {
                self.notes.unsupported(self.target, "output_format", "The model writes pictures as png or jpeg.")?;
                None
            }
        };
        let is_lossless = output_compression.is_some() && format != Some("image/jpeg");
        self.refuse("output_compression", is_lossless, "Only a jpeg can be compressed more or less.")?;
        Ok((format, output_compression.filter(|_| !is_lossless)))
    }

    fn refuse(&mut self, param: &'static str, is_said: bool, why: &'static str) -> Result<(), Unsupported> {
        if is_said { self.notes.unsupported(self.target, param, why) } else { Ok(()) }
    }
}

#[cfg(test)]
pub(super) fn sizes_as_documented() -> String {
    let row = |size: &Size| {
        let Size { asked, shape, imagen_shape, resolution, is_exact: _ } = size;
        format!("| `{asked}` | {shape} | {imagen_shape} | {resolution} |\n")
    };
    SIZES.iter().map(row).collect()
}

fn output_options(json: &mut Writer<'_>, name: &str, format: Option<&str>, compression: Option<u64>) {
    let Some(format) = format else { return };
    json.name(name).open_object().name("mimeType").string(format);
    if let Some(compression) = compression {
        json.name("compressionQuality").number(compression);
    }
    json.close_object();
}
