//! Results as people read them: one HTML page, Markdown, and the JSON itself.
//!
//! [`write()`] is the one way in: it writes `results.json`, `report.html`, `report.md` and the histogram files into a folder, and writes the
//! names of the latter into the results. The page and Markdown are made from the same tables, by pure functions from [`Results`], so
//! `ringway-loadtest report results.json` makes them again later, or elsewhere.
//!
//! Nothing that was refused or failed is left out or moved to the end. Every text in the results may come from outside, and is
//! escaped where it is written. Credentials on the command line are not written anywhere.

use std::io;
use std::path::Path;

use crate::hdr::{self, Recording};
use crate::limits::RESULTS_BYTES_MAX;
use crate::results::{Results, SCHEMA};

mod chart;
mod environment;
mod figures;
pub mod markdown;
pub(crate) mod numbers;
pub mod page;
mod scale;
pub mod table;
mod tables;
mod troubles;

pub use troubles::{Kind, Trouble, troubles};

/// Writes everything that a run leaves behind into `folder`, which it makes if need be. What is there from before is replaced.
pub fn write(results: &Results, recordings: &[Recording], folder: &Path) -> io::Result<()> {
    std::fs::create_dir_all(folder)?;
    let mut results = results.clone();
    let files = hdr::write(recordings, folder)?;
    for (recording, names) in recordings.iter().zip(files) {
        let scenario = results.scenarios.iter_mut().find(|scenario| scenario.name == recording.scenario);
        let target =
            scenario.and_then(|scenario| scenario.targets.iter_mut().find(|target| target.name == recording.target));
        if let Some(latency) = target.and_then(|target| target.latency.as_mut()) {
            latency.histogram_files = names;
        }
    }
    without_credentials(&mut results.environment.command_line);
    let mut json = serde_json::to_string_pretty(&results)?;
    json.push('\n');
    std::fs::write(folder.join("results.json"), json)?;
    render(&results, folder)
}

/// The page and Markdown alone.
pub fn render(results: &Results, folder: &Path) -> io::Result<()> {
    std::fs::write(folder.join("report.html"), page::html(results))?;
    std::fs::write(folder.join("report.md"), markdown::markdown(results))
}

/// Reads `results.json`, of this version or an older one.
pub fn read(path: &Path) -> Result<Results, String> {
    let here = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let bytes = std::fs::metadata(path).map_err(|error| here(&error))?.len();
    if bytes > RESULTS_BYTES_MAX {
        return Err(here(&format!("{bytes} bytes are more than results have ({RESULTS_BYTES_MAX})")));
    }
    let text = std::fs::read_to_string(path).map_err(|error| here(&error))?;
    // First of all the number, so that a newer form is called newer and not broken.
    #[derive(serde::Deserialize)]
    struct Version {
        schema: u32,
    }
    let version: Version =
        serde_json::from_str(&text).map_err(|error| here(&format!("not results of ringway-loadtest: {error}")))?;
    if version.schema > SCHEMA {
        return Err(here(&format!("schema {} is newer than this program reads ({SCHEMA})", version.schema)));
    }
    serde_json::from_str(&text).map_err(|error| here(&error))
}

/// What follows `--key`, or `--some-key=`, is nobody's business.
fn without_credentials(command_line: &mut [String]) {
    let mut hide_next = false;
    for part in command_line {
        let (name, value) = part.split_once('=').map_or((part.as_str(), None), |(name, value)| (name, Some(value)));
        let is_key = name.starts_with("--") && (name.ends_with("key") || name.ends_with("token"));
        let hidden = match value {
            Some(_) if is_key => Some(format!("{name}=...")),
            _ if hide_next => Some("...".to_owned()),
            _ => None,
        };
        hide_next = is_key && value.is_none();
        if let Some(hidden) = hidden {
            *part = hidden;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::without_credentials;

    #[test]
    fn credentials_do_not_reach_a_report() {
        let mut line = ["run", "--key", "sk-1", "--target-key=sk-2", "--rate=5", "--key"].map(str::to_owned);
        without_credentials(&mut line);
        assert_eq!(line, ["run", "--key", "...", "--target-key=...", "--rate=5", "--key"]);
    }
}
