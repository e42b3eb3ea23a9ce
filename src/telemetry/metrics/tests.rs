use super::*;
use crate::telemetry::{
    cells::{CELLS, PROCESS_CELLS, SERIES},
    fixtures,
};
use std::{
    collections::{BTreeSet, HashMap, HashSet},
    net::SocketAddr,
    sync::Arc,
};

fn node_of(shards: usize) -> Node {
    let mut snapshot = fixtures::empty(7);
    fixtures::add_deployment(&mut snapshot, "eu/gpt");
    fixtures::add_deployment(&mut snapshot, "quote \" back \\ line \n end");
    fixtures::add_endpoint(&mut snapshot, "api.example", 443)
        .addresses
        .store(Arc::new(vec![SocketAddr::from(([192, 0, 2, 1], 443)), SocketAddr::from(([192, 0, 2, 2], 443))]));
    fixtures::add_endpoint(&mut snapshot, "api.example", 8443);
    Node::new(Arc::new(snapshot), shards)
}

fn text(node: &Node) -> String {
    let process = ProcessFigures { resident_bytes: Some(5_242_880), cpu_s: Some(1.25), ..ProcessFigures::default() };
    exposition(&Scrape { node, heartbeat_ages_ms: &[250, 0], process, started_at_s: 1_700_000_000 })
}

/// Samples of the text format by series, after checking its grammar as far as we use it.
fn parse(text: &str) -> HashMap<String, f64> {
    let mut samples = HashMap::new();
    let mut announced = HashSet::new();
    let mut current = (String::new(), String::new());
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').expect("name and help");
            assert!(!help.is_empty());
            assert!(announced.insert(name.to_owned()), "{name} twice");
            current = (name.to_owned(), String::new());
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').expect("name and kind");
            assert_eq!(name, current.0, "TYPE follows the HELP of the same metric");
            assert!(["counter", "gauge", "histogram"].contains(&kind));
            current.1 = kind.to_owned();
        } else {
            let (series, value) = line.rsplit_once(' ').expect("series and value");
            let name = series.split('{').next().expect("split yields at least one piece");
            let base = match current.1.as_str() {
                "histogram" => ["_bucket", "_sum", "_count"]
                    .iter()
                    .find_map(|suffix| name.strip_suffix(suffix))
                    .expect("histogram samples have a suffix"),
                _ => name,
            };
            assert_eq!(base, current.0, "samples follow their own HELP and TYPE");
            let value = value.parse::<f64>().expect("a number");
            assert!(samples.insert(series.to_owned(), value).is_none(), "{series} twice");
        }
    }
    samples
}

#[test]
fn every_cell_is_in_the_registry_once() {
    let mut cells = Vec::new();
    let mut process_cells = Vec::new();
    let mut all_series = Vec::new();
    for metric in METRICS {
        match metric.source {
            Source::Cell(cell) => cells.push(cell as usize),
            Process(cell) => process_cells.push(cell as usize),
            Source::Series(series) => all_series.push(series as usize),
            _ => {}
        }
    }
    for (mut listed, count) in [(cells, CELLS), (process_cells, PROCESS_CELLS), (all_series, SERIES)] {
        listed.sort_unstable();
        assert_eq!(listed, (0..count).collect::<Vec<_>>());
    }
}

