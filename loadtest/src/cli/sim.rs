//! `sim`: one simulated provider, until it is interrupted.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ringway_loadtest::load;
use ringway_loadtest::sim::ca::{Ca, LeafKind};
use ringway_loadtest::sim::script::Script;
use ringway_loadtest::sim::{FastOptions, Sim, SimConfig, SimTls, fault};

/// Runs a simulated provider until it is interrupted.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Address and port; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Certificate chain in PEM, with --tls-key.
    #[arg(long, requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    #[arg(long, requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Makes a CA and a certificate for localhost and the listening address, and writes ca.pem, cert.pem and key.pem there.
    #[arg(long, value_name = "DIR", conflicts_with = "tls_cert")]
    tls_throwaway: Option<PathBuf>,
    /// What is wrong with that certificate.
    #[arg(long, value_enum, default_value = "good", requires = "tls_throwaway")]
    tls_leaf: Leaf,
    /// Speaks HTTP/2 too: by ALPN over TLS, by prior knowledge without.
    #[arg(long)]
    http2: bool,
    /// What goes wrong when, in TOML (see loadtest/README.md).
    #[arg(long, value_name = "FILE")]
    script: Option<PathBuf>,
    /// Everything made up depends on it.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Prebuilt answers without validation or script, for measuring what stands before the simulator.
    #[arg(long, conflicts_with = "script")]
    fast: bool,
    /// Content events of a stream with --fast.
    #[arg(long, default_value_t = 50, requires = "fast")]
    fast_chunks: usize,
    /// Time between them, in milliseconds.
    #[arg(long, default_value_t = 0.0, requires = "fast")]
    fast_gap_ms: f64,
    /// Numbers the events with --fast, so that `--check-chunks` of the load can tell what became of each.
    #[arg(long, requires = "fast")]
    fast_numbered: bool,
    /// Prints one JSON line when ready, instead of a sentence.
    #[arg(long)]
    json: bool,
    /// Lists the faults that a script can ask for.
    #[arg(long)]
    list_faults: bool,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Leaf {
    Good,
    Expired,
    WrongName,
    UnknownCa,
}

pub fn run(args: Args) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if args.list_faults {
        return out.write_all(fault::help().as_bytes());
    }
    let script = match &args.script {
        Some(path) => Script::parse(&read(path)?).map_err(|error| invalid(format!("{}: {error}", path.display())))?,
        None => Script::default(),
    };
    let tls = match (&args.tls_cert, &args.tls_key, &args.tls_throwaway) {
        (Some(cert), Some(key), _) => Some(SimTls { cert_pem: read(cert)?, key_pem: read(key)? }),
        (_, _, Some(dir)) => Some(throwaway(dir, args.listen, args.tls_leaf)?),
        _ => None,
    };
    let fast = args.fast.then(|| FastOptions {
        chunks: args.fast_chunks,
        gap: Duration::try_from_secs_f64(args.fast_gap_ms / 1e3).unwrap_or_default(),
        numbered: args.fast_numbered,
    });
    load::raise_open_files();
    let sim = Sim::start(SimConfig {
        listen: args.listen,
        tls,
        http2: args.http2,
        script,
        seed: args.seed,
        name: "sim".to_owned(),
        fast,
    })?;
    let (endpoint, control) = (sim.base_url(), format!("{}/sim", sim.origin()));
    if args.json {
        let line = serde_json::json!({"endpoint": endpoint, "control": control});
        writeln!(out, "{line}")?;
    } else {
        writeln!(out, "A simulated provider listens on {endpoint}; its counters are at {control}/stats.")?;
    }
    out.flush()?;
    // Ends with the process: a signal, or the terminal that goes away.
    loop {
        std::thread::park();
    }
}

fn throwaway(dir: &Path, listen: SocketAddr, leaf: Leaf) -> io::Result<SimTls> {
    let address = listen.ip().to_string();
    let kind = match leaf {
        Leaf::Good => LeafKind::Good,
        Leaf::Expired => LeafKind::Expired,
        Leaf::WrongName => LeafKind::WrongName,
        Leaf::UnknownCa => LeafKind::UnknownCa,
    };
    let made = Ca::try_new().and_then(|ca| Ok((ca.leaf(&["localhost", "127.0.0.1", &address], kind)?, ca)));
    let (leaf, ca) = made.map_err(|error| invalid(error.to_string()))?;
    std::fs::create_dir_all(dir)?;
    std::fs::write(dir.join("ca.pem"), ca.pem())?;
    std::fs::write(dir.join("cert.pem"), &leaf.cert_pem)?;
    std::fs::write(dir.join("key.pem"), &leaf.key_pem)?;
    Ok(leaf)
}

fn read(path: &Path) -> io::Result<String> {
    std::fs::read_to_string(path).map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
}

fn invalid(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, message)
}
