//! `report`: makes the page and Markdown again from `results.json`.

use std::io;
use std::path::PathBuf;

use ringway_loadtest::report;

/// Writes report.html and report.md from the results of an earlier run.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// As a run wrote it.
    results: PathBuf,
    /// Where to; otherwise beside the results.
    #[arg(long)]
    out: Option<PathBuf>,
}

pub fn run(args: &Args) -> io::Result<()> {
    let results = report::read(&args.results).map_err(io::Error::other)?;
    let beside = args.results.parent().map(PathBuf::from).unwrap_or_default();
    let folder = args.out.clone().unwrap_or(beside);
    if !folder.as_os_str().is_empty() {
        std::fs::create_dir_all(&folder)?;
    }
    report::render(&results, &folder)
}
