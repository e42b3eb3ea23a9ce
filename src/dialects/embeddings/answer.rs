//! Vectors on their way back.

use super::{AnswerForm, ClientForm, WayBack};
use crate::{
    dialects::{
        canonical::{Malformed, Usage},
        gemini::base64,
        translate::Translated,
    },
    json::{Kind, view::Value, write::Writer},
};

/// A vector as it came.
enum Vector<'a> {
    /// An array of numbers.
    Numbers(Value<'a>),
    /// Base64 of little-endian `f32`.
    Packed(Vec<u8>),
}

impl WayBack {
    /// Appends an answer in the client's form. `text` is a scanned JSON object.
    ///
    /// # Errors
    /// It is no answer to what was asked.
    pub fn whole(self, text: &[u8], out: &mut Vec<u8>) -> Result<Translated, Malformed> {
        let body = Value::root(text);
        let (vectors, counted) = self.read(body)?;
        if vectors.len() != self.inputs {
            return Err(Malformed);
        }
        let tokens = counted.unwrap_or(self.tokens_estimated);
        let mut json = Writer::new(out);
        json.open_object();
        match self.client {
            ClientForm::OpenAi => {
                json.name("object").string("list").name("data").open_array();
                for (index, vector) in vectors.iter().enumerate() {
                    json.open_object().name("object").string("embedding").name("index").number(index as u64);
                    json.name("embedding");
                    self.vector(vector, &mut json)?;
                    json.close_object();
                }
                json.close_array().name("model").string(&self.model);
                json.name("usage").open_object().name("prompt_tokens").number(tokens);
                json.name("total_tokens").number(tokens).close_object();
            }
            ClientForm::GeminiOne => {
                json.name("embedding");
                for vector in &vectors {
                    json.open_object().name("values");
                    self.vector(vector, &mut json)?;
                    json.close_object();
                }
            }
            ClientForm::GeminiBatch => {
                json.name("embeddings").open_array();
                for vector in &vectors {
                    json.open_object().name("values");
                    self.vector(vector, &mut json)?;
                    json.close_object();
                }
                json.close_array();
            }
        }
        if self.client != ClientForm::OpenAi {
            json.name("usageMetadata").open_object().name("promptTokenCount").number(tokens);
            json.name("totalTokenCount").number(tokens).close_object();
        }
        json.close_object();
        let usage = Usage { input_uncached: tokens, ..Usage::default() };
        Ok(match counted {
            Some(_) => Translated::Answer { usage: Some(usage), said_bytes: 0 },
            None => Translated::Estimated(usage),
        })
    }

    /// The vectors in the order of the inputs, and how many tokens those had.
    fn read<'a>(&self, body: Value<'a>) -> Result<(Vec<Vector<'a>>, Option<u64>), Malformed> {
        let at = |names: &[&str]| names.iter().try_fold(body, |value, name| value.some(name));
        let list = |names: &[&str]| at(names).filter(|value| value.kind() == Kind::Array).ok_or(Malformed);
        Ok(match self.form {
            AnswerForm::OpenAi => {
                let mut vectors = Vec::with_capacity(self.inputs);
                for (place, item) in list(&["data"])?.elements().enumerate() {
                    let index = item.some("index").and_then(Value::u64).unwrap_or(place as u64);
                    vectors.push((index, vector(item.some("embedding"))?));
                }
                vectors.sort_by_key(|(index, _)| *index);
                let counted = at(&["usage", "prompt_tokens"]).or_else(|| at(&["usage", "total_tokens"]));
                (vectors.into_iter().map(|(_, vector)| vector).collect(), counted.and_then(Value::u64))
            }
            AnswerForm::GeminiOne => (
                vec![vector(at(&["embedding", "values"]))?],
                at(&["usageMetadata", "promptTokenCount"]).and_then(Value::u64),
            ),
            AnswerForm::GeminiBatch => {
                let vectors = list(&["embeddings"])?.elements().map(|item| vector(item.some("values")));
                (vectors.collect::<Result<_, _>>()?, at(&["usageMetadata", "promptTokenCount"]).and_then(Value::u64))
            }
            AnswerForm::Predict => {
                let items: Vec<_> = list(&["predictions"])?.elements().map(|item| item.some("embeddings")).collect();
                let count = |item: &Option<Value<'a>>| (*item)?.some("statistics")?.some("token_count").and_then(whole);
                let counted = items.iter().map(count).sum();
                let vectors = items.iter().map(|item| vector(item.and_then(|item| item.some("values"))));
                (vectors.collect::<Result<_, _>>()?, counted)
            }
            AnswerForm::Cohere => {
                // Without types, as older models of Bedrock's answer, they stand there themselves.
                let vectors = list(&["embeddings", "float"]).or_else(|_| list(&["embeddings"]))?;
                let counted = at(&["meta", "billed_units", "input_tokens"]).and_then(whole);
                (vectors.elements().map(|item| vector(Some(item))).collect::<Result<_, _>>()?, counted)
            }
            AnswerForm::Ollama => {
                let vectors = list(&["embeddings"])?.elements().map(|item| vector(Some(item)));
                (vectors.collect::<Result<_, _>>()?, at(&["prompt_eval_count"]).and_then(Value::u64))
            }
            AnswerForm::Titan => (vec![vector(at(&["embedding"]))?], at(&["inputTextTokenCount"]).and_then(Value::u64)),
        })
    }

    fn vector(&self, vector: &Vector<'_>, json: &mut Writer<'_>) -> Result<(), Malformed> {
        match (vector, self.base64) {
            (Vector::Numbers(numbers), false) => drop(json.json(numbers.bytes())),
            (Vector::Numbers(numbers), true) => {
                let mut packed = Vec::with_capacity(4 * 1024);
                for number in numbers.elements() {
                    packed.extend_from_slice(&float(number)?.to_le_bytes());
                }
                write_packed(&packed, json);
            }
            (Vector::Packed(packed), true) => write_packed(packed, json),
            (Vector::Packed(packed), false) => {
                json.open_array();
                for number in packed.as_chunks().0 {
                    let number = f32::from_le_bytes(*number);
                    if !number.is_finite() {
                        return Err(Malformed);
                    }
                    json.json(number.to_string().as_bytes());
                }
                json.close_array();
            }
        }
        Ok(())
    }
}

fn vector(value: Option<Value<'_>>) -> Result<Vector<'_>, Malformed> {
    let value = value.ok_or(Malformed)?;
    match value.kind() {
        Kind::Array => Ok(Vector::Numbers(value)),
        Kind::String => {
            let said = value.text().ok_or(Malformed)?;
            let packed = base64::decode(said.decoded().as_bytes()).filter(|packed| packed.len() % 4 == 0);
            packed.map(Vector::Packed).ok_or(Malformed)
        }
        _ => Err(Malformed),
    }
}

fn write_packed(packed: &[u8], json: &mut Writer<'_>) {
    let mut written = String::new();
    base64::encode(packed, &mut written);
    json.string(&written);
}

fn float(value: Value<'_>) -> Result<f32, Malformed> {
    let number = std::str::from_utf8(value.bytes()).ok().and_then(|number| number.parse::<f32>().ok());
    number.filter(|number| number.is_finite()).ok_or(Malformed)
}

/// A count that may be written as a float, as Google's and Cohere's are.
fn whole(value: Value<'_>) -> Option<u64> {
    value.u64().or_else(|| float(value).ok().filter(|number| *number >= 0.0).map(|number| number as u64))
}
