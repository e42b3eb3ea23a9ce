use super::*;

const NOW_S: u64 = 1_763_794_516;

fn google() -> CloudAccount {
    CloudAccount::new("providers.vertex", CloudSource::Google(GoogleSource::Default))
}

fn keys() -> CloudAccount {
    let source = AwsSource::Keys {
        access_key_id: "AKIDEXAMPLE".into(),
        secret_access_key: Secret::new(*b"canary-secret"),
        session_token: Some(Secret::new(*b"canary-token")),
    };
    CloudAccount::new("providers.bedrock", CloudSource::Aws { source, region: "eu-central-1".into() })
}

#[test]
fn a_credential_is_handed_out_until_it_expires() {
    let account = google();
    assert!(account.is_fetched() && !account.is_asked());
    assert!(account.with_current(NOW_S, |_| ()).is_none());
    account.asked();
    assert!(account.is_asked() && account.with_current(NOW_S, |_| ()).is_none());

    account.publish(CloudCredential::bearer("token", NOW_S + 10));
    let value = |now_s| {
        account.with_current(now_s, |credential| match &credential.key {
            CloudKey::Bearer(value) => value.expose().to_vec(),
            CloudKey::Aws(_) => panic!("a token"),
        })
    };
    assert_eq!(value(NOW_S + 9).as_deref(), Some(&b"Bearer token"[..]));
    assert_eq!(value(NOW_S + 10), None);
    account.publish(CloudCredential::bearer("next", NOW_S + 20));
    assert_eq!(value(NOW_S + 10).as_deref(), Some(&b"Bearer next"[..]));
}

/// The headers that a request gets, as lines.
fn put(auth: &AuthSource, header_count: usize, now_s: u64) -> Result<String, NoCredential> {
    let headers = vec![("host", &b"h"[..]); header_count];
    let request = Request { method: "POST", path: "/", query: &[], headers: &headers, payload_sha256: &[0; 32] };
    let mut lines = String::new();
    auth.put_headers(&request, now_s, &mut Vec::new(), |name, value| {
        lines.push_str(&format!("{name}: {}\n", String::from_utf8_lossy(value)));
    })?;
    Ok(lines)
}

fn signature(account: CloudAccount, now_s: u64) -> String {
    put(&AuthSource::Cloud(Arc::new(account)), 1, now_s).expect("there from the start")
}

#[test]
fn requests_get_what_their_source_has() {
    assert_eq!(put(&AuthSource::Headers, 1, NOW_S).as_deref(), Ok(""));
    assert!(!AuthSource::Headers.signs());

    let account = Arc::new(google());
    let bearer = AuthSource::Cloud(Arc::clone(&account));
    assert!(!bearer.signs());
    assert_eq!(put(&bearer, 1, NOW_S), Err(NoCredential::Missing));
    account.publish(CloudCredential::bearer("token", NOW_S + 10));
    assert_eq!(put(&bearer, 1, NOW_S).as_deref(), Ok("authorization: Bearer token\n"));
    assert_eq!(put(&bearer, 1, NOW_S + 10), Err(NoCredential::Missing));

    let signed = AuthSource::Cloud(Arc::new(keys()));
    assert!(signed.signs());
    assert_eq!(put(&signed, 7, NOW_S), Err(NoCredential::NotSigned(SignError::TooManyHeaders)));
    let lines = put(&signed, 1, NOW_S).expect("there from the start");
    let names: Vec<_> = lines.lines().filter_map(|line| Some(line.split_once(": ")?.0)).collect();
    assert_eq!(names, ["x-amz-date", "x-amz-security-token", "authorization"]);
}

/// The day's key is derived anew when the day changes, also backwards: clocks are set.
#[test]
fn configured_keys_sign_on_any_day() {
    let account = keys();
    assert!(!account.is_fetched() && account.is_asked());
    let account = AuthSource::Cloud(Arc::new(account));
    let first = put(&account, 1, NOW_S).expect("there from the start");
    let next_day = put(&account, 1, NOW_S + 86_400).expect("there from the start");
    assert_ne!(first, next_day);
    assert_eq!(put(&account, 1, NOW_S).as_ref(), Ok(&first));
    assert_eq!(signature(keys(), NOW_S + 86_400), next_day);
    assert!(first.contains("x-amz-security-token: canary-token\n") && !first.contains("canary-secret"));
}

#[test]
fn finds_its_secrets_in_a_providers_words() {
    let account = google();
    assert!(!account.is_credential_in(b"anything"));
    account.publish(CloudCredential::bearer("ya29.canary", NOW_S));
    assert!(account.is_credential_in(b"you sent ya29.canary, which ..."));
    assert!(!account.is_credential_in(b"Bearer tokens are needed"));
    assert!(keys().is_credential_in(b"secret: canary-secret"));
    assert!(keys().is_credential_in(b"token: canary-token"));
    assert!(!keys().is_credential_in(b"key: AKIDEXAMPLE"), "an id is no secret");
}

#[test]
fn shows_no_secret() {
    let account = google();
    account.publish(CloudCredential::bearer("canary-token", NOW_S));
    let credential = CloudCredential::bearer("canary-token", NOW_S);
    let text = format!("{account:?} {credential:?} {:?} {:?}", keys(), AuthSource::Cloud(Arc::new(keys())));
    assert!(!text.contains("canary"), "{text}");
}

#[test]
fn domains_of_partitions() {
    let check = |region: &str, expected: &str| assert_eq!(aws_domain(region), expected, "{region}");
    check("cn-north-1", "amazonaws.com.cn");
    check("eusc-de-east-1", "amazonaws.eu");
    check("us-gov-west-1", "amazonaws.com");
    check("eu-central-1", "amazonaws.com");
}
