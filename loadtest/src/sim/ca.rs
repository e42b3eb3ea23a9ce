//! A certificate authority that lives as long as a test, and the leaf certificates that it signs.
//!
//! `throwaway` makes a CA and a good leaf; `Ca::leaf` makes further leaves, among them those that a client must
//! refuse: expired, for another name, or signed by a CA that nobody trusts. Keys are fresh ECDSA P-256 keys on each
//! call and are never written anywhere by this module.
//!
//! Leaves are valid from 2020 to 2100, so that a test machine with a wrong clock still passes; only
//! `LeafKind::Expired` ended in 2021.

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};

use super::SimTls;

/// What is right or wrong with a leaf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeafKind {
    Good,
    /// Its validity ended on 2021-01-01.
    Expired,
    /// It names `elsewhere.invalid` and nothing else, whatever names were asked for.
    WrongName,
    /// Signed by a CA made on the spot and thrown away, so that no client can trust it.
    UnknownCa,
}

/// A CA certificate with its key.
pub struct Ca {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// A CA that a client is told to trust, and a leaf signed by it.
pub struct Throwaway {
    pub ca: Ca,
    pub leaf: SimTls,
}

/// Makes a CA and a good leaf for `names`, which may be DNS names or IP addresses.
pub fn throwaway(names: &[&str]) -> Result<Throwaway, rcgen::Error> {
    let ca = Ca::try_new()?;
    let leaf = ca.leaf(names, LeafKind::Good)?;
    Ok(Throwaway { ca, leaf })
}

impl Ca {
    pub fn try_new() -> Result<Self, rcgen::Error> {
        Self::named("Simulated provider CA")
    }

    fn named(name: &str) -> Result<Self, rcgen::Error> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.distinguished_name.push(DnType::CommonName, name);
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2100, 1, 1);
        let certificate = params.self_signed(&key)?;
        Ok(Self { pem: certificate.pem(), issuer: Issuer::new(params, key) })
    }

    /// The CA certificate in PEM, for a client's trust store.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    pub fn leaf(&self, names: &[&str], kind: LeafKind) -> Result<SimTls, rcgen::Error> {
        let names: Vec<String> = match kind {
            LeafKind::WrongName => vec!["elsewhere.invalid".to_owned()],
            _ => names.iter().map(|name| (*name).to_owned()).collect(),
        };
        let key = KeyPair::generate()?;
        // `CertificateParams::new` tells IP addresses from DNS names by parsing each.
        let mut params = CertificateParams::new(names)?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        params.distinguished_name.push(DnType::CommonName, "Simulated provider");
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = match kind {
            LeafKind::Expired => date_time_ymd(2021, 1, 1),
            _ => date_time_ymd(2100, 1, 1),
        };
        let certificate = match kind {
            // By another name: a CA of the same name is taken for ours, and its signature for a broken one.
            LeafKind::UnknownCa => params.signed_by(&key, &Ca::named("Stranger")?.issuer)?,
            _ => params.signed_by(&key, &self.issuer)?,
        };
        Ok(SimTls { cert_pem: certificate.pem(), key_pem: key.serialize_pem() })
    }
}
