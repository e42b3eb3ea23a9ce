use super::*;
use crate::config::{checked, load::Loaded, raw};
use ring::rand::SystemRandom;
use std::collections::HashSet;

#[test]
fn generated_keys_are_256_random_bits() {
    let keys: HashSet<String> = (0..100).map(|_| generate(&SystemRandom::new()).expect("random")).collect();
    assert_eq!(keys.len(), 100);
    for key in keys {
        let text = key.strip_prefix("rw-").expect("prefix");
        assert_eq!(text.len(), 43);
        assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'), "{text}");
    }
}

/// The vectors of RFC 4648, section 10, without padding, and the two characters that differ from plain base64.
#[test]
fn base64url_as_rfc_4648() {
    let check = |bytes: &[u8], expected: &str| assert_eq!(base64url(bytes), expected);
    check(b"", "");
    check(b"f", "Zg");
    check(b"fo", "Zm8");
    check(b"foo", "Zm9v");
    check(b"foob", "Zm9vYg");
    check(b"fooba", "Zm9vYmE");
    check(b"foobar", "Zm9vYmFy");
    check(&[0xfb, 0xff], "-_8");
}

#[test]
fn hashes_as_text() {
    // SHA-256 of "abc": FIPS 180-4's example.
    let abc = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(hash_text(&hash(b"abc")), abc);
    assert_eq!(parse_hash(abc), Ok(hash(b"abc")));
    assert_eq!(parse_hash(&abc.to_uppercase().replace("SHA", "sha")), Ok(hash(b"abc")));
    assert_eq!(parse_hash("ba78"), Err(BadHash::Prefix));
    assert_eq!(parse_hash(&abc[..70]), Err(BadHash::Length(63)));
    assert_eq!(parse_hash(&format!("{abc}0")), Err(BadHash::Length(65)));
    assert_eq!(parse_hash(&abc.replace("ad", "+d")), Err(BadHash::Digit));
    assert_eq!(parse_hash(&abc.replace("ad", "é")), Err(BadHash::Digit));
    assert_eq!(parse_hash(&hash_text(&hash(b""))), Err(BadHash::OfNothing));
}

#[test]
fn bearer_tokens() {
    let check = |value: &[u8], expected: Option<&[u8]>| assert_eq!(bearer_token(value), expected);
    check(b"Bearer abc", Some(b"abc"));
    check(b"bearer abc", Some(b"abc"));
    check(b"BEARER  abc ", Some(b"abc"));
    check(b"Bearer ", Some(b""));
    check(b"Bearer", None);
    check(b"Basic abc", None);
    check(b"Bearerabc", None);
    check(b"", None);
    check(b"\xff\xff\xff\xff\xff\xff\xff\xff", None);
}

#[test]
fn authentication() {
    let key = |name: &str, secret: &str, expires_at: Option<&str>| raw::Key {
        name: name.into(),
        hash: hash_text(&hash(secret.as_bytes())),
        expires_at: expires_at.map(str::to_owned),
    };
    let config = raw::Config {
        keys: vec![key("forever", "rw-one", None), key("short", "rw-two", Some("1970-01-01T00:01:40Z"))],
        providers: [("p".to_owned(), raw::Provider::of_kind("ollama"))].into(),
        models: vec![raw::Model {
            name: "*".into(),
            deployments: vec![raw::Deployment::Short("p/*".into())],
            attempts_max: 1,
            deadlines: raw::Deadlines::default(),
            retry_on_timeout: false,
            unsupported: None,
            tokenizer: None,
            owned_by: None,
            list: Vec::new(),
        }],
        ..raw::Config::default()
    };
    let (snapshot, _) = checked::build(&Loaded::from(config), 1, None).expect("a good configuration");
    let check = |token: &[u8], now_s, expected: Result<&str, Failure>| {
        assert_eq!(authenticate(&snapshot, token, now_s).map(|key| &*key.name), expected);
    };
    check(b"rw-one", 1_000_000, Ok("forever"));
    check(b"rw-two", 99, Ok("short"));
    check(b"rw-two", 100, Err(Failure::InvalidKey));
    check(b"", 0, Err(Failure::MissingKey));
    check(b"rw-On", 0, Err(Failure::InvalidKey));
    check(b"rw-one ", 0, Err(Failure::InvalidKey));
    check(b"' OR 1=1; DROP TABLE keys; --", 0, Err(Failure::InvalidKey));
    check(&[0xff; 10_000], 0, Err(Failure::InvalidKey));
    // The hash itself opens nothing.
    check(&hash(b"rw-one"), 0, Err(Failure::InvalidKey));
    check(hash_text(&hash(b"rw-one")).as_bytes(), 0, Err(Failure::InvalidKey));
}
