//! Everything that a simulated provider can do wrong on one exchange, by name.
//!
//! `FAULTS` is the only list: parsing, the help text, the counters and the test that plays each fault are derived
//! from it. A fault is written `name`, `name:number` or `name:number,option=value`; several are joined by `+` and act
//! together (`crlf+pieces:1`). Where a number is left out the entry's default holds.
//!
//! What a fault does stands where it acts: `reply_faults` changes what is answered, `wire_faults` how it reaches the wire.
//! Faults of a connection (TLS, windows, stream limits) are no exchange's business: see `script::Connection`.

use std::collections::BTreeMap;
use std::fmt;

/// One fault of the registry.
#[derive(Debug)]
pub struct FaultDef {
    pub name: &'static str,
    pub kind: Kind,
    /// What the number means, and its default; `None` where the fault takes none.
    pub number: Option<(&'static str, u64)>,
    pub says: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Status,
    RateLimited,
    InsufficientQuota,
    EchoKey,
    ContextLength,
    ContentFilter,
    ModelNotFound,
    TooLarge,
    Redirect,
    ErrorIn200,
    FirstEventError,
    ErrorAfter,
    BadJson,
    BadEventAfter,
    EmptyBody,
    EmptyChoices,
    FinishReason,
    NoUsage,
    AbsurdUsage,
    NoDone,
    NoFinish,
    EofAfter,
    Html,
    WrongType,
    Gzip,
    Slow,
    Gap,
    Silent,
    SilentAfterHead,
    SilentAfter,
    Reset,
    Close,
    ResetAfter,
    CloseAfter,
    ShortBody,
    HeaderTrickle,
    Pieces,
    CrLf,
    Cr,
    NoSpace,
    MultiData,
    Comments,
    HugeLine,
    BigHead,
    BigAnswer,
    Informational,
    ClAndTe,
    TwoLengths,
    BadChunk,
    BadStatusLine,
    SplitHeader,
    ObsFold,
    EarlyAnswer,
    SlowUpload,
    CloseQuietly,
    KeepAliveRace,
    GoAway,
    GoAwayAbrupt,
    GoAwayBelow,
    RefuseStream,
    RstStream,
    LimitStreams,
    Freeze,
}

macro_rules! faults {
    ($($name:literal $kind:ident $number:expr, $says:literal;)*) => {
        /// The registry, in the order of the help text.
        pub const FAULTS: &[FaultDef] = &[$(FaultDef {
            name: $name,
            kind: Kind::$kind,
            number: $number,
            says: $says,
        },)*];
    };
}

faults! {
    "status" Status Some(("status", 500)), "an error of this status; options retry_after, retry_after_ms, reset_requests, reset_tokens, should_retry, type, code, message, html=1";
    "rate_limited" RateLimited Some(("retry-after, seconds", 1)), "429 rate_limit_exceeded with retry-after and exhausted x-ratelimit-*; options as status";
    "insufficient_quota" InsufficientQuota None, "429 insufficient_quota, without retry-after";
    "echo_key" EchoKey Some(("status", 401)), "an error whose body repeats the credential that it was sent";
    "context_length" ContextLength None, "400 context_length_exceeded";
    "content_filter" ContentFilter None, "400 content_filter";
    "model_not_found" ModelNotFound None, "404 model_not_found";
    "too_large" TooLarge None, "413";
    "redirect" Redirect Some(("status", 307)), "a redirect to another host";
    "error_in_200" ErrorIn200 Some(("code in the body", 500)), "status 200 with an error body";
    "first_event_error" FirstEventError Some(("code in the event", 500)), "status 200 and a stream whose first event is an error";
    "error_after" ErrorAfter Some(("content events before", 2)), "an error event mid-stream, then the end without [DONE]";
    "bad_json" BadJson None, "the JSON answer breaks off in the middle, well framed";
    "bad_event_after" BadEventAfter Some(("content events before", 2)), "one event mid-stream is no JSON; the stream goes on";
    "empty_body" EmptyBody None, "status 200 and nothing";
    "empty_choices" EmptyChoices None, "a whole answer, or a stream, without any choice";
    "finish_reason" FinishReason None, "ends with the reason of the option reason (error): insufficient_system_resource, MALFORMED_FUNCTION_CALL and the like";
    "no_usage" NoUsage None, "no usage, also where it was asked for";
    "absurd_usage" AbsurdUsage None, "usage with negative and astronomic counts";
    "no_done" NoDone None, "a stream that ends cleanly without [DONE]";
    "no_finish" NoFinish None, "a stream with [DONE] but without any finish_reason";
    "eof_after" EofAfter Some(("content events before", 2)), "a stream that ends cleanly mid-answer: no finish_reason, no [DONE]";
    "html" Html Some(("status", 200)), "an HTML page of a CDN, as text/html";
    "wrong_type" WrongType None, "the right body as text/plain";
    "gzip" Gzip None, "the body compressed although nobody asked";
    "slow" Slow Some(("ms", 1_000)), "this much later than the latency model says";
    "gap" Gap Some(("ms", 1_000)), "this much more between two content events";
    "silent" Silent None, "reads the request and never answers";
    "silent_after_head" SilentAfterHead None, "answers the head and then nothing";
    "silent_after" SilentAfter Some(("content events before", 2)), "falls silent mid-stream (mid-body where it is no stream)";
    "reset" Reset None, "RST instead of an answer";
    "close" Close None, "FIN instead of an answer";
    "reset_after" ResetAfter Some(("content events before", 2)), "RST mid-stream (mid-body where it is no stream)";
    "close_after" CloseAfter Some(("content events before", 2)), "FIN mid-stream, chunked coding unfinished (mid-body where it is no stream)";
    "short_body" ShortBody Some(("bytes missing", 10)), "Content-Length longer than the body, then FIN";
    "header_trickle" HeaderTrickle Some(("ms per byte", 1_000)), "the head arrives one byte at a time";
    "pieces" Pieces Some(("bytes per write", 1)), "each write carries at most this many bytes";
    "crlf" CrLf None, "event lines end in CR LF";
    "cr" Cr None, "event lines end in CR alone";
    "no_space" NoSpace None, "`data:` without the space";
    "multi_data" MultiData None, "each event's JSON over two `data:` lines";
    "comments" Comments Some(("comments before each event", 1)), "keep-alive comments between the events";
    "huge_line" HugeLine Some(("bytes", 1 << 20)), "one content event with a line this long";
    "big_head" BigHead Some(("bytes", 1 << 20)), "an answer head this long";
    "big_answer" BigAnswer Some(("bytes", 32 << 20)), "an answer whose content is this long";
    "informational" Informational Some(("count", 100)), "this many 1xx heads before the answer";
    "cl_and_te" ClAndTe None, "Content-Length and Transfer-Encoding together, which disagree";
    "two_lengths" TwoLengths None, "two Content-Length that disagree";
    "bad_chunk" BadChunk None, "a chunk size that is no number";
    "bad_status_line" BadStatusLine None, "a first line that is not HTTP";
    "split_header" SplitHeader None, "a header value with bare CR and LF that hold a second answer";
    "obs_fold" ObsFold None, "a header value that goes on in the next line";
    "early_answer" EarlyAnswer Some(("status", 413)), "answers after the head, without reading the body, and closes";
    "slow_upload" SlowUpload Some(("bytes per second", 65_536)), "reads the request body no faster than this";
    "close_quietly" CloseQuietly None, "closes right after the answer without having announced it";
    "keep_alive_race" KeepAliveRace None, "answers; the next request on the connection is met with RST at its first byte";
    "goaway" GoAway None, "graceful GOAWAY while this stream is open, which is then answered";
    "goaway_abrupt" GoAwayAbrupt None, "GOAWAY with an error, and the connection closes";
    "goaway_below" GoAwayBelow None, "GOAWAY whose last stream id is below this stream's; older streams are answered";
    "refuse_stream" RefuseStream None, "RST_STREAM with REFUSED_STREAM";
    "limit_streams" LimitStreams Some(("streams", 1)), "announces this SETTINGS_MAX_CONCURRENT_STREAMS on the live connection, and answers";
    "freeze" Freeze None, "the whole connection stops: nothing is read or written any more, not even PING is answered";
    "rst_stream" RstStream Some(("error code", 2)), "RST_STREAM with this code";
}

/// A fault with its number and options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub kind: Kind,
    pub name: &'static str,
    pub number: u64,
    pub options: BTreeMap<String, String>,
}

