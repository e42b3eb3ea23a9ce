//! A refusal before it has a provider's shape: what the trouble is, and what a script wants to be said of it.
//!
//! The dialects give it status, type and words. A refusal that the request's body earned is a breach and is counted by its
//! rule; one that a script ordered is not.

/// What is wrong.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Trouble {
    /// The parser's words.
    NotJson(String),
    Missing,
    /// What was expected, as in "an array".
    WrongType(&'static str),
    /// What was expected, in words that fit behind "expected".
    BadValue(String),
    UnknownField,
    /// A rule beyond fields and types: its name in the counters, and what the client reads.
    Broken(&'static str, String),
    /// Method and path.
    UnknownUrl(String),
    NoKey,
    BadKey,
    ModelNotFound(String),
    ContextLength,
    ContentFilter,
    TooLarge,
    Quota,
    RateLimited,
    /// What a script names by its status.
    Told(u16),
}

#[derive(Debug, Clone)]
pub(crate) struct ApiError {
    pub trouble: Trouble,
    /// The member that it is about, as `messages[0].role`.
    pub param: Option<String>,
    pub said: Box<Said>,
}

/// What a script, or a limit, wants to be said instead of what the dialect would say.
#[derive(Debug, Clone, Default)]
pub(crate) struct Said {
    pub status: Option<u16>,
    pub message: Option<String>,
    pub kind: Option<String>,
    pub code: Option<String>,
    /// The headers say that nothing is left, whatever is.
    pub exhausted: bool,
    /// Seconds, or a date.
    pub retry_after: Option<String>,
    pub headers: Vec<(&'static str, String)>,
}

impl From<Trouble> for ApiError {
    fn from(trouble: Trouble) -> Self {
        Self { trouble, param: None, said: Box::default() }
    }
}

impl Trouble {
    pub fn about(self, param: &str) -> ApiError {
        ApiError { param: Some(param.to_owned()), ..self.into() }
    }
}

impl ApiError {
    /// The same about a member of what stands at `place`.
    pub fn below(mut self, place: &str) -> Self {
        let dot = if self.param.as_deref().is_some_and(|param| !param.starts_with('[')) { "." } else { "" };
        self.param = Some(format!("{place}{dot}{}", self.param()));
        self
    }

    pub fn param(&self) -> &str {
        self.param.as_deref().unwrap_or("")
    }

    /// The rule that the request broke, without the positions in its lists: `messages[].role missing`. Nothing where the
    /// body is not to blame.
    pub fn breach(&self) -> Option<String> {
        let about = without_positions(self.param());
        match &self.trouble {
            Trouble::NotJson(_) => Some("body is not JSON".to_owned()),
            Trouble::Missing => Some(format!("{about} missing")),
            Trouble::WrongType(_) => Some(format!("{about} has the wrong type")),
            Trouble::BadValue(_) => Some(format!("{about} has a bad value")),
            Trouble::UnknownField => Some(format!("{about} is unknown")),
            Trouble::Broken(rule, _) => Some((*rule).to_owned()),
            _ => None,
        }
    }
}

fn without_positions(param: &str) -> String {
    let mut pieces = param.split('[');
    let first = pieces.next().unwrap_or("").to_owned();
    pieces.fold(first, |text, piece| text + "[" + piece.trim_start_matches(|letter: char| letter.is_ascii_digit()))
}
