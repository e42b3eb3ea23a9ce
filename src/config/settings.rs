//! The part of a configuration that takes effect at start: what is bound, opened or spawned once.
//!
//! A reload compares the new settings with the running ones and says which keys wait for a restart; the rest of the
//! configuration is in the snapshot and takes effect at once.

use super::{diagnostic::Diagnostic, raw};
use std::{fmt, net::SocketAddr, path::PathBuf};

pub use raw::Driver;

/// Everything that needs a restart to change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    pub listen: Vec<Listen>,
    /// Health and metrics; `None` when switched off.
    pub admin: Option<Listen>,
    /// Threads that serve; `None`: one per core.
    pub shards: Option<usize>,
    pub driver: Driver,
    /// TLS on the TCP listeners. The files are read again when they change; the paths are fixed.
    pub tls: Option<TlsFiles>,
    pub access_log: AccessLogTo,
    /// What is legal and probably not meant; for the log and `ringway check`.
    pub warnings: Vec<Diagnostic>,
}

/// Where to listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listen {
    Tcp(SocketAddr),
    /// Absolute path of a unix socket.
    Unix(PathBuf),
}

impl Listen {
    /// True where only this machine can connect.
    pub fn is_local(&self) -> bool {
        match self {
            Listen::Tcp(address) => address.ip().to_canonical().is_loopback(),
            Listen::Unix(_) => true,
        }
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Listen::Tcp(address) => address.fmt(f),
            Listen::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// Absolute paths of PEM files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    pub cert_file: PathBuf,
    pub key_file: PathBuf,
}

/// Where access records go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccessLogTo {
    Stdout,
    Off,
    /// Absolute path of a file to append to.
    File(PathBuf),
}

impl Settings {
    /// Keys in which `new` differs and which a reload therefore leaves as they are.
    pub fn restart_needed(&self, new: &Settings) -> Vec<&'static str> {
        let changes = [
            ("server.listen", self.listen != new.listen),
            ("server.shards", self.shards != new.shards),
            ("server.driver", self.driver != new.driver),
            ("server.tls", self.tls != new.tls),
            ("admin.listen", self.admin != new.admin),
            ("access_log.to", self.access_log != new.access_log),
        ];
        changes.into_iter().filter(|(_, changed)| *changed).map(|(key, _)| key).collect()
    }
}
