//! Every metric that Ringway shows, once: exposition and documentation are derived from `METRICS`.
//!
//! Figures are collected when they are asked for: the cells of all shards are summed (a sum may be one exchange old), and
//! nothing is kept between two scrapes. Counters never fall while the process lives. Text format version 0.0.4, which every
//! Prometheus and OpenTelemetry collector reads; times are seconds and sizes bytes, as that world expects, though cells
//! count microseconds.
//!
//! A deployment's counters belong to its index in the snapshot: a reload that gives an index to another deployment
//! continues that index's counters under the new name.

use super::{
    cells::{Cell, DeploymentCells, Histogram, ProcessCell, Series},
    process::ProcessFigures,
};
use crate::node::{Node, ShardState};
use std::{
    collections::BTreeMap,
    fmt::{self, Write},
    sync::atomic::Ordering::Relaxed,
};

/// What is shown at one scrape beside the node's own cells.
pub struct Scrape<'a> {
    pub node: &'a Node,
    /// Age of each shard's heartbeat, in milliseconds.
    pub heartbeat_ages_ms: &'a [u64],
    pub process: ProcessFigures,
    /// Unix time at which the process started, in seconds.
    pub started_at_s: u64,
}

/// One metric.
#[derive(Debug)]
pub struct Metric {
    pub name: &'static str,
    pub kind: Kind,
    /// Names of its labels; empty for a single figure.
    pub labels: &'static [&'static str],
    /// One sentence, no line breaks or backslashes.
    pub help: &'static str,
    source: Source,
}

