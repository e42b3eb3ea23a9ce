//! The command line: one file per subcommand.

mod calibrate;
mod compare;
mod launch;
mod load;
mod measure;
mod peers;
mod report;
mod sim;

use std::io;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Measures what an LLM gateway costs; simulates the providers behind it.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Quick(measure::Quick),
    Run(measure::Run),
    Peers(peers::Peers),
    Calibrate(calibrate::Args),
    Sim(sim::Args),
    Closed(load::Closed),
    Open(load::Open),
    Idle(load::Idle),
    Report(report::Args),
    Compare(compare::Args),
    #[command(hide = true)]
    Launch(launch::Args),
}

pub fn run(args: Args) -> io::Result<ExitCode> {
    match args.command {
        Command::Quick(run) => run.run()?,
        Command::Run(run) => run.run()?,
        Command::Peers(run) => run.run()?,
        Command::Launch(args) => launch::run(args)?,
        Command::Calibrate(args) => calibrate::run(args)?,
        Command::Sim(args) => sim::run(args)?,
        Command::Closed(run) => run.run()?,
        Command::Open(run) => run.run()?,
        Command::Idle(run) => run.run()?,
        Command::Report(args) => report::run(&args)?,
        Command::Compare(args) => return Ok(compare::run(&args)),
    }
    Ok(ExitCode::SUCCESS)
}
