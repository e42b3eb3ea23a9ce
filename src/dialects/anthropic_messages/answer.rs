//! Judges a whole answer that goes to a client of the same dialect: is it an error, and what did it cost?
//!
//! Counts of tokens have neither usage nor content, and are no errors.

use super::usage::Counts;
use crate::{
    dialects::canonical::Usage,
    json::{
        Kind, Span,
        scan::{Members, Scan, ScanError, Scanner},
    },
};

/// The members to scan an answer for, for whoever scans it as it arrives.
pub static MEMBERS: Members = Members::last_wins(&["usage", "error", "stop_reason"]);
const USAGE: usize = 0;
const ERROR: usize = 1;
const STOP_REASON: usize = 2;

/// What an answer says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// The value of `error`, where it is an object or a text.
    pub error: Option<Span>,
    pub usage: Option<Usage>,
    /// With its quotes.
    pub stop_reason: Option<Span>,
}

impl Answer {
    /// Validates and judges a whole answer.
    ///
    /// # Errors
    /// It is no JSON object.
    pub fn read(text: &[u8]) -> Result<Answer, ScanError> {
        Ok(Answer::of_scan(Scanner::new(&MEMBERS).finish(text)?, text))
    }

    /// Judges a text that has been scanned for [`MEMBERS`].
    pub fn of_scan(scan: &Scan, text: &[u8]) -> Answer {
        let mut counts = Counts::default();
        if let Some(usage) = scan.member(USAGE) {
            counts.read(text, usage.value.start as usize);
        }
        let of_kind = |id, kinds: &[Kind]| {
            let member = scan.member(id).filter(|member| kinds.contains(&member.kind));
            member.map(|member| member.value)
        };
        Answer {
            error: of_kind(ERROR, &[Kind::Object, Kind::String]),
            usage: counts.is_known().then(|| counts.usage()),
            stop_reason: of_kind(STOP_REASON, &[Kind::String]),
        }
    }
}

#[cfg(test)]
mod tests;
