//! From a document to a checked scenario: every key with its default and its bounds.
//!
//! What is refused here cannot be refused by a run half an hour later: a measure without traffic, too few blocks or repetitions for what
//! is said about them, more requests at a time than one address pair has ports for.

use super::{
    Action, Answers, Arrivals, Cost, Dialect, Driver, Event, Kind, Latency, Load, Manners, Memory, Protocol, Scenario,
    Simulator, Soak, Sustained, Target, Throughput, Timeline,
};
use crate::limits::{
    ACTIVE_CONNECTIONS_HTTP1_MAX, BLOCKS_MAX, BLOCKS_MIN, LOAD_CONNECTIONS_MAX, REPETITIONS_MAX, REPETITIONS_MIN,
    SIMULATORS_MAX, WINDOW_S_MAX,
};
use crate::reader::{Mistake, Section};
use crate::sim::script::Script;

const RATE_MAX: f64 = 1e7;

/// Of a stream, as the published tables have it.
const CHUNKS: usize = 50;

pub(super) fn scenario(root: &mut Section) -> Result<Scenario, Mistake> {
    let name = required(root, "name")?;
    let says = required(root, "says")?;
    let not_shown = root.texts("not_shown")?;
    let repetitions = root.count("repetitions", REPETITIONS_MIN as u64, REPETITIONS_MAX as u64)?;
    let simulator = simulator(root.section("simulator")?)?;
    let loads = root.sections("load")?.into_iter().map(load).collect::<Result<Vec<_>, _>>()?;
    if loads.is_empty() {
        return Err(root.refuse("a [[load]] is needed: the traffic that is offered"));
    }
    if loads[0].rate.is_some() {
        return Err(root.refuse("the first [[load]] has no rate of its own: each measure gives it one"));
    }
    let scenario = Scenario {
        name,
        says,
        not_shown,
        repetitions: repetitions.map_or(REPETITIONS_MIN, |count| count as usize),
        latency: root.section("latency")?.map(latency).transpose()?,
        throughput: root.section("throughput")?.map(throughput).transpose()?,
        sustained: root.section("sustained")?.map(sustained).transpose()?,
        cost: root.section("cost")?.map(cost).transpose()?,
        memory: root.section("memory")?.map(memory).transpose()?,
        timeline: root.section("timeline")?.map(|section| timeline(section, &simulator)).transpose()?,
        soak: root.section("soak")?.map(soak).transpose()?,
        targets: root.sections("target")?.into_iter().map(target).collect::<Result<Vec<_>, _>>()?,
        simulator,
        loads,
    };
    crowd(root, &scenario)?;
    measures(root, &scenario)?;
    Ok(scenario)
}

fn required(section: &mut Section, key: &'static str) -> Result<String, Mistake> {
    match section.text(key)? {
        Some(taken) if taken.value.trim().is_empty() => Err(taken.refuse("is empty")),
        Some(taken) => Ok(taken.value),
        None => Err(section.refuse(format!("{key} is missing"))),
    }
}

fn seconds(section: &mut Section, key: &'static str, default: f64) -> Result<f64, Mistake> {
    Ok(section.number(key, 0.0, WINDOW_S_MAX)?.unwrap_or(default))
}

fn simulator(section: Option<Section>) -> Result<Simulator, Mistake> {
    let Some(mut section) = section else {
        return Ok(Simulator {
            count: 1,
            answers: Answers::Fast { chunks: CHUNKS, gap_ms: 0.0 },
            tls: false,
            http2: false,
        });
    };
    let script = script(&mut section)?;
    let (chunks, gap_ms) = (section.count("chunks", 1, 100_000)?, section.number("gap_ms", 0.0, 60_000.0)?);
    let answers = match script {
        Some(_) if chunks.is_some() || gap_ms.is_some() => {
            return Err(section.refuse("chunks and gap_ms are those of the fast mode; the script has its own"));
        }
        Some(script) => Answers::Script { script },
        None => {
            Answers::Fast { chunks: chunks.map_or(CHUNKS, |chunks| chunks as usize), gap_ms: gap_ms.unwrap_or(0.0) }
        }
    };
    let simulator = Simulator {
        count: section.count("count", 1, SIMULATORS_MAX as u64)?.unwrap_or(1) as usize,
        answers,
        tls: section.flag("tls")?.unwrap_or(false),
        http2: section.flag("http2")?.unwrap_or(false),
    };
    section.close()?;
    Ok(simulator)
}

fn script(section: &mut Section) -> Result<Option<String>, Mistake> {
    let Some(taken) = section.text("script")? else {
        return Ok(None);
    };
    taken.map(|text| Script::parse(text).map(|_| text.clone())).map(Some)
}