impl Fault {
    pub fn option(&self, name: &str) -> Option<&str> {
        self.options.get(name).map(String::as_str)
    }

    /// The number as a count of bytes or events in memory.
    pub fn size(&self) -> usize {
        usize::try_from(self.number).unwrap_or(usize::MAX)
    }
}

/// Faults that act together on one exchange.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Faults(pub Vec<Fault>);

impl Faults {
    pub fn find(&self, kind: Kind) -> Option<&Fault> {
        self.0.iter().find(|fault| fault.kind == kind)
    }

    pub fn has(&self, kind: Kind) -> bool {
        self.find(kind).is_some()
    }

    /// Parses `name[:number][,option=value]*[+...]`.
    pub fn parse(spec: &str) -> Result<Self, UnknownFault> {
        spec.split('+').map(parse_one).collect::<Result<_, _>>().map(Self)
    }
}

/// A fault that the registry does not know, or that is written wrongly. The author of the script causes it.
#[derive(Debug, PartialEq, Eq)]
pub struct UnknownFault(pub String);

impl fmt::Display for UnknownFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is not a fault; `ringway-loadtest sim --list-faults` shows them all", self.0)
    }
}

impl std::error::Error for UnknownFault {}

fn parse_one(spec: &str) -> Result<Fault, UnknownFault> {
    let unknown = || UnknownFault(spec.to_owned());
    let (head, options) = spec.split_once(',').unwrap_or((spec, ""));
    let (name, number) = match head.split_once(':') {
        Some((name, number)) => (name, Some(number)),
        None => (head, None),
    };
    let def = FAULTS.iter().find(|def| def.name == name.trim()).ok_or_else(unknown)?;
    let number = match (def.number, number) {
        (Some(_), Some(number)) => number.trim().parse().map_err(|_| unknown())?,
        (Some((_, default)), None) => default,
        (None, Some(_)) => return Err(unknown()),
        (None, None) => 0,
    };
    let options = options
        .split(',')
        .filter(|option| !option.trim().is_empty())
        .map(|option| {
            let (name, value) = option.split_once('=').ok_or_else(unknown)?;
            Ok((name.trim().to_owned(), value.trim().to_owned()))
        })
        .collect::<Result<_, UnknownFault>>()?;
    Ok(Fault { kind: def.kind, name: def.name, number, options })
}

/// One line per fault, for `--list-faults`.
pub fn help() -> String {
    FAULTS.iter().fold(String::new(), |mut text, def| {
        let form = match def.number {
            Some((means, default)) => format!("{}[:{default}]  ({means})", def.name),
            None => def.name.to_owned(),
        };
        text.push_str(&format!("{form}\n    {}\n", def.says));
        text
    })
}
