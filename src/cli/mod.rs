//! The command line: one definition, from which parsing, help and the man page are derived.
//!
//! Each subcommand is a file with `run(args) -> ExitCode`. Exit status: 0 done, 1 the work failed (the reason is on standard
//! error), 2 the arguments were wrong. Only what was asked for goes to standard output.

pub mod check;
pub mod demo;
pub mod keys;
pub mod models;
pub mod providers;
pub mod schema;
pub mod serve;

use crate::{
    catalog::Kind,
    config::{origin::Overrides, raw::Driver},
};
use clap::{Args, CommandFactory, Parser, Subcommand};
use std::{path::PathBuf, process::ExitCode};

/// An LLM gateway for Linux.
#[derive(Debug, Parser)]
#[command(name = "ringway", version, propagate_version = true, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve the API.
    ///
    /// Without a configuration file, the providers whose keys are in the environment (OPENAI_API_KEY and the like) are served on
    /// loopback, behind a key that is generated and printed.
    Serve(ServeArgs),
    /// Try it out: serve simulated providers, nothing to configure.
    Demo(DemoArgs),
    /// Check a configuration and report everything that is wrong with it.
    Check(CheckArgs),
    /// Print the JSON Schema of the configuration.
    Schema,
    /// Make keys for clients.
    #[command(subcommand)]
    Keys(KeysCommand),
    /// List the kinds of provider that are known.
    Providers,
    /// List models: what they take and can, and what they cost.
    Models(ModelsArgs),
}

#[derive(Debug, Clone, Default, Args)]
pub struct ServeArgs {
    /// Main configuration file; conf.d/*.toml beside it is read too [default: /etc/ringway/ringway.toml if it exists]
    #[arg(long, value_name = "PATH")]
    pub config: Option<PathBuf>,
    /// Listen here instead of server.listen: IP:PORT or unix:/path; may be repeated
    #[arg(long, value_name = "ADDR")]
    pub listen: Vec<String>,
    /// How sockets are driven, instead of server.driver
    #[arg(long)]
    pub driver: Option<Driver>,
    /// Threads that serve, instead of server.shards
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=256))]
    pub shards: Option<u32>,
    /// Serve health and metrics here instead of admin.listen: IP:PORT, unix:/path or none
    #[arg(long, value_name = "ADDR")]
    pub admin: Option<String>,
}

impl ServeArgs {
    /// What the arguments put in place of the file's keys.
    pub fn overrides(&self) -> Overrides {
        Overrides { listen: self.listen.clone(), admin: self.admin.clone(), driver: self.driver, shards: self.shards }
    }
}

#[derive(Debug, Clone, Args)]
pub struct DemoArgs {
    /// Listen here: IP:PORT; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    pub listen: String,
    /// Print one line of JSON with endpoint and key, once ready, and nothing else
    #[arg(long)]
    pub json: bool,
    /// How sockets are driven
    #[arg(long, default_value = "auto")]
    pub driver: Driver,
    /// Threads that serve [default: one per core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=256))]
    pub shards: Option<u32>,
}

#[derive(Debug, Clone, Default, Args)]
pub struct CheckArgs {
    /// Main configuration file [default: /etc/ringway/ringway.toml if it exists, else the environment]
    #[arg(long, value_name = "PATH")]
    pub config: Option<PathBuf>,
    /// Print the merged configuration with its defaults, references as written
    #[arg(long)]
    pub print_effective: bool,
}

#[derive(Debug, Clone, Default, Args)]
pub struct ModelsArgs {
    /// Only models with this in "provider/model"; '*' stands for anything
    #[arg(value_name = "PATTERN")]
    pub pattern: Option<String>,
    /// With what this configuration says of models; conf.d/*.toml beside it is read too [default: the built-in catalog alone]
    #[arg(long, value_name = "PATH")]
    pub config: Option<PathBuf>,
    /// Only models of these providers, with commas between them
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub provider: Vec<String>,
    /// Only models that are asked through this: chat, responses, completion, embedding, image, transcription, speech, moderation or rerank
    #[arg(long, value_name = "KIND", value_parser = models::kind)]
    pub kind: Option<Kind>,
    /// Only models that are known to have all of these, with commas between them: tools, vision, json_schema, reasoning and so on
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_parser = models::wanted)]
    pub capability: Vec<models::Wanted>,
    /// Only models with at least so many tokens of context
    #[arg(long, value_name = "TOKENS")]
    pub context_min: Option<u32>,
    /// Only models of which a million tokens, of input and of output, cost at most so many dollars
    #[arg(long, value_name = "USD", value_parser = models::usd)]
    pub price_max: Option<u64>,
    /// Print JSON: all that is known, prices in picodollars ($1 per million tokens is 1000000)
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Clone, Subcommand)]
pub enum KeysCommand {
    /// Make a key: it is printed once, with the lines to add to the configuration.
    Create(KeysCreateArgs),
}

#[derive(Debug, Clone, Args)]
pub struct KeysCreateArgs {
    /// Name in logs and metrics
    #[arg(long, default_value = "default")]
    pub name: String,
    /// When the key stops being accepted: a number of days (90d) or hours (12h), a date (2027-01-31) or a time
    /// (2027-01-31T12:00:00Z) [default: never]
    #[arg(long, value_name = "WHEN")]
    pub expires: Option<String>,
}

/// The whole command line, for the man page and completions.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Runs what the command line asks for.
pub fn run(cli: Cli) -> ExitCode {
    match cli.command {
        Command::Serve(args) => serve::run(args),
        Command::Demo(args) => demo::run(args),
        Command::Check(args) => check::run(args),
        Command::Schema => schema::run(),
        Command::Keys(KeysCommand::Create(args)) => keys::create(args),
        Command::Providers => providers::run(),
        Command::Models(args) => models::run(args),
    }
}

/// Writes to standard output; a reader that has gone away (`ringway schema | head`) is not an error.
fn print(text: &str) -> ExitCode {
    use std::io::Write;
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            eprintln!("error: cannot write to standard output: {error}");
            ExitCode::FAILURE
        }
        _ => ExitCode::SUCCESS,
    }
}

#[cfg(test)]
mod tests;
