//! The results as a plain table: what a terminal shows at the end.

use std::fmt::Write as _;

use crate::results::{Interval, Results, Scenario, Spread, Target};

pub fn table(results: &Results) -> String {
    let mut text = String::new();
    for scenario in &results.scenarios {
        // Writing to a String does not fail.
        let _ = self::scenario(&mut text, scenario);
    }
    for note in &results.environment.notes {
        let _ = writeln!(text, "note: {note}");
    }
    text
}

fn scenario(text: &mut String, scenario: &Scenario) -> std::fmt::Result {
    writeln!(text, "\n{}: {}", scenario.name, scenario.says)?;
    if let Some(refused) = &scenario.refused {
        writeln!(text, "  REFUSED: {refused}")?;
    }
    let budget = scenario.left_out.iter().chain(&scenario.shortened);
    budget.into_iter().try_for_each(|says| writeln!(text, "  {says}"))?;
    let rows = scenario.targets.iter().map(|target| (target.name.as_str(), lines(target)));
    for (name, lines) in rows {
        writeln!(text, "  {name}")?;
        for (label, value) in lines {
            writeln!(text, "    {label:<29}{value}")?;
        }
    }
    if let Some(calibration) = &scenario.calibration {
        let headroom = calibration.headroom.map(|headroom| format!(", {headroom:.1} times what was offered"));
        let (rps, headroom) = (calibration.rps.median, headroom.unwrap_or_default());
        writeln!(text, "  generator and simulator alone: {rps:.0} requests/s{headroom}")?;
    }
    if scenario.planned_s > 0.0 {
        let (took_s, planned_s) = (scenario.took_s, scenario.planned_s);
        writeln!(text, "  took {took_s:.0} s with the starts of targets; {planned_s:.0} s were planned without them")?;
    }
    scenario.not_shown.iter().try_for_each(|says| writeln!(text, "  not shown: {says}"))
}

fn lines(target: &Target) -> Vec<(String, String)> {
    let mut lines = Vec::new();
    let mut line = |label: &str, value: String| lines.push((label.to_owned(), value));
    for failure in &target.failures {
        line("FAILED", failure.clone());
    }
    if let Some(added) = &target.added {
        line("added p50", interval(&added.p50_us));
        line("added p99", interval(&added.p99_us));
        for (label, found) in [("added to first token p50", added.ttft_p50_us), ("added to gaps p99", added.gap_p99_us)]
        {
            found.iter().for_each(|found| line(label, interval(found)));
        }
    }
    if let Some(latency) = &target.latency {
        let it = &latency.whole_us;
        line(
            "latency p50 p99 max",
            format!("{} / {} / {} us at {:.0}/s", it.p50, it.p99, it.max, latency.offered_per_s),
        );
        line("late, dropped", format!("{}, {} of {}", latency.late, latency.dropped, latency.requests));
    }
    for point in &target.throughput {
        let value = match &point.refused {
            Some(refused) => format!("not reported. {refused}"),
            None => format!("{} requests/s", spread(&point.rps, 0)),
        };
        line(&format!("throughput at {}", point.connections), value);
        // Holds whatever the limit was.
        if let Some(cpu_us) = &point.cpu_us {
            line("  CPU per request", format!("{} us", spread(cpu_us, 1)));
        }
        if let Some(probe) = &point.probe_us {
            line("  probe meanwhile p50 p99", format!("{} / {} us", probe.p50, probe.p99));
        }
    }
    if let Some(it) = &target.sustained {
        let bound = it.p99_us_bound as f64 / 1e3;
        let ended = if it.ended_by_generator { ", where the generator ended the search" } else { "" };
        line("sustained", format!("{:.0} requests/s with p99 below {bound} ms{ended}", it.rps));
    }
    if let Some(it) = &target.cost {
        line("CPU per request", format!("{} user + {} kernel us", spread(&it.user_us, 1), spread(&it.kernel_us, 1)));
        if let (Some(user), Some(kernel)) = (&it.user_instructions, &it.kernel_instructions) {
            line("instructions per request", format!("{} user + {} kernel", spread(user, 0), spread(kernel, 0)));
        }
        let rest = [("context switches", &it.context_switches), ("system calls", &it.system_calls)];
        for (label, found) in rest.into_iter().filter_map(|(label, found)| Some((label, found.as_ref()?))) {
            line(&format!("{label} per request"), spread(found, 2));
        }
    }
    if let Some(it) = &target.memory {
        let mib = |bytes: u64| format!("{:.1}", bytes as f64 / f64::from(1 << 20));
        let parts = [Some(it.idle_bytes), it.loaded_bytes, it.after_bytes].into_iter().flatten().map(mib);
        line("memory idle loaded after", format!("{} MiB", parts.collect::<Vec<_>>().join(" / ")));
        it.per_idle_connection_bytes
            .iter()
            .for_each(|bytes| line("  per idle connection", format!("{bytes:.0} bytes")));
        let per_hour = |bytes: f64| bytes / f64::from(1 << 20);
        match (it.slope_bytes_per_hour, it.slope_bytes_per_hour_interval, &it.slope_refused) {
            (Some(slope), Some((low, high)), _) => line(
                "  growth",
                format!("{:.2} MiB an hour ({:.2} to {:.2})", per_hour(slope), per_hour(low), per_hour(high)),
            ),
            (Some(slope), None, _) => line("  growth", format!("{:.2} MiB an hour", per_hour(slope))),
            (None, _, Some(reason)) => line("  growth", format!("not told: {reason}")),
            (None, _, None) => {}
        }
    }
    for (kind, count) in &target.errors {
        line(&format!("errors: {kind}"), count.to_string());
    }
    lines
}

fn interval(it: &Interval) -> String {
    format!("{:.0} us ({:.0} to {:.0})", it.estimate, it.low, it.high)
}

fn spread(it: &Spread, digits: usize) -> String {
    format!("{:.digits$} ({:.digits$} to {:.digits$})", it.median, it.low, it.high)
}
