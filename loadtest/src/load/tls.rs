//! Whom the generator believes, and what it offers by ALPN.

use std::io::{self, ErrorKind};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};

use super::options::{LoadOptions, Protocol, Trust};

pub(super) type Tls = (Arc<ClientConfig>, ServerName<'static>);

/// What a target whose URL begins with `https://` needs; nothing for others.
pub(super) fn config(options: &LoadOptions) -> io::Result<Option<Tls>> {
    if !options.target.tls {
        return Ok(None);
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| invalid(&error.to_string()))?;
    let mut config = builder.with_root_certificates(roots(&options.trust)?).with_no_client_auth();
    config.alpn_protocols = match options.protocol {
        Protocol::Http1 => vec![b"http/1.1".to_vec()],
        Protocol::Http2 { .. } => vec![b"h2".to_vec()],
    };
    let name = ServerName::try_from(options.target.host.clone()).map_err(|error| invalid(&error.to_string()))?;
    Ok(Some((Arc::new(config), name)))
}

fn roots(trust: &Trust) -> io::Result<RootCertStore> {
    let text;
    let pem = match trust {
        Trust::System => return system_roots(),
        Trust::CaPem(pem) => pem,
        Trust::CaFile(path) => {
            let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
            text = std::fs::read_to_string(path).map_err(named)?;
            &text
        }
    };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let certificate = certificate.map_err(|error| invalid(&error.to_string()))?;
        roots.add(certificate).map_err(|error| invalid(&error.to_string()))?;
    }
    if roots.is_empty() { Err(invalid("there is no certificate in the CA's PEM")) } else { Ok(roots) }
}

fn system_roots() -> io::Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    // Certificates that are there and no good are left out, as other clients do.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() { Err(invalid("the system trusts no CA: name one")) } else { Ok(roots) }
}

fn invalid(message: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidInput, message.to_owned())
}
