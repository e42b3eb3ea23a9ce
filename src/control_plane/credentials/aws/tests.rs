use super::super::fixtures::{Server, Table, asker};
use super::*;
use crate::providers::sigv4::Request;

const KEYS: &str = r#"{"Code":"Success","Type":"AWS-HMAC","AccessKeyId":"ASIAFETCHED","SecretAccessKey":"fetched-secret",
    "Token":"fetched-token","Expiration":"2027-01-01T00:00:00Z"}"#;
const EXPIRES_AT_S: u64 = 1_798_761_600;

async fn chained(surroundings: Table) -> Result<CloudCredential, String> {
    fetch(&AwsSource::Chain, "eu-central-1", &surroundings, &asker()).await
}

/// Whose the keys are, as their signature says, and until when.
fn shown(fetched: Result<CloudCredential, String>) -> (String, Option<String>, Option<u64>) {
    let credential = fetched.expect("fetched");
    let CloudKey::Aws(keys) = &credential.key else { panic!("keys") };
    let headers: [(&str, &[u8]); 1] = [("host", b"h")];
    let request = Request { method: "POST", path: "/", query: &[], headers: &headers, payload_sha256: &[0; 32] };
    let shown = keys.sign(&request, 1_763_794_516, |signed| {
        let mut value = Vec::new();
        signed.append_authorization(&mut value);
        let value = String::from_utf8(value).expect("ASCII");
        let credential =
            value.split_once("Credential=").and_then(|(_, rest)| rest.split_once(',')).expect("a credential");
        (credential.0.to_owned(), signed.session_token().map(|token| String::from_utf8_lossy(token).into_owned()))
    });
    let (who, token) = shown.expect("signed");
    (who, token, credential.expires_at_s)
}

const SCOPE: &str = "20251122/eu-central-1/bedrock/aws4_request";

fn scoped(id: &str, token: Option<&str>, expires_at_s: Option<u64>) -> (String, Option<String>, Option<u64>) {
    (format!("{id}/{SCOPE}"), token.map(str::to_owned), expires_at_s)
}

#[tokio::test]
async fn the_environment_comes_first() {
    let surroundings = Table::default()
        .env("AWS_ACCESS_KEY_ID", "AKIAENV")
        .env("AWS_SECRET_ACCESS_KEY", "secret")
        .env("AWS_SESSION_TOKEN", "token")
        .env("AWS_PROFILE", "missing");
    assert_eq!(shown(chained(surroundings).await), scoped("AKIAENV", Some("token"), None));
}

#[tokio::test]
async fn a_key_of_bedrock_s_own_comes_before_all() {
    let with = |key: &str| Table::default().env("AWS_BEARER_TOKEN_BEDROCK", key).env("AWS_ACCESS_KEY_ID", "AKIAENV");
    let credential = chained(with("bedrock-api-key-abc")).await.expect("fetched");
    assert_eq!(credential.expires_at_s, None);
    let CloudKey::Bearer(value) = &credential.key else { panic!("{credential:?}") };
    assert_eq!(value.expose(), b"Bearer bedrock-api-key-abc");
    let unfit = chained(with("a\r\nx-injected: b")).await.expect_err("refused");
    assert_eq!(unfit, "AWS_BEARER_TOKEN_BEDROCK cannot be sent in a header");
    let empty = with("").env("AWS_SECRET_ACCESS_KEY", "secret");
    assert_eq!(shown(chained(empty).await), scoped("AKIAENV", None, None));
}

#[tokio::test]
async fn a_profile_is_read() {
    let file = "[default]\naws_access_key_id=AKIADEFAULT\naws_secret_access_key=x\n[a]\naws_access_key_id=AKIAA\naws_secret_access_key=y\n";
    let table = || Table::default().env("HOME", "/").file("//.aws/credentials", file);
    assert_eq!(shown(chained(table()).await), scoped("AKIADEFAULT", None, None));
    assert_eq!(shown(chained(table().env("AWS_PROFILE", "a")).await), scoped("AKIAA", None, None));
    let missing = chained(table().env("AWS_PROFILE", "b")).await.expect_err("missing");
    assert_eq!(missing, "there is no profile 'b', which AWS_PROFILE names, in AWS's files");
    let named = |name: &str| AwsSource::Profile(name.into());
    assert_eq!(
        shown(fetch(&named("a"), "eu-central-1", &table(), &asker()).await),
        scoped("AKIAA", None, None),
        "a profile that is configured wins over the environment"
    );
    assert!(fetch(&named("b"), "eu-central-1", &table(), &asker()).await.is_err());
}

#[tokio::test]
async fn web_identity_is_exchanged_by_sts() {
    let answer = "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>\
        <AccessKeyId>ASIASTS</AccessKeyId><SecretAccessKey>s/+=</SecretAccessKey><SessionToken>t/+=</SessionToken>\
        <Expiration>2027-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>";
    let server = Server::start(&[("POST /", 200, answer)]).await;
    let surroundings = |url: String| {
        Table::default()
            .env("AWS_WEB_IDENTITY_TOKEN_FILE", "/token")
            .env("AWS_ROLE_ARN", "arn:aws:iam::1:role/ringway")
            .env("AWS_ENDPOINT_URL_STS", url)
            .file("/token", "eyJ.a.b\n")
    };
    let fetched = chained(surroundings(server.url())).await;
    assert_eq!(shown(fetched), scoped("ASIASTS", Some("t/+="), Some(EXPIRES_AT_S)));
    let asked = &server.asked()[0];
    assert!(asked.ends_with(
        "\r\n\r\nAction=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fringway\
         &RoleSessionName=ringway&WebIdentityToken=eyJ.a.b"
    ));

    let refusing = Server::start(&[("POST /", 403, "<Error><Code>ExpiredTokenException</Code></Error>")]).await;
    let refused = chained(surroundings(refusing.url())).await.expect_err("refused");
    assert_eq!(refused, "STS: status 403: ExpiredTokenException");
}

