//! Several answers from a model that gives one at a time: as many calls, each for one of them.
//!
//! Every call carries the whole prompt and is billed for it, so the usage that the client is told is the sum. A seed rises by one from
//! call to call: with the same one, models that honour it would give the same answer each time.
//!
//! A model that gives several at once is asked for them at once: there the prompt is billed once.

use super::{
    canonical::{Notes, Request, Target, Unsupported},
    wire::{ClientWire, UpstreamWire},
};
use crate::{json::piece::Raw, limits::FAN_OUT_MAX};

/// How many calls the request takes, each without a number of answers. `None`: one, and what it says of answers is the composer's.
///
/// # Errors
/// More answers than calls are made for, where that may not be dropped; if it may, one answer is what remains.
pub fn calls(
    request: &Request<'_>,
    target: &Target<'_>,
    (client, upstream): (ClientWire, UpstreamWire),
    notes: &mut Notes,
) -> Result<Option<u8>, Unsupported> {
    let Some(answers) = request.answers.filter(|answers| *answers > 1) else { return Ok(None) };
    // The others have no word for it.
    if matches!(upstream, UpstreamWire::OpenAiChat | UpstreamWire::GeminiContent) && target.traits.several_answers {
        return Ok(None);
    }
    let param = match client {
        ClientWire::GeminiContent => "generationConfig.candidateCount",
        _ => "n",
    };
    if answers > FAN_OUT_MAX {
        let why = format!(
            "The model gives one answer to a request; up to {FAN_OUT_MAX} are asked for in calls of their own."
        );
        notes.unsupported(target, param, why)?;
        return Ok(Some(1));
    }
    notes.adapted(param, format!("Asked for in {answers} calls, each of which is billed for the whole prompt."));
    Ok(Some(answers as u8))
}

/// The request of a further call, where it differs from the first one: by its seed.
pub fn further<'a>(request: &Request<'a>, nth: u8) -> Option<Request<'a>> {
    let seed: i64 = std::str::from_utf8(&request.seed.as_ref()?.0).ok()?.parse().ok()?;
    let seed = Raw(seed.wrapping_add(nth.into()).to_string().into_bytes().into());
    Some(Request { seed: Some(seed), answers: None, ..request.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialects::canonical::{ModelTraits, NoteKind};

    fn asked(answers: Option<u64>, several_answers: bool, drops: bool) -> (Result<Option<u8>, Unsupported>, Notes) {
        asked_of(UpstreamWire::OpenAiChat, answers, several_answers, drops)
    }

    fn asked_of(
        upstream: UpstreamWire,
        answers: Option<u64>,
        several_answers: bool,
        drops: bool,
    ) -> (Result<Option<u8>, Unsupported>, Notes) {
        let traits = ModelTraits { several_answers, ..ModelTraits::default() };
        let target = Target { model: "m", traits, drops };
        let mut notes = Notes::default();
        let request = Request { answers, ..Request::default() };
        (calls(&request, &target, (ClientWire::OpenAiChat, upstream), &mut notes), notes)
    }

    #[test]
    fn a_model_that_gives_one_answer_is_asked_several_times() {
        for (answers, several, expected) in
            [(None, false, None), (Some(1), false, None), (Some(3), false, Some(3)), (Some(3), true, None)]
        {
            let (calls, notes) = asked(answers, several, false);
            assert_eq!(calls, Ok(expected));
            assert_eq!(notes.notes.len(), usize::from(expected.is_some()));
        }
        // An API without a word for it, whatever is known of the model.
        assert_eq!(asked_of(UpstreamWire::AnthropicMessages, Some(2), true, false).0, Ok(Some(2)));
    }

    #[test]
    fn more_than_that_is_refused_or_dropped() {
        let many = Some(FAN_OUT_MAX + 1);
        assert_eq!(asked(many, false, false).0.unwrap_err().param, "n");
        let (calls, notes) = asked(many, false, true);
        assert_eq!((calls, notes.notes[0].kind), (Ok(Some(1)), NoteKind::Dropped));
        assert_eq!(asked(Some(FAN_OUT_MAX), false, false).0, Ok(Some(FAN_OUT_MAX as u8)));
        assert_eq!(asked(many, true, false).0, Ok(None));
    }

    #[test]
    fn seeds_differ() {
        let of = |seed: &'static str| {
            let request = Request { seed: Some(Raw(seed.as_bytes().into())), ..Request::default() };
            further(&request, 2).and_then(|request| request.seed).map(|seed| String::from_utf8(seed.0.into()).unwrap())
        };
        assert_eq!(of("7").as_deref(), Some("9"));
        assert_eq!(of("-1").as_deref(), Some("1"));
        assert_eq!(of("1.5"), None);
        assert_eq!(further(&Request::default(), 1), None);
    }
}
