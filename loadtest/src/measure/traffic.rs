//! Generators held open at one endpoint, and their windows, which run together.
//!
//! The first kind of traffic is what is measured; the others are offered beside it in every window, at their own rates or in closed
//! loops. Connections stay open between windows, so that several endpoints can be measured in turn without a handshake in any window.

use std::io;
use std::time::Duration;

use crate::load::{
    Arrivals, Dialect, Generator, Keys, Kind, LeavesAfter, LoadOptions, Manners, Pattern, Protocol, Report,
    RequestOptions, Target, Threads, Window,
};
use crate::scenario::{self, Load};
use crate::target::Endpoint;

/// How all generators of a run are set up.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    pub seed: u64,
    /// Of each generator, at most.
    pub threads: usize,
    /// The provider numbers its chunks.
    pub check_chunks: bool,
    /// How long answers are awaited after the last request of a window was due.
    pub grace: Duration,
}

/// Of a window in which everybody gets an answer, however late.
pub const GRACE: Duration = Duration::from_secs(10);

pub struct Traffic {
    generators: Vec<Generator>,
    loads: Vec<Load>,
    seed: u64,
}

/// What a window brought.
pub struct Offered {
    /// Of the first kind of traffic.
    pub report: Report,
    /// Of the others, by name.
    pub beside: Vec<(String, Report)>,
}

impl Traffic {
    pub fn open(endpoint: &Endpoint, loads: &[Load], style: Style) -> io::Result<Traffic> {
        let generators = loads.iter().map(|load| open(endpoint, load, style)).collect::<io::Result<_>>()?;
        Ok(Traffic { generators, loads: loads.to_vec(), seed: style.seed })
    }

    pub fn window(&mut self, window: &Window) -> io::Result<Offered> {
        let Some((first, others)) = self.generators.split_first_mut() else {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "no traffic to offer"));
        };
        let beside = self.loads.iter().skip(1);
        let seed = self.seed;
        std::thread::scope(|scope| {
            let mut running = Vec::new();
            for (index, (generator, load)) in others.iter_mut().zip(beside).enumerate() {
                let pattern = match load.rate {
                    Some(per_second) => poisson(per_second, seed + 1 + index as u64),
                    None => Pattern::Closed,
                };
                let window = Window { pattern, ..*window };
                let run = std::thread::Builder::new().name("beside".to_owned());
                running.push((load.name.clone(), run.spawn_scoped(scope, move || generator.window(&window))?));
            }
            let report = first.window(window)?;
            let beside = running.into_iter().map(|(name, thread)| {
                let report = thread.join().map_err(|_| io::Error::other("a load generator panicked"))?;
                Ok((name, report?))
            });
            Ok(Offered { report, beside: beside.collect::<io::Result<_>>()? })
        })
    }
}

pub fn poisson(per_second: f64, seed: u64) -> Pattern {
    Pattern::Open { per_second, arrivals: Arrivals::Poisson { seed }, ramp: None }
}

/// An open loop as a scenario has it.
pub fn open_loop(per_second: f64, arrivals: scenario::Arrivals, seed: u64) -> Pattern {
    match arrivals {
        scenario::Arrivals::Poisson => poisson(per_second, seed),
        scenario::Arrivals::Constant => Pattern::Open { per_second, arrivals: Arrivals::Constant, ramp: None },
    }
}

pub fn window(pattern: Pattern, warmup_s: f64, time_s: f64) -> Window {
    // Checked scenarios have sane times; anything else would be a window of nothing.
    let seconds = |s: f64| Duration::try_from_secs_f64(s).unwrap_or_default();
    Window { pattern, warmup: seconds(warmup_s), time: seconds(time_s) }
}

fn open(endpoint: &Endpoint, load: &Load, style: Style) -> io::Result<Generator> {
    let invalid = |message: String| io::Error::new(io::ErrorKind::InvalidInput, message);
    let target = Target::parse(&endpoint.url).map_err(|error| invalid(format!("{}: {error}", endpoint.url)))?;
    let options = LoadOptions {
        request: RequestOptions {
            dialect: match load.dialect {
                scenario::Dialect::OpenaiChat => Dialect::OpenAiChat,
                scenario::Dialect::OpenaiEmbeddings => Dialect::OpenAiEmbeddings,
                scenario::Dialect::Anthropic => Dialect::Anthropic,
                scenario::Dialect::Gemini => Dialect::Gemini,
            },
            kind: match load.kind {
                scenario::Kind::Chat => Kind::Chat,
                scenario::Kind::Tools => Kind::Tools,
                scenario::Kind::Images => Kind::Images,
            },
            keys: match (&endpoint.key, load.random_keys) {
                (_, true) => Keys::Random,
                (Some(key), false) => Keys::One(key.clone()),
                (None, false) => Keys::None,
            },
            headers: endpoint.headers.clone(),
            model: endpoint.model.clone(),
            body_bytes: (load.body_kb * 1024.0) as usize,
            stream: load.stream,
            ..RequestOptions::default()
        },
        connections: load.connections,
        protocol: match load.protocol {
            scenario::Protocol::Http1 => Protocol::Http1,
            scenario::Protocol::Http2 => Protocol::Http2 { streams_per_connection: load.streams_per_connection },
        },
        trust: endpoint.trust.clone(),
        manners: manners(load.manners),
        threads: Threads::Count(style.threads.min(load.connections).max(1)),
        seed: style.seed,
        grace: style.grace,
        check_chunks: style.check_chunks && load.stream && load.manners == scenario::Manners::default(),
        ..LoadOptions::new(target)
    };
    let what = |error: io::Error| io::Error::new(error.kind(), format!("{} at {}: {error}", load.name, endpoint.name));
    Generator::open(&options).map_err(what)
}

fn manners(asked: scenario::Manners) -> Manners {
    if let Some(bytes_per_s) = asked.reads_bytes_per_s {
        Manners::ReadsSlowly { bytes_per_s }
    } else if let Some(bytes_per_s) = asked.sends_bytes_per_s {
        Manners::SendsSlowly { bytes_per_s }
    } else if let Some(events) = asked.leaves_after_events {
        Manners::LeavesAfter(LeavesAfter::Events(events))
    } else {
        Manners::Prompt
    }
}
