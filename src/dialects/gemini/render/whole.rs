//! A whole answer: candidates with their parts in the order in which the model made them, texts of a kind joined.

use super::{Call, Ending, candidate_member, write_identity, write_pictures};
use crate::dialects::canonical::{Event, Facts, Usage};
use crate::dialects::gemini::{signature, usage};
use crate::json::piece::{Raw, Text};
use crate::json::write::Writer;
use std::borrow::Cow;

/// An answer that is being collected.
#[derive(Debug)]
pub struct Whole {
    facts: Facts,
    candidates: Vec<Candidate>,
    usage: Option<Usage>,
}

#[derive(Debug, Default)]
struct Candidate {
    index: u32,
    parts: Vec<Part>,
    members: Vec<(&'static str, Raw<'static>)>,
    ending: Option<Ending>,
}

#[derive(Debug)]
enum Part {
    /// As it stands in a string.
    Text {
        escaped: Vec<u8>,
        is_thought: bool,
        signature: Option<Text<'static>>,
    },
    Call(Call),
    Pictures(Raw<'static>),
}

impl Whole {
    pub fn new(facts: Facts) -> Whole {
        Whole { facts, candidates: Vec::new(), usage: None }
    }

    /// Takes the next step of the answer.
    pub fn event(&mut self, event: &Event<'_>) {
        match event {
            Event::Start { .. } | Event::Error(_) | Event::End => {}
            Event::Text { choice, text } | Event::Refusal { choice, text } => self.candidate(*choice).say(text, false),
            Event::Thinking { choice, text } => self.candidate(*choice).say(text, true),
            Event::ThinkingSignature { choice, signature } => {
                let said = signature::written(signature, false).into_owned();
                let parts = &mut self.candidate(*choice).parts;
                match parts.last_mut() {
                    Some(Part::Text { is_thought: true, signature: place @ None, .. }) => *place = Some(said),
                    _ => parts.push(Part::Text { escaped: Vec::new(), is_thought: true, signature: Some(said) }),
                }
            }
            Event::SealedThinking { choice, signature } => {
                let said = signature::written(signature, true).into_owned();
                let part = Part::Text { escaped: Vec::new(), is_thought: false, signature: Some(said) };
                self.candidate(*choice).parts.push(part);
            }
            Event::ToolCall { choice, call, id, name, signature } => {
                let call = Call::new(*choice, *call, id, name, signature.as_ref());
                self.candidate(*choice).parts.push(Part::Call(call));
            }
            Event::ToolArguments { choice, call, fragment } => {
                for part in self.candidate(*choice).parts.iter_mut().rev() {
                    if let Part::Call(begun) = part
                        && begun.call == *call
                    {
                        begun.arguments.push_str(&fragment.decoded());
                        break;
                    }
                }
            }
            Event::Extra { choice, name: "images", raw } => {
                let raw = Raw(Cow::Owned(raw.0.to_vec()));
                self.candidate(*choice).parts.push(Part::Pictures(raw));
            }
            Event::Extra { choice, name, raw } => {
                if let Some(member) = candidate_member(name, raw) {
                    self.candidate(*choice).members.push(member);
                }
            }
            Event::Finish { choice, reason } => self.candidate(*choice).ending = Some(Ending::of(reason)),
            Event::Usage(usage) => self.usage = Some(*usage),
        }
    }

    /// Appends the answer.
    pub fn finish(self, out: &mut Vec<u8>) {
        let Whole { facts, mut candidates, usage } = self;
        candidates.sort_by_key(|candidate| candidate.index);
        let mut json = Writer::new(out);
        json.open_object().name("candidates").open_array();
        for candidate in candidates {
            candidate.write(&mut json);
        }
        json.close_array();
        if let Some(usage) = &usage {
            json.name("usageMetadata");
            usage::write(usage, &mut json);
        }
        write_identity(&mut json, &facts);
        json.close_object();
    }

    fn candidate(&mut self, index: u32) -> &mut Candidate {
        let at = self.candidates.iter().position(|candidate| candidate.index == index).unwrap_or_else(|| {
            self.candidates.push(Candidate { index, ..Candidate::default() });
            self.candidates.len() - 1
        });
        &mut self.candidates[at]
    }
}

impl Candidate {
    fn say(&mut self, text: &Text<'_>, thought: bool) {
        if let Some(Part::Text { escaped, is_thought, signature: None }) = self.parts.last_mut()
            && *is_thought == thought
        {
            return text.append_escaped(escaped);
        }
        let mut escaped = Vec::new();
        text.append_escaped(&mut escaped);
        self.parts.push(Part::Text { escaped, is_thought: thought, signature: None });
    }

    fn write(self, json: &mut Writer<'_>) {
        let Candidate { index, parts, members, ending } = self;
        let mut ending = ending.unwrap_or(Ending { reason: "STOP", message: None });
        json.open_object().name("content").open_object().name("parts").open_array();
        for part in parts {
            match part {
                Part::Text { escaped, is_thought, signature } => {
                    json.open_object().name("text").text(&Text::Escaped(Cow::Owned(escaped)));
                    if is_thought {
                        json.name("thought").bool(true);
                    }
                    if let Some(signature) = signature {
                        json.name("thoughtSignature").text(&signature);
                    }
                    json.close_object();
                }
                Part::Call(call) => {
                    if !call.write(json) {
                        ending = ending.without(&call);
                    }
                }
                Part::Pictures(images) => write_pictures(&images, json),
            }
        }
        json.close_array().name("role").string("model").close_object();
        ending.write(json);
        json.name("index").number(u64::from(index));
        for (name, raw) in members {
            json.name(name).raw(&raw);
        }
        json.close_object();
    }
}
