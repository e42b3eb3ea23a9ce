//! The downstream certificate: loaded at start, replaced when its files change or the operator says so.
//!
//! New connections use the new certificate from the moment it is published; those that exist keep theirs. A certificate that
//! cannot be used (unreadable, not PEM, a key that does not fit) never replaces one that can: it is logged once, counted,
//! and tried again at each look, because tools write the two files one after the other.
//!
//! Files are polled every few seconds rather than watched: inotify misses network file systems and symbolic links that move
//! (as in Kubernetes), and a certificate has days to be picked up. Sessions are resumed by tickets, whose keys survive a
//! change of certificate and are renewed every six hours.

use crate::{
    node::Node,
    telemetry::{cells::ProcessCell, operator_log},
};
use rustls::{
    ServerConfig,
    crypto::ring::{Ticketer, default_provider},
    server::ProducesTickets,
};
use rustls_pki_types::{
    CertificateDer, PrivateKeyDer,
    pem::{self, PemObject},
};
use std::{
    fmt, fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
};

/// The files of one certificate, both PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The certificate, then its intermediates.
    pub chain: PathBuf,
    /// Its private key: PKCS#8, PKCS#1 or SEC1.
    pub key: PathBuf,
}

/// Why a certificate cannot be used. Caused by the operator's files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateError {
    file: PathBuf,
    why: String,
}

impl fmt::Display for CertificateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot use {} for TLS: {}", self.file.display(), self.why)
    }
}

impl std::error::Error for CertificateError {}

/// The certificate in use and what is known of its files.
#[derive(Debug)]
pub struct Certificates {
    files: CertificateFiles,
    ticketer: Arc<dyn ProducesTickets>,
    /// The files as they were when they were last read successfully.
    loaded: [Stamp; 2],
    /// The last refusal, so that the same one is logged once.
    refused: Option<CertificateError>,
}

/// What distinguishes one version of a file from another; all zero while it cannot be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Stamp {
    device: u64,
    inode: u64,
    bytes: u64,
    modified_s: i64,
    modified_ns: i64,
}

/// What a look at the files led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refreshed {
    Unchanged,
    Replaced,
    /// The certificate before stays in use.
    Refused(CertificateError),
}

impl Certificates {
    /// Loads the certificate and publishes it in `node.downstream_tls`.
    pub fn open(files: CertificateFiles, node: &Node) -> Result<Certificates, CertificateError> {
        let ticketer = Ticketer::new()
            .map_err(|error| CertificateError { file: files.key.clone(), why: format!("no ticket key: {error}") })?;
        let loaded = stamps(&files);
        publish(server_config(&files, &ticketer)?, node);
        Ok(Certificates { files, ticketer, loaded, refused: None })
    }

    /// Loads the files again if they have changed.
    pub fn refresh(&mut self, node: &Node) -> Refreshed {
        if stamps(&self.files) == self.loaded { Refreshed::Unchanged } else { self.reload(node) }
    }

    /// Loads the files again.
    pub fn reload(&mut self, node: &Node) -> Refreshed {
        // Taken before the files are read: a change in between is seen at the next look.
        let stamps = stamps(&self.files);
        match server_config(&self.files, &self.ticketer) {
            Ok(config) => {
                publish(config, node);
                self.loaded = stamps;
                self.refused = None;
                operator_log::info(format_args!("certificate {} is in use", self.files.chain.display()));
                Refreshed::Replaced
            }
            Err(error) => {
                if self.refused.as_ref() != Some(&error) {
                    node.process.add(ProcessCell::CertificateFailures, 1);
                    operator_log::error(format_args!("{error}; the certificate before stays in use"));
                }
                self.refused = Some(error.clone());
                Refreshed::Refused(error)
            }
        }
    }
}

fn publish(config: ServerConfig, node: &Node) {
    node.downstream_tls.store(Some(Arc::new(config)));
    node.process.set(ProcessCell::CertificateLoadedAtS, super::unix_s());
}

fn server_config(
    files: &CertificateFiles,
    ticketer: &Arc<dyn ProducesTickets>,
) -> Result<ServerConfig, CertificateError> {
    let refuse = |file: &Path, why: String| CertificateError { file: file.to_owned(), why };
    let chain = CertificateDer::pem_file_iter(&files.chain)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| refuse(&files.chain, pem_problem(&error, "certificate")))?;
    if chain.is_empty() {
        return Err(refuse(&files.chain, pem_problem(&pem::Error::NoItemsFound, "certificate")));
    }
    let key = PrivateKeyDer::from_pem_file(&files.key)
        .map_err(|error| refuse(&files.key, pem_problem(&error, "private key")))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| refuse(&files.chain, error.to_string()))?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|error| refuse(&files.chain, format!("{error} (key: {})", files.key.display())))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config.ticketer = Arc::clone(ticketer);
    Ok(config)
}

/// A sentence that names the cause and nothing of the file's content.
fn pem_problem(error: &pem::Error, what: &str) -> String {
    match error {
        pem::Error::Io(error) => error.to_string(),
        pem::Error::NoItemsFound => format!("it holds no PEM {what}"),
        _ => format!("its PEM {what} is damaged"),
    }
}

fn stamps(files: &CertificateFiles) -> [Stamp; 2] {
    [&files.chain, &files.key].map(|path| {
        fs::metadata(path).map_or_else(
            |_| Stamp::default(),
            |file| Stamp {
                device: file.dev(),
                inode: file.ino(),
                bytes: file.size(),
                modified_s: file.mtime(),
                modified_ns: file.mtime_nsec(),
            },
        )
    })
}

#[cfg(test)]
mod tests;
