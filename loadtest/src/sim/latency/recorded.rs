//! Delays as they were measured once: a histogram read from a file, drawn from as often as it counted.
//!
//! Two forms, told apart by the columns of each line. Two columns are a value and how often it came, as in `1250,17`. Three
//! or more are a value, its percentile, and how many came up to it, as an HdrHistogram writes its percentiles (`.hgrm`, or the
//! same with commas). Columns stand between commas or spaces; lines that do not begin with a number, such as titles and `#`
//! comments, are passed over. Values are microseconds unless the script says otherwise, and rise.

use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::Random;
use crate::limits::{RECORDED_FILE_BYTES_MAX, RECORDED_VALUE_US_MAX};

/// A histogram to draw from.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded {
    /// How many came up to the value, and the value in microseconds. Both rise.
    steps: Vec<(u64, f64)>,
}

/// A file that is no histogram. The author of the script causes it.
#[derive(Debug)]
pub struct RecordedError {
    path: PathBuf,
    why: String,
}

impl fmt::Display for RecordedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.why)
    }
}

impl std::error::Error for RecordedError {}

impl Recorded {
    pub fn open(path: &Path, us_per_unit: f64) -> Result<Self, RecordedError> {
        let error = |why: String| RecordedError { path: path.to_owned(), why };
        let mut text = String::new();
        let file = std::fs::File::open(path).map_err(|why| error(why.to_string()))?;
        file.take(RECORDED_FILE_BYTES_MAX).read_to_string(&mut text).map_err(|why| error(why.to_string()))?;
        Self::parse(&text, us_per_unit).map_err(error)
    }

    pub fn parse(text: &str, us_per_unit: f64) -> Result<Self, String> {
        let mut steps: Vec<(u64, f64)> = Vec::new();
        for (index, line) in text.lines().enumerate() {
            if !line.trim_start().starts_with(|first: char| first.is_ascii_digit()) {
                continue;
            }
            let bad = || format!("line {} is neither `value,count` nor `value percentile total`", index + 1);
            let columns: Vec<&str> = line.split([',', ' ', '\t']).filter(|column| !column.is_empty()).collect();
            let before = steps.last().map_or(0, |(total, _)| *total);
            let count = |column: &str| column.parse::<u64>().map_err(|_| bad());
            let (value, total) = match columns[..] {
                [value, times] => (value, before.saturating_add(count(times)?)),
                [value, _, total, ..] => (value, count(total)?),
                _ => return Err(bad()),
            };
            let value_us = value.parse::<f64>().map_err(|_| bad())? * us_per_unit;
            let falls = total < before || steps.last().is_some_and(|(_, last)| value_us < *last);
            if falls || !(0.0..=RECORDED_VALUE_US_MAX).contains(&value_us) {
                return Err(format!("line {}: values and totals must rise, up to a day", index + 1));
            }
            if total > before {
                steps.push((total, value_us));
            }
        }
        if steps.is_empty() { Err("it counts nothing".to_owned()) } else { Ok(Self { steps }) }
    }

    pub fn draw_us(&self, random: &mut Random) -> f64 {
        let total = self.steps.last().map_or(1, |(total, _)| *total);
        let rank = (random.unit() * total as f64) as u64;
        let at = self.steps.partition_point(|(up_to, _)| *up_to <= rank);
        self.steps[at.min(self.steps.len() - 1)].1
    }
}
