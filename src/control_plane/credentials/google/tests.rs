use super::super::fixtures::{Server, Table, asker, service_account as key_file};
use super::*;
use crate::config::cloud::CloudKey;
use ring::signature::UnparsedPublicKey;
use serde_json::Value;

const NOW_S: u64 = 1_763_794_516;
const TOKEN: &str = r#"{"access_token":"ya29.fetched","expires_in":3599,"token_type":"Bearer"}"#;

async fn fetched(source: &GoogleSource, surroundings: &Table) -> Result<(String, Option<u64>), String> {
    let credential = fetch(source, NOW_S, surroundings, &asker()).await?;
    let CloudKey::Bearer(value) = &credential.key else { panic!("a token") };
    Ok((String::from_utf8_lossy(value.expose()).into_owned(), credential.expires_at_s))
}

fn expected() -> Result<(String, Option<u64>), String> {
    Ok(("Bearer ya29.fetched".to_owned(), Some(NOW_S + 3599)))
}

fn decoded(base64url: &str) -> Vec<u8> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut bytes = Vec::new();
    let (mut word, mut bits) = (0_u32, 0);
    for digit in base64url.bytes() {
        word = word << 6 | ALPHABET.iter().position(|it| *it == digit).expect("a digit") as u32;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push((word >> bits) as u8);
        }
    }
    bytes
}

/// The statement that the server received is signed by the account's key and says what RFC 7523 asks for.
#[tokio::test]
async fn a_service_account_signs_for_its_token() {
    let server = Server::start(&[("POST /token", 200, TOKEN)]).await;
    let uri = format!("{}/token", server.url());
    let file = key_file(&uri);
    let source = GoogleSource::File("/key.json".into());
    assert_eq!(fetched(&source, &Table::default().file("/key.json", file.as_str())).await, expected());

    let asked = server.asked();
    let (_, form) = asked[0].split_once("\r\n\r\n").expect("a form");
    let assertion = form.strip_prefix("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=");
    let (signed, signature) = assertion.and_then(|text| text.rsplit_once('.')).expect("three parts");
    let GoogleFile::ServiceAccount(account) = GoogleFile::parse(&file).expect("a key file") else {
        panic!("an account")
    };
    let public = UnparsedPublicKey::new(&signature::RSA_PKCS1_2048_8192_SHA256, account.key.public());
    public.verify(signed.as_bytes(), &decoded(signature)).expect("signed by the account");

    let (header, claims) = signed.split_once('.').expect("two parts");
    let json = |part: &str| serde_json::from_slice::<Value>(&decoded(part)).expect("JSON");
    assert_eq!(json(header), serde_json::json!({ "alg": "RS256", "typ": "JWT", "kid": "key-1" }));
    assert_eq!(
        json(claims),
        serde_json::json!({
            "iss": "robot@project.iam.gserviceaccount.com",
            "scope": "https://www.googleapis.com/auth/cloud-platform",
            "aud": uri,
            "iat": NOW_S,
            "exp": NOW_S + 3600,
        })
    );
}

#[tokio::test]
async fn the_environments_file_comes_before_gclouds_and_that_before_the_metadata_server() {
    const METADATA: &str = "GET /computeMetadata/v1/instance/service-accounts/default/token";
    let server =
        Server::start(&[("POST /account", 200, TOKEN), ("POST /user", 200, TOKEN), (METADATA, 200, TOKEN)]).await;
    let user = r#"{"type":"authorized_user","client_id":"id","client_secret":"hush","refresh_token":"1//r"}"#;
    let table = || {
        Table::default()
            .env("GCE_METADATA_HOST", server.address.to_string())
            .env("CLOUDSDK_AUTH_TOKEN_HOST", format!("{}/user", server.url()))
            .env("HOME", "/home/me")
    };
    let with_user = || table().file("/home/me/.config/gcloud/application_default_credentials.json", user);
    let with_both = with_user()
        .env("GOOGLE_APPLICATION_CREDENTIALS", "/key.json")
        .file("/key.json", key_file(&format!("{}/account", server.url())));
    for surroundings in [with_both, with_user(), table()] {
        assert_eq!(fetched(&GoogleSource::Default, &surroundings).await, expected());
    }
    let asked = server.asked();
    assert!(asked[0].starts_with("POST /account "));
    assert!(asked[1].starts_with("POST /user "));
    assert!(asked[1].ends_with("grant_type=refresh_token&client_id=id&client_secret=hush&refresh_token=1%2F%2Fr"));
    assert!(asked[2].starts_with(METADATA) && asked[2].contains("\r\nmetadata-flavor: Google\r\n"));
}

#[tokio::test]
async fn says_why_there_is_no_token() {
    let refusal = r#"{"error":"invalid_grant","error_description":"Invalid JWT Signature."}"#;
    let answers = [("POST /refuses", 400, refusal), ("POST /empty", 200, "{}"), ("POST /lines", 200, "LINES")];
    let lines = TOKEN.replace("ya29.fetched", "a\\r\\nx: y");
    let answers =
        answers.map(|(target, status, body)| (target, status, if body == "LINES" { lines.as_str() } else { body }));
    let server = Server::start(&answers).await;
    let check = async |path: &str, expected: &str| {
        let surroundings = Table::default().file("/key.json", key_file(&format!("{}{path}", server.url())));
        let why = fetched(&GoogleSource::File("/key.json".into()), &surroundings).await;
        assert_eq!(why.expect_err("no token"), expected);
    };
    check("/refuses", "robot@project.iam.gserviceaccount.com: status 400: invalid_grant: Invalid JWT Signature.").await;
    check("/empty", "the answer holds no token").await;
    check("/lines", "the answer holds no token that could be sent in a header").await;

    let named = |table: Table| async move { fetched(&GoogleSource::File("/key.json".into()), &table).await };
    let missing = named(Table::default()).await.expect_err("missing");
    assert_eq!(missing, "/key.json cannot be used: no such file");
    let external = named(Table::default().file("/key.json", r#"{"type":"external_account"}"#)).await;
    let expected = "/key.json cannot be used: its 'type' is neither 'service_account' nor 'authorized_user'";
    assert_eq!(external.expect_err("another way"), expected);
}

/// tests/oracles/google holds the statement against Google's own library.
#[test]
fn the_statement_is_the_one_that_was_judged() {
    let file = key_file(crate::config::cloud::google_file::TOKEN_URI);
    let GoogleFile::ServiceAccount(account) = GoogleFile::parse(&file).expect("a key file") else {
        panic!("an account")
    };
    let made = assertion(&account, NOW_S).expect("signed") + "\n";
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/oracles/google/assertion.txt");
    if std::env::var("GOLDEN").is_ok_and(|value| value == "update") {
        std::fs::write(path, &made).expect("written");
    }
    assert_eq!(std::fs::read_to_string(path).expect("the judged one"), made, "GOLDEN=update writes it anew");
}
