//! Credentials that are fetched and expire: where they come from, and the one of the moment.
//!
//! AWS, Google and Azure give out keys and tokens for an hour or so. The control thread fetches them, and again before they expire
//! (`control_plane::credentials`), and publishes each in its account's cell; an exchange loads a pointer and, for AWS, signs. An account
//! that a reload leaves as it was keeps its cell, and so its credential.
//!
//! One that has expired is not handed out: the provider would refuse it, and say so less clearly than we can.

use super::snapshot::Secret;
use crate::providers::sigv4::{Request, SignError, Signed, Signer, SigningKey};
use arc_swap::ArcSwapOption;
use std::{
    fmt,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{
            AtomicBool,
            Ordering::{Acquire, Release},
        },
    },
};

pub mod google_file;

/// Where a deployment's credential is found when a request is sent.
#[derive(Debug, Clone)]
pub enum AuthSource {
    /// Among the deployment's headers, as configured; or there is none.
    Headers,
    /// In the account's cell.
    Cloud(Arc<CloudAccount>),
}

/// Why a request cannot be made to be the account's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoCredential {
    /// None was ever fetched, or the last one has expired. The log says why; it may be another matter a second later.
    Missing,
    /// A mistake of the caller.
    NotSigned(SignError),
}

impl From<SignError> for NoCredential {
    fn from(error: SignError) -> NoCredential {
        NoCredential::NotSigned(error)
    }
}

impl AuthSource {
    /// True if requests are signed, for which the body's hash is needed.
    pub fn signs(&self) -> bool {
        matches!(self, AuthSource::Cloud(account) if matches!(account.source, CloudSource::Aws { .. }))
    }

    /// Puts the headers that a request needs beside the deployment's own: none, `authorization`, or those of a signature. Where
    /// [`AuthSource::signs`] says no, nothing of `request` is looked at. `scratch` is empty before and of no use after.
    ///
    /// # Errors
    /// See [`NoCredential`]; then nothing was put.
    pub fn put_headers(
        &self,
        request: &Request<'_>,
        now_s: u64,
        scratch: &mut Vec<u8>,
        mut put: impl FnMut(&'static str, &[u8]),
    ) -> Result<(), NoCredential> {
        let AuthSource::Cloud(account) = self else { return Ok(()) };
        let done = account.with_current(now_s, |credential| match &credential.key {
            CloudKey::Bearer(value) => {
                put("authorization", value.expose());
                Ok(())
            }
            CloudKey::Aws(keys) => keys.sign(request, now_s, |signed| signed.put_headers(scratch, put)),
        });
        done.ok_or(NoCredential::Missing)?.map_err(NoCredential::from)
    }
}

/// One account whose credential is fetched.
pub struct CloudAccount {
    /// Path in the configuration, for logs.
    pub name: Box<str>,
    pub source: CloudSource,
    current: ArcSwapOption<CloudCredential>,
    is_asked: AtomicBool,
}

/// Where a credential comes from. Accounts with the same name and source share a cell over reloads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CloudSource {
    Aws {
        source: AwsSource,
        region: Box<str>,
    },
    Google(GoogleSource),
    /// Entra ID: what the environment says, or the identity of the machine.
    Azure,
}

/// Where AWS keys come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AwsSource {
    /// The configuration itself.
    Keys { access_key_id: Box<str>, secret_access_key: Secret, session_token: Option<Secret> },
    /// This profile of the files that AWS's own tools read, and what it leads to: keys, roles, single sign-on.
    Profile(Box<str>),
    /// The first of: environment, web identity, default profile, container, instance.
    Chain,
}

/// Where Google's tokens come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GoogleSource {
    /// A service account's key file.
    File(PathBuf),
    /// The first of: the file that the environment names, the one that gcloud wrote, the metadata server.
    Default,
}

/// What is shown to the provider, for a while.
#[derive(Debug)]
pub struct CloudCredential {
    pub key: CloudKey,
    /// Unix time in seconds after which it is worth nothing; `None` for one that does not expire.
    pub expires_at_s: Option<u64>,
}

/// How a request is made to be the account's.
#[derive(Debug)]
pub enum CloudKey {
    /// The whole value of `authorization`: `Bearer` and the token.
    Bearer(Secret),
    Aws(AwsKeys),
}

/// Keys that sign requests to Bedrock in one region.
#[derive(Debug)]
pub struct AwsKeys {
    access_key_id: Box<str>,
    secret_access_key: Secret,
    session_token: Option<Secret>,
    region: Box<str>,
    /// The day's key. Whichever shard first needs another derives it; that two do is harmless.
    signing_key: ArcSwapOption<SigningKey>,
}

/// The domain of AWS's services in a region: each of its partitions has its own.
pub fn aws_domain(region: &str) -> &'static str {
    match region.split('-').next() {
        Some("cn") => "amazonaws.com.cn",
        Some("eusc") => "amazonaws.eu",
        _ => "amazonaws.com",
    }
}

