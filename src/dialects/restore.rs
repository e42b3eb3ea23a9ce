//! Brings an answer back from what composing its request had to change: renamed tools get their names, and the call of a tool that
//! stood in for a schema becomes the text that it was asked for. Where functions stand in for tools that take a text
//! ([`super::text_tools`]), the text is taken out of their arguments. Where the client wants one call at most and the upstream could not be
//! told so, the calls after the first are left out.
//!
//! Text beside such a call is dropped: the client asked for JSON and nothing else. If the tool was not called, because the model
//! declined or ran out of output, the text stays.

use super::canonical::{Adapted, Event, Finish};
use super::text_tools::Unwrap;
use crate::json::piece::Text;

/// The way back of one answer.
#[derive(Debug, Default)]
pub struct Restore {
    adapted: Adapted,
    /// There is nothing to bring back.
    is_idle: bool,
    /// Calls of the tool that stood in: choice, call.
    answer_calls: Vec<(u32, u32)>,
    /// The client's names of tools that take a text, and calls of them.
    text_tools: Vec<Box<str>>,
    text_calls: Vec<(u32, u32, Unwrap)>,
    /// The first call of each choice, where it is to be the only one.
    only_calls: Vec<(u32, u32)>,
}

impl Restore {
    pub fn new(adapted: Adapted) -> Restore {
        let Adapted { answer_tool, names, one_call, call_forms: _ } = &adapted;
        let is_idle = answer_tool.is_none() && names.is_empty() && !one_call;
        Restore { adapted, is_idle, ..Restore::default() }
    }

    /// For a request whose tools of these names were made functions by [`super::text_tools::as_functions`].
    pub fn with_text_tools(self, text_tools: Vec<Box<str>>) -> Restore {
        Restore { is_idle: self.is_idle && text_tools.is_empty(), text_tools, ..self }
    }

