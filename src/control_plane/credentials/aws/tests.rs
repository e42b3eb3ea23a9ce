use super::super::fixtures::{Server, Table, asker};
use super::*;
use crate::providers::sigv4::Request;
use serde_json::{Value, json};

const KEYS: &str = r#"{"Code":"Success","Type":"AWS-HMAC","AccessKeyId":"ASIAFETCHED","SecretAccessKey":"fetched-secret",
    "Token":"fetched-token","Expiration":"2027-01-01T00:00:00Z"}"#;
const EXPIRES_AT_S: u64 = 1_798_761_600;

const NOW_S: u64 = 1_763_794_516;

async fn fetched(source: &AwsSource, surroundings: &Table) -> Result<CloudCredential, String> {
    fetch(source, "eu-central-1", NOW_S, surroundings, &asker(), &sso::Renewed::default()).await
}

async fn chained(surroundings: Table) -> Result<CloudCredential, String> {
    fetched(&AwsSource::Chain, &surroundings).await
}

/// Whose the keys are, as their signature says, and until when.
fn shown(fetched: Result<CloudCredential, String>) -> (String, Option<String>, Option<u64>) {
    let credential = fetched.expect("fetched");
    let CloudKey::Aws(keys) = &credential.key else { panic!("keys") };
    let headers: [(&str, &[u8]); 1] = [("host", b"h")];
    let request = Request { method: "POST", path: "/", query: &[], headers: &headers, payload_sha256: &[0; 32] };
    let shown = keys.sign(&request, NOW_S, |signed| {
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
    assert_eq!(missing, "there is no profile 'b' in AWS's files; //.aws/config: no such file; AWS_PROFILE names it");
    let named = |name: &str| AwsSource::Profile(name.into());
    assert_eq!(
        shown(fetched(&named("a"), &table()).await),
        scoped("AKIAA", None, None),
        "a profile that is configured wins over the environment"
    );
    assert!(fetched(&named("b"), &table()).await.is_err());
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

/// What stands for STS, the portal of single sign-on and its token service, as `tests/oracles/aws/profiles.py` has them.
async fn services() -> Server {
    const STS: &str = "<r><AccessKeyId>ASIAROLE</AccessKeyId><SecretAccessKey>secret-of-role</SecretAccessKey>\
        <SessionToken>token/+of=role</SessionToken><Expiration>2100-01-01T00:00:00Z</Expiration></r>";
    const PORTAL: &str = r#"{"roleCredentials":{"accessKeyId":"ASIASSO","secretAccessKey":"secret-of-sso","sessionToken":"token-of-sso",
        "expiration":4102444800000}}"#;
    const OIDC: &str =
        r#"{"accessToken":"renewed","expiresIn":28800,"refreshToken":"next-grant","tokenType":"Bearer"}"#;
    let answers = [("POST /", 200, STS), (KEYS_OF_READER, 200, PORTAL), ("POST /token", 200, OIDC)];
    Server::start(&answers).await
}

const KEYS_OF_READER: &str = "GET /federation/credentials?role_name=reader&account_id=123456789012";

/// A request in the oracle's terms.
fn noted(request: &str) -> Value {
    let (head, body) = request.split_once("\r\n\r\n").expect("a head");
    let target = head.split(' ').nth(1).expect("a target");
    let header = |name: &str| head.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")).map(str::to_owned));
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut noted = json!({ "path": path });
    match path {
        "/" => {
            noted["form"] = form(body);
            if noted["form"]["RoleSessionName"] == "ringway" {
                noted["form"]["RoleSessionName"] = "".into();
            }
        }
        "/token" => noted["json"] = serde_json::from_str(body).expect("JSON"),
        _ => {
            noted["form"] = form(query);
            noted["bearer"] = header("x-amz-sso_bearer_token").into();
        }
    }
    if let Some(signed) = header("authorization") {
        let credential = signed.split("Credential=").nth(1).and_then(|rest| rest.split(',').next()).expect("signed");
        let parts: Vec<&str> = credential.split('/').collect();
        noted["signed_by"] = parts[0].into();
        noted["scope"] = json!(parts[2..]);
        noted["session_token"] = header("x-amz-security-token").into();
    }
    noted
}

fn form(text: &str) -> Value {
    let decoded = |text: &str| {
        let mut bytes = Vec::new();
        let mut rest = text.bytes();
        while let Some(byte) = rest.next() {
            match byte {
                b'%' => {
                    let digits = [rest.next(), rest.next()].map(|digit| char::from(digit.expect("two digits")));
                    bytes.push(u8::from_str_radix(&digits.iter().collect::<String>(), 16).expect("hexadecimal"));
                }
                byte => bytes.push(byte),
            }
        }
        String::from_utf8(bytes).expect("UTF-8")
    };
    let members = text.split('&').map(|member| member.split_once('=').expect("a member"));
    members.map(|(name, value)| (name.to_owned(), Value::from(decoded(value)))).collect()
}

/// The questions are botocore's, in its order and by the same keys, and so is what they lead to.
#[tokio::test]
async fn profiles_lead_where_botocore_goes() {
    let cases: Vec<Value> =
        serde_json::from_str(include_str!("../../../../tests/oracles/aws/profiles.json")).expect("cases");
    assert!(cases.len() > 50);
    for case in cases {
        let says = &case["says"];
        let server = services().await;
        let at_home = |text: &Value| text.as_str().expect("text").replace("{home}", "/home/me");
        let mut table = Table::default()
            .env("HOME", "/home/me")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_ENDPOINT_URL", server.url())
            .file("/home/me/token", "token-of-the-cluster");
        for name in ["config", "credentials"] {
            table = table.file(&format!("/home/me/.aws/{name}"), at_home(&case[name]));
        }
        for (name, value) in case["env"].as_object().expect("variables") {
            table = table.env(name, at_home(value));
        }
        for (stem, token) in case["sso"].as_object().expect("tokens") {
            table = table.file(&format!("/home/me/.aws/sso/cache/{stem}.json"), token.to_string());
        }
        let source = match case["profile"].as_str() {
            Some(name) => AwsSource::Profile(name.into()),
            None => AwsSource::Chain,
        };
        let found = fetched(&source, &table).await;
        let Some(expected) = case["keys"].as_array() else {
            assert!(found.is_err(), "{says}");
            continue;
        };
        let found = found.unwrap_or_else(|why| panic!("{says}: {why}"));
        let CloudKey::Aws(found) = &found.key else { panic!("{says}: no keys") };
        let [id, secret, token] = [0, 1, 2].map(|at| expected[at].as_str());
        let secret_of = |text: Option<&str>| text.map(|text| Secret::new(text.as_bytes()));
        let (id, secret) = (id.expect("an id"), secret_of(secret).expect("a secret"));
        let expected = AwsKeys::new(id.into(), secret, secret_of(token), "eu-central-1");
        assert_eq!(authorization(found), authorization(&expected), "{says}");
        let asked: Vec<Value> = server.asked().iter().map(|request| noted(request)).collect();
        assert_eq!(Value::from(asked), case["asked"], "{says}");
    }
}

/// What a request is signed with, by which keys can be compared that do not show themselves.
fn authorization(keys: &AwsKeys) -> String {
    let headers: [(&str, &[u8]); 1] = [("host", b"h")];
    let request = Request { method: "POST", path: "/", query: &[], headers: &headers, payload_sha256: &[0; 32] };
    let signed = keys.sign(&request, NOW_S, |signed| {
        let mut value = Vec::new();
        signed.append_authorization(&mut value);
        String::from_utf8(value).expect("ASCII")
    });
    signed.expect("signed")
}

const SSO_CONFIG: &str = "[profile p]\nsso_session = corp\nsso_account_id = 123456789012\nsso_role_name = reader\n\
    [sso-session corp]\nsso_start_url = https://corp.example/start\nsso_region = us-east-1\n";
/// SHA-1 of `corp`.
const SSO_FILE: &str = "/home/me/.aws/sso/cache/ee0bfd2552fbd840c02cc48b6e823320543c450f.json";

/// A token with a grant for the next.
fn sso_token(access: &str, expires_at: &str) -> String {
    json!({
        "accessToken": access, "expiresAt": expires_at, "refreshToken": "grant", "clientId": "client",
        "clientSecret": "hidden", "registrationExpiresAt": "2100-01-01T00:00:00Z",
    })
    .to_string()
}

fn sso_table(server: &Server, token: Option<String>) -> Table {
    let table = Table::default().env("HOME", "/home/me").env("AWS_ENDPOINT_URL", server.url());
    let table = table.file("/home/me/.aws/config", SSO_CONFIG);
    match token {
        Some(token) => table.file(SSO_FILE, token),
        None => table,
    }
}

/// The second fetch uses what the first renewed, for which the grant may be gone; a new login counts from then on.
#[tokio::test]
async fn a_renewed_token_is_kept_until_its_file_changes() {
    let server = services().await;
    let renewed = sso::Renewed::default();
    let fetch = async |token: String, now_s: u64| {
        let (source, table) = (AwsSource::Profile("p".into()), sso_table(&server, Some(token)));
        fetch(&source, "eu-central-1", now_s, &table, &asker(), &renewed).await.expect("fetched");
    };
    let expired = || sso_token("first", "2001-01-01T00:00:00Z");
    let expected = |renewals: &[&str], shown: &str| {
        let asked: Vec<Value> = server.asked().iter().map(|request| noted(request)).collect();
        let grants: Vec<_> = asked.iter().filter_map(|it| it["json"]["refreshToken"].as_str()).collect();
        assert_eq!(grants, renewals);
        assert_eq!(asked.last().expect("asked")["bearer"], shown);
    };
    fetch(expired(), NOW_S).await;
    expected(&["grant"], "renewed");
    fetch(expired(), NOW_S + 60).await;
    expected(&["grant"], "renewed");
    // A quarter of an hour before the renewed one's end, with the grant that came with it.
    fetch(expired(), NOW_S + 28_800 - 899).await;
    expected(&["grant", "next-grant"], "renewed");
    fetch(sso_token("of a new login", "2100-01-01T00:00:00Z"), NOW_S + 120).await;
    expected(&["grant", "next-grant"], "of a new login");
}

#[tokio::test]
async fn a_token_that_cannot_be_renewed_is_used_to_its_end() {
    let portal = r#"{"roleCredentials":{"accessKeyId":"A","secretAccessKey":"s","sessionToken":"t","expiration":4102444800000}}"#;
    let failed = ("POST /token", 400, r#"{"error":"invalid_grant","error_description":"Invalid refresh token"}"#);
    let server = Server::start(&[failed, (KEYS_OF_READER, 200, portal)]).await;
    let fetch =
        async |token: Option<String>| fetched(&AwsSource::Profile("p".into()), &sso_table(&server, token)).await;
    let soon = jiff::Timestamp::from_second(NOW_S as i64 + 60).expect("a time").to_string();
    assert_eq!(shown(fetch(Some(sso_token("kept", &soon))).await).0, format!("A/{SCOPE}"));

    let log_in = "run `aws sso login --sso-session corp` as the user that Ringway runs as";
    let over = fetch(Some(sso_token("kept", "2001-01-01T00:00:00Z"))).await.expect_err("expired");
    let expected = "the token for single sign-on has expired and cannot be renewed: status 400: invalid_grant: Invalid refresh token";
    assert_eq!(over, format!("{expected}; {log_in}"));
    let none = fetch(None).await.expect_err("none");
    assert_eq!(none, format!("there is no token for single sign-on: {SSO_FILE}: no such file; {log_in}"));
    let odd = fetch(Some("{}".to_owned())).await.expect_err("odd");
    assert_eq!(odd, format!("{SSO_FILE} holds no token for single sign-on; {log_in}"));

    let refused = [(KEYS_OF_READER, 401, r#"{"message":"Session token not found or invalid"}"#)];
    let server = Server::start(&refused).await;
    let table = sso_table(&server, Some(sso_token("kept", "2100-01-01T00:00:00Z")));
    let why = fetched(&AwsSource::Profile("p".into()), &table).await.expect_err("refused");
    let expected = "single sign-on, role reader of 123456789012: status 401: Session token not found or invalid";
    assert_eq!(why, format!("{expected}; {log_in}"));
}

#[tokio::test]
async fn a_role_is_assumed_by_what_the_machine_has() {
    let table = |source: &str, server: &Server| {
        let config = format!("[profile p]\nrole_arn = arn:aws:iam::1:role/x\ncredential_source = {source}\n");
        Table::default().env("AWS_CONFIG_FILE", "/c").file("/c", config).env("AWS_ENDPOINT_URL_STS", server.url())
    };
    const ROLES: &str = "GET /latest/meta-data/iam/security-credentials/";
    const ROLE: &str = "GET /latest/meta-data/iam/security-credentials/of-instance";
    let sts = "<AccessKeyId>ASIAROLE</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>\
        <Expiration>2027-01-01T00:00:00Z</Expiration>";
    let token = ("PUT /latest/api/token", 200, "session==");
    let answers =
        [("GET /container", 200, KEYS), token, (ROLES, 200, "of-instance"), (ROLE, 200, KEYS), ("POST /", 200, sts)];
    let server = Server::start(&answers).await;
    let profile = AwsSource::Profile("p".into());
    let by = |server: &Server| noted(server.asked().last().expect("asked"))["signed_by"].clone();

    let container = table("EcsContainer", &server);
    let container = container.env("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("{}/container", server.url()));
    let expected = scoped("ASIAROLE", Some("t"), Some(EXPIRES_AT_S));
    assert_eq!(shown(fetched(&profile, &container).await), expected);
    assert_eq!(by(&server), "ASIAFETCHED");
    let instance = table("Ec2InstanceMetadata", &server).env("AWS_EC2_METADATA_SERVICE_ENDPOINT", server.url());
    assert_eq!(shown(fetched(&profile, &instance).await), expected);
    assert_eq!(server.asked().len(), 2 + 4);

    let none = fetched(&profile, &table("EcsContainer", &server)).await.expect_err("none");
    assert!(none.contains("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"), "{none}");
    let none = fetched(&profile, &table("Environment", &server)).await.expect_err("none");
    assert!(none.ends_with("AWS_ACCESS_KEY_ID is not set"), "{none}");
}

#[tokio::test]
async fn what_sts_refuses_is_said_with_the_role() {
    let xml = "<ErrorResponse><Error><Code>AccessDenied</Code><Message>Not authorized to perform sts:AssumeRole</Message></Error></ErrorResponse>";
    let server = Server::start(&[("POST /", 403, xml)]).await;
    let config = "[profile p]\nrole_arn = arn:aws:iam::1:role/x\nsource_profile = q\n\
        [profile q]\naws_access_key_id = AKIAQ\naws_secret_access_key = x\n";
    let table =
        |url: &str| Table::default().env("AWS_CONFIG_FILE", "/c").file("/c", config).env("AWS_ENDPOINT_URL_STS", url);
    let profile = AwsSource::Profile("p".into());
    let why = fetched(&profile, &table(&server.url())).await.expect_err("refused");
    let expected =
        "the role arn:aws:iam::1:role/x: STS: status 403: AccessDenied: Not authorized to perform sts:AssumeRole";
    assert_eq!(why, expected);
    let clear = fetched(&profile, &table("http://sts.example")).await.expect_err("in clear text");
    assert_eq!(clear, "the endpoint URL that is configured for Sts does not begin with https://");
}

#[test]
fn services_are_in_the_region() {
    let table = Table::default();
    let (asker, renewed) = (asker(), sso::Renewed::default());
    let endpoint = |service: Service, region: &str| {
        let files = Files::read(&table);
        let fetching = Fetching {
            region,
            now_s: NOW_S,
            surroundings: &table,
            asker: &asker,
            renewed: &renewed,
            files,
            profile: "p",
        };
        fetching.endpoint(service, region).expect("usual")
    };
    assert_eq!(endpoint(Service::Sts, "eu-central-1"), "https://sts.eu-central-1.amazonaws.com");
    assert_eq!(endpoint(Service::Sts, "cn-north-1"), "https://sts.cn-north-1.amazonaws.com.cn");
    assert_eq!(endpoint(Service::Sso, "us-east-1"), "https://portal.sso.us-east-1.amazonaws.com");
    assert_eq!(endpoint(Service::SsoOidc, "us-east-1"), "https://oidc.us-east-1.amazonaws.com");
}