fn load(mut section: Section) -> Result<Load, Mistake> {
    let dialects = [
        ("openai_chat", Dialect::OpenaiChat),
        ("openai_embeddings", Dialect::OpenaiEmbeddings),
        ("anthropic", Dialect::Anthropic),
        ("gemini", Dialect::Gemini),
    ];
    let kinds = [("chat", Kind::Chat), ("tools", Kind::Tools), ("images", Kind::Images)];
    let protocols = [("http1", Protocol::Http1), ("http2", Protocol::Http2)];
    let load = Load {
        name: required(&mut section, "name")?,
        dialect: section.word("dialect", &dialects)?.unwrap_or(Dialect::OpenaiChat),
        kind: section.word("kind", &kinds)?.unwrap_or(Kind::Chat),
        body_kb: section.number("body_kb", 0.0, 20_480.0)?.unwrap_or(1.0),
        stream: section.flag("stream")?.unwrap_or(false),
        connections: section.count("connections", 1, LOAD_CONNECTIONS_MAX as u64)?.unwrap_or(64) as usize,
        protocol: section.word("protocol", &protocols)?.unwrap_or(Protocol::Http1),
        streams_per_connection: section.count("streams_per_connection", 1, 1_000)?.unwrap_or(16) as usize,
        manners: Manners {
            reads_bytes_per_s: section.count("reads_bytes_per_s", 1, 1 << 40)?,
            sends_bytes_per_s: section.count("sends_bytes_per_s", 1, 1 << 40)?,
            leaves_after_events: section.count("leaves_after_events", 1, 1 << 40)?,
        },
        random_keys: section.flag("random_keys")?.unwrap_or(false),
        rate: section.number("rate", 0.001, RATE_MAX)?,
        expect: section.texts("expect")?,
    };
    let Manners { reads_bytes_per_s, sends_bytes_per_s, leaves_after_events } = load.manners;
    if [reads_bytes_per_s, sends_bytes_per_s, leaves_after_events].iter().flatten().count() > 1 {
        return Err(section.refuse("one of reads_bytes_per_s, sends_bytes_per_s and leaves_after_events at most"));
    }
    section.close()?;
    Ok(load)
}

fn rate(section: &mut Section) -> Result<f64, Mistake> {
    section.number("rate", 0.001, RATE_MAX)?.ok_or_else(|| section.refuse("rate is missing: requests per second"))
}

fn arrivals(section: &mut Section) -> Result<Arrivals, Mistake> {
    let words = [("constant", Arrivals::Constant), ("poisson", Arrivals::Poisson)];
    Ok(section.word("arrivals", &words)?.unwrap_or(Arrivals::Poisson))
}

fn latency(mut section: Section) -> Result<Latency, Mistake> {
    let latency = Latency {
        rate: rate(&mut section)?,
        arrivals: arrivals(&mut section)?,
        blocks: section.count("blocks", BLOCKS_MIN as u64, BLOCKS_MAX as u64)?.unwrap_or(BLOCKS_MIN as u64) as usize,
        warmup_s: seconds(&mut section, "warmup_s", 0.2)?,
        window_s: seconds(&mut section, "window_s", 1.0)?,
    };
    section.close()?;
    Ok(latency)
}

fn throughput(mut section: Section) -> Result<Throughput, Mistake> {
    let connections = section.counts("connections", 1, LOAD_CONNECTIONS_MAX as u64)?;
    let connections = connections.ok_or_else(|| section.refuse("connections is missing: a list"))?;
    let throughput = Throughput {
        connections: connections.into_iter().map(|count| count as usize).collect(),
        warmup_s: seconds(&mut section, "warmup_s", 1.0)?,
        window_s: seconds(&mut section, "window_s", 3.0)?,
        probe_rate: section.number("probe_rate", 0.0, 10_000.0)?.unwrap_or(20.0),
    };
    section.close()?;
    Ok(throughput)
}

fn sustained(mut section: Section) -> Result<Sustained, Mistake> {
    let sustained = Sustained {
        p99_ms: section
            .number("p99_ms", 0.001, 600_000.0)?
            .ok_or_else(|| section.refuse("p99_ms is missing: the bound"))?,
        rate_max: section.number("rate_max", 1.0, RATE_MAX)?.unwrap_or(200_000.0),
        warmup_s: seconds(&mut section, "warmup_s", 0.5)?,
        window_s: seconds(&mut section, "window_s", 2.0)?,
    };
    section.close()?;
    Ok(sustained)
}

fn cost(mut section: Section) -> Result<Cost, Mistake> {
    let cost = Cost {
        connections: section.count("connections", 1, LOAD_CONNECTIONS_MAX as u64)?.unwrap_or(32) as usize,
        warmup_s: seconds(&mut section, "warmup_s", 1.0)?,
        window_s: seconds(&mut section, "window_s", 3.0)?,
    };
    section.close()?;
    Ok(cost)
}