#[tokio::test]
async fn the_containers_agent_is_asked() {
    let server = Server::start(&[("GET /v1/credentials", 200, KEYS)]).await;
    let url = format!("{}/v1/credentials", server.url());
    let table = || Table::default().env("AWS_CONTAINER_CREDENTIALS_FULL_URI", url.clone());
    let expected = scoped("ASIAFETCHED", Some("fetched-token"), Some(EXPIRES_AT_S));
    let with_file = table().env("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "/t").file("/t", "from-file\n");
    assert_eq!(shown(chained(with_file).await), expected);
    assert_eq!(shown(chained(table().env("AWS_CONTAINER_AUTHORIZATION_TOKEN", "from-env")).await), expected);
    assert_eq!(shown(chained(table()).await), expected);
    let asked = server.asked();
    assert!(asked[0].contains("\r\nauthorization: from-file\r\n"));
    assert!(asked[1].contains("\r\nauthorization: from-env\r\n"));
    assert!(!asked[2].contains("authorization"));
    assert!(chained(table().env("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "/gone")).await.is_err());
}

#[test]
fn only_agents_are_asked_in_clear_text() {
    let check = |url: &str, expected: bool| assert_eq!(is_trusted(url), expected, "{url}");
    check("https://credentials.example/x", true);
    check("http://169.254.170.2/x", true);
    check("http://169.254.170.23/v1/credentials", true);
    check("http://[fd00:ec2::23]/v1/credentials", true);
    check("http://127.0.0.1:51679/x", true);
    check("http://localhost/x", true);
    check("http://169.254.169.254/latest", false);
    check("http://credentials.example/x", false);
    check("http://127.0.0.1.example/x", false);
    check("/relative", false);
}

#[tokio::test]
async fn the_instance_is_asked_with_a_session() {
    const ROLES: &str = "GET /latest/meta-data/iam/security-credentials/";
    const ROLE: &str = "GET /latest/meta-data/iam/security-credentials/ringway-role";
    let token = ("PUT /latest/api/token", 200, "session==");
    let surroundings = |server: &Server| Table::default().env("AWS_EC2_METADATA_SERVICE_ENDPOINT", server.url() + "/");

    let server = Server::start(&[token, (ROLES, 200, "ringway-role\n"), (ROLE, 200, KEYS)]).await;
    let expected = scoped("ASIAFETCHED", Some("fetched-token"), Some(EXPIRES_AT_S));
    assert_eq!(shown(chained(surroundings(&server)).await), expected);
    let asked = server.asked();
    assert!(asked[0].contains("\r\nx-aws-ec2-metadata-token-ttl-seconds: 300\r\n"));
    assert!(asked[1..].iter().all(|request| request.contains("\r\nx-aws-ec2-metadata-token: session==\r\n")));

    let check = async |answers: &[(&'static str, u16, &str)], expected: &str| {
        let server = Server::start(answers).await;
        let why = chained(surroundings(&server)).await.expect_err("refused");
        assert!(why.ends_with(expected), "{why}");
    };
    check(&[token], "the instance's metadata service: status 404").await;
    check(&[token, (ROLES, 200, "")], "the instance has no role").await;
    check(&[token, (ROLES, 200, "../../x")], "the instance has no role").await;
    let failed = r#"{"Code":"AssumeRoleUnauthorizedAccess","Message":"no"}"#;
    check(&[token, (ROLES, 200, "ringway-role"), (ROLE, 200, failed)], ": AssumeRoleUnauthorizedAccess").await;
    check(&[token, (ROLES, 200, "ringway-role"), (ROLE, 200, "{}")], "empty, or not keys").await;

    let off = Table::default().env("AWS_EC2_METADATA_DISABLED", "TRUE");
    assert!(chained(off).await.expect_err("nothing").ends_with("AWS_EC2_METADATA_DISABLED"));
}

/// Keys become headers: nothing that could end one is taken.
#[tokio::test]
async fn keys_that_are_none_are_refused() {
    let env = |id: &str, secret: &str, token: &str| {
        Table::default()
            .env("AWS_ACCESS_KEY_ID", id)
            .env("AWS_SECRET_ACCESS_KEY", secret)
            .env("AWS_SESSION_TOKEN", token)
    };
    assert!(chained(env("AKIA", "secret", "")).await.is_ok());
    for (id, secret, token) in [("AKIA\r\nx: y", "s", "t"), ("AKIA", "s\n", "t"), ("AKIA", "s", "t t")] {
        let why = chained(env(id, secret, token)).await.expect_err("refused");
        assert_eq!(why, "the keys that were found are empty, or not keys");
    }
}
