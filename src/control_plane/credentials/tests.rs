use super::{
    fixtures::{NoNames, Server, Table},
    *,
};
use crate::{
    config::cloud::{AwsSource, CloudKey, GoogleSource},
    telemetry::fixtures as snapshots,
};
use std::{collections::VecDeque, sync::Mutex};

/// Answers in turn with tokens that live for so many seconds, or failures; then only failures.
#[derive(Default)]
struct Script(Mutex<VecDeque<Result<(&'static str, u64), &'static str>>>);

impl Script {
    fn of(answers: &[Result<(&'static str, u64), &'static str>]) -> Arc<Script> {
        Arc::new(Script(Mutex::new(answers.iter().copied().collect())))
    }

    fn left(&self) -> usize {
        self.0.lock().expect("not poisoned").len()
    }
}

impl Fetch for Script {
    async fn fetch(&self, _: &CloudSource) -> Result<CloudCredential, String> {
        let next = self.0.lock().expect("not poisoned").pop_front().unwrap_or(Err("nothing more"));
        next.map(|(token, lives_s)| CloudCredential::bearer(token, unix_s() + lives_s)).map_err(str::to_owned)
    }
}

fn account() -> Arc<CloudAccount> {
    Arc::new(CloudAccount::new("providers.vertex", CloudSource::Google(GoogleSource::Default)))
}

fn node(generation: u64, accounts: &[&Arc<CloudAccount>]) -> Arc<Node> {
    let mut snapshot = snapshots::empty(generation);
    snapshot.cloud_accounts = accounts.iter().map(|account| Arc::clone(account)).collect();
    Arc::new(Node::new(Arc::new(snapshot), 1))
}

fn token(account: &CloudAccount) -> Option<String> {
    let take = |credential: &CloudCredential| match &credential.key {
        CloudKey::Bearer(value) => String::from_utf8_lossy(value.expose()).into_owned(),
        CloudKey::Aws(_) => panic!("a token"),
    };
    account.with_current(unix_s(), take)
}

fn counts(node: &Node) -> (u64, u64) {
    (node.process.read(ProcessCell::CredentialRefreshes), node.process.read(ProcessCell::CredentialFailures))
}

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn a_failure_leaves_the_token_until_it_expires() {
    let account = account();
    let node = node(1, &[&account]);
    let script = Script::of(&[Ok(("first", 3600)), Err("down"), Err("down"), Ok(("second", 3600)), Ok(("over", 0))]);
    let mut credentials = Credentials::new(Arc::clone(&node), Arc::clone(&script));
    let mut now = Instant::now();
    for (expected, counted) in [
        (Some("Bearer first"), (1, 0)),
        (Some("Bearer first"), (1, 1)),
        (Some("Bearer first"), (1, 2)),
        (Some("Bearer second"), (2, 2)),
        // Fetched, but of no use.
        (Some("Bearer second"), (2, 3)),
    ] {
        credentials.round(now).await.expect("there is an account");
        assert_eq!(token(&account).as_deref(), expected);
        assert_eq!(counts(&node), counted);
        now += HOUR;
    }
    assert_eq!(script.left(), 0);
}

#[tokio::test]
async fn the_log_is_told_once_and_again_when_it_gets_worse() {
    let account = account();
    let node = node(1, &[&account]);
    let script =
        Script::of(&[Err("down"), Ok(("first", 3600)), Err("down"), Err("down"), Err("down"), Ok(("good", 3600))]);
    let mut credentials = Credentials::new(Arc::clone(&node), script);
    let mut now = Instant::now();
    let mut told = Vec::new();
    for step in 0..6 {
        if step == 4 {
            // Its hour is over.
            account.publish(CloudCredential::bearer("first", unix_s()));
        }
        credentials.round(now).await;
        told.push(credentials.accounts[0].trouble);
        now += HOUR;
    }
    use Trouble::{Missing, None, NotRenewed};
    assert_eq!(told, [Missing, None, NotRenewed, NotRenewed, Missing, None]);
    assert_eq!(counts(&node), (2, 4));
}

#[tokio::test]
async fn only_what_is_due_is_fetched() {
    let account = account();
    let node = node(1, &[&account]);
    let script = Script::of(&[Ok(("first", 3600)), Ok(("second", 3600))]);
    let mut credentials = Credentials::new(Arc::clone(&node), Arc::clone(&script));
    let now = Instant::now();
    let next = credentials.round(now).await.expect("an account");
    let wait = next - now;
    assert!(wait > HOUR - Duration::from_secs(305) && wait < HOUR - Duration::from_secs(175), "{wait:?}");
    assert_eq!(credentials.round(next - Duration::from_millis(1)).await, Some(next));
    assert_eq!(script.left(), 1);
    credentials.all_due(now);
    credentials.round(now).await;
    assert_eq!(token(&account).as_deref(), Some("Bearer second"), "a reload fetches at once");
}

#[tokio::test]
async fn follows_the_snapshot() {
    let (old, kept, new) = (account(), account(), account());
    let node = node(1, &[&old, &kept]);
    let script = Script::of(&[Ok(("a", 3600)), Ok(("b", 3600)), Ok(("c", 3600))]);
    let mut credentials = Credentials::new(Arc::clone(&node), Arc::clone(&script));
    let now = Instant::now();
    credentials.round(now).await;
    assert_eq!(script.left(), 1);

    let mut snapshot = snapshots::empty(2);
    // Fetched while its configuration arrived: not again at once.
    let arrived = account();
    arrived.publish(CloudCredential::bearer("arrived", unix_s() + 3600));
    // Keys that are configured are never fetched.
    let source = AwsSource::Keys {
        access_key_id: "AKIA".into(),
        secret_access_key: crate::config::snapshot::Secret::new(*b"secret"),
        session_token: None,
    };
    let configured = Arc::new(CloudAccount::new("keys", CloudSource::Aws { source, region: "eu-west-1".into() }));
    snapshot.cloud_accounts = vec![Arc::clone(&kept), Arc::clone(&new), Arc::clone(&arrived), configured];
    node.publish(Arc::new(snapshot));
    credentials.round(now).await;
    assert_eq!(token(&new).as_deref(), Some("Bearer c"));
    assert_eq!(token(&arrived).as_deref(), Some("Bearer arrived"));
    assert_eq!(credentials.accounts.len(), 3);
    assert_eq!(Arc::strong_count(&old), 1, "what is gone is let go");

    node.publish(Arc::new(snapshots::empty(3)));
    assert_eq!(credentials.round(now + HOUR * 2).await, None);
}

#[tokio::test]
async fn runs_until_the_next_is_due_or_a_reload() {
    let account = account();
    let node = node(1, &[&account]);
    let script = Script::of(&[Ok(("first", 3600)), Ok(("second", 3600))]);
    let reloaded = Arc::new(Notify::new());
    let run = tokio::spawn(Credentials::new(Arc::clone(&node), Arc::clone(&script)).run(Arc::clone(&reloaded)));
    let seen = async |expected: &str| {
        while token(&account).as_deref() != Some(expected) {
            tokio::task::yield_now().await;
        }
    };
    seen("Bearer first").await;
    reloaded.notify_one();
    seen("Bearer second").await;
    run.abort();
}

/// From nothing to a token, by way of the network.
#[tokio::test]
async fn an_arriving_configuration_gets_its_first_credentials() {
    const METADATA: &str = "GET /computeMetadata/v1/instance/service-accounts/default/token";
    let server = Server::start(&[(METADATA, 200, r#"{"access_token":"first","expires_in":3599}"#)]).await;
    let surroundings = Table::default()
        .env("GCE_METADATA_HOST", server.address.to_string())
        .env("AWS_EC2_METADATA_SERVICE_ENDPOINT", server.url());
    let fetch = CloudFetch::within(Arc::new(surroundings), NoNames);
    let (google, aws) = (account(), CloudSource::Aws { source: AwsSource::Chain, region: "eu-west-1".into() });
    let aws = Arc::new(CloudAccount::new("providers.bedrock", aws));
    let mut snapshot = snapshots::empty(1);
    snapshot.cloud_accounts = vec![Arc::clone(&google), Arc::clone(&aws)];
    assert!(lacks_credentials(&snapshot));
    first_credentials(&snapshot, &fetch).await;
    assert_eq!(token(&google).as_deref(), Some("Bearer first"));
    // There is no such service there; it was asked, which is all that readiness waits for.
    assert!(!lacks_credentials(&snapshot) && aws.with_current(0, |_| ()).is_none());
    let asked = server.asked().len();
    first_credentials(&snapshot, &fetch).await;
    assert_eq!(server.asked().len(), asked, "nobody is asked twice");
}

#[test]
fn when_to_renew() {
    let check = |lives_s: u64, drawn: f64, expected_s: f64| {
        let credential = CloudCredential::bearer("x", 1_000_000 + lives_s);
        assert_eq!(renew_after(&credential, 1_000_000, drawn).as_secs_f64(), expected_s, "{lives_s} {drawn}");
    };
    check(3600, 0.0, 3420.0);
    check(3600, 1.0, 3300.0);
    check(601, 1.0, 301.0);
    check(600, 0.5, 300.0);
    check(100, 0.5, 50.0);
    check(u64::MAX / 2, 0.5, 86_400.0);
    // One that is over or nearly is no reason to ask without a pause.
    check(1, 0.5, 1.0);
    check(0, 0.5, 1.0);
    let for_ever = CloudCredential { expires_at_s: None, ..CloudCredential::bearer("x", 0) };
    assert_eq!(renew_after(&for_ever, 1_000_000, 0.5), READ_AGAIN);
    let over = CloudCredential::bearer("x", 5);
    assert_eq!(renew_after(&over, 1_000_000, 0.5), RETRY_MIN);
}

#[test]
fn when_to_try_again() {
    let check = |failures: u32, expected_s: f64| assert_eq!(retry_after(failures, 0.0).as_secs_f64(), expected_s);
    check(1, 1.0);
    check(2, 2.0);
    check(6, 32.0);
    check(7, 60.0);
    check(u32::MAX, 60.0);
    assert_eq!(retry_after(3, 1.0).as_secs_f64(), 3.0);
    assert!((0.0..=1.0).contains(&draw()));
}

/// Without randomness neighbours in a fleet, and moments that follow each other, still come apart.
#[test]
fn what_is_not_drawn_is_spread() {
    let mut all: Vec<f64> = (100..200).flat_map(|process| [spread(process, 0), spread(process, 1_000)]).collect();
    all.sort_by(f64::total_cmp);
    assert!(all.iter().all(|drawn| (0.0..=1.0).contains(drawn)));
    assert!(all.windows(2).all(|pair| pair[1] - pair[0] < 0.1), "no tenth of the range stays empty");
    assert!(all.windows(2).all(|pair| pair[1] > pair[0]), "all differ");
}