fn memory(mut section: Section) -> Result<Memory, Mistake> {
    let memory = Memory {
        idle_connections: section.count("idle_connections", 0, LOAD_CONNECTIONS_MAX as u64)?.unwrap_or(1_000) as usize,
        load_s: seconds(&mut section, "load_s", 3.0)?,
        settle_s: seconds(&mut section, "settle_s", 6.0)?,
    };
    section.close()?;
    Ok(memory)
}

fn timeline(mut section: Section, simulator: &Simulator) -> Result<Timeline, Mistake> {
    let timeline = Timeline {
        rate: rate(&mut section)?,
        arrivals: arrivals(&mut section)?,
        seconds: seconds(&mut section, "seconds", 30.0)?,
        events: section
            .sections("event")?
            .into_iter()
            .map(|section| event(section, simulator))
            .collect::<Result<Vec<_>, _>>()?,
    };
    if let Some(late) = timeline.events.iter().find(|event| event.at_s >= timeline.seconds) {
        return Err(section.refuse(format!("the event at {} s is after the end at {} s", late.at_s, timeline.seconds)));
    }
    section.close()?;
    Ok(timeline)
}

fn event(mut section: Section, simulator: &Simulator) -> Result<Event, Mistake> {
    enum Word {
        Stop,
        Start,
        Script,
    }
    let words = [("stop", &Word::Stop), ("start", &Word::Start), ("script", &Word::Script)];
    let at_s = section.number("at_s", 0.0, WINDOW_S_MAX)?.ok_or_else(|| section.refuse("at_s is missing"))?;
    let which = section.count("simulator", 1, simulator.count as u64)?;
    let script = script(&mut section)?;
    let action = match (section.word("action", &words)?, script) {
        (Some(Word::Stop), None) => Action::Stop,
        (Some(Word::Start), None) => Action::Start,
        (Some(Word::Script), Some(script)) if matches!(simulator.answers, Answers::Script { .. }) => {
            Action::Script { script }
        }
        (Some(Word::Script), Some(_)) => {
            return Err(
                section.refuse("the simulator is in its fast mode, which knows no script; give it an empty one")
            );
        }
        (Some(Word::Script), None) => return Err(section.refuse("script is missing")),
        (Some(_), Some(_)) => return Err(section.refuse("a script belongs to action = \"script\"")),
        (None, _) => return Err(section.refuse("action is missing: stop, start or script")),
    };
    let event =
        Event { at_s, simulator: which.map(|which| which as usize), action, says: required(&mut section, "says")? };
    section.close()?;
    Ok(event)
}

fn soak(mut section: Section) -> Result<Soak, Mistake> {
    let soak = Soak { rate: rate(&mut section)?, seconds: seconds(&mut section, "seconds", 1_200.0)? };
    section.close()?;
    Ok(soak)
}

fn target(mut section: Section) -> Result<Target, Mistake> {
    let drivers = [("io_uring", Driver::IoUring), ("epoll", Driver::Epoll)];
    let target = Target {
        name: required(&mut section, "name")?,
        setup: required(&mut section, "setup")?,
        binary: section.text("binary")?.map(|taken| taken.value),
        driver: section.word("driver", &drivers)?,
        environment: section.named_texts("environment")?.into_iter().collect(),
    };
    section.close()?;
    Ok(target)
}

/// One pair of addresses has about 28,000 ports, and each exchange that is under way over HTTP/1.1 takes one on each side of the gateway.
fn crowd(root: &Section, scenario: &Scenario) -> Result<(), Mistake> {
    let Some(throughput) = &scenario.throughput else {
        return Ok(());
    };
    let upstream_is_http1 = !(scenario.simulator.http2 && scenario.simulator.tls);
    let most = throughput.connections.iter().copied().max().unwrap_or(0);
    if upstream_is_http1 && most > ACTIVE_CONNECTIONS_HTTP1_MAX {
        return Err(root.refuse(format!(
            "[throughput]: {most} connections are active at once in a closed loop, which needs a simulator with tls and http2; \
             over HTTP/1.1 at most {ACTIVE_CONNECTIONS_HTTP1_MAX}"
        )));
    }
    Ok(())
}

fn measures(root: &Section, scenario: &Scenario) -> Result<(), Mistake> {
    let Scenario { latency, throughput, sustained, cost, memory, timeline, soak, .. } = scenario;
    let open_loops = [latency.is_some(), timeline.is_some(), soak.is_some()].iter().filter(|is| **is).count();
    if open_loops > 1 {
        return Err(root.refuse("one of [latency], [timeline] and [soak]: each fills the same part of the results"));
    }
    if open_loops == 0 && throughput.is_none() && sustained.is_none() && cost.is_none() && memory.is_none() {
        return Err(root.refuse("no measure is asked for, such as [latency]"));
    }
    let mut names: Vec<&str> = scenario.targets.iter().map(|target| target.name.as_str()).collect();
    names.sort_unstable();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(root.refuse(format!("two targets are named {:?}", pair[0]))),
        None => Ok(()),
    }
}
