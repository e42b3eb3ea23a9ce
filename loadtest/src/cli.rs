//! The command line: one file per subcommand.

mod compare;
mod load;
mod report;
mod sim;

use std::io;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Simulated model providers, and load against any OpenAI-compatible endpoint.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Sim(sim::Args),
    Closed(load::Closed),
    Open(load::Open),
    Idle(load::Idle),
    Report(report::Args),
    Compare(compare::Args),
}

pub fn run(args: Args) -> io::Result<ExitCode> {
    match args.command {
        Command::Sim(args) => sim::run(args)?,
        Command::Closed(run) => run.run()?,
        Command::Open(run) => run.run()?,
        Command::Idle(run) => run.run()?,
        Command::Report(args) => report::run(&args)?,
        Command::Compare(args) => return Ok(compare::run(&args)),
    }
    Ok(ExitCode::SUCCESS)
}
