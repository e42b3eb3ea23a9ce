//! Histograms as files that other programs read: `.hlog` interval logs and `.hgrm` percentile distributions.
//!
//! A [`Recording`] is what was recorded at one target in one scenario, by measure and interval. Each measure becomes a pair of files:
//! the log with every interval (HdrHistogram's log format 1.3: V2, compressed, base64), and the percentile distribution of all of them
//! together, as the library's own `outputPercentileDistribution` prints it with five ticks per half distance. Values are
//! microseconds, unscaled, in both.
//!
//! The log is written by the `hdrhistogram` crate, which has no printer for the distribution: that is here. One file for each measure
//! instead of tags in one log, because not every reader knows tags.
//!
//! Names of scenarios and targets come from outside, so file names are made of the characters that no shell or file system minds;
//! two names that become the same get a number. An empty measure has no file.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use hdrhistogram::Histogram;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::IntervalLogWriterBuilder;

use crate::limits::FILE_STEM_CHARS_MAX;

/// What was recorded at one target in one scenario; both are named as in the results.
pub struct Recording {
    pub scenario: String,
    pub target: String,
    /// From which the intervals count.
    pub began: SystemTime,
    pub measures: Vec<Measure>,
}

/// One kind of time.
pub struct Measure {
    /// Part of the file name: `whole`, `ttft`, `gap`.
    pub name: &'static str,
    pub intervals: Vec<Interval>,
}

/// What was recorded between two moments, in microseconds.
pub struct Interval {
    pub start: Duration,
    pub length: Duration,
    pub histogram: Histogram<u64>,
}

/// Writes the files of all recordings into `folder`; says for each recording, in order, which.
pub fn write(recordings: &[Recording], folder: &Path) -> io::Result<Vec<Vec<String>>> {
    let mut taken = BTreeSet::new();
    let mut names = Vec::new();
    for recording in recordings {
        let stem = free_stem(&recording.scenario, &recording.target, &mut taken);
        let mut own = Vec::new();
        for measure in &recording.measures {
            if measure.intervals.iter().all(|interval| interval.histogram.is_empty()) {
                continue;
            }
            let files = [("hlog", log(recording, measure)?), ("hgrm", distribution(&total(measure)?))];
            for (ending, content) in files {
                let name = format!("{stem}.{}.{ending}", measure.name);
                std::fs::write(folder.join(&name), content)?;
                own.push(name);
            }
        }
        names.push(own);
    }
    Ok(names)
}

/// The interval log of one measure.
pub fn log(recording: &Recording, measure: &Measure) -> io::Result<String> {
    let mut bytes = Vec::new();
    let mut serializer = V2DeflateSerializer::new();
    let says = format!("{} of {} in {}, in microseconds", measure.name, recording.target, recording.scenario);
    IntervalLogWriterBuilder::new()
        .add_comment("[Histogram log format version 1.3]")
        .add_comment(&one_line(&says))
        .with_start_time(recording.began)
        .begin_log_with(&mut bytes, &mut serializer)?;
    // The crate's writer leaves the legend out; readers skip it, spreadsheets want it.
    bytes.extend_from_slice(LEGEND);
    let mut writer = IntervalLogWriterBuilder::new().begin_log_with(&mut bytes, &mut serializer)?;
    for interval in &measure.intervals {
        writer
            .write_histogram(&interval.histogram, interval.start, interval.length, None)
            .map_err(|error| io::Error::other(error.to_string()))?;
    }
    String::from_utf8(bytes).map_err(io::Error::other)
}

const LEGEND: &[u8] = b"\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"\n";

