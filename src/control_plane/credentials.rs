//! Keys and tokens of the clouds, fetched before they are needed and again before they expire.
//!
//! A credential is renewed when three to five minutes of it are left (which of them is drawn, so that a fleet does not ask at once);
//! one that lives ten minutes or less, at half its time; any, after a day. One that does not expire, a profile's or the environment's, is
//! read again every five minutes, and all after a reload. When fetching fails the credential there is stays in use until it expires, and the
//! next try is after a second, then twice as long each time up to a minute. What has expired when it comes is a failure, too. Each failure is
//! counted; the first is logged, as are the expiry that it leads to and its end.
//!
//! A configuration that names new accounts waits for their first credentials before it comes into force (`first_credentials`), and
//! readiness waits for those of the start.
//!
//! Shards only load what is published; see `config::cloud`.

use super::{resolver::Lookup, unix_s};
use crate::{
    config::{
        cloud::{CloudAccount, CloudCredential, CloudSource},
        interpolate::{Lookup as Surroundings, Process},
        snapshot::Snapshot,
    },
    limits::CREDENTIAL_FETCHES_MAX,
    node::Node,
    telemetry::{cells::ProcessCell, operator_log},
};
use ask::Asker;
use futures_util::stream::{self, StreamExt};
use ring::rand::{SecureRandom, SystemRandom};
use std::{
    process,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::{sync::Notify, time::Instant};

pub mod ask;
pub mod aws;
pub mod azure;
#[cfg(test)]
pub(super) mod fixtures;
pub mod google;

/// Gets the credential that a source has now. A trait so that schedules can be tested without servers.
pub trait Fetch {
    /// # Errors
    /// A sentence for the log.
    fn fetch(&self, source: &CloudSource) -> impl Future<Output = Result<CloudCredential, String>> + Send;
}

/// Asks the clouds themselves.
pub struct CloudFetch<L> {
    surroundings: Arc<dyn Surroundings + Send + Sync>,
    asker: Asker<L>,
    /// AWS's tokens for single sign-on, which outlive a fetch.
    renewed: aws::sso::Renewed,
}

impl<L> CloudFetch<L> {
    /// Looks into the environment and the files of this process.
    pub fn new(lookup: L) -> CloudFetch<L>
    where
        L: Lookup,
    {
        CloudFetch::within(Arc::new(Process), lookup)
    }

    fn within(surroundings: Arc<dyn Surroundings + Send + Sync>, lookup: L) -> CloudFetch<L>
    where
        L: Lookup,
    {
        CloudFetch { surroundings, asker: Asker::new(lookup), renewed: aws::sso::Renewed::default() }
    }
}

impl<L: Lookup + Send + Sync> Fetch for CloudFetch<L> {
    async fn fetch(&self, source: &CloudSource) -> Result<CloudCredential, String> {
        match source {
            CloudSource::Aws { source, region } => {
                aws::fetch(source, region, unix_s(), &*self.surroundings, &self.asker, &self.renewed).await
            }
            CloudSource::Azure => azure::fetch(unix_s(), &*self.surroundings, &self.asker).await,
            CloudSource::Google(source) => google::fetch(source, unix_s(), &*self.surroundings, &self.asker).await,
        }
    }
}

/// Keeps the credentials of a node's accounts fresh.
pub struct Credentials<F> {
    node: Arc<Node>,
    fetch: Arc<F>,
    accounts: Vec<Scheduled>,
}

/// An account, and when it is fetched next.
struct Scheduled {
    account: Arc<CloudAccount>,
    due: Instant,
    /// Since the last success.
    failures: u32,
    /// What the log has been told.
    trouble: Trouble,
}

/// How bad it is that fetching fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Trouble {
    None,
    /// The credential before is still in use.
    NotRenewed,
    /// There is none.
    Missing,
}

