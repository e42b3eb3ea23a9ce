use super::*;
use proptest::prelude::*;
use serde::Deserialize;
use std::{collections::BTreeMap, fs, path::Path};

/// A request that botocore signed; see tests/oracles/aws/signatures.py.
#[derive(Deserialize)]
struct Case {
    method: String,
    segments: Vec<String>,
    query: Vec<(String, String)>,
    headers: BTreeMap<String, String>,
    body: String,
    access_key_id: String,
    secret_access_key: String,
    session_token: Option<String>,
    region: String,
    service: String,
    time_s: u64,
    signed: BTreeMap<String, Option<String>>,
}

#[test]
fn signs_like_botocore() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracles/aws/signatures.json");
    let cases: Vec<Case> = serde_json::from_slice(&fs::read(file).expect("the cases")).expect("JSON");
    assert!(cases.len() >= 100);
    for case in &cases {
        let mut path = String::new();
        case.segments.iter().for_each(|segment| append_segment(&mut path, segment));
        assert_eq!(Some(path.as_str()), case.signed["path"].as_deref());

        let query: Vec<_> = case.query.iter().map(|(name, value)| (&**name, &**value)).collect();
        let headers: Vec<_> = case.headers.iter().map(|(name, value)| (&**name, value.as_bytes())).collect();
        let hash = digest::digest(&digest::SHA256, case.body.as_bytes());
        let payload_sha256 = hash.as_ref().try_into().expect("32 bytes");
        let request = Request { method: &case.method, path: &path, query: &query, headers: &headers, payload_sha256 };
        let key = SigningKey::derive(case.secret_access_key.as_bytes(), case.time_s, &case.region, &case.service);
        let signer = Signer {
            access_key_id: &case.access_key_id,
            session_token: case.session_token.as_deref().map(str::as_bytes),
            region: &case.region,
            service: &case.service,
            key: &key,
        };
        let mut lines = String::new();
        let signed = signer.sign(&request, case.time_s).expect("few headers");
        signed.put_headers(&mut Vec::new(), |name, value| {
            lines.push_str(&format!("{name}: {}\r\n", str::from_utf8(value).expect("ASCII")));
        });
        let expected: String = ["x-amz-date", "x-amz-security-token", "authorization"]
            .iter()
            .filter_map(|name| case.signed[*name].as_ref().map(|value| format!("{name}: {value}\r\n")))
            .collect();
        assert_eq!(lines, expected, "{path}");
    }
}

/// The keys of the documentation's example: "Create a signed AWS API request", the user and the day of its test suite.
const SECRET: &[u8] = b"wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const DAY: u64 = 1_440_938_160;

fn signer(key: &SigningKey) -> Signer<'_> {
    Signer { access_key_id: "AKIDEXAMPLE", session_token: None, region: "us-east-1", service: "service", key }
}

const EMPTY: &[u8; 32] = b"\xe3\xb0\xc4\x42\x98\xfc\x1c\x14\x9a\xfb\xf4\xc8\x99\x6f\xb9\x24\x27\xae\x41\xe4\x64\x9b\x93\x4c\xa4\x95\x99\x1b\x78\x52\xb8\x55";

fn authorization(signer: &Signer<'_>, request: &Request<'_>, now_s: u64) -> String {
    let mut out = Vec::new();
    signer.sign(request, now_s).expect("few headers").append_authorization(&mut out);
    String::from_utf8(out).expect("ASCII")
}

/// `get-vanilla` of the test suite that AWS publishes with the signature's description.
#[test]
fn signs_like_the_published_suite() {
    let key = SigningKey::derive(SECRET, DAY, "us-east-1", "service");
    let headers: [(&str, &[u8]); 1] = [("host", b"example.amazonaws.com")];
    let request = Request { method: "GET", path: "/", query: &[], headers: &headers, payload_sha256: EMPTY };
    assert_eq!(
        authorization(&signer(&key), &request, DAY),
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, \
         Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
    );
}

#[test]
fn refuses_a_key_of_another_day_and_too_many_headers() {
    let key = SigningKey::derive(SECRET, DAY, "us-east-1", "service");
    let headers: Vec<(&str, &[u8])> =
        ["a", "b", "c", "d", "e", "f", "g"].iter().map(|name| (*name, &b"x"[..])).collect();
    let request = Request { method: "GET", path: "/", query: &[], headers: &headers[..6], payload_sha256: EMPTY };
    assert!(signer(&key).sign(&request, DAY).is_ok());
    assert!(key.is_for(DAY - DAY % 86_400) && key.is_for(DAY - DAY % 86_400 + 86_399));
    assert_eq!(signer(&key).sign(&request, DAY + 86_400).err(), Some(SignError::KeyOfAnotherDay));
    let request = Request { headers: &headers, ..request };
    assert_eq!(signer(&key).sign(&request, DAY).err(), Some(SignError::TooManyHeaders));
}

#[test]
fn a_key_shows_nothing_of_itself() {
    let key = SigningKey::derive(SECRET, DAY, "us-east-1", "service");
    assert_eq!(format!("{key:?}"), format!("SigningKey {{ day: {}, .. }}", DAY / 86_400));
}

proptest! {
    /// The order in which the caller lists headers and query does not matter; a changed byte anywhere does.
    #[test]
    fn everything_counts_and_order_does_not(
        query in proptest::collection::vec(("[a-z:/ ]{1,4}", "[a-z%ä]{0,4}"), 0..5),
        path in "/[a-z%:]{1,10}",
        seed in any::<u64>(),
    ) {
        let key = SigningKey::derive(SECRET, DAY, "us-east-1", "service");
        let mut query: Vec<_> = query.iter().map(|(name, value)| (&**name, &**value)).collect();
        let mut headers: Vec<(&str, &[u8])> = vec![("host", b"h"), ("content-type", b"c"), ("x-b", b"1"), ("x-a", b"2")];
        let sign = |query: &[(&str, &str)], headers: &[(&str, &[u8])], path: &str, body: &[u8; 32]| {
            let request = Request { method: "POST", path, query, headers, payload_sha256: body };
            authorization(&signer(&key), &request, DAY)
        };
        let first = sign(&query, &headers, &path, EMPTY);
        let count = query.len().max(1);
        query.rotate_left(seed as usize % count);
        headers.rotate_left(seed as usize % 4);
        prop_assert_eq!(&sign(&query, &headers, &path, EMPTY), &first);
        prop_assert_ne!(&sign(&query, &headers, &format!("{path}x"), EMPTY), &first);
        prop_assert_ne!(&sign(&query, &headers, &path, &[0; 32]), &first);
        headers[0].1 = b"another";
        prop_assert_ne!(&sign(&query, &headers, &path, EMPTY), &first);
        query.push(("more", ""));
        headers[0].1 = b"h";
        prop_assert_ne!(&sign(&query, &headers, &path, EMPTY), &first);
    }
}
