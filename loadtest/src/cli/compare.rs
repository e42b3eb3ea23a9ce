//! `compare`: a verdict for continuous integration. Exit status 0: no regression; 1: a regression; 2: the two cannot be compared.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use ringway_loadtest::{compare, report};

/// Says what got better and what got worse from one run to another. Exit status: 0 no regression, 1 regression, 2 cannot compare.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// results.json of the run before.
    a: PathBuf,
    /// results.json of the run after.
    b: PathBuf,
    /// By which share a figure may move and count as the same: 5% or 0.05.
    #[arg(long, default_value = "5%", value_parser = share)]
    tolerance: f64,
    /// Also writes the comparison as a page.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

pub fn run(args: &Args) -> ExitCode {
    match compared(args) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::from(1),
        Err(error) => {
            // Nothing is left to tell it to if standard error is closed.
            let _ = writeln!(io::stderr(), "ringway-loadtest: {error}");
            ExitCode::from(2)
        }
    }
}

/// How many regressions.
fn compared(args: &Args) -> Result<usize, String> {
    let comparison = compare::compare(&report::read(&args.a)?, &report::read(&args.b)?, args.tolerance)?;
    if let Some(path) = &args.html {
        std::fs::write(path, compare::html(&comparison)).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    io::stdout().lock().write_all(compare::text(&comparison).as_bytes()).map_err(|error| error.to_string())?;
    Ok(comparison.regressions())
}

fn share(text: &str) -> Result<f64, String> {
    let (digits, unit) = text.strip_suffix('%').map_or((text, 1.0), |percent| (percent, 100.0));
    let share: f64 = digits.trim().parse().map_err(|_| "not a number".to_owned())?;
    let share = share / unit;
    if (0.0..1.0).contains(&share) { Ok(share) } else { Err("a tolerance is at least 0 and below 100%".to_owned()) }
}