#[test]
fn names_say_kind_and_unit() {
    for Metric { name, kind, help, .. } in METRICS {
        assert!(name.starts_with("ringway_") && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'));
        assert_eq!(*kind == Counter, name.ends_with("_total"), "{name}");
        assert!(*kind != Kind::Histogram || name.ends_with("_seconds"), "{name}");
        assert!(!help.contains(['\n', '\\']) && help.ends_with('.'), "{name}: {help}");
    }
}

#[test]
fn exposition_is_well_formed_and_complete() {
    let samples = parse(&text(&node_of(2)));
    let names: BTreeSet<&str> =
        samples.keys().map(|series| series.split('{').next().expect("at least one piece")).collect();
    for Metric { name, kind, .. } in METRICS {
        let sample = if *kind == Kind::Histogram { format!("{name}_count") } else { (*name).to_owned() };
        let absent = ["ringway_process_open_fds", "ringway_process_max_fds", "ringway_process_threads"];
        assert_eq!(names.contains(sample.as_str()), !absent.contains(name), "{name}");
    }
    assert_eq!(samples["ringway_config_generation"], 7.0);
    assert_eq!(samples["ringway_process_resident_memory_bytes"], 5_242_880.0);
    assert_eq!(samples["ringway_process_cpu_seconds_total"], 1.25);
    assert_eq!(samples["ringway_shard_heartbeat_age_seconds{shard=\"0\"}"], 0.25);
    assert_eq!(samples["ringway_upstream_addresses{host=\"api.example\",port=\"443\"}"], 2.0);
    assert_eq!(samples["ringway_upstream_addresses{host=\"api.example\",port=\"8443\"}"], 0.0);
}

#[test]
fn shards_are_summed() {
    let node = node_of(2);
    node.shards[0].cells.add(Cell::Requests, 3);
    node.shards[1].cells.add(Cell::Requests, 4);
    // A connection that one shard accepted and another closed: each cell alone is off, the sum is right.
    node.shards[0].cells.add(Cell::Connections, 2);
    node.shards[1].cells.sub(Cell::Connections, 1);
    node.shards[0].cells.answered(200);
    node.shards[1].cells.answered(503);
    node.shards[1].cells.answered(0);
    let samples = parse(&text(&node));
    assert_eq!(samples["ringway_requests_total"], 7.0);
    assert_eq!(samples["ringway_connections"], 1.0);
    assert_eq!(samples["ringway_shard_connections{shard=\"0\"}"], 2.0);
    assert_eq!(samples["ringway_shard_connections{shard=\"1\"}"], 0.0);
    assert_eq!(samples["ringway_answers_total{class=\"2xx\"}"], 1.0);
    assert_eq!(samples["ringway_answers_total{class=\"5xx\"}"], 1.0);
    assert_eq!(samples["ringway_answers_total{class=\"none\"}"], 1.0);
}

#[test]
fn deployments_are_summed_and_their_names_escaped() {
    let node = node_of(2);
    for shard in &node.shards {
        let cells = shard.cells.deployment(1);
        cells.attempt_began();
        cells.attempt_began();
        cells.attempt_ended(true);
    }
    let samples = parse(&text(&node));
    let labels = r#"{deployment="quote \" back \\ line \n end",provider="simulated"}"#;
    assert_eq!(samples[&format!("ringway_deployment_attempts_total{labels}")], 4.0);
    assert_eq!(samples[&format!("ringway_deployment_failures_total{labels}")], 2.0);
    assert_eq!(samples[&format!("ringway_deployment_in_flight{labels}")], 2.0);
    assert_eq!(samples["ringway_deployment_attempts_total{deployment=\"eu/gpt\",provider=\"simulated\"}"], 0.0);
}

#[test]
fn histogram_buckets_are_cumulative_over_shards() {
    let node = node_of(2);
    node.shards[0].cells.record(Series::TotalUs, 8);
    node.shards[0].cells.record(Series::TotalUs, 10);
    node.shards[1].cells.record(Series::TotalUs, 60);
    node.shards[1].cells.record(Series::TotalUs, 3_600_000_000);
    let samples = parse(&text(&node));
    let at = |bound: &str| samples[&format!("ringway_exchange_seconds_bucket{{le=\"{bound}\"}}")];
    assert_eq!(at("0.00001"), 2.0);
    assert_eq!(at("0.00005"), 2.0);
    assert_eq!(at("0.0001"), 3.0);
    assert_eq!(at("600"), 3.0);
    assert_eq!(at("+Inf"), 4.0);
    assert_eq!(samples["ringway_exchange_seconds_count"], 4.0);
    assert_eq!(samples["ringway_exchange_seconds_sum"], 3_600.000_078);
}

#[test]
fn bounds_rise_and_their_text_is_their_value() {
    assert!(BOUNDS.is_sorted_by_key(|(bound_us, _)| *bound_us));
    for (bound_us, text) in BOUNDS {
        let bound_s: f64 = text.parse().expect("a number");
        assert_eq!((bound_s * 1e6).round() as u64, *bound_us);
    }
}

#[test]
fn table_has_one_row_per_metric() {
    let table = table();
    assert_eq!(table.lines().count(), METRICS.len() + 2);
    assert!(table.contains("| `ringway_deployment_in_flight` | gauge | `deployment`, `provider` | Attempts now "));
}

#[test]
fn documentation_is_up_to_date() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/metrics.md");
    let page = format!("{PAGE_HEAD}\n{}", table());
    if std::env::var_os("GOLDEN").is_some_and(|value| value == "update") {
        std::fs::write(path, &page).expect("written");
    }
    let written = std::fs::read_to_string(path).unwrap_or_default();
    assert_eq!(written, page, "run the test again with GOLDEN=update and read the difference");
}

const PAGE_HEAD: &str = "\
# Metrics

`GET /metrics` on the admin listener, in the Prometheus text format. Figures are summed over shards unless they have a
`shard` label; times are seconds. Written from the registry in `src/telemetry/metrics.rs`; a test compares the two.
";
