//! `POST /audio/speech` (JSON to bytes), `/audio/transcriptions` and `/audio/translations` (multipart to text).
//!
//! A transcript says how many bytes the file had, so that a test sees whether all of it arrived. Speech is not audio:
//! bytes drawn from the input, as many as `SPEECH_BYTES`, under the right content type.

use serde_json::{Value, json};

use super::multipart::Form;
use super::reply::{Event, EventKind, Reply};
use super::verify::Is::{OneOf, Str, StrOrObject};
use super::verify::{Table, may, need};
use super::{ApiError, Call, Trouble, base64, token_count};
use crate::sim::latency::Random;

const SPEECH_BYTES: usize = 32 * 1024;

pub(super) const TABLE: Table = Table {
    fields: &[
        need("model", Str),
        need("input", Str),
        need("voice", StrOrObject),
        may("response_format", OneOf(&["mp3", "opus", "aac", "flac", "wav", "pcm"])),
        may("stream_format", OneOf(&["sse", "audio"])),
    ],
    known: None,
};

pub(super) fn speech(call: &Call<'_>) -> Result<Reply, ApiError> {
    let (body, setting) = (&call.body, call.setting);
    let input = body.get("input").and_then(Value::as_str).unwrap_or("");
    let content_type = match body.get("response_format").and_then(Value::as_str) {
        Some("opus") => "audio/opus",
        Some("aac") => "audio/aac",
        Some("flac") => "audio/flac",
        Some("wav") => "audio/wav",
        Some("pcm") => "audio/pcm",
        _ => "audio/mpeg",
    };
    let mut random = Random::of_text(setting.seed, input.as_bytes());
    let audio: Vec<u8> = (0..SPEECH_BYTES / 8).flat_map(|_| random.bits().to_le_bytes()).collect();
    if body.get("stream_format").and_then(Value::as_str) != Some("sse") {
        return Ok(Reply::whole(content_type, audio));
    }
    let mut events: Vec<Event> = audio
        .chunks(SPEECH_BYTES / 8)
        .map(|piece| {
            let data = json!({"type": "speech.audio.delta", "audio": base64(piece)});
            Event::data(EventKind::Content, data.to_string())
        })
        .collect();
    let (input, output) = (token_count(input), 64);
    let done = json!({"type": "speech.audio.done", "usage": {
        "input_tokens": input, "output_tokens": output, "total_tokens": input + output,
    }});
    events.push(Event::data(EventKind::Finish, done.to_string()));
    Ok(Reply::events(events))
}

pub(super) fn transcriptions(call: &Call<'_>) -> Result<Reply, ApiError> {
    let form = call.form()?;
    let file = form.files().next().ok_or_else(|| Trouble::Missing.about("file"))?;
    let text = format!("A recording of {} bytes.", file.body.len());
    if form.field("stream") != Some("true") {
        return transcript(&text, "transcribe", form);
    }
    let mut events: Vec<Event> = text
        .split_inclusive(' ')
        .map(|word| {
            let data = json!({"type": "transcript.text.delta", "delta": word});
            Event::data(EventKind::Content, data.to_string())
        })
        .collect();
    let done = json!({"type": "transcript.text.done", "text": text, "usage": usage(&text)});
    events.push(Event::data(EventKind::Finish, done.to_string()));
    Ok(Reply::events(events))
}

pub(super) fn translations(call: &Call<'_>) -> Result<Reply, ApiError> {
    let form = call.form()?;
    let file = form.files().next().ok_or_else(|| Trouble::Missing.about("file"))?;
    let text = format!("A translated recording of {} bytes.", file.body.len());
    transcript(&text, "translate", form)
}

fn transcript(text: &str, task: &str, form: &Form) -> Result<Reply, ApiError> {
    let plain = |text: String| Ok(Reply::whole("text/plain; charset=utf-8", text.into_bytes()));
    match form.field("response_format") {
        None | Some("json") => Ok(Reply::json(&json!({"text": text, "usage": usage(text)}))),
        Some("text") => plain(format!("{text}\n")),
        Some("srt") => plain(format!("1\n00:00:00,000 --> 00:00:02,000\n{text}\n\n")),
        Some("vtt") => plain(format!("WEBVTT\n\n00:00:00.000 --> 00:00:02.000\n{text}\n\n")),
        Some("verbose_json") => Ok(Reply::json(&json!({
            "task": task,
            "language": "english",
            "duration": 2.0,
            "text": text,
            "segments": [{
                "id": 0, "seek": 0, "start": 0.0, "end": 2.0, "text": text, "tokens": [1, 2, 3],
                "temperature": 0.0, "avg_logprob": -0.25, "compression_ratio": 1.0, "no_speech_prob": 0.01,
            }],
            "usage": {"type": "duration", "seconds": 2},
        }))),
        Some(other) => {
            Err(Trouble::BadValue(format!("a transcript format, but got '{other}' instead")).about("response_format"))
        }
    }
}

fn usage(text: &str) -> Value {
    let output = token_count(text);
    json!({
        "type": "tokens",
        "input_tokens": 20,
        "input_token_details": {"text_tokens": 0, "audio_tokens": 20},
        "output_tokens": output,
        "total_tokens": 20 + output,
    })
}