/// How a figure moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// Where a metric's samples come from.
#[derive(Debug)]
enum Source {
    /// The sum over shards.
    Cell(Cell),
    Process(ProcessCell),
    /// Finished answers by status class.
    Answers,
    /// The sum over shards, in seconds.
    Series(Series),
    /// One sample per shard.
    Shard(fn(&Scrape<'_>, usize, &ShardState) -> f64),
    /// One sample per deployment of the current snapshot, summed over shards.
    Deployment(fn(&DeploymentCells) -> u64),
    /// Resolved addresses of each upstream name of the current snapshot.
    Addresses,
    /// One figure; no sample where there is none.
    Figure(fn(&Scrape<'_>) -> Option<f64>),
    /// Always 1; what matters are the labels.
    BuildInfo,
}

use Kind::{Counter, Gauge};
use Source::{Addresses, Answers, BuildInfo, Deployment, Figure, Process, Shard};

/// The registry.
pub static METRICS: &[Metric] = &[
    Metric {
        name: "ringway_build_info",
        kind: Gauge,
        labels: &["version"],
        help: "The running version; always 1.",
        source: BuildInfo,
    },
    cell(Cell::Requests, "ringway_requests_total", Counter, "Requests whose head was read."),
    Metric {
        name: "ringway_answers_total",
        kind: Counter,
        labels: &["class"],
        help: "Finished answers by status class; none: the client left before a status was sent.",
        source: Answers,
    },
    cell(Cell::InFlight, "ringway_in_flight", Gauge, "Exchanges now between head and last byte."),
    series(
        Series::OverheadUs,
        "ringway_overhead_seconds",
        "Time that Ringway itself added to an exchange, both ways together.",
    ),
    series(
        Series::TtftUs,
        "ringway_ttft_seconds",
        "Time from the last byte of a request to the first content of its streamed answer.",
    ),
    series(
        Series::TotalUs,
        "ringway_exchange_seconds",
        "Time from the head of a request to the last byte of its answer.",
    ),
    cell(Cell::Retries, "ringway_retries_total", Counter, "Attempts beyond the first of their exchange."),
    cell(
        Cell::StreamsBroken,
        "ringway_streams_broken_total",
        Counter,
        "Answers that ended in an explicit error event because the upstream broke off.",
    ),
    cell(
        Cell::ClientsGone,
        "ringway_clients_gone_total",
        Counter,
        "Exchanges whose client left before the answer ended.",
    ),
    cell(
        Cell::Sheds,
        "ringway_sheds_total",
        Counter,
        "Requests and connections refused because a limit of this process was reached.",
    ),
    cell(Cell::Panics, "ringway_panics_total", Counter, "Panics caught; each cost one exchange and is a bug."),
    cell(Cell::BodyBytesHeld, "ringway_body_held_bytes", Gauge, "Body bytes now held for exchanges."),
    cell(Cell::Connections, "ringway_connections", Gauge, "Downstream connections now open."),
    cell(Cell::Accepted, "ringway_connections_accepted_total", Counter, "Downstream connections ever accepted."),
    cell(
        Cell::HandedOver,
        "ringway_connections_handed_over_total",
        Counter,
        "Downstream connections moved to another shard before they were read.",
    ),
    cell(
        Cell::DownstreamTlsFailures,
        "ringway_downstream_tls_failures_total",
        Counter,
        "Downstream TLS handshakes that failed.",
    ),
    cell(
        Cell::ProtocolErrors,
        "ringway_protocol_errors_total",
        Counter,
        "Downstream connections closed because their HTTP was malformed or abusive.",
    ),
    Metric {
        name: "ringway_deployment_attempts_total",
        kind: Counter,
        labels: &["deployment", "provider"],
        help: "Attempts begun at a deployment.",
        source: Deployment(DeploymentCells::attempts),
    },
    Metric {
        name: "ringway_deployment_failures_total",
        kind: Counter,
        labels: &["deployment", "provider"],
        help: "Attempts at a deployment that failed.",
        source: Deployment(DeploymentCells::failures),
    },
    Metric {
        name: "ringway_deployment_in_flight",
        kind: Gauge,
        labels: &["deployment", "provider"],
        help: "Attempts now running at a deployment.",
        source: Deployment(DeploymentCells::in_flight),
    },
    cell(Cell::UpstreamWarm, "ringway_upstream_warm", Gauge, "Upstream connections now ready for a request."),
    cell(Cell::UpstreamConnects, "ringway_upstream_connects_total", Counter, "Upstream TCP connections established."),
    cell(
        Cell::UpstreamConnectFailures,
        "ringway_upstream_connect_failures_total",
        Counter,
        "Upstream connections that could not be established.",
    ),
    cell(
        Cell::UpstreamTlsRefused,
        "ringway_upstream_tls_refused_total",
        Counter,
        "Attempts that failed because the provider's TLS identity was not acceptable. Above zero: look at it.",
    ),
    cell(
        Cell::CredentialsRefused,
        "ringway_upstream_credentials_refused_total",
        Counter,
        "Attempts that a provider refused with 401 or 403. Above zero: replace the credential.",
    ),
    cell(
        Cell::ModelsMissing,
        "ringway_upstream_models_missing_total",
        Counter,
        "Attempts that a provider refused because it does not know the configured model. Above zero: correct the deployment.",
    ),
    cell(Cell::UpstreamHandshakes, "ringway_upstream_handshakes_total", Counter, "Upstream TLS handshakes completed."),
    cell(
        Cell::UpstreamHandshakesResumed,
        "ringway_upstream_handshakes_resumed_total",
        Counter,
        "Upstream TLS handshakes that resumed a session.",
    ),
    cell(
        Cell::ConnectsOnRequestPath,
        "ringway_connects_on_request_path_total",
        Counter,
        "Upstream connections that an exchange had to wait for because no warm one had room.",
    ),
    cell(
        Cell::UpstreamPingTimeouts,
        "ringway_upstream_ping_timeouts_total",
        Counter,
        "Upstream connections closed because a PING was not answered in time.",
    ),
    cell(Cell::UpstreamGoaways, "ringway_upstream_goaways_total", Counter, "GOAWAY frames received from upstreams."),
    series(Series::UpstreamRttUs, "ringway_upstream_rtt_seconds", "Round trip of HTTP/2 PINGs to upstreams."),
    Metric {
        name: "ringway_upstream_addresses",
        kind: Gauge,
        labels: &["host", "port"],
        help: "Addresses known for an upstream name; 0: it never resolved.",
        source: Addresses,
    },
    process(ProcessCell::DnsLookups, "ringway_dns_lookups_total", Counter, "Upstream names looked up."),
    process(
        ProcessCell::DnsFailures,
        "ringway_dns_failures_total",
        Counter,
        "Lookups that failed, were empty or took too long; the last good addresses stay in use.",
    ),
    process(
        ProcessCell::CredentialRefreshes,
        "ringway_credential_refreshes_total",
        Counter,
        "Keys and tokens fetched for accounts of the clouds.",
    ),
    process(
        ProcessCell::CredentialFailures,
        "ringway_credential_failures_total",
        Counter,
        "Fetches that failed; the key or token before stays in use until it expires.",
    ),
    Metric {
        name: "ringway_config_generation",
        kind: Gauge,
        labels: &[],
        help: "Generation of the configuration in force; rises by one with each reload that succeeds.",
        source: Figure(|scrape| Some(scrape.node.generation() as f64)),
    },
    process(
        ProcessCell::ReloadSucceeded,
        "ringway_config_reload_success",
        Gauge,
        "1 if the last load of the configuration succeeded, 0 if the one before it is still in force.",
    ),
    process(
        ProcessCell::ReloadAtS,
        "ringway_config_reload_timestamp_seconds",
        Gauge,
        "Unix time of the last load of the configuration, successful or not.",
    ),
    process(ProcessCell::Reloads, "ringway_config_reloads_total", Counter, "Reloads that succeeded."),
    process(ProcessCell::ReloadFailures, "ringway_config_reload_failures_total", Counter, "Reloads that were refused."),
    process(
        ProcessCell::CertificateLoadedAtS,
        "ringway_certificate_loaded_timestamp_seconds",
        Gauge,
        "Unix time at which the downstream certificate in use was loaded; 0: no downstream TLS.",
    ),
    process(
        ProcessCell::CertificateFailures,
        "ringway_certificate_failures_total",
        Counter,
        "Changed certificate files that were refused; the certificate before stays in use.",
    ),
    cell(
        Cell::AccessLogDropped,
        "ringway_access_log_dropped_total",
        Counter,
        "Access-log records dropped because the writer fell behind.",
    ),
    process(ProcessCell::AccessLogLines, "ringway_access_log_lines_total", Counter, "Access-log lines written."),
    process(
        ProcessCell::AccessLogLinesLost,
        "ringway_access_log_lines_lost_total",
        Counter,
        "Access-log lines lost because their destination could not be written.",
    ),
    Metric {
        name: "ringway_phase",
        kind: Gauge,
        labels: &[],
        help: "Where the process is in its life: 0 starting, 1 serving, 2 draining, 3 stopping.",
        source: Figure(|scrape| Some(f64::from(scrape.node.phase() as u8))),
    },
    Metric {
        name: "ringway_shard_heartbeat_age_seconds",
        kind: Gauge,
        labels: &["shard"],
        help: "Time since a shard was last seen to turn.",
        source: Shard(|scrape, shard, _| {
            scrape.heartbeat_ages_ms.get(shard).map_or(f64::NAN, |age_ms| *age_ms as f64 / 1_000.0)
        }),
    },
    Metric {
        name: "ringway_shard_connections",
        kind: Gauge,
        labels: &["shard"],
        help: "Downstream connections now open at a shard.",
        source: Shard(|_, _, state| gauge(state.cells.read(Cell::Connections))),
    },
    Metric {
        name: "ringway_shard_in_flight",
        kind: Gauge,
        labels: &["shard"],
        help: "Exchanges now running at a shard.",
        source: Shard(|_, _, state| gauge(state.cells.read(Cell::InFlight))),
    },
    Metric {
        name: "ringway_shard_io_uring",
        kind: Gauge,
        labels: &["shard"],
        help: "1 if a shard runs on io_uring, 0 if on epoll.",
        source: Shard(|_, _, state| f64::from(u8::from(state.io_uring.load(Relaxed)))),
    },
    Metric {
        name: "ringway_shard_pools_settled",
        kind: Gauge,
        labels: &["shard"],
        help: "1 once every upstream pool of a shard is warm or has failed once.",
        source: Shard(|_, _, state| f64::from(u8::from(state.pools_settled.load(Relaxed)))),
    },
    process(
        ProcessCell::ShardRestarts,
        "ringway_shard_restarts_total",
        Counter,
        "Shards started again after they had ended unexpectedly.",
    ),
    process(
        ProcessCell::AdminSheds,
        "ringway_admin_sheds_total",
        Counter,
        "Admin connections closed because too many were open.",
    ),
    figure("ringway_process_resident_memory_bytes", Gauge, "Resident memory of the process.", |scrape| {
        scrape.process.resident_bytes.map(|bytes| bytes as f64)
    }),
    figure("ringway_process_cpu_seconds_total", Counter, "User and system CPU time of the process.", |scrape| {
        scrape.process.cpu_s
    }),
    figure("ringway_process_open_fds", Gauge, "Open descriptors of the process.", |scrape| {
        scrape.process.open_descriptors.map(|count| count as f64)
    }),
    figure("ringway_process_max_fds", Gauge, "Limit on open descriptors of the process.", |scrape| {
        scrape.process.descriptors_max.map(|count| count as f64)
    }),
    figure("ringway_process_threads", Gauge, "Threads of the process.", |scrape| {
        scrape.process.threads.map(|count| count as f64)
    }),
    figure("ringway_process_start_time_seconds", Gauge, "Unix time at which the process started.", |scrape| {
        Some(scrape.started_at_s as f64)
    }),
];

const fn cell(cell: Cell, name: &'static str, kind: Kind, help: &'static str) -> Metric {
    Metric { name, kind, labels: &[], help, source: Source::Cell(cell) }
}

const fn process(cell: ProcessCell, name: &'static str, kind: Kind, help: &'static str) -> Metric {
    Metric { name, kind, labels: &[], help, source: Process(cell) }
}

const fn series(series: Series, name: &'static str, help: &'static str) -> Metric {
    Metric { name, kind: Kind::Histogram, labels: &[], help, source: Source::Series(series) }
}

const fn figure(name: &'static str, kind: Kind, help: &'static str, read: fn(&Scrape<'_>) -> Option<f64>) -> Metric {
    Metric { name, kind, labels: &[], help, source: Figure(read) }
}

/// Upper bounds of histogram buckets, in microseconds, with their text in seconds. Fixed, so that figures of different
/// versions and nodes can be added up: from below what the hop costs to beyond the longest answers.
static BOUNDS: &[(u64, &str)] = &[
    (10, "0.00001"),
    (25, "0.000025"),
    (50, "0.00005"),
    (100, "0.0001"),
    (250, "0.00025"),
    (500, "0.0005"),
    (1_000, "0.001"),
    (2_500, "0.0025"),
    (5_000, "0.005"),
    (10_000, "0.01"),
    (25_000, "0.025"),
    (50_000, "0.05"),
    (100_000, "0.1"),
    (250_000, "0.25"),
    (500_000, "0.5"),
    (1_000_000, "1"),
    (2_500_000, "2.5"),
    (5_000_000, "5"),
    (10_000_000, "10"),
    (30_000_000, "30"),
    (60_000_000, "60"),
    (120_000_000, "120"),
    (300_000_000, "300"),
    (600_000_000, "600"),
];

/// Content type of `exposition`.
pub const EXPOSITION_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// All metrics in the text format.
pub fn exposition(scrape: &Scrape<'_>) -> String {
    let mut out = String::with_capacity(32 * 1024);
    for metric in METRICS {
        let kind = metric.kind.text();
        // Writing to a String cannot fail.
        let _ = write!(out, "# HELP {} {}\n# TYPE {} {kind}\n", metric.name, metric.help, metric.name);
        let _ = metric.write(&mut out, scrape);
    }
    out
}

/// All metrics as a Markdown table, for the documentation.
pub fn table() -> String {
    let mut out = String::from("| Metric | Kind | Labels | Meaning |\n| --- | --- | --- | --- |\n");
    for Metric { name, kind, labels, help, .. } in METRICS {
        let labels = labels.iter().map(|label| format!("`{label}`")).collect::<Vec<_>>().join(", ");
        let _ = writeln!(out, "| `{name}` | {} | {labels} | {help} |", kind.text());
    }
    out
}

impl Kind {
    fn text(self) -> &'static str {
        match self {
            Counter => "counter",
            Gauge => "gauge",
            Kind::Histogram => "histogram",
        }
    }
}

impl Metric {
    fn write(&self, out: &mut String, scrape: &Scrape<'_>) -> fmt::Result {
        let name = self.name;
        let shards = &scrape.node.shards;
        match &self.source {
            Source::Cell(cell) => {
                let sum = shards.iter().fold(0, |sum: u64, shard| sum.wrapping_add(shard.cells.read(*cell)));
                writeln!(out, "{name} {}", self.figure(sum))
            }
            Process(cell) => writeln!(out, "{name} {}", scrape.node.process.read(*cell)),
            Answers => {
                for (class, text) in ["none", "1xx", "2xx", "3xx", "4xx", "5xx"].into_iter().enumerate() {
                    let sum = shards.iter().map(|shard| shard.cells.answers()[class]).sum::<u64>();
                    writeln!(out, "{name}{{class=\"{text}\"}} {sum}")?;
                }
                Ok(())
            }
            Source::Series(series) => {
                let histograms: Vec<&Histogram> = shards.iter().map(|shard| shard.cells.histogram(*series)).collect();
                write_histogram(out, name, &histograms)
            }
            Shard(read) => {
                for (index, shard) in shards.iter().enumerate() {
                    writeln!(out, "{name}{{shard=\"{index}\"}} {}", read(scrape, index, shard))?;
                }
                Ok(())
            }
            Deployment(read) => {
                for deployment in &scrape.node.snapshot.load().deployments {
                    let cells = shards.iter().map(|shard| read(shard.cells.deployment(deployment.index)));
                    let sum = cells.fold(0, u64::wrapping_add);
                    let (label, provider) = (LabelValue(&deployment.name), LabelValue(deployment.provider.id));
                    writeln!(out, "{name}{{deployment=\"{label}\",provider=\"{provider}\"}} {}", self.figure(sum))?;
                }
                Ok(())
            }
            Addresses => {
                // Several endpoints may share a host and port (other HTTP version, other roots), and its addresses.
                let mut addresses = BTreeMap::new();
                for endpoint in &scrape.node.snapshot.load().endpoints {
                    addresses.insert((endpoint.key.host.clone(), endpoint.key.port), endpoint.addresses.load().len());
                }
                for ((host, port), count) in addresses {
                    writeln!(out, "{name}{{host=\"{}\",port=\"{port}\"}} {count}", LabelValue(&host))?;
                }
                Ok(())
            }
            Figure(read) => match read(scrape) {
                Some(value) => writeln!(out, "{name} {value}"),
                None => Ok(()),
            },
            BuildInfo => writeln!(out, "{name}{{version=\"{}\"}} 1", env!("CARGO_PKG_VERSION")),
        }
    }

    /// A sum of cells as a figure of this metric's kind.
    fn figure(&self, sum: u64) -> f64 {
        if self.kind == Gauge { gauge(sum) } else { sum as f64 }
    }
}

/// Gauges are two's complement; shards are read one after another, so a sum can be below zero for a moment.
fn gauge(sum: u64) -> f64 {
    sum.cast_signed().max(0) as f64
}

/// Buckets, sum and count of several histograms together.
///
/// A cell bucket is counted under a bound when its lowest value is not above it: observations up to 3.2 % above a bound
/// may be counted under it.
fn write_histogram(out: &mut String, name: &str, histograms: &[&Histogram]) -> fmt::Result {
    let mut under = [0u64; BOUNDS.len()];
    let mut count = 0u64;
    for (lowest_us, observations) in histograms.iter().flat_map(|histogram| histogram.counts()) {
        count += observations;
        let first = BOUNDS.partition_point(|(bound_us, _)| *bound_us < lowest_us);
        if let Some(bucket) = under.get_mut(first) {
            *bucket += observations;
        }
    }
    let mut below = 0;
    for ((_, bound), observations) in BOUNDS.iter().zip(under) {
        below += observations;
        writeln!(out, "{name}_bucket{{le=\"{bound}\"}} {below}")?;
    }
    let sum_us = histograms.iter().map(|histogram| histogram.sum_us()).fold(0, u64::wrapping_add);
    writeln!(out, "{name}_bucket{{le=\"+Inf\"}} {count}")?;
    writeln!(out, "{name}_sum {}.{:06}", sum_us / 1_000_000, sum_us % 1_000_000)?;
    writeln!(out, "{name}_count {count}")
}

/// A label's value with the three characters escaped that the text format requires.
struct LabelValue<'a>(&'a str);

impl fmt::Display for LabelValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for char in self.0.chars() {
            match char {
                '\\' => f.write_str("\\\\")?,
                '"' => f.write_str("\\\"")?,
                '\n' => f.write_str("\\n")?,
                char => f.write_char(char)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
