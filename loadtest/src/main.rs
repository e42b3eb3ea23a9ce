//! `ringway-loadtest`: arguments to subcommand, nothing else.

use std::process::ExitCode;

use clap::Parser;

mod cli;

fn main() -> ExitCode {
    match cli::run(cli::Args::parse()) {
        Ok(status) => status,
        Err(error) => {
            eprintln!("ringway-loadtest: {error}");
            ExitCode::FAILURE
        }
    }
}