    /// Passes `event` on to `next`, restored.
    #[inline]
    pub fn event(&mut self, event: Event<'_>, next: &mut impl FnMut(Event<'_>)) {
        if self.is_idle { next(event) } else { self.restore(event, next) }
    }

    fn restore(&mut self, event: Event<'_>, next: &mut dyn FnMut(Event<'_>)) {
        match event {
            Event::ToolCall { choice, call, name, .. } if self.is_answer_tool(&name) => {
                self.answer_calls.push((choice, call));
            }
            Event::ToolArguments { choice, call, fragment } if self.answer_calls.contains(&(choice, call)) => {
                // One answer for each choice: a second call would be appended to the first one's text.
                let first = self.answer_calls.iter().find(|(answered, _)| *answered == choice);
                if first == Some(&(choice, call)) {
                    next(Event::Text { choice, text: fragment });
                }
            }
            Event::Text { choice, .. } if self.answers(choice) => {}
            Event::Finish { choice, reason: Finish::ToolCalls } if self.answers(choice) => {
                next(Event::Finish { choice, reason: Finish::Stop });
            }
            Event::ToolCall { choice, call, .. } | Event::ToolArguments { choice, call, .. }
                if self.adapted.one_call && !self.is_only_call(choice, call) => {}
            Event::ToolCall { choice, call, id, name, signature } => {
                let restored = self.adapted.names.iter().find(|(upstream, _)| name.says(upstream));
                let name = restored.map_or(name, |(_, client)| Text::plain(client.as_ref()));
                if self.text_tools.iter().any(|tool| name.says(tool)) {
                    self.text_calls.push((choice, call, Unwrap::default()));
                }
                next(Event::ToolCall { choice, call, id, name, signature });
            }
            Event::ToolArguments { choice, call, fragment } if !self.text_calls.is_empty() => {
                let mut calls = self.text_calls.iter_mut();
                let fragment = match calls.find(|(of, text_call, _)| (*of, *text_call) == (choice, call)) {
                    Some((.., unwrap)) => unwrap.take(&fragment),
                    None => fragment,
                };
                next(Event::ToolArguments { choice, call, fragment });
            }
            other => next(other),
        }
    }

    fn is_answer_tool(&self, name: &Text<'_>) -> bool {
        self.adapted.answer_tool.as_deref().is_some_and(|tool| name.says(tool))
    }

    /// Whether this is the first call of its choice.
    fn is_only_call(&mut self, choice: u32, call: u32) -> bool {
        match self.only_calls.iter().find(|(of, _)| *of == choice) {
            Some((_, first)) => *first == call,
            None => {
                self.only_calls.push((choice, call));
                true
            }
        }
    }

    fn answers(&self, choice: u32) -> bool {
        self.answer_calls.iter().any(|(answered, _)| *answered == choice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(call: u32, name: &'static str) -> Event<'static> {
        let (id, name) = (Text::plain("call_1"), Text::plain(name));
        Event::ToolCall { choice: 0, call, id, name, signature: None }
    }

    fn arguments(call: u32, fragment: &'static str) -> Event<'static> {
        Event::ToolArguments { choice: 0, call, fragment: Text::plain(fragment) }
    }

    fn text(text: &'static str) -> Event<'static> {
        Event::Text { choice: 0, text: Text::plain(text) }
    }

    fn restored(adapted: Adapted, events: Vec<Event<'static>>) -> Vec<Event<'static>> {
        passed(Restore::new(adapted), events)
    }

    fn passed(mut restore: Restore, events: Vec<Event<'static>>) -> Vec<Event<'static>> {
        let mut out = Vec::new();
        for event in events {
            restore.event(event, &mut |event| {
                out.push(match event {
                    Event::Text { choice, text } => Event::Text { choice, text: text.into_owned() },
                    Event::ToolCall { choice, call, id, name, .. } => {
                        Event::ToolCall { choice, call, id: id.into_owned(), name: name.into_owned(), signature: None }
                    }
                    Event::ToolArguments { choice, call, fragment } => {
                        Event::ToolArguments { choice, call, fragment: fragment.into_owned() }
                    }
                    Event::Finish { choice, reason: Finish::Stop } => Event::Finish { choice, reason: Finish::Stop },
                    other => panic!("{other:?}"),
                });
            });
        }
        out
    }

    #[test]
    fn a_tool_that_stood_in_for_a_schema_becomes_text() {
        let adapted = Adapted { answer_tool: Some("answer".into()), ..Adapted::default() };
        let finish = |reason| Event::Finish { choice: 0, reason };
        assert_eq!(
            restored(
                adapted,
                vec![
                    call(0, "answer"),
                    arguments(0, "{\"a\":"),
                    text("Here it is."),
                    call(1, "answer"),
                    arguments(1, "{}"),
                    arguments(0, "1}"),
                    finish(Finish::ToolCalls),
                ]
            ),
            vec![text("{\"a\":"), text("1}"), finish(Finish::Stop)]
        );
    }

    #[test]
    fn a_function_that_stood_in_for_a_tool_with_a_text_is_called_with_one() {
        let adapted = Adapted { names: vec![("patch_1".into(), "patch".into())], ..Adapted::default() };
        let restore = Restore::new(adapted).with_text_tools(vec!["patch".into()]);
        assert_eq!(
            passed(
                restore,
                vec![
                    call(0, "patch_1"),
                    call(1, "other"),
                    arguments(0, "{\"input\":\"a"),
                    arguments(1, "{}"),
                    arguments(0, "b\"}"),
                ]
            ),
            vec![
                call(0, "patch"),
                call(1, "other"),
                Event::ToolArguments { choice: 0, call: 0, fragment: Text::Escaped(b"a"[..].into()) },
                arguments(1, "{}"),
                Event::ToolArguments { choice: 0, call: 0, fragment: Text::Escaped(b"b"[..].into()) },
            ]
        );
    }

    #[test]
    fn the_first_call_is_the_only_one_where_one_was_asked_for() {
        let adapted = Adapted { one_call: true, ..Adapted::default() };
        let events = vec![call(0, "a"), arguments(0, "{"), call(1, "a"), arguments(1, "{}"), arguments(0, "}")];
        let kept = vec![call(0, "a"), arguments(0, "{"), arguments(0, "}")];
        assert_eq!(restored(adapted, events), kept);
    }

    #[test]
    fn a_tool_that_was_renamed_gets_its_name() {
        let adapted = Adapted { names: vec![("get_weather_1".into(), "get.weather".into())], ..Adapted::default() };
        assert_eq!(
            restored(adapted, vec![call(0, "get_weather_1"), arguments(0, "{}"), call(1, "other")]),
            vec![call(0, "get.weather"), arguments(0, "{}"), call(1, "other")]
        );
    }
}
