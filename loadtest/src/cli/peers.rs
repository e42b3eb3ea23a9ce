//! `peers`: the same scenarios over Ringway and everybody else who can be started here, in one report.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use ringway_loadtest::peers;
use ringway_loadtest::target::peer::Peer;
use ringway_loadtest::target::{Ringway, Spec, find};

use super::measure::{Asked, Common};

/// Measures other people's proxies and gateways beside Ringway, and writes one report.
///
/// Peers that are not installed are named in the report and left out; --install installs them first, each from its registry.
#[derive(Debug, clap::Args)]
pub struct Peers {
    /// Names of shipped scenarios, or files.
    #[arg(value_name = "SCENARIO", default_values = ["chat-small", "chat-100k", "stream-paced", "tls-h2-upstream"])]
    scenarios: Vec<String>,
    /// Where the peers are described.
    #[arg(long, default_value = "loadtest/peers", value_name = "DIR")]
    peers: PathBuf,
    /// These peers only. May be given again.
    #[arg(long = "peer", value_name = "NAME")]
    names: Vec<String>,
    /// The setups in which each is measured. May be given again.
    #[arg(long = "setup", default_values = ["tuned"], value_name = "SETUP")]
    setups: Vec<String>,
    /// Installs what is missing first, as each peer's description says.
    #[arg(long)]
    install: bool,
    #[command(flatten)]
    common: Common,
}

impl Peers {
    pub fn run(self) -> io::Result<()> {
        let mut asked = Asked {
            title: "Ringway and its peers".to_owned(),
            targets: vec![Spec::Ringway(Ringway::plain(find(self.common.ringway.as_deref())?))],
            ..Asked::default()
        };
        for described in self.described()? {
            let tools = std::path::absolute(self.common.tools.join(&described.name))?;
            // A plan starts nothing, and installs nothing.
            if self.install
                && !self.common.plan
                && Peer::find(described.clone(), &self.setups[0], &tools)?.is_none()
                && let Err(error) = install(&described, &tools)
            {
                asked.notes.push(format!("{} could not be installed: {error}", described.name));
                continue;
            }
            asked.not_shown.extend(described.not_shown.iter().map(|says| format!("{}: {says}", described.name)));
            for setup in &self.setups {
                match Peer::find(described.clone(), setup, &tools)? {
                    Some(mut peer) => {
                        if self.setups.len() > 1 {
                            peer.name = format!("{} {setup}", peer.name);
                        }
                        asked.targets.push(Spec::Peer(Box::new(peer)));
                    }
                    None => asked.notes.push(format!("{} is not installed, and was left out.", described.name)),
                }
            }
        }
        self.common.measure(Asked { scenarios: self.scenarios, ..asked })
    }

    /// The peers that are asked for.
    fn described(&self) -> io::Result<Vec<peers::Peer>> {
        let all = peers::Peer::load_all(&self.peers).map_err(|error| invalid(error.to_string()))?;
        if let Some(unknown) = self.names.iter().find(|name| all.iter().all(|peer| peer.name != **name)) {
            let known: Vec<&str> = all.iter().map(|peer| peer.name.as_str()).collect();
            return Err(invalid(format!("there is no peer '{unknown}', but {}", known.join(", "))));
        }
        Ok(all.into_iter().filter(|peer| self.names.is_empty() || self.names.contains(&peer.name)).collect())
    }
}

/// Runs what a peer's description says, one command after the other.
fn install(described: &peers::Peer, tools: &Path) -> io::Result<()> {
    std::fs::create_dir_all(tools)?;
    for command in described.install(tools).map_err(|error| invalid(error.to_string()))? {
        let Some((program, arguments)) = command.split_first() else { continue };
        eprintln!("{}", command.join(" "));
        let status = Command::new(program).args(arguments).stdin(Stdio::null()).stdout(io::stderr()).status();
        let failed = match status {
            Ok(status) if status.success() => continue,
            Ok(status) => status.to_string(),
            Err(error) => error.to_string(),
        };
        return Err(io::Error::other(format!("{} ({failed})", command.join(" "))));
    }
    Ok(())
}

fn invalid(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, message)
}