/// What is left of a credential when it is renewed, in seconds: from the first to the second. Metadata servers have the next
/// one ready five minutes before the end.
const LEFT_S: (u64, u64) = (180, 300);
/// A credential of this or less is renewed at half its time.
const SHORT_S: u64 = 600;
/// After this what does not expire is read again.
const READ_AGAIN: Duration = Duration::from_secs(300);
/// No one knows what a server means that gives more.
const KEEP_MAX: Duration = Duration::from_secs(86_400);
const RETRY_MIN: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_secs(60);

impl<F: Fetch> Credentials<F> {
    pub fn new(node: Arc<Node>, fetch: Arc<F>) -> Credentials<F> {
        Credentials { node, fetch, accounts: Vec::new() }
    }

    /// Fetches for ever; `reloaded` fetches all at once.
    pub async fn run(mut self, reloaded: Arc<Notify>) {
        loop {
            let next = self.round(Instant::now()).await;
            let wait = async {
                match next {
                    Some(next) => tokio::time::sleep_until(next).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = wait => {}
                () = reloaded.notified() => self.all_due(Instant::now()),
            }
        }
    }

    /// What was read from a file may have been replaced, which is why someone reloads.
    fn all_due(&mut self, now: Instant) {
        self.accounts.iter_mut().for_each(|scheduled| scheduled.due = now);
    }

    /// Fetches what is due; when the next is.
    async fn round(&mut self, now: Instant) -> Option<Instant> {
        self.follow_snapshot(now);
        let (node, fetch) = (&self.node, &self.fetch);
        stream::iter(self.accounts.iter_mut().filter(|scheduled| scheduled.due <= now))
            .for_each_concurrent(CREDENTIAL_FETCHES_MAX, |scheduled| async move {
                let fetched = fetch.fetch(&scheduled.account.source).await;
                scheduled.fetched(fetched, node);
            })
            .await;
        self.accounts.iter().map(|scheduled| scheduled.due).min()
    }

    /// Takes up the accounts of the present snapshot and forgets those that are gone.
    fn follow_snapshot(&mut self, now: Instant) {
        let snapshot = self.node.snapshot.load();
        let is_present =
            |account: &Arc<CloudAccount>| snapshot.cloud_accounts.iter().any(|it| Arc::ptr_eq(it, account));
        self.accounts.retain(|scheduled| is_present(&scheduled.account));
        for account in snapshot.cloud_accounts.iter().filter(|account| account.is_fetched()) {
            if !self.accounts.iter().any(|scheduled| Arc::ptr_eq(&scheduled.account, account)) {
                // Its first one may have been fetched while the configuration arrived.
                let now_s = unix_s();
                let wait = account.with_current(now_s, |credential| renew_after(credential, now_s, draw()));
                let due = now + wait.unwrap_or_default();
                self.accounts.push(Scheduled {
                    account: Arc::clone(account),
                    due,
                    failures: 0,
                    trouble: Trouble::None,
                });
            }
        }
    }
}

impl Scheduled {
    fn fetched(&mut self, fetched: Result<CloudCredential, String>, node: &Node) {
        let name = &self.account.name;
        let now_s = unix_s();
        let wait = match fetched.and_then(|credential| unexpired(credential, now_s)) {
            Ok(credential) => {
                node.process.add(ProcessCell::CredentialRefreshes, 1);
                if self.trouble > Trouble::None {
                    operator_log::info(format_args!("{name}: its credential is renewed again"));
                }
                (self.failures, self.trouble) = (0, Trouble::None);
                let wait = renew_after(&credential, now_s, draw());
                self.account.publish(credential);
                wait
            }
            Err(why) => {
                node.process.add(ProcessCell::CredentialFailures, 1);
                let trouble = match self.account.with_current(now_s, |_| ()) {
                    Some(()) => Trouble::NotRenewed,
                    None => Trouble::Missing,
                };
                if trouble > self.trouble {
                    log_failure(&self.account, &why, now_s);
                    self.trouble = trouble;
                }
                self.failures = self.failures.saturating_add(1);
                self.account.asked();
                retry_after(self.failures, draw())
            }
        };
        self.due = Instant::now() + wait;
    }
}

/// A clock that is wrong, here or there, makes such.
fn unexpired(credential: CloudCredential, now_s: u64) -> Result<CloudCredential, String> {
    match credential.expires_at_s {
        Some(expires_at_s) if expires_at_s <= now_s => {
            Err(format!("what was fetched expired {} s ago; is this machine's clock right?", now_s - expires_at_s))
        }
        _ => Ok(credential),
    }
}

fn log_failure(account: &CloudAccount, why: &str, now_s: u64) {
    let name = &account.name;
    match account.with_current(now_s, |credential| credential.expires_at_s) {
        None => operator_log::error(format_args!("{name}: no credential: {why}; its deployments cannot be used")),
        Some(None) => operator_log::warning(format_args!("{name}: {why}; the credential from before stays in use")),
        Some(Some(expires_at_s)) => operator_log::warning(format_args!(
            "{name}: its credential cannot be renewed: {why}; it can be used for another {} s",
            expires_at_s.saturating_sub(now_s)
        )),
    }
}

/// How long a credential is used before the next is fetched. `drawn` is from 0 to 1.
fn renew_after(credential: &CloudCredential, now_s: u64, drawn: f64) -> Duration {
    let Some(expires_at_s) = credential.expires_at_s else { return READ_AGAIN };
    let lives_s = expires_at_s.saturating_sub(now_s);
    if lives_s <= SHORT_S {
        return Duration::from_secs(lives_s / 2).max(RETRY_MIN);
    }
    let (least_s, most_s) = LEFT_S;
    let left = least_s as f64 + drawn * (most_s - least_s) as f64;
    Duration::from_secs(lives_s).saturating_sub(Duration::from_secs_f64(left)).min(KEEP_MAX)
}

/// The wait after the nth failure in a row: within a quarter of what doubling gives. `drawn` is from 0 to 1.
fn retry_after(failures: u32, drawn: f64) -> Duration {
    let doubled = RETRY_MIN.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(RETRY_MAX);
    doubled.mul_f64(1.0 - drawn / 4.0)
}

/// A number from 0 to 1, which spreads a fleet's questions.
fn draw() -> f64 {
    let mut bytes = [0; 4];
    match SystemRandom::new().fill(&mut bytes) {
        Ok(()) => f64::from(u32::from_ne_bytes(bytes)) / f64::from(u32::MAX),
        Err(_) => {
            spread(process::id(), SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().subsec_nanos())
        }
    }
}

/// The same from what differs between the nodes of a fleet anyway, where the system has no randomness. It need not be secret.
fn spread(process_id: u32, nanos: u32) -> f64 {
    // Fibonacci hashing (Knuth, 6.4): neighbours come far apart.
    f64::from(process_id.wrapping_add(nanos).wrapping_mul(0x9E37_79B9)) / f64::from(u32::MAX)
}

/// True when an account of `snapshot` has never been asked for a credential.
pub fn lacks_credentials(snapshot: &Snapshot) -> bool {
    snapshot.cloud_accounts.iter().any(|account| !account.is_asked())
}

/// Fetches for the accounts that were never asked, once each, and ends when all have been. What fails is left to the rounds that follow,
/// which also say so.
pub async fn first_credentials(snapshot: &Snapshot, fetch: &impl Fetch) {
    let missing = snapshot.cloud_accounts.iter().filter(|account| !account.is_asked());
    stream::iter(missing)
        .for_each_concurrent(CREDENTIAL_FETCHES_MAX, |account| async move {
            match fetch.fetch(&account.source).await.and_then(|credential| unexpired(credential, unix_s())) {
                Ok(credential) => account.publish(credential),
                Err(_) => account.asked(),
            }
        })
        .await;
}

#[cfg(test)]
mod tests;
