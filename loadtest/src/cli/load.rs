//! `closed`, `open` and `idle`: one window of the load generator, one line of JSON.

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;
use ringway_loadtest::load::{
    self, Arrivals, Dialect, Keys, Kind, LeavesAfter, LoadOptions, Manners, Pattern, Protocol, Ramp, RequestOptions,
    Target, Threads, Trust, Window,
};

/// What all three patterns take.
#[derive(Debug, clap::Args)]
pub struct Common {
    /// Base URL of the API: http://host:port/v1, or https://...; for Gemini it ends in /v1beta.
    #[arg(long)]
    url: String,
    /// Certificates that are trusted, in PEM, instead of the system's.
    #[arg(long, value_name = "FILE")]
    tls_ca: Option<PathBuf>,
    /// HTTP/2: by ALPN over TLS, by prior knowledge without.
    #[arg(long)]
    http2: bool,
    /// Exchanges at once on each connection with --http2.
    #[arg(long, default_value_t = 32, requires = "http2")]
    streams: usize,
    /// Credential, in the header of the dialect.
    #[arg(long)]
    key: Option<String>,
    /// Another credential with each request, which nobody issued.
    #[arg(long, conflicts_with = "key")]
    random_keys: bool,
    #[arg(long, default_value = "sim-small")]
    model: String,
    #[arg(long, value_enum, default_value_t = DialectName::Openai)]
    dialect: DialectName,
    #[arg(long, value_enum, default_value_t = KindName::Chat)]
    kind: KindName,
    /// Different bodies that are sent in turn.
    #[arg(long, default_value_t = 8)]
    variants: usize,
    /// The status with which an exchange ends well, instead of any 2xx.
    #[arg(long, value_name = "STATUS")]
    expect: Option<u16>,
    #[arg(long, default_value_t = 32)]
    connections: usize,
    /// Threads that share the connections and the rate.
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// One thread on each of these CPUs: 2,3
    #[arg(long, value_delimiter = ',', conflicts_with = "threads")]
    cpus: Vec<usize>,
    /// How long requests are offered, after the warm-up.
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// How long requests are offered before anything is counted, in seconds.
    #[arg(long, default_value_t = 1.0)]
    warmup: f64,
    /// About how much JSON each request has.
    #[arg(long, default_value_t = 1.0)]
    body_kb: f64,
    /// Asks for streams; counts their events, the time to the first content and the gaps.
    #[arg(long)]
    stream: bool,
    /// Whether each chunk of a stream arrives once, in order and whole: against `sim --fast-numbered`.
    #[arg(long, requires = "stream")]
    check_chunks: bool,
    /// Prompt, or: reads-slowly:BYTES_PER_S, sends-slowly:BYTES_PER_S, leaves-after-events:N, leaves-after-bytes:N
    #[arg(long, default_value = "prompt", value_parser = manners)]
    manners: Manners,
    /// Bodies, random keys and Poisson arrivals depend on it.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Each connection sends its next request when it has the answer: for throughput and CPU, not for latency.
#[derive(Debug, clap::Args)]
pub struct Closed {
    #[command(flatten)]
    common: Common,
}

/// Requests are due at times drawn in advance; latency counts from then.
#[derive(Debug, clap::Args)]
pub struct Open {
    #[command(flatten)]
    common: Common,
    /// Requests per second.
    #[arg(long)]
    rate: f64,
    #[arg(long, value_enum, default_value_t = ArrivalKind::Constant)]
    arrivals: ArrivalKind,
    /// Seconds in which the rate rises from --ramp-from to --rate, the warm-up included.
    #[arg(long, value_name = "SECONDS")]
    ramp: Option<f64>,
    /// Requests per second at the beginning of a ramp.
    #[arg(long, default_value_t = 0.0, requires = "ramp")]
    ramp_from: f64,
}

/// Opens connections, makes one request on each, and holds them for the given seconds.
#[derive(Debug, clap::Args)]
pub struct Idle {
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ArrivalKind {
    Constant,
    Poisson,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum DialectName {
    Openai,
    Embeddings,
    Anthropic,
    Gemini,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum KindName {
    Chat,
    Tools,
    Images,
}

impl Closed {
    pub fn run(self) -> io::Result<()> {
        self.common.run(Pattern::Closed)
    }
}

impl Open {
    pub fn run(self) -> io::Result<()> {
        let rates = 0.0..=1e7;
        if self.rate <= 0.0 || !rates.contains(&self.rate) || !rates.contains(&self.ramp_from) {
            return Err(invalid("--rate is above 0 and at most ten million"));
        }
        let arrivals = match self.arrivals {
            ArrivalKind::Constant => Arrivals::Constant,
            ArrivalKind::Poisson => Arrivals::Poisson { seed: self.common.seed },
        };
        let ramp = match self.ramp {
            Some(time) => Some(Ramp { from_per_second: self.ramp_from, time: seconds(time)? }),
            None => None,
        };
        self.common.run(Pattern::Open { per_second: self.rate, arrivals, ramp })
    }
}

impl Idle {
    pub fn run(self) -> io::Result<()> {
        self.common.run(Pattern::Idle)
    }
}

impl Common {
    fn run(self, pattern: Pattern) -> io::Result<()> {
        let window = Window {
            pattern,
            warmup: if pattern == Pattern::Idle { Duration::ZERO } else { seconds(self.warmup)? },
            time: seconds(self.seconds)?,
        };
        let report = load::run(&self.into_options()?, &window)?;
        let line = serde_json::to_string(&report)?;
        writeln!(io::stdout().lock(), "{line}")
    }

    fn into_options(self) -> io::Result<LoadOptions> {
        let keys = match self.key {
            Some(key) => Keys::One(key),
            None if self.random_keys => Keys::Random,
            None => Keys::None,
        };
        let request = RequestOptions {
            dialect: match self.dialect {
                DialectName::Openai => Dialect::OpenAiChat,
                DialectName::Embeddings => Dialect::OpenAiEmbeddings,
                DialectName::Anthropic => Dialect::Anthropic,
                DialectName::Gemini => Dialect::Gemini,
            },
            kind: match self.kind {
                KindName::Chat => Kind::Chat,
                KindName::Tools => Kind::Tools,
                KindName::Images => Kind::Images,
            },
            keys,
            headers: Vec::new(),
            model: self.model,
            body_bytes: (self.body_kb.clamp(0.0, 65_536.0) * 1024.0) as usize,
            stream: self.stream,
            variants: self.variants,
            expected_status: self.expect,
        };
        let target = Target::parse(&self.url).map_err(|error| invalid(&error.to_string()))?;
        Ok(LoadOptions {
            request,
            connections: self.connections,
            protocol: match self.http2 {
                true => Protocol::Http2 { streams_per_connection: self.streams },
                false => Protocol::Http1,
            },
            trust: self.tls_ca.map_or(Trust::System, Trust::CaFile),
            manners: self.manners,
            threads: if self.cpus.is_empty() { Threads::Count(self.threads) } else { Threads::Pinned(self.cpus) },
            seed: self.seed,
            check_chunks: self.check_chunks,
            ..LoadOptions::new(target)
        })
    }
}

fn manners(text: &str) -> Result<Manners, String> {
    if text == "prompt" {
        return Ok(Manners::Prompt);
    }
    let (name, number) = text.split_once(':').ok_or("a name, a colon and a number")?;
    let number = number.parse().map_err(|_| format!("{number:?} is not a number"))?;
    match name {
        "reads-slowly" => Ok(Manners::ReadsSlowly { bytes_per_s: number }),
        "sends-slowly" => Ok(Manners::SendsSlowly { bytes_per_s: number }),
        "leaves-after-events" => Ok(Manners::LeavesAfter(LeavesAfter::Events(number))),
        "leaves-after-bytes" => Ok(Manners::LeavesAfter(LeavesAfter::Bytes(number))),
        _ => Err(format!("{name:?} is not known: see --help")),
    }
}

fn seconds(value: f64) -> io::Result<Duration> {
    Duration::try_from_secs_f64(value).map_err(|_| invalid("a time is not negative"))
}

fn invalid(message: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, message.to_owned())
}
