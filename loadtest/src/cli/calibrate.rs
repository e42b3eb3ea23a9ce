//! `calibrate`: what the load itself reaches, beside proxies that are installed here.

use std::io::{self, Write};
use std::path::PathBuf;

use ringway_loadtest::peers;
use ringway_loadtest::run::calibrate::{Options, calibrate, table};
use ringway_loadtest::target::Spec;
use ringway_loadtest::target::peer::Peer;

/// Measures the load itself: requests per second and instructions of generator and simulator alone, and through a proxy.
///
/// What is said of a gateway's throughput holds only where the load is lighter than the gateway.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Proxies to stand before the simulator, in their setup `tuned` (or `tls`): a peer's folder. May be given again.
    #[arg(long = "peer", value_name = "DIR", default_values = ["loadtest/peers/nginx"])]
    peers: Vec<PathBuf>,
    /// Where peers are that do not come with the system.
    #[arg(long, default_value = "target/peers", value_name = "DIR")]
    tools: PathBuf,
    /// Requests under way at once.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u64).range(1..=2_000))]
    connections: u64,
    /// TLS and HTTP/2 to the simulator; a proxy's own clients stay in plaintext.
    #[arg(long)]
    tls: bool,
    /// Exchanges at once on each HTTP/2 connection.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..=1_000), requires = "tls")]
    streams: u64,
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=1_000))]
    repetitions: u64,
    /// Of one repetition, after a warm-up half as long.
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// CPUs that a proxy has to itself; the load has the others.
    #[arg(long, default_value_t = 1)]
    target_cpus: usize,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Prints JSON instead of a table.
    #[arg(long)]
    json: bool,
}

pub fn run(args: Args) -> io::Result<()> {
    if !(0.05..=3_600.0).contains(&args.seconds) {
        return Err(invalid("--seconds is between 0.05 and 3600".to_owned()));
    }
    let setup = if args.tls { "tls" } else { "tuned" };
    let mut targets = Vec::new();
    for folder in &args.peers {
        let described = peers::Peer::load(folder).map_err(|error| invalid(error.to_string()))?;
        let (name, tools) = (described.name.clone(), args.tools.join(&described.name));
        match Peer::find(described, setup, &tools)? {
            Some(peer) => targets.push(Spec::Peer(Box::new(peer))),
            None => eprintln!("{name} is not installed, and is left out"),
        }
    }
    let lines = calibrate(&Options {
        targets,
        connections: args.connections as usize,
        secure: args.tls,
        streams_per_connection: args.streams as usize,
        repetitions: args.repetitions as usize,
        window_s: args.seconds,
        launcher: std::env::current_exe()?,
        target_cpus: args.target_cpus,
        seed: args.seed,
    })?;
    let text = if args.json { serde_json::to_string(&lines)? + "\n" } else { table(&lines) };
    io::stdout().lock().write_all(text.as_bytes())
}

fn invalid(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, message)
}
