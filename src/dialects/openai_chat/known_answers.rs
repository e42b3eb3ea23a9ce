//! Recognises whole answers that say what an earlier one of their deployment said, in other words.
//!
//! Such an answer is well-formed, is no error, and lacks what the other lacked (see `json::template`); only its tokens have to be read
//! anew. Remembered are answers that could be passed on as they came and say what they cost: all others are scanned and judged.
//!
//! A deployment that answers in turns in two forms (with tools and without, chats and completions) is remembered by the last one, so
//! that each change of the form is a scan, and a lesson. Two deployments may share a place: slower, not wrong.

use super::{answer, usage::Usage};
use crate::{
    json::{scan::Scan, template::Template},
    limits::KNOWN_DEPLOYMENTS_MAX,
};

/// What is known of some deployments' answers.
#[derive(Debug, Default)]
pub struct KnownAnswers([Known; KNOWN_DEPLOYMENTS_MAX]);

#[derive(Debug, Default)]
struct Known {
    /// Its mark is the value of `usage`.
    template: Template<1>,
    /// They were asked whether they lack anything, and do not.
    filled: bool,
}

impl KnownAnswers {
    /// What an answer cost, if it is like the last one of this deployment. `fill`: it may lack nothing.
    #[inline]
    pub fn recognise(&mut self, deployment: u32, fill: bool, text: &[u8]) -> Option<Usage> {
        let known =
            self.0.get_mut(deployment as usize % KNOWN_DEPLOYMENTS_MAX).filter(|known| known.filled || !fill)?;
        let [usage] = known.template.recognise(text)?;
        Some(Usage::read_object(text, usage))
    }

    /// Takes note of an answer that was scanned and is passed on as it came; with `fill`, because it lacks nothing.
    #[cold]
    pub fn learn(&mut self, deployment: u32, fill: bool, scan: &Scan, text: &[u8]) {
        let Some(usage) = answer::plain_usage(scan) else { return };
        let known = &mut self.0[deployment as usize % KNOWN_DEPLOYMENTS_MAX];
        if known.filled != fill {
            *known = Known { filled: fill, ..Known::default() };
        }
        known.template.learn(text, [usage.value.start as usize]);
    }
}

#[cfg(test)]
mod tests;