impl CloudAccount {
    /// An account. Keys that are configured are there from the start; all others are fetched.
    pub fn new(name: impl Into<Box<str>>, source: CloudSource) -> CloudAccount {
        let configured = match &source {
            CloudSource::Aws {
                source: AwsSource::Keys { access_key_id, secret_access_key, session_token },
                region,
            } => {
                let keys =
                    AwsKeys::new(access_key_id.clone(), secret_access_key.clone(), session_token.clone(), region);
                Some(CloudCredential { key: CloudKey::Aws(keys), expires_at_s: None })
            }
            _ => None,
        };
        CloudAccount {
            name: name.into(),
            source,
            is_asked: AtomicBool::new(configured.is_some()),
            current: ArcSwapOption::from_pointee(configured),
        }
    }

    /// True for an account whose credential has to be fetched.
    pub fn is_fetched(&self) -> bool {
        !matches!(self.source, CloudSource::Aws { source: AwsSource::Keys { .. }, .. })
    }

    /// Hands out the credential, if there is one that has not expired. For shards: one load, nothing is waited for.
    #[inline]
    pub fn with_current<R>(&self, now_s: u64, take: impl FnOnce(&CloudCredential) -> R) -> Option<R> {
        let current = self.current.load();
        let good = current.as_deref().filter(|it| it.expires_at_s.is_none_or(|expires_at_s| now_s < expires_at_s));
        good.map(take)
    }

    /// Publishes what was fetched.
    pub fn publish(&self, credential: CloudCredential) {
        self.current.store(Some(Arc::new(credential)));
        self.asked();
    }

    /// Notes that fetching has ended, well or not.
    pub fn asked(&self) {
        self.is_asked.store(true, Release);
    }

    /// True once fetching has ended for the first time, well or not: until then a missing credential is not a failure but late.
    pub fn is_asked(&self) -> bool {
        self.is_asked.load(Acquire)
    }

    /// True if a provider's text repeats a secret of the present credential.
    pub fn is_credential_in(&self, text: &[u8]) -> bool {
        let current = self.current.load();
        let Some(credential) = current.as_deref() else { return false };
        match &credential.key {
            CloudKey::Bearer(value) => holds(text, value),
            CloudKey::Aws(keys) => {
                holds(text, &keys.secret_access_key) || keys.session_token.as_ref().is_some_and(|it| holds(text, it))
            }
        }
    }
}

/// Does `text` hold the last word of a header's value? Nothing shorter than 8 bytes is looked for: it would be found by chance.
pub(super) fn holds(text: &[u8], value: &Secret) -> bool {
    let value = value.expose();
    // `Bearer`, `Basic` and the like are no secret.
    let secret = value.rsplit(|byte| *byte == b' ').next().unwrap_or(value);
    secret.len() >= 8 && memchr::memmem::find(text, secret).is_some()
}

impl fmt::Debug for CloudAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CloudAccount").field("name", &self.name).field("source", &self.source).finish_non_exhaustive()
    }
}

impl CloudCredential {
    /// A token that is shown as it is.
    pub fn bearer(token: &str, expires_at_s: u64) -> CloudCredential {
        let value = Secret::new(format!("Bearer {token}").into_bytes());
        CloudCredential { key: CloudKey::Bearer(value), expires_at_s: Some(expires_at_s) }
    }
}

impl AwsKeys {
    pub fn new(
        access_key_id: Box<str>,
        secret_access_key: Secret,
        session_token: Option<Secret>,
        region: &str,
    ) -> AwsKeys {
        let signing_key = ArcSwapOption::empty();
        AwsKeys { access_key_id, secret_access_key, session_token, region: region.into(), signing_key }
    }

    /// Signs a request and hands the result out to be written.
    ///
    /// # Errors
    /// More headers than can be signed.
    pub fn sign<R>(
        &self,
        request: &Request<'_>,
        now_s: u64,
        write: impl FnOnce(&Signed<'_>) -> R,
    ) -> Result<R, SignError> {
        const SERVICE: &str = "bedrock";
        let present = self.signing_key.load();
        let derived;
        let key = match present.as_deref().filter(|key| key.is_for(now_s)) {
            Some(key) => key,
            None => {
                derived = Arc::new(SigningKey::derive(self.secret_access_key.expose(), now_s, &self.region, SERVICE));
                self.signing_key.store(Some(derived.clone()));
                &*derived
            }
        };
        let signer = Signer {
            access_key_id: &self.access_key_id,
            session_token: self.session_token.as_ref().map(Secret::expose),
            region: &self.region,
            service: SERVICE,
            key,
        };
        signer.sign(request, now_s).map(|signed| write(&signed))
    }
}

#[cfg(test)]
mod tests;