/// The percentile distribution as HdrHistogram prints it.
pub fn distribution(histogram: &Histogram<u64>) -> String {
    let mut text = format!("{:>12} {:>14} {:>10} {:>14}\n\n", "Value", "Percentile", "TotalCount", "1/(1-Percentile)");
    for (value, percent, counted) in levels(histogram) {
        // Writing to a String does not fail.
        let _ = write!(text, "{:12.3} {:2.12} {counted:10}", value as f64, percent / 100.0);
        let _ =
            if percent < 100.0 { writeln!(text, " {:14.2}", 1.0 / (1.0 - percent / 100.0)) } else { writeln!(text) };
    }
    let (mean, deviation) = (histogram.mean(), histogram.stdev());
    let (max, count) = (histogram.max() as f64, histogram.len() as f64);
    let _ = writeln!(text, "#[Mean    = {mean:12.3}, StdDeviation   = {deviation:12.3}]");
    let _ = writeln!(text, "#[Max     = {max:12.3}, Total count    = {count:12}]");
    let _ = writeln!(text, "#[Buckets = {:12}, SubBuckets     = {:12}]", histogram.buckets(), sub_buckets(histogram));
    text
}

/// Value, percentile and running count at each level: five levels for each halving of what is left to 100 %.
///
/// The crate's `iter_quantiles` adds up fractions of 1, which are off by a bit where the library adds up percent, and then prints the
/// next value at levels like 75 %. So this goes as the library does.
fn levels(histogram: &Histogram<u64>) -> Vec<(u64, f64, u64)> {
    let mut levels = Vec::new();
    let (mut percent, mut counted) = (0.0, 0);
    for step in histogram.iter_recorded() {
        counted += step.count_since_last_iteration();
        while 100.0 * counted as f64 / histogram.len() as f64 >= percent {
            levels.push((step.value_iterated_to(), percent, counted));
            if counted == histogram.len() {
                levels.push((step.value_iterated_to(), 100.0, counted));
                return levels;
            }
            let halvings = (100.0_f64 / (100.0 - percent)).log2().floor();
            percent += 100.0 / (TICKS_PER_HALF_DISTANCE * (halvings + 1.0).exp2());
        }
    }
    levels
}

/// As many as the library's own programs print, and plotters expect.
const TICKS_PER_HALF_DISTANCE: f64 = 5.0;

/// All intervals of a measure together.
pub fn total(measure: &Measure) -> io::Result<Histogram<u64>> {
    let first = measure.intervals.first().map(|interval| &interval.histogram);
    let mut total = match first {
        Some(first) => Histogram::new_from(first),
        None => Histogram::new(3).map_err(io::Error::other)?,
    };
    // So that an interval with other bounds than the first is not lost.
    total.auto(true);
    for interval in &measure.intervals {
        total.add(&interval.histogram).map_err(io::Error::other)?;
    }
    Ok(total)
}

/// The power of two that tells `2 * 10^digits` values apart.
fn sub_buckets(histogram: &Histogram<u64>) -> u64 {
    (2 * 10_u64.pow(u32::from(histogram.sigfig()))).next_power_of_two()
}

fn one_line(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

/// `scenario.target`, with a number if that is taken.
fn free_stem(scenario: &str, target: &str, taken: &mut BTreeSet<String>) -> String {
    let stem = format!("{}.{}", plain(scenario), plain(target));
    let mut free = stem.clone();
    let mut number = 2;
    while !taken.insert(free.clone()) {
        free = format!("{stem}-{number}");
        number += 1;
    }
    free
}

/// A name as a part of a file name: letters, digits, `-` and `_`.
pub(crate) fn plain(name: &str) -> String {
    let mut plain = String::new();
    for letter in name.chars() {
        if letter.is_ascii_alphanumeric() || letter == '_' {
            plain.push(letter.to_ascii_lowercase());
        } else if !plain.ends_with('-') {
            plain.push('-');
        }
        if plain.len() >= FILE_STEM_CHARS_MAX {
            break;
        }
    }
    let trimmed = plain.trim_matches('-');
    if trimmed.is_empty() { "unnamed".to_owned() } else { trimmed.to_owned() }
}

#[cfg(test)]
mod tests;
