//! `closed`, `open` and `idle`: one run of the load driver, one line of JSON.

use std::io::{self, Write};
use std::time::Duration;

use clap::ValueEnum;
use ringway_loadtest::load::{self, Arrivals, Keys, LoadOptions, Pattern, RequestOptions, Target, Window};

/// What all three patterns take.
#[derive(Debug, clap::Args)]
pub struct Common {
    /// Base URL of the API: http://host:port/v1
    #[arg(long)]
    url: String,
    /// Bearer credential.
    #[arg(long)]
    key: Option<String>,
    #[arg(long, default_value = "sim-small")]
    model: String,
    #[arg(long, default_value_t = 32)]
    connections: usize,
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
    /// Of the Poisson arrivals.
    #[arg(long, default_value_t = 1)]
    seed: u64,
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

impl Closed {
    pub fn run(self) -> io::Result<()> {
        self.common.run(Pattern::Closed)
    }
}

impl Open {
    pub fn run(self) -> io::Result<()> {
        if !(self.rate > 0.0 && self.rate <= 1e7) {
            return Err(invalid("--rate is above 0 and at most ten million"));
        }
        let arrivals = match self.arrivals {
            ArrivalKind::Constant => Arrivals::Constant,
            ArrivalKind::Poisson => Arrivals::Poisson { seed: self.seed },
        };
        self.common.run(Pattern::Open { per_second: self.rate, arrivals, ramp: None })
    }
}

impl Idle {
    pub fn run(self) -> io::Result<()> {
        self.common.run(Pattern::Idle)
    }
}

impl Common {
    fn run(self, pattern: Pattern) -> io::Result<()> {
        let seconds = |value: f64| Duration::try_from_secs_f64(value).map_err(|_| invalid("a time is not negative"));
        let target = Target::parse(&self.url).map_err(|error| invalid(&error.to_string()))?;
        let options = LoadOptions {
            request: RequestOptions {
                keys: self.key.map_or(Keys::None, Keys::One),
                model: self.model,
                body_bytes: (self.body_kb.clamp(0.0, 65_536.0) * 1024.0) as usize,
                stream: self.stream,
                ..RequestOptions::default()
            },
            connections: self.connections,
            ..LoadOptions::new(target)
        };
        let window = Window {
            pattern,
            warmup: if pattern == Pattern::Idle { Duration::ZERO } else { seconds(self.warmup)? },
            time: seconds(self.seconds)?,
        };
        let report = load::run(&options, &window)?;
        let line = serde_json::to_string(&report)?;
        writeln!(io::stdout().lock(), "{line}")
    }
}

fn invalid(message: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, message.to_owned())
}
