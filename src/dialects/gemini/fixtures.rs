//! Events as lines, for tests to compare.

use crate::dialects::canonical::{Event, Finish, Signature};
use crate::json::piece::Text;

/// One line for an event.
pub fn line(event: &Event<'_>) -> String {
    let said = |text: &Text<'_>| text.decoded().into_owned();
    let signed = |signature: &Signature<'_>| format!("{}/{}", signature.origin.tag(), said(&signature.value));
    match event {
        Event::Start { id, model } => format!("start {} {}", said(id), said(model)),
        Event::Text { choice, text } => format!("{choice} text {}", said(text)),
        Event::Refusal { choice, text } => format!("{choice} refusal {}", said(text)),
        Event::Thinking { choice, text } => format!("{choice} thinking {}", said(text)),
        Event::ThinkingSignature { choice, signature } => format!("{choice} proved {}", signed(signature)),
        Event::SealedThinking { choice, signature } => format!("{choice} sealed {}", signed(signature)),
        Event::ToolCall { choice, call, id, name, signature } => {
            let signature = signature.as_ref().map_or(String::new(), |signature| format!(" {}", signed(signature)));
            format!("{choice} call {call} {} {}{signature}", said(id), said(name))
        }
        Event::ToolArguments { choice, call, fragment } => format!("{choice} arguments {call} {}", said(fragment)),
        Event::Extra { choice, name, raw } => format!("{choice} {name} {}", String::from_utf8_lossy(&raw.0)),
        Event::Finish { choice, reason } => match reason {
            Finish::Other(text) => format!("{choice} finish other {}", said(text)),
            reason => format!("{choice} finish {reason:?}"),
        },
        Event::Usage(usage) => {
            format!("usage {}+{} -> {} ({})", usage.input_uncached, usage.cache_read, usage.output, usage.reasoning)
        }
        Event::Error(error) => format!("error {:?} {}", error.class, said(&error.message)),
        Event::End => "end".to_owned(),
    }
}
